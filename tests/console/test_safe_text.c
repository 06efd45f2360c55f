#include "base/clock.h"
#include "console/plain_event.h"
#include "console/safe_text.h"
#include "console/utf8.h"
#include "index/event.h"
#include "tests/support/unit.h"

static void
expect_safe(struct bytes bytes, const char *expected)
{
    struct buffer text = {0};
    assert_int_equal(safe_text_append(&text, bytes, 0), bytes.length);
    assert_string_equal(buffer_text(&text), expected);
    buffer_done(&text);
}

static void
leaves_printable_text(void **state)
{
    (void)state;
    expect_safe(bytes_of("plain, \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"),
        "plain, \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80");
}

static void
shows_control_bytes(void **state)
{
    (void)state;
    expect_safe(bytes_make("\x1b[2J\x00\x07\x7f", 7), "\\x1b[2J\\x00\\x07\\x7f");
    expect_safe(bytes_of("a\nb\tc\rd\\x"), "a\\nb\\tc\\rd\\\\x");
    expect_safe(bytes_of("\xC2\x9B"), "\\xc2\\x9b");
    expect_safe(bytes_of("\xE2\x80\xAE"), "\\xe2\\x80\\xae");
}

static void
shows_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    expect_safe(bytes_make("a\xFF\xC3(", 4), "a\\xff\\xc3(");
    expect_safe(bytes_make("\x9B", 1), "\\x9b");
    expect_safe(bytes_make("\xE2\x82", 2), "\\xe2\\x82");
    expect_safe(bytes_make("\xED\xA0\x80", 3), "\\xed\\xa0\\x80");
}

/* Nothing but printable characters may come out, whatever goes in. */
static void
lets_no_byte_pair_through_raw(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        unsigned char data[] = {(unsigned char)(pair >> 8), (unsigned char)pair};
        struct buffer text = {0};
        (void)safe_text_append(&text, bytes_make(data, 2), 0);
        struct bytes shown = bytes_make(text.data, text.length);
        assert_true(bytes_is_utf8(shown));
        for (size_t at = 0; at < shown.length;) {
            uint32_t character = 0;
            at += utf8_decode(shown, at, &character);
            assert_false(utf8_is_unsafe(character));
        }
        buffer_done(&text);
    }
}

static void
cuts_between_characters(void **state)
{
    (void)state;
    struct buffer text = {0};
    assert_int_equal(safe_text_append(&text,
                         bytes_of("ab\xE2\x82\xAC"
                                  "cd"),
                         3),
        5);
    assert_string_equal(buffer_text(&text), "ab\xE2\x82\xAC");
    buffer_done(&text);
}

static struct stream orders = {
    .id = 1, .tap = (char[]){"shop"}, .name = (char[]){"orders"}, .label = (char[]){"shop/orders"}};

static void
expect_line(struct bytes key, struct bytes payload, size_t limit, const char *expected)
{
    struct event event = {.stream = &orders,
        .partition = 3,
        .offset = 42,
        .time_ns = INT64_C(1795444171102999999),
        .time_type = TIME_CREATE,
        .key = key,
        .payload = payload};
    struct buffer text = {0};
    plain_append_event(&text, &event, limit);
    assert_string_equal(buffer_text(&text), expected);
    buffer_done(&text);
}

static void
prints_an_event_as_one_line(void **state)
{
    (void)state;
    expect_line(bytes_of("o-417"), bytes_of("{\"a\":\n1}"), 0,
        "2026-11-23T14:29:31.102Z shop/orders[3]@42 o-417 {\"a\":\\n1}\n");
}

static void
tells_null_empty_and_cut_apart(void **state)
{
    (void)state;
    expect_line(
        BYTES_NULL, bytes_of(""), 0, "2026-11-23T14:29:31.102Z shop/orders[3]@42 (null) (empty)\n");
    expect_line(bytes_of("k"), bytes_of("0123456789"), 4,
        "2026-11-23T14:29:31.102Z shop/orders[3]@42 k 0123...+6\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_printable_text),
        cmocka_unit_test(shows_control_bytes),
        cmocka_unit_test(shows_bytes_that_are_not_utf8),
        cmocka_unit_test(lets_no_byte_pair_through_raw),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(prints_an_event_as_one_line),
        cmocka_unit_test(tells_null_empty_and_cut_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
