#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "collectors/zmq_parts.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (20 * NS_PER_S)

/* A publisher on a socket file in the tape's parent, and the URL that leads to it. */
struct setting {
    char *directory;
    char *tape;
    char *endpoint;
    char *url;
    void *context;
    void *publisher;
    struct recorder_property properties[3]; /* of the tap; those with a name */
};

static void
bind_publisher(struct setting *setting)
{
    int none = 0;
    int all = 0;
    int each = 1; /* tell of a subscription also when an earlier one is not yet gone */
    setting->publisher = zmq_socket(setting->context, ZMQ_XPUB);
    assert_non_null(setting->publisher);
    (void)zmq_setsockopt(setting->publisher, ZMQ_LINGER, &none, sizeof(none));
    (void)zmq_setsockopt(setting->publisher, ZMQ_SNDHWM, &all, sizeof(all));
    (void)zmq_setsockopt(setting->publisher, ZMQ_XPUB_VERBOSE, &each, sizeof(each));
    if (zmq_bind(setting->publisher, setting->endpoint) != 0)
        fail_msg("cannot bind %s: %s", setting->endpoint, zmq_strerror(zmq_errno()));
}

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    setting->directory = temp_directory_new();
    setting->tape = alloc_format("%s/tape", setting->directory);
    setting->endpoint = alloc_format("ipc://%s/events.sock", setting->directory);
    setting->url = alloc_format("zmq+ipc://%s/events.sock", setting->directory);
    setting->context = zmq_ctx_new();
    bind_publisher(setting);
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    if (setting->publisher != NULL)
        (void)zmq_close(setting->publisher);
    (void)zmq_ctx_term(setting->context);
    temp_directory_remove(setting->directory);
    free(setting->tape);
    free(setting->endpoint);
    free(setting->url);
    free(setting);
    return 0;
}

static struct recorder *
start_until(struct setting *setting, enum recorder_until until, int64_t until_ns)
{
    struct error err;
    struct recorder_tap tap = {
        .name = "feed", .url = setting->url, .properties = setting->properties};
    while (tap.property_count < 3 && setting->properties[tap.property_count].name != NULL)
        tap.property_count++;
    struct recorder_options options = {
        .directory = setting->tape,
        .taps = &tap,
        .tap_count = 1,
        .until = until,
        .until_ns = until_ns,
        .until_events = 5,
    };
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    return recorder;
}

/* An XPUB hears of a subscription: from then on nothing is lost. */
static void
wait_for_subscription(struct setting *setting)
{
    unsigned char subscription[64];
    zmq_pollitem_t item = {.socket = setting->publisher, .events = ZMQ_POLLIN};
    do {
        if (zmq_poll(&item, 1, (long)(PATIENCE_NS / NS_PER_MS)) <= 0)
            fail_msg("nobody subscribed");
        (void)zmq_recv(setting->publisher, subscription, sizeof(subscription), 0);
    } while (subscription[0] != 1);
}

static struct recorder *
start(struct setting *setting)
{
    struct recorder *recorder = start_until(setting, UNTIL_STOPPED, 0);
    wait_for_subscription(setting);
    return recorder;
}

static void
stop(struct recorder *recorder)
{
    struct error err;
    assert_ok(recorder_stop(recorder, &err));
}

static void
publish(struct setting *setting, const char *text)
{
    assert_int_equal(zmq_send(setting->publisher, text, strlen(text), 0), (int)strlen(text));
}

static void
publish_numbers(struct setting *setting, int from, int count)
{
    char text[16];
    for (int i = from; i < from + count; i++) {
        (void)snprintf(text, sizeof(text), "n%d", i);
        publish(setting, text);
    }
}

static void
records_single_frames_as_payloads(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting);
    publish_numbers(setting, 0, 1000);
    wait_for_events(recorder, 1000);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 1000);
    const struct event *event = taped_at(&taped, "feed/all", 0, 999);
    assert_true(bytes_equal_text(event->payload, "n999"));
    assert_null(event->key.data);
    assert_int_equal(event->headers.length, 0);
    assert_int_equal(event->time_type, TIME_NONE);
    assert_true(event->offset_is_synthetic);
    taped_done(&taped);
}

static void
records_many_frames_as_key_headers_and_payload(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting);
    zmq_send(setting->publisher, "topic", 5, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "one", 3, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "", 0, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "\0\xff", 2, 0);
    zmq_send(setting->publisher, "", 0, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "", 0, 0);
    wait_for_events(recorder, 2);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    const struct event *event = taped_at(&taped, "feed/all", 0, 0);
    assert_true(bytes_equal_text(event->key, "topic"));
    assert_true(bytes_equal(event->payload, bytes_make("\0\xff", 2)));
    size_t at = 0;
    struct event_header header;
    assert_true(event_next_header(event, &at, &header));
    assert_true(bytes_equal_text(header.name, "zmq.frame"));
    assert_true(bytes_equal_text(header.value, "one"));
    assert_true(event_next_header(event, &at, &header));
    assert_true(bytes_equal_text(header.value, ""));
    assert_false(event_next_header(event, &at, &header));

    event = taped_at(&taped, "feed/all", 0, 1);
    assert_true(bytes_equal_text(event->key, ""));
    assert_true(bytes_equal_text(event->payload, ""));
    assert_int_equal(event->headers.length, 0);
    taped_done(&taped);
}

/* A message that is too long moves the offset on, in the lane of its topic. */
static void
records_ten_thousand_frames_and_names_a_message_of_more_than_the_most(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(zmq_send(setting->publisher, &i, 3, i < 9999 ? ZMQ_SNDMORE : 0), 3);
    for (int i = 0; i <= ZMQ_FRAMES_MAX; i++)
        assert_int_equal(
            zmq_send(setting->publisher, &i, 3, i < ZMQ_FRAMES_MAX ? ZMQ_SNDMORE : 0), 3);
    publish(setting, "end");
    wait_for_events(recorder, 2);
    assert_int_equal(tap_now(recorder, 0).dropped, 1);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    const struct event *event = taped_at(&taped, "feed/all", 0, 0);
    size_t at = 0;
    int count = 0;
    for (struct event_header header; event_next_header(event, &at, &header);)
        assert_memory_equal(header.value.data, &(int){++count}, 3);
    assert_int_equal(count, 9998);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/all", 0, 2)->payload, "end"));
    taped_done(&taped);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, 1);
}

static void
names_the_stream_after_the_prefix(void **state)
{
    struct setting *setting = *state;
    char *url = alloc_format("%s#orders", setting->url);
    free(setting->url);
    setting->url = url;
    struct recorder *recorder = start(setting);
    publish(setting, "payments 1");
    publish(setting, "orders 1");
    publish(setting, "orders 2");
    wait_for_events(recorder, 2);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 2);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/orders", 0, 1)->payload, "orders 2"));
    taped_done(&taped);
}

static void
counts_on_where_the_tape_ends_and_names_the_time_between(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting);
    publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    stop(recorder);
    recorder = start(setting);
    publish_numbers(setting, 10, 2);
    wait_for_events(recorder, 2);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 5);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/all", 0, 3)->payload, "n10"));
    taped_done(&taped);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 3);
    assert_int_equal(hole.to, -1);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
connects_again_when_the_publisher_comes_back(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting);
    publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    (void)zmq_close(setting->publisher);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_non_null(strstr(tap_now(recorder, 0).error, "lost the publisher"));
    bind_publisher(setting);
    wait_for_tap(recorder, 0, TAP_LIVE);
    wait_for_subscription(setting);
    publish_numbers(setting, 3, 2);
    wait_for_events(recorder, 5);
    assert_int_equal(tap_now(recorder, 0).retries, 1);
    stop(recorder);

    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 3);
    assert_int_equal(hole.reason, HOLE_UNKNOWN);
}

static void
records_over_tcp(void **state)
{
    struct setting *setting = *state;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    assert_int_equal(zmq_bind(setting->publisher, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    free(setting->url);
    setting->url = alloc_format("zmq://%s/n", endpoint + strlen("tcp://"));
    struct recorder *recorder = start(setting);
    publish_numbers(setting, 0, 100);
    wait_for_events(recorder, 100);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 99)->payload, "n99"));
    taped_done(&taped);
}

static void
takes_exactly_so_many_events(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start_until(setting, UNTIL_EVENTS, 0);
    wait_for_subscription(setting);
    publish_numbers(setting, 0, 50);
    wait_for_finish(recorder);
    stop(recorder);
    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 5);
    taped_done(&taped);
}

static void
ends_at_a_time(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start_until(setting, UNTIL_TIME, clock_now_ns() + 300 * NS_PER_MS);
    wait_for_finish(recorder);
    assert_int_equal(tap_now(recorder, 0).state, TAP_ENDED);
    stop(recorder);
}

/* A publisher may be started after its recorder. */
static void
waits_for_a_publisher_that_is_not_there_yet(void **state)
{
    struct setting *setting = *state;
    (void)zmq_close(setting->publisher);
    struct recorder *recorder = start_until(setting, UNTIL_STOPPED, 0);
    struct live_tap row = tap_now(recorder, 0);
    assert_int_equal(row.state, TAP_RETRYING);
    assert_non_null(strstr(row.error, "no publisher answers; start it, or correct the address"));
    bind_publisher(setting);
    wait_for_subscription(setting);
    publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop(recorder);
}

static void
refuses_a_url_without_a_port_and_properties(void **state)
{
    struct setting *setting = *state;
    struct error err;
    struct recorder_property property = {.name = "rcvhwm", .value = "1"};
    struct recorder_tap tap = {.url = "zmq://localhost/x"};
    struct recorder_options options = {.directory = setting->tape, .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    tap = (struct recorder_tap){.url = setting->url, .properties = &property, .property_count = 1};
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "rcvhwm"));
}

/* It would never be reached. */
static void
refuses_to_record_up_to_an_end(void **state)
{
    struct setting *setting = *state;
    struct error err;
    struct recorder_tap tap = {.url = setting->url};
    struct recorder_options options = {
        .directory = setting->tape, .taps = &tap, .tap_count = 1, .until = UNTIL_END};
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "ZeroMQ has no end to record up to"));
}

static void
use_url(struct setting *setting, char *url)
{
    free(setting->url);
    setting->url = url;
}

static void
use_property(struct setting *setting, size_t slot, const char *name, const char *value)
{
    setting->properties[slot] = (struct recorder_property){.name = name, .value = value};
}

/* A second publisher that connects to where the recorder listens. */
static void
connect_publisher(struct setting *setting, int type, const char *endpoint)
{
    int none = 0;
    (void)zmq_close(setting->publisher);
    setting->publisher = zmq_socket(setting->context, type);
    (void)zmq_setsockopt(setting->publisher, ZMQ_LINGER, &none, sizeof(none));
    (void)zmq_setsockopt(setting->publisher, ZMQ_SNDHWM, &none, sizeof(none));
    (void)zmq_setsockopt(setting->publisher, ZMQ_IPV6, &(int){1}, sizeof(int));
    if (zmq_connect(setting->publisher, endpoint) != 0)
        fail_msg("cannot connect to %s: %s", endpoint, zmq_strerror(zmq_errno()));
}

/* A port that is free now. */
static int
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Wait until the tap's text has `part`. */
static void
wait_for_text(struct recorder *recorder, const char *part)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    for (;;) {
        struct live_tap row = tap_now(recorder, 0);
        if (strstr(row.error, part) != NULL)
            return;
        if (clock_monotonic_ns() > deadline)
            fail_msg("waited for '%s'; the tap is %s and says '%s'", part,
                tap_state_text(row.state), row.error);
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
}

static void
publishers_connect_to_a_bound_tap(void **state)
{
    struct setting *setting = *state;
    int port = free_port();
    use_url(setting, alloc_format("zmq+bind://127.0.0.1:%d/n", port));
    struct recorder *recorder = start_until(setting, UNTIL_STOPPED, 0);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    assert_non_null(strstr(tap_now(recorder, 0).error, "nobody has connected yet"));

    char *endpoint = alloc_format("tcp://127.0.0.1:%d", port);
    connect_publisher(setting, ZMQ_XPUB, endpoint);
    wait_for_subscription(setting);
    publish_numbers(setting, 0, 100);
    wait_for_events(recorder, 100);
    assert_string_equal(tap_now(recorder, 0).error, "");
    connect_publisher(setting, ZMQ_XPUB, endpoint); /* the first one leaves */
    wait_for_subscription(setting);
    publish_numbers(setting, 100, 1);
    wait_for_events(recorder, 101);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop(recorder);
    free(endpoint);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 100)->payload, "n100"));
    taped_done(&taped);
}

static void
says_when_the_address_is_taken(void **state)
{
    struct setting *setting = *state;
    struct error err;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    assert_int_equal(zmq_bind(setting->publisher, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    use_url(setting, alloc_format("zmq+bind://%s/n", endpoint + strlen("tcp://")));
    struct recorder_tap tap = {.url = setting->url};
    struct recorder_options options = {.directory = setting->tape, .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    assert_non_null(strstr(err.text, "cannot listen at 'tcp://127.0.0.1:"));
    assert_non_null(strstr(err.text, "Address already in use"));
}

static void
records_over_ipv6(void **state)
{
    struct setting *setting = *state;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    (void)zmq_setsockopt(setting->publisher, ZMQ_IPV6, &(int){1}, sizeof(int));
    if (zmq_bind(setting->publisher, "tcp://[::1]:*") != 0)
        unit_skip(__func__, "no IPv6 on this machine");
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    use_url(setting, alloc_format("zmq://%s/n", endpoint + strlen("tcp://")));
    assert_non_null(strstr(setting->url, "zmq://[::1]:"));
    struct recorder *recorder = start(setting);
    publish_numbers(setting, 0, 10);
    wait_for_events(recorder, 10);
    stop(recorder);
}

static void
each_prefix_is_a_stream_and_the_longest_counts(void **state)
{
    struct setting *setting = *state;
    use_url(setting, alloc_format("%s#a,ab,c", setting->url));
    struct recorder *recorder = start(setting);
    wait_for_subscription(setting);
    wait_for_subscription(setting);
    publish(setting, "a1");
    publish(setting, "ab1");
    publish(setting, "b");
    publish(setting, "c1");
    publish(setting, "abc");
    wait_for_events(recorder, 4);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 4);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/a", 0, 0)->payload, "a1"));
    assert_true(bytes_equal_text(taped_at(&taped, "feed/ab", 0, 1)->payload, "abc"));
    assert_true(bytes_equal_text(taped_at(&taped, "feed/c", 0, 0)->payload, "c1"));
    taped_done(&taped);
}

struct capture {
    void *requests; /* ROUTER */
    void *workers;  /* DEALER */
    void *capture;
};

static void *
run_proxy(void *argument)
{
    struct capture *capture = argument;
    (void)zmq_proxy(capture->requests, capture->workers, capture->capture);
    return NULL;
}

static void *
open_bound(struct setting *setting, int type, const char *endpoint)
{
    int none = 0;
    void *socket = zmq_socket(setting->context, type);
    assert_non_null(socket);
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
    if (zmq_bind(socket, endpoint) != 0)
        fail_msg("cannot bind %s: %s", endpoint, zmq_strerror(zmq_errno()));
    return socket;
}

static void *
open_connected(struct setting *setting, int type, const char *endpoint)
{
    int none = 0;
    void *socket = zmq_socket(setting->context, type);
    assert_non_null(socket);
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
    (void)zmq_setsockopt(socket, ZMQ_RCVTIMEO, &(int){20000}, sizeof(int));
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    return socket;
}

static void
expect_frame(void *socket, const char *text)
{
    char frame[64];
    int length = zmq_recv(socket, frame, sizeof(frame), 0);
    if (length < 0)
        fail_msg("waited 20 s for '%s': %s", text, zmq_strerror(zmq_errno()));
    assert_true(bytes_equal_text(bytes_make(frame, (size_t)length), text));
}

/* Requests and answers between DEALER and ROUTER sockets, seen at the capture socket of the proxy that
 * stands between them. */
static void
sees_requests_and_answers_at_a_capture_socket(void **state)
{
    struct setting *setting = *state;
    (void)zmq_close(setting->publisher);
    setting->publisher = NULL;
    use_url(setting, alloc_format("zmq+pull+ipc://%s/capture.sock#shop", setting->directory));
    char *endpoint = alloc_format("ipc://%s/capture.sock", setting->directory);
    struct capture capture = {
        .requests = open_bound(setting, ZMQ_ROUTER, "inproc://requests"),
        .workers = open_bound(setting, ZMQ_DEALER, "inproc://workers"),
        .capture = open_bound(setting, ZMQ_PUSH, endpoint),
    };
    struct recorder *recorder = start_until(setting, UNTIL_STOPPED, 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_proxy, &capture), 0);

    void *client = zmq_socket(setting->context, ZMQ_DEALER);
    (void)zmq_setsockopt(client, ZMQ_ROUTING_ID, "me", 2);
    (void)zmq_setsockopt(client, ZMQ_RCVTIMEO, &(int){20000}, sizeof(int));
    assert_int_equal(zmq_connect(client, "inproc://requests"), 0);
    void *worker = open_connected(setting, ZMQ_REP, "inproc://workers");
    assert_int_equal(zmq_send(client, "", 0, ZMQ_SNDMORE), 0);
    assert_int_equal(zmq_send(client, "what?", 5, 0), 5);
    expect_frame(worker, "what?");
    assert_int_equal(zmq_send(worker, "that", 4, 0), 4);
    expect_frame(client, "");
    expect_frame(client, "that");
    wait_for_events(recorder, 2);
    stop(recorder);

    (void)zmq_ctx_shutdown(setting->context); /* ends the proxy */
    (void)pthread_join(thread, NULL);
    void *const sockets[] = {client, worker, capture.requests, capture.workers, capture.capture};
    for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
        (void)zmq_close(sockets[i]);
    free(endpoint);

    struct taped taped;
    taped_read(&taped, setting->tape);
    const struct event *asked = taped_at(&taped, "feed/shop", 0, 0);
    const struct event *answered = taped_at(&taped, "feed/shop", 0, 1);
    assert_true(bytes_equal_text(asked->key, "me"));
    assert_true(bytes_equal_text(asked->payload, "what?"));
    assert_true(bytes_equal_text(answered->key, "me"));
    assert_true(bytes_equal_text(answered->payload, "that"));
    taped_done(&taped);
}

static void
a_bound_pull_socket_takes_from_a_push_socket(void **state)
{
    struct setting *setting = *state;
    use_url(setting, alloc_format("zmq+pull+bind+ipc://%s/in.sock", setting->directory));
    struct recorder *recorder = start_until(setting, UNTIL_STOPPED, 0);
    char *endpoint = alloc_format("ipc://%s/in.sock", setting->directory);
    connect_publisher(setting, ZMQ_PUSH, endpoint);
    publish_numbers(setting, 0, 100);
    wait_for_events(recorder, 100);
    stop(recorder);
    free(endpoint);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/all", 0, 99)->payload, "n99"));
    taped_done(&taped);
}

/* Everything goes through, also what is not recorded; the publisher hears what subscribers want. */
static void
forwards_as_a_proxy_and_records_what_passes(void **state)
{
    struct setting *setting = *state;
    use_url(setting,
        alloc_format("zmq+proxy+ipc://%s/front,%s/back#n", setting->directory, setting->directory));
    struct recorder *recorder = start_until(setting, UNTIL_STOPPED, 0);
    char *front = alloc_format("ipc://%s/front", setting->directory);
    char *back = alloc_format("ipc://%s/back", setting->directory);
    connect_publisher(setting, ZMQ_XPUB, front);
    wait_for_subscription(setting); /* the recorder's own */
    void *subscriber = open_connected(setting, ZMQ_SUB, back);
    assert_int_equal(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "", 0), 0);
    wait_for_subscription(setting); /* passed on */

    publish(setting, "other");
    publish_numbers(setting, 0, 3);
    assert_int_equal(zmq_send(setting->publisher, "n", 1, ZMQ_SNDMORE), 1);
    publish(setting, "two");
    expect_frame(subscriber, "other");
    expect_frame(subscriber, "n0");
    expect_frame(subscriber, "n1");
    expect_frame(subscriber, "n2");
    expect_frame(subscriber, "n");
    expect_frame(subscriber, "two");
    wait_for_events(recorder, 4);
    stop(recorder);
    (void)zmq_close(subscriber);
    free(front);
    free(back);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 4);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 3)->key, "n"));
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 3)->payload, "two"));
    taped_done(&taped);
}

static void
publish_counted(struct setting *setting, const char *topic, int number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d", number);
    assert_true(zmq_send(setting->publisher, topic, strlen(topic), ZMQ_SNDMORE) >= 0);
    publish(setting, text);
}

static void
a_gap_in_the_counter_is_a_hole_of_that_size(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = start(setting);
    publish_counted(setting, "t", 7);
    publish_counted(setting, "t", 8);
    publish_counted(setting, "t", 12);
    wait_for_events(recorder, 3);
    wait_for_text(recorder, "3 messages missing by their counter: dropped at a high-water mark");
    assert_int_equal(tap_now(recorder, 0).dropped, 3);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop(recorder);

    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/all", 0, 5)->payload, "12"));
    taped_done(&taped);
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 2);
    assert_int_equal(hole.to, 4);
    assert_int_equal(hole.reason, HOLE_DROPPED);
}

static void
a_counter_may_be_in_a_line_of_a_frame(void **state)
{
    static const char *const headers[] = {"id: a\nX-Count: 7\n", "x-count=9"};
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "header:x-count");
    struct recorder *recorder = start(setting);
    for (int i = 0; i < 2; i++) {
        assert_true(zmq_send(setting->publisher, "t", 1, ZMQ_SNDMORE) == 1);
        assert_true(zmq_send(setting->publisher, headers[i], strlen(headers[i]), ZMQ_SNDMORE) > 0);
        publish(setting, "x-count=1000");
    }
    wait_for_events(recorder, 2);
    wait_for_text(recorder, "1 messages missing by their counter: dropped at a high-water mark");
    stop(recorder);

    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, 1);
}

static void
each_stream_has_its_own_counter(void **state)
{
    struct setting *setting = *state;
    use_url(setting, alloc_format("%s#a,b", setting->url));
    use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = start(setting);
    wait_for_subscription(setting);
    publish_counted(setting, "a", 0);
    publish_counted(setting, "b", 0);
    publish_counted(setting, "a", 1);
    publish_counted(setting, "b", 2);
    wait_for_events(recorder, 4);
    stop(recorder);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/a", 0, &hole, 1), 0);
    assert_int_equal(taped_holes(setting->tape, "feed/b", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, 1);
}

static void
names_what_was_published_before_the_subscription(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "value:$.meta.seq");
    struct recorder *recorder = start(setting);
    publish(setting, "{\"meta\":{\"seq\":41}}");
    wait_for_text(
        recorder, "'all' begins with message 41: earlier ones were published before we subscribed");
    stop(recorder);
}

/* The counter tells what nobody else does: how many were published meanwhile. */
static void
a_counter_makes_the_loss_of_a_connection_exact(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = start(setting);
    publish_counted(setting, "t", 0);
    publish_counted(setting, "t", 1);
    wait_for_events(recorder, 2);
    (void)zmq_close(setting->publisher);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    bind_publisher(setting);
    wait_for_subscription(setting);
    wait_for_tap(recorder, 0, TAP_LIVE);
    publish_counted(setting, "t", 12);
    wait_for_events(recorder, 3);
    wait_for_text(recorder, "10 messages were published while nobody was connected");
    stop(recorder);

    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 2);
    assert_int_equal(hole.to, 11);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
a_counter_that_begins_again_is_a_loss_of_unknown_size(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = start(setting);
    publish_counted(setting, "t", 100);
    publish_counted(setting, "t", 0);
    publish_counted(setting, "t", 1);
    wait_for_events(recorder, 3);
    stop(recorder);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, -1);
    assert_int_equal(hole.reason, HOLE_UNKNOWN);
}

static void
gives_up_a_counter_that_is_none(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = start(setting);
    for (int i = 0; i < 40; i++)
        publish_counted(setting, "t", 40 - i);
    wait_for_events(recorder, 40);
    wait_for_text(recorder, "it is not one counter");
    stop(recorder);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 16);
}

/* Not so for a publisher that was started anew: its gaps are still found. */
static void
keeps_to_a_counter_that_begins_again_with_each_connection(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = start(setting);
    for (int i = 0; i < 17; i++) {
        publish_counted(setting, "t", 1);
        publish_counted(setting, "t", 2);
        wait_for_events(recorder, 2 * (uint64_t)i + 2);
        (void)zmq_close(setting->publisher);
        bind_publisher(setting);
        wait_for_subscription(setting);
    }
    publish_counted(setting, "t", 1);
    publish_counted(setting, "t", 4);
    wait_for_text(recorder, "2 messages missing by their counter");
    stop(recorder);
}

/* What is no publisher comes and goes beside one: nothing of the publisher is lost by that. */
static void
a_stranger_at_a_bound_tap_makes_no_hole(void **state)
{
    struct setting *setting = *state;
    int port = free_port();
    use_url(setting, alloc_format("zmq+bind://127.0.0.1:%d", port));
    struct recorder *recorder = start_until(setting, UNTIL_STOPPED, 0);
    char *endpoint = alloc_format("tcp://127.0.0.1:%d", port);
    connect_publisher(setting, ZMQ_XPUB, endpoint);
    wait_for_subscription(setting);
    publish_numbers(setting, 0, 1);
    wait_for_events(recorder, 1);

    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(stranger, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(stranger);
    wait_for_text(recorder, "a peer could not connect");
    void *other = open_connected(setting, ZMQ_PUSH, endpoint);
    publish_numbers(setting, 1, 1);
    wait_for_events(recorder, 2);
    (void)zmq_close(other);
    assert_int_equal(tap_now(recorder, 0).retries, 0);
    stop(recorder);
    free(endpoint);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 0);
}

static void
says_that_messages_have_no_counter(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "sequence", "frame:3");
    struct recorder *recorder = start(setting);
    publish_counted(setting, "t", 1);
    wait_for_events(recorder, 1);
    wait_for_text(recorder, "1 messages have no counter");
    stop(recorder);
}

/* Answers each question of the publisher's context whether someone may come in: by name and password. */
static void *
run_doorkeeper(void *argument)
{
    void *door = argument;
    for (;;) {
        char frames[8][64];
        int count = 0;
        int more = 1;
        size_t size = sizeof(more);
        while (more != 0 && count < 8) {
            int length = zmq_recv(door, frames[count], sizeof(frames[0]) - 1, 0);
            if (length < 0)
                return NULL;
            frames[count++][length < 63 ? length : 63] = '\0';
            (void)zmq_getsockopt(door, ZMQ_RCVMORE, &more, &size);
        }
        bool is_good = count == 8 && strcmp(frames[5], "PLAIN") == 0 &&
                       strcmp(frames[6], "deck") == 0 && strcmp(frames[7], "s3cret") == 0;
        (void)zmq_send(door, "1.0", 3, ZMQ_SNDMORE);
        (void)zmq_send(door, frames[1], strlen(frames[1]), ZMQ_SNDMORE);
        (void)zmq_send(door, is_good ? "200" : "400", 3, ZMQ_SNDMORE);
        (void)zmq_send(door, "", 0, ZMQ_SNDMORE);
        (void)zmq_send(door, "deck", 4, ZMQ_SNDMORE);
        (void)zmq_send(door, "", 0, 0);
        if (count < 8)
            return NULL;
    }
}

/* Open the publisher anew with an option that must be set before it is bound. */
static void
bind_guarded(struct setting *setting, int option, const char *key)
{
    int none = 0;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    (void)zmq_close(setting->publisher);
    setting->publisher = zmq_socket(setting->context, ZMQ_XPUB);
    (void)zmq_setsockopt(setting->publisher, ZMQ_LINGER, &none, sizeof(none));
    assert_int_equal(zmq_setsockopt(setting->publisher, option, &(int){1}, sizeof(int)), 0);
    if (key != NULL)
        assert_int_equal(zmq_setsockopt(setting->publisher, ZMQ_CURVE_SECRETKEY, key, 40), 0);
    assert_int_equal(zmq_bind(setting->publisher, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    use_url(setting, alloc_format("zmq://%s", endpoint + strlen("tcp://")));
}

static enum error_code
fails_to_start(struct setting *setting, const char *part)
{
    struct error err;
    struct recorder_tap tap = {
        .url = setting->url, .properties = setting->properties, .property_count = 1};
    while (tap.property_count < 3 && setting->properties[tap.property_count].name != NULL)
        tap.property_count++;
    struct recorder_options options = {.directory = setting->tape, .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    if (strstr(err.text, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, err.text);
    return err.code;
}

static void
logs_in_with_name_and_password(void **state)
{
    struct setting *setting = *state;
    pthread_t doorkeeper;
    void *door = open_bound(setting, ZMQ_REP, "inproc://zeromq.zap.01");
    assert_int_equal(pthread_create(&doorkeeper, NULL, run_doorkeeper, door), 0);
    bind_guarded(setting, ZMQ_PLAIN_SERVER, NULL);
    use_property(setting, 0, "plain_username", "deck");
    use_property(setting, 1, "plain_password", "wrong");
    assert_int_equal(
        fails_to_start(setting, "the name or password is refused; correct zeromq.plain_username"),
        ERROR_REFUSED);
    use_property(setting, 1, "plain_password", "s3cret");
    struct recorder *recorder = start(setting);
    publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    stop(recorder);

    /* A question with too few frames ends the doorkeeper. */
    (void)zmq_close(setting->publisher);
    setting->publisher = NULL;
    void *last = open_connected(setting, ZMQ_REQ, "inproc://zeromq.zap.01");
    assert_int_equal(zmq_send(last, "end", 3, 0), 3);
    (void)pthread_join(doorkeeper, NULL);
    (void)zmq_close(last);
    (void)zmq_close(door);
}

static void
encrypts_with_curve_and_refuses_a_wrong_key(void **state)
{
    struct setting *setting = *state;
    char public_key[41];
    char secret_key[41];
    char other_public[41];
    char other_secret[41];
    if (!zmq_has("curve"))
        unit_skip(__func__, "libzmq without CURVE");
    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    assert_int_equal(zmq_curve_keypair(other_public, other_secret), 0);
    bind_guarded(setting, ZMQ_CURVE_SERVER, secret_key);
    use_property(setting, 0, "curve_server_key", other_public);
    fails_to_start(setting, "zeromq.curve_server_key is probably not the public key");
    use_property(setting, 0, "curve_server_key", public_key);
    use_property(setting, 1, "curve_public_key", other_public);
    use_property(setting, 2, "curve_secret_key", other_secret);
    struct recorder *recorder = start(setting);
    publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    stop(recorder);
}

static void
names_the_property_that_is_wrong(void **state)
{
    struct setting *setting = *state;
    use_property(setting, 0, "curve_server_key", "not a key at all");
    fails_to_start(setting, "curve_server_key is not a CURVE key");
    use_property(setting, 0, "plain_username", "deck");
    fails_to_start(setting, "one is missing");
    use_property(setting, 0, "sequence", "frame:x");
    fails_to_start(setting, "sequence takes frame:N");
    use_property(setting, 0, "sequence", "header:");
    fails_to_start(setting, "sequence takes frame:N");
    use_property(setting, 0, "plain_username", "deck");
    use_property(setting, 1, "plain_password", "s3cret");
    use_url(setting, alloc_text("zmq+bind://127.0.0.1:1/x"));
    fails_to_start(setting, "are for a tap that connects");
    use_property(setting, 1, NULL, NULL);
    use_property(setting, 0, "sequence", "frame:0");
    use_url(setting, alloc_text("zmq+push://h:1/x"));
    fails_to_start(setting, "zmq+pull+bind://");
    use_url(setting, alloc_text("zmq+proxy://h:1/x"));
    fails_to_start(setting, "a proxy has two addresses");
    use_url(setting, alloc_text("zmq+pull://h:1/x,y"));
    fails_to_start(setting, "a PULL socket cannot subscribe");
    use_url(setting, alloc_text("zmq://h:1/x,"));
    fails_to_start(setting, "a prefix between two commas is missing");
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(records_single_frames_as_payloads),
        ZMQ_TEST(records_many_frames_as_key_headers_and_payload),
        ZMQ_TEST(records_ten_thousand_frames_and_names_a_message_of_more_than_the_most),
        ZMQ_TEST(names_the_stream_after_the_prefix),
        ZMQ_TEST(counts_on_where_the_tape_ends_and_names_the_time_between),
        ZMQ_TEST(connects_again_when_the_publisher_comes_back),
        ZMQ_TEST(records_over_tcp),
        ZMQ_TEST(takes_exactly_so_many_events),
        ZMQ_TEST(ends_at_a_time),
        ZMQ_TEST(waits_for_a_publisher_that_is_not_there_yet),
        ZMQ_TEST(refuses_a_url_without_a_port_and_properties),
        ZMQ_TEST(refuses_to_record_up_to_an_end),
        ZMQ_TEST(publishers_connect_to_a_bound_tap),
        ZMQ_TEST(says_when_the_address_is_taken),
        ZMQ_TEST(records_over_ipv6),
        ZMQ_TEST(each_prefix_is_a_stream_and_the_longest_counts),
        ZMQ_TEST(sees_requests_and_answers_at_a_capture_socket),
        ZMQ_TEST(a_bound_pull_socket_takes_from_a_push_socket),
        ZMQ_TEST(forwards_as_a_proxy_and_records_what_passes),
        ZMQ_TEST(a_gap_in_the_counter_is_a_hole_of_that_size),
        ZMQ_TEST(a_counter_may_be_in_a_line_of_a_frame),
        ZMQ_TEST(each_stream_has_its_own_counter),
        ZMQ_TEST(names_what_was_published_before_the_subscription),
        ZMQ_TEST(a_counter_makes_the_loss_of_a_connection_exact),
        ZMQ_TEST(a_counter_that_begins_again_is_a_loss_of_unknown_size),
        ZMQ_TEST(gives_up_a_counter_that_is_none),
        ZMQ_TEST(keeps_to_a_counter_that_begins_again_with_each_connection),
        ZMQ_TEST(a_stranger_at_a_bound_tap_makes_no_hole),
        ZMQ_TEST(says_that_messages_have_no_counter),
        ZMQ_TEST(logs_in_with_name_and_password),
        ZMQ_TEST(encrypts_with_curve_and_refuses_a_wrong_key),
        ZMQ_TEST(names_the_property_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
