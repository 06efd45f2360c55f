#include "collectors/zmq_reason.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "collectors/zmq_endpoint.h"

/* What the tap was told to use. */
enum mechanism {
    MECHANISM_NULL,
    MECHANISM_PLAIN,
    MECHANISM_CURVE,
    MECHANISM_COUNT,
};

static enum mechanism
mechanism_of(const struct zmq_request *request)
{
    if (request->plain_username != NULL)
        return MECHANISM_PLAIN;
    return request->curve_server_key != NULL || request->curve_secret_key != NULL ? MECHANISM_CURVE
                                                                                  : MECHANISM_NULL;
}

static struct zmq_reason
refused_login(enum mechanism mechanism)
{
    static const struct zmq_reason reasons[MECHANISM_COUNT] = {
        {ERROR_REFUSED, "it does not let us in",
            "its owner must allow this address, or the tap needs a name or a key"},
        {ERROR_REFUSED, "the name or password is refused",
            "correct zeromq.plain_username and zeromq.plain_password"},
        {ERROR_REFUSED, "our key is refused",
            "its owner must allow the key in zeromq.curve_public_key"},
    };
    return reasons[mechanism];
}

static struct zmq_reason
other_mechanism(enum mechanism mechanism)
{
    static const struct zmq_reason reasons[MECHANISM_COUNT] = {
        {ERROR_REFUSED, "it wants authentication and the tap has none",
            "set zeromq.plain_username and zeromq.plain_password, or zeromq.curve_server_key"},
        {ERROR_REFUSED, "it does not use PLAIN",
            "remove zeromq.plain_username and zeromq.plain_password, or set "
            "zeromq.curve_server_key instead"},
        {ERROR_REFUSED, "it does not use CURVE",
            "remove the zeromq.curve_... keys, or set zeromq.plain_username and "
            "zeromq.plain_password instead"},
    };
    return reasons[mechanism];
}

static struct zmq_reason
hung_up(enum mechanism mechanism)
{
    static const struct zmq_reason reasons[MECHANISM_COUNT] = {
        {ERROR_REMOTE, "it hangs up in the greeting",
            "see whether it is a ZeroMQ socket, and whether it wants PLAIN or CURVE"},
        {ERROR_REMOTE, "it hangs up in the greeting",
            "see whether it is a ZeroMQ socket with PLAIN"},
        {ERROR_REFUSED, "it hangs up in the greeting",
            "zeromq.curve_server_key is probably not the public key of this publisher"},
    };
    return reasons[mechanism];
}

static struct zmq_reason
other_socket(const struct zmq_request *request)
{
    if (request->role == ZMQ_ROLE_PULL)
        return (struct zmq_reason){ERROR_REFUSED, "it is a ZeroMQ socket that is no PUSH",
            "use zmq:// for a publisher, and see which socket has this address"};
    return (struct zmq_reason){ERROR_REFUSED, "it is a ZeroMQ socket that does not publish",
        "use zmq+pull:// for a PUSH socket, and see which socket has this address"};
}

/* Who comes to us brings the security that we ask for. False: nothing but what is to be said of everybody. */
static bool
is_guests_fault(const struct zmq_request *request, enum zmq_fault fault, struct zmq_reason *reason)
{
    static const char use_our_key[] =
        "it must use CURVE with the public key of zeromq.curve_secret_key as the server's";
    bool has_curve = mechanism_of(request) == MECHANISM_CURVE;
    if (!request->is_bound)
        return false;
    if (fault == ZMQ_FAULT_KEYS)
        *reason =
            (struct zmq_reason){ERROR_REFUSED, "its CURVE keys do not fit to ours", use_our_key};
    else if (fault == ZMQ_FAULT_HANG_UP && has_curve)
        *reason = (struct zmq_reason){ERROR_REFUSED, "it hangs up in the greeting", use_our_key};
    else if (fault == ZMQ_FAULT_MECHANISM && has_curve)
        *reason = (struct zmq_reason){ERROR_REFUSED, "it does not use CURVE", use_our_key};
    else if (fault == ZMQ_FAULT_MECHANISM)
        *reason = (struct zmq_reason){ERROR_REFUSED, "it wants authentication and the tap has none",
            "set zeromq.curve_secret_key, or let it connect without"};
    else
        return false;
    return true;
}

struct zmq_reason
zmq_reason_of(const struct zmq_request *request, enum zmq_fault fault)
{
    struct zmq_reason reason;
    if (is_guests_fault(request, fault, &reason))
        return reason;
    switch (fault) {
    case ZMQ_FAULT_NONE:
        break;
    case ZMQ_FAULT_NO_ANSWER:
        return (struct zmq_reason){ERROR_REMOTE, "nothing answers",
            "see whether host and port are right and no firewall is between"};
    case ZMQ_FAULT_NOBODY:
        return (struct zmq_reason){ERROR_REMOTE, "no publisher answers",
            "start it, or correct the address; it is tried until one does"};
    case ZMQ_FAULT_UNRESOLVED:
        return (struct zmq_reason){ERROR_REMOTE, "the name of the host is not known",
            "correct it in the tap's url, or in DNS or /etc/hosts"};
    case ZMQ_FAULT_SILENT:
        return (struct zmq_reason){ERROR_REMOTE, "something answers that does not greet as ZeroMQ",
            "see whether the port is right"};
    case ZMQ_FAULT_HANG_UP:
        return hung_up(mechanism_of(request));
    case ZMQ_FAULT_PROTOCOL:
        return (struct zmq_reason){
            ERROR_REMOTE, "what answers does not speak ZeroMQ", "see whether the port is right"};
    case ZMQ_FAULT_SOCKET:
        return other_socket(request);
    case ZMQ_FAULT_MECHANISM:
        return other_mechanism(mechanism_of(request));
    case ZMQ_FAULT_KEYS:
        return (struct zmq_reason){
            ERROR_REFUSED, "the CURVE keys do not fit together", "correct zeromq.curve_server_key"};
    case ZMQ_FAULT_LOGIN:
        return refused_login(mechanism_of(request));
    }
    assert(false); /* a fault that is none has no reason */
    return (struct zmq_reason){ERROR_REMOTE, "", ""};
}
