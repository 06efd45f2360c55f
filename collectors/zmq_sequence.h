/* zmq_sequence.h - a counter that a publisher puts into its messages, and what its jumps mean.
 *
 *     frame:1          digits, in frame 1 (the first is 0; frame:-1 is the last)
 *     frame:-1:le      1, 2, 4 or 8 bytes, the least significant first; frame:-1:be the other way
 *     value:$.seq      an integer, or digits in a string, in the JSON object of the last frame
 *     frame:1:$.seq    the same in frame 1
 *     header:seq       digits behind "seq:" or "seq=", in any case, at the beginning of a line of a frame
 *                      before the last
 *
 * ZeroMQ itself tells nobody what it drops; a counter does.  Threads: one owner.
 */
#ifndef COLLECTORS_ZMQ_SEQUENCE_H
#define COLLECTORS_ZMQ_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;

enum zmq_place_kind {
    ZMQ_PLACE_NONE,
    ZMQ_PLACE_TEXT,
    ZMQ_PLACE_LITTLE,
    ZMQ_PLACE_BIG,
    ZMQ_PLACE_JSON,
    ZMQ_PLACE_HEADER,
};

/* Where the counter is. */
struct zmq_place {
    enum zmq_place_kind kind;
    long frame; /* negative: from the end; not of ZMQ_PLACE_HEADER */
    const char
        *path; /* "a.b" of ZMQ_PLACE_JSON, the name of ZMQ_PLACE_HEADER; part of the text that was
                       * parsed */
};

/* Parse one of the forms above; `text` must outlive *place. False with ERROR_CONFIG. */
bool zmq_place_parse(const char *text, struct zmq_place *place, struct error *err);

/* Which of `count` frames may hold it: *first .. *end - 1, none when the message has no such frame. */
void zmq_place_frames(const struct zmq_place *place, size_t count, size_t *first, size_t *end);

/* The number in that frame. *bits is how wide the counter is before it wraps, 64 for texts. False when
 * no number is there. */
bool zmq_place_read(
    const struct zmq_place *place, struct bytes frame, uint64_t *number, unsigned *bits);

enum zmq_jump {
    ZMQ_JUMP_FIRST, /* the first number that was seen */
    ZMQ_JUMP_NEXT,  /* what was expected, or the same once more */
    ZMQ_JUMP_GAP,   /* *missing numbers were left out */
    ZMQ_JUMP_BACK,  /* smaller, or so much larger that it must be another counter */
    ZMQ_JUMP_OTHER, /* what was expected before the last jump: another counter goes on where it was,
                     * or messages did not keep their order */
};

struct zmq_sequence {
    bool has_last;
    bool has_jumped;
    uint64_t last;
    uint64_t expected; /* before the last jump, if it has_jumped */
};

/* Take the next number of `bits` bits. *missing is set with ZMQ_JUMP_GAP only. */
enum zmq_jump zmq_sequence_next(
    struct zmq_sequence *sequence, uint64_t number, unsigned bits, uint64_t *missing);

#endif
