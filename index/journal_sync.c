#include "index/journal_sync.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/thread.h"
#include "index/journal.h"

struct job {
    int fd;
    char *path;
    bool is_finished;
    bool has_new_name;
    int64_t asked_ns; /* monotonic */
};

/* jobs[] by the order of asking; the thread is at the first while is_busy. All under the lock. */
struct journal_sync {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job jobs[JOURNAL_SYNC_FILES];
    size_t count;
    bool is_busy;
    bool stopping;
    bool has_failed;
    struct error failure; /* the first that was not told */
};

/* ---- the thread ---- */

static bool
do_job(const struct job *job, struct error *err)
{
    struct stat status;
    bool is_sealed = job->is_finished && fstat(job->fd, &status) == 0 && status.st_nlink == 0;
    bool good = is_sealed || ((!job->has_new_name || file_sync_parent(job->path, err)) &&
                                 (fdatasync(job->fd) == 0 ||
                                     error_set_system(err, "cannot sync journal %s", job->path)));
    if (job->is_finished)
        (void)close(job->fd);
    return good;
}

/* With the lock held, which is given up meanwhile. */
static void
do_first(struct journal_sync *sync)
{
    struct job job = sync->jobs[0];
    struct error err;
    sync->is_busy = true;
    (void)pthread_mutex_unlock(&sync->lock);
    bool good = do_job(&job, &err);
    free(job.path);
    (void)pthread_mutex_lock(&sync->lock);
    sync->is_busy = false;
    if (!good && !sync->has_failed) {
        sync->has_failed = true;
        sync->failure = err;
    }
    sync->count--;
    memmove(sync->jobs, sync->jobs + 1, sync->count * sizeof(*sync->jobs));
    (void)pthread_cond_broadcast(&sync->changed);
}

static void *
run(void *self)
{
    struct journal_sync *sync = self;
    (void)pthread_mutex_lock(&sync->lock);
    for (;;) {
        if (sync->count > 0)
            do_first(sync);
        else if (sync->stopping)
            break;
        else
            (void)pthread_cond_wait(&sync->changed, &sync->lock);
    }
    (void)pthread_mutex_unlock(&sync->lock);
    return NULL;
}

/* ---- asking ---- */

/* The job for `file` that has not begun yet, made if there is none. With the lock held. */
static struct job *
need_job(struct journal_sync *sync, struct journal_file *file)
{
    size_t begun = sync->is_busy ? 1 : 0;
    bool has_new_name = !file->is_named;
    file->is_named = true;
    if (sync->count > begun && sync->jobs[sync->count - 1].fd == file->fd) {
        sync->jobs[sync->count - 1].has_new_name |= has_new_name;
        return &sync->jobs[sync->count - 1];
    }
    while (sync->count == JOURNAL_SYNC_FILES)
        (void)pthread_cond_wait(&sync->changed, &sync->lock);
    struct job *job = &sync->jobs[sync->count++];
    *job = (struct job){.fd = file->fd,
        .path = alloc_text(file->path),
        .has_new_name = has_new_name,
        .asked_ns = clock_monotonic_ns()};
    (void)pthread_cond_broadcast(&sync->changed);
    return job;
}

void
journal_sync_ask(struct journal_sync *sync, struct journal_file *file)
{
    (void)pthread_mutex_lock(&sync->lock);
    (void)need_job(sync, file);
    (void)pthread_mutex_unlock(&sync->lock);
}

void
journal_sync_finish(struct journal_sync *sync, struct journal_file *file)
{
    (void)pthread_mutex_lock(&sync->lock);
    need_job(sync, file)->is_finished = true;
    (void)pthread_mutex_unlock(&sync->lock);
    free(file->path);
    *file = (struct journal_file){.fd = -1};
}

/* With the lock held. */
static bool
take_failure(struct journal_sync *sync, struct error *err)
{
    if (!sync->has_failed)
        return true;
    sync->has_failed = false;
    *err = sync->failure;
    return false;
}

bool
journal_sync_check(struct journal_sync *sync, int64_t now_ns, struct error *err)
{
    (void)pthread_mutex_lock(&sync->lock);
    while (sync->count > 0 && now_ns - sync->jobs[0].asked_ns > JOURNAL_SYNC_LATE_NS)
        (void)pthread_cond_wait(&sync->changed, &sync->lock);
    bool good = take_failure(sync, err);
    (void)pthread_mutex_unlock(&sync->lock);
    return good;
}

bool
journal_sync_wait(struct journal_sync *sync, struct error *err)
{
    (void)pthread_mutex_lock(&sync->lock);
    while (sync->count > 0)
        (void)pthread_cond_wait(&sync->changed, &sync->lock);
    bool good = take_failure(sync, err);
    (void)pthread_mutex_unlock(&sync->lock);
    return good;
}

/* ---- from start to end ---- */

static void
free_sync(struct journal_sync *sync)
{
    (void)pthread_cond_destroy(&sync->changed);
    (void)pthread_mutex_destroy(&sync->lock);
    free(sync);
}

struct journal_sync *
journal_sync_start(struct error *err)
{
    struct journal_sync *sync = alloc_zeroed(sizeof(*sync));
    (void)pthread_mutex_init(&sync->lock, NULL);
    (void)pthread_cond_init(&sync->changed, NULL);
    if (!thread_start(&sync->thread, "journal-sync", run, sync)) {
        (void)error_set(err, ERROR_SYSTEM, "cannot start the thread that syncs journals");
        free_sync(sync);
        return NULL;
    }
    return sync;
}

void
journal_sync_stop(struct journal_sync *sync)
{
    if (sync == NULL)
        return;
    (void)pthread_mutex_lock(&sync->lock);
    sync->stopping = true;
    (void)pthread_cond_broadcast(&sync->changed);
    (void)pthread_mutex_unlock(&sync->lock);
    (void)pthread_join(sync->thread, NULL);
    free_sync(sync);
}
