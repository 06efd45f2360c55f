#include "index/block.h"

#include <string.h>

#include "base/crc32c.h"

#define BLOCK_MAGIC UINT32_C(0x4b424454) /* "TDBK" */

/* docs/FORMAT.md, "Block header". */
enum {
    AT_MAGIC = 0,
    AT_LENGTH = 4,
    AT_EVENTS = 8,
    AT_RECORD_BYTES = 12,
    AT_PLACE = 16,
    AT_MIN_SEQ = 24,
    AT_MAX_SEQ = 32,
    AT_MIN_TIME = 40,
    AT_MAX_TIME = 48,
    AT_MIN_RECEIVED = 56,
    AT_MAX_RECEIVED = 64,
    AT_FIRST_STREAM = 72,
    AT_FIRST_PARTITION = 76,
    AT_LAST_STREAM = 80,
    AT_LAST_PARTITION = 84,
    AT_FIRST_OFFSET = 88,
    AT_LAST_OFFSET = 96,
    AT_MIN_OFFSET = 104,
    AT_MAX_OFFSET = 112,
    AT_MIN_SIZE = 120,
    AT_MAX_SIZE = 124,
    AT_FILTER = 128,
    AT_FILTER_BLOCKS = 132,
    AT_SECTIONS = 136,
    AT_CHECKSUM = 204,
};

enum {
    EXTENT_STORED = 0,
    EXTENT_DECODED = 4,
    EXTENT_CHECKSUM = 8,
    EXTENT_CODEC = 12,
    EXTENT_BYTES = 16,
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

static void
put_extent(unsigned char *to, const struct block_extent *extent)
{
    store_u32(to + EXTENT_STORED, extent->stored);
    store_u32(to + EXTENT_DECODED, extent->decoded);
    store_u32(to + EXTENT_CHECKSUM, extent->checksum);
    to[EXTENT_CODEC] = (unsigned char)extent->codec;
}

void
block_info_put(const struct block_info *info, unsigned char to[BLOCK_HEADER_BYTES])
{
    memset(to, 0, BLOCK_HEADER_BYTES);
    store_u32(to + AT_MAGIC, BLOCK_MAGIC);
    store_u16(to + AT_LENGTH, BLOCK_HEADER_BYTES);
    store_u32(to + AT_EVENTS, info->event_count);
    store_u32(to + AT_RECORD_BYTES, info->record_bytes);
    store_u64(to + AT_PLACE, info->at);
    store_u64(to + AT_MIN_SEQ, info->min_seq);
    store_u64(to + AT_MAX_SEQ, info->max_seq);
    put_i64(to + AT_MIN_TIME, info->min_time_ns);
    put_i64(to + AT_MAX_TIME, info->max_time_ns);
    put_i64(to + AT_MIN_RECEIVED, info->min_received_ns);
    put_i64(to + AT_MAX_RECEIVED, info->max_received_ns);
    store_u32(to + AT_FIRST_STREAM, info->first_stream);
    store_u32(to + AT_FIRST_PARTITION, (uint32_t)info->first_partition);
    store_u32(to + AT_LAST_STREAM, info->last_stream);
    store_u32(to + AT_LAST_PARTITION, (uint32_t)info->last_partition);
    put_i64(to + AT_FIRST_OFFSET, info->first_offset);
    put_i64(to + AT_LAST_OFFSET, info->last_offset);
    put_i64(to + AT_MIN_OFFSET, info->min_offset);
    put_i64(to + AT_MAX_OFFSET, info->max_offset);
    store_u32(to + AT_MIN_SIZE, info->min_size);
    store_u32(to + AT_MAX_SIZE, info->max_size);
    store_u32(to + AT_FILTER, info->filter);
    store_u32(to + AT_FILTER_BLOCKS, info->filter_blocks);
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        put_extent(to + AT_SECTIONS + i * EXTENT_BYTES, &info->sections[i]);
    store_u32(to + AT_CHECKSUM, crc32c(0, to, AT_CHECKSUM));
}

static bool
get_extent(const unsigned char *from, struct block_extent *extent)
{
    extent->stored = load_u32(from + EXTENT_STORED);
    extent->decoded = load_u32(from + EXTENT_DECODED);
    extent->checksum = load_u32(from + EXTENT_CHECKSUM);
    unsigned codec = from[EXTENT_CODEC];
    if (codec > BLOCK_ZSTD || extent->decoded > BLOCK_SECTION_MAX ||
        extent->stored > extent->decoded)
        return false;
    extent->codec = (enum block_codec)codec;
    return codec != BLOCK_RAW || extent->stored == extent->decoded;
}

bool
block_info_get(const unsigned char from[BLOCK_HEADER_BYTES], struct block_info *info)
{
    if (load_u32(from + AT_MAGIC) != BLOCK_MAGIC ||
        load_u16(from + AT_LENGTH) != BLOCK_HEADER_BYTES ||
        load_u32(from + AT_CHECKSUM) != crc32c(0, from, AT_CHECKSUM))
        return false;

    info->event_count = load_u32(from + AT_EVENTS);
    info->record_bytes = load_u32(from + AT_RECORD_BYTES);
    info->at = load_u64(from + AT_PLACE);
    info->min_seq = load_u64(from + AT_MIN_SEQ);
    info->max_seq = load_u64(from + AT_MAX_SEQ);
    info->min_time_ns = get_i64(from + AT_MIN_TIME);
    info->max_time_ns = get_i64(from + AT_MAX_TIME);
    info->min_received_ns = get_i64(from + AT_MIN_RECEIVED);
    info->max_received_ns = get_i64(from + AT_MAX_RECEIVED);
    info->first_stream = load_u32(from + AT_FIRST_STREAM);
    info->first_partition = (int32_t)load_u32(from + AT_FIRST_PARTITION);
    info->last_stream = load_u32(from + AT_LAST_STREAM);
    info->last_partition = (int32_t)load_u32(from + AT_LAST_PARTITION);
    info->first_offset = get_i64(from + AT_FIRST_OFFSET);
    info->last_offset = get_i64(from + AT_LAST_OFFSET);
    info->min_offset = get_i64(from + AT_MIN_OFFSET);
    info->max_offset = get_i64(from + AT_MAX_OFFSET);
    info->min_size = load_u32(from + AT_MIN_SIZE);
    info->max_size = load_u32(from + AT_MAX_SIZE);
    info->filter = load_u32(from + AT_FILTER);
    info->filter_blocks = load_u32(from + AT_FILTER_BLOCKS);
    for (size_t i = 0; i < BLOCK_SECTIONS; i++) {
        if (!get_extent(from + AT_SECTIONS + i * EXTENT_BYTES, &info->sections[i]))
            return false;
    }
    return info->event_count > 0 && info->event_count <= BLOCK_MAX_EVENTS &&
           info->record_bytes <= RECORD_MAX_BYTES && info->min_seq <= info->max_seq &&
           info->max_seq - info->min_seq < UINT32_MAX;
}
