/* hole_cause.h - what the offsets of a hole are, judged by what the broker's log has there now.
 *
 * A tap that reads committed events only sees that offsets are missing, not why. The log is read again,
 * once as the tap does and then as a reader that is given events of aborted transactions too, and the two
 * are compared. Only what follows from that is said: an offset with nothing at it is the marker of a
 * transaction or was compacted away, and the log does not tell which.
 *
 * Threads: any; nothing is shared.
 */
#ifndef ANALYSIS_HOLE_CAUSE_H
#define ANALYSIS_HOLE_CAUSE_H

#include <stddef.h>
#include <stdint.h>

#include "index/offset_ranges.h"

enum hole_cause {
    HOLE_CAUSE_ABORTED,      /* an event of a transaction that was aborted */
    HOLE_CAUSE_NO_EVENT,     /* nothing is there: a marker of a transaction, or compacted away */
    HOLE_CAUSE_DELETED,      /* in front of the log's start: retention, or DeleteRecords */
    HOLE_CAUSE_NOT_RECORDED, /* there now, and every reader is given it */
    HOLE_CAUSE_UNDECIDED,    /* an event of a transaction that is still open */
    HOLE_CAUSE_UNKNOWN,      /* was not looked at, or not to be told */
};

#define HOLE_CAUSE_COUNT 6

/* "ABORTED", ... as in JSON. */
const char *hole_cause_text(enum hole_cause cause);

/* "aborted", "deleted by retention", ... for people. */
const char *hole_cause_words(enum hole_cause cause);

/* What was seen of a hole. For the judgement to be a proof the committed events are read first: what is
 * read later and was not among them had been kept from that reader, and was not merely gone. */
struct hole_evidence {
    int64_t log_start;  /* after reading; -1: not known, and then nothing is */
    int64_t end;        /* behind the last offset of the log */
    int64_t stable_end; /* before reading: up to here all transactions were decided */

    const struct offset_ranges *committed; /* what a reader of committed events is given */
    int64_t committed_to;                  /* up to this offset it was read; -1: it was not */
    const struct offset_ranges *all;       /* what there is besides: may leave out committed ones */
    int64_t all_to;
};

/* A run of offsets with one cause. */
struct hole_span {
    int64_t from;
    int64_t to; /* inclusive */
    enum hole_cause cause;
};

/* Cut from..to into spans, in their order and without gaps: no two neighbours have the same cause. The
 * caller frees the array. O(ranges + spans). */
struct hole_span *hole_cause_judge(
    const struct hole_evidence *evidence, int64_t from, int64_t to, size_t *count);

#endif
