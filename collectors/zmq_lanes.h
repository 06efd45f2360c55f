/* zmq_lanes.h - which stream a ZeroMQ message belongs to, and what is missing before it.
 *
 * ZeroMQ has no offsets and keeps nothing: the recorder counts, going on where the tape ends, and what
 * was published while nobody was connected, or nobody recorded, is a hole of unknown size. A counter in the messages
 * (zmq_sequence.h) tells more: then what is missing moves the offsets on by as much, and the hole is
 * exact. Where the counter was when the tape ended is read from the tape (zmq_resume.h); the hole is written when
 * the first message after it says how large it is. So behind the last message of a run nothing is written, whether it was
 * stopped or killed, also when the connection was lost there: the next run says what is missing.
 *
 * Threads: the collector's.
 */
#ifndef COLLECTORS_ZMQ_LANES_H
#define COLLECTORS_ZMQ_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/zmq_sequence.h"

struct outlet;
struct tap_lane;
struct zmq_parts;
struct zmq_request;

/* A prefix and the lane of what begins with it. */
struct zmq_lane {
    char *prefix;
    size_t length;
    struct tap_lane *lane;
    struct zmq_sequence sequence;
    unsigned went_back;
    bool is_cut;     /* a connection was lost since the last message with a number */
    bool is_passed;  /* and a message without one came */
    bool is_resumed; /* the last message is one of an earlier run; is_cut too */
};

struct zmq_lanes {
    struct outlet *outlet;
    const struct zmq_place *place;
    struct zmq_lane *lanes;
    size_t count;
    int64_t subscribed_ns; /* when the first connection came up; 0: not yet */
    int64_t warned_ns;
    uint64_t missing;     /* messages that the counter says there were */
    uint64_t not_counted; /* messages without a counter */
};

/* A lane for each prefix in `path`, one at least. A PULL socket has no prefix but a stream's name.
 * `request` and `outlet` outlive it. */
void zmq_lanes_begin(struct zmq_lanes *lanes, const struct zmq_request *request, const char *path,
    struct outlet *outlet);

/* From now on messages may come. What was not recorded since the last one on the tape, which is in the directory `tape`
 * (NULL: nobody can read it), is a hole: now, or once the counter tells its size. */
void zmq_lanes_resume(struct zmq_lanes *lanes, const char *tape);

/* End it: a loss before a message, which no other measured, becomes a hole of unknown size. */
void zmq_lanes_end(struct zmq_lanes *lanes);

/* The lane with the longest prefix that the first frame begins with; NULL when there is none. */
struct zmq_lane *zmq_lanes_find(struct zmq_lanes *lanes, const struct zmq_parts *parts);

/* Look at the message's counter, if there is to be one; what is missing before it becomes a hole. */
void zmq_lanes_follow(
    struct zmq_lanes *lanes, struct zmq_lane *lane, const struct zmq_parts *parts);

/* The lane's message was one that cannot be recorded: it had a number too, which nobody saw. */
void zmq_lanes_lose(struct zmq_lanes *lanes, struct zmq_lane *lane);

/* A connection was lost: with a counter the next message tells what is missing; without one nobody
 * ever does. */
void zmq_lanes_cut(struct zmq_lanes *lanes);

/* True not more often than once a second: for texts about what happens often. */
bool zmq_lanes_may_warn(struct zmq_lanes *lanes);

#endif
