/* thread.h - starting a thread the way all of ours are started. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Start `run(self)` on a new thread that blocks every signal (they belong to the main thread) and is
 * called `name` in ps and profilers (at most 15 bytes). False when the system has no thread to give. */
bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *self), void *self);

/* Let others go first where there is too little time for all: the calling thread, and the threads that it
 * starts from now on, get at least this nice value (1 to 19). For the rest of its life, because without
 * privileges there is no way back. */
void thread_let_others_first(int nice_value);

/* A condition whose timed waits are by clock_monotonic_ns(). */
void thread_condition_init(pthread_cond_t *condition);

/* Wait for it until the monotonic moment; false when that has come. With the mutex held, as pthread_cond_timedwait(). */
bool thread_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ns);

#endif
