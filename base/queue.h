/* queue.h - the bounded hand-over between threads: many push, one pops.
 *
 * Holds pointers, each with the bytes it stands for; full is when the sum reaches the limit (one
 * item always fits, however large). A push moves ownership into the queue, a pop out of it.
 *
 * Threads: any may push, one pops. No lock is held while a caller runs.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

enum queue_result {
    QUEUE_OK,
    QUEUE_TIMEOUT, /* still full (push) or still empty (pop) when the time was over */
    QUEUE_CLOSED,  /* push: nobody will pop any more; pop: closed and drained */
};

struct queue *queue_new(size_t limit_bytes);

/* Free an empty or closed queue; `drop` is called for each item that is left. NULL is allowed. */
void queue_free(struct queue *queue, void (*drop)(void *item));

/* Wait up to timeout_ms (0: not at all, -1: for ever) for room. On QUEUE_OK the queue owns *item and
 * sets it to NULL; otherwise the caller keeps it. */
enum queue_result queue_push(struct queue *queue, void **item, size_t bytes, int timeout_ms);

/* Wait up to timeout_ms for an item. */
enum queue_result queue_pop(struct queue *queue, void **item, int timeout_ms);

/* No more pushes; what is inside can still be popped. Wakes everyone who waits. */
void queue_close(struct queue *queue);

/* Bytes waiting now. */
size_t queue_bytes(struct queue *queue);

#endif
