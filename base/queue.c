#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"

struct item {
    void *value;
    size_t bytes;
};

/* A ring that grows: items[(first + i) % capacity] for i < count, oldest first. `bytes` is the sum
 * over them. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed_room;
    pthread_cond_t changed_items;
    struct item *items;
    size_t capacity;
    size_t first;
    size_t count;
    size_t bytes;
    size_t limit_bytes;
    bool closed;
};

struct queue *
queue_new(size_t limit_bytes)
{
    struct queue *queue = alloc_zeroed(sizeof(*queue));
    (void)pthread_mutex_init(&queue->lock, NULL);
    thread_condition_init(&queue->changed_room);
    thread_condition_init(&queue->changed_items);
    queue->limit_bytes = limit_bytes;
    return queue;
}

void
queue_free(struct queue *queue, void (*drop)(void *item))
{
    if (queue == NULL)
        return;
    for (size_t i = 0; i < queue->count; i++)
        drop(queue->items[(queue->first + i) % queue->capacity].value);
    (void)pthread_cond_destroy(&queue->changed_room);
    (void)pthread_cond_destroy(&queue->changed_items);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue->items);
    free(queue);
}

static int64_t
deadline_after(int timeout_ms)
{
    return clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
}

/* Wait once; false when the time is over. */
static bool
wait_for(pthread_cond_t *condition, struct queue *queue, int timeout_ms, int64_t deadline_ns)
{
    if (timeout_ms == 0)
        return false;
    if (timeout_ms < 0)
        return pthread_cond_wait(condition, &queue->lock) == 0;
    return thread_condition_wait(condition, &queue->lock, deadline_ns);
}

static void
add(struct queue *queue, void *value, size_t bytes)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
        struct item *items = alloc_array(capacity, sizeof(*items));
        for (size_t i = 0; i < queue->count; i++)
            items[i] = queue->items[(queue->first + i) % queue->capacity];
        free(queue->items);
        queue->items = items;
        queue->capacity = capacity;
        queue->first = 0;
    }
    queue->items[(queue->first + queue->count++) % queue->capacity] = (struct item){value, bytes};
    queue->bytes += bytes;
}

enum queue_result
queue_push(struct queue *queue, void **item, size_t bytes, int timeout_ms)
{
    int64_t deadline_ns = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
    enum queue_result result = QUEUE_OK;

    (void)pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count > 0 && queue->bytes + bytes > queue->limit_bytes) {
        if (!wait_for(&queue->changed_room, queue, timeout_ms, deadline_ns)) {
            result = QUEUE_TIMEOUT;
            break;
        }
    }
    if (queue->closed)
        result = QUEUE_CLOSED;
    if (result == QUEUE_OK) {
        add(queue, *item, bytes);
        *item = NULL;
        (void)pthread_cond_signal(&queue->changed_items);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return result;
}

enum queue_result
queue_pop(struct queue *queue, void **item, int timeout_ms)
{
    int64_t deadline_ns = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
    enum queue_result result = QUEUE_OK;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed) {
        if (!wait_for(&queue->changed_items, queue, timeout_ms, deadline_ns)) {
            result = QUEUE_TIMEOUT;
            break;
        }
    }
    if (queue->count > 0) {
        struct item taken = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        queue->bytes -= taken.bytes;
        *item = taken.value;
        result = QUEUE_OK;
        (void)pthread_cond_broadcast(&queue->changed_room);
    } else if (queue->closed) {
        result = QUEUE_CLOSED;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return result;
}

void
queue_close(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    (void)pthread_cond_broadcast(&queue->changed_room);
    (void)pthread_cond_broadcast(&queue->changed_items);
    (void)pthread_mutex_unlock(&queue->lock);
}

size_t
queue_bytes(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    size_t bytes = queue->bytes;
    (void)pthread_mutex_unlock(&queue->lock);
    return bytes;
}
