/* thread.h - starting a thread the way all of ours are started. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Start `run(self)` on a new thread that blocks every signal (they belong to the main thread) and is
 * called `name` in ps and profilers (at most 15 bytes). False when the system has no thread to give. */
bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *self), void *self);

#endif
