#include <jansson.h>

#include "base/clock.h"
#include "console/json_event.h"
#include "index/event.h"
#include "index/hole_times.h"
#include "index/tape.h"
#include "tests/support/unit.h"

static json_t *
parse(struct buffer *text)
{
    json_error_t error;
    json_t *value = json_loadb((const char *)text->data, text->length,
        JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        fail_msg("not JSON: %s: %s", error.text, buffer_text(text));
    return value;
}

/* What was written for `bytes`, read back by jansson as {"text"} or {"base64"}. */
static void
expect_round_trip(struct bytes bytes)
{
    struct buffer text = {0};
    json_append_bytes(&text, bytes);
    assert_true(bytes_is_utf8(bytes_make(text.data, text.length)));
    json_t *value = parse(&text);
    json_t *as_text = json_object_get(value, "text");
    assert_int_equal(as_text != NULL, bytes_is_utf8(bytes));
    if (as_text != NULL) {
        assert_int_equal(json_string_length(as_text), bytes.length);
        assert_memory_equal(json_string_value(as_text), bytes.data, bytes.length);
    } else {
        struct buffer decoded = {0};
        assert_true(
            base64_decode(&decoded, bytes_of(json_string_value(json_object_get(value, "base64")))));
        assert_int_equal(decoded.length, bytes.length);
        assert_memory_equal(decoded.data, bytes.data, bytes.length);
        buffer_done(&decoded);
    }
    json_decref(value);
    buffer_done(&text);
}

static void
keeps_every_single_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned char data[] = {(unsigned char)byte};
        expect_round_trip(bytes_make(data, 1));
    }
}

static void
keeps_every_byte_at_every_place_of_a_word(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 18; place++) {
            unsigned char data[18];
            memset(data, 'a', sizeof(data));
            data[place] = (unsigned char)byte;
            expect_round_trip(bytes_make(data, sizeof(data)));
        }
    }
}

static void
keeps_every_character(void **state)
{
    (void)state;
    struct buffer all = {0};
    for (uint32_t c = 0x80; c < 0x110000; c += c < 0x3000 ? 1 : 251) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        if (c < 0x800) {
            buffer_append_byte(&all, (unsigned char)(0xC0 | c >> 6));
        } else if (c < 0x10000) {
            buffer_append_byte(&all, (unsigned char)(0xE0 | c >> 12));
            buffer_append_byte(&all, (unsigned char)(0x80 | (c >> 6 & 0x3F)));
        } else {
            buffer_append_byte(&all, (unsigned char)(0xF0 | c >> 18));
            buffer_append_byte(&all, (unsigned char)(0x80 | (c >> 12 & 0x3F)));
            buffer_append_byte(&all, (unsigned char)(0x80 | (c >> 6 & 0x3F)));
        }
        buffer_append_byte(&all, (unsigned char)(0x80 | (c & 0x3F)));
    }
    assert_true(bytes_is_utf8(bytes_make(all.data, all.length)));
    expect_round_trip(bytes_make(all.data, all.length));
    buffer_done(&all);
}

static void
expect_bytes(struct bytes bytes, const char *expected)
{
    struct buffer text = {0};
    json_append_bytes(&text, bytes);
    assert_string_equal(buffer_text(&text), expected);
    buffer_done(&text);
}

static void
tells_null_from_empty(void **state)
{
    (void)state;
    expect_bytes(BYTES_NULL, "null");
    expect_bytes(bytes_of(""), "{\"text\":\"\"}");
}

static void
writes_what_is_not_text_as_base64(void **state)
{
    (void)state;
    expect_bytes(bytes_make("\x00\xFF", 2), "{\"base64\":\"AP8=\"}");
    expect_bytes(bytes_make("good then \xC0\xAF", 12), "{\"base64\":\"Z29vZCB0aGVuIMCv\"}");
    expect_bytes(bytes_make("\xED\xA0\x80", 3), "{\"base64\":\"7aCA\"}");
}

static void
escapes_what_could_drive_a_terminal(void **state)
{
    (void)state;
    expect_bytes(bytes_of("\x1b]52;c;\x07"), "{\"text\":\"\\u001b]52;c;\\u0007\"}");
    expect_bytes(bytes_of("a\"\\\b\f\n\r\t\x7f"), "{\"text\":\"a\\\"\\\\\\b\\f\\n\\r\\t\\u007f\"}");
    expect_bytes(bytes_of("\xC2\x9B"
                          "2J"),
        "{\"text\":\"\\u009b2J\"}");
    expect_bytes(bytes_of("\xE2\x80\xAE"
                          "x"),
        "{\"text\":\"\\u202ex\"}");
    expect_bytes(bytes_of("\xF3\xA0\x80\x81"), "{\"text\":\"\\udb40\\udc01\"}");
    expect_bytes(bytes_of("\xC3\xA4 \xE2\x82\xAC"), "{\"text\":\"\xC3\xA4 \xE2\x82\xAC\"}");
}

static void
replaces_bytes_that_are_not_characters_in_plain_strings(void **state)
{
    (void)state;
    struct buffer text = {0};
    json_append_string(&text, bytes_make("a\xFF"
                                         "b",
                                  3));
    assert_string_equal(buffer_text(&text), "\"a\xEF\xBF\xBD"
                                            "b\"");
    buffer_done(&text);
}

static struct stream orders = {
    .id = 1, .tap = (char[]){"shop"}, .name = (char[]){"orders"}, .label = (char[]){"shop/orders"}};

static void
writes_an_event_as_documented(void **state)
{
    (void)state;
    struct buffer headers = {0};
    headers_begin(&headers, 3);
    headers_add(&headers, bytes_of("ce_id"), bytes_of("a1"));
    headers_add(&headers, bytes_of("x"), BYTES_NULL);
    headers_add(&headers, bytes_make("\xFF", 1), bytes_of(""));
    struct event event = {
        .seq = 77,
        .received_ns = INT64_C(1795444171102000001),
        .time_ns = INT64_C(1795444171102000000),
        .offset = 42,
        .stream = &orders,
        .partition = 3,
        .time_type = TIME_CREATE,
        .key = bytes_of("o-417"),
        .headers = bytes_make(headers.data, headers.length),
        .payload = bytes_make("\x00\xFF", 2),
    };
    struct json_times times = {0};
    struct buffer text = {0};
    json_append_event(&text, &event, &times);
    char expected[700];
    (void)snprintf(expected, sizeof(expected),
        "{\"v\":1,\"seq\":\"77\",\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":3,\"offset\":"
        "\"42\","
        "\"time\":\"2026-11-23T14:29:31.102000000Z\",\"time_type\":\"create\","
        "\"received\":\"2026-11-23T14:29:31.102000001Z\",\"key\":{\"text\":\"o-417\"},"
        "\"headers\":[[\"ce_id\",{\"text\":\"a1\"}],[\"x\",null],[{\"base64\":\"/"
        "w==\"},{\"text\":\"\"}]],"
        "\"payload\":{\"base64\":\"AP8=\"},\"size\":%zu}\n",
        event_size(&event));
    assert_string_equal(buffer_text(&text), expected);
    buffer_done(&text);
    buffer_done(&headers);
}

static void
writes_no_time_as_null(void **state)
{
    (void)state;
    struct event event = {.stream = &orders,
        .time_ns = CLOCK_NONE,
        .time_type = TIME_NONE,
        .received_ns = 0,
        .payload = BYTES_NULL,
        .key = BYTES_NULL};
    struct json_times times = {0};
    struct buffer text = {0};
    json_append_event(&text, &event, &times);
    assert_non_null(strstr(buffer_text(&text), "\"time\":null,\"time_type\":\"none\""));
    assert_non_null(strstr(buffer_text(&text), "\"received\":\"1970-01-01T00:00:00.000000000Z\""));
    assert_non_null(
        strstr(buffer_text(&text), "\"key\":null,\"headers\":[],\"payload\":null,\"size\":0}"));
    buffer_done(&text);
}

static void
formats_times_like_the_clock(void **state)
{
    (void)state;
    const int64_t times_ns[] = {0, 1, -1, -NS_PER_S, INT64_C(1795444171999999999),
        INT64_C(1795444172000000000), INT64_MAX, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof(times_ns) / sizeof(times_ns[0]); i++) {
        struct buffer text = {0};
        char clock_text[CLOCK_TEXT_MAX];
        char expected[CLOCK_TEXT_MAX + 2];
        json_append_time(&text, times_ns[i]);
        (void)snprintf(expected, sizeof(expected), "\"%s\"", clock_format(times_ns[i], clock_text));
        assert_string_equal(buffer_text(&text), expected);
        buffer_done(&text);
    }
}

static void
writes_the_numbers_at_the_ends(void **state)
{
    (void)state;
    struct buffer text = {0};
    json_append_i64(&text, INT64_MIN);
    json_append_i64(&text, INT64_MAX);
    json_append_u64(&text, UINT64_MAX);
    json_append_u64(&text, 0);
    assert_string_equal(buffer_text(&text),
        "\"-9223372036854775808\"\"9223372036854775807\"\"18446744073709551615\"\"0\"");
    buffer_done(&text);
}

static void
writes_a_stream_as_documented(void **state)
{
    (void)state;
    struct hole hole = {
        .from = 7, .to = 8, .reason = HOLE_COMPACTED_OR_ABORTED, .noticed_ns = CLOCK_NONE};
    struct hole open_hole = {.from = 9, .to = -1, .reason = HOLE_RETENTION, .noticed_ns = NS_PER_S};
    struct hole_times times[] = {{CLOCK_NONE, CLOCK_NONE}, {0, CLOCK_NONE}};
    struct lane_summary lanes[] = {
        {.stream = &orders,
            .partition = 0,
            .events = 1000,
            .first_offset = 0,
            .last_offset = 999,
            .holes = &hole,
            .hole_count = 1},
        {.stream = &orders, .partition = 1, .holes = &open_hole, .hole_count = 1},
    };
    struct json_stream stream = {.stream = &orders,
        .lanes = lanes,
        .count = 2,
        .times = times,
        .events = 1000,
        .bytes = 5,
        .first_ns = 0,
        .last_ns = NS_PER_S,
        .rate = 12.25};
    struct buffer text = {0};
    json_append_stream(&text, &stream);
    assert_string_equal(buffer_text(&text),
        "{\"v\":1,\"tap\":\"shop\",\"stream\":\"orders\",\"partitions\":2,\"events\":\"1000\","
        "\"bytes\":\"5\","
        "\"first\":\"1970-01-01T00:00:00.000000000Z\",\"last\":\"1970-01-01T00:00:01.000000000Z\","
        "\"rate\":12.2,\"coverage\":[{\"partition\":0,\"from\":\"0\",\"to\":\"999\",\"events\":"
        "\"1000\","
        "\"holes\":[{\"from\":\"7\",\"to\":\"8\",\"reason\":\"COMPACTED_OR_ABORTED\",\"noticed\":"
        "null,"
        "\"after\":null,\"before\":null,\"deleted\":null}],\"holes_not_kept\":\"0\"},"
        "{\"partition\":1,\"from\":null,\"to\":null,\"events\":\"0\","
        "\"holes\":[{\"from\":\"9\",\"to\":null,\"reason\":\"RETENTION\",\"noticed\":"
        "\"1970-01-01T00:00:01.000000000Z\",\"after\":\"1970-01-01T00:00:00.000000000Z\","
        "\"before\":null,\"deleted\":null}],\"holes_not_kept\":\"0\"}]}\n");
    buffer_done(&text);
}

static void
writes_what_retention_deleted_with_its_times(void **state)
{
    (void)state;
    struct hole hole = {
        .to = 8, .reason = HOLE_RETENTION, .noticed_ns = NS_PER_S, .was_here = true, .last_ns = 1};
    struct lane_summary lane = {.stream = &orders, .holes = &hole, .hole_count = 1};
    struct buffer text = {0};
    json_append_coverage(&text, &lane, 1, NULL, true);
    assert_non_null(strstr(buffer_text(&text),
        "\"reason\":\"RETENTION\",\"noticed\":\"1970-01-01T00:00:01.000000000Z\",\"after\":null,"
        "\"before\":null,\"deleted\":{\"first\":\"1970-01-01T00:00:00.000000000Z\","
        "\"last\":\"1970-01-01T00:00:00.000000001Z\"}}]"));
    buffer_done(&text);
}

static void
writes_the_done_line_as_documented(void **state)
{
    (void)state;
    struct json_done done = {.matched = 3,
        .is_complete = true,
        .coverage = bytes_of("[]"),
        .scanned_blocks = 4,
        .pruned_blocks = 5,
        .gave_up = 6,
        .duration_ns = 6 * NS_PER_MS + 999};
    struct buffer text = {0};
    json_append_done(&text, &done);
    assert_string_equal(buffer_text(&text),
        "{\"v\":1,\"done\":true,\"matched\":\"3\",\"complete\":true,\"coverage\":[],"
        "\"damaged\":[],\"gave_up\":\"6\",\"scanned_blocks\":\"4\",\"pruned_blocks\":\"5\",\"ms\":"
        "6}\n");
    buffer_done(&text);
}

static void
names_what_is_damaged_in_the_done_line(void **state)
{
    (void)state;
    struct tape_damage damage[] = {
        {.text = "a file", .first_seq = 3, .end_seq = 5},
        {.text = "a block",
            .first_seq = 7,
            .end_seq = 99,
            .events = 2,
            .first = {.stream = &orders, .partition = 0, .offset = 4},
            .last = {.stream = &orders, .partition = 1, .offset = 5}},
    };
    struct json_done done = {
        .is_stable = true, .coverage = bytes_of("[]"), .damage = damage, .damage_count = 2};
    struct buffer text = {0};
    json_append_done(&text, &done);
    assert_string_equal(buffer_text(&text),
        "{\"v\":1,\"done\":true,\"matched\":\"0\",\"complete\":false,\"coverage\":[],"
        "\"damaged\":[{\"damage\":\"a file\",\"first_seq\":\"3\",\"end_seq\":\"5\",\"events\":"
        "null},{\"damage\":\"a block\",\"first_seq\":\"7\",\"end_seq\":\"99\",\"events\":\"2\","
        "\"first\":{\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":0,\"offset\":\"4\"},"
        "\"last\":{\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":1,\"offset\":\"5\"}}]}\n");
    buffer_done(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_single_byte),
        cmocka_unit_test(keeps_every_byte_at_every_place_of_a_word),
        cmocka_unit_test(keeps_every_character),
        cmocka_unit_test(tells_null_from_empty),
        cmocka_unit_test(writes_what_is_not_text_as_base64),
        cmocka_unit_test(escapes_what_could_drive_a_terminal),
        cmocka_unit_test(replaces_bytes_that_are_not_characters_in_plain_strings),
        cmocka_unit_test(writes_an_event_as_documented),
        cmocka_unit_test(writes_no_time_as_null),
        cmocka_unit_test(formats_times_like_the_clock),
        cmocka_unit_test(writes_the_numbers_at_the_ends),
        cmocka_unit_test(writes_a_stream_as_documented),
        cmocka_unit_test(writes_what_retention_deleted_with_its_times),
        cmocka_unit_test(writes_the_done_line_as_documented),
        cmocka_unit_test(names_what_is_damaged_in_the_done_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
