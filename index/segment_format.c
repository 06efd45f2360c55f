#include "index/segment_format.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/hole.h"
#include "index/lanes.h"

#define MAGIC_BYTES 8
#define MAGIC_STEM  7 /* the last byte is the version */

static const unsigned char header_magic[MAGIC_BYTES] = {'T', 'D', 'S', 'E', 'G', 0, 0, 1};
static const unsigned char trailer_magic[MAGIC_BYTES] = {'T', 'D', 'S', 'E', 'G', 'E', 'N', 'D'};

enum {
    HEADER_LENGTH = 8,
    HEADER_INCOMPATIBLE = 12,
    HEADER_UUID = 20,
    HEADER_ID = 40,
    HEADER_FIRST_SEQ = 48,
    HEADER_CHECKSUM = 60,
};

enum {
    TRAILER_VERSION = 8,
    TRAILER_INCOMPATIBLE = 12,
    TRAILER_BLOCKS = 20,
    TRAILER_EVENTS = 24,
    TRAILER_FIRST_SEQ = 32,
    TRAILER_END_SEQ = 40,
    TRAILER_MIN_TIME = 48,
    TRAILER_MAX_TIME = 56,
    TRAILER_MIN_RECEIVED = 64,
    TRAILER_MAX_RECEIVED = 72,
    TRAILER_RECORD_BYTES = 80,
    TRAILER_CREATED = 88,
    TRAILER_TABLE = 96,
    TRAILER_TABLE_BYTES = 104,
    TRAILER_TABLE_CHECKSUM = 108,
    TRAILER_FILE_BYTES = 112,
    TRAILER_CHECKSUM = 124,
};

enum {
    ROW_TYPE = 0,
    ROW_CODEC = 2,
    ROW_FLAGS = 3,
    ROW_CHECKSUM = 4,
    ROW_AT = 8,
    ROW_STORED = 16,
    ROW_DECODED = 24,
};

enum {
    LANE_STREAM = 0,
    LANE_PARTITION = 4,
    LANE_EVENTS = 8,
    LANE_BYTES = 16,
    LANE_FIRST_OFFSET = 24,
    LANE_LAST_OFFSET = 32,
    LANE_FIRST = 40,
    LANE_LAST = 48,
    LANE_FIRST_RECEIVED = 56,
    LANE_LAST_RECEIVED = 64,
    LANE_HOLES_NOT_KEPT = 72,
    LANE_FLAGS = 80,
    LANE_FIRST_BLOCK = 84,
};

#define LANE_FLAG_SYNTHETIC 1u

enum {
    HOLE_STREAM = 0,
    HOLE_PARTITION = 4,
    HOLE_FROM = 8,
    HOLE_TO = 16,
    HOLE_NOTICED = 24,
    HOLE_REASON = 32,
};

static void
put_i64(unsigned char *to, int64_t value)
{
    store_u64(to, (uint64_t)value);
}

static int64_t
get_i64(const unsigned char *from)
{
    return (int64_t)load_u64(from);
}

void
segment_header_put(const struct segment_header *header, unsigned char to[SEGMENT_HEADER_BYTES])
{
    memset(to, 0, SEGMENT_HEADER_BYTES);
    memcpy(to, header_magic, MAGIC_BYTES);
    store_u16(to + HEADER_LENGTH, SEGMENT_HEADER_BYTES);
    memcpy(to + HEADER_UUID, header->uuid, BLOOM_UUID_BYTES);
    store_u64(to + HEADER_ID, header->id);
    store_u64(to + HEADER_FIRST_SEQ, header->first_seq);
    store_u32(to + HEADER_CHECKSUM, crc32c(0, to, HEADER_CHECKSUM));
}

static bool
refuse_version(unsigned version, struct error *err)
{
    return error_set(err, ERROR_NEWER,
        "is of format version %u, this tapedeck knows %u; read it with the tapedeck that wrote it, "
        "or a newer one",
        version, SEGMENT_VERSION);
}

static bool
refuse_flags(uint32_t flags, struct error *err)
{
    return error_set(err, ERROR_NEWER,
        "uses features (%#x) that this tapedeck does not know; read it with a newer one", flags);
}

bool
segment_header_get(const unsigned char from[SEGMENT_HEADER_BYTES], struct segment_header *header,
    struct error *err)
{
    if (memcmp(from, header_magic, MAGIC_STEM) != 0)
        return error_set(err, ERROR_DAMAGED, "does not begin as a segment does");
    if (load_u32(from + HEADER_CHECKSUM) != crc32c(0, from, HEADER_CHECKSUM))
        return error_set(err, ERROR_DAMAGED, "the checksum of its header differs");
    if (from[MAGIC_STEM] != SEGMENT_VERSION)
        return refuse_version(from[MAGIC_STEM], err);
    if (load_u32(from + HEADER_INCOMPATIBLE) != 0)
        return refuse_flags(load_u32(from + HEADER_INCOMPATIBLE), err);
    memcpy(header->uuid, from + HEADER_UUID, BLOOM_UUID_BYTES);
    header->id = load_u64(from + HEADER_ID);
    header->first_seq = load_u64(from + HEADER_FIRST_SEQ);
    return true;
}

void
segment_trailer_put(const struct segment_trailer *trailer, unsigned char to[SEGMENT_TRAILER_BYTES])
{
    memset(to, 0, SEGMENT_TRAILER_BYTES);
    memcpy(to, trailer_magic, MAGIC_BYTES);
    store_u32(to + TRAILER_VERSION, SEGMENT_VERSION);
    store_u32(to + TRAILER_BLOCKS, trailer->block_count);
    store_u64(to + TRAILER_EVENTS, trailer->event_count);
    store_u64(to + TRAILER_FIRST_SEQ, trailer->first_seq);
    store_u64(to + TRAILER_END_SEQ, trailer->end_seq);
    put_i64(to + TRAILER_MIN_TIME, trailer->min_time_ns);
    put_i64(to + TRAILER_MAX_TIME, trailer->max_time_ns);
    put_i64(to + TRAILER_MIN_RECEIVED, trailer->min_received_ns);
    put_i64(to + TRAILER_MAX_RECEIVED, trailer->max_received_ns);
    store_u64(to + TRAILER_RECORD_BYTES, trailer->record_bytes);
    put_i64(to + TRAILER_CREATED, trailer->created_ns);
    store_u64(to + TRAILER_TABLE, trailer->table_at);
    store_u32(to + TRAILER_TABLE_BYTES, trailer->table_bytes);
    store_u32(to + TRAILER_TABLE_CHECKSUM, trailer->table_checksum);
    store_u64(to + TRAILER_FILE_BYTES, trailer->file_bytes);
    store_u32(to + TRAILER_CHECKSUM, crc32c(0, to, TRAILER_CHECKSUM));
}

bool
segment_trailer_get(const unsigned char from[SEGMENT_TRAILER_BYTES],
    struct segment_trailer *trailer, struct error *err)
{
    if (memcmp(from, trailer_magic, MAGIC_BYTES) != 0)
        return error_set(
            err, ERROR_DAMAGED, "does not end as a segment does; it was cut or overwritten");
    if (load_u32(from + TRAILER_CHECKSUM) != crc32c(0, from, TRAILER_CHECKSUM))
        return error_set(err, ERROR_DAMAGED, "the checksum of its trailer differs");
    if (load_u32(from + TRAILER_VERSION) != SEGMENT_VERSION)
        return refuse_version(load_u32(from + TRAILER_VERSION), err);
    if (load_u32(from + TRAILER_INCOMPATIBLE) != 0)
        return refuse_flags(load_u32(from + TRAILER_INCOMPATIBLE), err);
    trailer->block_count = load_u32(from + TRAILER_BLOCKS);
    trailer->event_count = load_u64(from + TRAILER_EVENTS);
    trailer->first_seq = load_u64(from + TRAILER_FIRST_SEQ);
    trailer->end_seq = load_u64(from + TRAILER_END_SEQ);
    trailer->min_time_ns = get_i64(from + TRAILER_MIN_TIME);
    trailer->max_time_ns = get_i64(from + TRAILER_MAX_TIME);
    trailer->min_received_ns = get_i64(from + TRAILER_MIN_RECEIVED);
    trailer->max_received_ns = get_i64(from + TRAILER_MAX_RECEIVED);
    trailer->record_bytes = load_u64(from + TRAILER_RECORD_BYTES);
    trailer->created_ns = get_i64(from + TRAILER_CREATED);
    trailer->table_at = load_u64(from + TRAILER_TABLE);
    trailer->table_bytes = load_u32(from + TRAILER_TABLE_BYTES);
    trailer->table_checksum = load_u32(from + TRAILER_TABLE_CHECKSUM);
    trailer->file_bytes = load_u64(from + TRAILER_FILE_BYTES);
    return true;
}

void
section_row_put(const struct section_row *row, unsigned char to[SECTION_ROW_BYTES])
{
    store_u16(to + ROW_TYPE, row->type);
    to[ROW_CODEC] = row->codec;
    to[ROW_FLAGS] = row->flags;
    store_u32(to + ROW_CHECKSUM, row->checksum);
    store_u64(to + ROW_AT, row->at);
    store_u64(to + ROW_STORED, row->stored);
    store_u64(to + ROW_DECODED, row->decoded);
}

void
section_row_get(const unsigned char from[SECTION_ROW_BYTES], struct section_row *row)
{
    row->type = load_u16(from + ROW_TYPE);
    row->codec = from[ROW_CODEC];
    row->flags = from[ROW_FLAGS];
    row->checksum = load_u32(from + ROW_CHECKSUM);
    row->at = load_u64(from + ROW_AT);
    row->stored = load_u64(from + ROW_STORED);
    row->decoded = load_u64(from + ROW_DECODED);
}

void
lane_row_put(const struct lane *lane, uint32_t first_block, unsigned char to[LANE_ROW_BYTES])
{
    memset(to, 0, LANE_ROW_BYTES);
    store_u32(to + LANE_STREAM, lane->stream_id);
    store_u32(to + LANE_PARTITION, (uint32_t)lane->partition);
    store_u64(to + LANE_EVENTS, lane->events);
    store_u64(to + LANE_BYTES, lane->bytes);
    put_i64(to + LANE_FIRST_OFFSET, lane->first_offset);
    put_i64(to + LANE_LAST_OFFSET, lane->last_offset);
    put_i64(to + LANE_FIRST, lane->first_ns);
    put_i64(to + LANE_LAST, lane->last_ns);
    put_i64(to + LANE_FIRST_RECEIVED, lane->first_received_ns);
    put_i64(to + LANE_LAST_RECEIVED, lane->last_received_ns);
    store_u64(to + LANE_HOLES_NOT_KEPT, lane->holes_not_kept);
    store_u32(to + LANE_FLAGS, lane->offsets_are_synthetic ? LANE_FLAG_SYNTHETIC : 0);
    store_u32(to + LANE_FIRST_BLOCK, first_block);
}

void
lane_row_get(const unsigned char from[LANE_ROW_BYTES], struct lane *lane)
{
    *lane = (struct lane){
        .stream_id = load_u32(from + LANE_STREAM),
        .partition = (int32_t)load_u32(from + LANE_PARTITION),
        .events = load_u64(from + LANE_EVENTS),
        .bytes = load_u64(from + LANE_BYTES),
        .first_offset = get_i64(from + LANE_FIRST_OFFSET),
        .last_offset = get_i64(from + LANE_LAST_OFFSET),
        .first_ns = get_i64(from + LANE_FIRST),
        .last_ns = get_i64(from + LANE_LAST),
        .first_received_ns = get_i64(from + LANE_FIRST_RECEIVED),
        .last_received_ns = get_i64(from + LANE_LAST_RECEIVED),
        .offsets_are_synthetic = (load_u32(from + LANE_FLAGS) & LANE_FLAG_SYNTHETIC) != 0,
        .holes_not_kept = load_u64(from + LANE_HOLES_NOT_KEPT),
    };
}

void
hole_row_put(const struct hole *hole, unsigned char to[HOLE_ROW_BYTES])
{
    memset(to, 0, HOLE_ROW_BYTES);
    store_u32(to + HOLE_STREAM, hole->stream_id);
    store_u32(to + HOLE_PARTITION, (uint32_t)hole->partition);
    put_i64(to + HOLE_FROM, hole->from);
    put_i64(to + HOLE_TO, hole->to);
    put_i64(to + HOLE_NOTICED, hole->noticed_ns);
    store_u32(to + HOLE_REASON, (uint32_t)hole->reason);
}

void
hole_row_get(const unsigned char from[HOLE_ROW_BYTES], struct hole *hole)
{
    uint32_t reason = load_u32(from + HOLE_REASON);
    *hole = (struct hole){
        .stream_id = load_u32(from + HOLE_STREAM),
        .partition = (int32_t)load_u32(from + HOLE_PARTITION),
        .from = get_i64(from + HOLE_FROM),
        .to = get_i64(from + HOLE_TO),
        .reason = reason >= HOLE_REASON_COUNT ? HOLE_UNKNOWN : (enum hole_reason)reason,
        .noticed_ns = get_i64(from + HOLE_NOTICED),
    };
}
