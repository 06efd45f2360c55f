/* hole_rows.h - the holes of a tape that a query is about, for `tape holes`.
 *
 * A query narrows by what is known of a hole: stream, partition, offsets, and the times of the events
 * beside it. What else it says (a key, a payload) cannot be told of what is not there.
 *
 * Threads: that of the tape.
 */
#ifndef CONSOLE_HOLE_ROWS_H
#define CONSOLE_HOLE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/hole_cause.h"
#include "index/hole_times.h"

struct error;
struct hole;
struct lane_summary;
struct query;
struct tape;

/* Holes whose times are looked up; further ones have none, and a query's times do not narrow them. */
#define HOLE_ROWS_TIMES_MAX 20000u

/* What the log says about a hole; made by hole_explain(). */
struct hole_explanation {
    struct hole_span *spans; /* NULL: its end is not known */
    size_t span_count;
    uint64_t counts[HOLE_CAUSE_COUNT];
    int64_t log_start; /* these are -1 where they are not known */
    int64_t end;
    bool
        is_same_log; /* an event of the tape is in the log; false: nobody can tell, or it is another */
    char why[512]; /* why something is unknown; "": nothing is */
};

struct hole_row {
    const struct lane_summary *lane; /* the tape's, as long as tape_lanes() says */
    const struct hole *hole;
    struct hole_times times;
    struct hole_explanation *explanation; /* NULL: nobody asked */
};

struct hole_rows {
    struct hole_row *items; /* by stream, partition and offset */
    size_t count;
    size_t capacity;
    bool are_cut; /* a lane had more holes than are kept of one */
};

/* Find them. False with the reason when the tape cannot be read. */
bool hole_rows_find(
    struct hole_rows *rows, struct tape *tape, const struct query *query, struct error *err);
void hole_rows_done(struct hole_rows *rows);

/* How many offsets it has; 0: its end is not known. */
uint64_t hole_row_offsets(const struct hole_row *row);

/* What all of them have together. */
struct hole_sum {
    uint64_t offsets;
    bool offsets_are_known;
    uint64_t counts[HOLE_CAUSE_COUNT];
    bool is_explained; /* nothing is unknown */
};
struct hole_sum hole_rows_sum(const struct hole_rows *rows);

#endif
