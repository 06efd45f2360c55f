#include <stdlib.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
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
    struct recorder_tap tap = {.name = "feed", .url = setting->url};
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

static void
says_that_nobody_is_there(void **state)
{
    struct setting *setting = *state;
    struct error err;
    struct recorder_tap tap = {.url = "zmq://127.0.0.1:1/x"};
    struct recorder_options options = {.directory = setting->tape, .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    assert_int_equal(error_exit_code(&err), 4);
    assert_string_equal(err.text, "cannot reach zmq at tcp://127.0.0.1:1: no publisher answers");
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

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(records_single_frames_as_payloads),
        ZMQ_TEST(records_many_frames_as_key_headers_and_payload),
        ZMQ_TEST(names_the_stream_after_the_prefix),
        ZMQ_TEST(counts_on_where_the_tape_ends_and_names_the_time_between),
        ZMQ_TEST(connects_again_when_the_publisher_comes_back),
        ZMQ_TEST(records_over_tcp),
        ZMQ_TEST(takes_exactly_so_many_events),
        ZMQ_TEST(ends_at_a_time),
        ZMQ_TEST(says_that_nobody_is_there),
        ZMQ_TEST(refuses_a_url_without_a_port_and_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
