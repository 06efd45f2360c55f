#include <inttypes.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/clock.h"
#include "collectors/groups_kafka.h"
#include "collectors/recorder.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/live.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (INT64_C(20) * NS_PER_S)

/* A broker in this process with the topic "payments", three partitions, and a client that produces
 * and commits. */
struct bench {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    const char *bootstrap;
};

static int
bench_open(void **state)
{
    static struct bench bench;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    bench.owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    bench.cluster = rd_kafka_mock_cluster_new(bench.owner, 1);
    bench.bootstrap = rd_kafka_mock_cluster_bootstraps(bench.cluster);
    rd_kafka_mock_topic_create(bench.cluster, "payments", 3, 1);
    *state = &bench;
    return 0;
}

static int
bench_close(void **state)
{
    struct bench *bench = *state;
    rd_kafka_mock_cluster_destroy(bench->cluster);
    rd_kafka_destroy(bench->owner);
    return 0;
}

static rd_kafka_t *
client_new(const struct bench *bench, rd_kafka_type_t type, const char *group)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bench->bootstrap, NULL, 0);
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    if (group != NULL)
        rd_kafka_conf_set(conf, "group.id", group, NULL, 0);
    return rd_kafka_new(type, conf, NULL, 0);
}

static void
produce(const struct bench *bench, int32_t partition, int count)
{
    rd_kafka_t *client = client_new(bench, RD_KAFKA_PRODUCER, NULL);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, "payments", NULL);
    for (int i = 0; i < count; i++)
        assert_int_equal(
            rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, NULL, 0, "o-1", 3, NULL), 0);
    assert_int_equal(rd_kafka_flush(client, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
}

static void
commit(const struct bench *bench, const char *group, int32_t partition, int64_t offset)
{
    rd_kafka_t *client = client_new(bench, RD_KAFKA_CONSUMER, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "payments", partition)->offset = offset;
    assert_int_equal(rd_kafka_commit(client, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}

static const struct groups_kafka_watch shipping = {"shipping", "payments"};

static struct groups_kafka *
sampler_start(const struct bench *bench)
{
    struct error err = {0};
    struct groups_kafka *sampler =
        groups_kafka_start(&(struct groups_kafka_options){.bootstrap = bench->bootstrap,
                               .watches = &shipping,
                               .watch_count = 1,
                               .interval_ms = 60000},
            &err);
    if (sampler == NULL)
        fail_msg("%s", err.text);
    return sampler;
}

/* Wait for the sample with the given number (1, 2 ...). Every one but the first is asked for. */
static struct group_reading
reading_after(struct groups_kafka *sampler, uint64_t samples)
{
    struct group_reading reading;
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    if (samples > 1)
        groups_kafka_hurry(sampler);
    for (;;) {
        groups_kafka_read(sampler, 0, &reading);
        if (reading.samples >= samples)
            return reading;
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("only %" PRIu64 " samples: %s", reading.samples, reading.error);
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
}

static void
knows_what_a_group_committed_and_what_waits(void **state)
{
    struct bench *bench = *state;
    produce(bench, 0, 10);
    produce(bench, 1, 20);
    commit(bench, "shipping", 0, 4);
    commit(bench, "shipping", 1, 20);

    struct groups_kafka *sampler = sampler_start(bench);
    struct group_reading reading = reading_after(sampler, 1);
    struct group_partition partitions[8];
    size_t count = groups_kafka_partitions(sampler, 0, partitions, 8);
    groups_kafka_stop(sampler);

    assert_string_equal(reading.error, "");
    assert_int_equal(reading.committed, 24);
    assert_int_equal(reading.end, 30);
    assert_int_equal(reading.lag, 6);
    assert_int_equal(count, 3);
    assert_int_equal(partitions[0].committed, 4);
    assert_int_equal(partitions[0].end, 10);
    assert_int_equal(partitions[1].committed, 20);
    assert_int_equal(partitions[2].committed, -1);
    assert_int_equal(partitions[2].end, 0);
}

static void
a_missing_commit_where_events_wait_is_unknown_and_not_zero(void **state)
{
    struct bench *bench = *state;
    produce(bench, 0, 10);
    produce(bench, 2, 1);
    commit(bench, "shipping", 0, 10);

    struct groups_kafka *sampler = sampler_start(bench);
    struct group_reading reading = reading_after(sampler, 1);
    groups_kafka_stop(sampler);

    assert_int_equal(reading.committed, -1);
    assert_int_equal(reading.end, 11);
    assert_int_equal(reading.lag, -1);
    assert_int_equal(reading.last_advance_ns, 0);
}

static void
says_when_a_group_last_advanced(void **state)
{
    struct bench *bench = *state;
    produce(bench, 0, 10);
    commit(bench, "shipping", 0, 4);

    struct groups_kafka *sampler = sampler_start(bench);
    struct group_reading first = reading_after(sampler, 1);
    struct group_reading second = reading_after(sampler, 2);
    commit(bench, "shipping", 0, 7);
    struct group_reading third = reading_after(sampler, 3);
    commit(bench, "shipping", 0, 2); /* an operator sets it back */
    struct group_reading fourth = reading_after(sampler, 4);
    commit(bench, "shipping", 0, 3); /* and it goes on from there */
    struct group_reading fifth = reading_after(sampler, 5);
    groups_kafka_stop(sampler);

    assert_int_equal(first.last_advance_ns, first.sampled_ns);
    assert_true(second.sampled_ns > first.sampled_ns);
    assert_int_equal(second.last_advance_ns, first.sampled_ns);
    assert_int_equal(third.last_advance_ns, third.sampled_ns);
    assert_int_equal(third.lag, 3);
    assert_int_equal(fourth.lag, 8);
    assert_int_equal(fourth.last_advance_ns, third.sampled_ns);
    assert_int_equal(fifth.last_advance_ns, fifth.sampled_ns);
}

static void
a_broker_that_is_down_leaves_unknown_and_a_reason_and_can_be_stopped(void **state)
{
    struct bench *bench = *state;
    produce(bench, 0, 10);
    commit(bench, "shipping", 0, 4);
    struct groups_kafka *sampler = sampler_start(bench);
    struct group_reading before = reading_after(sampler, 1);
    rd_kafka_mock_broker_set_down(bench->cluster, 1);
    struct group_reading down = reading_after(sampler, 2);
    rd_kafka_mock_broker_set_up(bench->cluster, 1);
    struct group_reading after;
    uint64_t samples = 3;
    do
        after = reading_after(sampler, samples++);
    while (after.lag < 0 && samples < 30);

    rd_kafka_mock_broker_set_down(bench->cluster, 1);
    groups_kafka_hurry(sampler);
    int64_t start_ns = clock_monotonic_ns();
    groups_kafka_stop(sampler);
    int64_t took_ns = clock_monotonic_ns() - start_ns;

    assert_int_equal(before.lag, 6);
    assert_int_equal(down.lag, -1);
    assert_int_equal(down.committed, -1);
    assert_string_not_equal(down.error, "");
    assert_int_equal(down.last_advance_ns, before.last_advance_ns);
    if (after.lag != 6)
        fail_msg("after the broker came back: lag %" PRId64 ", %s", after.lag, after.error);
    assert_int_equal(after.last_advance_ns, before.last_advance_ns);
    if (took_ns > 4 * NS_PER_S)
        fail_msg("stopping took %" PRId64 " ms", took_ns / NS_PER_MS);
}

/* The mock makes every topic that it is asked for, so it has to be told to say no. */
static void
a_topic_that_does_not_exist_is_unknown_and_named(void **state)
{
    struct bench *bench = *state;
    static const struct groups_kafka_watch watch = {"shipping", "no-such-topic"};
    rd_kafka_mock_topic_set_error(
        bench->cluster, "no-such-topic", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    struct error err = {0};
    struct groups_kafka *sampler = groups_kafka_start(
        &(struct groups_kafka_options){
            .bootstrap = bench->bootstrap, .watches = &watch, .watch_count = 1},
        &err);
    assert_non_null(sampler);
    struct group_reading reading = reading_after(sampler, 1);
    groups_kafka_stop(sampler);

    assert_int_equal(reading.lag, -1);
    assert_int_equal(reading.end, -1);
    assert_non_null(strstr(reading.error, "no-such-topic"));
}

static void
a_property_that_does_not_exist_is_refused_by_name(void **state)
{
    struct bench *bench = *state;
    static const struct recorder_property property = {"securty.protocol", "SSL"};
    struct error err = {0};
    struct groups_kafka *sampler =
        groups_kafka_start(&(struct groups_kafka_options){.bootstrap = bench->bootstrap,
                               .properties = &property,
                               .property_count = 1,
                               .watches = &shipping,
                               .watch_count = 1},
            &err);
    assert_null(sampler);
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "securty.protocol"));
}

/* Make a tape whose second stream is shop/payments. */
static void
make_tape(const char *directory)
{
    struct error err = {0};
    struct tape_writer *writer = tape_writer_open(directory, NULL, &err);
    if (writer == NULL)
        fail_msg("%s", err.text);
    static const char *const names[] = {"orders", "payments"};
    struct batch *batch = batch_new();
    for (int i = 0; i < 2; i++) {
        struct event event = {.stream = tape_writer_stream(writer, "shop", names[i]),
            .received_ns = clock_now_ns(),
            .time_ns = CLOCK_NONE,
            .payload = bytes_of("{}")};
        assert_ok(batch_add(batch, &event, &err));
    }
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
}

static void
rows_of_the_live_page_name_the_stream_of_the_tape(void **state)
{
    struct bench *bench = *state;
    produce(bench, 0, 10);
    commit(bench, "shipping", 0, 4);
    char *directory = temp_directory_new();
    make_tape(directory);
    static const struct groups_kafka_watch watches[] = {
        {"shipping", "payments"}, {"shipping", "returns"}};
    struct error err = {0};
    struct groups_kafka *sampler =
        groups_kafka_start(&(struct groups_kafka_options){.bootstrap = bench->bootstrap,
                               .watches = watches,
                               .watch_count = 2,
                               .directory = directory,
                               .tap = "shop"},
            &err);
    assert_non_null(sampler);
    reading_after(sampler, 1);
    struct live_group rows[4];
    uint32_t count = groups_kafka_rows(sampler, rows, 4);
    uint32_t none = groups_kafka_rows(sampler, rows + 1, 0);
    groups_kafka_stop(sampler);
    temp_directory_remove(directory);

    assert_int_equal(count, 1);
    assert_int_equal(none, 0);
    assert_string_equal(rows[0].name, "shipping");
    assert_int_equal(rows[0].stream_id, 1);
    assert_int_equal(rows[0].committed, 4);
    assert_int_equal(rows[0].end, 10);
    assert_int_equal(rows[0].lag, 6);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            knows_what_a_group_committed_and_what_waits, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(
            a_missing_commit_where_events_wait_is_unknown_and_not_zero, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(says_when_a_group_last_advanced, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(
            a_broker_that_is_down_leaves_unknown_and_a_reason_and_can_be_stopped, bench_open,
            bench_close),
        cmocka_unit_test_setup_teardown(
            a_topic_that_does_not_exist_is_unknown_and_named, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(
            a_property_that_does_not_exist_is_refused_by_name, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(
            rows_of_the_live_page_name_the_stream_of_the_tape, bench_open, bench_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
