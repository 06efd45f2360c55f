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
#include "index/block_internal.h"
#include "index/column.h"
#include "index/event.h"
#include "index/header_shape.h"

static const char *const section_names[BLOCK_SECTIONS] = {"META", "KEY", "HDR", "PAY"};

struct block_scratch *
block_scratch_new(void)
{
    struct block_scratch *scratch = alloc_zeroed(sizeof(*scratch));
    scratch->header_reader = header_reader_new();
    return scratch;
}

void
block_scratch_free(struct block_scratch *scratch)
{
    if (scratch == NULL)
        return;
    (void)ZSTD_freeDCtx(scratch->zstd);
    header_reader_free(scratch->header_reader);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        free(scratch->columns[i]);
    free(scratch);
}

struct block *
block_new_sharing(struct block_scratch *scratch)
{
    struct block *block = alloc_zeroed(sizeof(*block));
    block->memory = alloc_zeroed(sizeof(*block->memory));
    block->memory->scratch = scratch;
    return block;
}

struct block *
block_new(void)
{
    struct block_scratch *scratch = block_scratch_new();
    struct block *block = block_new_sharing(scratch);
    block->memory->own_scratch = scratch;
    return block;
}

void
block_free(struct block *block)
{
    if (block == NULL)
        return;
    struct block_memory *memory = block->memory;
    block_scratch_free(memory->own_scratch);
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        buffer_done(&memory->sections[i]);
    buffer_done(&memory->headers);
    free(memory->key_lengths);
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

size_t
block_memory_bytes(const struct block *block)
{
    const struct block_memory *memory = block->memory;
    size_t each = sizeof(*block->events) + sizeof(*block->flags) + 6 * sizeof(uint32_t);
    size_t bytes = memory->headers.capacity + memory->capacity * each;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        bytes += memory->sections[i].capacity;
    return bytes;
}

static void
make_room_for_columns(struct block_scratch *scratch, size_t count)
{
    if (count <= scratch->capacity)
        return;
    scratch->capacity = count + count / 4;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        scratch->columns[i] =
            alloc_resize(scratch->columns[i], scratch->capacity * sizeof(*scratch->columns[i]));
}

static void
make_room(struct block *block, size_t count)
{
    struct block_memory *memory = block->memory;
    make_room_for_columns(memory->scratch, count);
    if (count <= memory->capacity)
        return;
    memory->capacity = count + count / 4;
    size_t capacity = memory->capacity;
    size_t places = (capacity + 1) * sizeof(uint32_t);
    memory->key_lengths =
        alloc_resize(memory->key_lengths, capacity * sizeof(*memory->key_lengths));
    memory->payload_lengths =
        alloc_resize(memory->payload_lengths, capacity * sizeof(*memory->payload_lengths));
    memory->stream_ids = alloc_resize(memory->stream_ids, capacity * sizeof(*memory->stream_ids));
    block->events = alloc_resize(block->events, capacity * sizeof(*block->events));
    block->flags = alloc_resize(block->flags, capacity * sizeof(*block->flags));
    memory->key_at = alloc_resize(memory->key_at, places);
    memory->headers_at = alloc_resize(memory->headers_at, places);
    block->payload_at = alloc_resize(block->payload_at, places);
}

static bool
decompress(struct block_scratch *scratch, const struct block_extent *extent, struct bytes stored,
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
        if (scratch->zstd == NULL)
            scratch->zstd = ZSTD_createDCtx();
        return ZSTD_decompressDCtx(scratch->zstd, to, extent->decoded, stored.data,
                   stored.length) == extent->decoded;
    }
    return false;
}

/* One lane run, which begins at event `done`. */
static bool
read_run(const struct block *block, struct bytes meta, size_t *at, uint32_t done, uint32_t *count,
    uint32_t *stream_id, int32_t *partition)
{
    uint64_t run[3];
    for (size_t i = 0; i < 3; i++)
        if (!varint_get(meta, at, &run[i]))
            return false;
    if (run[0] == 0 || run[0] > block->count - done || run[1] > UINT32_MAX || run[2] > UINT32_MAX)
        return false;
    *count = (uint32_t)run[0];
    *stream_id = (uint32_t)run[1];
    *partition = (int32_t)(uint32_t)run[2];
    return true;
}

/* Past the lane runs, until every event has its lane. */
static bool
skip_runs(const struct block *block, struct bytes meta, size_t *at)
{
    uint32_t count;
    uint32_t stream_id;
    int32_t partition;
    for (uint32_t done = 0; done < block->count; done += count)
        if (!read_run(block, meta, at, done, &count, &stream_id, &partition))
            return false;
    return true;
}

static bool
read_columns(struct block *block, struct bytes meta, size_t *at)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (!column_get(meta, at, block->memory->scratch->columns[i], block->count))
            return false;
    return true;
}

/* Are the numbers such as a writer puts there? Sums are those of the bytes, not of the column. */
static bool
check_columns(const struct block *block, const struct block_info *info)
{
    uint64_t *const *columns = block->memory->scratch->columns;
    uint64_t keys = 0;
    uint64_t headers = 0;
    uint64_t payloads = 0;
    bool is_wrong = false;
    for (uint32_t i = 0; i < block->count; i++) {
        uint64_t seq = columns[COLUMN_SEQ][i];
        uint64_t key = columns[COLUMN_KEY_LENGTH][i];
        uint64_t header = columns[COLUMN_HEADERS_LENGTH][i];
        uint64_t payload = columns[COLUMN_PAYLOAD_LENGTH][i];
        is_wrong |= seq < info->min_seq || seq > info->max_seq;
        is_wrong |= key > RECORD_MAX_BYTES || header > RECORD_MAX_BYTES ||
                    payload > RECORD_MAX_BYTES || columns[COLUMN_FLAGS][i] >= UINT64_C(1) << 24;
        keys += key - (key > 0);
        headers += header;
        payloads += payload - (payload > 0);
    }
    return !is_wrong && keys == info->sections[BLOCK_KEY].decoded &&
           payloads == info->sections[BLOCK_PAY].decoded &&
           keys + headers + payloads + (uint64_t)block->count * RECORD_HEADER_BYTES ==
               info->record_bytes;
}

/* Where the bytes of event `i`, which are `length` long, begin, and those of the next one. */
static struct bytes
put_place(uint32_t *places, uint32_t i, uint64_t length)
{
    places[i + 1] = places[i] + (uint32_t)length;
    return (struct bytes){NULL, (size_t)length};
}

static void
fill_event(struct block *block, uint32_t i, const struct stream *stream, int32_t partition)
{
    struct block_memory *memory = block->memory;
    uint64_t *const *columns = memory->scratch->columns;
    uint64_t key = columns[COLUMN_KEY_LENGTH][i];
    uint64_t payload = columns[COLUMN_PAYLOAD_LENGTH][i];
    uint32_t flags = (uint32_t)columns[COLUMN_FLAGS][i];
    unsigned time_type = flags & RECORD_FLAG_TIME_MASK;
    memory->key_lengths[i] = (uint32_t)key;
    memory->payload_lengths[i] = (uint32_t)payload;
    block->flags[i] = flags;
    block->events[i] = (struct event){
        .seq = columns[COLUMN_SEQ][i],
        .received_ns = (int64_t)columns[COLUMN_RECEIVED][i],
        .time_ns = (int64_t)columns[COLUMN_TIME][i],
        .offset = (int64_t)columns[COLUMN_OFFSET][i],
        .stream = stream,
        .partition = partition,
        .time_type = time_type > TIME_APPEND ? TIME_NONE : (enum time_type)time_type,
        .offset_is_synthetic = (flags & RECORD_FLAG_SYNTHETIC) != 0,
        .key = put_place(memory->key_at, i, key - (key > 0)),
        .headers = put_place(memory->headers_at, i, columns[COLUMN_HEADERS_LENGTH][i]),
        .payload = put_place(block->payload_at, i, payload - (payload > 0)),
    };
}

/* In one pass: events are large, and each is touched once. */
static bool
fill_events(struct block *block, struct bytes meta, const struct block_streams *streams)
{
    size_t at = 0;
    uint32_t count;
    block->memory->key_at[0] = block->memory->headers_at[0] = block->payload_at[0] = 0;
    for (uint32_t done = 0; done < block->count; done += count) {
        uint32_t stream_id;
        int32_t partition;
        if (!read_run(block, meta, &at, done, &count, &stream_id, &partition))
            return false;
        const struct stream *stream = streams->lookup(streams->self, stream_id);
        if (stream == NULL)
            return false;
        for (uint32_t i = done; i < done + count; i++) {
            block->memory->stream_ids[i] = stream_id;
            fill_event(block, i, stream, partition);
        }
    }
    return true;
}

static bool
read_meta(struct block *block, const struct block_info *info, struct bytes meta,
    const struct block_streams *streams)
{
    size_t at = 0;
    block->count = info->event_count;
    block->keys = block->headers = block->payloads = BYTES_NULL;
    make_room(block, block->count);
    return skip_runs(block, meta, &at) && read_columns(block, meta, &at) && at == meta.length &&
           check_columns(block, info) && fill_events(block, meta, streams);
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
    struct header_reader *reader = memory->scratch->header_reader;
    memory->headers.length = 0;
    unsigned char *to = buffer_reserve(&memory->headers, info->record_bytes);
    if (!header_reader_begin(reader, section, block->count))
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        size_t length = block->events[i].headers.length;
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
    block_clear(block);
    return error_set(err, ERROR_DAMAGED, "section %s: %s", section_names[section], why);
}

void
block_clear(struct block *block)
{
    block->owner = 0;
    block->unpacked = 0;
    block->loaded = 0;
    block->count = 0;
}

bool
block_unpack(struct block *block, const struct block_info *info, enum block_section section,
    struct bytes stored, struct error *err)
{
    assert(section < BLOCK_SECTIONS);

    const struct block_extent *extent = &info->sections[section];
    struct block_memory *memory = block->memory;
    if (extent->decoded > BLOCK_SECTION_MAX || stored.length != extent->stored)
        return damaged(block, section, "is not all there", err);
    if (crc32c(0, stored.data, stored.length) != extent->checksum)
        return damaged(block, section, "the checksum differs", err);

    struct buffer *buffer = &memory->sections[section];
    buffer->length = 0;
    /* One byte more, so that an empty section has an address too. */
    unsigned char *to = buffer_reserve(buffer, (size_t)extent->decoded + 1);
    if (!decompress(memory->scratch, extent, stored, to))
        return damaged(block, section, "cannot be decompressed", err);
    buffer->length = extent->decoded;
    block->unpacked |= BLOCK_BIT(section);
    return true;
}

bool
block_load(struct block *block, const struct block_info *info, enum block_section section,
    const struct block_streams *streams, struct error *err)
{
    assert((block->unpacked & BLOCK_BIT(section)) != 0);

    const struct buffer *buffer = &block->memory->sections[section];
    if (section != BLOCK_META && (block->loaded & BLOCK_BIT(BLOCK_META)) == 0)
        return damaged(block, section, "decoded before META", err);
    if (!use_section(block, info, section, bytes_make(buffer->data, buffer->length), streams))
        return damaged(block, section, "its content contradicts itself", err);
    block->loaded = section == BLOCK_META ? BLOCK_BIT(section) : block->loaded | BLOCK_BIT(section);
    return true;
}

bool
block_decode(struct block *block, const struct block_info *info, enum block_section section,
    struct bytes stored, const struct block_streams *streams, struct error *err)
{
    return block_unpack(block, info, section, stored, err) &&
           block_load(block, info, section, streams, err);
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
