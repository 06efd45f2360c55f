#include "replay/plan_missing.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/hole_times.h"
#include "index/query.h"
#include "index/tape.h"
#include "replay/plan.h"

struct search {
    struct plan *plan;
    const struct query *query;
    struct query_bounds bounds;
    struct cursor *cursor;
    size_t capacity;
};

/* Beyond PLAN_HOLES_MAX nothing is looked up, and times do not narrow. */
static void
add_hole(struct search *search, const struct lane_summary *lane, const struct hole *hole)
{
    struct plan *plan = search->plan;
    if (plan->hole_count >= PLAN_HOLES_MAX) {
        plan->holes_not_named++;
        return;
    }
    struct hole_times times = hole_times_of(search->cursor, lane, hole);
    if (!hole_is_in_time(hole, &times, &search->bounds))
        return;
    plan->holes =
        alloc_grow(plan->holes, plan->hole_count, &search->capacity, sizeof(plan->holes[0]));
    plan->holes[plan->hole_count++] = (struct plan_hole){
        .tap = alloc_text(lane->stream->tap),
        .stream = alloc_text(lane->stream->name),
        .partition = lane->partition,
        .hole = *hole,
        .times = times,
    };
}

static void
add_lane(struct search *search, const struct lane_summary *lane)
{
    if (stream_is_internal(lane->stream) ||
        !query_may_match_lane(search->query, lane->stream, lane->partition))
        return;
    for (size_t i = 0; i < lane->hole_count; i++) {
        const struct hole *hole = &lane->holes[i];
        if (hole->reason != HOLE_COMPACTED_OR_ABORTED && hole_is_in_offsets(hole, &search->bounds))
            add_hole(search, lane, hole);
    }
    search->plan->holes_not_named += lane->holes_not_kept;
}

static struct plan_place
copy_place(const struct tape_place *place)
{
    if (place->stream == NULL)
        return (struct plan_place){0};
    return (struct plan_place){
        .tap = alloc_text(place->stream->tap),
        .stream = alloc_text(place->stream->name),
        .partition = place->partition,
        .offset = place->offset,
    };
}

static void
add_damage(struct plan *plan, const struct tape *tape)
{
    const struct tape_damage *damage = NULL;
    size_t count = tape_damage(tape, &damage);
    plan->damage = alloc_array(count, sizeof(plan->damage[0]));
    plan->damage_count = count;
    for (size_t i = 0; i < count; i++)
        plan->damage[i] = (struct plan_damage){
            .text = alloc_text(damage[i].text),
            .first_seq = damage[i].first_seq,
            .end_seq = damage[i].end_seq,
            .events = damage[i].events,
            .first = copy_place(&damage[i].first),
            .last = copy_place(&damage[i].last),
        };
}

bool
plan_missing_find(
    struct plan *plan, struct tape *tape, const struct query *query, struct error *err)
{
    size_t count = 0;
    const struct lane_summary *lanes = tape_lanes(tape, &count, err);
    if (lanes == NULL)
        return false;
    struct search search = {.plan = plan,
        .query = query,
        .cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ})};
    query_bounds(query, &search.bounds);
    for (size_t i = 0; i < count; i++)
        add_lane(&search, &lanes[i]);
    cursor_free(search.cursor);
    add_damage(plan, tape);
    return true;
}
