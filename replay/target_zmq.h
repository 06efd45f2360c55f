/* target_zmq.h - which socket the URL of a ZeroMQ target means.
 *
 *     zmq+pub://HOST:PORT       a publisher; what nobody subscribed to goes nowhere
 *     zmq+push://HOST:PORT      to one of those who pull
 *     zmq+dealer://HOST:PORT    to a ROUTER
 *
 * Each connects; with +bind it listens, and with +ipc there is a file's path instead of HOST:PORT.
 * Threads: any.
 */
#ifndef REPLAY_TARGET_ZMQ_H
#define REPLAY_TARGET_ZMQ_H

#include <stdbool.h>

struct error;
struct event;
struct target;

/* The header that a frame between the first and the last is on the tape. */
#define TARGET_ZMQ_FRAME "zmq.frame"

enum target_zmq_kind {
    TARGET_ZMQ_PUB,
    TARGET_ZMQ_PUSH,
    TARGET_ZMQ_DEALER,
};

struct target_zmq {
    enum target_zmq_kind kind;
    bool is_bound;
};

/* Parse such a URL into *target, with the endpoint as its `servers`. False with ERROR_ARGUMENT. */
bool target_zmq_parse(const char *url, struct target *target, struct error *err);

/* What the URL of a parsed target means. */
bool target_zmq_read(const struct target *target, struct target_zmq *zmq, struct error *err);

/* ZMQ_XPUB, ZMQ_PUSH or ZMQ_DEALER. */
int target_zmq_socket_type(const struct target_zmq *zmq);

/* True when the event has something that the frames of a message cannot carry: a time, a header that is
 * no frame, a null payload. */
bool target_zmq_loses(const struct event *event);

#endif
