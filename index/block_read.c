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
    for (size_t i = 0; i < COLUMN_COUNT - STEP_COLUMNS; i++)
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
    free(memory);
    free(block->seqs);
    free(block->received_ns);
    free(block->times_ns);
    free(block->offsets);
    free(block->flags);
    free(block->key_at);
    free(block->headers_at);
    free(block->payload_at);
    free(block->lanes);
    free(block);
}

size_t
block_memory_bytes(const struct block *block)
{
    const struct block_memory *memory = block->memory;
    size_t each = 4 * sizeof(*block->seqs) + 4 * sizeof(*block->flags);
    size_t bytes = memory->headers.capacity + memory->capacity * each +
                   memory->lane_capacity * sizeof(*block->lanes);
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        bytes += memory->sections[i].capacity;
    return bytes;
}

/* Memory for `bytes` in a buffer whose content goes. Blocks are of about the same size: twice what one needs,
 * as buffers grow that are appended to, would never be used. */
static unsigned char *
room_in(struct buffer *buffer, size_t bytes)
{
    if (bytes > buffer->capacity) {
        buffer_done(buffer);
        buffer_reserve_total(buffer, bytes + bytes / 8);
    }
    buffer->length = 0;
    return buffer->data;
}

static void
make_room_for_columns(struct block_scratch *scratch, size_t count)
{
    if (count <= scratch->capacity)
        return;
    scratch->capacity = count + count / 4;
    for (size_t i = 0; i < COLUMN_COUNT - STEP_COLUMNS; i++)
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
    size_t numbers = memory->capacity * sizeof(uint64_t);
    size_t places = (memory->capacity + 1) * sizeof(uint32_t);
    block->seqs = alloc_resize(block->seqs, numbers);
    block->received_ns = alloc_resize(block->received_ns, numbers);
    block->times_ns = alloc_resize(block->times_ns, numbers);
    block->offsets = alloc_resize(block->offsets, numbers);
    block->flags = alloc_resize(block->flags, places);
    block->key_at = alloc_resize(block->key_at, places);
    block->headers_at = alloc_resize(block->headers_at, places);
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

/* One lane run, behind those that are there. */
static bool
read_run(struct block *block, struct bytes meta, size_t *at, const struct block_streams *streams)
{
    uint32_t done = block->lane_count == 0 ? 0 : block->lanes[block->lane_count - 1].end;
    uint64_t run[3];
    for (size_t i = 0; i < 3; i++)
        if (!varint_get(meta, at, &run[i]))
            return false;
    if (run[0] == 0 || run[0] > block->count - done || run[1] > UINT32_MAX || run[2] > UINT32_MAX)
        return false;
    struct block_lane lane = {
        .end = done + (uint32_t)run[0],
        .stream_id = (uint32_t)run[1],
        .partition = (int32_t)(uint32_t)run[2],
        .stream = streams->lookup(streams->self, (uint32_t)run[1]),
    };
    block->lanes = alloc_grow(
        block->lanes, block->lane_count, &block->memory->lane_capacity, sizeof(*block->lanes));
    block->lanes[block->lane_count++] = lane;
    return lane.stream != NULL;
}

/* Until every event has its lane. */
static bool
read_runs(struct block *block, struct bytes meta, size_t *at, const struct block_streams *streams)
{
    block->lane_count = 0;
    do {
        if (!read_run(block, meta, at, streams))
            return false;
    } while (block->lanes[block->lane_count - 1].end < block->count);
    return true;
}

/* Those that readers look at as they are lie in the block. */
static uint64_t *
column(const struct block *block, enum block_column which)
{
    switch (which) {
    case COLUMN_SEQ:
        return block->seqs;
    case COLUMN_RECEIVED:
        return (uint64_t *)block->received_ns;
    case COLUMN_TIME:
        return (uint64_t *)block->times_ns;
    case COLUMN_OFFSET:
        return (uint64_t *)block->offsets;
    default:
        return block->memory->scratch->columns[which - STEP_COLUMNS];
    }
}

static bool
read_columns(struct block *block, struct bytes meta, size_t *at)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        if (!column_get(meta, at, column(block, (enum block_column)i), block->count))
            return false;
    return true;
}

/* Are the numbers such as a writer puts there? Sums are those of the bytes, not of the column. */
static bool
check_columns(const struct block *block, const struct block_info *info)
{
    const uint64_t *key_lengths = column(block, COLUMN_KEY_LENGTH);
    const uint64_t *headers_lengths = column(block, COLUMN_HEADERS_LENGTH);
    const uint64_t *payload_lengths = column(block, COLUMN_PAYLOAD_LENGTH);
    const uint64_t *flags = column(block, COLUMN_FLAGS);
    uint64_t keys = 0;
    uint64_t headers = 0;
    uint64_t payloads = 0;
    bool is_wrong = false;
    for (uint32_t i = 0; i < block->count; i++) {
        uint64_t key = key_lengths[i];
        uint64_t header = headers_lengths[i];
        uint64_t payload = payload_lengths[i];
        is_wrong |= block->seqs[i] < info->min_seq || block->seqs[i] > info->max_seq;
        is_wrong |= key > RECORD_MAX_BYTES || header > RECORD_MAX_BYTES ||
                    payload > RECORD_MAX_BYTES || flags[i] >= BLOCK_FLAG_NULL_KEY;
        keys += key - (key > 0);
        headers += header;
        payloads += payload - (payload > 0);
    }
    return !is_wrong && keys == info->sections[BLOCK_KEY].decoded &&
           payloads == info->sections[BLOCK_PAY].decoded &&
           keys + headers + payloads + (uint64_t)block->count * RECORD_HEADER_BYTES ==
               info->record_bytes;
}

/* From the lengths, of which some tell null from empty, to places and flags. */
static void
place_bytes(struct block *block)
{
    const uint64_t *keys = column(block, COLUMN_KEY_LENGTH);
    const uint64_t *headers = column(block, COLUMN_HEADERS_LENGTH);
    const uint64_t *payloads = column(block, COLUMN_PAYLOAD_LENGTH);
    const uint64_t *flags = column(block, COLUMN_FLAGS);
    uint32_t key_at = 0;
    uint32_t headers_at = 0;
    uint32_t payload_at = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        block->key_at[i] = key_at;
        block->headers_at[i] = headers_at;
        block->payload_at[i] = payload_at;
        block->flags[i] = (uint32_t)flags[i] | (keys[i] == 0 ? BLOCK_FLAG_NULL_KEY : 0) |
                          (payloads[i] == 0 ? BLOCK_FLAG_NULL_PAYLOAD : 0);
        key_at += (uint32_t)(keys[i] - (keys[i] > 0));
        headers_at += (uint32_t)headers[i];
        payload_at += (uint32_t)(payloads[i] - (payloads[i] > 0));
    }
    block->key_at[block->count] = key_at;
    block->headers_at[block->count] = headers_at;
    block->payload_at[block->count] = payload_at;
}

static bool
read_meta(struct block *block, const struct block_info *info, struct bytes meta,
    const struct block_streams *streams)
{
    size_t at = 0;
    block->count = info->event_count;
    block->keys = block->headers = block->payloads = BYTES_NULL;
    make_room(block, block->count);
    if (!read_runs(block, meta, &at, streams) || !read_columns(block, meta, &at) ||
        at != meta.length || !check_columns(block, info))
        return false;
    place_bytes(block);
    return true;
}

static bool
set_headers(struct block *block, struct bytes section)
{
    struct block_memory *memory = block->memory;
    struct header_reader *reader = memory->scratch->header_reader;
    unsigned char *to = room_in(&memory->headers, (size_t)block->headers_at[block->count] + 1);
    if (!header_reader_begin(reader, section, block->count))
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        uint32_t at = block->headers_at[i];
        if (!header_reader_next(reader, to + at, block->headers_at[i + 1] - at))
            return false;
    }
    block->headers = bytes_make(to, block->headers_at[block->count]);
    return header_reader_at_end(reader);
}

static bool
set_headers_of(struct block *block, const struct bytes section, uint32_t i, struct bytes *headers)
{
    struct block_memory *memory = block->memory;
    struct header_reader *reader = memory->scratch->header_reader;
    size_t length = block->headers_at[i + 1] - block->headers_at[i];
    unsigned char *to = room_in(&memory->headers, length + 1);
    if (!header_reader_begin(reader, section, block->count))
        return false;
    for (uint32_t k = 0; k < i; k++) {
        if (!header_reader_skip(reader, block->headers_at[k + 1] - block->headers_at[k]))
            return false;
    }
    *headers = bytes_make(to, length);
    return header_reader_next(reader, to, length);
}

static bool
use_section(struct block *block, const struct block_info *info, enum block_section section,
    struct bytes decoded, const struct block_streams *streams)
{
    switch (section) {
    case BLOCK_META:
        return read_meta(block, info, decoded, streams);
    case BLOCK_KEY:
        block->keys = decoded;
        return true;
    case BLOCK_HDR:
        return set_headers(block, decoded);
    case BLOCK_PAY:
        block->payloads = decoded;
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
    /* One byte more, so that an empty section has an address too. */
    unsigned char *to = room_in(buffer, (size_t)extent->decoded + 1);
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

bool
block_load_headers_of(struct block *block, uint32_t i, struct bytes *headers, struct error *err)
{
    assert((block->unpacked & BLOCK_BIT(BLOCK_HDR)) != 0 && i < block->count);
    assert((block->loaded & BLOCK_BIT(BLOCK_HDR)) == 0);

    const struct buffer *buffer = &block->memory->sections[BLOCK_HDR];
    struct bytes section = bytes_make(buffer->data, buffer->length);
    return set_headers_of(block, section, i, headers) ||
           damaged(block, BLOCK_HDR, "its content contradicts itself", err);
}
