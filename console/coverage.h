/* coverage.h - with what an answer ends: what was looked at, and what is not there, since when.
 *
 * Threads: those of the tape.
 */
#ifndef CONSOLE_COVERAGE_H
#define CONSOLE_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct cursor;
struct hole;
struct lane_summary;
struct tape;

/* When it was that a hole has nothing of: the times of the events beside it on the tape. */
struct hole_times {
    int64_t after_ns;  /* event_time() of the one in front of it; CLOCK_NONE: not known */
    int64_t before_ns; /* and of the one behind it */
};

/* The times of one hole of the lane. */
struct hole_times coverage_times_of(
    struct cursor *cursor, const struct lane_summary *lane, const struct hole *hole);

/* More holes than these have no times: each takes two reads. */
#define COVERAGE_TIMES_MAX 200u

/* The times of all holes of the lanes, in their order, freed by the caller. Where no event ever was
 * (COMPACTED_OR_ABORTED) nothing is looked up. */
struct hole_times *coverage_times(
    struct tape *tape, const struct lane_summary *lanes, size_t count);

/* What an answer came from. */
struct coverage {
    const struct lane_summary *lanes; /* in which matches could be */
    size_t count;
    const struct hole_times *times; /* of their holes */
    size_t damaged;                 /* places that were met and could not be read */
    uint64_t gave_up;               /* values that a regular expression could not be decided on */
    bool looked_at_all;
};

/* For people: a line that says what was looked at (or else what there is), and one for each of the first
 * holes. */
void coverage_append_text(struct buffer *to, const struct coverage *coverage);

#endif
