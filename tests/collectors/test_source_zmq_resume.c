#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "collectors/zmq_parts.h"
#include "index/retention.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/collectors_zmq.h"
#include "tests/support/unit.h"

/* Record so many messages, numbered from `from` in their second frame. */
static void
record_counted(struct feed_setting *setting, int from, int count)
{
    struct recorder *recorder = feed_start(setting);
    for (int i = 0; i < count; i++)
        feed_publish_counted(setting, "t", from + i);
    wait_for_events(recorder, (uint64_t)count);
    stop_recorder(recorder);
}

static void
record_text(struct feed_setting *setting, const char *text)
{
    struct recorder *recorder = feed_start(setting);
    feed_publish(setting, text);
    wait_for_events(recorder, 1);
    stop_recorder(recorder);
}

/* Record a frame of `length` bytes behind the topic. */
static void
record_bytes(struct feed_setting *setting, const void *number, size_t length)
{
    struct recorder *recorder = feed_start(setting);
    assert_int_equal(zmq_send(setting->publisher, "t", 1, ZMQ_SNDMORE), 1);
    assert_int_equal(zmq_send(setting->publisher, number, length, 0), (int)length);
    wait_for_events(recorder, 1);
    stop_recorder(recorder);
}

static void
assert_holes(const struct feed_setting *setting, size_t count)
{
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, NULL, 0), count);
}

static void
assert_only_hole(const struct feed_setting *setting, int64_t from, int64_t to)
{
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, from);
    assert_int_equal(hole.to, to);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
assert_payload_at(const struct feed_setting *setting, int64_t offset, const char *payload)
{
    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/all", 0, offset)->payload, payload));
    taped_done(&taped);
}

static void
a_restart_without_a_loss_makes_no_hole(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    record_counted(setting, 7, 3);
    record_counted(setting, 10, 2);
    assert_holes(setting, 0);
    assert_payload_at(setting, 3, "10");
}

static void
what_was_published_meanwhile_is_a_hole_of_that_size(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    record_counted(setting, 7, 3);
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 110);
    wait_for_text(recorder, 0, "100 messages of 'all' were published while nobody recorded");
    assert_int_equal(tap_now(recorder, 0).dropped, 0);
    stop_recorder(recorder);
    assert_only_hole(setting, 3, 102);
    assert_payload_at(setting, 103, "110");
}

static void
each_stream_goes_on_with_its_own_counter(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_url(setting, alloc_format("%s#a,b", setting->url));
    feed_use_property(setting, 0, "sequence", "frame:1");
    for (int run = 0; run < 2; run++) {
        struct recorder *recorder = feed_start(setting);
        feed_wait_for_subscription(setting);
        feed_publish_counted(setting, "a", 10 + run);
        feed_publish_counted(setting, "b", 20 + 5 * run);
        wait_for_events(recorder, 2);
        stop_recorder(recorder);
    }
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/a", 0, &hole, 1), 0);
    assert_int_equal(taped_holes(setting->tape, "feed/b", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, 4);
}

static void
a_counter_that_began_again_meanwhile_is_a_loss_of_unknown_size(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    record_counted(setting, 7, 3);
    record_counted(setting, 1, 2);
    assert_only_hole(setting, 3, -1);
}

/* Then the first message may be anybody's, and what it says is no size. */
static void
two_counters_in_one_stream_tell_nothing(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    for (int i = 0; i < 3; i++) {
        feed_publish_counted(setting, "t", i);
        feed_publish_counted(setting, "t", 1000 + i);
    }
    wait_for_events(recorder, 6);
    stop_recorder(recorder);
    size_t before = taped_holes(setting->tape, "feed/all", 0, NULL, 0);
    recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 1007);
    wait_for_events(recorder, 1);
    stop_recorder(recorder);

    struct hole holes[16];
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, holes, 16), before + 1);
    assert_int_equal(holes[before].to, -1);
    assert_int_equal(holes[before].reason, HOLE_NOT_RECORDED);
}

/* Holes and repetitions among the last events are those of one counter. */
static void
losses_before_the_end_are_no_other_counter(void **state)
{
    static const int numbers[] = {1, 2, 5, 5, 6, 9};
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        feed_publish_counted(setting, "t", numbers[i]);
    wait_for_events(recorder, 6);
    stop_recorder(recorder);
    record_counted(setting, 10, 1);
    assert_holes(setting, 2);
}

static void
a_message_that_comes_once_more_is_no_loss(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    record_counted(setting, 7, 3);
    record_counted(setting, 9, 2);
    assert_holes(setting, 0);
    assert_payload_at(setting, 3, "9");
}

/* The tape ends as it did before: the next run tells what was missed in both. */
static void
a_run_in_which_nothing_came_adds_nothing(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    record_counted(setting, 7, 3);
    stop_recorder(feed_start(setting));
    record_counted(setting, 12, 1);
    assert_only_hole(setting, 3, 4);
}

/* Whoever stops the recorder then leaves the same tape as who kills it. */
static void
a_connection_that_was_lost_before_the_end_is_measured_by_the_next_run(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 7);
    wait_for_events(recorder, 1);
    (void)zmq_close(setting->publisher);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    stop_recorder(recorder);
    assert_holes(setting, 0);
    feed_bind(setting);
    record_counted(setting, 8, 1);
    assert_holes(setting, 0);
}

/* Nothing tells later what was missed before that message. */
static void
a_connection_that_was_lost_before_a_message_without_a_counter_is_a_hole(void **state)
{
    struct hole hole;
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 7);
    wait_for_events(recorder, 1);
    (void)zmq_close(setting->publisher);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    feed_bind(setting);
    feed_wait_for_subscription(setting);
    feed_publish(setting, "alone");
    wait_for_events(recorder, 2);
    stop_recorder(recorder);
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.to, -1);
}

static void
the_size_is_unknown_where_the_last_event_has_no_counter(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    record_counted(setting, 7, 3);
    record_text(setting, "alone"); /* which is a hole too, since it has no counter itself */
    record_counted(setting, 12, 1);

    struct hole holes[2];
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, holes, 2), 2);
    assert_int_equal(holes[0].from, 3);
    assert_int_equal(holes[0].to, -1);
    assert_int_equal(holes[1].from, 4);
    assert_int_equal(holes[1].to, -1);
}

/* It is on the tape before what it is not known to follow. */
static void
the_size_is_unknown_before_a_message_without_a_counter(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    record_counted(setting, 7, 3);
    struct recorder *recorder = feed_start(setting);
    feed_publish(setting, "alone");
    feed_publish_counted(setting, "t", 12);
    feed_publish_counted(setting, "t", 14);
    wait_for_events(recorder, 3);
    stop_recorder(recorder);

    struct hole holes[2];
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, holes, 2), 2);
    assert_int_equal(holes[0].from, 3);
    assert_int_equal(holes[0].to, -1);
    assert_int_equal(holes[0].reason, HOLE_NOT_RECORDED);
    assert_int_equal(holes[1].from, 5);
    assert_int_equal(holes[1].to, 5);
}

static void
a_counter_that_is_configured_anew_is_found_in_the_event_on_the_tape(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "value:$.a");
    record_text(setting, "{\"a\":7,\"b\":100}");
    feed_use_property(setting, 0, "sequence", "value:$.b");
    record_text(setting, "{\"a\":9,\"b\":104}");
    assert_only_hole(setting, 1, 3);
}

static void
a_counter_that_the_event_on_the_tape_has_not_tells_nothing(void **state)
{
    struct feed_setting *setting = *state;
    record_text(setting, "{\"a\":7}");
    feed_use_property(setting, 0, "sequence", "value:$.b");
    record_text(setting, "{\"a\":8,\"b\":9}");
    assert_only_hole(setting, 1, -1);
}

/* The frames of an event are where they were in the message. */
static void
a_counter_in_a_line_of_a_frame_goes_on(void **state)
{
    static const char *const lines[] = {"id: a\nX-Count: 7\n", "x-count=9"};
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "header:x-count");
    for (int run = 0; run < 2; run++) {
        struct recorder *recorder = feed_start(setting);
        assert_int_equal(zmq_send(setting->publisher, "t", 1, ZMQ_SNDMORE), 1);
        assert_true(zmq_send(setting->publisher, lines[run], strlen(lines[run]), ZMQ_SNDMORE) > 0);
        feed_publish(setting, "x-count=1000");
        wait_for_events(recorder, 1);
        stop_recorder(recorder);
    }
    assert_only_hole(setting, 1, 1);
}

/* 4 bytes and 8 go on behind their end. */
static void
a_wide_counter_goes_on_behind_its_end(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:-1:be");
    record_bytes(setting, "\xff\xff\xff\xfe", 4);
    record_bytes(setting, "\0\0\0\x01", 4);
    assert_only_hole(setting, 1, 2);
}

/* Nobody knows how often it went round while nobody recorded. */
static void
a_narrow_counter_tells_nothing(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:-1:le");
    record_bytes(setting, "\x07\0", 2);
    record_bytes(setting, "\x09\0", 2);
    assert_only_hole(setting, 1, -1);
}

static void
retention_leaves_nothing_to_count_from(void **state)
{
    static const char *const topics[] = {"a", "b", "a"};
    struct error err;
    struct feed_setting *setting = *state;
    struct retention_result result;
    const struct retention all = {.keep_age_ns = 1, .keep_newest = true};
    feed_use_url(setting, alloc_format("%s#a,b", setting->url));
    feed_use_property(setting, 0, "sequence", "frame:1");
    for (int run = 0; run < 3; run++) {
        if (run == 2)
            assert_ok(retention_apply(setting->tape, &all, clock_now_ns(), false, &result, &err));
        struct recorder *recorder = feed_start(setting);
        feed_wait_for_subscription(setting);
        feed_publish_counted(setting, topics[run], 7 + run);
        wait_for_events(recorder, 1);
        stop_recorder(recorder);
    }
    assert_int_equal(result.deleted_events, 1);

    struct hole holes[2];
    assert_int_equal(taped_holes(setting->tape, "feed/a", 0, holes, 2), 2);
    assert_int_equal(holes[0].reason, HOLE_RETENTION);
    assert_int_equal(holes[1].from, 1);
    assert_int_equal(holes[1].to, -1);
    assert_int_equal(holes[1].reason, HOLE_NOT_RECORDED);
}

/* A message of which only the first frame was kept. */
static void
publish_too_long(struct feed_setting *setting)
{
    for (int i = 0; i <= ZMQ_FRAMES_MAX; i++)
        assert_int_equal(
            zmq_send(setting->publisher, &i, 3, i < ZMQ_FRAMES_MAX ? ZMQ_SNDMORE : 0), 3);
}

static void
wait_for_dropped(struct recorder *recorder, uint64_t dropped)
{
    int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (tap_now(recorder, 0).dropped != dropped) {
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("waited for %llu lost messages, saw %llu", (unsigned long long)dropped,
                (unsigned long long)tap_now(recorder, 0).dropped);
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
}

static void
what_the_tape_knows_to_be_missing_is_not_counted_twice(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 7);
    publish_too_long(setting); /* 8 */
    feed_publish_counted(setting, "t", 9);
    publish_too_long(setting); /* 10 */
    publish_too_long(setting); /* 11 */
    wait_for_dropped(recorder, 3);
    stop_recorder(recorder);
    record_counted(setting, 12, 1);

    struct hole holes[2];
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, holes, 2), 2);
    assert_int_equal(holes[0].from, 1);
    assert_int_equal(holes[0].to, 1);
    assert_int_equal(holes[1].from, 3);
    assert_int_equal(holes[1].to, 4);
    assert_int_equal(holes[1].reason, HOLE_DROPPED);
    assert_payload_at(setting, 5, "12");
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, feed_set_up, feed_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(a_restart_without_a_loss_makes_no_hole),
        ZMQ_TEST(what_was_published_meanwhile_is_a_hole_of_that_size),
        ZMQ_TEST(each_stream_goes_on_with_its_own_counter),
        ZMQ_TEST(a_counter_that_began_again_meanwhile_is_a_loss_of_unknown_size),
        ZMQ_TEST(two_counters_in_one_stream_tell_nothing),
        ZMQ_TEST(losses_before_the_end_are_no_other_counter),
        ZMQ_TEST(a_message_that_comes_once_more_is_no_loss),
        ZMQ_TEST(a_run_in_which_nothing_came_adds_nothing),
        ZMQ_TEST(a_connection_that_was_lost_before_the_end_is_measured_by_the_next_run),
        ZMQ_TEST(a_connection_that_was_lost_before_a_message_without_a_counter_is_a_hole),
        ZMQ_TEST(the_size_is_unknown_where_the_last_event_has_no_counter),
        ZMQ_TEST(the_size_is_unknown_before_a_message_without_a_counter),
        ZMQ_TEST(a_counter_that_is_configured_anew_is_found_in_the_event_on_the_tape),
        ZMQ_TEST(a_counter_that_the_event_on_the_tape_has_not_tells_nothing),
        ZMQ_TEST(a_counter_in_a_line_of_a_frame_goes_on),
        ZMQ_TEST(a_wide_counter_goes_on_behind_its_end),
        ZMQ_TEST(a_narrow_counter_tells_nothing),
        ZMQ_TEST(retention_leaves_nothing_to_count_from),
        ZMQ_TEST(what_the_tape_knows_to_be_missing_is_not_counted_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
