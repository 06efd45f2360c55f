/* c11_threads.c - the C11 thread functions, made of POSIX ones; preloaded under ThreadSanitizer.
 *
 * Debian's librdkafka starts its threads and takes its locks with C11's functions, which
 * ThreadSanitizer does not know: its first malloc() in such a thread crashes, and it does not see
 * what a lock orders. It does know the POSIX functions. In glibc the types are the same objects.
 *
 *     cc -shared -fPIC c11_threads.c -o c11_threads.so; LD_PRELOAD=.../c11_threads.so test_...
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a mtx_t holds a pthread_mutex_t");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a cnd_t holds a pthread_cond_t");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thrd_t is a pthread_t");

/* The names of the parameters are better than those of <threads.h>. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static int
result_of(int code)
{
    return code == 0 ? thrd_success : thrd_error;
}

/* --- threads ------------------------------------------------------------------------------------ */

struct start {
    thrd_start_t function;
    void *argument;
};

static void *
run_thread(void *self)
{
    struct start start = *(struct start *)self;
    free(self);
    return (void *)(intptr_t)start.function(start.argument); /* NOLINT(performance-no-int-to-ptr) */
}

int
thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
    struct start *start = malloc(sizeof(*start));
    if (start == NULL)
        return thrd_nomem;
    *start = (struct start){function, argument};

    int result = result_of(pthread_create((pthread_t *)thread, NULL, run_thread, start));
    if (result != thrd_success)
        free(start);
    return result;
}

int
thrd_join(thrd_t thread, int *code)
{
    void *value;
    int result = result_of(pthread_join((pthread_t)thread, &value));
    if (result == thrd_success && code != NULL)
        *code = (int)(intptr_t)value;
    return result;
}

/* --- locks -------------------------------------------------------------------------------------- */

int
mtx_init(mtx_t *lock, int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if ((type & mtx_recursive) != 0)
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int result = result_of(pthread_mutex_init((pthread_mutex_t *)lock, &attributes));
    pthread_mutexattr_destroy(&attributes);
    return result;
}

void
mtx_destroy(mtx_t *lock)
{
    pthread_mutex_destroy((pthread_mutex_t *)lock);
}

int
mtx_lock(mtx_t *lock)
{
    return result_of(pthread_mutex_lock((pthread_mutex_t *)lock));
}

int
mtx_unlock(mtx_t *lock)
{
    return result_of(pthread_mutex_unlock((pthread_mutex_t *)lock));
}

/* --- conditions --------------------------------------------------------------------------------- */

int
cnd_init(cnd_t *condition)
{
    return result_of(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void
cnd_destroy(cnd_t *condition)
{
    pthread_cond_destroy((pthread_cond_t *)condition);
}

int
cnd_signal(cnd_t *condition)
{
    return result_of(pthread_cond_signal((pthread_cond_t *)condition));
}

int
cnd_broadcast(cnd_t *condition)
{
    return result_of(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int
cnd_wait(cnd_t *condition, mtx_t *lock)
{
    return result_of(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)lock));
}

int
cnd_timedwait(
    cnd_t *restrict condition, mtx_t *restrict lock, const struct timespec *restrict deadline)
{
    int code =
        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)lock, deadline);
    return code == ETIMEDOUT ? thrd_timedout : result_of(code);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
