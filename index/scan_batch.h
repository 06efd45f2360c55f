/* scan_batch.h - events on their way from a thread that reads to the one that asked.
 *
 * A piece of memory: rows grow from its beginning, their bytes from its end, and it is full when the two
 * meet.  Threads: one owner at a time.
 */
#ifndef INDEX_SCAN_BATCH_H
#define INDEX_SCAN_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/event.h"

/* A stream belongs to a tape, and each thread has its own: event.stream is NULL here. */
struct scan_row {
    struct event event;
    uint32_t stream_id;
};

struct scan_batch {
    struct scan_batch *next; /* for whoever keeps a list */
    size_t bytes;            /* the whole of its memory */
    size_t bytes_at;         /* of that, everything from here on is in use */
    uint32_t count;
    struct scan_row rows[];
};

/* What a batch needs at least to hold the event. */
size_t scan_batch_bytes_for(const struct event *event, bool without_payload);

struct scan_batch *scan_batch_new(size_t bytes);
void scan_batch_free(struct scan_batch *batch);

/* Copy the event; false when there is no room. Without its payload, that becomes a null view with a
 * length. */
bool scan_batch_add(struct scan_batch *batch, const struct event *event, bool without_payload);

#endif
