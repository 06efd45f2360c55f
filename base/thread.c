#include "base/thread.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

bool
thread_start(pthread_t *thread, const char *name, void *(*run)(void *self), void *self)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, run, self) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        (void)pthread_setname_np(*thread, name);
    return started;
}

void
thread_let_others_first(int nice_value)
{
    /* On Linux the nice value is the thread's own. */
    id_t thread = (id_t)gettid();
    if (getpriority(PRIO_PROCESS, thread) < nice_value)
        (void)setpriority(PRIO_PROCESS, thread, nice_value);
}
