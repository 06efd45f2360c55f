/* The ZeroMQ source: a SUB or PULL socket, or a proxy between publishers and subscribers.
 *
 *     zmq://host:5556/orders,payments    subscribes to both prefixes; a stream for each
 *     zmq://host:5556,host2:5556         everything, as the stream "all"
 *     zmq+ipc:///run/shop.sock#prefix
 *
 * zmq_endpoint.h has the other forms. A message of one frame is a payload without a key. Of more frames
 * the first is the key (PUB/SUB's topic), the last the payload, and those between become headers
 * "zmq.frame", in order.
 *
 * ZeroMQ has no offsets and keeps nothing: the recorder counts, going on where the tape ends, and what
 * was published while nobody was connected is a hole of unknown size. A counter in the messages
 * (zmq_sequence.h) tells more: then what is missing moves the offsets on by as much, and the hole is
 * exact. */

#include <assert.h>
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
#include "collectors/zmq_endpoint.h"
#include "collectors/zmq_monitor.h"
#include "index/event.h"

#define MESSAGES    2000 /* for one poll */
#define STAMP_EVERY 64   /* messages that share one reading of the clock */
#define FRAMES_MAX  1024
/* A queue that is full may be waited for while libzmq has room: this long at a million messages a
 * second is half of ZMQ_RECEIVE_LIMIT. */
#define WAIT_NS       (100 * NS_PER_MS)
#define WARN_EVERY_NS NS_PER_S
/* A counter that goes back this often is none, or there are several publishers. */
#define BACK_MAX 16

/* A prefix and the lane of what begins with it. */
struct zmq_lane {
    char *prefix;
    size_t length;
    struct tap_lane *lane;
    struct zmq_sequence sequence;
    unsigned went_back;
    bool is_cut; /* a connection was lost since the last message */
};

/* `frames` are the parts of the message that is being received; [0 .. frame_count) are initialised.
 * `behind` is the proxy's socket for subscribers, else NULL. */
struct zmq_source {
    struct outlet *outlet;
    const struct source_config *config;
    struct zmq_request request;
    struct zmq_lane *lanes;
    size_t lane_count;
    void *context;
    void *socket;
    void *behind;
    struct zmq_monitor *monitor;
    size_t endpoint_count;
    size_t connected;
    bool was_connected;
    bool was_refused;
    int64_t subscribed_ns; /* when the first connection came up */
    int64_t warned_ns;
    uint64_t dropped;     /* events that the tape had no room for */
    uint64_t missing;     /* messages that the counter says there were */
    uint64_t not_counted; /* messages without a counter */
    zmq_msg_t frames[FRAMES_MAX];
    size_t frame_count;
    bool is_too_long; /* the message has more frames than that */
    struct buffer headers;
};

static bool
zmq_check(const struct source_config *config, struct error *err)
{
    struct zmq_request request;
    return zmq_request_read(config, &request, err);
}

/* ---- opening ---- */

static bool
fail_at(const struct zmq_source *source, const char *endpoint, struct error *err)
{
    int number = zmq_errno();
    return error_set(err, number == EADDRINUSE ? ERROR_REMOTE : ERROR_ARGUMENT,
        "cannot %s '%s': %s", source->request.is_bound ? "listen at" : "connect to", endpoint,
        zmq_strerror(number));
}

static bool
attach(struct zmq_source *source, void *socket, size_t index, struct error *err)
{
    char *endpoint = zmq_request_endpoint(&source->request, source->config, index);
    if (endpoint == NULL)
        return false;
    int failed =
        source->request.is_bound ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint);
    bool good = failed == 0 || fail_at(source, endpoint, err);
    free(endpoint);
    return good;
}

static bool
attach_all(struct zmq_source *source, struct error *err)
{
    err->code = ERROR_NONE;
    if (source->behind != NULL) {
        source->endpoint_count = 1;
        return attach(source, source->socket, 0, err) && attach(source, source->behind, 1, err);
    }
    while (attach(source, source->socket, source->endpoint_count, err))
        source->endpoint_count++;
    return err->code == ERROR_NONE;
}

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
    for (size_t i = 0; i < source->lane_count; i++)
        if (!subscribe(source, &source->lanes[i]))
            return false;
    source->monitor = zmq_monitor_open(source->context, source->socket);
    return source->monitor != NULL;
}

/* The prefixes in the URL; a PULL socket has no prefix but a stream's name. */
static void
find_lanes(struct zmq_source *source)
{
    const char *path = source->config->url->path;
    bool is_filter = source->request.role != ZMQ_ROLE_PULL;
    source->lanes = alloc_zeroed(ZMQ_PREFIXES_MAX * sizeof(source->lanes[0]));
    for (char *name; (name = tap_url_item(path, source->lane_count)) != NULL;) {
        struct zmq_lane *lane = &source->lanes[source->lane_count++];
        lane->lane = outlet_lane(source->outlet, name[0] == '\0' ? "all" : name, 0);
        lane->prefix = is_filter ? name : alloc_text("");
        lane->length = strlen(lane->prefix);
        if (!is_filter)
            free(name);
    }
}

static void
zmq_source_close(void *self)
{
    struct zmq_source *source = self;
    for (size_t i = 0; i < source->frame_count; i++)
        (void)zmq_msg_close(&source->frames[i]);
    zmq_monitor_close(source->monitor, source->socket);
    if (source->behind != NULL)
        (void)zmq_close(source->behind);
    if (source->socket != NULL)
        (void)zmq_close(source->socket);
    if (source->context != NULL) {
        (void)zmq_ctx_shutdown(source->context);
        (void)zmq_ctx_term(source->context); /* nothing lingers: returns at once */
    }
    for (size_t i = 0; i < source->lane_count; i++) {
        struct zmq_lane *lane = &source->lanes[i];
        if (lane->is_cut) /* no message came any more that could have told how many */
            outlet_hole(source->outlet, lane->lane, lane->lane->next, -1, HOLE_UNKNOWN);
        free(lane->prefix);
    }
    free(source->lanes);
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
    if (!zmq_request_read(config, &source->request, err)) {
        free(source);
        return SOURCE_FAILED;
    }
    find_lanes(source);
    if (!open_sockets(source)) {
        error_set(err, ERROR_SYSTEM, "cannot make a ZeroMQ socket: %s", zmq_strerror(zmq_errno()));
        zmq_source_close(source);
        return SOURCE_LOST;
    }
    if (!attach_all(source, err)) {
        bool may_mend = err->code == ERROR_REMOTE;
        zmq_source_close(source);
        return may_mend ? SOURCE_LOST : SOURCE_FAILED;
    }

    for (size_t i = 0; i < source->lane_count; i++) {
        struct tap_lane *lane = source->lanes[i].lane;
        if (lane->next >= 0)
            outlet_hole(outlet, lane, lane->next, -1, HOLE_NOT_RECORDED);
    }
    if (source->request.is_bound) {
        outlet_set_state(outlet, TAP_LIVE, NULL);
        outlet_warn(outlet, "listening; nobody has connected yet");
    }
    *self = source;
    return SOURCE_LIVE;
}

/* ---- connections ---- */

static void
on_connected(struct zmq_source *source)
{
    source->connected++;
    source->was_refused = false;
    if (!source->was_connected)
        source->subscribed_ns = clock_now_ns();
    source->was_connected = true;
    if (source->request.is_bound || source->connected >= source->endpoint_count)
        outlet_set_state(source->outlet, TAP_LIVE, NULL);
}

/* With a counter the next message tells what is missing; without one nobody ever does. */
static void
cut_lanes(struct zmq_source *source)
{
    for (size_t i = 0; i < source->lane_count; i++) {
        struct zmq_lane *lane = &source->lanes[i];
        if (lane->sequence.has_last)
            lane->is_cut = true;
        else if (lane->lane->next >= 0)
            outlet_hole(source->outlet, lane->lane, lane->lane->next, -1, HOLE_UNKNOWN);
    }
}

static void
on_disconnected(struct zmq_source *source, const char *endpoint)
{
    if (source->connected > 0)
        source->connected--;
    cut_lanes(source);
    outlet_count_retry(source->outlet);
    if (source->request.is_bound)
        outlet_warn(source->outlet, "a publisher that was connected to %s left; %zu still there",
            endpoint, source->connected);
    else
        outlet_set_state(
            source->outlet, TAP_RETRYING, "lost the publisher at %s; connecting again", endpoint);
}

/* Someone is there and does not let us in. Where we listen it is only that one who stays out. */
static void
on_refused(struct zmq_source *source, const char *endpoint, const char *why)
{
    source->was_refused = true;
    if (source->request.is_bound)
        outlet_warn(source->outlet, "a peer could not connect to %s: %s", endpoint, why);
    else
        outlet_set_state(source->outlet, TAP_RETRYING, "cannot reach zmq at %s: %s", endpoint, why);
}

static void
read_monitor(struct zmq_source *source)
{
    struct zmq_news news;
    while (zmq_monitor_read(source->monitor, &news)) {
        switch (news.kind) {
        case ZMQ_NEWS_CONNECTED:
            on_connected(source);
            break;
        case ZMQ_NEWS_LOST:
            /* A peer that was refused is disconnected too, though it never was connected. */
            if (source->connected > 0)
                on_disconnected(source, news.endpoint);
            break;
        case ZMQ_NEWS_NOBODY:
            if (!source->was_connected && !source->was_refused)
                outlet_set_state(source->outlet, TAP_RETRYING,
                    "cannot reach zmq at %s: no publisher answers", news.endpoint);
            break;
        case ZMQ_NEWS_REFUSED:
            on_refused(source, news.endpoint, news.why);
            break;
        }
    }
}

/* ---- what is missing ---- */

/* True not more often than once a second: these texts are for the screen. */
static bool
may_warn(struct zmq_source *source)
{
    int64_t now = clock_monotonic_ns();
    if (source->warned_ns != 0 && now - source->warned_ns < WARN_EVERY_NS)
        return false;
    source->warned_ns = now;
    return true;
}

static void
on_gap(struct zmq_source *source, struct zmq_lane *lane, uint64_t missing)
{
    source->missing += missing;
    outlet_miss(
        source->outlet, lane->lane, missing, lane->is_cut ? HOLE_NOT_RECORDED : HOLE_DROPPED);
    if (lane->is_cut)
        outlet_warn(source->outlet, "%llu messages were published while nobody was connected",
            (unsigned long long)missing);
    else if (may_warn(source))
        outlet_warn(source->outlet,
            "%llu messages missing by their counter: dropped at a high-water mark on their way "
            "(raise ZMQ_SNDHWM of the publisher)",
            (unsigned long long)source->missing);
}

/* A publisher that began again, or not one counter at all. */
static void
on_back(struct zmq_source *source, struct zmq_lane *lane)
{
    if (lane->lane->next >= 0)
        outlet_hole(source->outlet, lane->lane, lane->lane->next, -1, HOLE_UNKNOWN);
    if (++lane->went_back < BACK_MAX)
        return;
    lane->sequence.has_last = false;
    outlet_warn(source->outlet,
        "the counter of '%s' went back %d times: it is not one counter, and gaps in it are no "
        "longer looked for",
        lane->lane->stream->name, BACK_MAX);
}

/* On a tape without a past it shows what was published before the subscription was up. */
static void
on_first(struct zmq_source *source, const struct zmq_lane *lane, uint64_t number)
{
    char time[CLOCK_TEXT_MAX];
    if (number <= 1 || source->subscribed_ns == 0)
        return;
    clock_format(source->subscribed_ns, time);
    outlet_warn(source->outlet,
        "'%s' begins with message %llu: earlier ones were published before we subscribed at %s",
        lane->lane->stream->name, (unsigned long long)number, time);
}

static struct bytes
frame_bytes(zmq_msg_t *frame)
{
    const void *data = zmq_msg_data(frame);
    return bytes_make(data == NULL ? "" : data, zmq_msg_size(frame));
}

/* Look at the message's counter; what is missing before it becomes a hole. */
static void
follow_sequence(struct zmq_source *source, struct zmq_lane *lane)
{
    const struct zmq_place *place = &source->request.sequence;
    size_t frame;
    uint64_t number;
    uint64_t missing;
    unsigned bits;
    if (!zmq_place_frame(place, source->frame_count, &frame) ||
        !zmq_place_read(place, frame_bytes(&source->frames[frame]), &number, &bits)) {
        source->not_counted++;
        if (may_warn(source))
            outlet_warn(source->outlet, "%llu messages have no counter where `sequence` says",
                (unsigned long long)source->not_counted);
        return;
    }
    switch (zmq_sequence_next(&lane->sequence, number, bits, &missing)) {
    case ZMQ_JUMP_FIRST:
        on_first(source, lane, number);
        break;
    case ZMQ_JUMP_NEXT:
        break;
    case ZMQ_JUMP_GAP:
        on_gap(source, lane, missing);
        break;
    case ZMQ_JUMP_BACK:
        on_back(source, lane);
        break;
    }
    lane->is_cut = false;
}

/* ---- messages ---- */

/* The lane with the longest prefix that the first frame begins with; NULL when there is none. */
static struct zmq_lane *
find_lane(struct zmq_source *source)
{
    if (source->lane_count == 1 && source->behind == NULL)
        return &source->lanes[0];
    struct bytes topic = frame_bytes(&source->frames[0]);
    struct zmq_lane *found = NULL;
    for (size_t i = 0; i < source->lane_count; i++) {
        struct zmq_lane *lane = &source->lanes[i];
        if (lane->length <= topic.length && memcmp(topic.data, lane->prefix, lane->length) == 0 &&
            (found == NULL || lane->length > found->length))
            found = lane;
    }
    return found;
}

static enum outlet_step
take_message(struct zmq_source *source, struct zmq_lane *lane)
{
    int64_t next = lane->lane->next;
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
    enum outlet_step step = outlet_event(source->outlet, lane->lane, &event);
    if (lane->lane->lost_from >= 0) {
        source->dropped++;
        if (may_warn(source))
            outlet_warn(source->outlet, "the tape is behind: %llu messages dropped",
                (unsigned long long)source->dropped);
    }
    return step;
}

static void
drop_frames(struct zmq_source *source)
{
    for (size_t i = 0; i < source->frame_count; i++)
        (void)zmq_msg_close(&source->frames[i]);
    source->frame_count = 0;
}

/* Pass a frame on to the subscribers: the bytes are shared, not copied. An XPUB socket drops for a
 * subscriber that is behind and never makes us wait. */
static void
pass_on(struct zmq_source *source, zmq_msg_t *frame, bool is_last)
{
    zmq_msg_t copy;
    (void)zmq_msg_init(&copy);
    if (zmq_msg_copy(&copy, frame) != 0 ||
        zmq_msg_send(&copy, source->behind, ZMQ_DONTWAIT | (is_last ? 0 : ZMQ_SNDMORE)) < 0)
        (void)zmq_msg_close(&copy);
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
    if (source->behind != NULL)
        pass_on(source, frame, *is_last);
    return true;
}

/* A whole message is there. */
static enum outlet_step
finish_message(struct zmq_source *source)
{
    enum outlet_step step = OUTLET_GO_ON;
    struct zmq_lane *lane = source->is_too_long ? &source->lanes[0] : find_lane(source);
    if (source->is_too_long) {
        assert(lane != NULL); /* there is one lane per prefix, and one at least */
        outlet_lose(source->outlet, lane->lane);
        outlet_warn(source->outlet, "a message of more than %d frames was dropped", FRAMES_MAX);
    } else if (lane != NULL) {
        if (source->request.sequence.kind != ZMQ_PLACE_NONE && lane->went_back < BACK_MAX)
            follow_sequence(source, lane);
        step = take_message(source, lane);
    }
    source->is_too_long = false;
    drop_frames(source);
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

/* What subscribers ask for, and no longer ask for, goes to the publishers. */
static void
pass_subscriptions(struct zmq_source *source)
{
    zmq_msg_t message;
    (void)zmq_msg_init(&message);
    while (zmq_msg_recv(&message, source->behind, ZMQ_DONTWAIT) >= 0) {
        if (zmq_msg_send(&message, source->socket, ZMQ_DONTWAIT) < 0)
            (void)zmq_msg_close(&message);
        (void)zmq_msg_init(&message);
    }
    (void)zmq_msg_close(&message);
}

static enum source_state
zmq_source_poll(void *self, int timeout_ms, struct error *err)
{
    struct zmq_source *source = self;
    zmq_pollitem_t items[] = {
        {.socket = source->socket, .events = ZMQ_POLLIN},
        {.socket = zmq_monitor_socket(source->monitor), .events = ZMQ_POLLIN},
        {.fd = outlet_stop_fd(source->outlet), .events = ZMQ_POLLIN},
        {.socket = source->behind, .events = ZMQ_POLLIN},
    };
    if (zmq_poll(items, source->behind == NULL ? 3 : 4, timeout_ms) < 0 && zmq_errno() != EINTR) {
        error_set(err, ERROR_SYSTEM, "cannot wait for ZeroMQ: %s", zmq_strerror(zmq_errno()));
        return SOURCE_LOST;
    }
    if ((items[1].revents & ZMQ_POLLIN) != 0)
        read_monitor(source);
    if (source->behind != NULL && (items[3].revents & ZMQ_POLLIN) != 0)
        pass_subscriptions(source);
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
    .check = zmq_check,
    .open = zmq_source_open,
    .poll = zmq_source_poll,
    .close = zmq_source_close,
};
