#include "index/hole_times.h"

#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/query.h"
#include "index/tape.h"

/* The time of the event at the offset; with `or_behind` of the next one. */
static int64_t
time_at(struct cursor *cursor, const struct lane_summary *lane, int64_t offset, bool or_behind)
{
    struct event event;
    struct error ignored;
    if (offset < 0 || cursor_fetch_offset(cursor, lane->stream, lane->partition, offset, &event,
                          &ignored) != CURSOR_EVENT)
        return CLOCK_NONE;
    return or_behind || event.offset == offset ? event_time(&event) : CLOCK_NONE;
}

struct hole_times
hole_times_of(struct cursor *cursor, const struct lane_summary *lane, const struct hole *hole)
{
    return (struct hole_times){
        .after_ns = hole->from <= 0 ? CLOCK_NONE : time_at(cursor, lane, hole->from - 1, false),
        .before_ns = hole->to < 0 || hole->to == INT64_MAX
                         ? CLOCK_NONE
                         : time_at(cursor, lane, hole->to + 1, true),
    };
}

bool
hole_is_in_offsets(const struct hole *hole, const struct query_bounds *bounds)
{
    return hole->from <= bounds->last_offset && (hole->to < 0 || hole->to >= bounds->first_offset);
}

bool
hole_is_in_time(
    const struct hole *hole, const struct hole_times *times, const struct query_bounds *bounds)
{
    if (hole->was_here)
        return hole->last_ns >= bounds->from_ns && hole->first_ns <= bounds->until_ns;
    return (times->before_ns == CLOCK_NONE || times->before_ns >= bounds->from_ns) &&
           (times->after_ns == CLOCK_NONE || times->after_ns <= bounds->until_ns);
}
