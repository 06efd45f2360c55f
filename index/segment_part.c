/* A sealed segment as a part of the tape.
 *
 * A walk first plans: it goes through the blocks, skips those that cannot hold a match, and notes
 * where in them the events are that may; then it puts these places in the order of their seqs and gives
 * them out, decoding each block once and dropping it behind its last event.
 *
 * Whoever wants the newest events of a segment mostly wants few of them, and who wants all of them should not
 * need memory for all of its blocks: it is planned in slices, ranges of seqs of which each is twice as long as the
 * one before, up to SLICE_MAX. One slice has all when the bytes of the blocks say which few hold a match. */
#include "index/segment_part.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/block.h"
#include "index/block_cache.h"
#include "index/block_pool.h"
#include "index/catalogue.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/part.h"
#include "index/segment.h"
#include "index/segment_file.h"
#include "index/segment_filter.h"
#include "index/tape_internal.h"

/* How many events ahead memory is fetched. */
#define EXPECTED 12u

#define SLICE_SEQS 8192u
#define SLICE_MAX  16384u

/* Where an event is: number `index` of block `block`. */
struct place {
    uint64_t seq;
    uint32_t block;
    uint32_t index;
};

/* by_seq[seq - first_seq]: the place of each event, made when a single event is asked for first; an
 * index of UINT32_MAX: there is none. */
struct segment_as_part {
    struct part part;
    struct segment_file *file;
    struct place *by_seq;
};

static struct segment_as_part *
as_segment(struct part *part)
{
    return (struct segment_as_part *)part;
}

struct segment_file *
segment_part_file(struct part *part)
{
    return as_segment(part)->file;
}

static struct part *
make_part(struct segment_file *file)
{
    const struct segment_info *info = segment_file_info(file);
    struct segment_as_part *self = alloc_zeroed(sizeof(*self));
    self->file = file;
    self->part = (struct part){
        .ops = &segment_part,
        .id = info->id,
        .first_seq = info->first_seq,
        .end_seq = info->end_seq,
        .is_final = true,
    };
    return &self->part;
}

static struct part *
open_part(struct tape *tape, const char *path, struct error *err)
{
    struct segment_file *file = segment_file_open(tape, path, err);
    return file == NULL ? NULL : make_part(file);
}

static struct part *
salvage_part(struct tape *tape, const char *path, uint64_t id, const char *why, struct error *err)
{
    struct segment_file *file = segment_file_salvage(tape, path, id, why, err);
    return file == NULL ? NULL : make_part(file);
}

static struct part *
open_known(struct tape *tape, const char *path, struct catalogue_row *row)
{
    return make_part(segment_file_known(tape, path, row));
}

static void
close_part(struct part *part)
{
    struct segment_as_part *self = as_segment(part);
    segment_file_close(self->file);
    free(self->by_seq);
    free(self);
}

static bool
refresh(struct part *part, struct tape *tape, bool is_final, struct error *err)
{
    (void)part;
    (void)tape;
    (void)is_final;
    (void)err;
    return true;
}

static const struct lanes *
lanes_of(struct part *part, struct tape *tape, struct error *err)
{
    (void)tape;
    return segment_file_lanes(as_segment(part)->file, err);
}

static void
note_damage(void *self, const struct block_info *lost, const char *text)
{
    if (lost != NULL)
        tape_note_block(self, lost, text);
    else
        tape_note_damage(self, 0, 0, "%s", text);
}

static bool
verify(struct part *part, struct tape *tape, struct error *err)
{
    struct segment_file *file = as_segment(part)->file;
    struct segment *segment = segment_file_hold(file, err);
    if (segment == NULL) {
        if (err->code != ERROR_DAMAGED)
            return false;
        tape_note_damage(tape, part->first_seq, part->end_seq, "%s", err->text);
        return true;
    }
    bool could_read = segment_verify(segment, note_damage, tape, err);
    segment_file_release(file);
    return could_read;
}

/* places[next] (newest first: places[next - 1]) is given out next once `is_planned`; before that
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
    struct place *places;
    size_t place_count;
    size_t place_capacity;
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

static struct segment *
segment_of(const struct segment_walk *self)
{
    return self->segment;
}

static struct part_walk *
walk(struct part *part, struct tape *tape, const struct part_walk_options *options)
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

static uint32_t
cut(struct part_walk *walk)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    bool is_in_slices = self->segment != NULL && self->slice_seqs != UINT64_MAX;
    if (self->is_planned || is_in_slices)
        return segment_file_info(as_segment(walk->part)->file)->block_count;
    if (self->plan_block < self->plan_end)
        self->plan_end = self->plan_block;
    return self->plan_end;
}

static void
walk_free(struct part_walk *walk)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    block_cache_free(self->cache);
    free(self->places);
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
    if (segment_filter_peek_section(&self->filter) != BLOCK_META)
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

/* Open the file, as far as that is needed. CURSOR_EVENT: it is; CURSOR_END: it has nothing to give. */
static enum cursor_step
start(struct segment_walk *self, struct error *err)
{
    struct part *part = self->walk.part;
    if (self->segment != NULL)
        return CURSOR_EVENT;
    errno = 0;
    self->segment = segment_file_hold(as_segment(part)->file, err);
    if (self->segment == NULL) {
        if (errno == ENOENT)
            return CURSOR_END; /* retention took it meanwhile */
        if (err->code != ERROR_DAMAGED)
            return CURSOR_FAILED;
        tape_note_damage(self->tape, part->first_seq, part->end_seq, "%s", err->text);
        return CURSOR_END;
    }
    segment_filter_start(&self->filter, self->segment, self->tape, self->options.query,
        self->options.first_seq, self->options.end_seq);
    if (!self->filter.is_hopeless) {
        uint32_t block_count = segment_info(self->segment)->block_count;
        if (self->plan_end > block_count)
            self->plan_end = block_count; /* it was damaged since its blocks were counted */
        self->left = alloc_array(block_count, sizeof(*self->left));
        self->looks = alloc_array(block_count, sizeof(*self->looks));
        self->cache = block_cache_new(self->segment, block_count, tape_block_pool(self->tape));
    }
    self->sections = sections_wanted(self);
    begin_slices(self);
    return CURSOR_EVENT;
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

static void
expect(struct part *part, struct tape *tape, const struct query *query)
{
    struct segment_file *file = as_segment(part)->file;
    struct query_token tokens[FILTER_TOKENS_MAX];
    if (!segment_file_is_open(file))
        segment_file_expect(file, tokens, segment_filter_needs(query, tape, tokens));
}

/* ---- planning ---- */

static void
add_places(struct segment_walk *self, uint32_t number, const struct block *block)
{
    for (uint32_t i = segment_filter_find(&self->filter, block, 0); i < block->count;
         i = segment_filter_find(&self->filter, block, i + 1)) {
        self->places = alloc_grow(
            self->places, self->place_count, &self->place_capacity, sizeof(*self->places));
        self->places[self->place_count++] = (struct place){block->events[i].seq, number, i};
        self->left[number]++;
    }
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
    *block = block_cache_read(self->cache, number, segment_filter_sections(&self->filter), err);
    return *block != NULL;
}

static void
count_block(struct segment_walk *self, uint32_t number, uint64_t *budget)
{
    const struct block_info *info = segment_block(segment_of(self), number);
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
    const struct block_info *info = segment_block(segment_of(self), number);
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

static int
compare_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

/* Many places: each goes to the slot of its seq, and the slots are read off in order. */
static void
sort_by_slots(struct segment_walk *self, uint64_t span)
{
    uint64_t first_seq = self->slice_first;
    uint32_t *slots = alloc_array((size_t)span, sizeof(*slots));
    for (size_t i = 0; i < self->place_count; i++)
        slots[self->places[i].seq - first_seq] = (uint32_t)i + 1;
    struct place *sorted = alloc_array(self->place_count, sizeof(*sorted));
    size_t count = 0;
    for (uint64_t slot = 0; slot < span; slot++) {
        if (slots[slot] != 0)
            sorted[count++] = self->places[slots[slot] - 1];
    }
    free(slots);
    free(self->places);
    self->places = sorted;
    self->place_count = self->place_capacity = count;
}

static void
sort_places(struct segment_walk *self)
{
    uint64_t span = self->slice_end - self->slice_first;
    bool is_sorted = true;
    for (size_t i = 1; i < self->place_count && is_sorted; i++)
        is_sorted = self->places[i - 1].seq < self->places[i].seq;
    if (is_sorted)
        return;
    if (span / 16 < self->place_count)
        sort_by_slots(self, span);
    else
        qsort(self->places, self->place_count, sizeof(*self->places), compare_places);
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
    sort_places(self);
    self->next = self->options.newest_first ? self->place_count : 0;
    self->is_planned = true;
    return CURSOR_EVENT;
}

/* ---- giving out ---- */

/* Events in the order of arrival lie all over the blocks: have those that come soon on their way. */
static void
expect_later(const struct segment_walk *self, size_t number)
{
    size_t later = self->options.newest_first ? number - EXPECTED : number + EXPECTED;
    if (later < self->place_count)
        block_cache_expect(self->cache, self->places[later].block, self->places[later].index);
}

/* The block whole, for a place in it. CURSOR_END: it is damaged. */
static enum cursor_step
open_whole(struct segment_walk *self, uint32_t number, uint64_t *budget, const struct block **block,
    struct error *err)
{
    const struct block_info *info = segment_block(segment_of(self), number);
    if (*budget == 0)
        return CURSOR_PAUSED;
    *budget -= *budget < info->event_count ? *budget : info->event_count;
    *block = block_cache_read(self->cache, number, self->sections, err);
    if (*block != NULL)
        return CURSOR_EVENT;
    if (err->code != ERROR_DAMAGED)
        return CURSOR_FAILED;
    tape_note_block(self->tape, info, err->text);
    self->left[number] = 0; /* reading it again for each of its events says nothing new */
    self->looks[number] |= LOOK_CLOSED;
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
    if (block == NULL) {
        enum cursor_step step = open_whole(self, number, budget, &block, err);
        if (step != CURSOR_EVENT)
            return step;
    }
    self->left[number]--;
    drop_if_over(self, number);
    *event = block->events[place->index];
    return CURSOR_EVENT;
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
        if (self->options.newest_first ? self->next > 0 : self->next < self->place_count)
            return CURSOR_EVENT;
        if (self->is_last_slice)
            return CURSOR_END;
        set_slice(self, self->options.newest_first ? self->slice_first : self->slice_end);
        self->place_count = self->next = 0;
        self->plan_block = self->options.first_block + self->options.share;
        self->is_planned = false;
    }
}

static enum cursor_step
next_event(struct part_walk *walk, uint64_t *budget, struct event *event, struct error *err)
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
        const struct place *place = &self->places[number];
        expect_later(self, number);
        step = take(self, place, budget, event, err);
        if (step == CURSOR_PAUSED)
            return step;
        self->next = self->options.newest_first ? self->next - 1 : self->next + 1;
        if (step != CURSOR_END)
            return step;
    }
}

/* ---- single events ---- */

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
        const struct event *found = &block->events[i];
        if (found->stream->id == stream_id && found->partition == partition &&
            found->offset >= offset) {
            *event = *found;
            return CURSOR_EVENT;
        }
    }
    return CURSOR_END;
}

static enum cursor_step
fetch_offset(struct part_walk *walk, uint32_t stream_id, int32_t partition, int64_t offset,
    struct event *event, struct error *err)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    struct segment_file *file = as_segment(walk->part)->file;
    const struct lanes *lanes = segment_file_is_open(file) ? NULL : segment_file_lanes(file, err);
    const struct lane *lane = lanes == NULL ? NULL : lanes_find(lanes, stream_id, partition);
    if (lanes != NULL && (lane == NULL || lane->events == 0 || lane->last_offset < offset))
        return CURSOR_END;
    enum cursor_step step = start(self, err);
    if (step != CURSOR_EVENT)
        return step;

    uint32_t low = 0;
    uint32_t high = segment_info(segment_of(self))->block_count;
    uint32_t count = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ends_behind(segment_block(segment_of(self), middle), stream_id, partition, offset))
            high = middle;
        else
            low = middle + 1;
    }
    for (; low < count && begins_before(segment_block(self->segment, low), stream_id, partition);
         low++) {
        const struct block *block = block_cache_read(self->cache, low, BLOCK_ALL, err);
        if (block != NULL)
            return find_offset(block, stream_id, partition, offset, event);
        if (err->code != ERROR_DAMAGED)
            return CURSOR_FAILED;
        tape_note_block(self->tape, segment_block(self->segment, low), err->text);
    }
    return CURSOR_END;
}

/* Note where each event of the segment is. */
static bool
make_by_seq(struct segment_walk *self, struct error *err)
{
    struct segment_as_part *part = as_segment(self->walk.part);
    const struct segment_info *info = segment_info(self->segment);
    size_t span = (size_t)(info->end_seq - info->first_seq);
    struct place *places = alloc_array(span, sizeof(*places));
    memset(places, 0xff, span * sizeof(*places));
    struct block *block = block_new();
    bool good = true;
    for (uint32_t number = 0; good && number < info->block_count; number++) {
        good = segment_read_block(self->segment, number, BLOCK_BIT(BLOCK_META), block, err);
        for (uint32_t i = 0; good && i < block->count; i++)
            places[block->events[i].seq - info->first_seq] =
                (struct place){block->events[i].seq, number, i};
        if (!good && err->code == ERROR_DAMAGED)
            good = true; /* its events are not found, and a walk names the damage */
    }
    block_free(block);
    if (!good) {
        free(places);
        return false;
    }
    part->by_seq = places;
    return true;
}

static enum cursor_step
fetch_seq(struct part_walk *walk, uint64_t seq, struct event *event, struct error *err)
{
    struct segment_walk *self = (struct segment_walk *)walk;
    struct segment_as_part *part = as_segment(walk->part);
    if (seq < walk->part->first_seq || seq >= walk->part->end_seq)
        return CURSOR_END;
    enum cursor_step step = start(self, err);
    if (step != CURSOR_EVENT)
        return step;
    if (part->by_seq == NULL && !make_by_seq(self, err))
        return CURSOR_FAILED;
    assert(part->by_seq != NULL);
    const struct place *place = &part->by_seq[seq - walk->part->first_seq];
    if (place->index == UINT32_MAX)
        return CURSOR_END;
    const struct block *block = block_cache_read(self->cache, place->block, BLOCK_ALL, err);
    if (block == NULL)
        return err->code == ERROR_DAMAGED ? CURSOR_END : CURSOR_FAILED;
    *event = block->events[place->index];
    return CURSOR_EVENT;
}

static void
extent(const struct part *part, struct part_extent *extent)
{
    const struct segment_info *info =
        segment_file_info(((const struct segment_as_part *)part)->file);
    *extent = (struct part_extent){info->block_count, info->record_bytes};
}

const struct part_ops segment_part = {
    .suffix = "seg",
    .open = open_part,
    .open_known = open_known,
    .salvage = salvage_part,
    .close = close_part,
    .refresh = refresh,
    .lanes = lanes_of,
    .walk = walk,
    .expect = expect,
    .next = next_event,
    .walk_free = walk_free,
    .cut = cut,
    .extent = extent,
    .fetch_seq = fetch_seq,
    .fetch_offset = fetch_offset,
    .by_lane = &segment_lane_walk,
    .verify = verify,
};
