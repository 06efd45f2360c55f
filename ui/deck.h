/* deck.h - the tape deck: one moment and one filter, shared by all screens.
 *
 * Changing the screen never changes the moment. The deck owns this process's reading end of the
 * tape and its view of the live page; deck_tick() brings both up to date and never waits.
 * Threads: one thread owns a deck.
 */
#ifndef UI_DECK_H
#define UI_DECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/live.h"

struct cursor;
struct error;
struct lag_board;
struct query;
struct tape;

enum transport {
    TRANSPORT_LIVE, /* the head is at now */
    TRANSPORT_HELD, /* the head stands; recording goes on behind it */
    TRANSPORT_PAST, /* the head is somewhere on the tape, or nothing is recording */
};

/* Screens read all of it and change none of it but by the functions below. */
struct deck {
    struct tape *tape;
    struct live *live; /* NULL: no live page yet */
    char *title;
    int64_t now_ns;
    enum transport transport;

    bool is_recording;
    bool has_status;            /* *status was read at least once */
    struct live_status *status; /* the last that a recorder published */

    uint64_t first_seq; /* on the tape: first_seq .. end_seq - 1 */
    uint64_t end_seq;
    int64_t first_ns; /* when the first and the newest were received; CLOCK_NONE: nothing there */
    int64_t last_ns;

    uint64_t head_seq; /* what is shown ends before this one */
    int64_t head_ns;   /* LIVE: now; else when the event before the head was received */
    int64_t window_ns; /* how far { and } jump */
    unsigned moves;    /* counts every change of the head that is not LIVE going on */

    struct query *query; /* the filter, for its text: whoever walks compiles a query of its own */
    unsigned filters;    /* counts every change of the filter */

    struct cursor *reader; /* for single events */
    struct cursor *seek;   /* looking for a place to put the head */
    struct query *seek_query;
    char seek_text[128];

    struct lag_board *board; /* consumer groups at the head; brought there by lag_board_tick() */

    double ratio; /* arriving events for one that is drawn, set by a screen that samples; else 1 */

    bool is_busy;      /* somebody has more to do than fitted: tick again soon */
    char message[512]; /* shown instead of the screen's sentence until the next key; "": none */
    bool message_is_error;
};

/* Open the tape in `directory`. NULL with tape_open()'s errors. */
struct deck *deck_open(const char *directory, const char *title, int64_t now_ns, struct error *err);
void deck_close(struct deck *deck);

/* See what is new. True when something on the screen may differ. */
bool deck_tick(struct deck *deck, int64_t now_ns);

/* Stop the head where it is. Nothing happens when it stands already. */
void deck_hold(struct deck *deck);

/* Back to now; to the end of the tape when nothing is recording. */
void deck_follow(struct deck *deck);

/* Put the head behind the event `seq`. */
void deck_move_to(struct deck *deck, uint64_t seq);

/* Put the head back to where it was: LIVE follows again, else it stands there. */
void deck_return_to(
    struct deck *deck, enum transport transport, uint64_t head_seq, int64_t head_ns);

/* Begin to look for the last event that was received by `when_ns`; the head moves when it is found. */
void deck_seek_time(struct deck *deck, int64_t when_ns);

/* Go to what a person typed: a time, or stream[partition]@offset. False with *err when it is neither. */
bool deck_seek_text(struct deck *deck, const char *text, struct error *err);

/* Stop looking. True when it was. */
bool deck_stop_seek(struct deck *deck);

/* Show only what matches `text` ("" or NULL: everything). False with *err and *column when it does not
 * parse; then the old filter stays. */
bool deck_set_filter(struct deck *deck, const char *text, size_t *column, struct error *err);
const char *deck_filter(const struct deck *deck);

/* Say one sentence at the next frame. */
void deck_say(struct deck *deck, bool is_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Events per second of a stream, or of all but the recorder's own: the mean of the last whole seconds of the live page. */
#define DECK_RATE_SECONDS 3u
double deck_stream_rate(const struct deck *deck, uint32_t stream_id);
double deck_rate(const struct deck *deck);

/* A recorder holds the tape but has not said anything for 3 seconds. */
bool deck_recorder_hangs(const struct deck *deck);

/* Places of the tape that could not be read so far. */
size_t deck_damaged(const struct deck *deck);

/* Events that were lost and could not be kept, as far as the recorder knows. */
uint64_t deck_dropped(const struct deck *deck);

#endif
