#include "index/cursor.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/part.h"
#include "index/query.h"
#include "index/tape.h"
#include "index/tape_internal.h"

/* One match of a sorting cursor. Sorted by high, middle, low, seq. */
struct sort_row {
    int64_t major;
    int64_t minor;
    uint64_t seq;
};

/* By seq, a cursor is always inside one part or between two: everything below next_seq (above it,
 * newest first: at or above) has been looked at. By another order it first walks everything by seq
 * into rows[], sorts, and then fetches row by row. */
struct cursor {
    struct tape *tape;
    struct cursor_options options;
    struct query_matcher *matcher;
    struct query_bounds bounds;
    struct cursor_progress progress;
    struct part_walk *walk;
    uint64_t next_seq;
    bool sorted;
    struct sort_row *rows;
    size_t row_count;
    size_t row_capacity;
    size_t row;
    struct part_walk *fetch; /* keeps the place of single reads; fetch_seq is its next seq */
    uint64_t fetch_seq;
    struct cursor_progress fetch_progress; /* counted for nobody */
};

static const struct query_bounds open_bounds = {
    INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX, 0, UINT64_MAX, 0, INT64_MAX};

struct cursor *
cursor_new(struct tape *tape, const struct cursor_options *options)
{
    struct cursor *cursor = alloc_zeroed(sizeof(*cursor));
    cursor->tape = tape;
    cursor->options = *options;
    cursor->bounds = open_bounds;
    if (options->query != NULL) {
        cursor->matcher = query_matcher_new(options->query);
        query_bounds(options->query, &cursor->bounds);
    }
    if (cursor->options.first_seq < cursor->bounds.first_seq)
        cursor->options.first_seq = cursor->bounds.first_seq;
    if (cursor->options.end_seq == 0)
        cursor->options.end_seq = UINT64_MAX;
    if (cursor->bounds.last_seq < cursor->options.end_seq - 1)
        cursor->options.end_seq = cursor->bounds.last_seq + 1;
    cursor->next_seq = cursor->options.first_seq;
    if (options->order == CURSOR_BY_SEQ && options->newest_first) {
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
    end_walk(&cursor->fetch);
    query_matcher_free(cursor->matcher);
    free(cursor->rows);
    free(cursor);
}

static struct part_walk *
begin_walk(struct cursor *cursor, struct part *part, bool newest_first)
{
    struct part_walk_options options = {
        .query = cursor->options.query,
        .first_seq = cursor->options.first_seq,
        .end_seq = cursor->options.end_seq,
        .newest_first = newest_first,
        .progress = &cursor->progress,
    };
    if (newest_first)
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
    if (cursor->options.newest_first) {
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
    bool newest_first = cursor->options.newest_first && cursor->options.order == CURSOR_BY_SEQ;
    for (;;) {
        if (cursor->walk == NULL) {
            struct part *part = newest_first ? part_downward(cursor) : part_upward(cursor);
            if (part == NULL)
                return CURSOR_END;
            cursor->walk = begin_walk(cursor, part, newest_first);
        }
        enum cursor_step step = cursor->walk->part->ops->next(cursor->walk, budget, event, err);
        if (step != CURSOR_END) {
            if (step == CURSOR_EVENT)
                cursor->next_seq = newest_first ? event->seq : event->seq + 1;
            return step;
        }
        if (!leave_part(cursor))
            return CURSOR_END;
    }
}

/* Does the query, asked of the whole event, say yes? */
static bool
matches(struct cursor *cursor, const struct event *event)
{
    return cursor->matcher == NULL || query_matches(cursor->matcher, event);
}

static enum cursor_step
next_by_seq(struct cursor *cursor, uint64_t *budget, struct event *event, struct error *err)
{
    enum cursor_step step;
    do {
        step = next_candidate(cursor, budget, event, err);
    } while (step == CURSOR_EVENT && !matches(cursor, event));
    return step;
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
    int64_t lane = (int64_t)event->stream->id << 32 | (uint32_t)event->partition;
    return (struct sort_row){lane, event->offset, event->seq};
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
                "more than %llu events match: too many to sort; narrow the query, or take them by seq",
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

static enum cursor_step
next_sorted(struct cursor *cursor, uint64_t *budget, struct event *event, struct error *err)
{
    if (!cursor->sorted) {
        enum cursor_step step = collect_rows(cursor, budget, err);
        if (step != CURSOR_EVENT)
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
    *progress = cursor->progress;
    progress->total_blocks = progress->scanned_blocks + progress->pruned_blocks;
}

/* A walk from `seq` on in the part that holds it. */
static struct part_walk *
fetch_walk(struct cursor *cursor, struct part *part, uint64_t seq)
{
    struct part_walk_options options = {
        .first_seq = seq, .end_seq = UINT64_MAX, .progress = &cursor->fetch_progress};
    return part->ops->walk(part, cursor->tape, &options);
}

enum cursor_step
cursor_fetch_seq(struct cursor *cursor, uint64_t seq, struct event *event, struct error *err)
{
    struct part *part = tape_part_at(cursor->tape, seq);
    if (part == NULL || part->first_seq > seq) {
        end_walk(&cursor->fetch);
        return CURSOR_END;
    }
    /* Going upward within what is already read is the common case of sorted output. */
    if (cursor->fetch == NULL || cursor->fetch->part != part || seq < cursor->fetch_seq ||
        seq - cursor->fetch_seq > 512) {
        end_walk(&cursor->fetch);
        cursor->fetch = fetch_walk(cursor, part, seq);
    }
    uint64_t budget = UINT64_MAX;
    enum cursor_step step;
    do {
        step = part->ops->next(cursor->fetch, &budget, event, err);
    } while (step == CURSOR_EVENT && event->seq < seq);
    if (step != CURSOR_EVENT) {
        end_walk(&cursor->fetch);
        return step;
    }
    cursor->fetch_seq = event->seq + 1;
    return event->seq == seq ? CURSOR_EVENT : CURSOR_END;
}

enum cursor_step
cursor_fetch_offset(struct cursor *cursor, const struct stream *stream, int32_t partition,
    int64_t offset, struct event *event, struct error *err)
{
    for (size_t i = 0; i < tape_part_count(cursor->tape); i++) {
        struct part *part = tape_part(cursor->tape, i);
        struct part_walk *walk = fetch_walk(cursor, part, part->first_seq);
        enum cursor_step step =
            part->ops->fetch_offset(walk, stream->id, partition, offset, event, err);
        if (step == CURSOR_END) {
            end_walk(&walk);
            continue;
        }
        /* The event's bytes live in the walk. */
        end_walk(&cursor->fetch);
        cursor->fetch = walk;
        cursor->fetch_seq = UINT64_MAX;
        return step;
    }
    return CURSOR_END;
}
