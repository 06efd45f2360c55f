/* source_kafka: brokers that are not there, do not answer, or refuse. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/collectors_kafka_setting.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

static void
says_that_nobody_is_there(void **state)
{
    struct kafka_setting *setting = *state;
    struct error err;
    kafka_use_url(setting, alloc_text("kafka://127.0.0.1:1/orders"));
    int64_t began = clock_monotonic_ns();
    assert_null(kafka_try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_true(clock_monotonic_ns() - began < 10 * NS_PER_S);
    assert_int_equal(error_exit_code(&err), 4);
    assert_string_equal(err.text, "cannot reach kafka at 127.0.0.1:1: connection refused; is the "
                                  "broker running, and is this its port?");
}

static void
records_one_tap_while_another_is_not_there(void **state)
{
    struct kafka_setting *setting = *state;
    struct recorder_tap taps[] = {
        {.url = "kafka://127.0.0.1:1/orders"},
        {.url = setting->url, .from = "beginning"},
    };
    struct recorder_options options = {
        .directory = setting->directory, .taps = taps, .tap_count = 2};
    struct error err;
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 5);
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    wait_for_events(recorder, 5);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    struct live_tap lost = tap_now(recorder, 0);
    assert_string_equal(lost.name, "kafka");
    assert_string_equal(lost.error, "cannot reach kafka at 127.0.0.1:1: connection refused; is the "
                                    "broker running, and is this its port?");
    assert_string_equal(tap_now(recorder, 1).name, "kafka-2");
    assert_int_equal(lost.wire_bytes, 0);
    assert_true(tap_now(recorder, 1).wire_bytes > (int64_t)sizeof("m0m1m2m3m4"));
    assert_false(recorder_is_finished(recorder));
    assert_false(recorder_has_failed(recorder, &err));
    stop_recorder(recorder);
}

/* One broker of several is away, and partitions are without a copy. */
static void
records_what_has_a_leader_when_others_have_none(void **state)
{
    struct kafka_setting *setting = *state;
    rd_kafka_mock_cluster_t *cluster = setting->mock.cluster;
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 4);
    assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, "orders", 1, -1), 0);
    struct recorder *recorder = kafka_start(setting, "beginning", UNTIL_STOPPED);
    wait_for_events(recorder, 8);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_non_null(strstr(tap_now(recorder, 0).error, "orders[1] on 127.0.0.1:"));
    assert_non_null(strstr(tap_now(recorder, 0).error, "has no leader; it is waited for"));
    assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, "orders", 1, 1), 0);
    wait_for_events(recorder, 12);
    wait_for_tap(recorder, 0, TAP_LIVE);
    stop_recorder(recorder);
}

/* The broker is frozen, and still the leader of a partition. */
static void
records_what_is_answered_when_a_leader_is_silent(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_make_anew(setting, 2);
    rd_kafka_mock_cluster_t *cluster = setting->mock.cluster;
    for (int32_t partition = 0; partition < 3; partition++) {
        int32_t broker = partition == 1 ? 1 : 2;
        assert_int_equal(
            rd_kafka_mock_partition_set_leader(cluster, "orders", partition, broker), 0);
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 4);
    }
    assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 60000), 0);
    struct recorder *recorder = kafka_start(setting, "beginning", UNTIL_STOPPED);
    wait_for_events(recorder, 8);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_non_null(strstr(tap_now(recorder, 0).error, "orders[1] on 127.0.0.1:"));
    assert_non_null(strstr(tap_now(recorder, 0).error, "broker 1 does not answer"));
    stop_recorder(recorder);
}

static void
does_not_begin_a_run_to_the_end_that_would_not_end(void **state)
{
    struct kafka_setting *setting = *state;
    assert_int_equal(rd_kafka_mock_partition_set_leader(setting->mock.cluster, "orders", 2, -1), 0);
    kafka_expect_refused(setting, "beginning", 4, "orders[2] on 127.0.0.1:");
}

/* A wrong password, an ACL: one tap is refused, the other records, and the first is tried again. */
static void
records_one_tap_while_another_is_refused(void **state)
{
    struct kafka_setting *setting = *state;
    char *secret = kafka_mock_url(&setting->mock, "secret");
    struct recorder_tap taps[] = {
        {.url = secret, .from = "beginning"}, {.url = setting->url, .from = "beginning"}};
    struct recorder_options options = {
        .directory = setting->directory, .taps = taps, .tap_count = 2};
    struct error err;
    kafka_mock_topic(&setting->mock, "secret", 1);
    kafka_mock_send_many(&setting->mock, "secret", 0, "m", 3);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 5);
    rd_kafka_mock_topic_set_error(
        setting->mock.cluster, "secret", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    wait_for_events(recorder, 5);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_non_null(strstr(tap_now(recorder, 0).error, "does not let us read topic 'secret'"));
    rd_kafka_mock_topic_set_error(setting->mock.cluster, "secret", RD_KAFKA_RESP_ERR_NO_ERROR);
    wait_for_events(recorder, 8);
    wait_for_tap(recorder, 0, TAP_LIVE);
    stop_recorder(recorder);
    free(secret);
}

static void
does_not_try_again_what_is_refused_to_the_only_tap(void **state)
{
    struct kafka_setting *setting = *state;
    struct error err;
    rd_kafka_mock_topic_set_error(
        setting->mock.cluster, "orders", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_null(kafka_try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_int_equal(error_exit_code(&err), 5);
}

static void
goes_on_after_the_broker_was_away(void **state)
{
    struct kafka_setting *setting = *state;
    struct recorder *recorder = kafka_start(setting, "beginning", UNTIL_STOPPED);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 20);
    wait_for_events(recorder, 20);
    assert_int_equal(rd_kafka_mock_broker_set_down(setting->mock.cluster, 1), 0);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_true(tap_now(recorder, 0).error[0] != '\0');
    assert_int_equal(rd_kafka_mock_broker_set_up(setting->mock.cluster, 1), 0);
    wait_for_tap(recorder, 0, TAP_LIVE);
    assert_string_equal(tap_now(recorder, 0).error, "");
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 20);
    wait_for_events(recorder, 40);
    stop_recorder(recorder);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 40);
    for (int64_t offset = 0; offset < 40; offset++)
        (void)taped_at(&taped, "shop/orders", 0, offset);
    taped_done(&taped);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(says_that_nobody_is_there),
        KAFKA_TEST(records_one_tap_while_another_is_not_there),
        KAFKA_TEST(records_what_has_a_leader_when_others_have_none),
        KAFKA_TEST(records_what_is_answered_when_a_leader_is_silent),
        KAFKA_TEST(does_not_begin_a_run_to_the_end_that_would_not_end),
        KAFKA_TEST(records_one_tap_while_another_is_refused),
        KAFKA_TEST(does_not_try_again_what_is_refused_to_the_only_tap),
        KAFKA_TEST(goes_on_after_the_broker_was_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
