/* fuzz_segment.c - arbitrary bytes as a segment file.
 *
 * Besides the bytes as they are, the same with the checksums of trailer, table and footer sections
 * made to fit, so that what lies behind them is reached. Opening, asking filters, reading and verifying
 * must not crash, hang or take more memory than the file's size justifies. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/segment.h"
#include "index/segment_format.h"
#include "index/token_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ignore(void *self, const struct block_info *lost, const char *text)
{
    (void)lost;
    (void)text;
    (*(unsigned *)self)++;
}

static void
use(struct segment *segment)
{
    struct error err;
    unsigned told = 0;
    struct segment_token token = segment_token(segment, "key", bytes_of("o-00417"));
    uint32_t count = segment_info(segment)->block_count;
    uint64_t *blocks = alloc_array(block_set_words(count), sizeof(*blocks));
    segment_find_blocks(segment, token, blocks);
    free(blocks);
    struct block *block = block_new();
    for (uint32_t i = 0; i < count; i++)
        (void)segment_read_block(segment, i, BLOCK_ALL, block, &err);
    block_free(block);
    (void)segment_verify(segment, ignore, &told, &err);
}

static void
try_file(const unsigned char *data, size_t size)
{
    char path[64];
    struct error err;
    int fd = memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct segment *segment = segment_open(path, &err);
    if (segment != NULL)
        use(segment);
    segment_close(segment);
    struct segment_loss loss;
    segment = segment_salvage(path, 1, &loss, &err);
    if (segment != NULL)
        use(segment);
    segment_close(segment);
    (void)close(fd);
}

/* Each row of BLOCK_INDEX has a checksum of its own. */
static void
fix_index(unsigned char *section, uint64_t length)
{
    for (uint64_t at = ROWS_HEAD_BYTES; at + BLOCK_HEADER_BYTES <= length; at += BLOCK_HEADER_BYTES)
        store_u32(section + at + 204, crc32c(0, section + at, 204));
}

static void
fix_sections(unsigned char *data, size_t size, unsigned char *table, uint32_t bytes)
{
    for (uint32_t at = 0; at + SECTION_ROW_BYTES <= bytes; at += SECTION_ROW_BYTES) {
        struct section_row row;
        section_row_get(table + at, &row);
        if (row.at > size || row.stored > size - row.at)
            continue;
        if (row.type == SECTION_BLOCK_INDEX)
            fix_index(data + row.at, row.stored);
        row.checksum = crc32c(0, data + row.at, (size_t)row.stored);
        section_row_put(&row, table + at);
    }
}

static void
fix(unsigned char *data, size_t size)
{
    unsigned char *trailer = data + size - SEGMENT_TRAILER_BYTES;
    uint64_t table_at = load_u64(trailer + 96);
    uint32_t table_bytes = load_u32(trailer + 104);
    if (table_at < size && table_bytes < size - table_at) {
        fix_sections(data, size, data + table_at, table_bytes);
        store_u32(trailer + 108, crc32c(0, data + table_at, table_bytes));
    }
    store_u64(trailer + 112, size);
    store_u32(trailer + 124, crc32c(0, trailer, 124));
    store_u32(data + 60, crc32c(0, data, 60));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_file(data, size);
    if (size < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES)
        return 0;
    unsigned char *copy = alloc_copy(data, size);
    fix(copy, size);
    try_file(copy, size);
    free(copy);
    return 0;
}
