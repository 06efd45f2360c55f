/* event_gaps.h - finds the gaps of an event list: what the tape has not between two of its rows.
 *
 * The tape says which offsets of a lane are missing (tape_holes()); the rows say where that is to be seen: in front of the
 * first row of the lane behind them, when a row of the lane is before them. With a filter, too: what is missing may have
 * matched. Where there is no row before them, only a hole directly in front of the row is shown, and none with which
 * the lane may have begun.
 *
 * The tape is asked again when other rows come into view, and, where it grows, a few times a second. It answers out of
 * memory; what is done each time is bounded by the rows of a list and the lanes of a few files.
 * Threads: the thread that owns the tape.
 */
#ifndef UI_EVENT_GAPS_H
#define UI_EVENT_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/tape.h"

struct deck;
struct event_list;

/* Zero-initialise; owns nothing. */
struct event_gaps {
    const struct lane_summary
        *lanes; /* the tape's; NULL: it was not asked yet, or cannot be read */
    size_t lane_count;
    bool has_holes;
    struct tape_stretch asked;
    struct tape_stretch looked; /* what the answer is about */
    int64_t asked_ns;           /* monotonic */
    uint64_t tape_end;          /* seq; as it was then */
    bool is_asked;
    unsigned changes; /* of the list, when its gaps were found */
    unsigned places;  /* how often they were found */
};

/* Forget what the tape said. */
void event_gaps_begin(struct event_gaps *gaps);

/* Find the gaps of the list, of which rows first .. end - 1 are looked at. True when some may be others than before. */
bool event_gaps_update(struct event_gaps *gaps, struct event_list *list, const struct deck *deck,
    size_t first, size_t end, int64_t monotonic_ns);

#endif
