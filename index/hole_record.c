#include "index/hole_record.h"

#include <stddef.h>

#include "base/bytes.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/record.h"

/* The payload of a hole: last offset u64 (all ones: not known), reason u32. */
#define HOLE_PAYLOAD_BYTES 12u

static void
append(struct buffer *buffer, const struct record *record)
{
    size_t size = record_size(record);
    record_encode(record, buffer_reserve(buffer, size));
    buffer->length += size;
}

void
hole_record_append(struct buffer *buffer, const struct hole *hole)
{
    unsigned char payload[HOLE_PAYLOAD_BYTES];
    store_u64(payload, (uint64_t)hole->to);
    store_u32(payload + 8, (uint32_t)hole->reason);
    append(buffer, &(struct record){
                       .type = RECORD_HOLE,
                       .time_ns = CLOCK_NONE,
                       .received_ns = hole->noticed_ns,
                       .position = (uint64_t)hole->from,
                       .stream_id = hole->stream_id,
                       .partition = (uint32_t)hole->partition,
                       .payload = bytes_make(payload, sizeof(payload)),
                   });
}

void
stream_record_append(struct buffer *buffer, const struct stream *stream)
{
    append(buffer, &(struct record){
                       .type = RECORD_STREAM,
                       .time_ns = CLOCK_NONE,
                       .received_ns = CLOCK_NONE,
                       .stream_id = stream->id,
                       .key = bytes_of(stream->tap),
                       .payload = bytes_of(stream->name),
                   });
}

bool
hole_record_read(const struct record *record, struct hole *hole)
{
    if (record->payload.length != HOLE_PAYLOAD_BYTES)
        return false;
    uint32_t reason = load_u32(record->payload.data + 8);
    *hole = (struct hole){
        .stream_id = record->stream_id,
        .partition = (int32_t)record->partition,
        .from = (int64_t)record->position,
        .to = (int64_t)load_u64(record->payload.data),
        .reason = reason >= HOLE_REASON_COUNT ? HOLE_UNKNOWN : (enum hole_reason)reason,
        .noticed_ns = record->received_ns,
    };
    return true;
}
