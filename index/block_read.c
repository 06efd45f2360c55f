/* Reading blocks: one section after the other into memory that is used again for the next block. */
#include <assert.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/block.h"
#include "index/column.h"
#include "index/event.h"
#include "index/header_shape.h"

/* Lengths as they are in META; they tell null from empty when the bytes come. */
struct block_memory {
    ZSTD_DCtx *zstd;
    struct buffer sections[BLOCK_SECTIONS];
    struct buffer headers; /* rebuilt lists, one behind the other */
    struct header_reader *header_reader;
    uint64_t *numbers; /* a column on its way */
    uint32_t *key_lengths;
    uint32_t *headers_lengths;
    uint32_t *payload_lengths;
    uint32_t *stream_ids;
    uint32_t *key_at; /* like block->payload_at */
    uint32_t *headers_at;
    size_t capacity;
};

static const char *const section_names[BLOCK_SECTIONS] = {"META", "KEY", "HDR", "PAY"};

struct block *
block_new(void)
{
    struct block *block = alloc_zeroed(sizeof(*block));
    block->memory = alloc_zeroed(sizeof(*block->memory));
    block->memory->header_reader = header_reader_new();
    return block;
}

void
block_free(struct block *block)
{
    if (block == NULL)
        return;
    struct block_memory *memory = block->memory;
    (void)ZSTD_freeDCtx(memory->zstd);
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        buffer_done(&memory->sections[i]);
    buffer_done(&memory->headers);
    header_reader_free(memory->header_reader);
    free(memory->numbers);
    free(memory->key_lengths);
    free(memory->headers_lengths);
    free(memory->payload_lengths);
    free(memory->stream_ids);
    free(memory->key_at);
    free(memory->headers_at);
    free(memory);
    free(block->events);
    free(block->flags);
    free(block->payload_at);
    free(block);
}

static void
make_room(struct block *block, size_t count)
{
    struct block_memory *memory = block->memory;
    if (count <= memory->capacity)
        return;
    memory->capacity = count + count / 4;
    size_t capacity = memory->capacity;
    memory->numbers = alloc_resize(memory->numbers, capacity * sizeof(*memory->numbers));
    memory->key_lengths =
        alloc_resize(memory->key_lengths, capacity * sizeof(*memory->key_lengths));
    memory->headers_lengths =
        alloc_resize(memory->headers_lengths, capacity * sizeof(*memory->headers_lengths));
    memory->payload_lengths =
        alloc_resize(memory->payload_lengths, capacity * sizeof(*memory->payload_lengths));
    memory->stream_ids = alloc_resize(memory->stream_ids, capacity * sizeof(*memory->stream_ids));
    block->events = alloc_resize(block->events, capacity * sizeof(*block->events));
    block->flags = alloc_resize(block->flags, capacity * sizeof(*block->flags));
    memory->key_at = alloc_resize(memory->key_at, (capacity + 1) * sizeof(uint32_t));
    memory->headers_at = alloc_resize(memory->headers_at, (capacity + 1) * sizeof(uint32_t));
    block->payload_at = alloc_resize(block->payload_at, (capacity + 1) * sizeof(uint32_t));
}

static bool
decompress(struct block_memory *memory, const struct block_extent *extent, struct bytes stored,
    unsigned char *to)
{
    switch (extent->codec) {
    case BLOCK_RAW:
        if (stored.length > 0)
            memcpy(to, stored.data, stored.length);
        return stored.length == extent->decoded;
    case BLOCK_LZ4:
        return LZ4_decompress_safe((const char *)stored.data, (char *)to, (int)stored.length,
                   (int)extent->decoded) == (int)extent->decoded;
    case BLOCK_ZSTD:
        if (memory->zstd == NULL)
            memory->zstd = ZSTD_createDCtx();
        return ZSTD_decompressDCtx(memory->zstd, to, extent->decoded, stored.data, stored.length) ==
               extent->decoded;
    }
    return false;
}

/* One lane run after the other until every event has its lane. */
static bool
read_lanes(struct block *block, struct bytes meta, size_t *at, const struct block_streams *streams)
{
    for (uint32_t done = 0; done < block->count;) {
        uint64_t count;
        uint64_t stream_id;
        uint64_t partition;
        if (!varint_get(meta, at, &count) || !varint_get(meta, at, &stream_id) ||
            !varint_get(meta, at, &partition) || count == 0 || count > block->count - done ||
            stream_id > UINT32_MAX || partition > UINT32_MAX)
            return false;
        const struct stream *stream = streams->lookup(streams->self, (uint32_t)stream_id);
        if (stream == NULL)
            return false;
        for (; count > 0; count--, done++) {
            block->events[done].stream = stream;
            block->events[done].partition = (int32_t)(uint32_t)partition;
            block->memory->stream_ids[done] = (uint32_t)stream_id;
        }
    }
    return true;
}

/* Read a column of lengths, which are stored plus `minus` where they are not 0, and add them up. */
static bool
read_lengths(struct block *block, struct bytes meta, size_t *at, uint32_t *lengths, uint64_t minus,
    uint64_t *sum)
{
    const uint64_t *numbers = block->memory->numbers;
    if (!column_get(meta, at, block->memory->numbers, block->count))
        return false;
    const uint32_t most = RECORD_MAX_BYTES;
    *sum = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        if (numbers[i] > most)
            return false;
        lengths[i] = (uint32_t)numbers[i];
        *sum += numbers[i] - (numbers[i] > 0 ? minus : 0);
    }
    return true;
}

static bool
read_places(struct block *block, const struct block_info *info, struct bytes meta, size_t *at)
{
    const uint64_t *numbers = block->memory->numbers;
    uint32_t count = block->count;
    struct event *events = block->events;
    if (!column_get(meta, at, block->memory->numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] < info->min_seq || numbers[i] > info->max_seq)
            return false;
        events[i].seq = numbers[i];
    }
    if (!column_get(meta, at, block->memory->numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        events[i].received_ns = (int64_t)numbers[i];
    if (!column_get(meta, at, block->memory->numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        events[i].time_ns = (int64_t)numbers[i];
    if (!column_get(meta, at, block->memory->numbers, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        events[i].offset = (int64_t)numbers[i];
    return true;
}

static bool
read_flags(struct block *block, struct bytes meta, size_t *at)
{
    const uint64_t *numbers = block->memory->numbers;
    if (!column_get(meta, at, block->memory->numbers, block->count))
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        struct event *event = &block->events[i];
        if (numbers[i] >= UINT64_C(1) << 24)
            return false;
        block->flags[i] = (uint32_t)numbers[i];
        unsigned time_type = block->flags[i] & RECORD_FLAG_TIME_MASK;
        event->time_type = time_type > TIME_APPEND ? TIME_NONE : (enum time_type)time_type;
        event->offset_is_synthetic = (block->flags[i] & RECORD_FLAG_SYNTHETIC) != 0;
    }
    return true;
}

static size_t
less_one(uint32_t length)
{
    return length > 0 ? length - 1 : 0;
}

static void
set_lengths(struct block *block)
{
    const struct block_memory *memory = block->memory;
    uint32_t key = 0;
    uint32_t headers = 0;
    uint32_t payload = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        struct event *event = &block->events[i];
        event->key = (struct bytes){NULL, less_one(memory->key_lengths[i])};
        event->headers = (struct bytes){NULL, memory->headers_lengths[i]};
        event->payload = (struct bytes){NULL, less_one(memory->payload_lengths[i])};
        memory->key_at[i] = key;
        memory->headers_at[i] = headers;
        block->payload_at[i] = payload;
        key += (uint32_t)event->key.length;
        headers += (uint32_t)event->headers.length;
        payload += (uint32_t)event->payload.length;
    }
    memory->key_at[block->count] = key;
    memory->headers_at[block->count] = headers;
    block->payload_at[block->count] = payload;
}

static bool
read_meta(struct block *block, const struct block_info *info, struct bytes meta,
    const struct block_streams *streams)
{
    struct block_memory *memory = block->memory;
    size_t at = 0;
    uint64_t keys;
    uint64_t headers;
    uint64_t payloads;
    block->count = info->event_count;
    block->keys = block->headers = block->payloads = BYTES_NULL;
    make_room(block, block->count);
    if (!read_lanes(block, meta, &at, streams) || !read_places(block, info, meta, &at) ||
        !read_lengths(block, meta, &at, memory->key_lengths, 1, &keys) ||
        !read_lengths(block, meta, &at, memory->headers_lengths, 0, &headers) ||
        !read_lengths(block, meta, &at, memory->payload_lengths, 1, &payloads) ||
        !read_flags(block, meta, &at) || at != meta.length)
        return false;
    if (keys != info->sections[BLOCK_KEY].decoded ||
        payloads != info->sections[BLOCK_PAY].decoded ||
        keys + headers + payloads + (uint64_t)block->count * RECORD_HEADER_BYTES !=
            info->record_bytes)
        return false;
    set_lengths(block);
    return true;
}

static void
set_keys(struct block *block, struct bytes keys)
{
    block->keys = keys;
    for (uint32_t i = 0; i < block->count; i++) {
        if (block->memory->key_lengths[i] != 0)
            block->events[i].key.data = keys.data + block->memory->key_at[i];
    }
}

static void
set_payloads(struct block *block, struct bytes payloads)
{
    block->payloads = payloads;
    for (uint32_t i = 0; i < block->count; i++) {
        if (block->memory->payload_lengths[i] != 0)
            block->events[i].payload.data = payloads.data + block->payload_at[i];
    }
}

static bool
set_headers(struct block *block, const struct block_info *info, struct bytes section)
{
    struct block_memory *memory = block->memory;
    struct header_reader *reader = memory->header_reader;
    memory->headers.length = 0;
    unsigned char *to = buffer_reserve(&memory->headers, info->record_bytes);
    if (!header_reader_begin(reader, section, block->count))
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        size_t length = memory->headers_lengths[i];
        if (!header_reader_next(reader, to, length))
            return false;
        block->events[i].headers.data = to;
        to += length;
    }
    block->headers = bytes_make(memory->headers.data, (size_t)(to - memory->headers.data));
    return header_reader_at_end(reader);
}

static bool
use_section(struct block *block, const struct block_info *info, enum block_section section,
    struct bytes decoded, const struct block_streams *streams)
{
    switch (section) {
    case BLOCK_META:
        return read_meta(block, info, decoded, streams);
    case BLOCK_KEY:
        set_keys(block, decoded);
        return true;
    case BLOCK_HDR:
        return set_headers(block, info, decoded);
    case BLOCK_PAY:
        set_payloads(block, decoded);
        return true;
    case BLOCK_SECTIONS:
        break;
    }
    return false;
}

static bool
damaged(struct block *block, enum block_section section, const char *why, struct error *err)
{
    block->owner = 0;
    block->loaded = 0;
    block->count = 0;
    return error_set(err, ERROR_DAMAGED, "section %s: %s", section_names[section], why);
}

bool
block_decode(struct block *block, const struct block_info *info, enum block_section section,
    struct bytes stored, const struct block_streams *streams, struct error *err)
{
    assert(section < BLOCK_SECTIONS);

    const struct block_extent *extent = &info->sections[section];
    struct block_memory *memory = block->memory;
    if (section != BLOCK_META && (block->loaded & BLOCK_BIT(BLOCK_META)) == 0)
        return damaged(block, section, "decoded before META", err);
    if (extent->decoded > BLOCK_SECTION_MAX || stored.length != extent->stored)
        return damaged(block, section, "is not all there", err);
    if (crc32c(0, stored.data, stored.length) != extent->checksum)
        return damaged(block, section, "the checksum differs", err);

    struct buffer *buffer = &memory->sections[section];
    buffer->length = 0;
    /* One byte more, so that an empty section has an address too. */
    unsigned char *to = buffer_reserve(buffer, (size_t)extent->decoded + 1);
    if (!decompress(memory, extent, stored, to))
        return damaged(block, section, "cannot be decompressed", err);
    buffer->length = extent->decoded;
    if (!use_section(block, info, section, bytes_make(to, extent->decoded), streams))
        return damaged(block, section, "its content contradicts itself", err);
    block->loaded = section == BLOCK_META ? BLOCK_BIT(section) : block->loaded | BLOCK_BIT(section);
    return true;
}

void
block_record(const struct block *block, uint32_t i, struct record *record)
{
    const struct event *event = &block->events[i];
    *record = (struct record){
        .type = RECORD_EVENT,
        .time_ns = event->time_ns,
        .received_ns = event->received_ns,
        .position = (uint64_t)event->offset,
        .stream_id = block->memory->stream_ids[i],
        .partition = (uint32_t)event->partition,
        .flags = block->flags[i],
        .key = event->key,
        .headers = event->headers,
        .payload = event->payload,
    };
}

/* Where event number `i` begins in the section's bytes; `i` may be the count. */
static uint32_t
place_of(const struct block *block, enum block_section section, uint32_t i)
{
    switch (section) {
    case BLOCK_KEY:
        return block->memory->key_at[i];
    case BLOCK_HDR:
        return block->memory->headers_at[i];
    default:
        return block->payload_at[i];
    }
}

/* The last event that begins at or before `place`: the one that holds it, since empty ones in front of
 * it begin there too. */
static uint32_t
event_at(const struct block *block, enum block_section section, size_t place)
{
    uint32_t low = 0;
    uint32_t high = block->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (place_of(block, section, middle) <= place)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

uint32_t
block_event_of_payload(const struct block *block, size_t place)
{
    return event_at(block, BLOCK_PAY, place);
}

uint32_t
block_find(
    const struct block *block, enum block_section section, struct bytes wanted, uint32_t from)
{
    assert(section != BLOCK_META && (block->loaded & BLOCK_BIT(section)) != 0);
    assert(wanted.length > 0);

    struct bytes all = section == BLOCK_KEY   ? block->keys
                       : section == BLOCK_HDR ? block->headers
                                              : block->payloads;
    while (from < block->count) {
        const unsigned char *start = all.data + place_of(block, section, from);
        const unsigned char *hit =
            memmem(start, (size_t)(all.data + all.length - start), wanted.data, wanted.length);
        if (hit == NULL)
            return block->count;
        size_t place = (size_t)(hit - all.data);
        from = event_at(block, section, place);
        if (place + wanted.length <= place_of(block, section, from + 1))
            return from;
        /* It reaches into the next event, and none begins before it in this one. */
        from++;
    }
    return block->count;
}
