/* hole_times.h - when it was that a hole has nothing of, and whether a query is about it.
 *
 * Nothing is known of an event that is not there but its lane, its offset, and what stands beside it on the tape.
 * Threads: those of the tape.
 */
#ifndef INDEX_HOLE_TIMES_H
#define INDEX_HOLE_TIMES_H

#include <stdbool.h>
#include <stdint.h>

struct cursor;
struct hole;
struct lane_summary;
struct query_bounds;

/* The times of the events beside it on the tape. */
struct hole_times {
    int64_t after_ns;  /* event_time() of the one in front of it; CLOCK_NONE: not known */
    int64_t before_ns; /* and of the one behind it */
};

/* The times of one hole of the lane; two reads. */
struct hole_times hole_times_of(
    struct cursor *cursor, const struct lane_summary *lane, const struct hole *hole);

/* May events with such offsets, and of such times, have been in the hole? */
bool hole_is_in_offsets(const struct hole *hole, const struct query_bounds *bounds);
bool hole_is_in_time(
    const struct hole *hole, const struct hole_times *times, const struct query_bounds *bounds);

#endif
