#include "index/record.h"

#include <assert.h>
#include <string.h>

#include "index/event.h"

/* Where the fields of the 48-byte header stand; docs/FORMAT.md, "Record". */
enum {
    AT_TIME = 0,
    AT_RECEIVED = 8,
    AT_POSITION = 16,
    AT_STREAM = 24,
    AT_PARTITION = 28,
    AT_KEY_LENGTH = 32,
    AT_PAYLOAD_LENGTH = 36,
    AT_HEADERS_LENGTH = 40,
    AT_FLAGS = 44,
};

#define TYPE_SHIFT 24u
#define FLAGS_MASK 0x00ffffffu

size_t
record_size(const struct record *record)
{
    return RECORD_HEADER_BYTES + record->key.length + record->headers.length +
           record->payload.length;
}

static uint32_t
length_plus_one(struct bytes bytes)
{
    return bytes.data == NULL ? 0 : (uint32_t)bytes.length + 1;
}

static unsigned char *
put(unsigned char *to, struct bytes bytes)
{
    if (bytes.length > 0)
        memcpy(to, bytes.data, bytes.length);
    return to + bytes.length;
}

void
record_encode(const struct record *record, unsigned char *to)
{
    assert(record_size(record) <= RECORD_MAX_BYTES);

    store_u64(to + AT_TIME, (uint64_t)record->time_ns);
    store_u64(to + AT_RECEIVED, (uint64_t)record->received_ns);
    store_u64(to + AT_POSITION, record->position);
    store_u32(to + AT_STREAM, record->stream_id);
    store_u32(to + AT_PARTITION, record->partition);
    store_u32(to + AT_KEY_LENGTH, length_plus_one(record->key));
    store_u32(to + AT_PAYLOAD_LENGTH, length_plus_one(record->payload));
    store_u32(to + AT_HEADERS_LENGTH, (uint32_t)record->headers.length);
    store_u32(to + AT_FLAGS, (uint32_t)record->type << TYPE_SHIFT | (record->flags & FLAGS_MASK));
    to = put(to + RECORD_HEADER_BYTES, record->key);
    to = put(to, record->headers);
    (void)put(to, record->payload);
}

/* A view of `stored` - 1 bytes at *at, null when stored is 0; the caller checked the sum. */
static struct bytes
take(const unsigned char **at, uint32_t stored)
{
    if (stored == 0)
        return BYTES_NULL;
    struct bytes view = bytes_make(*at, stored - 1);
    *at += stored - 1;
    return view;
}

bool
record_decode(struct bytes from, size_t *at, struct record *record)
{
    if (from.length - *at < RECORD_HEADER_BYTES)
        return false;

    const unsigned char *head = from.data + *at;
    uint32_t key = load_u32(head + AT_KEY_LENGTH);
    uint32_t payload = load_u32(head + AT_PAYLOAD_LENGTH);
    uint32_t headers = load_u32(head + AT_HEADERS_LENGTH);
    uint32_t flags = load_u32(head + AT_FLAGS);
    uint64_t size = (uint64_t)RECORD_HEADER_BYTES + headers + (key > 0 ? key - 1 : 0) +
                    (payload > 0 ? payload - 1 : 0);
    if (size > RECORD_MAX_BYTES || size > from.length - *at || flags >> TYPE_SHIFT > RECORD_HOLE)
        return false;

    record->type = (enum record_type)(flags >> TYPE_SHIFT);
    record->flags = flags & FLAGS_MASK;
    record->time_ns = (int64_t)load_u64(head + AT_TIME);
    record->received_ns = (int64_t)load_u64(head + AT_RECEIVED);
    record->position = load_u64(head + AT_POSITION);
    record->stream_id = load_u32(head + AT_STREAM);
    record->partition = load_u32(head + AT_PARTITION);
    const unsigned char *body = head + RECORD_HEADER_BYTES;
    record->key = take(&body, key);
    record->headers = take(&body, headers + 1);
    record->payload = take(&body, payload);
    *at += (size_t)size;
    return true;
}

void
record_to_event(const struct record *record, struct event *event)
{
    event->received_ns = record->received_ns;
    event->time_ns = record->time_ns;
    event->offset = (int64_t)record->position;
    event->partition = (int32_t)record->partition;
    event->time_type = (enum time_type)(record->flags & RECORD_FLAG_TIME_MASK);
    if (event->time_type > TIME_APPEND)
        event->time_type = TIME_NONE;
    event->offset_is_synthetic = (record->flags & RECORD_FLAG_SYNTHETIC) != 0;
    event->key = record->key;
    event->headers = record->headers;
    event->payload = record->payload;
}
