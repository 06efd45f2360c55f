/* zmq_parts.h - the frames of one ZeroMQ message, and the event that they become.
 *
 * A message of one frame is a payload without a key. Of more frames the first is the key (PUB/SUB's
 * topic), the last the payload, and those between become headers "zmq.frame", in order. So the frames are
 * on the tape as they came, empty ones too, and how many there were.
 *
 * Threads: one owner.
 */
#ifndef COLLECTORS_ZMQ_PARTS_H
#define COLLECTORS_ZMQ_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include <zmq.h>

#include "base/bytes.h"

struct event;

#define ZMQ_FRAMES_MAX 65536

#define ZMQ_FRAME_HEADER "zmq.frame"

/* [0 .. count) of `frames` are initialised. A struct of zeros is empty. */
struct zmq_parts {
    zmq_msg_t *frames;
    size_t count;
    size_t capacity;
    bool is_too_long; /* it has more frames than ZMQ_FRAMES_MAX: only the first is kept */
    struct buffer headers;
};

void zmq_parts_done(struct zmq_parts *parts);

/* Receive one more frame of the message. NULL when there is none now; else the frame, for as long as
 * nothing more is received. zmq_msg_more() tells whether it was the last. */
zmq_msg_t *zmq_parts_receive(struct zmq_parts *parts, void *socket);

/* Frame `index` < count. Lives until zmq_parts_drop(). */
struct bytes zmq_parts_frame(const struct zmq_parts *parts, size_t index);

/* Set key, headers and payload of *event to the frames; they live until zmq_parts_drop(). `count` is at
 * least 1. */
void zmq_parts_event(struct zmq_parts *parts, struct event *event);

/* Forget the message; the next one begins. */
void zmq_parts_drop(struct zmq_parts *parts);

#endif
