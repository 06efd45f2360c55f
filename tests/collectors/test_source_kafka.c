#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

#define FETCH 1 /* the request, in Kafka's protocol */

struct setting {
    struct kafka_mock mock;
    char *directory;
    char *url;
};

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    kafka_mock_start(&setting->mock, 1);
    kafka_mock_topic(&setting->mock, "orders", 3);
    setting->directory = temp_directory_new();
    setting->url = kafka_mock_url(&setting->mock, "orders");
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    kafka_mock_stop(&setting->mock);
    temp_directory_remove(setting->directory);
    free(setting->url);
    free(setting);
    return 0;
}

static struct recorder *
try_start(struct setting *setting, const char *from, enum recorder_until until, struct error *err)
{
    struct recorder_tap tap = {.name = "shop", .url = setting->url, .from = from};
    struct recorder_options options = {
        .directory = setting->directory,
        .taps = &tap,
        .tap_count = 1,
        .until = until,
    };
    return recorder_start(&options, err);
}

static struct recorder *
start(struct setting *setting, const char *from, enum recorder_until until)
{
    struct error err;
    struct recorder *recorder = try_start(setting, from, until, &err);
    assert_ok(recorder != NULL);
    return recorder;
}

static void
stop(struct recorder *recorder)
{
    struct error err;
    assert_ok(recorder_stop(recorder, &err));
}

/* Record up to the present end. */
static void
record(struct setting *setting, const char *from)
{
    struct recorder *recorder = start(setting, from, UNTIL_END);
    wait_for_finish(recorder);
    stop(recorder);
}

static void
records_a_topic_from_its_beginning_to_its_end(void **state)
{
    struct setting *setting = *state;
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 50 + partition);
    record(setting, "beginning");

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 153);
    for (int32_t partition = 0; partition < 3; partition++)
        assert_int_equal(taped_count(&taped, "shop/orders", partition), 50 + partition);
    const struct event *last = taped_at(&taped, "shop/orders", 2, 51);
    assert_true(bytes_equal_text(last->payload, "m51"));
    assert_null(last->key.data);
    assert_int_equal(last->time_type, TIME_CREATE);
    assert_false(last->offset_is_synthetic);
    taped_done(&taped);
}

static void
keeps_null_apart_from_empty(void **state)
{
    struct setting *setting = *state;
    struct kafka_mock *mock = &setting->mock;
    kafka_mock_send(mock, "orders", 0, NULL, 0, NULL, 0, NULL);
    kafka_mock_send(mock, "orders", 0, "", 0, "", 0, NULL);
    kafka_mock_send(mock, "orders", 0, "k", 1, NULL, 0, NULL);
    kafka_mock_send(mock, "orders", 0, NULL, 0, "v", 1, NULL);
    record(setting, "beginning");

    struct taped taped;
    taped_read(&taped, setting->directory);
    const struct event *event = taped_at(&taped, "shop/orders", 0, 0);
    assert_null(event->key.data);
    assert_null(event->payload.data);
    event = taped_at(&taped, "shop/orders", 0, 1);
    assert_non_null(event->key.data);
    assert_int_equal(event->key.length, 0);
    assert_non_null(event->payload.data);
    assert_int_equal(event->payload.length, 0);
    event = taped_at(&taped, "shop/orders", 0, 2);
    assert_true(bytes_equal_text(event->key, "k"));
    assert_null(event->payload.data);
    event = taped_at(&taped, "shop/orders", 0, 3);
    assert_null(event->key.data);
    assert_true(bytes_equal_text(event->payload, "v"));
    taped_done(&taped);
}

static void
assert_header(const struct event *event, size_t *at, const char *name, struct bytes value)
{
    struct event_header header;
    assert_true(event_next_header(event, at, &header));
    assert_true(bytes_equal_text(header.name, name));
    assert_true(bytes_equal(header.value, value));
}

static void
keeps_bytes_and_headers_as_they_are(void **state)
{
    struct setting *setting = *state;
    const unsigned char binary[] = {0, 0xff, 0x1b, '[', '\n', 0};
    rd_kafka_headers_t *headers = rd_kafka_headers_new(5);
    rd_kafka_header_add(headers, "b", -1, "2", 1);
    rd_kafka_header_add(headers, "a", -1, "1", 1);
    rd_kafka_header_add(headers, "b", -1, "1", 1);
    rd_kafka_header_add(headers, "null", -1, NULL, 0);
    rd_kafka_header_add(headers, "empty", -1, "", 0);
    rd_kafka_header_add(headers, "binary", -1, binary, sizeof(binary));
    kafka_mock_send(&setting->mock, "orders", 1, binary, sizeof(binary), binary + 1,
        sizeof(binary) - 1, headers);
    record(setting, "beginning");

    struct taped taped;
    taped_read(&taped, setting->directory);
    const struct event *event = taped_at(&taped, "shop/orders", 1, 0);
    assert_true(bytes_equal(event->key, bytes_make(binary, sizeof(binary))));
    assert_true(bytes_equal(event->payload, bytes_make(binary + 1, sizeof(binary) - 1)));
    size_t at = 0;
    struct event_header none;
    assert_header(event, &at, "b", bytes_of("2"));
    assert_header(event, &at, "a", bytes_of("1"));
    assert_header(event, &at, "b", bytes_of("1"));
    assert_header(event, &at, "null", BYTES_NULL);
    assert_header(event, &at, "empty", bytes_of(""));
    assert_header(event, &at, "binary", bytes_make(binary, sizeof(binary)));
    assert_false(event_next_header(event, &at, &none));
    taped_done(&taped);
}

static void
goes_on_where_the_tape_ends(void **state)
{
    struct setting *setting = *state;
    for (int round = 0; round < 3; round++) {
        kafka_mock_send_many(&setting->mock, "orders", 0, "m", 40);
        kafka_mock_send_many(&setting->mock, "orders", 1, "m", 1);
        record(setting, round == 0 ? "beginning" : NULL);
    }
    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 123);
    for (int64_t offset = 0; offset < 120; offset++)
        (void)taped_at(&taped, "shop/orders", 0, offset);
    struct hole hole;
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 0);
    taped_done(&taped);
}

static void
records_nothing_twice_when_asked_for_the_beginning_again(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 10);
    record(setting, "beginning");
    record(setting, "beginning");
    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 10);
    taped_done(&taped);
}

static void
follows_what_is_sent_while_it_records(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting, "end", UNTIL_STOPPED);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 5);
    wait_for_events(recorder, 5);
    kafka_mock_send_many(&setting->mock, "orders", 2, "m", 5);
    wait_for_events(recorder, 10);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    assert_int_equal(tap_now(recorder, 0).events, 10);
    stop(recorder);
}

static void
names_what_was_there_before_it_began_at_the_end(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 10);
    struct recorder *recorder = start(setting, NULL, UNTIL_STOPPED);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 2);
    wait_for_events(recorder, 2);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 2);
    assert_true(bytes_equal_text(taped_at(&taped, "shop/orders", 0, 10)->payload, "new0"));
    taped_done(&taped);
    struct hole hole;
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 0);
    assert_int_equal(hole.to, 9);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
misses_nothing_after_a_start_at_the_end_without_events(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 10);
    struct recorder *recorder = start(setting, NULL, UNTIL_STOPPED);
    stop(recorder);
    kafka_mock_send_many(&setting->mock, "orders", 0, "between", 3);
    kafka_mock_send_many(&setting->mock, "orders", 1, "between", 4);
    record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 3);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 4);
    taped_done(&taped);
}

static void
takes_exactly_so_many_events(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 100);
    struct recorder_tap tap = {.name = "shop", .url = setting->url, .from = "beginning"};
    struct recorder_options options = {
        .directory = setting->directory,
        .taps = &tap,
        .tap_count = 1,
        .until = UNTIL_EVENTS,
        .until_events = 37,
    };
    struct error err;
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    wait_for_finish(recorder);
    stop(recorder);
    record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 100);
    assert_int_equal(taped.events[36].offset, 36);
    taped_done(&taped);
}

static void
says_which_topics_there_are_when_one_is_missing(void **state)
{
    struct setting *setting = *state;
    struct error err;
    rd_kafka_mock_topic_set_error(
        setting->mock.cluster, "order", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    kafka_mock_topic(&setting->mock, "payments", 1);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "orders,order");
    assert_null(try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_int_equal(error_exit_code(&err), 4);
    assert_non_null(strstr(err.text, "topic 'order' does not exist on 127.0.0.1:"));
    assert_non_null(strstr(err.text, "orders, payments"));
}

static void
begins_at_the_offsets_that_are_named(void **state)
{
    struct setting *setting = *state;
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 10);
    record(setting, "orders[0]@7,orders[2]@0");
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 5);
    record(setting, "0=3,1=12"); /* known lanes go on where the tape ends, or later */

    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 8);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 3);
    assert_int_equal(taped_count(&taped, "shop/orders", 2), 15);
    (void)taped_at(&taped, "shop/orders", 0, 7);
    (void)taped_at(&taped, "shop/orders", 1, 12);
    taped_done(&taped);
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 0);
    assert_int_equal(hole.to, 6);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
expect_refused_start(struct setting *setting, const char *from, int code, const char *words)
{
    struct error err;
    assert_null(try_start(setting, from, UNTIL_END, &err));
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in: %s", words, err.text);
    assert_int_equal(error_exit_code(&err), code);
}

static void
refuses_offsets_that_are_not_there(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 10);
    expect_refused_start(
        setting, "3=1", 2, "partition 3 of topic 'orders', which has partitions 0 to 2");
    expect_refused_start(setting, "order[0]@1", 2, "has no such topic");
    expect_refused_start(setting, "0=11", 4, "ends at 10, before offset 11 that from names");
    expect_refused_start(setting, "orders[0]", 2, "expected TOPIC[PARTITION]@OFFSET");
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "orders,payments");
    expect_refused_start(setting, "0=5", 2, "write TOPIC[0]@5");
}

static void
says_that_nobody_is_there(void **state)
{
    struct setting *setting = *state;
    struct error err;
    free(setting->url);
    setting->url = alloc_text("kafka://127.0.0.1:1/orders");
    int64_t began = clock_monotonic_ns();
    assert_null(try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_true(clock_monotonic_ns() - began < 10 * NS_PER_S);
    assert_int_equal(error_exit_code(&err), 4);
    assert_string_equal(err.text, "cannot reach kafka at 127.0.0.1:1: connection refused; is the "
                                  "broker running, and is this its port?");
}

static void
records_one_tap_while_another_is_not_there(void **state)
{
    struct setting *setting = *state;
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
    stop(recorder);
}

/* One broker of several is away, and partitions are without a copy. */
static void
records_what_has_a_leader_when_others_have_none(void **state)
{
    struct setting *setting = *state;
    rd_kafka_mock_cluster_t *cluster = setting->mock.cluster;
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 4);
    assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, "orders", 1, -1), 0);
    struct recorder *recorder = start(setting, "beginning", UNTIL_STOPPED);
    wait_for_events(recorder, 8);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_non_null(strstr(tap_now(recorder, 0).error, "orders[1] on 127.0.0.1:"));
    assert_non_null(strstr(tap_now(recorder, 0).error, "has no leader; it is waited for"));
    assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, "orders", 1, 1), 0);
    wait_for_events(recorder, 12);
    wait_for_tap(recorder, 0, TAP_LIVE);
    stop(recorder);
}

/* The broker is frozen, and still the leader of a partition. */
static void
records_what_is_answered_when_a_leader_is_silent(void **state)
{
    struct setting *setting = *state;
    kafka_mock_stop(&setting->mock);
    kafka_mock_start(&setting->mock, 2);
    kafka_mock_topic(&setting->mock, "orders", 3);
    rd_kafka_mock_cluster_t *cluster = setting->mock.cluster;
    for (int32_t partition = 0; partition < 3; partition++) {
        int32_t broker = partition == 1 ? 1 : 2;
        assert_int_equal(
            rd_kafka_mock_partition_set_leader(cluster, "orders", partition, broker), 0);
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 4);
    }
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "orders");
    assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 60000), 0);
    struct recorder *recorder = start(setting, "beginning", UNTIL_STOPPED);
    wait_for_events(recorder, 8);
    wait_for_tap(recorder, 0, TAP_RETRYING);
    assert_non_null(strstr(tap_now(recorder, 0).error, "orders[1] on 127.0.0.1:"));
    assert_non_null(strstr(tap_now(recorder, 0).error, "broker 1 does not answer"));
    stop(recorder);
}

static void
does_not_begin_a_run_to_the_end_that_would_not_end(void **state)
{
    struct setting *setting = *state;
    assert_int_equal(rd_kafka_mock_partition_set_leader(setting->mock.cluster, "orders", 2, -1), 0);
    expect_refused_start(setting, "beginning", 4, "orders[2] on 127.0.0.1:");
}

/* A wrong password, an ACL: one tap is refused, the other records, and the first is tried again. */
static void
records_one_tap_while_another_is_refused(void **state)
{
    struct setting *setting = *state;
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
    stop(recorder);
    free(secret);
}

static void
does_not_try_again_what_is_refused_to_the_only_tap(void **state)
{
    struct setting *setting = *state;
    struct error err;
    rd_kafka_mock_topic_set_error(
        setting->mock.cluster, "orders", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_null(try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_int_equal(error_exit_code(&err), 5);
}

static void
records_the_topics_that_an_expression_fits(void **state)
{
    struct setting *setting = *state;
    kafka_mock_topic(&setting->mock, "orders-eu", 2);
    kafka_mock_topic(&setting->mock, "orders-us", 1);
    kafka_mock_topic(&setting->mock, "payments", 1);
    kafka_mock_topic(&setting->mock, "__orders-internal", 1);
    kafka_mock_send_many(&setting->mock, "orders-eu", 1, "m", 3);
    kafka_mock_send_many(&setting->mock, "orders-us", 0, "m", 4);
    kafka_mock_send_many(&setting->mock, "payments", 0, "m", 5);
    kafka_mock_send_many(&setting->mock, "__orders-internal", 0, "m", 6);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 7);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "^.*orders-,orders");
    record(setting, "beginning");

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 14);
    assert_int_equal(taped_count(&taped, "shop/orders-eu", 1), 3);
    assert_int_equal(taped_count(&taped, "shop/orders-us", 0), 4);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 7);
    taped_done(&taped);
}

static void
records_a_topic_that_appears_from_its_beginning(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 3);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "^orders");
    struct recorder *recorder = start(setting, "end", UNTIL_STOPPED);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 2);
    wait_for_events(recorder, 2);
    kafka_mock_topic(&setting->mock, "orders-late", 2);
    kafka_mock_send_many(&setting->mock, "orders-late", 1, "m", 20);
    wait_for_events(recorder, 22);
    stop(recorder);

    /* And one that appears while nothing is recorded. */
    kafka_mock_topic(&setting->mock, "orders-later", 1);
    kafka_mock_send_many(&setting->mock, "orders-later", 0, "m", 5);
    record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 2);
    for (int64_t offset = 0; offset < 20; offset++)
        (void)taped_at(&taped, "shop/orders-late", 1, offset);
    assert_int_equal(taped_count(&taped, "shop/orders-later", 0), 5);
    taped_done(&taped);
}

static void
waits_for_a_first_topic_that_an_expression_fits(void **state)
{
    struct setting *setting = *state;
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "^shipping-[0-9]+$");
    struct recorder *recorder = start(setting, NULL, UNTIL_STOPPED);
    assert_non_null(strstr(tap_now(recorder, 0).error, "fits '^shipping-[0-9]+$' yet"));
    kafka_mock_topic(&setting->mock, "shipping-7", 1);
    kafka_mock_send_many(&setting->mock, "shipping-7", 0, "m", 2);
    wait_for_events(recorder, 2);
    stop(recorder);
}

/* What the tap tells the operator, within 20 s. */
static void
wait_for_words(struct recorder *recorder, const char *words)
{
    int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (strstr(tap_now(recorder, 0).error, words) == NULL) {
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("it says '%s', not '%s'", tap_now(recorder, 0).error, words);
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
}

/* The mock cannot delete a topic, but can answer as if it were not there. */
static void
hide(struct setting *setting, const char *topic)
{
    rd_kafka_mock_topic_set_error(
        setting->mock.cluster, topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    rd_kafka_mock_push_request_errors(
        setting->mock.cluster, FETCH, 1, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

static void
goes_on_when_a_topic_of_an_expression_goes_away(void **state)
{
    struct setting *setting = *state;
    kafka_mock_topic(&setting->mock, "orders-eu", 2);
    kafka_mock_send_many(&setting->mock, "orders-eu", 1, "m", 3);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "^orders");
    struct recorder *recorder = start(setting, "beginning", UNTIL_STOPPED);
    wait_for_events(recorder, 3);
    hide(setting, "orders-eu");
    wait_for_words(recorder, "topic 'orders-eu' is gone");
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 4);
    wait_for_events(recorder, 7);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    assert_int_equal(tap_now(recorder, 0).retries, 0);

    rd_kafka_mock_topic_set_error(setting->mock.cluster, "orders-eu", RD_KAFKA_RESP_ERR_NO_ERROR);
    kafka_mock_send_many(&setting->mock, "orders-eu", 1, "n", 2);
    wait_for_events(recorder, 9);
    wait_for_words(recorder, "topic 'orders-eu' is there again");
    stop(recorder);
}

/* With this budget the events that are gone would take half a minute. */
static void
ends_when_what_it_has_not_read_is_gone(void **state)
{
    struct setting *setting = *state;
    static char kilobyte[1024];
    kafka_mock_topic(&setting->mock, "orders-eu", 1);
    for (int i = 0; i < 1000; i++)
        kafka_mock_send(&setting->mock, "orders-eu", 0, NULL, 0, kilobyte, sizeof(kilobyte), NULL);
    kafka_mock_send_many(&setting->mock, "orders", 1, "m", 3);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "^orders");
    struct recorder_tap tap = {.name = "shop",
        .url = setting->url,
        .from = "beginning",
        .max_bytes_per_second = UINT64_C(32) * 1024};
    struct recorder_options options = {
        .directory = setting->directory, .taps = &tap, .tap_count = 1, .until = UNTIL_END};
    struct error err;
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    hide(setting, "orders-eu");
    wait_for_finish(recorder);
    assert_true(tap_now(recorder, 0).events < 1000);
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 3);
    taped_done(&taped);
}

/* What was read in the time that it took is no more than the budget, one second of savings, and what
 * may be overdrawn in one go. */
static void
reads_no_more_than_its_budget(void **state)
{
    struct setting *setting = *state;
    static char kilobyte[1024];
    for (int i = 0; i < 1200; i++)
        kafka_mock_send(&setting->mock, "orders", i % 3, NULL, 0, kilobyte, sizeof(kilobyte), NULL);
    const uint64_t rate = UINT64_C(256) * 1024;
    struct recorder_tap tap = {
        .name = "shop", .url = setting->url, .from = "beginning", .max_bytes_per_second = rate};
    struct recorder_options options = {
        .directory = setting->directory, .taps = &tap, .tap_count = 1, .until = UNTIL_END};
    struct error err;
    int64_t began_ns = clock_monotonic_ns();
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    wait_for_finish(recorder);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / (double)NS_PER_S;
    assert_int_equal(tap_now(recorder, 0).events, 1200);
    assert_true((double)(1200 * sizeof(kilobyte)) <= (seconds + 1.0) * (double)rate + 32 * 1024);
    stop(recorder);
}

static void
goes_on_after_the_broker_was_away(void **state)
{
    struct setting *setting = *state;
    struct recorder *recorder = start(setting, "beginning", UNTIL_STOPPED);
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
    stop(recorder);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 40);
    for (int64_t offset = 0; offset < 40; offset++)
        (void)taped_at(&taped, "shop/orders", 0, offset);
    taped_done(&taped);
}

/* The mock keeps about 5 MB of a partition: more than that moves the log start. */
static void
names_what_the_broker_deleted_before_it_was_read(void **state)
{
    struct setting *setting = *state;
    static char large[512 * 1024];
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 3);
    record(setting, "beginning");
    for (int i = 0; i < 30; i++)
        kafka_mock_send(&setting->mock, "orders", 0, NULL, 0, large, sizeof(large), NULL);
    record(setting, NULL);

    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.reason, HOLE_RETENTION);
    assert_int_equal(hole.from, 3);
    assert_true(hole.to > 3 && hole.to < 32);
    assert_int_equal(taped.count, 3 + 32 - (size_t)hole.to);
    (void)taped_at(&taped, "shop/orders", 0, hole.to + 1);
    (void)taped_at(&taped, "shop/orders", 0, 32);
    taped_done(&taped);
}

static void
records_a_topic_that_was_made_anew_as_another_stream(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 30);
    record(setting, "beginning");
    kafka_mock_stop(&setting->mock);
    kafka_mock_start(&setting->mock, 1);
    kafka_mock_topic(&setting->mock, "orders", 3);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "orders");
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 4);
    record(setting, NULL);
    kafka_mock_send_many(&setting->mock, "orders", 0, "newer", 40);
    record(setting, NULL); /* the new log is longer than the old one was: still the new stream */

    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 30);
    assert_int_equal(taped_count(&taped, "shop/orders#2", 0), 44);
    assert_true(bytes_equal_text(taped_at(&taped, "shop/orders#2", 0, 0)->payload, "new0"));
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 30);
    assert_int_equal(hole.to, -1);
    assert_int_equal(hole.reason, HOLE_UNKNOWN);
    taped_done(&taped);
}

/* The same name, another log. */
static void
make_topic_anew(struct setting *setting)
{
    kafka_mock_stop(&setting->mock);
    kafka_mock_start(&setting->mock, 1);
    kafka_mock_topic(&setting->mock, "orders", 3);
    free(setting->url);
    setting->url = kafka_mock_url(&setting->mock, "orders");
}

static void
never_appends_a_longer_new_log_to_an_old_lane(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 30);
    kafka_mock_send_many(&setting->mock, "orders", 1, "old", 5);
    record(setting, "beginning");
    make_topic_anew(setting);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 40);
    record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 30);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 5);
    assert_int_equal(taped_count(&taped, "shop/orders#2", 0), 40);
    assert_true(bytes_equal_text(taped_at(&taped, "shop/orders#2", 0, 39)->payload, "new39"));
    taped_done(&taped);
    struct hole hole;
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 30);
    assert_int_equal(hole.to, -1);
}

static void
finds_a_new_log_that_ends_where_the_tape_does(void **state)
{
    struct setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 30);
    record(setting, "beginning");
    make_topic_anew(setting);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 30);
    record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 30);
    assert_int_equal(taped_count(&taped, "shop/orders#2", 0), 30);
    taped_done(&taped);
}

static void
takes_properties_and_refuses_wrong_ones(void **state)
{
    struct setting *setting = *state;
    struct recorder_property property = {.name = "no.such.thing", .value = "1"};
    struct recorder_tap tap = {.url = setting->url, .properties = &property, .property_count = 1};
    struct recorder_options options = {
        .directory = setting->directory, .taps = &tap, .tap_count = 1};
    struct error err;
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "no.such.thing"));

    property = (struct recorder_property){.name = "group.id", .value = "billing"};
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "joins no group"));

    property = (struct recorder_property){.name = "client.id", .value = "watcher"};
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    stop(recorder);
}

static void
refuses_urls_that_cannot_be_recorded(void **state)
{
    struct setting *setting = *state;
    static const char *const urls[] = {"kafka://h:9092", "kafka://h/a,,b", "kafka://h/a,a",
        "kafka://h/no spaces", "kafka://h/^a(b", "kafka://h/sl%2Fash", "amqp://h/q", "orders"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct error err;
        free(setting->url);
        setting->url = alloc_text(urls[i]);
        assert_null(try_start(setting, NULL, UNTIL_STOPPED, &err));
        if (err.code != ERROR_ARGUMENT)
            fail_msg("%s: %s", urls[i], err.text);
    }
}

static void
refuses_a_second_recorder(void **state)
{
    struct setting *setting = *state;
    struct error err;
    struct recorder *recorder = start(setting, NULL, UNTIL_STOPPED);
    assert_null(try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    stop(recorder);
}

#define KAFKA_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(records_a_topic_from_its_beginning_to_its_end),
        KAFKA_TEST(keeps_null_apart_from_empty),
        KAFKA_TEST(keeps_bytes_and_headers_as_they_are),
        KAFKA_TEST(goes_on_where_the_tape_ends),
        KAFKA_TEST(records_nothing_twice_when_asked_for_the_beginning_again),
        KAFKA_TEST(follows_what_is_sent_while_it_records),
        KAFKA_TEST(names_what_was_there_before_it_began_at_the_end),
        KAFKA_TEST(misses_nothing_after_a_start_at_the_end_without_events),
        KAFKA_TEST(takes_exactly_so_many_events),
        KAFKA_TEST(says_which_topics_there_are_when_one_is_missing),
        KAFKA_TEST(begins_at_the_offsets_that_are_named),
        KAFKA_TEST(refuses_offsets_that_are_not_there),
        KAFKA_TEST(says_that_nobody_is_there),
        KAFKA_TEST(records_one_tap_while_another_is_not_there),
        KAFKA_TEST(records_what_has_a_leader_when_others_have_none),
        KAFKA_TEST(records_what_is_answered_when_a_leader_is_silent),
        KAFKA_TEST(does_not_begin_a_run_to_the_end_that_would_not_end),
        KAFKA_TEST(records_one_tap_while_another_is_refused),
        KAFKA_TEST(does_not_try_again_what_is_refused_to_the_only_tap),
        KAFKA_TEST(records_the_topics_that_an_expression_fits),
        KAFKA_TEST(records_a_topic_that_appears_from_its_beginning),
        KAFKA_TEST(waits_for_a_first_topic_that_an_expression_fits),
        KAFKA_TEST(goes_on_when_a_topic_of_an_expression_goes_away),
        KAFKA_TEST(ends_when_what_it_has_not_read_is_gone),
        KAFKA_TEST(reads_no_more_than_its_budget),
        KAFKA_TEST(goes_on_after_the_broker_was_away),
        KAFKA_TEST(names_what_the_broker_deleted_before_it_was_read),
        KAFKA_TEST(records_a_topic_that_was_made_anew_as_another_stream),
        KAFKA_TEST(never_appends_a_longer_new_log_to_an_old_lane),
        KAFKA_TEST(finds_a_new_log_that_ends_where_the_tape_does),
        KAFKA_TEST(takes_properties_and_refuses_wrong_ones),
        KAFKA_TEST(refuses_urls_that_cannot_be_recorded),
        KAFKA_TEST(refuses_a_second_recorder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
