/* source_kafka: what of a topic comes to the tape, and how much at a time. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/collectors_kafka_setting.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

static void
records_a_topic_from_its_beginning_to_its_end(void **state)
{
    struct kafka_setting *setting = *state;
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 50 + partition);
    kafka_record(setting, "beginning");

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
    struct kafka_setting *setting = *state;
    struct kafka_mock *mock = &setting->mock;
    kafka_mock_send(mock, "orders", 0, NULL, 0, NULL, 0, NULL);
    kafka_mock_send(mock, "orders", 0, "", 0, "", 0, NULL);
    kafka_mock_send(mock, "orders", 0, "k", 1, NULL, 0, NULL);
    kafka_mock_send(mock, "orders", 0, NULL, 0, "v", 1, NULL);
    kafka_record(setting, "beginning");

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
    struct kafka_setting *setting = *state;
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
    kafka_record(setting, "beginning");

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
follows_what_is_sent_while_it_records(void **state)
{
    struct kafka_setting *setting = *state;
    struct recorder *recorder = kafka_start(setting, "end", UNTIL_STOPPED);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 5);
    wait_for_events(recorder, 5);
    kafka_mock_send_many(&setting->mock, "orders", 2, "m", 5);
    wait_for_events(recorder, 10);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    assert_int_equal(tap_now(recorder, 0).events, 10);
    stop_recorder(recorder);
}

static void
takes_exactly_so_many_events(void **state)
{
    struct kafka_setting *setting = *state;
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
    stop_recorder(recorder);
    kafka_record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 100);
    assert_int_equal(taped.events[36].offset, 36);
    taped_done(&taped);
}

/* What was read in the time that it took is no more than the budget, one second of savings, and what
 * may be overdrawn in one go. */
static void
reads_no_more_than_its_budget(void **state)
{
    struct kafka_setting *setting = *state;
    static char kilobyte[1024];
    for (int i = 0; i < 1200; i++)
        kafka_mock_send(&setting->mock, "orders", i % 3, NULL, 0, kilobyte, sizeof(kilobyte), NULL);
    const uint64_t rate = UINT64_C(256) * 1024;
    int64_t began_ns = clock_monotonic_ns();
    struct recorder *recorder = kafka_start_within(setting, rate);
    wait_for_finish(recorder);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / (double)NS_PER_S;
    assert_int_equal(tap_now(recorder, 0).events, 1200);
    assert_true((double)(1200 * sizeof(kilobyte)) <= (seconds + 1.0) * (double)rate + 32 * 1024);
    stop_recorder(recorder);
}

static void
takes_properties_and_refuses_wrong_ones(void **state)
{
    struct kafka_setting *setting = *state;
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
    stop_recorder(recorder);
}

static void
refuses_urls_that_cannot_be_recorded(void **state)
{
    struct kafka_setting *setting = *state;
    static const char *const urls[] = {"kafka://h:9092", "kafka://h/a,,b", "kafka://h/a,a",
        "kafka://h/no spaces", "kafka://h/^a(b", "kafka://h/sl%2Fash", "amqp://h/q", "orders"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct error err;
        kafka_use_url(setting, alloc_text(urls[i]));
        assert_null(kafka_try_start(setting, NULL, UNTIL_STOPPED, &err));
        if (err.code != ERROR_ARGUMENT)
            fail_msg("%s: %s", urls[i], err.text);
    }
}

static void
refuses_a_second_recorder(void **state)
{
    struct kafka_setting *setting = *state;
    struct error err;
    struct recorder *recorder = kafka_start(setting, NULL, UNTIL_STOPPED);
    assert_null(kafka_try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    stop_recorder(recorder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(records_a_topic_from_its_beginning_to_its_end),
        KAFKA_TEST(keeps_null_apart_from_empty),
        KAFKA_TEST(keeps_bytes_and_headers_as_they_are),
        KAFKA_TEST(follows_what_is_sent_while_it_records),
        KAFKA_TEST(takes_exactly_so_many_events),
        KAFKA_TEST(reads_no_more_than_its_budget),
        KAFKA_TEST(takes_properties_and_refuses_wrong_ones),
        KAFKA_TEST(refuses_urls_that_cannot_be_recorded),
        KAFKA_TEST(refuses_a_second_recorder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
