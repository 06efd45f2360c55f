/* A segment walked in the order in which its events lie: block after block, without a sort. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block.h"
#include "index/block_pool.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/ordered_walk.h"
#include "index/segment.h"
#include "index/segment_file.h"
#include "index/segment_filter.h"
#include "index/segment_part.h"
#include "index/tape_internal.h"

/* `number` is the block that is looked at; once `is_read`, event `index` of it is the next one, or where
 * to look on for it. */
struct segment_lane_walk {
    struct ordered_walk walk;
    struct tape *tape;
    struct part_walk_options options;
    struct segment_file *file;
    struct segment *segment; /* held; NULL: nothing was read yet */
    struct segment_filter filter;
    struct block *block; /* that of `hold`, for all that is read: the only one, so that it stays */
    struct block_hold *hold;
    struct block_user user;
    uint32_t number;
    uint32_t index;
    bool is_read;
};

/* Where the first event of the segment is at the earliest, by what is known of its lanes. False: nowhere. */
static bool
earliest(struct segment_file *file, struct tape *tape, const struct query *query,
    struct walk_place *place)
{
    struct error ignored;
    const struct lanes *lanes = segment_file_lanes(file, &ignored);
    bool found = false;
    *place = (struct walk_place){.minor = INT64_MIN};
    if (lanes == NULL)
        return true;
    for (size_t i = 0; i < lanes_count(lanes); i++) {
        const struct lane *lane = lanes_at(lanes, i);
        struct walk_place first = {
            walk_lane(lane->stream_id, lane->partition), lane->first_offset, 0, false};
        if (lane->events == 0 ||
            (query != NULL && !query_may_match_lane(query, tape_stream_by_id(tape, lane->stream_id),
                                  lane->partition)))
            continue;
        if (!found || walk_place_compare(&first, place) < 0)
            *place = first;
        found = true;
    }
    return found;
}

static struct ordered_walk *
begin(struct part *part, struct tape *tape, const struct part_walk_options *options)
{
    struct walk_place place;
    struct segment_file *file = as_segment(part)->file;
    const struct segment_info *info = segment_file_info(file);
    if (info->first_seq >= options->end_seq || info->end_seq <= options->first_seq ||
        (options->query != NULL && segment_filter_excludes(options->query, info, NULL, tape)) ||
        !earliest(file, tape, options->query, &place)) {
        options->progress->pruned_blocks += info->block_count;
        return NULL;
    }
    struct segment_lane_walk *self = alloc_zeroed(sizeof(*self));
    self->walk = (struct ordered_walk){&segment_lane_walk, part, place};
    self->tape = tape;
    self->options = *options;
    self->file = file;
    part->references++;
    return &self->walk;
}

static void
end(struct ordered_walk *walk)
{
    struct segment_lane_walk *self = (struct segment_lane_walk *)walk;
    block_pool_give(tape_block_pool(self->tape), self->hold);
    segment_filter_done(&self->filter);
    if (self->segment != NULL)
        segment_file_release(self->file);
    part_release(walk->part);
    free(self);
}

/* The place of the next block that may have a match. CURSOR_END: none has. */
static enum cursor_step
find_block(struct segment_lane_walk *self)
{
    uint32_t count = segment_info(self->segment)->block_count;
    for (; self->number < count; self->number++) {
        if (!segment_filter_block(&self->filter, self->number)) {
            self->options.progress->pruned_blocks++;
            continue;
        }
        const struct block_info *info = segment_block(self->segment, self->number);
        self->walk.place = (struct walk_place){
            walk_lane(info->first_stream, info->first_partition), info->first_offset, 0, false};
        return CURSOR_EVENT;
    }
    return CURSOR_END;
}

static void
leave_block(struct segment_lane_walk *self)
{
    self->number++;
    self->index = 0;
    self->is_read = false;
}

static enum cursor_step
start(struct segment_lane_walk *self, struct error *err)
{
    enum cursor_step step = segment_part_hold(self->walk.part, self->tape, &self->segment, err);
    if (step != CURSOR_EVENT)
        return step;
    self->user.rows = &self->hold;
    self->block =
        block_pool_take(tape_block_pool(self->tape), &self->user, 0, BLOCK_TARGET_BYTES)->block;
    segment_filter_start(&self->filter, self->segment, self->tape, self->options.query,
        self->options.first_seq, self->options.end_seq);
    return find_block(self);
}

static void
note_block(struct segment_lane_walk *self, const struct error *err)
{
    const struct block_info *info = segment_block(self->segment, self->number);
    tape_note_block(self->tape, info, err->text);
}

/* Have the block as find_event() needs it, unless its bytes say that it holds no match. */
static bool
read_block(struct segment_lane_walk *self, bool *may_match, struct error *err)
{
    enum block_section peek = segment_filter_peek_section(&self->filter);
    if (peek != BLOCK_META) {
        if (!segment_unpack_block(self->segment, self->number, BLOCK_BIT(peek), self->block, err))
            return false;
        *may_match = segment_filter_peek(&self->filter, self->block, self->number);
        if (!*may_match)
            return true;
    }
    return segment_read_block(
        self->segment, self->number, segment_filter_sections(&self->filter), self->block, err);
}

/* The next event of the block that may match. False: it has no more. */
static bool
find_event(struct segment_lane_walk *self)
{
    self->index = segment_filter_find(&self->filter, self->block, self->index);
    if (self->index == self->block->count)
        return false;
    const struct block_lane *lane = block_lane(self->block, self->index);
    self->walk.place = (struct walk_place){walk_lane(lane->stream_id, lane->partition),
        self->block->offsets[self->index], self->block->seqs[self->index], true};
    return true;
}

static enum cursor_step
settle(struct ordered_walk *walk, uint64_t *budget, struct error *err)
{
    struct segment_lane_walk *self = (struct segment_lane_walk *)walk;
    if (self->segment == NULL)
        return start(self, err);
    if (self->is_read) {
        leave_block(self);
        return find_block(self);
    }
    if (self->number >= segment_info(self->segment)->block_count)
        return CURSOR_END;
    if (*budget == 0)
        return CURSOR_PAUSED;

    const struct block_info *info = segment_block(self->segment, self->number);
    *budget -= *budget < info->event_count ? *budget : info->event_count;
    self->options.progress->scanned_blocks++;
    self->options.progress->scanned_events += info->event_count;
    self->options.progress->scanned_bytes += info->record_bytes;
    bool may_match = true;
    bool good = read_block(self, &may_match, err);
    block_pool_settle(tape_block_pool(self->tape), self->hold);
    if (!good && err->code != ERROR_DAMAGED)
        return CURSOR_FAILED;
    if (!good)
        note_block(self, err);
    self->is_read = good && may_match;
    if (self->is_read && find_event(self))
        return CURSOR_EVENT;
    leave_block(self);
    return find_block(self);
}

static enum cursor_step
take(struct ordered_walk *walk, struct event *event, struct error *err)
{
    struct segment_lane_walk *self = (struct segment_lane_walk *)walk;
    bool is_whole = self->block->loaded == BLOCK_ALL ||
                    segment_read_block(self->segment, self->number, BLOCK_ALL, self->block, err);
    block_pool_settle(tape_block_pool(self->tape), self->hold);
    if (!is_whole) {
        if (err->code != ERROR_DAMAGED)
            return CURSOR_FAILED;
        note_block(self, err);
        walk->place.is_exact = false; /* settle() goes on behind the block */
        return CURSOR_END;
    }
    block_event(self->block, self->index++, event);
    if (!find_event(self)) {
        /* Not before this event; the block's memory stays until settle(). */
        walk->place.is_exact = false;
        walk->place.seq = 0;
    }
    return CURSOR_EVENT;
}

const struct ordered_walk_ops segment_lane_walk = {
    .begin = begin,
    .end = end,
    .settle = settle,
    .take = take,
};
