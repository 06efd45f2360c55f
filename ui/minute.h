/* minute.h - the rates of the minute before a place on the tape, counted from its events.
 *
 * For when no recorder counts for us: read backwards, a little at each step. Threads: the tape's.
 */
#ifndef UI_MINUTE_H
#define UI_MINUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor;
struct tape;

#define MINUTE_SECONDS 60u
/* More streams are not counted. */
#define MINUTE_STREAMS 4096u

struct minute_stream {
    uint64_t bytes;
    int64_t last_ns;
    uint32_t events[MINUTE_SECONDS]; /* the newest second last */
};

struct minute {
    struct cursor *cursor;
    int64_t end_ns;    /* the newest event was received then; CLOCK_NONE: nothing yet */
    int64_t oldest_ns; /* of what was counted so far */
    bool is_done;
    uint64_t counted;
    size_t stream_count;
    struct minute_stream *streams; /* by stream id */
};

void minute_begin(struct minute *minute, struct tape *tape, uint64_t end_seq);
/* Count for a few milliseconds; true when something was counted. */
bool minute_step(struct minute *minute);
/* How many of the seconds were counted: less than 60 while it goes on, on a short tape, and where there
 * are too many events. At least 1. */
unsigned minute_covered(const struct minute *minute);
void minute_done(struct minute *minute);

#endif
