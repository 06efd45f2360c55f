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
struct hole;
struct hole_times;
struct lane_summary;
struct tape;

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
    uint64_t gave_up;               /* values that could not be decided on: query_gave_up() */
    bool looked_at_all;
};

/* For people: "orders[0]@7..8  DROPPED, between ... and ..., noticed ...", a line of two blanks and that. `label` is the
 * stream's. */
void coverage_append_hole(struct buffer *to, const char *label, int32_t partition,
    const struct hole *hole, const struct hole_times *times);

/* For people: a line that says what was looked at (or else what there is), and one for each of the first
 * holes. */
void coverage_append_text(struct buffer *to, const struct coverage *coverage);

#endif
