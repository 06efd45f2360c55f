/* cursor.h - walks the events of a tape that match a query.
 *
 * Oldest first or newest first, by seq, by event time or by lane and offset. A cursor sees the tape
 * as of the last tape_refresh(); one that walks by seq, oldest first, goes on behind its old end
 * after the next refresh, which is how a tape is followed. What a query excludes by time, stream, offset or
 * indexed token is skipped in whole files and blocks.
 *
 * Threads: the thread that owns the tape.
 */
#ifndef INDEX_CURSOR_H
#define INDEX_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "index/event.h"

struct error;
struct query;
struct tape;
struct cursor;

enum cursor_order {
    CURSOR_BY_SEQ,  /* as received */
    CURSOR_BY_TIME, /* by event_time(), then seq; sorts what is not sealed, and newest first all; the
                     * same with segments that are nearly all about the same time */
    CURSOR_BY_OFFSET, /* by stream, partition, offset; sorts what is not sealed, and newest first all */
};

enum cursor_step {
    CURSOR_EVENT,  /* *event is the next match; its views live until the next call on this cursor */
    CURSOR_PAUSED, /* the budget ran out; call again to go on */
    CURSOR_END,    /* no more below the tape's end */
    CURSOR_FAILED, /* see *err; nothing more comes */
};

struct cursor_options {
    const struct query *query; /* NULL: every event but those of internal streams; must outlive
                                * the cursor */
    enum cursor_order order;
    bool newest_first;
    uint64_t first_seq; /* only seqs first_seq .. end_seq - 1 */
    uint64_t end_seq;   /* 0: to the tape's end */
    unsigned
        unwanted; /* EVENT_KEY and so on: what nobody looks at, where the query does not, may be a
                         * null view with its length. Counting is much cheaper that way */
};

/* What a cursor did so far. */
struct cursor_progress {
    uint64_t matched;
    uint64_t scanned_events;
    uint64_t scanned_bytes;
    uint64_t scanned_blocks; /* frames of journals, blocks of segments */
    uint64_t pruned_blocks;  /* skipped without reading */
    /* Of the files that can hold a match by their seqs; at the end, files that retention took meanwhile
     * may be missing from the other two. */
    uint64_t total_blocks;
    uint64_t gave_up; /* values that could not be decided on: query_gave_up() */
};

struct cursor *cursor_new(struct tape *tape, const struct cursor_options *options);
void cursor_free(struct cursor *cursor);

/* The next match. Looks at no more than about `budget` events (0: no limit), so that a screen can
 * stay live during a long search. CURSOR_BY_TIME and _BY_OFFSET hold 32 bytes per match and refuse
 * with ERROR_LIMIT beyond CURSOR_SORT_MAX matches. */
#define CURSOR_SORT_MAX (UINT64_C(32) * 1024 * 1024)
enum cursor_step cursor_next(
    struct cursor *cursor, uint64_t budget, struct event *event, struct error *err);

void cursor_progress(const struct cursor *cursor, struct cursor_progress *progress);

/* What `gave_up` of the progress is, at less cost. */
uint64_t cursor_gave_up(const struct cursor *cursor);

/* Read one event by its seq. The views live until the next call with this cursor. CURSOR_END when
 * the tape has no such seq. The cursor's query and place are not touched. */
enum cursor_step cursor_fetch_seq(
    struct cursor *cursor, uint64_t seq, struct event *event, struct error *err);

/* Read one event by lane and offset, the oldest one with an offset >= `offset`. */
enum cursor_step cursor_fetch_offset(struct cursor *cursor, const struct stream *stream,
    int32_t partition, int64_t offset, struct event *event, struct error *err);

#endif
