/* Recorders as members of a consumer group, against librdkafka's mock cluster. */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

#define GROUP       "recorders"
#define PATIENCE_NS (40 * NS_PER_S)
#define LOOK_NS     (20 * NS_PER_MS)
#define PARTITIONS  4

struct setting {
    struct kafka_mock mock;
    char *directory[2]; /* the tapes of two recorders */
    char *url;
    rd_kafka_t *observer; /* asks for the group's offsets, and joins nothing */
};

static void
observe(struct setting *setting)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", setting->mock.bootstrap, why, sizeof(why));
    (void)rd_kafka_conf_set(conf, "group.id", GROUP, why, sizeof(why));
    setting->observer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    assert_non_null(setting->observer);
}

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    kafka_mock_start(&setting->mock, 1);
    kafka_mock_topic(&setting->mock, "orders", PARTITIONS);
    setting->directory[0] = temp_directory_new();
    setting->directory[1] = temp_directory_new();
    setting->url = kafka_mock_url(&setting->mock, "orders");
    observe(setting);
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    rd_kafka_destroy(setting->observer);
    kafka_mock_stop(&setting->mock);
    for (int i = 0; i < 2; i++)
        temp_directory_remove(setting->directory[i]);
    free(setting->url);
    free(setting);
    return 0;
}

static struct recorder *
try_start(struct setting *setting, int which, const char *group, const char *from,
    enum recorder_until until, struct error *err)
{
    /* The mock waits as long as a session for members to come back to a rebalance. */
    const struct recorder_property quick[] = {
        {"session.timeout.ms", "3000"}, {"heartbeat.interval.ms", "200"}};
    struct recorder_tap tap = {.name = "shop",
        .url = setting->url,
        .from = from,
        .group = group,
        .properties = quick,
        .property_count = 2};
    struct recorder_options options = {
        .directory = setting->directory[which], .taps = &tap, .tap_count = 1, .until = until};
    return recorder_start(&options, err);
}

static struct recorder *
start(struct setting *setting, int which, const char *from)
{
    struct error err;
    struct recorder *recorder = try_start(setting, which, GROUP, from, UNTIL_STOPPED, &err);
    assert_ok(recorder != NULL);
    return recorder;
}

static int64_t
committed(struct setting *setting, const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(setting->observer, list, 10000);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail_msg("the group's offsets: %s", rd_kafka_err2str(code));
    return offset;
}

static void
wait_for_commit(struct setting *setting, int32_t partition, int64_t offset)
{
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    int64_t seen;
    while ((seen = committed(setting, "orders", partition)) != offset) {
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("orders[%d]: committed is %lld, not %lld", partition, (long long)seen,
                (long long)offset);
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_NS);
    }
}

/* Until the tap says, beside its state, how many partitions are its own. */
static void
wait_for_share(struct recorder *recorder, const char *words)
{
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    struct live_tap tap;
    while (tap = tap_now(recorder, 0), strstr(tap.error, words) == NULL) {
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("waited for '%s'; the tap says '%s'", words, tap.error);
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_NS);
    }
}

static void
send_to_all(struct setting *setting, const char *prefix, int count)
{
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, prefix, count);
}

static size_t
count_at(const struct taped *taped, int32_t partition, int64_t offset)
{
    size_t count = 0;
    for (size_t i = 0; i < taped->count; i++)
        count += taped->events[i].partition == partition && taped->events[i].offset == offset &&
                 strcmp(taped->labels[i], "shop/orders") == 0;
    return count;
}

static void
commits_what_the_tape_has(void **state)
{
    struct setting *setting = *state;
    send_to_all(setting, "m", 25);
    struct recorder *recorder = start(setting, 0, "beginning");
    wait_for_events(recorder, UINT64_C(25) * PARTITIONS);
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        wait_for_commit(setting, partition, 25);
    stop_recorder(recorder);

    struct taped taped;
    taped_read(&taped, setting->directory[0]);
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        assert_int_equal(taped_count(&taped, "shop/orders", partition), 25);
    taped_done(&taped);
}

static void
commits_the_last_events_when_it_stops(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting, 0, "beginning");
    wait_for_share(recorder, "4 partitions are now ours");
    send_to_all(setting, "m", 3);
    wait_for_events(recorder, UINT64_C(3) * PARTITIONS);
    stop_recorder(recorder);
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        assert_int_equal(committed(setting, "orders", partition), 3);
}

static void
commits_where_it_begins_before_there_is_an_event(void **state)
{
    struct setting *setting = *state;
    send_to_all(setting, "old", 5);
    struct recorder *recorder = start(setting, 0, NULL);
    wait_for_commit(setting, 2, 5);
    stop_recorder(recorder);
    send_to_all(setting, "new", 2);

    recorder = start(setting, 1, NULL); /* another tape: the group knows where to go on */
    wait_for_events(recorder, UINT64_C(2) * PARTITIONS);
    stop_recorder(recorder);
    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory[1]);
    (void)taped_at(&taped, "shop/orders", 3, 5);
    (void)taped_at(&taped, "shop/orders", 3, 6);
    taped_done(&taped);
    assert_int_equal(taped_holes(setting->directory[1], "shop/orders", 3, &hole, 1), 1);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
    assert_int_equal(hole.from, 0);
    assert_int_equal(hole.to, 4);
}

static void
shares_partitions_and_takes_them_over(void **state)
{
    struct setting *setting = *state;
    send_to_all(setting, "a", 10);
    struct recorder *first = start(setting, 0, "beginning");
    wait_for_events(first, UINT64_C(10) * PARTITIONS);
    /* A member that the coordinator loses meanwhile may not commit: what is not committed by then comes twice,
     * and may. */
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        wait_for_commit(setting, partition, 10);
    struct recorder *second = start(setting, 1, "beginning");
    wait_for_share(second, "2 partitions are now ours");
    wait_for_share(first, "2 partitions are now ours");
    send_to_all(setting, "b", 10);
    wait_for_events(second, UINT64_C(10) * 2);
    wait_for_events(first, UINT64_C(10) * PARTITIONS + UINT64_C(10) * 2);
    stop_recorder(second);
    wait_for_share(first, "4 partitions are now ours");
    send_to_all(setting, "c", 10);
    wait_for_events(
        first, UINT64_C(10) * PARTITIONS + UINT64_C(10) * 2 + UINT64_C(10) * PARTITIONS);
    stop_recorder(first);

    struct taped one;
    struct taped two;
    taped_read(&one, setting->directory[0]);
    taped_read(&two, setting->directory[1]);
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        assert_int_equal(committed(setting, "orders", partition), 30);
        for (int64_t offset = 0; offset < 30; offset++) {
            size_t here = count_at(&one, partition, offset);
            size_t there = count_at(&two, partition, offset);
            if (here + there != 1)
                fail_msg("orders[%d]@%d is %zu times on the one tape and %zu times on the other",
                    partition, (int)offset, here, there);
        }
    }
    struct hole hole;
    size_t holes = 0;
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        size_t here = taped_holes(setting->directory[0], "shop/orders", partition, &hole, 1);
        holes += here;
        if (here == 0)
            continue;
        assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
        assert_int_equal(hole.from, 10);
        assert_int_equal(hole.to, 19);
    }
    assert_int_equal(holes, 2); /* what the other one had meanwhile */
    taped_done(&one);
    taped_done(&two);
}

static void
goes_on_behind_the_tape_when_the_group_knows_less(void **state)
{
    struct setting *setting = *state;
    struct error err;
    send_to_all(setting, "m", 10);
    struct recorder *recorder = try_start(setting, 0, NULL, "beginning", UNTIL_END, &err);
    assert_ok(recorder != NULL);
    wait_for_finish(recorder);
    stop_recorder(recorder);
    assert_int_equal(committed(setting, "orders", 1), RD_KAFKA_OFFSET_INVALID);

    recorder = start(setting, 0, "beginning");
    wait_for_commit(setting, 1, 10);
    stop_recorder(recorder);
    struct taped taped;
    taped_read(&taped, setting->directory[0]);
    for (int64_t offset = 0; offset < 10; offset++)
        (void)taped_at(&taped, "shop/orders", 1, offset);
    taped_done(&taped);
}

/* 30 events of each partition are on the tape; then the topic is made anew with `count` others. */
static void
assert_is_another_stream(struct setting *setting, int count)
{
    struct error err;
    send_to_all(setting, "old", 30);
    struct recorder *recorder = try_start(setting, 0, NULL, "beginning", UNTIL_END, &err);
    assert_ok(recorder != NULL);
    wait_for_finish(recorder);
    stop_recorder(recorder);
    rd_kafka_destroy(setting->observer);
    kafka_mock_stop(&setting->mock);
    kafka_mock_start(&setting->mock, 1);
    kafka_mock_topic(&setting->mock, "orders", PARTITIONS);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "orders");
    observe(setting);
    send_to_all(setting, "new", count);

    recorder = start(setting, 0, NULL);
    wait_for_events(recorder, (uint64_t)count * PARTITIONS);
    wait_for_commit(setting, 3, count);
    stop_recorder(recorder);
    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory[0]);
    assert_int_equal(taped_count(&taped, "shop/orders", 3), 30);
    assert_int_equal(taped_count(&taped, "shop/orders#2", 3), count);
    taped_done(&taped);
    assert_int_equal(taped_holes(setting->directory[0], "shop/orders", 3, &hole, 1), 1);
    assert_int_equal(hole.from, 30);
    assert_int_equal(hole.to, -1);
}

static void
reads_a_topic_that_was_made_anew_as_another_stream(void **state)
{
    assert_is_another_stream(*state, 7);
}

static void
knows_a_topic_that_was_made_anew_by_its_events(void **state)
{
    assert_is_another_stream(*state, 30);
}

static void
knows_a_topic_that_was_made_anew_and_is_longer(void **state)
{
    assert_is_another_stream(*state, 45);
}

static void
ends_when_its_share_is_read(void **state)
{
    struct setting *setting = *state;
    send_to_all(setting, "m", 10);
    struct error err;
    struct recorder *recorder = try_start(setting, 0, GROUP, "beginning", UNTIL_END, &err);
    assert_ok(recorder != NULL);
    wait_for_finish(recorder);
    stop_recorder(recorder);
    assert_int_equal(committed(setting, "orders", 0), 10);
}

static void
refuses_groups_that_cannot_be(void **state)
{
    struct setting *setting = *state;
    struct error err;
    assert_null(try_start(setting, 0, "", NULL, UNTIL_STOPPED, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    struct recorder_tap tap = {.url = "zmq://127.0.0.1:1/x", .group = GROUP};
    struct recorder_options options = {
        .directory = setting->directory[0], .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    assert_non_null(strstr(err.text, "only Kafka has them"));
    assert_null(try_start(setting, 0, GROUP, "orders[0]@5", UNTIL_STOPPED, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "begins where the group is"));
}

static void
tells_which_topic_is_missing(void **state)
{
    struct setting *setting = *state;
    struct error err;
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "orders,nowhere");
    assert_null(try_start(setting, 0, GROUP, NULL, UNTIL_STOPPED, &err));
    assert_int_equal(err.code, ERROR_REMOTE);
    assert_non_null(strstr(err.text, "topic 'nowhere' does not exist"));
}

#define GROUP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        GROUP_TEST(commits_what_the_tape_has),
        GROUP_TEST(commits_the_last_events_when_it_stops),
        GROUP_TEST(commits_where_it_begins_before_there_is_an_event),
        GROUP_TEST(shares_partitions_and_takes_them_over),
        GROUP_TEST(goes_on_behind_the_tape_when_the_group_knows_less),
        GROUP_TEST(reads_a_topic_that_was_made_anew_as_another_stream),
        GROUP_TEST(knows_a_topic_that_was_made_anew_by_its_events),
        GROUP_TEST(knows_a_topic_that_was_made_anew_and_is_longer),
        GROUP_TEST(ends_when_its_share_is_read),
        GROUP_TEST(refuses_groups_that_cannot_be),
        GROUP_TEST(tells_which_topic_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
