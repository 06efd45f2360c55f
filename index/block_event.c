/* Making events and records out of the columns of a block. */
#include "index/block.h"
#include "index/event.h"
#include "index/record.h"

const struct block_lane *
block_lane(const struct block *block, uint32_t i)
{
    uint32_t low = 0;
    for (uint32_t high = block->lane_count - 1; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (block->lanes[middle].end > i)
            high = middle;
        else
            low = middle + 1;
    }
    return &block->lanes[low];
}

static enum time_type
time_type_of(uint32_t flags)
{
    unsigned type = flags & RECORD_FLAG_TIME_MASK;
    return type > TIME_APPEND ? TIME_NONE : (enum time_type)type;
}

int64_t
block_time(const struct block *block, uint32_t i)
{
    return time_type_of(block->flags[i]) == TIME_NONE ? block->received_ns[i] : block->times_ns[i];
}

/* The bytes between two places; only their length while `all` is not loaded. */
static struct bytes
view(struct bytes all, const uint32_t *places, uint32_t i, bool is_null)
{
    const unsigned char *data = all.data == NULL || is_null ? NULL : all.data + places[i];
    return (struct bytes){data, places[i + 1] - places[i]};
}

struct bytes
block_key(const struct block *block, uint32_t i)
{
    return view(block->keys, block->key_at, i, (block->flags[i] & BLOCK_FLAG_NULL_KEY) != 0);
}

void
block_event(const struct block *block, uint32_t i, struct event *event)
{
    const struct block_lane *lane = block_lane(block, i);
    uint32_t flags = block->flags[i];
    event->seq = block->seqs[i];
    event->received_ns = block->received_ns[i];
    event->time_ns = block->times_ns[i];
    event->offset = block->offsets[i];
    event->stream = lane->stream;
    event->partition = lane->partition;
    event->time_type = time_type_of(flags);
    event->offset_is_synthetic = (flags & RECORD_FLAG_SYNTHETIC) != 0;
    event->key = block_key(block, i);
    event->headers = view(block->headers, block->headers_at, i, false);
    event->payload =
        view(block->payloads, block->payload_at, i, (flags & BLOCK_FLAG_NULL_PAYLOAD) != 0);
}

void
block_expect_event(const struct block *block, uint32_t i)
{
    __builtin_prefetch(&block->seqs[i]);
    __builtin_prefetch(&block->received_ns[i]);
    __builtin_prefetch(&block->times_ns[i]);
    __builtin_prefetch(&block->offsets[i]);
    __builtin_prefetch(&block->flags[i]);
    __builtin_prefetch(&block->key_at[i]);
    __builtin_prefetch(&block->headers_at[i]);
    __builtin_prefetch(&block->payload_at[i]);
}

void
block_record(const struct block *block, uint32_t i, struct record *record)
{
    struct event event;
    block_event(block, i, &event);
    *record = (struct record){
        .type = RECORD_EVENT,
        .time_ns = event.time_ns,
        .received_ns = event.received_ns,
        .position = (uint64_t)event.offset,
        .stream_id = block_lane(block, i)->stream_id,
        .partition = (uint32_t)event.partition,
        .flags = block->flags[i] & (BLOCK_FLAG_NULL_KEY - 1),
        .key = event.key,
        .headers = event.headers,
        .payload = event.payload,
    };
}
