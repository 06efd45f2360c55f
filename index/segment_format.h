/* segment_format.h - the fixed structures of a segment file; docs/FORMAT.md, "Segment files".
 *
 * Shared by the sealer and the reader.  Threads: any.
 */
#ifndef INDEX_SEGMENT_FORMAT_H
#define INDEX_SEGMENT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/bloom.h"

struct buffer;
struct error;
struct hole;
struct lane;

#define SEGMENT_VERSION       1u
#define SEGMENT_HEADER_BYTES  64u
#define SEGMENT_TRAILER_BYTES 128u
#define SECTION_ROW_BYTES     32u
#define LANE_ROW_BYTES        96u
#define HOLE_ROW_BYTES        40u
#define ROWS_HEAD_BYTES       8u
#define SECTION_FLAG_REQUIRED 1u

enum segment_section {
    SECTION_STREAMS = 1,
    SECTION_LANES = 2,
    SECTION_HOLES = 3,
    SECTION_BLOCK_INDEX = 4,
    SECTION_BLOCK_FILTERS = 5, /* this and the next one: in files without a TOKEN_INDEX */
    SECTION_SEGMENT_FILTER = 6,
    SECTION_TOKENS = 7,
    SECTION_TOKEN_INDEX = 8,
    SECTION_KNOWN, /* one more than the last */
};

struct segment_header {
    unsigned char uuid[BLOOM_UUID_BYTES];
    uint64_t id;
    uint64_t first_seq;
};

struct segment_trailer {
    uint32_t block_count;
    uint64_t event_count;
    uint64_t first_seq;
    uint64_t end_seq;
    int64_t min_time_ns;
    int64_t max_time_ns;
    int64_t min_received_ns;
    int64_t max_received_ns;
    uint64_t record_bytes;
    int64_t created_ns;
    uint64_t table_at;
    uint32_t table_bytes;
    uint32_t table_checksum;
    uint64_t file_bytes;
};

/* A row of the section table. */
struct section_row {
    uint16_t type;
    uint8_t codec;
    uint8_t flags;
    uint32_t checksum;
    uint64_t at;
    uint64_t stored;
    uint64_t decoded;
};

void segment_header_put(
    const struct segment_header *header, unsigned char to[SEGMENT_HEADER_BYTES]);
void segment_trailer_put(
    const struct segment_trailer *trailer, unsigned char to[SEGMENT_TRAILER_BYTES]);
void section_row_put(const struct section_row *row, unsigned char to[SECTION_ROW_BYTES]);
void lane_row_put(const struct lane *lane, uint32_t first_block, unsigned char to[LANE_ROW_BYTES]);
void hole_row_put(const struct hole *hole, unsigned char to[HOLE_ROW_BYTES]);

/* The first two say what is wrong with ERROR_DAMAGED: also for a version or a flag of a newer
 * tapedeck. */
bool segment_header_get(const unsigned char from[SEGMENT_HEADER_BYTES],
    struct segment_header *header, struct error *err);
bool segment_trailer_get(const unsigned char from[SEGMENT_TRAILER_BYTES],
    struct segment_trailer *trailer, struct error *err);
void section_row_get(const unsigned char from[SECTION_ROW_BYTES], struct section_row *row);
void lane_row_get(const unsigned char from[LANE_ROW_BYTES], struct lane *lane);
void hole_row_get(const unsigned char from[HOLE_ROW_BYTES], struct hole *hole);

#endif
