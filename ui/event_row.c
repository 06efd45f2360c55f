#include "ui/event_row.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static size_t
cut(struct bytes bytes, size_t most)
{
    return bytes.length < most ? bytes.length : most;
}

/* Copy `length` bytes to *at and return a view of them there; a null view stays null. */
static struct bytes
keep(struct bytes bytes, size_t length, unsigned char **at)
{
    if (bytes.data == NULL)
        return BYTES_NULL;
    unsigned char *here = *at;
    if (length > 0)
        memcpy(here, bytes.data, length);
    *at += length;
    return bytes_make(here, length);
}

struct event_row *
event_row_new(const struct event *event)
{
    struct event_identity identity;
    event_identify(event, &identity);
    size_t key_length = cut(event->key, EVENT_ROW_KEY_BYTES);
    size_t type_length = cut(identity.type, EVENT_ROW_TYPE_BYTES);
    size_t payload_length = cut(event->payload, EVENT_ROW_PAYLOAD_BYTES);

    /* One byte more, so that an empty view at the end still points into the row. */
    struct event_row *row =
        alloc_zeroed(sizeof(*row) + key_length + type_length + payload_length + 1);
    row->seq = event->seq;
    row->received_ns = event->received_ns;
    row->offset = event->offset;
    row->stream = event->stream;
    row->partition = event->partition;
    row->size = event_size(event);
    unsigned char *at = row->text;
    row->key = keep(event->key, key_length, &at);
    row->type = keep(identity.type, type_length, &at);
    row->payload = keep(event->payload, payload_length, &at);
    return row;
}

void
event_row_free(struct event_row *row)
{
    free(row->gap);
    free(row);
}
