#include "console/hole_rows.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/hole.h"
#include "index/hole_times.h"
#include "index/query.h"
#include "index/tape.h"

struct search {
    struct hole_rows *rows;
    const struct query *query;
    struct query_bounds bounds;
    struct cursor *cursor;
    size_t looked_up;
};

static void
add_lane(struct search *search, const struct lane_summary *lane)
{
    struct hole_rows *rows = search->rows;
    rows->are_cut = rows->are_cut || lane->holes_not_kept > 0;
    for (size_t i = 0; i < lane->hole_count; i++) {
        struct hole_row row = {
            .lane = lane, .hole = &lane->holes[i], .times = {CLOCK_NONE, CLOCK_NONE}};
        if (!hole_is_in_offsets(row.hole, &search->bounds))
            continue;
        if (search->looked_up++ < HOLE_ROWS_TIMES_MAX)
            row.times = hole_times_of(search->cursor, lane, row.hole);
        if (!hole_is_in_time(row.hole, &row.times, &search->bounds))
            continue;
        rows->items = alloc_grow(rows->items, rows->count, &rows->capacity, sizeof(*rows->items));
        rows->items[rows->count++] = row;
    }
}

bool
hole_rows_find(
    struct hole_rows *rows, struct tape *tape, const struct query *query, struct error *err)
{
    size_t count = 0;
    const struct lane_summary *lanes = tape_lanes(tape, &count, err);
    *rows = (struct hole_rows){0};
    if (lanes == NULL)
        return false;
    struct search search = {.rows = rows,
        .query = query,
        .cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ})};
    query_bounds(query, &search.bounds);
    for (size_t i = 0; i < count; i++)
        if (query_may_match_lane(query, lanes[i].stream, lanes[i].partition))
            add_lane(&search, &lanes[i]);
    cursor_free(search.cursor);
    return true;
}

void
hole_rows_done(struct hole_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->items[i].explanation != NULL)
            free(rows->items[i].explanation->spans);
        free(rows->items[i].explanation);
    }
    free(rows->items);
    *rows = (struct hole_rows){0};
}

uint64_t
hole_row_offsets(const struct hole_row *row)
{
    return row->hole->to < row->hole->from ? 0 : (uint64_t)(row->hole->to - row->hole->from) + 1;
}

struct hole_sum
hole_rows_sum(const struct hole_rows *rows)
{
    struct hole_sum sum = {.offsets_are_known = true, .is_explained = true};
    for (size_t i = 0; i < rows->count; i++) {
        const struct hole_explanation *explanation = rows->items[i].explanation;
        uint64_t offsets = hole_row_offsets(&rows->items[i]);
        sum.offsets += offsets;
        sum.offsets_are_known = sum.offsets_are_known && offsets > 0;
        sum.is_explained = sum.is_explained && explanation != NULL && explanation->why[0] == '\0';
        for (size_t cause = 0; explanation != NULL && cause < HOLE_CAUSE_COUNT; cause++)
            sum.counts[cause] += explanation->counts[cause];
    }
    return sum;
}
