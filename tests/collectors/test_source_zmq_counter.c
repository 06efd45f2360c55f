#include <zmq.h>

#include "base/alloc.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/collectors_zmq.h"
#include "tests/support/unit.h"

static void
a_gap_in_the_counter_is_a_hole_of_that_size(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 7);
    feed_publish_counted(setting, "t", 8);
    feed_publish_counted(setting, "t", 12);
    wait_for_events(recorder, 3);
    wait_for_text(recorder, 0, "3 messages missing by their counter: dropped at a high-water mark");
    assert_int_equal(tap_now(recorder, 0).dropped, 3);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop_recorder(recorder);

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
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "header:x-count");
    struct recorder *recorder = feed_start(setting);
    for (int i = 0; i < 2; i++) {
        assert_true(zmq_send(setting->publisher, "t", 1, ZMQ_SNDMORE) == 1);
        assert_true(zmq_send(setting->publisher, headers[i], strlen(headers[i]), ZMQ_SNDMORE) > 0);
        feed_publish(setting, "x-count=1000");
    }
    wait_for_events(recorder, 2);
    wait_for_text(recorder, 0, "1 messages missing by their counter: dropped at a high-water mark");
    stop_recorder(recorder);

    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, 1);
}

static void
each_stream_has_its_own_counter(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_url(setting, alloc_format("%s#a,b", setting->url));
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    feed_wait_for_subscription(setting);
    feed_publish_counted(setting, "a", 0);
    feed_publish_counted(setting, "b", 0);
    feed_publish_counted(setting, "a", 1);
    feed_publish_counted(setting, "b", 2);
    wait_for_events(recorder, 4);
    stop_recorder(recorder);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/a", 0, &hole, 1), 0);
    assert_int_equal(taped_holes(setting->tape, "feed/b", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, 1);
}

static void
names_what_was_published_before_the_subscription(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "value:$.meta.seq");
    struct recorder *recorder = feed_start(setting);
    feed_publish(setting, "{\"meta\":{\"seq\":41}}");
    wait_for_text(recorder, 0,
        "'all' begins with message 41: earlier ones were published before we subscribed");
    stop_recorder(recorder);
}

/* The counter tells what nobody else does: how many were published meanwhile. */
static void
a_counter_makes_the_loss_of_a_connection_exact(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 0);
    feed_publish_counted(setting, "t", 1);
    wait_for_events(recorder, 2);
    (void)zmq_close(setting->publisher);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    feed_bind(setting);
    feed_wait_for_subscription(setting);
    wait_for_tap(recorder, 0, TAP_LIVE);
    feed_publish_counted(setting, "t", 12);
    wait_for_events(recorder, 3);
    wait_for_text(recorder, 0, "10 messages were published while nobody was connected");
    stop_recorder(recorder);

    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 2);
    assert_int_equal(hole.to, 11);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
a_counter_that_begins_again_is_a_loss_of_unknown_size(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 100);
    feed_publish_counted(setting, "t", 0);
    feed_publish_counted(setting, "t", 1);
    wait_for_events(recorder, 3);
    stop_recorder(recorder);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 1);
    assert_int_equal(hole.to, -1);
    assert_int_equal(hole.reason, HOLE_UNKNOWN);
}

static void
gives_up_a_counter_that_is_none(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    for (int i = 0; i < 40; i++)
        feed_publish_counted(setting, "t", 40 - i);
    wait_for_events(recorder, 40);
    wait_for_text(recorder, 0, "it is not one counter");
    stop_recorder(recorder);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 16);
}

/* Both go on as they did: nothing is missing but between the first two. */
static void
invents_no_losses_where_two_publishers_count(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    for (int i = 0; i < 10; i++) {
        feed_publish_counted(setting, "t", i);
        feed_publish_counted(setting, "t", 1000 + i);
    }
    wait_for_events(recorder, 20);
    wait_for_text(recorder, 0, "a stream for each publisher");
    assert_int_equal(tap_now(recorder, 0).dropped, 999);
    stop_recorder(recorder);
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, NULL, 0), 1);
}

/* Not so for a publisher that was started anew: its gaps are still found. */
static void
keeps_to_a_counter_that_begins_again_with_each_connection(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:1");
    struct recorder *recorder = feed_start(setting);
    for (int i = 0; i < 17; i++) {
        feed_publish_counted(setting, "t", 1);
        feed_publish_counted(setting, "t", 2);
        wait_for_events(recorder, 2 * (uint64_t)i + 2);
        (void)zmq_close(setting->publisher);
        feed_bind(setting);
        feed_wait_for_subscription(setting);
    }
    feed_publish_counted(setting, "t", 1);
    feed_publish_counted(setting, "t", 4);
    wait_for_text(recorder, 0, "2 messages missing by their counter");
    stop_recorder(recorder);
}

static void
says_that_messages_have_no_counter(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "sequence", "frame:3");
    struct recorder *recorder = feed_start(setting);
    feed_publish_counted(setting, "t", 1);
    wait_for_events(recorder, 1);
    wait_for_text(recorder, 0, "1 messages have no counter");
    stop_recorder(recorder);
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, feed_set_up, feed_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(a_gap_in_the_counter_is_a_hole_of_that_size),
        ZMQ_TEST(a_counter_may_be_in_a_line_of_a_frame),
        ZMQ_TEST(each_stream_has_its_own_counter),
        ZMQ_TEST(names_what_was_published_before_the_subscription),
        ZMQ_TEST(a_counter_makes_the_loss_of_a_connection_exact),
        ZMQ_TEST(a_counter_that_begins_again_is_a_loss_of_unknown_size),
        ZMQ_TEST(gives_up_a_counter_that_is_none),
        ZMQ_TEST(invents_no_losses_where_two_publishers_count),
        ZMQ_TEST(keeps_to_a_counter_that_begins_again_with_each_connection),
        ZMQ_TEST(says_that_messages_have_no_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
