#include "bench/unpack.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "bench/figures.h"
#include "index/block.h"
#include "index/part_file.h"
#include "index/segment.h"
#include "index/segment_internal.h"

struct work {
    const char *directory;
    bool only_payloads;
    ZSTD_DCtx *zstd;
    struct buffer stored; /* the sections of a block, as they are in the file */
    struct buffer to;
    struct unpacked sum;
};

static void
unpack(struct work *work, const struct block_extent *extent, const unsigned char *stored)
{
    unsigned char *to = buffer_reserve(&work->to, extent->decoded);
    size_t got = extent->decoded;
    if (extent->codec == BLOCK_ZSTD)
        got = ZSTD_decompressDCtx(work->zstd, to, extent->decoded, stored, extent->stored);
    else if (extent->codec == BLOCK_LZ4)
        got = (size_t)LZ4_decompress_safe(
            (const char *)stored, (char *)to, (int)extent->stored, (int)extent->decoded);
    struct error err;
    if (got != extent->decoded) {
        (void)error_set(&err, ERROR_DAMAGED, "a section cannot be decompressed");
        figures_fail(&err);
    }
}

static void
unpack_block(struct work *work, const struct segment *segment, const struct block_info *info)
{
    struct error err;
    size_t length = 0;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        length += info->sections[i].stored;
    work->stored.length = work->to.length = 0;
    unsigned char *stored = buffer_reserve(&work->stored, length);
    if (!segment_read_at(segment, stored, length, info->at + BLOCK_HEADER_BYTES, &err))
        figures_fail(&err);
    double start = seconds_cpu();
    for (size_t i = 0; i < BLOCK_SECTIONS; stored += info->sections[i++].stored) {
        if (i == BLOCK_PAY || !work->only_payloads)
            unpack(work, &info->sections[i], stored);
    }
    work->sum.seconds += seconds_cpu() - start;
    work->sum.blocks++;
    work->sum.events += info->event_count;
    work->sum.payload_bytes += info->sections[BLOCK_PAY].decoded;
}

static void
unpack_file(void *self, const struct part_file *file)
{
    struct work *work = self;
    struct error err;
    if (strcmp(file->suffix, "seg") != 0)
        return;
    char *path = part_file_path(work->directory, file->id, "seg");
    struct segment *segment = segment_open(path, &err);
    if (segment == NULL)
        figures_fail(&err);
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++)
        unpack_block(work, segment, segment_block(segment, i));
    segment_close(segment);
    free(path);
}

struct unpacked
unpack_tape(const char *directory, bool only_payloads)
{
    struct error err;
    struct work work = {
        .directory = directory, .only_payloads = only_payloads, .zstd = ZSTD_createDCtx()};
    if (!part_file_each(directory, unpack_file, &work, &err))
        figures_fail(&err);
    (void)ZSTD_freeDCtx(work.zstd);
    buffer_done(&work.stored);
    buffer_done(&work.to);
    return work.sum;
}
