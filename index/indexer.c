#include "index/indexer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/queue.h"
#include "base/thread.h"
#include "index/batch.h"
#include "index/record.h"
#include "index/tape_writer.h"

#define QUEUE_BYTES   ((size_t)32 * 1024 * 1024)
#define PUBLISH_NS    (250 * NS_PER_MS)
#define POP_MS        50
#define FULL_RETRY_NS (250 * NS_PER_MS)
#define SEAL_RETRY_NS (10 * NS_PER_MS)

/* `status` belongs to the thread; others see it through the live page. failure is written once by
 * the thread before has_failed is stored with release. */
struct indexer {
    pthread_t thread;
    struct tape_writer *writer;
    struct queue *queue;
    struct indexer_options options;
    struct live *live;
    struct live_status *status;
    int64_t second; /* whose counts are in the last rate slots */
    int64_t published_ns;
    atomic_uint_fast64_t acknowledged;
    atomic_bool stopping;
    atomic_bool has_failed;
    struct error failure;
};

/* ---- counters ---- */

/* Move the rate slots so that the last one is `second`. */
static void
move_slots(struct indexer *indexer, int64_t second)
{
    int64_t steps = second - indexer->second;
    if (steps <= 0)
        return;
    size_t shift = steps < LIVE_RATE_SLOTS ? (size_t)steps : LIVE_RATE_SLOTS;
    for (uint32_t i = 0; i < indexer->status->stream_count && i < LIVE_STREAMS; i++) {
        uint32_t *rate = indexer->status->streams[i].rate;
        memmove(rate, rate + shift, (LIVE_RATE_SLOTS - shift) * sizeof(*rate));
        memset(rate + LIVE_RATE_SLOTS - shift, 0, shift * sizeof(*rate));
    }
    indexer->second = second;
}

static void
count_record(struct indexer *indexer, const struct record *record)
{
    struct live_status *status = indexer->status;
    size_t bytes = record->key.length + record->headers.length + record->payload.length;
    status->bytes += bytes;
    if (record->stream_id >= LIVE_STREAMS)
        return;
    if (record->stream_id >= status->stream_count)
        status->stream_count = record->stream_id + 1;
    struct live_stream *stream = &status->streams[record->stream_id];
    stream->events++;
    stream->bytes += bytes;
    stream->rate[LIVE_RATE_SLOTS - 1]++;
    if (record->received_ns > stream->last_received_ns)
        stream->last_received_ns = record->received_ns;
}

static void
count_batch(struct indexer *indexer, const struct batch *batch)
{
    indexer->status->end_seq = tape_writer_end_seq(indexer->writer);
    if (batch_is_internal(batch))
        return; /* nothing was received */
    move_slots(indexer, clock_now_ns() / NS_PER_S);
    struct bytes records = batch_records(batch);
    struct record record;
    size_t at = 0;
    while (at < records.length && record_decode(records, &at, &record))
        count_record(indexer, &record);
    indexer->status->events += batch_event_count(batch);
    (void)atomic_fetch_add_explicit(
        &indexer->acknowledged, batch_event_count(batch), memory_order_release);
}

static void
publish(struct indexer *indexer)
{
    struct live_status *status = indexer->status;
    indexer->published_ns = clock_monotonic_ns();
    status->published_ns = clock_now_ns();
    move_slots(indexer, status->published_ns / NS_PER_S);
    status->queue_bytes = queue_bytes(indexer->queue);
    if (indexer->options.describe != NULL)
        indexer->options.describe(indexer->options.describe_self, status);
    live_publish(indexer->live, status);
}

static void
publish_when_due(struct indexer *indexer)
{
    if (clock_monotonic_ns() - indexer->published_ns >= PUBLISH_NS)
        publish(indexer);
}

/* ---- the thread ---- */

static void
fail(struct indexer *indexer, const struct error *err)
{
    if (atomic_load_explicit(&indexer->has_failed, memory_order_relaxed))
        return;
    indexer->failure = *err;
    atomic_store_explicit(&indexer->has_failed, true, memory_order_release);
    queue_close(indexer->queue);
}

/* Append, waiting for room on a full disk: that is not told as long as sealing makes room. A stop ends the wait when
 * nothing makes room after one more try. */
static bool
append(struct indexer *indexer, struct batch *batch)
{
    struct error err;
    for (;;) {
        bool last_try = atomic_load_explicit(&indexer->stopping, memory_order_relaxed);
        bool makes_room = tape_writer_makes_room(indexer->writer);
        if (tape_writer_try_append(indexer->writer, batch, &err)) {
            indexer->status->disk_full = 0;
            return true;
        }
        makes_room = makes_room || tape_writer_makes_room(indexer->writer);
        if (err.code != ERROR_DISK_FULL || (last_try && !makes_room)) {
            fail(indexer, &err);
            return false;
        }
        if (makes_room) {
            clock_sleep_until_ns(clock_monotonic_ns() + SEAL_RETRY_NS);
            publish_when_due(indexer);
            continue;
        }
        indexer->status->disk_full = 1;
        publish(indexer);
        clock_sleep_until_ns(clock_monotonic_ns() + FULL_RETRY_NS);
    }
}

static void
tick(struct indexer *indexer)
{
    struct error err;
    if (!tape_writer_tick(indexer->writer, clock_monotonic_ns(), &err) &&
        err.code != ERROR_DISK_FULL)
        fail(indexer, &err);
    publish_when_due(indexer);
}

static void *
run(void *self)
{
    struct indexer *indexer = self;
    publish(indexer);
    for (;;) {
        void *item;
        enum queue_result result = queue_pop(indexer->queue, &item, POP_MS);
        if (result == QUEUE_CLOSED)
            break;
        if (result == QUEUE_OK) {
            struct batch *batch = item;
            if (!atomic_load_explicit(&indexer->has_failed, memory_order_relaxed) &&
                append(indexer, batch)) {
                batch_acknowledge(batch);
                count_batch(indexer, batch);
            }
            batch_release(batch);
        }
        tick(indexer);
    }
    struct error err;
    if (!tape_writer_sync(indexer->writer, &err))
        fail(indexer, &err);
    indexer->status->pid = 0;
    publish(indexer);
    return NULL;
}

static void
free_indexer(struct indexer *indexer)
{
    live_close(indexer->live);
    free(indexer->status);
    free(indexer);
}

struct indexer *
indexer_start(struct tape_writer *writer, const char *directory,
    const struct indexer_options *options, struct error *err)
{
    struct indexer *indexer = alloc_zeroed(sizeof(*indexer));
    indexer->writer = writer;
    if (options != NULL)
        indexer->options = *options;
    if (indexer->options.queue_bytes == 0)
        indexer->options.queue_bytes = QUEUE_BYTES;
    indexer->status = alloc_zeroed(sizeof(*indexer->status));
    indexer->status->pid = getpid();
    indexer->status->started_ns = clock_now_ns();
    indexer->status->end_seq = tape_writer_end_seq(writer);
    indexer->status->queue_limit_bytes = indexer->options.queue_bytes;
    indexer->second = indexer->status->started_ns / NS_PER_S;
    indexer->live = live_create(directory, err);
    if (indexer->live == NULL) {
        free_indexer(indexer);
        return NULL;
    }

    indexer->queue = queue_new(indexer->options.queue_bytes);
    if (!thread_start(&indexer->thread, "indexer", run, indexer)) {
        (void)error_set(err, ERROR_SYSTEM, "cannot start the indexer's thread");
        queue_free(indexer->queue, NULL);
        free_indexer(indexer);
        return NULL;
    }
    return indexer;
}

bool
indexer_push(struct indexer *indexer, struct batch **batch, int timeout_ms)
{
    void *item = *batch;
    if (queue_push(indexer->queue, &item, batch_bytes(*batch), timeout_ms) != QUEUE_OK)
        return false;
    *batch = NULL;
    return true;
}

uint64_t
indexer_acknowledged(const struct indexer *indexer)
{
    return atomic_load_explicit(&indexer->acknowledged, memory_order_acquire);
}

bool
indexer_is_well(struct indexer *indexer, struct error *err)
{
    if (!atomic_load_explicit(&indexer->has_failed, memory_order_acquire))
        return true;
    *err = indexer->failure;
    return false;
}

static void
drop_batch(void *item)
{
    batch_release(item);
}

void
indexer_hurry(struct indexer *indexer)
{
    atomic_store_explicit(&indexer->stopping, true, memory_order_relaxed);
}

bool
indexer_stop(struct indexer *indexer, struct error *err)
{
    if (indexer == NULL)
        return true;
    indexer_hurry(indexer);
    queue_close(indexer->queue);
    (void)pthread_join(indexer->thread, NULL);
    bool well = indexer_is_well(indexer, err);
    queue_free(indexer->queue, drop_batch);
    free_indexer(indexer);
    return well;
}
