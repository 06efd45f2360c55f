#include "index/batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/hole_record.h"
#include "index/record.h"

/* `records` and `holes` are encoded records, one behind the other. Nothing changes once a second
 * thread has seen the batch. */
struct batch {
    uint32_t event_count;
    uint32_t hole_count;
    bool is_internal;
    atomic_uint_fast64_t *receipt; /* NULL: nobody asked */
    uint64_t number;
    struct buffer records;
    struct buffer holes;
};

/* Batches that were released, to be used again: at full speed thousands are needed each second, and
 * fresh memory of this size costs more in page faults than filling it. */
#define SPARE_MAX       64u
#define SPARE_MAX_BYTES ((size_t)2 * BATCH_TARGET_BYTES)

static struct {
    pthread_mutex_t lock;
    struct batch *batches[SPARE_MAX];
    size_t count;
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct batch *
take_spare(void)
{
    struct batch *batch = NULL;
    (void)pthread_mutex_lock(&spare.lock);
    if (spare.count > 0)
        batch = spare.batches[--spare.count];
    (void)pthread_mutex_unlock(&spare.lock);
    return batch;
}

static bool
keep_as_spare(struct batch *batch)
{
    if (batch->records.capacity > SPARE_MAX_BYTES || batch->holes.capacity > BATCH_TARGET_BYTES)
        return false;
    batch->records.length = batch->holes.length = 0;
    batch->event_count = batch->hole_count = 0;
    batch->is_internal = false;
    batch->receipt = NULL;
    (void)pthread_mutex_lock(&spare.lock);
    bool kept = spare.count < SPARE_MAX;
    if (kept)
        spare.batches[spare.count++] = batch;
    (void)pthread_mutex_unlock(&spare.lock);
    return kept;
}

struct batch *
batch_new(void)
{
    struct batch *batch = take_spare();
    if (batch == NULL)
        batch = alloc_zeroed(sizeof(*batch));
    (void)buffer_reserve(&batch->records, BATCH_TARGET_BYTES + BATCH_TARGET_BYTES / 8);
    return batch;
}

void
batch_release(struct batch *batch)
{
    if (batch == NULL || keep_as_spare(batch))
        return;
    buffer_done(&batch->records);
    buffer_done(&batch->holes);
    free(batch);
}

bool
batch_add(struct batch *batch, const struct event *event, struct error *err)
{
    struct record record = {
        .type = RECORD_EVENT,
        .time_ns = event->time_ns,
        .received_ns = event->received_ns,
        .position = (uint64_t)event->offset,
        .stream_id = event->stream->id,
        .partition = (uint32_t)event->partition,
        .flags =
            (uint32_t)event->time_type | (event->offset_is_synthetic ? RECORD_FLAG_SYNTHETIC : 0),
        .key = event->key,
        .headers = event->headers,
        .payload = event->payload,
    };
    size_t size = record_size(&record);
    if (size > RECORD_MAX_BYTES)
        return error_set(err, ERROR_LIMIT,
            "event %s[%d]@%lld has %zu bytes, more than the limit of %u", event->stream->label,
            event->partition, (long long)event->offset, size, RECORD_MAX_BYTES);

    record_encode(&record, buffer_reserve(&batch->records, size));
    batch->records.length += size;
    batch->event_count++;
    return true;
}

void
batch_add_hole(struct batch *batch, const struct hole *hole)
{
    hole_record_append(&batch->holes, hole);
    batch->hole_count++;
}

void
batch_set_internal(struct batch *batch)
{
    batch->is_internal = true;
}

bool
batch_is_internal(const struct batch *batch)
{
    return batch->is_internal;
}

void
batch_set_receipt(struct batch *batch, atomic_uint_fast64_t *receipt, uint64_t number)
{
    batch->receipt = receipt;
    batch->number = number;
}

void
batch_acknowledge(const struct batch *batch)
{
    if (batch->receipt != NULL)
        atomic_store_explicit(batch->receipt, batch->number, memory_order_release);
}

bool
batch_is_full(const struct batch *batch)
{
    return batch->records.length >= BATCH_TARGET_BYTES || batch->holes.length >= BATCH_TARGET_BYTES;
}

uint32_t
batch_event_count(const struct batch *batch)
{
    return batch->event_count;
}

size_t
batch_bytes(const struct batch *batch)
{
    return sizeof(*batch) + batch->records.capacity + batch->holes.capacity;
}

struct bytes
batch_records(const struct batch *batch)
{
    return bytes_make(batch->records.data, batch->records.length);
}

struct bytes
batch_holes(const struct batch *batch)
{
    return bytes_make(batch->holes.data, batch->holes.length);
}

uint32_t
batch_hole_count(const struct batch *batch)
{
    return batch->hole_count;
}
