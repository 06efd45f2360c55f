#include "base/clock.h"
#include "collectors/groups_kafka.h"
#include "demo/lag_watch.h"
#include "tests/support/unit.h"

/* Seconds after some moment. */
static int64_t
at(double seconds)
{
    return INT64_C(1795000000) * NS_PER_S + (int64_t)(seconds * (double)NS_PER_S);
}

/* A sample of a group on two partitions that has committed `committed` in the first one, of which
 * `end` events are there, and is at the end of the second. */
static void
sample(struct lag_watch *watch, double when, int64_t committed, int64_t end, double advanced)
{
    struct group_partition partitions[] = {{.partition = 4, .committed = committed, .end = end},
        {.partition = 5, .committed = 100, .end = 100}};
    struct group_reading reading = {.committed = committed < 0 ? -1 : committed + 100,
        .end = end + 100,
        .lag = committed < 0 ? -1 : end - committed,
        .sampled_ns = at(when),
        .last_advance_ns = at(advanced),
        .partition_count = 2};
    lag_watch_add(watch, &reading, partitions, 2);
}

static void
a_group_that_commits_in_steps_does_not_stall(void **state)
{
    (void)state;
    struct lag_watch watch = {0};
    struct lag_stall stall;
    sample(&watch, 0, 10, 20, 0);
    sample(&watch, 1, 10, 30, 0);
    sample(&watch, 2, 25, 40, 2);
    sample(&watch, 3, 25, 50, 2);
    sample(&watch, 4, 45, 60, 4);
    assert_false(lag_watch_stall(&watch, &stall));
}

static void
a_group_that_stands_still_while_events_arrive_stalls(void **state)
{
    (void)state;
    struct lag_watch watch = {0};
    struct lag_stall stall;
    sample(&watch, 0, 10, 12, 0);
    sample(&watch, 1, 10, 30, 0);
    sample(&watch, 2, 10, 50, 0);
    assert_false(lag_watch_stall(&watch, &stall));
    sample(&watch, 3, 10, 70, 0);
    assert_true(lag_watch_stall(&watch, &stall));
    assert_false(stall.is_over);
    sample(&watch, 4, 10, 90, 0);
    sample(&watch, 5, 90, 95, 5);

    assert_true(lag_watch_stall(&watch, &stall));
    assert_true(stall.is_over);
    assert_int_equal(stall.begin_ns, at(0));
    assert_int_equal(stall.seen_ns, at(4));
    assert_int_equal(stall.count, 1);
    assert_int_equal(stall.first_lag, 2);
    assert_int_equal(stall.last_lag, 80);
    assert_int_equal(stall.partition, 4);
    assert_int_equal(stall.next_offset, 10);
}

static void
a_stream_where_nothing_arrives_does_not_stall_its_groups(void **state)
{
    (void)state;
    struct lag_watch watch = {0};
    struct lag_stall stall;
    sample(&watch, 0, 10, 12, 0);
    sample(&watch, 5, 10, 12, 0);
    sample(&watch, 10, 10, 12, 0);
    assert_false(lag_watch_stall(&watch, &stall));
}

static void
a_first_event_after_a_quiet_time_is_not_waiting_since_then(void **state)
{
    (void)state;
    struct lag_watch watch = {0};
    struct lag_stall stall;
    sample(&watch, 0, 10, 10, 0);
    sample(&watch, 60, 10, 11, 0);
    sample(&watch, 61, 10, 14, 0);
    assert_false(lag_watch_stall(&watch, &stall));
}

static void
what_is_unknown_neither_begins_nor_ends_a_stall(void **state)
{
    (void)state;
    struct lag_watch watch = {0};
    struct lag_stall stall;
    sample(&watch, 0, 10, 12, 0);
    sample(&watch, 1, -1, 30, 0);
    sample(&watch, 2, -1, 40, 0);
    sample(&watch, 2, 10, 40, 0); /* the same sample again */
    sample(&watch, 3, 10, 50, 0);

    assert_true(lag_watch_stall(&watch, &stall));
    assert_int_equal(stall.begin_ns, at(0));
    assert_int_equal(stall.seen_ns, at(3));
}

static void
the_longest_stall_is_kept(void **state)
{
    (void)state;
    struct lag_watch watch = {0};
    struct lag_stall stall;
    sample(&watch, 0, 10, 12, 0);
    sample(&watch, 6, 10, 50, 0);
    sample(&watch, 7, 50, 55, 7);
    sample(&watch, 10, 50, 80, 7);

    assert_true(lag_watch_stall(&watch, &stall));
    assert_true(stall.is_over);
    assert_int_equal(stall.seen_ns, at(6));
    assert_int_equal(stall.count, 2);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_that_commits_in_steps_does_not_stall),
        cmocka_unit_test(a_group_that_stands_still_while_events_arrive_stalls),
        cmocka_unit_test(a_stream_where_nothing_arrives_does_not_stall_its_groups),
        cmocka_unit_test(a_first_event_after_a_quiet_time_is_not_waiting_since_then),
        cmocka_unit_test(what_is_unknown_neither_begins_nor_ends_a_stall),
        cmocka_unit_test(the_longest_stall_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
