/* What json_event writes, json_read reads; what it does not write is refused, with its column. */
#include "base/clock.h"
#include "console/json_event.h"
#include "console/json_read.h"
#include "index/event.h"
#include "tests/support/unit.h"

#define GOOD                                                                                \
    "{\"v\":1,\"seq\":\"0\",\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":0,"        \
    "\"offset\":\"7\",\"time\":null,\"time_type\":\"none\",\"received\":null,\"key\":null," \
    "\"headers\":[],\"payload\":null,\"size\":0}"

static int
make_reader(void **state)
{
    *state = json_reader_new();
    return 0;
}

static int
free_reader(void **state)
{
    json_reader_free(*state);
    return 0;
}

static struct json_line
read_good(struct json_reader *reader, struct bytes text)
{
    struct json_line line;
    struct error err;
    size_t column = 0;
    if (!json_reader_line(reader, text, &line, &column, &err))
        fail_msg("column %zu: %s", column, err.text);
    return line;
}

/* `from` in the good line becomes `to`; the reader refuses at `expected`, the place of `to` itself when 0. */
static void
expect_refusal(struct json_reader *reader, const char *from, const char *to, size_t expected)
{
    const char *at = strstr(GOOD, from);
    assert_non_null(at);
    struct buffer text = {0};
    buffer_append(&text, GOOD, (size_t)(at - GOOD));
    buffer_append_text(&text, to);
    buffer_append_text(&text, at + strlen(from));
    struct json_line line;
    struct error err;
    size_t column = 0;
    if (json_reader_line(reader, bytes_make(text.data, text.length), &line, &column, &err))
        fail_msg("taken: %s", buffer_text(&text));
    assert_int_equal(err.code, ERROR_FORMAT);
    if (column != expected)
        fail_msg("column %zu, not %zu: %s: %s", column, expected, err.text, buffer_text(&text));
    buffer_done(&text);
}

static size_t
column_of(const char *text)
{
    return (size_t)(strstr(GOOD, text) - GOOD) + 1;
}

static void
expect_same_event(struct json_reader *reader, const struct event *event)
{
    struct buffer text = {0};
    struct buffer again = {0};
    struct json_times times = {0};
    struct json_times fresh = {0};
    json_append_event(&text, event, &times);
    struct json_line line = read_good(reader, bytes_make(text.data, text.length));
    assert_false(line.is_done);
    assert_string_equal(line.tap, event->stream->tap);
    assert_string_equal(line.stream, event->stream->name);
    assert_int_equal(line.event.partition, event->partition);
    assert_true(line.event.offset == event->offset);
    assert_true(line.event.time_ns == event->time_ns);
    assert_true(line.event.received_ns == event->received_ns);
    assert_int_equal(line.event.time_type, event->time_type);
    assert_int_equal(line.event.offset_is_synthetic, event->offset_is_synthetic);
    assert_true(bytes_equal(line.event.key, event->key));
    assert_true(bytes_equal(line.event.payload, event->payload));
    assert_int_equal(line.event.headers.length, event->headers.length);
    assert_true(event->headers.length == 0 ||
                memcmp(line.event.headers.data, event->headers.data, event->headers.length) == 0);
    line.event.stream = event->stream;
    line.event.seq = event->seq;
    json_append_event(&again, &line.event, &fresh);
    assert_int_equal(again.length, text.length);
    assert_memory_equal(again.data, text.data, text.length);
    buffer_done(&text);
    buffer_done(&again);
}

static struct stream stream = {.tap = (char[]){"shop"}, .name = (char[]){"orders"}};

static struct event
plain_event(void)
{
    return (struct event){.stream = &stream,
        .time_ns = CLOCK_NONE,
        .received_ns = CLOCK_NONE,
        .time_type = TIME_NONE};
}

static void
reads_every_byte_and_every_pair_with_a_high_one(void **state)
{
    for (unsigned first = 0; first < 256; first++) {
        unsigned char data[] = {(unsigned char)first, 'x'};
        struct event event = plain_event();
        event.key = bytes_make(data, 1);
        event.payload = bytes_make(data, 2);
        expect_same_event(*state, &event);
        data[1] = 0xA9;
        expect_same_event(*state, &event);
    }
}

static void
keeps_null_and_empty_apart(void **state)
{
    struct event event = plain_event();
    event.key = bytes_of("");
    expect_same_event(*state, &event);
    event.key = BYTES_NULL;
    event.payload = bytes_of("");
    expect_same_event(*state, &event);
}

static void
keeps_the_earliest_and_the_latest_moment(void **state)
{
    static const int64_t moments[] = {INT64_MIN + 1, INT64_MAX, -1, 0, 1, -NS_PER_S,
        INT64_C(951782400) * NS_PER_S, INT64_C(-2203891200) * NS_PER_S + 5};
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        struct event event = plain_event();
        event.time_ns = moments[i];
        event.time_type = i % 2 == 0 ? TIME_CREATE : TIME_APPEND;
        event.received_ns = moments[i];
        event.offset = INT64_MAX;
        event.partition = INT32_MAX;
        event.offset_is_synthetic = i % 2 == 0;
        expect_same_event(*state, &event);
    }
}

static void
keeps_headers_with_their_order_duplicates_and_names(void **state)
{
    struct buffer headers = {0};
    headers_begin(&headers, 6);
    headers_add(&headers, bytes_of("b"), bytes_of("1"));
    headers_add(&headers, bytes_of("a"), BYTES_NULL);
    headers_add(&headers, bytes_of("b"), bytes_of(""));
    headers_add(&headers, bytes_of("b"), bytes_of("1"));
    headers_add(&headers, bytes_of(""), bytes_make("\xff\x00", 2));
    headers_add(&headers, bytes_make("\xc3\x28\x00", 3), bytes_make("\0", 1));
    struct event event = plain_event();
    event.headers = bytes_make(headers.data, headers.length);
    expect_same_event(*state, &event);
    buffer_done(&headers);
}

static void
keeps_the_names_of_streams_that_are_not_utf8(void **state)
{
    struct stream odd = {.tap = (char[]){"\xff"}, .name = (char[]){"a\xfe\x01"}};
    struct event event = plain_event();
    event.stream = &odd;
    expect_same_event(*state, &event);
}

static void
says_the_column_of_what_is_wrong(void **state)
{
    read_good(*state, bytes_of(GOOD));
    expect_refusal(*state, "\"7\"", "7", column_of("\"7\""));
    expect_refusal(*state, "\"7\"", "\"-7\"", column_of("\"7\""));
    expect_refusal(*state, "\"7\"", "\"9223372036854775808\"", column_of("\"7\""));
    expect_refusal(*state, "\"partition\":0", "\"partition\":-1", column_of("0,\"offset"));
    expect_refusal(*state, "\"partition\":0", "\"partition\":2147483648", column_of("0,\"offset"));
    expect_refusal(*state, "\"time\":null", "\"time\":\"2026-02-30T00:00:00Z\"",
        column_of("null,\"time_type"));
    expect_refusal(*state, "\"time\":null", "\"time\":\"2262-04-11T23:47:16.854775808Z\"",
        column_of("null,\"time_type"));
    expect_refusal(*state, "\"time\":null", "\"time\":\"1677-09-21T00:12:43.145224192Z\"",
        column_of("null,\"time_type"));
    expect_refusal(*state, "\"none\"", "\"never\"", column_of("\"none\""));
    expect_refusal(
        *state, "\"key\":null", "\"key\":{\"base64\":\"A\"}", column_of("null,\"headers"));
    expect_refusal(*state, "\"key\":null", "\"key\":\"x\"", column_of("null,\"headers"));
    expect_refusal(*state, "\"headers\":[]", "\"headers\":[[null,null]]", column_of("[],"));
    expect_refusal(*state, "\"headers\":[]", "\"headers\":[[\"a\"]]", column_of("[],"));
    expect_refusal(*state, "\"shop\"", "\"\"", column_of("\"shop\""));
    expect_refusal(*state, "\"shop\"", "\"a\\u0000b\"", column_of("\"shop\""));
    expect_refusal(*state, "\"v\":1", "\"v\":2", column_of("1,\"seq"));
}

static void
counts_columns_in_characters(void **state)
{
    expect_refusal(*state, "\"shop\",\"stream\":\"orders\",\"partition\":0",
        "\"\xc3\xa9\xc3\xa9\",\"stream\":\"o\",\"partition\":\"\"",
        column_of("0,\"offset") - strlen("shop") - strlen("orders") + 3);
}

static void
refuses_what_is_no_event(void **state)
{
    expect_refusal(*state, "\"payload\":null,", "", 1);
    expect_refusal(*state, GOOD, "[]", 1);
    expect_refusal(*state, "\"v\":1", "\"v\":1,\"v\":1", column_of(",\"seq") + 3);
    struct json_line line;
    struct error err;
    size_t column = 0;
    assert_false(json_reader_line(*state, bytes_make(GOOD, 40), &line, &column, &err));
    assert_true(column > 1);
}

static void
reads_the_holes_of_a_done_line(void **state)
{
    struct json_line line = read_good(*state,
        bytes_of(
            "{\"v\":1,\"done\":true,\"matched\":\"18446744073709551615\",\"complete\":false,"
            "\"coverage\":[{\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":2,\"from\":"
            "null,\"to\":null,\"events\":\"0\",\"holes\":[{\"from\":\"3\",\"to\":\"5\","
            "\"reason\":\"RETENTION\"},{\"from\":\"9\",\"to\":null,\"reason\":\"DROPPED\"}]}]}"));
    assert_true(line.is_done);
    assert_false(line.is_complete);
    assert_true(line.matched == UINT64_MAX);
    assert_int_equal(line.hole_count, 2);
    assert_string_equal(line.holes[1].stream, "orders");
    assert_int_equal(line.holes[0].hole.to, 5);
    assert_int_equal(line.holes[0].hole.reason, HOLE_RETENTION);
    assert_int_equal(line.holes[1].hole.to, -1);
    assert_int_equal(line.holes[1].hole.partition, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_reader, free_reader)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_every_byte_and_every_pair_with_a_high_one),
        TEST(keeps_null_and_empty_apart),
        TEST(keeps_the_earliest_and_the_latest_moment),
        TEST(keeps_headers_with_their_order_duplicates_and_names),
        TEST(keeps_the_names_of_streams_that_are_not_utf8),
        TEST(says_the_column_of_what_is_wrong),
        TEST(counts_columns_in_characters),
        TEST(refuses_what_is_no_event),
        TEST(reads_the_holes_of_a_done_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
