/* A segment walked by seq, or by time.
 *
 * A walk first plans: it goes through the blocks, skips those that cannot hold a match, and notes
 * where in them the events are that may; then it puts these places in the order of their seqs and gives
 * them out, decoding each block once and dropping it behind its last event.
 *
 * Whoever wants the newest events of a segment mostly wants few of them, and who wants all of them should not
 * need memory for all of its blocks: it is planned in slices, ranges of seqs of which each is twice as long as the
 * one before, up to SLICE_MAX. One slice has all when the bytes of the blocks say which few hold a match, and when they
 * are to come in the order of their times. */
#include "index/segment_walk.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block.h"
#include "index/block_cache.h"
#include "index/event.h"
#include "index/place_list.h"
#include "index/segment.h"
#include "index/segment_file.h"
#include "index/segment_filter.h"
#include "index/segment_part.h"
#include "index/tape_internal.h"

#define SLICE_SEQS 8192u
#define SLICE_MAX  16384u

/* When so few events of a block are wanted, their header lists are made one by one. */
#define FEW_EVENTS 4u

/* What makes an event is fetched from memory while so many before it are given out. */
#define EVENTS_AHEAD 6u

/* Blocks of a file that was not open before are read by the system all at once, up to so many. */
#define EXPECTED_BLOCKS 32u

/* Place `next` (newest first: next - 1) is given out next once `is_planned`; before that
 * `plan_block` is the next block to look at, and `plan_step` further on comes the one after it; those from
 * `plan_end` on are left to others. left[block] says how many places of a block are still to
 * come. All of that is about the events with seqs slice_first .. slice_end - 1; looks[block] says what is known
 * of the block from the slices before. A hopeless walk has neither `left`, `looks` nor a cache. */
struct segment_walk {
    struct part_walk walk;
    struct tape *tape;
    struct part_walk_options options;
    struct segment *segment; /* held, and the filter started; NULL until something must be read */
    struct segment_filter filter;
    unsigned sections; /* that are given out */
    bool is_planned;
    uint32_t plan_block;
    uint32_t plan_step;
    uint32_t plan_end;
    struct place_list places;
    uint32_t *selected; /* of the block that is looked at */
    size_t selected_room;
    size_t next;
    uint32_t *left;
    unsigned char *looks;
    uint64_t slice_first;
    uint64_t slice_end;
    uint64_t slice_seqs; /* of the next one; UINT64_MAX: one slice has all */
    bool is_last_slice;
    struct block_cache *cache;
};

enum look {
    LOOK_COUNTED = 1, /* in the progress */
    LOOK_CLOSED = 2,  /* nothing more in it */
};

struct part_walk *
segment_walk(struct part *part, struct tape *tape, const struct part_walk_options *options)
{
    struct segment_walk *self = alloc_zeroed(sizeof(*self));
    self->walk.part = part;
    part->references++;
    self->tape = tape;
    self->options = *options;
    self->plan_block = options->first_block + options->share;
    self->plan_step = options->shares == 0 ? 1 : options->shares;
    self->plan_end = segment_file_info(as_segment(part)->file)->block_count;
    return &self->walk;
}

/* Blocks that are still to be looked at. */
static uint32_t
blocks_to_plan(const struct segment_walk *self)
{
    if (self->plan_block >= self->plan_end)
        return 0;
    return (self->plan_end - self->plan_block - 1) / self->plan_step + 1;
}

uint32_t
segment_walk_cut(struct part_walk *walk)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    bool is_in_slices = self->segment != NULL && self->slice_seqs != UINT64_MAX;
    if (self->is_planned || is_in_slices)
        return segment_file_info(as_segment(walk->part)->file)->block_count;
    if (self->plan_block < self->plan_end)
        self->plan_end = self->plan_block;
    return self->plan_end;
}

void
segment_walk_free(struct part_walk *walk)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    block_cache_free(self->cache);
    segment_filter_done(&self->filter);
    place_list_done(&self->places);
    free(self->selected);
    free(self->left);
    free(self->looks);
    if (self->segment != NULL)
        segment_file_release(as_segment(walk->part)->file);
    part_release(walk->part);
    free(self);
}

static uint64_t
lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Go on to the next slice, which begins at `near`; newest first: ends there. */
static void
set_slice(struct segment_walk *self, uint64_t near)
{
    const struct part *part = self->walk.part;
    uint64_t first = higher(part->first_seq, self->options.first_seq);
    uint64_t end = higher(first, lower(part->end_seq, self->options.end_seq));
    if (self->options.newest_first) {
        self->slice_end = near;
        self->slice_first = near - first > self->slice_seqs ? near - self->slice_seqs : first;
        self->is_last_slice = self->slice_first == first;
    } else {
        self->slice_first = near;
        self->slice_end = end - near > self->slice_seqs ? near + self->slice_seqs : end;
        self->is_last_slice = self->slice_end == end;
    }
    if (self->slice_seqs < SLICE_MAX)
        self->slice_seqs *= 2;
    self->filter.first_seq = self->slice_first;
    self->filter.end_seq = self->slice_end;
}

static void
begin_slices(struct segment_walk *self)
{
    const struct part *part = self->walk.part;
    uint64_t first = higher(part->first_seq, self->options.first_seq);
    uint64_t end = higher(first, lower(part->end_seq, self->options.end_seq));
    if (segment_filter_peek_section(&self->filter) != BLOCK_META || self->options.by_time)
        self->slice_seqs = UINT64_MAX;
    else
        self->slice_seqs = self->options.shares > 0 ? SLICE_MAX : SLICE_SEQS;
    set_slice(self, self->options.newest_first ? end : first);
}

/* The sections that make an event. */
static unsigned
sections_wanted(const struct segment_walk *self)
{
    unsigned sections = segment_filter_sections(&self->filter);
    sections |= (self->options.unwanted & EVENT_KEY) != 0 ? 0 : BLOCK_BIT(BLOCK_KEY);
    sections |= (self->options.unwanted & EVENT_HEADERS) != 0 ? 0 : BLOCK_BIT(BLOCK_HDR);
    sections |= (self->options.unwanted & EVENT_PAYLOAD) != 0 ? 0 : BLOCK_BIT(BLOCK_PAY);
    return sections;
}

/* Filters leave few blocks to look into, which lie apart: in a file that nobody has read lately each one would
 * be waited for. */
static void
expect_blocks(struct segment_walk *self)
{
    unsigned expected = 0;
    for (uint32_t number = self->plan_block; number < self->plan_end && expected < EXPECTED_BLOCKS;
         number += self->plan_step) {
        if (!segment_filter_block(&self->filter, number))
            continue;
        segment_expect_block(self->segment, number);
        expected++;
    }
}

/* What a walk needs that looks into blocks. */
static void
make_room(struct segment_walk *self)
{
    uint32_t block_count = segment_info(self->segment)->block_count;
    if (self->plan_end > block_count)
        self->plan_end = block_count; /* it was damaged since its blocks were counted */
    self->left = alloc_array(block_count, sizeof(*self->left));
    self->looks = alloc_array(block_count, sizeof(*self->looks));
    self->cache = block_cache_new(self->segment, block_count, tape_block_pool(self->tape));
}

/* Open the file, as far as that is needed. CURSOR_EVENT: it is; CURSOR_END: it has nothing to give. */
static enum cursor_step
start(struct segment_walk *self, struct error *err)
{
    if (self->segment != NULL)
        return CURSOR_EVENT;
    bool was_open = segment_file_is_open(as_segment(self->walk.part)->file);
    enum cursor_step step = segment_part_hold(self->walk.part, self->tape, &self->segment, err);
    if (step != CURSOR_EVENT)
        return step;
    segment_filter_start(&self->filter, self->segment, self->tape, self->options.query,
        self->options.first_seq, self->options.end_seq);
    if (!self->filter.is_hopeless) {
        make_room(self);
        if (!was_open && self->filter.token_count > 0)
            expect_blocks(self);
    }
    self->sections = sections_wanted(self);
    begin_slices(self);
    return CURSOR_EVENT;
}

enum cursor_step
segment_walk_open(struct part_walk *walk, struct segment_reading *read, struct error *err)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    enum cursor_step step = start(self, err);
    if (step == CURSOR_EVENT)
        *read = (struct segment_reading){self->segment, self->cache, self->tape};
    return step;
}

/* Is it known without opening the file that it holds no match? */
static bool
is_out_of_question(const struct segment_walk *self)
{
    struct segment_file *file = as_segment(self->walk.part)->file;
    struct error ignored;
    if (self->options.query == NULL || segment_file_is_open(file))
        return false;
    const struct lanes *lanes = segment_file_lanes(file, &ignored);
    if (segment_filter_excludes(self->options.query, segment_file_info(file), lanes, self->tape))
        return true;
    struct query_token tokens[FILTER_TOKENS_MAX];
    size_t count = segment_filter_needs(self->options.query, self->tape, tokens);
    return !segment_file_may_hold(file, tokens, count);
}

/* ---- planning ---- */

static void
add_places(struct segment_walk *self, uint32_t number, const struct block *block)
{
    if (block->count > self->selected_room) {
        self->selected_room = block->count;
        self->selected =
            alloc_resize(self->selected, self->selected_room * sizeof(*self->selected));
    }
    uint32_t count = segment_filter_select(&self->filter, block, number, self->selected);
    place_list_add(&self->places, block, number, self->selected, count);
    self->left[number] += count;
}

/* When nothing more will come out of it. */
static void
drop_if_over(struct segment_walk *self, uint32_t number)
{
    if (self->left[number] == 0 && (self->looks[number] & LOOK_CLOSED) != 0)
        block_cache_drop_later(self->cache, number);
}

/* Have the block as segment_filter_find() needs it. *block is NULL when its bytes say that it holds no match.
 * False with *err. */
static bool
open_block(
    struct segment_walk *self, uint32_t number, const struct block **block, struct error *err)
{
    enum block_section peek = segment_filter_peek_section(&self->filter);
    *block = NULL;
    if (peek != BLOCK_META) {
        const struct block *packed = block_cache_unpack(self->cache, number, BLOCK_BIT(peek), err);
        if (packed == NULL)
            return false;
        if (!segment_filter_peek(&self->filter, packed, number))
            return true;
    }
    *block =
        block_cache_read(self->cache, number, segment_filter_select_sections(&self->filter), err);
    return *block != NULL;
}

static void
count_block(struct segment_walk *self, uint32_t number, uint64_t *budget)
{
    const struct block_info *info = segment_block(self->segment, number);
    struct cursor_progress *progress = self->options.progress;
    *budget -= lower(*budget, info->event_count);
    if ((self->looks[number] & LOOK_COUNTED) != 0)
        return;
    self->looks[number] |= LOOK_COUNTED;
    progress->scanned_blocks++;
    progress->scanned_events += info->event_count;
    progress->scanned_bytes += info->record_bytes;
}

static void
prune_block(struct segment_walk *self, uint32_t number)
{
    self->options.progress->pruned_blocks += (self->looks[number] & LOOK_COUNTED) == 0;
    self->looks[number] |= LOOK_COUNTED | LOOK_CLOSED;
}

/* Has the block nothing for the slices that come after this one? */
static bool
ends_here(const struct segment_walk *self, const struct block_info *info)
{
    return self->is_last_slice || (self->options.newest_first ? info->min_seq >= self->slice_first
                                                              : info->max_seq < self->slice_end);
}

/* Look into one block. False: it cannot be read at all. */
static bool
plan_block(struct segment_walk *self, uint32_t number, uint64_t *budget, struct error *err)
{
    const struct block_info *info = segment_block(self->segment, number);
    if ((self->looks[number] & LOOK_CLOSED) != 0)
        return true;
    bool is_outside = info->min_seq >= self->slice_end || info->max_seq < self->slice_first;
    if (is_outside && !ends_here(self, info))
        return true;
    if (is_outside || !segment_filter_block(&self->filter, number)) {
        prune_block(self, number);
        return true;
    }
    count_block(self, number, budget);
    const struct block *block;
    if (!open_block(self, number, &block, err)) {
        self->looks[number] |= LOOK_CLOSED;
        if (err->code != ERROR_DAMAGED)
            return false;
        tape_note_block(self->tape, info, err->text);
        return true;
    }
    if (block != NULL)
        add_places(self, number, block);
    if (block == NULL || ends_here(self, info))
        self->looks[number] |= LOOK_CLOSED;
    drop_if_over(self, number);
    return true;
}
/* CURSOR_EVENT: planned. */
static enum cursor_step
plan(struct segment_walk *self, uint64_t *budget, struct error *err)
{
    if (self->filter.is_hopeless) {
        self->options.progress->pruned_blocks += blocks_to_plan(self);
        self->is_planned = self->is_last_slice = true;
        return CURSOR_EVENT;
    }
    for (; self->plan_block < self->plan_end; self->plan_block += self->plan_step) {
        if (*budget == 0)
            return CURSOR_PAUSED;
        if (!plan_block(self, self->plan_block, budget, err))
            return CURSOR_FAILED;
    }
    place_list_sort(&self->places, self->slice_first, self->slice_end);
    if (self->options.by_time)
        place_list_sort_by_time(&self->places);
    self->next = self->options.newest_first ? self->places.count : 0;
    self->is_planned = true;
    return CURSOR_EVENT;
}

/* ---- giving out ---- */

/* Read the event, out of its block whole or alone. */
static bool
read_event(
    struct segment_walk *self, const struct place *place, struct event *event, struct error *err)
{
    uint32_t number = place->block;
    if ((self->looks[number] & LOOK_CLOSED) != 0 && self->left[number] <= FEW_EVENTS)
        return block_cache_event(self->cache, number, self->sections, place->index, event, err);
    const struct block *block = block_cache_read(self->cache, number, self->sections, err);
    if (block != NULL)
        block_event(block, place->index, event);
    return block != NULL;
}

/* The event at the place, whose block is not at hand whole. CURSOR_END: it is damaged. */
static enum cursor_step
read_place(struct segment_walk *self, const struct place *place, uint64_t *budget,
    struct event *event, struct error *err)
{
    const struct block_info *info = segment_block(self->segment, place->block);
    if (*budget == 0)
        return CURSOR_PAUSED;
    *budget -= lower(*budget, info->event_count);
    if (read_event(self, place, event, err))
        return CURSOR_EVENT;
    if (err->code != ERROR_DAMAGED)
        return CURSOR_FAILED;
    tape_note_block(self->tape, info, err->text);
    self->left[place->block] = 0; /* reading it again for each of its events says nothing new */
    self->looks[place->block] |= LOOK_CLOSED;
    return CURSOR_END;
}

/* The event at the place. CURSOR_END: its block is damaged. */
static enum cursor_step
take(struct segment_walk *self, const struct place *place, uint64_t *budget, struct event *event,
    struct error *err)
{
    uint32_t number = place->block;
    if (self->left[number] == 0)
        return CURSOR_END;
    const struct block *block = block_cache_get(self->cache, number, self->sections);
    if (block != NULL) {
        block_event(block, place->index, event);
    } else {
        enum cursor_step step = read_place(self, place, budget, event, err);
        if (step != CURSOR_EVENT)
            return step;
    }
    self->left[number]--;
    drop_if_over(self, number);
    return CURSOR_EVENT;
}

/* The columns of the events that come next lie in as many places as there are lanes. */
static void
expect_event(const struct segment_walk *self, size_t number)
{
    size_t ahead = self->options.newest_first ? number - EVENTS_AHEAD : number + EVENTS_AHEAD;
    if (ahead >= self->places.count)
        return;
    const struct place *place = &self->places.places[ahead];
    const struct block *block = block_cache_peek(self->cache, place->block, self->sections);
    if (block != NULL)
        block_expect_event(block, place->index);
}

/* See to it that a place is next. CURSOR_END: none is left in the last slice. */
static enum cursor_step
have_places(struct segment_walk *self, uint64_t *budget, struct error *err)
{
    for (;;) {
        if (!self->is_planned) {
            enum cursor_step step = plan(self, budget, err);
            if (step != CURSOR_EVENT)
                return step;
        }
        if (self->options.newest_first ? self->next > 0 : self->next < self->places.count)
            return CURSOR_EVENT;
        if (self->is_last_slice)
            return CURSOR_END;
        set_slice(self, self->options.newest_first ? self->slice_first : self->slice_end);
        self->places.count = self->next = 0;
        self->plan_block = self->options.first_block + self->options.share;
        self->is_planned = false;
    }
}

enum cursor_step
segment_walk_next(struct part_walk *walk, uint64_t *budget, struct event *event, struct error *err)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    if (!self->is_planned) {
        if (self->segment == NULL && is_out_of_question(self)) {
            self->options.progress->pruned_blocks += blocks_to_plan(self);
            self->is_planned = self->is_last_slice = true;
            return CURSOR_END;
        }
        enum cursor_step step = start(self, err);
        if (step != CURSOR_EVENT)
            return step;
    }
    for (;;) {
        enum cursor_step step = have_places(self, budget, err);
        if (step != CURSOR_EVENT)
            return step;
        size_t number = self->options.newest_first ? self->next - 1 : self->next;
        const struct place *place = &self->places.places[number];
        expect_event(self, number);
        step = take(self, place, budget, event, err);
        if (step == CURSOR_PAUSED)
            return step;
        self->next = self->options.newest_first ? self->next - 1 : self->next + 1;
        if (step != CURSOR_END)
            return step;
    }
}
