/* scan.h - walks the events of a tape that match a query, with as many threads as that is worth.
 *
 * Used like a cursor, and gives the same events in the same order. It begins as a cursor, so that what is
 * found through an index, and what is small, costs no thread. When that has looked at some MiB and more is
 * left, threads take the rest over: on all cores, or, while a recorder holds the tape, on all but one (on one at
 * least) and at nice 10. A file is shared out by blocks, so that a tape of one segment gains too. What the
 * threads find waits in a buffer of bounded size, in order; when nobody takes it, they wait.
 *
 * By time or by offset it is a cursor and nothing else. So it is with `stays_alone`, which is for those that
 * follow a tape: with threads a scan ends where the tape ended when they began.
 *
 * Threads: its own, none of which outlives scan_free(); the caller's is the one that owns the tape.
 */
#ifndef INDEX_SCAN_H
#define INDEX_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "index/cursor.h"

struct error;
struct event;
struct scan;
struct tape;

/* Looked at alone, and how much must be left then: about 8 ms of work. What a query asks of an index is
 * mostly found by looking at a few blocks of each file, and of the first few matches the places alone are looked at
 * in a block of each partition: these get longer. */
#define SCAN_ALONE_BYTES   ((uint64_t)8 * 1024 * 1024)
#define SCAN_LIMITED_BYTES ((uint64_t)32 * 1024 * 1024)
#define SCAN_INDEXED_BYTES ((uint64_t)64 * 1024 * 1024)

/* No more threads than this, however many cores there are: each has a decoded segment in memory. */
#define SCAN_WORKERS_MAX 16u

/* What the threads may have in memory because of large events: each has a block, decoded and as it is on the
 * disk, and finds in two batches. With larger ones there are fewer threads, or none. */
#define SCAN_LARGE_BYTES ((uint64_t)128 * 1024 * 1024)
#define SCAN_COPIES      4u

/* scan_next() pauses when the threads have found nothing for so long. */
#define SCAN_PATIENCE_MS 2

struct scan_options {
    struct cursor_options cursor;
    bool stays_alone;
    uint64_t
        limit; /* matches that will be taken at most: no help is called for the last few; 0: all */
    unsigned workers;     /* 0: as many as the machine is good for; fewer with large events */
    uint64_t alone_bytes; /* 0: one of the three above */
    size_t buffer_bytes;  /* 0: SCAN_BUFFER_BYTES of scan_pool.h */
};

struct scan *scan_new(struct tape *tape, const struct scan_options *options);

/* Also the way to stop a scan: the threads end when they are through with their block, or with the event
 * that the query is being asked about. NULL is allowed. */
void scan_free(struct scan *scan);

/* The next match, as cursor_next() gives it; the views live until the next call. CURSOR_PAUSED (never with a
 * budget of 0): about `budget` events were looked at, or the threads have nothing yet; call again. Damage
 * is told to the tape when the events from around it are due. */
enum cursor_step scan_next(
    struct scan *scan, uint64_t budget, struct event *event, struct error *err);

/* What all threads did so far; the same as a cursor's when the end was reached. */
void scan_progress(const struct scan *scan, struct cursor_progress *progress);

/* For tests and benchmarks: threads that search now; 0: it goes alone. */
unsigned scan_workers(const struct scan *scan);

#endif
