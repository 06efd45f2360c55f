/* event_gap.h - what the tape has not of a lane between two rows of the Events screen, as a row and in full.
 *
 * Several holes that no row divides are one gap, so there is at most one in front of each row.
 * Threads: none of its own.
 */
#ifndef UI_EVENT_GAP_H
#define UI_EVENT_GAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/hole.h"

struct buffer;
struct detail;
struct event_row;
struct stream;

/* Of more holes only their number is kept. */
#define EVENT_GAP_HOLES 32u

struct event_gap_hole {
    const struct stream *stream;
    struct hole hole;
};

struct event_gap {
    struct event_gap_hole holes[EVENT_GAP_HOLES];
    size_t hole_count;      /* all of them */
    uint64_t offsets;       /* in those whose number is known */
    bool offsets_are_known; /* of all */
    bool has_lanes;         /* holes of more than one lane */
    unsigned reasons;       /* a bit for each enum hole_reason */
    uint64_t
        seq_behind;    /* of the row that it stands in front of; UINT64_MAX: behind the last one */
    int64_t after_ns;  /* when the event of the lane in the row before it was received */
    int64_t before_ns; /* and the one in the row behind it; CLOCK_NONE: there is none */
};

/* Offsets at which there never was an event are no gap: each transaction leaves one in each of its lanes. */
static inline bool
event_gap_counts(const struct hole *hole)
{
    return hole->reason != HOLE_COMPACTED_OR_ABORTED;
}

/* The last offset of the hole; in front of the first one when it is not known. */
int64_t event_gap_end(const struct hole *hole);

/* None yet, made when *gap is NULL; freed with free(). */
void event_gap_add(struct event_gap **gap, const struct stream *stream, const struct hole *hole);

/* "DROPPED: 59 offsets not on the tape, noticed 14:31:20, 88..146" */
void event_gap_print(struct buffer *to, const struct event_gap *gap);

/* "orders[3]@88..146" of the first hole, which is what `tapedeck tape holes` takes. */
void event_gap_print_place(struct buffer *to, const struct event_gap *gap);

/* All that is known of it. */
void event_gap_load(struct detail *detail, const struct event_gap *gap);

#endif
