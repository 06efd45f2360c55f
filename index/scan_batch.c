#include "index/scan_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static size_t
copied_bytes(const struct event *event, bool without_payload)
{
    size_t bytes = event->key.data == NULL ? 0 : event->key.length;
    bytes += event->headers.data == NULL ? 0 : event->headers.length;
    bytes += event->payload.data == NULL || without_payload ? 0 : event->payload.length;
    return bytes;
}

size_t
scan_batch_bytes_for(const struct event *event, bool without_payload)
{
    return sizeof(struct scan_batch) + sizeof(struct scan_row) +
           copied_bytes(event, without_payload);
}

struct scan_batch *
scan_batch_new(size_t bytes)
{
    struct scan_batch *batch = alloc_resize(NULL, bytes);
    *batch = (struct scan_batch){.bytes = bytes, .bytes_at = bytes};
    return batch;
}

void
scan_batch_free(struct scan_batch *batch)
{
    free(batch);
}

/* Move the view to a copy of what it shows. */
static void
keep(struct scan_batch *batch, struct bytes *view)
{
    if (view->data == NULL)
        return;
    batch->bytes_at -= view->length;
    unsigned char *copy = (unsigned char *)batch + batch->bytes_at;
    memcpy(copy, view->data, view->length);
    view->data = copy;
}

bool
scan_batch_add(struct scan_batch *batch, const struct event *event, bool without_payload)
{
    size_t rows_end = sizeof(*batch) + (batch->count + (size_t)1) * sizeof(batch->rows[0]);
    if (rows_end > batch->bytes_at ||
        batch->bytes_at - rows_end < copied_bytes(event, without_payload))
        return false;
    struct scan_row *row = &batch->rows[batch->count++];
    *row = (struct scan_row){.event = *event, .stream_id = event->stream->id};
    row->event.stream = NULL;
    if (without_payload)
        row->event.payload.data = NULL;
    keep(batch, &row->event.key);
    keep(batch, &row->event.headers);
    keep(batch, &row->event.payload);
    return true;
}
