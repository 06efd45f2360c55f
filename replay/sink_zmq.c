/* sink_zmq.c - events to a ZeroMQ socket: PUB, PUSH or DEALER, connected or bound.
 *
 * A message has the frames that it had when a ZeroMQ tap recorded it: the key, if there is one; the headers
 * "zmq.frame"; the payload. Other headers and times have no place in it, and no provenance: the plan says
 * how many events that concerns.
 *
 * ZeroMQ tells nobody what arrived. Sending waits until somebody is there, and while they are behind; what
 * libzmq has taken counts as acknowledged, and at the end there is some time for it to get out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/host_name.h"
#include "base/socket_file.h"
#include "index/event.h"
#include "replay/plan.h"
#include "replay/sink.h"
#include "replay/target_reader.h"
#include "replay/target_zmq.h"

#define LINGER_MS 10000

/* Enough for a connection that is made at once; later ones have more time. */
#define FIRST_TURN_NS (250 * NS_PER_MS)
#define LAST_TURN_NS  (8 * NS_PER_S)

/* A message that the socket did not take yet. */
struct waiting {
    zmq_msg_t *frames;
    size_t count;
    int64_t index;
    void *tag;
};

/* waiting[first .. first + count) in a ring of `capacity`. */
struct zmq_sink {
    struct sink sink;
    struct sink_options options;
    void *context;
    void *socket;
    bool is_publisher;
    uint64_t subscriptions; /* of a publisher: prefixes that somebody wants */
    struct waiting *waiting;
    size_t first;
    size_t count;
    size_t capacity;
    bool has_name; /* connects to a host's name */
    bool is_ipv4;  /* which is tried with IPv4 alone */
    bool had_peer;
    int64_t turn_ns; /* until somebody is there, when it is tried the other way */
    int64_t pause_ns;
    bool is_cut; /* given up with messages left: nothing lingers */
    char trouble[192];
};

extern const struct sink_ops sink_zmq;

/* ---- opening ---- */

static bool
set_number(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

/* IMMEDIATE: nothing is queued for a peer that is not there; a publisher knows that by its subscriptions.
 * NODROP: a subscriber that is behind makes us wait. */
static bool
set_options(const struct zmq_sink *sink)
{
    return set_number(sink->socket, ZMQ_LINGER, LINGER_MS) &&
           set_number(sink->socket, ZMQ_IPV6, sink->is_ipv4 ? 0 : 1) &&
           set_number(sink->socket, sink->is_publisher ? ZMQ_XPUB_NODROP : ZMQ_IMMEDIATE, 1);
}

static void zmq_sink_close(struct sink *base);

static struct sink *
zmq_sink_open(const struct sink_options *options, struct error *err)
{
    struct target_zmq target;
    struct zmq_sink *sink = alloc_zeroed(sizeof(*sink));
    sink->sink.ops = &sink_zmq;
    sink->options = *options;
    if (!target_zmq_read(&options->plan->target, &target, err))
        goto fail;
    sink->is_publisher = target.kind == TARGET_ZMQ_PUB;
    sink->context = zmq_ctx_new();
    if (sink->context != NULL)
        sink->socket = zmq_socket(sink->context, target_zmq_socket_type(&target));
    if (sink->socket == NULL || !set_options(sink)) {
        error_set(err, ERROR_SYSTEM, "cannot make a ZeroMQ socket: %s", zmq_strerror(zmq_errno()));
        goto fail;
    }
    const char *endpoint = options->plan->target.servers;
    if (target.is_bound && strncmp(endpoint, "ipc://", 6) == 0 &&
        !socket_file_is_free(endpoint + 6, err)) {
        if (err->code == ERROR_SYSTEM)
            err->code = ERROR_REMOTE;
        error_wrap(err, "cannot listen at '%s'", endpoint);
        goto fail;
    }
    sink->has_name = !target.is_bound && endpoint_has_host_name(endpoint);
    sink->pause_ns = FIRST_TURN_NS;
    sink->turn_ns = clock_monotonic_ns() + FIRST_TURN_NS;
    if ((target.is_bound ? zmq_bind(sink->socket, endpoint)
                         : zmq_connect(sink->socket, endpoint)) == 0)
        return &sink->sink;
    error_set(err, zmq_errno() == EADDRINUSE ? ERROR_REMOTE : ERROR_ARGUMENT, "cannot %s '%s': %s",
        target.is_bound ? "listen at" : "connect to", endpoint, zmq_strerror(zmq_errno()));

fail:
    zmq_sink_close(&sink->sink);
    return NULL;
}

/* ---- sending ---- */

static size_t
count_frames(const struct event *event)
{
    struct event_header header;
    size_t count = event->key.data != NULL ? 2 : 1;
    for (size_t at = 0; event_next_header(event, &at, &header);)
        count += bytes_equal_text(header.name, TARGET_ZMQ_FRAME);
    return count;
}

static bool
add_frame(struct waiting *message, struct bytes bytes)
{
    zmq_msg_t *frame = &message->frames[message->count];
    if (zmq_msg_init_size(frame, bytes.length) != 0)
        return false;
    if (bytes.length > 0)
        memcpy(zmq_msg_data(frame), bytes.data, bytes.length);
    message->count++;
    return true;
}

static bool
make_message(const struct event *event, struct waiting *message)
{
    struct event_header header;
    message->frames = alloc_array(count_frames(event), sizeof(message->frames[0]));
    bool good = event->key.data == NULL || add_frame(message, event->key);
    for (size_t at = 0; good && event_next_header(event, &at, &header);)
        if (bytes_equal_text(header.name, TARGET_ZMQ_FRAME))
            good = add_frame(message, header.value);
    return good && add_frame(message, event->payload);
}

static void
drop_message(struct waiting *message)
{
    for (size_t i = 0; i < message->count; i++)
        (void)zmq_msg_close(&message->frames[i]);
    free(message->frames);
}

static void
grow(struct zmq_sink *sink)
{
    size_t capacity = sink->capacity == 0 ? 64 : sink->capacity * 2;
    struct waiting *ring = alloc_array(capacity, sizeof(ring[0]));
    for (size_t i = 0; i < sink->count; i++)
        ring[i] = sink->waiting[(sink->first + i) % sink->capacity];
    free(sink->waiting);
    sink->waiting = ring;
    sink->capacity = capacity;
    sink->first = 0;
}

static bool
zmq_sink_send(struct sink *base, const struct sink_message *message, struct error *err)
{
    struct zmq_sink *sink = (struct zmq_sink *)base;
    struct waiting made = {.index = (int64_t)message->index, .tag = message->tag};
    if (!make_message(message->event, &made)) {
        drop_message(&made);
        return error_set(err, ERROR_LIMIT, "there is no memory for its frames");
    }
    if (sink->count == sink->capacity)
        grow(sink);
    sink->waiting[(sink->first + sink->count) % sink->capacity] = made;
    sink->count++;
    return true;
}

/* Take the oldest message out and say what became of it. */
static void
finish_first(struct zmq_sink *sink, const struct error *failure)
{
    struct waiting message = sink->waiting[sink->first];
    sink->first = (sink->first + 1) % sink->capacity;
    sink->count--;
    drop_message(&message);
    sink->options.finished(
        sink->options.self, message.tag, failure == NULL ? message.index : -1, failure);
}

/* Hand the oldest message over. A socket that takes the first frame of a message takes all of it. False
 * when it takes none now. */
static bool
hand_over(struct zmq_sink *sink)
{
    struct waiting *message = &sink->waiting[sink->first];
    for (size_t i = 0; i < message->count; i++) {
        int flags = (i == 0 ? ZMQ_DONTWAIT : 0) | (i + 1 < message->count ? ZMQ_SNDMORE : 0);
        while (zmq_msg_send(&message->frames[i], sink->socket, flags) < 0) {
            if (zmq_errno() == EINTR)
                continue;
            if (i == 0 && zmq_errno() == EAGAIN)
                return false;
            struct error err;
            error_set(&err, ERROR_REMOTE, "%s", zmq_strerror(zmq_errno()));
            finish_first(sink, &err);
            return false;
        }
    }
    finish_first(sink, NULL);
    return true;
}

/* What peers say: a publisher learns who wants something; a DEALER's answers are not for us. */
static void
listen_to_peers(struct zmq_sink *sink)
{
    zmq_msg_t message;
    (void)zmq_msg_init(&message);
    while (zmq_msg_recv(&message, sink->socket, ZMQ_DONTWAIT) >= 0) {
        const unsigned char *data = zmq_msg_data(&message);
        if (!sink->is_publisher || zmq_msg_size(&message) == 0)
            continue;
        if (data[0] == 1)
            sink->subscriptions++;
        else if (data[0] == 0 && sink->subscriptions > 0)
            sink->subscriptions--;
    }
    (void)zmq_msg_close(&message);
}

/* libzmq takes the first address of a name and never another, and with IPv6 that is the one, while sockets listen by
 * default at IPv4 only. As long as nobody was there nothing can be on its way, and the other is tried. */
static void
try_other_address(struct zmq_sink *sink)
{
    const char *endpoint = sink->options.plan->target.servers;
    int64_t now_ns = clock_monotonic_ns();
    if (!sink->has_name || sink->had_peer || now_ns < sink->turn_ns)
        return;
    sink->is_ipv4 = !sink->is_ipv4;
    (void)zmq_disconnect(sink->socket, endpoint);
    (void)set_number(sink->socket, ZMQ_IPV6, sink->is_ipv4 ? 0 : 1);
    (void)zmq_connect(sink->socket, endpoint);
    sink->pause_ns = sink->pause_ns * 2 > LAST_TURN_NS ? LAST_TURN_NS : sink->pause_ns * 2;
    sink->turn_ns = now_ns + sink->pause_ns;
}

static bool
has_peer(const struct zmq_sink *sink)
{
    return !sink->is_publisher || sink->subscriptions > 0;
}

static void
zmq_sink_poll(struct sink *base, int timeout_ms)
{
    struct zmq_sink *sink = (struct zmq_sink *)base;
    bool moved = false;
    listen_to_peers(sink);
    while (sink->count > 0 && has_peer(sink) && hand_over(sink))
        moved = true;
    sink->had_peer = sink->had_peer || moved || sink->subscriptions > 0;
    if (sink->count > 0)
        try_other_address(sink);
    sink->trouble[0] = '\0';
    if (sink->count > 0 && !moved)
        (void)snprintf(sink->trouble, sizeof(sink->trouble), "waiting for %s at %.100s",
            has_peer(sink) ? "a peer that takes more" : "a subscriber",
            sink->options.plan->target.servers);
    if (timeout_ms <= 0 || moved)
        return;
    /* A publisher's socket is always ready to be written to: it is asked again after a moment. */
    bool may_write = sink->count > 0 && !sink->is_publisher;
    zmq_pollitem_t item = {.socket = sink->socket,
        .events = (short)(may_write ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN)};
    (void)zmq_poll(
        &item, 1, sink->count > 0 && has_peer(sink) && sink->is_publisher ? 1 : timeout_ms);
}

static const char *
zmq_sink_trouble(struct sink *base)
{
    return ((struct zmq_sink *)base)->trouble;
}

static void
zmq_sink_abandon(struct sink *base)
{
    struct zmq_sink *sink = (struct zmq_sink *)base;
    struct error given_up;
    (void)error_set(&given_up, ERROR_REMOTE, "given up");
    sink->is_cut = sink->is_cut || sink->count > 0;
    while (sink->count > 0)
        finish_first(sink, &given_up);
}

static void
zmq_sink_close(struct sink *base)
{
    struct zmq_sink *sink = (struct zmq_sink *)base;
    zmq_sink_abandon(base);
    if (sink->socket != NULL) {
        (void)set_number(sink->socket, ZMQ_LINGER, sink->is_cut ? 0 : LINGER_MS);
        (void)zmq_close(sink->socket);
    }
    if (sink->context != NULL)
        (void)zmq_ctx_term(
            sink->context); /* returns when all has been sent, or LINGER_MS is over */
    free(sink->waiting);
    free(sink);
}

static bool
zmq_ask(const struct target *target, const struct kafka_settings *settings,
    struct target_facts *facts, struct error *err)
{
    struct target_zmq read;
    (void)settings;
    *facts = (struct target_facts){.partitions = 1};
    return target_zmq_read(target, &read, err);
}

/* Nothing can be read back. */
static const struct target_ops target_zmq_ops = {.ask = zmq_ask};

const struct sink_ops sink_zmq = {
    .transport = "zmq",
    .target = &target_zmq_ops,
    .open = zmq_sink_open,
    .send = zmq_sink_send,
    .poll = zmq_sink_poll,
    .trouble = zmq_sink_trouble,
    .abandon = zmq_sink_abandon,
    .close = zmq_sink_close,
};
