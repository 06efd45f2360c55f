/* The ZeroMQ source: a SUB or PULL socket, or a proxy between publishers and subscribers.
 *
 *     zmq://host:5556/orders,payments    subscribes to both prefixes; a stream for each
 *     zmq://host:5556,host2:5556         everything, as the stream "all"
 *     zmq+ipc:///run/shop.sock#prefix
 *
 * zmq_endpoint.h has the other forms, zmq_links.h follows the connections, zmq_parts.h says how frames
 * become an event, and zmq_lanes.h which stream it belongs to and what is missing before it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/outlet.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "collectors/zmq_about.h"
#include "collectors/zmq_check.h"
#include "collectors/zmq_endpoint.h"
#include "collectors/zmq_lanes.h"
#include "collectors/zmq_links.h"
#include "collectors/zmq_parts.h"
#include "index/event.h"

#define MESSAGES    2000 /* for one poll */
#define STAMP_EVERY 64   /* messages that share one reading of the clock */
/* A queue that is full may be waited for while libzmq has room: this long at a million messages a
 * second is half of ZMQ_RECEIVE_LIMIT. */
#define WAIT_NS (100 * NS_PER_MS)

/* `parts` is the message that is being received, `behind` the proxy's socket for subscribers, else
 * NULL. */
struct zmq_source {
    struct outlet *outlet;
    const struct source_config *config;
    struct zmq_request request;
    struct zmq_lanes lanes;
    void *context;
    void *socket;
    void *behind;
    struct zmq_links *links;
    struct zmq_parts parts;
    uint64_t dropped; /* events that the tape had no room for */
};

static bool
zmq_check(const struct source_config *config, struct error *err)
{
    struct zmq_request request;
    if (config->until == UNTIL_END)
        return error_set(err, ERROR_ARGUMENT,
            "'%.150s': ZeroMQ has no end to record up to: say for how long, until when, or how "
            "many "
            "events",
            config->url->text);
    return zmq_request_read(config, &request, err);
}

/* ---- opening ---- */

/* An XSUB socket takes a subscription as a message. */
static bool
subscribe(struct zmq_source *source, const struct zmq_lane *lane)
{
    switch (source->request.role) {
    case ZMQ_ROLE_SUBSCRIBE:
        return zmq_setsockopt(source->socket, ZMQ_SUBSCRIBE, lane->prefix, lane->length) == 0;
    case ZMQ_ROLE_PULL:
        return true;
    case ZMQ_ROLE_PROXY:
        break;
    }
    char *message = alloc_format("\x01%s", lane->prefix);
    bool good = zmq_send(source->socket, message, lane->length + 1, 0) >= 0;
    free(message);
    return good;
}

static bool
open_sockets(struct zmq_source *source)
{
    source->context = zmq_ctx_new();
    if (source->context == NULL)
        return false;
    source->socket = zmq_socket(source->context, zmq_request_socket_type(&source->request));
    if (source->socket == NULL || !zmq_request_set_options(&source->request, source->socket))
        return false;
    if (source->request.role == ZMQ_ROLE_PROXY) {
        source->behind = zmq_socket(source->context, ZMQ_XPUB);
        if (source->behind == NULL || !zmq_request_set_options(&source->request, source->behind))
            return false;
    }
    for (size_t i = 0; i < source->lanes.count; i++)
        if (!subscribe(source, &source->lanes.lanes[i]))
            return false;
    source->links =
        zmq_links_new(&source->request, source->config, source->context, source->socket);
    return source->links != NULL;
}

static void
zmq_source_close(void *self)
{
    struct zmq_source *source = self;
    zmq_parts_done(&source->parts);
    zmq_links_free(source->links);
    if (source->behind != NULL)
        (void)zmq_close(source->behind);
    if (source->socket != NULL)
        (void)zmq_close(source->socket);
    if (source->context != NULL) {
        (void)zmq_ctx_shutdown(source->context);
        (void)zmq_ctx_term(source->context); /* nothing lingers: returns at once */
    }
    zmq_lanes_end(&source->lanes);
    free(source);
}

static enum source_state
zmq_source_open(
    const struct source_config *config, struct outlet *outlet, void **self, struct error *err)
{
    struct zmq_source *source = alloc_zeroed(sizeof(*source));
    source->outlet = outlet;
    source->config = config;
    if (!zmq_request_read(config, &source->request, err)) {
        free(source);
        return SOURCE_FAILED;
    }
    zmq_lanes_begin(&source->lanes, &source->request, config->url->path, outlet);
    if (!open_sockets(source)) {
        error_set(err, ERROR_SYSTEM, "cannot make a ZeroMQ socket: %s", zmq_strerror(zmq_errno()));
        zmq_source_close(source);
        return SOURCE_LOST;
    }
    if (!zmq_links_attach(source->links, source->behind, err)) {
        bool may_mend = err->code == ERROR_SYSTEM;
        zmq_source_close(source);
        return may_mend ? SOURCE_LOST : SOURCE_FAILED;
    }

    zmq_lanes_resume(&source->lanes, config->tape);
    if (source->request.is_bound) {
        outlet_set_state(outlet, TAP_LIVE, NULL);
        outlet_warn(outlet, "listening; nobody has connected yet");
    }
    *self = source;
    return SOURCE_LIVE;
}

/* ---- connections ---- */

static void
say_down(struct zmq_source *source, const char *endpoint, const struct zmq_reason *reason)
{
    /* Where we listen it is only that one who stays out. */
    if (source->request.is_bound)
        outlet_warn(source->outlet, "a peer could not connect to %s: %s; %s", endpoint,
            reason->what, reason->fix);
    else
        outlet_set_trouble(source->outlet, reason->code, "cannot reach zmq at %s: %s; %s", endpoint,
            reason->what, reason->fix);
}

/* One is back, and another is not. */
static void
say_what_is_down(struct zmq_source *source)
{
    struct zmq_address address;
    for (size_t i = 0; zmq_links_address(source->links, i, &address); i++) {
        if (address.fault == ZMQ_FAULT_NONE)
            continue;
        struct zmq_reason reason = zmq_reason_of(&source->request, address.fault);
        say_down(source, address.endpoint, &reason);
        return;
    }
}

static void
on_up(struct zmq_source *source)
{
    if (source->lanes.subscribed_ns == 0)
        source->lanes.subscribed_ns = clock_now_ns();
    if (source->request.is_bound || zmq_links_all_up(source->links))
        outlet_set_state(source->outlet, TAP_LIVE, NULL);
    else
        say_what_is_down(source);
}

static void
on_lost(struct zmq_source *source, const char *endpoint)
{
    zmq_lanes_cut(&source->lanes);
    outlet_count_retry(source->outlet);
    if (source->request.is_bound)
        outlet_warn(source->outlet, "a publisher that was connected to %s left; %zu still there",
            endpoint, zmq_links_up_count(source->links));
    else
        outlet_set_trouble(
            source->outlet, ERROR_REMOTE, "lost the publisher at %s; connecting again", endpoint);
}

static void
follow_links(struct zmq_source *source)
{
    const char *endpoint;
    struct zmq_reason reason;
    for (;;) {
        switch (zmq_links_next(source->links, &endpoint, &reason)) {
        case ZMQ_CHANGE_NONE:
            return;
        case ZMQ_CHANGE_UP:
            on_up(source);
            break;
        case ZMQ_CHANGE_LOST:
            on_lost(source, endpoint);
            break;
        case ZMQ_CHANGE_DOWN:
            say_down(source, endpoint, &reason);
            break;
        }
    }
}

/* ---- messages ---- */

static enum outlet_step
take_message(struct zmq_source *source, struct zmq_lane *lane)
{
    int64_t next = lane->lane->next;
    struct event event = {
        .offset = next < 0 ? 0 : next,
        .offset_is_synthetic = true,
        .time_ns = CLOCK_NONE,
        .time_type = TIME_NONE,
    };
    zmq_parts_event(&source->parts, &event);
    enum outlet_step step = outlet_event(source->outlet, lane->lane, &event);
    if (lane->lane->lost_from >= 0) {
        source->dropped++;
        if (zmq_lanes_may_warn(&source->lanes))
            outlet_warn(source->outlet, "the tape is behind: %llu messages dropped",
                (unsigned long long)source->dropped);
    }
    return step;
}

/* Pass a frame on to the other side: the bytes are shared, not copied. An XPUB socket drops for a
 * subscriber that is behind and never makes us wait. */
static void
pass_on(void *socket, zmq_msg_t *frame)
{
    zmq_msg_t copy;
    int flags = ZMQ_DONTWAIT | (zmq_msg_more(frame) != 0 ? ZMQ_SNDMORE : 0);
    (void)zmq_msg_init(&copy);
    if (zmq_msg_copy(&copy, frame) != 0 || zmq_msg_send(&copy, socket, flags) < 0)
        (void)zmq_msg_close(&copy);
}

/* Receive one frame. False when there is none now. */
static bool
receive_frame(struct zmq_source *source, bool *is_last)
{
    zmq_msg_t *frame = zmq_parts_receive(&source->parts, source->socket);
    if (frame == NULL)
        return false;
    *is_last = zmq_msg_more(frame) == 0;
    if (source->behind != NULL)
        pass_on(source->behind, frame);
    return true;
}

/* A whole message is there. */
static enum outlet_step
finish_message(struct zmq_source *source)
{
    enum outlet_step step = OUTLET_GO_ON;
    struct zmq_lane *lane = zmq_lanes_find(&source->lanes, &source->parts);
    if (lane != NULL && source->parts.is_too_long) {
        zmq_lanes_lose(&source->lanes, lane);
        outlet_warn(source->outlet, "a message of more than %d frames was dropped", ZMQ_FRAMES_MAX);
    } else if (lane != NULL) {
        zmq_lanes_follow(&source->lanes, lane, &source->parts);
        step = take_message(source, lane);
    }
    zmq_parts_drop(&source->parts);
    return step;
}

/* Take up to MESSAGES of what has arrived. A proxy never waits for the tape. */
static enum outlet_step
drain(struct zmq_source *source)
{
    bool is_last = false;
    int taken = 0;
    while (taken < MESSAGES) {
        if (!receive_frame(source, &is_last)) {
            outlet_allow_wait(source->outlet, source->behind == NULL ? WAIT_NS : 0);
            break;
        }
        if (!is_last)
            continue;
        if (taken++ % STAMP_EVERY == 0)
            outlet_mark_received(source->outlet);
        if (finish_message(source) == OUTLET_DONE)
            return OUTLET_DONE;
    }
    return OUTLET_GO_ON;
}

/* What subscribers ask for, and no longer ask for, goes to the publishers, and so does all else that
 * they say. */
static void
pass_back(struct zmq_source *source)
{
    zmq_msg_t message;
    (void)zmq_msg_init(&message);
    while (zmq_msg_recv(&message, source->behind, ZMQ_DONTWAIT) >= 0)
        pass_on(source->socket, &message);
    (void)zmq_msg_close(&message);
}

static enum source_state
zmq_source_poll(void *self, int timeout_ms, struct error *err)
{
    struct zmq_source *source = self;
    zmq_pollitem_t items[] = {
        {.socket = source->socket, .events = ZMQ_POLLIN},
        {.socket = zmq_links_socket(source->links), .events = ZMQ_POLLIN},
        {.fd = outlet_stop_fd(source->outlet), .events = ZMQ_POLLIN},
        {.socket = source->behind, .events = ZMQ_POLLIN},
    };
    if (zmq_poll(items, source->behind == NULL ? 3 : 4, timeout_ms) < 0 && zmq_errno() != EINTR) {
        error_set(err, ERROR_SYSTEM, "cannot wait for ZeroMQ: %s", zmq_strerror(zmq_errno()));
        return SOURCE_LOST;
    }
    follow_links(source);
    if (source->behind != NULL && (items[3].revents & ZMQ_POLLIN) != 0)
        pass_back(source);
    enum outlet_step step = OUTLET_GO_ON;
    if ((items[0].revents & ZMQ_POLLIN) != 0)
        step = drain(source);
    bool is_over = source->config->until == UNTIL_TIME && clock_now_ns() > source->config->until_ns;
    return step == OUTLET_DONE || is_over ? SOURCE_ENDED : SOURCE_LIVE;
}

const struct source_ops source_zmq = {
    .scheme = "zmq",
    .summary = "ZeroMQ publishers (SUB, connected or bound), capture sockets (PULL), or as a proxy",
    .example = "zmq://localhost:5556/prefix",
    .default_port = 0,
    .can_wait = false,
    .may_be_first = true,
    .check = zmq_check,
    .open = zmq_source_open,
    .poll = zmq_source_poll,
    .close = zmq_source_close,
    .test = zmq_check_run,
    .about = zmq_about,
};
