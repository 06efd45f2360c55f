/* Filters and blocks of an open segment, read when they are asked for. */
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "index/bloom.h"
#include "index/event.h"
#include "index/segment.h"
#include "index/segment_internal.h"
#include "index/segment_probe.h"
#include "index/token_index.h"

/* Memory for reading that a segment keeps from block to block: enough for any of the usual size. */
#define IO_KEPT_BYTES ((size_t)1024 * 1024)

#define HEADER_KIND "header:"

/* Filters of so many blocks further on are fetched from memory meanwhile. */
#define FILTERS_AHEAD 8u

static bool
is_indexed(const struct segment *segment, const char *kind)
{
    if (strncmp(kind, HEADER_KIND, strlen(HEADER_KIND)) == 0) {
        const char *name = kind + strlen(HEADER_KIND);
        for (size_t i = 0; i < segment->token_header_count; i++) {
            if (strcmp(segment->token_headers[i], name) == 0)
                return true;
        }
        return false;
    }
    return strcmp(kind, "key") == 0 || strcmp(kind, "id") == 0 || strcmp(kind, "trace") == 0 ||
           strcmp(kind, "correlation") == 0;
}

struct segment_token
segment_token(const struct segment *segment, const char *kind, struct bytes value)
{
    struct segment_token token = {.is_indexed = false};
    if (value.data == NULL || !is_indexed(segment, kind))
        return token;
    token.is_indexed = true;
    token.hash = bloom_token(bloom_kind_seed(segment->tape_seed, bytes_of(kind)), value);
    return token;
}

/* Blocks in the segment filter that would fill its pages, and at least one too few. */
static uint32_t
page_count(const struct segment *segment)
{
    uint64_t pages = segment->sections[SECTION_SEGMENT_FILTER].stored / FILTER_PAGE_BYTES;
    return pages > UINT32_MAX / FILTER_PAGE_BLOCKS ? 0 : (uint32_t)pages;
}

/* How many filter blocks the segment filter has: each page says so. 0 when the first cannot be read. */
static uint32_t
filter_block_count(const struct segment *segment)
{
    struct error ignored;
    unsigned char page[FILTER_PAGE_BYTES];
    uint32_t pages = page_count(segment);
    if (pages == 0 ||
        !segment_read_at(
            segment, page, sizeof(page), segment->sections[SECTION_SEGMENT_FILTER].at, &ignored) ||
        load_u32(page + FILTER_PAGE_CRC) != crc32c(0, page, FILTER_PAGE_CRC) ||
        load_u32(page + FILTER_PAGE_NUMBER) != 0)
        return 0;
    uint32_t blocks = load_u32(page + FILTER_PAGE_TOTAL);
    uint32_t needed = blocks / FILTER_PAGE_BLOCKS + (blocks % FILTER_PAGE_BLOCKS != 0);
    return needed == pages ? blocks : 0;
}

struct segment_filter_place
segment_filter_place(const struct segment *segment)
{
    const struct section_row *index = &segment->sections[SECTION_TOKEN_INDEX];
    if (index->type != 0)
        return (struct segment_filter_place){
            .at = index->at,
            .pages = (uint32_t)(index->stored / TOKEN_PAGE_BYTES),
            .seed = segment->tape_seed,
        };
    uint32_t blocks = filter_block_count(segment);
    if (blocks == 0)
        return (struct segment_filter_place){0};
    return (struct segment_filter_place){
        .at = segment->sections[SECTION_SEGMENT_FILTER].at,
        .blocks = blocks,
        .seed = segment->tape_seed,
    };
}

/* NULL: nothing can be asked. */
static struct segment_probe *
probe_of(struct segment *segment)
{
    if (!segment->probe_is_made) {
        struct segment_filter_place place = segment_filter_place(segment);
        segment->probe = segment_probe_of(segment->fd, &place, segment->info.file_bytes);
        segment->probe_is_made = true;
    }
    return segment->probe;
}

static void
read_filters(struct segment *segment)
{
    struct error err;
    bool good = segment_read_section(segment, SECTION_BLOCK_FILTERS, &segment->filters, &err);
    segment->filters_state = good ? FILTERS_READ : FILTERS_DAMAGED;
}

static const unsigned char *
filter_of_block(const struct segment *segment, uint32_t index, uint64_t token)
{
    const struct block_info *info = &segment->blocks[index];
    uint32_t place = info->filter + bloom_block_of(info->filter_blocks, token);
    return segment->filters.data + (size_t)place * BLOOM_BLOCK_BYTES;
}

/* In a file without a token index: ask the filter of each block. False: they cannot be read. */
static bool
find_by_filters(struct segment *segment, uint64_t token, uint64_t *blocks)
{
    if (segment->filters_state == FILTERS_UNREAD)
        read_filters(segment);
    if (segment->filters_state == FILTERS_DAMAGED)
        return false;
    uint32_t count = segment->info.block_count;
    for (uint32_t i = 0; i < count; i++) {
        /* The answer of each lies in memory that nobody has touched. */
        if (count - i > FILTERS_AHEAD)
            __builtin_prefetch(filter_of_block(segment, i + FILTERS_AHEAD, token));
        if (bloom_may_hold(filter_of_block(segment, i, token), token))
            block_set_add(blocks, i);
    }
    return true;
}

static bool
find_blocks(struct segment *segment, uint64_t token, uint64_t *blocks)
{
    struct segment_probe *probe = probe_of(segment);
    if (segment->sections[SECTION_TOKEN_INDEX].type != 0)
        return probe != NULL && segment_probe_find(probe, token, blocks, segment->info.block_count);
    return (probe != NULL && !segment_probe_may_hold_token(probe, token)) ||
           find_by_filters(segment, token, blocks);
}

void
segment_find_blocks(struct segment *segment, struct segment_token token, uint64_t *blocks)
{
    if (token.is_indexed && find_blocks(segment, token.hash, blocks))
        return;
    for (uint32_t i = 0; i < segment->info.block_count; i++)
        block_set_add(blocks, i);
}

void
segment_trim(struct segment *segment)
{
    buffer_done(&segment->filters);
    buffer_done(&segment->io);
    if (segment->filters_state == FILTERS_READ)
        segment->filters_state = FILTERS_UNREAD;
}

static const struct stream *
find_stream(void *self, uint32_t id)
{
    const struct segment *segment = self;
    const struct stream *own = segment_own_stream(segment, id);
    if (own == NULL || segment->lookup == NULL)
        return own;
    return segment->lookup(segment->lookup_self, id);
}

static const char *
label_of(const struct segment *segment, uint32_t id)
{
    const struct stream *stream = segment_own_stream(segment, id);
    return stream == NULL ? "?" : stream->label;
}

/* Put in front of the error which block it was and what was in it. */
static bool
name_block(const struct segment *segment, uint32_t index, struct error *err)
{
    const struct block_info *info = &segment->blocks[index];
    return error_wrap(err,
        "segment %s: block %u of %u (%u events, seq %llu to %llu, %s[%d]@%lld to %s[%d]@%lld)",
        segment->path, index, segment->info.block_count, info->event_count,
        (unsigned long long)info->min_seq, (unsigned long long)info->max_seq,
        label_of(segment, info->first_stream), info->first_partition, (long long)info->first_offset,
        label_of(segment, info->last_stream), info->last_partition, (long long)info->last_offset);
}

/* Read and unpack the sections in `missing`, which is not empty, with one pread. */
static bool
unpack(struct segment *segment, const struct block_info *info, unsigned missing,
    struct block *block, struct error *err)
{
    uint64_t start[BLOCK_SECTIONS + 1];
    int first = BLOCK_SECTIONS;
    int last = 0;
    start[0] = info->at + BLOCK_HEADER_BYTES;
    for (int i = 0; i < BLOCK_SECTIONS; i++) {
        start[i + 1] = start[i] + info->sections[i].stored;
        if ((missing & BLOCK_BIT(i)) != 0) {
            first = i < first ? i : first;
            last = i;
        }
    }
    assert(first <= last);

    size_t length = (size_t)(start[last + 1] - start[first]);
    segment->io.length = 0;
    unsigned char *bytes = buffer_reserve(&segment->io, length + 1);
    if (!segment_read_at(segment, bytes, length, start[first], err))
        return false;
    for (int i = first; i <= last; i++) {
        struct bytes stored = {bytes + (start[i] - start[first]), info->sections[i].stored};
        if ((missing & BLOCK_BIT(i)) != 0 &&
            !block_unpack(block, info, (enum block_section)i, stored, err))
            return false;
    }
    return true;
}

void
segment_expect_block(const struct segment *segment, uint32_t index)
{
    assert(index < segment->info.block_count);

    const struct block_info *info = &segment->blocks[index];
    off_t length = BLOCK_HEADER_BYTES;
    for (int i = 0; i < BLOCK_SECTIONS; i++)
        length += info->sections[i].stored;
    (void)posix_fadvise(segment->fd, (off_t)info->at, length, POSIX_FADV_WILLNEED);
}

bool
segment_unpack_block(struct segment *segment, uint32_t index, unsigned wanted, struct block *block,
    struct error *err)
{
    assert(index < segment->info.block_count);

    if (block->owner != segment->serial || block->index != index)
        block_clear(block);
    unsigned missing = wanted & ~block->unpacked & BLOCK_ALL;
    if (missing == 0)
        return true;
    block->owner = segment->serial;
    block->index = index;
    bool good = unpack(segment, &segment->blocks[index], missing, block, err);
    if (segment->io.capacity > IO_KEPT_BYTES) /* of each of the files that stay open */
        buffer_done(&segment->io);
    if (good)
        return true;
    block_clear(block);
    return name_block(segment, index, err);
}

bool
segment_read_block(struct segment *segment, uint32_t index, unsigned wanted, struct block *block,
    struct error *err)
{
    const struct block_streams streams = {find_stream, segment};
    wanted |= BLOCK_BIT(BLOCK_META);
    if (!segment_unpack_block(segment, index, wanted, block, err))
        return false;
    for (int i = 0; i < BLOCK_SECTIONS; i++) {
        if ((wanted & ~block->loaded & BLOCK_BIT(i)) != 0 &&
            !block_load(block, &segment->blocks[index], (enum block_section)i, &streams, err))
            return name_block(segment, index, err);
    }
    return true;
}

bool
segment_read_event(struct segment *segment, uint32_t index, unsigned wanted, uint32_t i,
    struct block *block, struct event *event, struct error *err)
{
    unsigned headers = wanted & BLOCK_BIT(BLOCK_HDR);
    if (!segment_unpack_block(segment, index, wanted | BLOCK_BIT(BLOCK_META), block, err) ||
        !segment_read_block(segment, index, wanted & ~headers, block, err))
        return false;
    block_event(block, i, event);
    if ((headers & ~block->loaded) != 0 && !block_load_headers_of(block, i, &event->headers, err))
        return name_block(segment, index, err);
    return true;
}
