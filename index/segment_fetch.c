/* Single events of a segment: by seq, and by lane and offset. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block.h"
#include "index/block_cache.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/segment.h"
#include "index/segment_file.h"
#include "index/segment_part.h"
#include "index/segment_walk.h"
#include "index/tape_internal.h"

/* Seqs without an event that a table of all of them may have besides as many as there are events. */
#define SPARE_SEQS (UINT64_C(1) << 16)

/* Is (stream, partition, offset) of the block's last event at or behind the wanted one? */
static bool
ends_behind(const struct block_info *info, uint32_t stream_id, int32_t partition, int64_t offset)
{
    if (info->last_stream != stream_id)
        return info->last_stream > stream_id;
    if (info->last_partition != partition)
        return (uint32_t)info->last_partition > (uint32_t)partition;
    return info->last_offset >= offset;
}

/* Does it begin in the lane, or in one before it? */
static bool
begins_before(const struct block_info *info, uint32_t stream_id, int32_t partition)
{
    if (info->first_stream != stream_id)
        return info->first_stream < stream_id;
    return (uint32_t)info->first_partition <= (uint32_t)partition;
}

static enum cursor_step
find_offset(const struct block *block, uint32_t stream_id, int32_t partition, int64_t offset,
    struct event *event)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const struct block_lane *lane = block_lane(block, i);
        if (lane->stream_id == stream_id && lane->partition == partition &&
            block->offsets[i] >= offset) {
            block_event(block, i, event);
            return CURSOR_EVENT;
        }
    }
    return CURSOR_END;
}

/* The first block whose last event is at or behind the offset. */
static uint32_t
first_block_behind(
    const struct segment *segment, uint32_t stream_id, int32_t partition, int64_t offset)
{
    uint32_t low = 0;
    uint32_t high = segment_info(segment)->block_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ends_behind(segment_block(segment, middle), stream_id, partition, offset))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Do the lanes say, as far as they are known without the file, that there is no such event? */
static bool
lanes_exclude(struct segment_file *file, uint32_t stream_id, int32_t partition, int64_t offset)
{
    struct error ignored;
    const struct lanes *lanes =
        segment_file_is_open(file) ? NULL : segment_file_lanes(file, &ignored);
    const struct lane *lane = lanes == NULL ? NULL : lanes_find(lanes, stream_id, partition);
    return lanes != NULL && (lane == NULL || lane->events == 0 || lane->last_offset < offset);
}

enum cursor_step
segment_fetch_offset(struct part_walk *walk, uint32_t stream_id, int32_t partition, int64_t offset,
    struct event *event, struct error *err)
{
    struct segment_reading read;
    if (lanes_exclude(as_segment(walk->part)->file, stream_id, partition, offset))
        return CURSOR_END;
    enum cursor_step step = segment_walk_open(walk, &read, err);
    if (step != CURSOR_EVENT)
        return step;

    uint32_t count = segment_info(read.segment)->block_count;
    uint32_t number = first_block_behind(read.segment, stream_id, partition, offset);
    for (; number < count; number++) {
        const struct block_info *info = segment_block(read.segment, number);
        if (!begins_before(info, stream_id, partition))
            break;
        const struct block *block = block_cache_read(read.cache, number, BLOCK_ALL, err);
        if (block != NULL)
            return find_offset(block, stream_id, partition, offset, event);
        if (err->code != ERROR_DAMAGED)
            return CURSOR_FAILED;
        tape_note_block(read.tape, info, err->text);
    }
    return CURSOR_END;
}

/* Are there so many seqs without an event that a table of all of them is too much memory? A broken file may claim
 * any number; a journal loses a few frames. */
static bool
is_sparse(const struct segment_info *info)
{
    return info->end_seq - info->first_seq > 2 * info->event_count + SPARE_SEQS;
}

/* Look for the event in each block that may have it. */
static enum cursor_step
search_seq(const struct segment_reading *read, uint64_t seq, struct event *event, struct error *err)
{
    for (uint32_t number = 0; number < segment_info(read->segment)->block_count; number++) {
        const struct block_info *info = segment_block(read->segment, number);
        if (seq < info->min_seq || seq > info->max_seq)
            continue;
        const struct block *block = block_cache_read(read->cache, number, BLOCK_ALL, err);
        if (block == NULL && err->code != ERROR_DAMAGED)
            return CURSOR_FAILED;
        for (uint32_t i = 0; block != NULL && i < block->count; i++) {
            if (block->seqs[i] == seq) {
                block_event(block, i, event);
                return CURSOR_EVENT;
            }
        }
    }
    return CURSOR_END;
}

/* Note where each event of the segment is. NULL with *err. */
static struct block_row *
make_by_seq(struct segment *segment, struct error *err)
{
    const struct segment_info *info = segment_info(segment);
    size_t span = (size_t)(info->end_seq - info->first_seq);
    struct block_row *rows = alloc_array(span, sizeof(*rows));
    memset(rows, 0xff, span * sizeof(*rows));
    struct block *block = block_new();
    bool good = true;
    for (uint32_t number = 0; good && number < info->block_count; number++) {
        good = segment_read_block(segment, number, BLOCK_BIT(BLOCK_META), block, err);
        for (uint32_t i = 0; good && i < block->count; i++)
            rows[block->seqs[i] - info->first_seq] = (struct block_row){number, i};
        if (!good && err->code == ERROR_DAMAGED)
            good = true; /* its events are not found, and a walk names the damage */
    }
    block_free(block);
    if (good)
        return rows;
    free(rows);
    return NULL;
}

enum cursor_step
segment_fetch_seq(struct part_walk *walk, uint64_t seq, struct event *event, struct error *err)
{
    struct segment_as_part *part = as_segment(walk->part);
    struct segment_reading read;
    if (seq < walk->part->first_seq || seq >= walk->part->end_seq)
        return CURSOR_END;
    enum cursor_step step = segment_walk_open(walk, &read, err);
    if (step != CURSOR_EVENT)
        return step;
    if (is_sparse(segment_info(read.segment)))
        return search_seq(&read, seq, event, err);
    if (part->by_seq == NULL)
        part->by_seq = make_by_seq(read.segment, err);
    if (part->by_seq == NULL)
        return CURSOR_FAILED;
    struct block_row row = part->by_seq[seq - walk->part->first_seq];
    if (row.index == UINT32_MAX)
        return CURSOR_END;
    const struct block *block = block_cache_read(read.cache, row.block, BLOCK_ALL, err);
    if (block == NULL)
        return err->code == ERROR_DAMAGED ? CURSOR_END : CURSOR_FAILED;
    block_event(block, row.index, event);
    return CURSOR_EVENT;
}
