#include <stdlib.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "collectors/zmq_parts.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/collectors_zmq.h"
#include "tests/support/unit.h"

static void
records_single_frames_as_payloads(void **state)
{
    struct feed_setting *setting = *state;
    struct recorder *recorder = feed_start(setting);
    feed_publish_numbers(setting, 0, 1000);
    wait_for_events(recorder, 1000);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop_recorder(recorder);

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
    struct feed_setting *setting = *state;
    struct recorder *recorder = feed_start(setting);
    zmq_send(setting->publisher, "topic", 5, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "one", 3, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "", 0, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "\0\xff", 2, 0);
    zmq_send(setting->publisher, "", 0, ZMQ_SNDMORE);
    zmq_send(setting->publisher, "", 0, 0);
    wait_for_events(recorder, 2);
    stop_recorder(recorder);

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
    struct feed_setting *setting = *state;
    struct recorder *recorder = feed_start(setting);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(zmq_send(setting->publisher, &i, 3, i < 9999 ? ZMQ_SNDMORE : 0), 3);
    for (int i = 0; i <= ZMQ_FRAMES_MAX; i++)
        assert_int_equal(
            zmq_send(setting->publisher, &i, 3, i < ZMQ_FRAMES_MAX ? ZMQ_SNDMORE : 0), 3);
    feed_publish(setting, "end");
    wait_for_events(recorder, 2);
    assert_int_equal(tap_now(recorder, 0).dropped, 1);
    stop_recorder(recorder);

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
    struct feed_setting *setting = *state;
    char *url = alloc_format("%s#orders", setting->url);
    free(setting->url);
    setting->url = url;
    struct recorder *recorder = feed_start(setting);
    feed_publish(setting, "payments 1");
    feed_publish(setting, "orders 1");
    feed_publish(setting, "orders 2");
    wait_for_events(recorder, 2);
    stop_recorder(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 2);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/orders", 0, 1)->payload, "orders 2"));
    taped_done(&taped);
}

static void
counts_on_where_the_tape_ends_and_names_the_time_between(void **state)
{
    struct feed_setting *setting = *state;
    struct recorder *recorder = feed_start(setting);
    feed_publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    stop_recorder(recorder);
    recorder = feed_start(setting);
    feed_publish_numbers(setting, 10, 2);
    wait_for_events(recorder, 2);
    stop_recorder(recorder);

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
    struct feed_setting *setting = *state;
    struct recorder *recorder = feed_start(setting);
    feed_publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    (void)zmq_close(setting->publisher);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_non_null(strstr(tap_now(recorder, 0).error, "lost the publisher"));
    feed_bind(setting);
    wait_for_tap(recorder, 0, TAP_LIVE);
    feed_wait_for_subscription(setting);
    feed_publish_numbers(setting, 3, 2);
    wait_for_events(recorder, 5);
    assert_int_equal(tap_now(recorder, 0).retries, 1);
    stop_recorder(recorder);

    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 3);
    assert_int_equal(hole.reason, HOLE_UNKNOWN);
}

static void
records_over_tcp(void **state)
{
    struct feed_setting *setting = *state;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    assert_int_equal(zmq_bind(setting->publisher, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    free(setting->url);
    setting->url = alloc_format("zmq://%s/n", endpoint + strlen("tcp://"));
    struct recorder *recorder = feed_start(setting);
    feed_publish_numbers(setting, 0, 100);
    wait_for_events(recorder, 100);
    stop_recorder(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 99)->payload, "n99"));
    taped_done(&taped);
}

static void
takes_exactly_so_many_events(void **state)
{
    struct feed_setting *setting = *state;
    struct recorder *recorder = feed_start_until(setting, UNTIL_EVENTS, 0);
    feed_wait_for_subscription(setting);
    feed_publish_numbers(setting, 0, 50);
    wait_for_finish(recorder);
    stop_recorder(recorder);
    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 5);
    taped_done(&taped);
}

static void
ends_at_a_time(void **state)
{
    struct feed_setting *setting = *state;
    struct recorder *recorder =
        feed_start_until(setting, UNTIL_TIME, clock_now_ns() + 300 * NS_PER_MS);
    wait_for_finish(recorder);
    assert_int_equal(tap_now(recorder, 0).state, TAP_ENDED);
    stop_recorder(recorder);
}

/* A publisher may be started after its recorder. */
static void
waits_for_a_publisher_that_is_not_there_yet(void **state)
{
    struct feed_setting *setting = *state;
    (void)zmq_close(setting->publisher);
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    wait_for_text(recorder, 0, "no publisher answers; start it, or correct the address");
    assert_int_equal(tap_now(recorder, 0).state, TAP_RETRYING);
    feed_bind(setting);
    feed_wait_for_subscription(setting);
    feed_publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop_recorder(recorder);
}

static void
refuses_a_url_without_a_port_and_properties(void **state)
{
    struct feed_setting *setting = *state;
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
    struct feed_setting *setting = *state;
    struct error err;
    struct recorder_tap tap = {.url = setting->url};
    struct recorder_options options = {
        .directory = setting->tape, .taps = &tap, .tap_count = 1, .until = UNTIL_END};
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "ZeroMQ has no end to record up to"));
}

static void
records_over_ipv6(void **state)
{
    struct feed_setting *setting = *state;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    (void)zmq_setsockopt(setting->publisher, ZMQ_IPV6, &(int){1}, sizeof(int));
    if (zmq_bind(setting->publisher, "tcp://[::1]:*") != 0)
        unit_skip(__func__, "no IPv6 on this machine");
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    feed_use_url(setting, alloc_format("zmq://%s/n", endpoint + strlen("tcp://")));
    assert_non_null(strstr(setting->url, "zmq://[::1]:"));
    struct recorder *recorder = feed_start(setting);
    feed_publish_numbers(setting, 0, 10);
    wait_for_events(recorder, 10);
    stop_recorder(recorder);
}

static void
each_prefix_is_a_stream_and_the_longest_counts(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_url(setting, alloc_format("%s#a,ab,c", setting->url));
    struct recorder *recorder = feed_start(setting);
    feed_wait_for_subscription(setting);
    feed_wait_for_subscription(setting);
    feed_publish(setting, "a1");
    feed_publish(setting, "ab1");
    feed_publish(setting, "b");
    feed_publish(setting, "c1");
    feed_publish(setting, "abc");
    wait_for_events(recorder, 4);
    stop_recorder(recorder);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 4);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/a", 0, 0)->payload, "a1"));
    assert_true(bytes_equal_text(taped_at(&taped, "feed/ab", 0, 1)->payload, "abc"));
    assert_true(bytes_equal_text(taped_at(&taped, "feed/c", 0, 0)->payload, "c1"));
    taped_done(&taped);
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, feed_set_up, feed_tear_down)

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
        ZMQ_TEST(records_over_ipv6),
        ZMQ_TEST(each_prefix_is_a_stream_and_the_longest_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
