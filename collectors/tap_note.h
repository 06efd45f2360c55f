/* tap_note.h - what becomes of a tap, as events of its internal stream @taps (tapedeck-json(7)).
 *
 * A tap that comes up and one that is stopped say nothing; what is out of the ordinary does: it is
 * lost, it comes back, it fails, events are missing, its partitions are dealt anew, a topic is gone.
 *
 * Threads: a struct tap_note belongs to one thread, the collector's; nothing here waits.
 */
#ifndef COLLECTORS_TAP_NOTE_H
#define COLLECTORS_TAP_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "index/live.h"

struct diary;
struct hole;
struct stream;

#define TAP_NOTE_STREAM "@taps"

/* Holes told in one second; what is beyond is only counted, since the tape has each hole itself. */
#define TAP_NOTE_HOLES_PER_S 20u

struct tap_note {
    struct diary *diary; /* NULL: nothing is told */
    const char *tap;
    bool has_trouble; /* the last state that was told was not TAP_LIVE */
    int64_t second;   /* of the holes counted below */
    unsigned holes;
    uint64_t untold; /* holes that were only counted */
};

/* The tap changed its state. */
void tap_note_state(
    struct tap_note *note, enum tap_state state, const char *reason, int64_t since_ns);

/* Events of the stream are missing, for a reason that is nobody's wish. */
void tap_note_hole(struct tap_note *note, const struct stream *stream, const struct hole *hole);

/* Something else that is worth a note: `kind` is the word for it, `what` the sentence. */
void tap_note_tell(struct tap_note *note, const char *kind, const char *what, int64_t when_ns);

#endif
