/* zmq_reason.h - why a ZeroMQ connection does not come up, and what to do about it.
 *
 * libzmq tells little: a wrong CURVE key shows as a connection that the other side ends. What it means
 * depends on what the tap was told to use.  Threads: any; nothing is shared.
 */
#ifndef COLLECTORS_ZMQ_REASON_H
#define COLLECTORS_ZMQ_REASON_H

#include "base/error.h"

struct zmq_request;

/* From the vaguest to the plainest: one that is known is not replaced by one before it. */
enum zmq_fault {
    ZMQ_FAULT_NONE,
    ZMQ_FAULT_NO_ANSWER,  /* nothing has happened for seconds */
    ZMQ_FAULT_NOBODY,     /* nobody listens there */
    ZMQ_FAULT_UNRESOLVED, /* the host's name leads nowhere */
    ZMQ_FAULT_SILENT,     /* somebody does, and says nothing, or nothing that is ZeroMQ */
    ZMQ_FAULT_HANG_UP,    /* ended the connection before it was greeted */
    ZMQ_FAULT_PROTOCOL,
    ZMQ_FAULT_SOCKET, /* a socket of another kind */
    ZMQ_FAULT_MECHANISM,
    ZMQ_FAULT_KEYS,
    ZMQ_FAULT_LOGIN,
};

struct zmq_reason {
    enum error_code code; /* ERROR_REMOTE: may mend itself; ERROR_REFUSED: somebody must act */
    const char *what;
    const char *fix;
};

/* The texts are constants. `fault` is not ZMQ_FAULT_NONE. */
struct zmq_reason zmq_reason_of(const struct zmq_request *request, enum zmq_fault fault);

#endif
