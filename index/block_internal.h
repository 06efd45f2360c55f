/* block_internal.h - what the files that read blocks share. */
#ifndef INDEX_BLOCK_INTERNAL_H
#define INDEX_BLOCK_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

#include "base/bytes.h"
#include "index/block.h"

struct header_reader;

/* The columns of META, in their order behind the lane runs. */
enum block_column {
    COLUMN_SEQ,
    COLUMN_RECEIVED,
    COLUMN_TIME,
    COLUMN_OFFSET,
    COLUMN_KEY_LENGTH,     /* plus one; 0: null */
    COLUMN_HEADERS_LENGTH, /* as it is */
    COLUMN_PAYLOAD_LENGTH, /* plus one; 0: null */
    COLUMN_FLAGS,
    COLUMN_COUNT,
};

#define STEP_COLUMNS COLUMN_KEY_LENGTH /* those before it are written as steps */

/* columns: of META on its way, those from STEP_COLUMNS on. */
struct block_scratch {
    ZSTD_DCtx *zstd;
    struct header_reader *header_reader;
    uint64_t *columns[COLUMN_COUNT - STEP_COLUMNS];
    size_t capacity;
};

/* `capacity` is that of the columns of the block. */
struct block_memory {
    struct block_scratch *scratch;
    struct block_scratch *own_scratch; /* NULL: it is shared */
    struct buffer sections[BLOCK_SECTIONS];
    struct buffer headers; /* rebuilt lists, one behind the other */
    size_t capacity;
    size_t lane_capacity;
};

#endif
