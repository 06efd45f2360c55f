#include "index/cursor.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block_pool.h"
#include "index/cursor_internal.h"
#include "index/ordered_walk.h"
#include "index/part.h"
#include "index/query.h"
#include "index/tape.h"
#include "index/tape_internal.h"

/* Parts that single reads keep open at a time: events in the order of their times go back and forth
 * between neighbours. */
#define FETCH_PARTS 3

/* How many parts are told at a time that they come next. */
#define EXPECTED_PARTS 32u

/* Of those, how many of the next that may have a match are told that they will be opened. */
#define EXPECTED_OPEN 8u

/* Merging by offset keeps a block of each of its parts at hand and the files open; beyond this many parts
 * it is better to sort. By time it is the places of all events of the parts whose times overlap, some 24 bytes each. */
#define MERGE_PARTS_MAX  512u
#define MERGE_EVENTS_MAX UINT64_C(4000000)

/* One match of a sorting cursor. Sorted by high, middle, low, seq. */
struct sort_row {
    int64_t major;
    int64_t minor;
    uint64_t seq;
};

/* By seq, a cursor is always inside one part or between two: everything below next_seq (above it,
 * newest first: at or above) has been looked at. By another order it first walks everything by seq
 * into rows[], sorts, and then fetches row by row. Oldest first, parts that can give their events in that
 * order are left out of the rows and merged with them. */
struct cursor {
    struct tape *tape;
    struct cursor_options options;
    struct query_matcher *matcher;
    struct query_bounds bounds;
    struct cursor_progress progress;
    bool downward; /* the walk goes from new to old: by seq, newest first */
    struct part_walk *walk;
    unsigned expected; /* parts that come next and know it */
    uint64_t next_seq;
    bool sorted;
    struct sort_row *rows;
    size_t row_count;
    size_t row_capacity;
    size_t row;
    struct ordered_merge *merge;           /* NULL: all of it is in rows */
    struct part_walk *fetch[FETCH_PARTS];  /* what single reads have at hand, one per part */
    size_t fetch_turn;                     /* which of them makes room next */
    struct cursor_progress fetch_progress; /* counted for nobody */
};

static const struct query_bounds open_bounds = {
    INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX, 0, UINT64_MAX, 0, INT64_MAX};

/* How the part is walked in the order that is wanted; NULL: it must be sorted. */
static const struct ordered_walk_ops *
ordered_ops(const struct cursor *cursor, const struct part *part)
{
    return cursor->options.order == CURSOR_BY_TIME ? part->ops->by_time : part->ops->by_lane;
}

/* How many events the parts have that reach over the moment, which is that of the first event of one of them. */
static uint64_t
events_over(const struct cursor *cursor, int64_t moment_ns)
{
    uint64_t events = 0;
    for (size_t i = 0; i < tape_part_count(cursor->tape); i++) {
        struct part_extent extent;
        const struct part *part = tape_part(cursor->tape, i);
        part->ops->extent(part, &extent);
        if (part->ops->by_time != NULL && extent.min_time_ns <= moment_ns &&
            extent.max_time_ns >= moment_ns)
            events += extent.events;
    }
    return events;
}

static bool
overlaps_too_much(const struct cursor *cursor)
{
    for (size_t i = 0; i < tape_part_count(cursor->tape); i++) {
        struct part_extent extent;
        const struct part *part = tape_part(cursor->tape, i);
        part->ops->extent(part, &extent);
        if (part->ops->by_time != NULL &&
            events_over(cursor, extent.min_time_ns) > MERGE_EVENTS_MAX)
            return true;
    }
    return false;
}

/* Take in what can be walked in the order, as the tape is now. */
static void
begin_merge(struct cursor *cursor)
{
    size_t count = tape_part_count(cursor->tape);
    struct part_walk_options options = {
        .query = cursor->options.query,
        .first_seq = cursor->options.first_seq,
        .end_seq = cursor->options.end_seq,
        .progress = &cursor->progress,
    };
    if (count > MERGE_PARTS_MAX ||
        (cursor->options.order == CURSOR_BY_TIME && overlaps_too_much(cursor)))
        return;
    cursor->merge = ordered_merge_new();
    for (size_t i = 0; i < count; i++) {
        struct part *part = tape_part(cursor->tape, i);
        const struct ordered_walk_ops *ops = ordered_ops(cursor, part);
        if (ops != NULL)
            ordered_merge_add(cursor->merge, ops, part, cursor->tape, &options);
    }
}

struct cursor *
cursor_new(struct tape *tape, const struct cursor_options *options)
{
    struct cursor *cursor = alloc_zeroed(sizeof(*cursor));
    cursor->tape = tape;
    block_pool_enter(tape_block_pool(tape));
    cursor->options = *options;
    cursor->bounds = open_bounds;
    if (options->query != NULL) {
        cursor->matcher = query_matcher_new(options->query);
        cursor->options.unwanted &= ~query_bytes(options->query);
        query_bounds(options->query, &cursor->bounds);
    }
    if (cursor->options.first_seq < cursor->bounds.first_seq)
        cursor->options.first_seq = cursor->bounds.first_seq;
    if (cursor->options.end_seq == 0)
        cursor->options.end_seq = UINT64_MAX;
    if (cursor->bounds.last_seq < cursor->options.end_seq - 1)
        cursor->options.end_seq = cursor->bounds.last_seq + 1;
    cursor->next_seq = cursor->options.first_seq;
    if (options->order != CURSOR_BY_SEQ && !options->newest_first)
        begin_merge(cursor);
    cursor->downward = options->order == CURSOR_BY_SEQ && options->newest_first;
    if (cursor->downward) {
        uint64_t end = tape_end_seq(tape);
        cursor->next_seq = end < cursor->options.end_seq ? end : cursor->options.end_seq;
    }
    return cursor;
}

static void
end_walk(struct part_walk **walk)
{
    if (*walk != NULL)
        (*walk)->part->ops->walk_free(*walk);
    *walk = NULL;
}

void
cursor_free(struct cursor *cursor)
{
    if (cursor == NULL)
        return;
    end_walk(&cursor->walk);
    for (size_t i = 0; i < FETCH_PARTS; i++)
        end_walk(&cursor->fetch[i]);
    ordered_merge_free(cursor->merge);
    block_pool_leave(tape_block_pool(cursor->tape));
    query_matcher_free(cursor->matcher);
    free(cursor->rows);
    free(cursor);
}

static struct part *
part_behind(const struct cursor *cursor, const struct part *part)
{
    return cursor->downward ? tape_part_below(cursor->tape, part->first_seq)
                            : tape_part_at(cursor->tape, part->end_seq);
}

/* Let the parts that come next have read what they will be asked first, all at the same time; then those that may have
 * a match what they need to be opened. */
static void
expect_parts(struct cursor *cursor, struct part *part)
{
    const struct query *query = cursor->options.query;
    struct part *first = part;
    unsigned opened = 0;
    bool must_read = false;
    if (query == NULL || cursor->expected-- > 0)
        return;
    for (cursor->expected = 0; part != NULL && cursor->expected < EXPECTED_PARTS;
         cursor->expected++) {
        if (part->ops->expect != NULL)
            must_read |= part->ops->expect(part, cursor->tape, query);
        part = part_behind(cursor, part);
    }
    part = first;
    for (unsigned i = 0; must_read && i < cursor->expected && opened < EXPECTED_OPEN; i++) {
        if (part->ops->expect_open != NULL)
            opened += part->ops->expect_open(part, cursor->tape, query);
        part = part_behind(cursor, part);
    }
}

static struct part_walk *
begin_walk(struct cursor *cursor, struct part *part)
{
    expect_parts(cursor, part);
    struct part_walk_options options = {
        .query = cursor->options.query,
        .first_seq = cursor->options.first_seq,
        .end_seq = cursor->options.end_seq,
        .newest_first = cursor->downward,
        .unwanted = cursor->options.unwanted,
        .progress = &cursor->progress,
    };
    if (cursor->downward)
        options.end_seq = cursor->next_seq;
    else if (cursor->next_seq > options.first_seq)
        options.first_seq = cursor->next_seq;
    return part->ops->walk(part, cursor->tape, &options);
}

/* The part to go on with, oldest first. NULL: the end as of now. */
static struct part *
part_upward(struct cursor *cursor)
{
    if (cursor->next_seq >= cursor->options.end_seq)
        return NULL;
    struct part *part = tape_part_at(cursor->tape, cursor->next_seq);
    while (part != NULL && cursor->merge != NULL && ordered_merge_has(cursor->merge, part->id)) {
        cursor->next_seq = part->end_seq;
        part = tape_part_at(cursor->tape, cursor->next_seq);
    }
    if (part == NULL || part->first_seq >= cursor->options.end_seq)
        return NULL;
    return part;
}

static struct part *
part_downward(struct cursor *cursor)
{
    if (cursor->next_seq <= cursor->options.first_seq)
        return NULL;
    struct part *part = tape_part_below(cursor->tape, cursor->next_seq);
    if (part == NULL || part->end_seq <= cursor->options.first_seq)
        return NULL;
    return part;
}

/* The walk has no more as of now. True: there may be another part to go on with. */
static bool
leave_part(struct cursor *cursor)
{
    struct part *part = cursor->walk->part;
    if (cursor->downward) {
        cursor->next_seq = part->first_seq;
        end_walk(&cursor->walk);
        return true;
    }
    /* A journal that may still grow keeps its walk, so that following costs no second start. */
    if (cursor->next_seq < part->end_seq)
        cursor->next_seq = part->end_seq;
    if (!part->is_final && !part->is_detached)
        return false;
    end_walk(&cursor->walk);
    return true;
}

/* The next event by seq that may match. */
static enum cursor_step
next_candidate(struct cursor *cursor, uint64_t *budget, struct event *event, struct error *err)
{
    for (;;) {
        if (cursor->walk == NULL) {
            struct part *part = cursor->downward ? part_downward(cursor) : part_upward(cursor);
            if (part == NULL)
                return CURSOR_END;
            cursor->walk = begin_walk(cursor, part);
        }
        enum cursor_step step = cursor->walk->part->ops->next(cursor->walk, budget, event, err);
        if (step != CURSOR_END) {
            if (step == CURSOR_EVENT)
                cursor->next_seq = cursor->downward ? event->seq : event->seq + 1;
            return step;
        }
        if (!leave_part(cursor))
            return CURSOR_END;
    }
}

/* Does the query, asked of the whole event, say yes? What that cost beyond looking at it is taken from *budget. */
static bool
matches(struct cursor *cursor, const struct event *event, uint64_t *budget)
{
    if (cursor->matcher == NULL)
        return !stream_is_internal(event->stream);
    uint64_t before = query_effort(cursor->matcher);
    bool is_match = query_matches(cursor->matcher, event);
    uint64_t effort = query_effort(cursor->matcher) - before;
    *budget -= effort < *budget ? effort : *budget;
    return is_match;
}

static enum cursor_step
next_by_seq(struct cursor *cursor, uint64_t *budget, struct event *event, struct error *err)
{
    for (;;) {
        enum cursor_step step = next_candidate(cursor, budget, event, err);
        if (step != CURSOR_EVENT || matches(cursor, event, budget))
            return step;
        if (*budget == 0)
            return CURSOR_PAUSED;
    }
}

static int
compare_rows(const void *a, const void *b)
{
    const struct sort_row *left = a;
    const struct sort_row *right = b;
    if (left->major != right->major)
        return left->major < right->major ? -1 : 1;
    if (left->minor != right->minor)
        return left->minor < right->minor ? -1 : 1;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

static struct sort_row
row_of(const struct cursor *cursor, const struct event *event)
{
    if (cursor->options.order == CURSOR_BY_TIME)
        return (struct sort_row){event_time(event), 0, event->seq};
    return (struct sort_row){
        walk_lane(event->stream->id, event->partition), event->offset, event->seq};
}

/* Walk everything into rows[]. CURSOR_EVENT: sorted. */
static enum cursor_step
collect_rows(struct cursor *cursor, uint64_t *budget, struct error *err)
{
    struct event event;
    enum cursor_step step;
    while ((step = next_by_seq(cursor, budget, &event, err)) == CURSOR_EVENT) {
        if (cursor->row_count >= CURSOR_SORT_MAX) {
            (void)error_set(err, ERROR_LIMIT,
                "more than %llu events match: too many to sort; narrow the query, or take them by "
                "seq",
                (unsigned long long)CURSOR_SORT_MAX);
            return CURSOR_FAILED;
        }
        cursor->rows = alloc_grow(
            cursor->rows, cursor->row_count, &cursor->row_capacity, sizeof(*cursor->rows));
        cursor->rows[cursor->row_count++] = row_of(cursor, &event);
    }
    if (step != CURSOR_END)
        return step;
    end_walk(&cursor->walk);
    if (cursor->row_count > 1)
        qsort(cursor->rows, cursor->row_count, sizeof(*cursor->rows), compare_rows);
    cursor->sorted = true;
    return CURSOR_EVENT;
}

/* Does the next row come before the place? */
static bool
row_is_first(const struct cursor *cursor, const struct walk_place *place)
{
    if (cursor->row == cursor->row_count)
        return false;
    const struct sort_row *row = &cursor->rows[cursor->row];
    struct walk_place of_row = {row->major, row->minor, row->seq, true};
    return walk_place_compare(&of_row, place) < 0;
}

/* The next out of the merged parts, unless a row comes before it: then CURSOR_END. */
static enum cursor_step
next_merged(struct cursor *cursor, uint64_t *budget, struct event *event, struct error *err)
{
    for (;;) {
        struct walk_place place;
        enum cursor_step step = ordered_merge_peek(cursor->merge, budget, &place, err);
        if (step != CURSOR_EVENT)
            return step;
        if (row_is_first(cursor, &place))
            return CURSOR_END;
        step = ordered_merge_take(cursor->merge, event, err);
        if (step == CURSOR_FAILED || (step == CURSOR_EVENT && matches(cursor, event, budget)))
            return step;
        if (*budget == 0)
            return CURSOR_PAUSED;
    }
}

static enum cursor_step
next_sorted(struct cursor *cursor, uint64_t *budget, struct event *event, struct error *err)
{
    if (!cursor->sorted) {
        enum cursor_step step = collect_rows(cursor, budget, err);
        if (step != CURSOR_EVENT)
            return step;
    }
    if (cursor->merge != NULL) {
        enum cursor_step step = next_merged(cursor, budget, event, err);
        if (step != CURSOR_END)
            return step;
    }
    while (cursor->row < cursor->row_count) {
        size_t row = cursor->row++;
        if (cursor->options.newest_first)
            row = cursor->row_count - 1 - row;
        enum cursor_step step = cursor_fetch_seq(cursor, cursor->rows[row].seq, event, err);
        /* Retention may have taken it meanwhile. */
        if (step != CURSOR_END)
            return step;
    }
    return CURSOR_END;
}

enum cursor_step
cursor_next(struct cursor *cursor, uint64_t budget, struct event *event, struct error *err)
{
    uint64_t left = budget == 0 ? UINT64_MAX : budget;
    enum cursor_step step = cursor->options.order == CURSOR_BY_SEQ
                                ? next_by_seq(cursor, &left, event, err)
                                : next_sorted(cursor, &left, event, err);
    if (step == CURSOR_EVENT)
        cursor->progress.matched++;
    return step;
}

void
cursor_progress(const struct cursor *cursor, struct cursor_progress *progress)
{
    uint64_t done = cursor->progress.scanned_blocks + cursor->progress.pruned_blocks;
    uint64_t total = 0;
    for (size_t i = 0; i < tape_part_count(cursor->tape); i++) {
        const struct part *part = tape_part(cursor->tape, i);
        struct part_extent extent;
        if (part->end_seq <= cursor->options.first_seq ||
            part->first_seq >= cursor->options.end_seq)
            continue;
        part->ops->extent(part, &extent);
        total += extent.blocks;
    }
    *progress = cursor->progress;
    progress->gave_up = cursor_gave_up(cursor);
    progress->total_blocks = total > done ? total : done;
}

uint64_t
cursor_gave_up(const struct cursor *cursor)
{
    return cursor->matcher == NULL ? 0 : query_gave_up(cursor->matcher);
}

bool
cursor_hand_over(struct cursor *cursor, struct cursor_rest *rest)
{
    if (cursor->options.order != CURSOR_BY_SEQ || cursor->walk == NULL)
        return false;
    struct part *part = cursor->walk->part;
    *rest = (struct cursor_rest){
        .part = part,
        .first_seq = cursor->options.first_seq,
        .end_seq = cursor->options.end_seq,
    };
    if (part->ops->cut != NULL) {
        rest->shares_part = true;
        rest->first_block = part->ops->cut(cursor->walk);
    }
    if (cursor->options.first_seq < part->first_seq)
        cursor->options.first_seq = part->first_seq;
    if (cursor->options.end_seq > part->end_seq)
        cursor->options.end_seq = part->end_seq;
    return true;
}

uint64_t
cursor_scanned_bytes(const struct cursor *cursor)
{
    return cursor->progress.scanned_bytes;
}

/* A walk for single reads in the part. */
static struct part_walk *
fetch_walk(struct cursor *cursor, struct part *part)
{
    for (size_t i = 0; i < FETCH_PARTS; i++) {
        if (cursor->fetch[i] != NULL && cursor->fetch[i]->part == part)
            return cursor->fetch[i];
    }
    struct part_walk **fetch = &cursor->fetch[cursor->fetch_turn++ % FETCH_PARTS];
    struct part_walk_options options = {.end_seq = UINT64_MAX, .progress = &cursor->fetch_progress};
    end_walk(fetch);
    *fetch = part->ops->walk(part, cursor->tape, &options);
    return *fetch;
}

enum cursor_step
cursor_fetch_seq(struct cursor *cursor, uint64_t seq, struct event *event, struct error *err)
{
    struct part *part = tape_part_at(cursor->tape, seq);
    if (part == NULL || part->first_seq > seq)
        return CURSOR_END;
    return part->ops->fetch_seq(fetch_walk(cursor, part), seq, event, err);
}

enum cursor_step
cursor_fetch_offset(struct cursor *cursor, const struct stream *stream, int32_t partition,
    int64_t offset, struct event *event, struct error *err)
{
    for (size_t i = 0; i < tape_part_count(cursor->tape); i++) {
        struct part *part = tape_part(cursor->tape, i);
        enum cursor_step step = part->ops->fetch_offset(
            fetch_walk(cursor, part), stream->id, partition, offset, event, err);
        if (step != CURSOR_END)
            return step;
    }
    return CURSOR_END;
}
