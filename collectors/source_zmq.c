/* The ZeroMQ source: a SUB socket connected to one or more publishers.
 *
 *     zmq://host:5556/prefix             subscribes to "prefix"; the stream is called like it
 *     zmq://host:5556,host2:5556         everything, as the stream "all"
 *     zmq+ipc:///run/shop.sock#prefix
 *
 * A message of one frame is a payload without a key. Of more frames the first is the key (PUB/SUB's
 * topic), the last the payload, and those between become headers "zmq.frame", in order.
 *
 * ZeroMQ has no offsets and keeps nothing: the recorder counts, going on where the tape ends, and what
 * was published while nobody was connected is a hole of unknown size. */

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
#include "index/event.h"

#define RECEIVE_LIMIT    200000 /* messages that libzmq keeps while our thread waits for a processor */
#define RECONNECT_MS     100
#define RECONNECT_MAX_MS 2000
#define MESSAGES         2000 /* for one poll */
#define STAMP_EVERY      64   /* messages that share one reading of the clock */
#define FRAMES_MAX       1024
#define FRAME_BYTES_MAX  (INT64_C(256) * 1024 * 1024) /* beyond it libzmq hangs up */
#define MONITOR_EVENTS                                                                    \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED | \
        ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |           \
        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

/* `frames` are the parts of the message that is being received; [0 .. frame_count) are initialised. */
struct zmq_source {
    struct outlet *outlet;
    const struct source_config *config;
    struct tap_lane *lane;
    void *context;
    void *socket;
    void *monitor;
    size_t endpoint_count;
    size_t connected;
    bool was_connected;
    zmq_msg_t frames[FRAMES_MAX];
    size_t frame_count;
    bool is_too_long; /* the message has more frames than that */
    struct buffer headers;
};

static bool
zmq_check(const struct source_config *config, struct error *err)
{
    const char *transport = config->url->transport;
    if (strcmp(transport, "zmq") != 0 && strcmp(transport, "zmq+ipc") != 0)
        return error_set(err, ERROR_ARGUMENT, "'%s': ZeroMQ is reached by zmq:// or zmq+ipc://",
            config->url->text);
    if (config->property_count > 0)
        return error_set(
            err, ERROR_CONFIG, "a ZeroMQ tap has no property '%s'", config->properties[0].name);
    return true;
}

/* ---- opening ---- */

static bool
set_option(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool
set_options(struct zmq_source *source)
{
    int64_t most = FRAME_BYTES_MAX;
    const char *prefix = source->config->url->path;
    return set_option(source->socket, ZMQ_LINGER, 0) &&
           set_option(source->socket, ZMQ_RCVHWM, RECEIVE_LIMIT) &&
           set_option(source->socket, ZMQ_IPV6, 1) &&
           set_option(source->socket, ZMQ_TCP_KEEPALIVE, 1) &&
           set_option(source->socket, ZMQ_TCP_KEEPALIVE_IDLE, 15) &&
           set_option(source->socket, ZMQ_TCP_KEEPALIVE_INTVL, 5) &&
           set_option(source->socket, ZMQ_TCP_KEEPALIVE_CNT, 3) &&
           set_option(source->socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_option(source->socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) &&
           zmq_setsockopt(source->socket, ZMQ_MAXMSGSIZE, &most, sizeof(most)) == 0 &&
           zmq_setsockopt(source->socket, ZMQ_SUBSCRIBE, prefix, strlen(prefix)) == 0;
}

/* Connections come up and go down on libzmq's own thread; their news arrive at a socket of ours. */
static bool
open_monitor(struct zmq_source *source)
{
    if (zmq_socket_monitor(source->socket, "inproc://monitor", MONITOR_EVENTS) != 0)
        return false;
    source->monitor = zmq_socket(source->context, ZMQ_PAIR);
    return source->monitor != NULL && set_option(source->monitor, ZMQ_LINGER, 0) &&
           zmq_connect(source->monitor, "inproc://monitor") == 0;
}

static bool
connect_to(struct zmq_source *source, const char *endpoint, struct error *err)
{
    source->endpoint_count++;
    return zmq_connect(source->socket, endpoint) == 0 ||
           error_set(err, ERROR_ARGUMENT, "cannot connect to '%s': %s", endpoint,
               zmq_strerror(zmq_errno()));
}

static bool
connect_all(struct zmq_source *source, struct error *err)
{
    const struct tap_url *url = source->config->url;
    bool is_file = strcmp(url->transport, "zmq+ipc") == 0;
    bool good = true;
    char *item;
    if (is_file) {
        char *endpoint = alloc_format("ipc://%s", url->address);
        good = connect_to(source, endpoint, err);
        free(endpoint);
    }
    for (size_t i = 0; !is_file && good && (item = tap_url_item(url->address, i)) != NULL; i++) {
        char *endpoint = alloc_format("tcp://%s", item);
        good = connect_to(source, endpoint, err);
        free(endpoint);
        free(item);
    }
    return good;
}

static void
zmq_source_close(void *self)
{
    struct zmq_source *source = self;
    for (size_t i = 0; i < source->frame_count; i++)
        (void)zmq_msg_close(&source->frames[i]);
    if (source->socket != NULL)
        (void)zmq_socket_monitor(source->socket, NULL, 0);
    if (source->monitor != NULL)
        (void)zmq_close(source->monitor);
    if (source->socket != NULL)
        (void)zmq_close(source->socket);
    if (source->context != NULL) {
        (void)zmq_ctx_shutdown(source->context);
        (void)zmq_ctx_term(source->context); /* nothing lingers: returns at once */
    }
    buffer_done(&source->headers);
    free(source);
}

static enum source_state
zmq_source_open(
    const struct source_config *config, struct outlet *outlet, void **self, struct error *err)
{
    struct zmq_source *source = alloc_zeroed(sizeof(*source));
    source->outlet = outlet;
    source->config = config;
    source->context = zmq_ctx_new();
    if (source->context != NULL)
        source->socket = zmq_socket(source->context, ZMQ_SUB);
    if (source->socket == NULL || !set_options(source) || !open_monitor(source)) {
        error_set(err, ERROR_SYSTEM, "cannot make a ZeroMQ socket: %s", zmq_strerror(zmq_errno()));
        zmq_source_close(source);
        return SOURCE_LOST;
    }
    if (!connect_all(source, err)) {
        zmq_source_close(source);
        return SOURCE_FAILED;
    }

    const char *prefix = config->url->path;
    source->lane = outlet_lane(outlet, prefix[0] == '\0' ? "all" : prefix, 0);
    if (source->lane->next >= 0)
        outlet_hole(outlet, source->lane, source->lane->next, -1, HOLE_NOT_RECORDED);
    *self = source;
    return SOURCE_LIVE;
}

/* ---- connections ---- */

static void
on_connected(struct zmq_source *source)
{
    source->connected++;
    source->was_connected = true;
    if (source->connected >= source->endpoint_count)
        outlet_set_state(source->outlet, TAP_LIVE, NULL);
}

static void
on_disconnected(struct zmq_source *source, const char *endpoint)
{
    if (source->connected > 0)
        source->connected--;
    if (source->lane->next >= 0)
        outlet_hole(source->outlet, source->lane, source->lane->next, -1, HOLE_UNKNOWN);
    outlet_count_retry(source->outlet);
    outlet_set_state(
        source->outlet, TAP_RETRYING, "lost the publisher at %s; connecting again", endpoint);
}

static void
take_news(struct zmq_source *source, uint16_t event, const char *endpoint)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        on_connected(source);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        on_disconnected(source, endpoint);
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        if (!source->was_connected)
            outlet_set_state(source->outlet, TAP_RETRYING,
                "cannot reach zmq at %s: no publisher answers", endpoint);
        break;
    default:
        outlet_set_state(source->outlet, TAP_RETRYING,
            "cannot reach zmq at %s: what answers is not a ZeroMQ publisher", endpoint);
        break;
    }
}

/* Each is two frames: event and value, then the endpoint. */
static void
read_monitor(struct zmq_source *source)
{
    unsigned char head[6];
    char endpoint[256];
    while (zmq_recv(source->monitor, head, sizeof(head), ZMQ_DONTWAIT) == (int)sizeof(head)) {
        int length = zmq_recv(source->monitor, endpoint, sizeof(endpoint) - 1, ZMQ_DONTWAIT);
        if (length < 0)
            return;
        endpoint[(size_t)length < sizeof(endpoint) ? (size_t)length : sizeof(endpoint) - 1] = '\0';
        uint16_t event;
        memcpy(&event, head, sizeof(event)); /* in the byte order of this machine */
        take_news(source, event, endpoint);
    }
}

/* ---- messages ---- */

static struct bytes
frame_bytes(zmq_msg_t *frame)
{
    const void *data = zmq_msg_data(frame);
    return bytes_make(data == NULL ? "" : data, zmq_msg_size(frame));
}

static enum outlet_step
take_message(struct zmq_source *source)
{
    int64_t next = source->lane->next;
    struct event event = {
        .offset = next < 0 ? 0 : next,
        .offset_is_synthetic = true,
        .time_ns = CLOCK_NONE,
        .time_type = TIME_NONE,
        .payload = frame_bytes(&source->frames[source->frame_count - 1]),
    };
    if (source->frame_count > 1)
        event.key = frame_bytes(&source->frames[0]);
    if (source->frame_count > 2) {
        source->headers.length = 0;
        headers_begin(&source->headers, source->frame_count - 2);
        for (size_t i = 1; i + 1 < source->frame_count; i++)
            headers_add(&source->headers, bytes_of("zmq.frame"), frame_bytes(&source->frames[i]));
        event.headers = bytes_make(source->headers.data, source->headers.length);
    }
    return outlet_event(source->outlet, source->lane, &event);
}

static void
drop_frames(struct zmq_source *source)
{
    for (size_t i = 0; i < source->frame_count; i++)
        (void)zmq_msg_close(&source->frames[i]);
    source->frame_count = 0;
}

/* Receive one frame. False when there is none now. */
static bool
receive_frame(struct zmq_source *source, bool *is_last)
{
    if (source->frame_count == FRAMES_MAX) {
        source->is_too_long = true;
        drop_frames(source);
    }
    zmq_msg_t *frame = &source->frames[source->frame_count];
    (void)zmq_msg_init(frame);
    if (zmq_msg_recv(frame, source->socket, ZMQ_DONTWAIT) < 0) {
        (void)zmq_msg_close(frame);
        return false;
    }
    source->frame_count++;
    *is_last = zmq_msg_more(frame) == 0;
    return true;
}

/* Take up to MESSAGES of what has arrived. */
static enum outlet_step
drain(struct zmq_source *source)
{
    bool is_last = false;
    for (int taken = 0; taken < MESSAGES && receive_frame(source, &is_last);) {
        if (!is_last)
            continue;
        if (taken++ % STAMP_EVERY == 0)
            outlet_mark_received(source->outlet);
        if (source->is_too_long) {
            outlet_lose(source->outlet, source->lane);
            outlet_warn(
                source->outlet, "a message of more than %d frames was not kept", FRAMES_MAX);
            source->is_too_long = false;
            drop_frames(source);
            continue;
        }
        enum outlet_step step = take_message(source);
        drop_frames(source);
        if (step == OUTLET_DONE)
            return step;
    }
    return OUTLET_GO_ON;
}

static enum source_state
zmq_source_poll(void *self, int timeout_ms, struct error *err)
{
    struct zmq_source *source = self;
    zmq_pollitem_t items[] = {
        {.socket = source->socket, .events = ZMQ_POLLIN},
        {.socket = source->monitor, .events = ZMQ_POLLIN},
        {.fd = outlet_stop_fd(source->outlet), .events = ZMQ_POLLIN},
    };
    if (zmq_poll(items, 3, timeout_ms) < 0 && zmq_errno() != EINTR) {
        error_set(err, ERROR_SYSTEM, "cannot wait for ZeroMQ: %s", zmq_strerror(zmq_errno()));
        return SOURCE_LOST;
    }
    if ((items[1].revents & ZMQ_POLLIN) != 0)
        read_monitor(source);
    enum outlet_step step = OUTLET_GO_ON;
    if ((items[0].revents & ZMQ_POLLIN) != 0)
        step = drain(source);
    bool is_over = source->config->until == UNTIL_TIME && clock_now_ns() > source->config->until_ns;
    return step == OUTLET_DONE || is_over ? SOURCE_ENDED : SOURCE_LIVE;
}

const struct source_ops source_zmq = {
    .scheme = "zmq",
    .summary = "a ZeroMQ publisher (PUB, XPUB), by a SUB socket",
    .example = "zmq://localhost:5556/prefix",
    .default_port = 0,
    .can_wait = false,
    .check = zmq_check,
    .open = zmq_source_open,
    .poll = zmq_source_poll,
    .close = zmq_source_close,
};
