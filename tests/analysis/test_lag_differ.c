#include "analysis/lag_differ.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"
#include "tests/support/unit.h"

static struct event
event_of(const char *key, const char *payload)
{
    return (struct event){
        .time_ns = CLOCK_NONE, .key = bytes_of(key), .payload = bytes_of(payload)};
}

static void
add_line(void *self, const char *sentence)
{
    buffer_printf(self, "%s\n", sentence);
}

static void
assert_differ(const struct event *good, const struct event *at, const char *lines)
{
    struct buffer seen = {0};
    lag_differ(good, at, add_line, &seen);
    assert_string_equal(buffer_text(&seen), lines);
    buffer_done(&seen);
}

static void
says_nothing_of_events_of_one_form(void **unused)
{
    (void)unused;
    struct event good = event_of("o-1", "{\"amount\":10,\"items\":[1]}");
    struct event at = event_of("o-2", "{\"items\":[4,5],\"amount\":12.5}");
    assert_differ(&good, &at, "");
}

static void
names_fields_that_are_missing_new_or_of_another_kind(void **unused)
{
    (void)unused;
    struct event good = event_of("o-1", "{\"order\":{\"id\":\"a\",\"n\":1},\"amount\":10}");
    struct event at = event_of("o-2", "{\"order\":{\"id\":null},\"amount\":-1,\"extra\":[]}");
    assert_differ(&good, &at,
        "value.order.id is null, it was text\n"
        "value.order.n is missing; it was a number\n"
        "value.amount is negative, it was not\n"
        "value.extra is new: a list\n");
}

static void
names_a_payload_that_is_broken(void **unused)
{
    (void)unused;
    struct event good = event_of("o-1", "{\"amount\":10}");
    struct event at = event_of("o-2", "{\"amount\":10");
    struct buffer seen = {0};
    lag_differ(&good, &at, add_line, &seen);
    assert_non_null(strstr(buffer_text(&seen), "the payload is not valid JSON: byte 12"));
    buffer_done(&seen);
}

static void
tells_a_tombstone_and_a_key_that_is_not_there(void **unused)
{
    (void)unused;
    struct event good = event_of("o-1", "{}");
    struct event at = event_of(NULL, NULL);
    assert_differ(&good, &at,
        "the key is null, it was there\n"
        "the payload is null (a tombstone), it was there\n");
}

static void
tells_headers_and_kinds(void **unused)
{
    (void)unused;
    struct buffer before = {0};
    headers_begin(&before, 2);
    headers_add(&before, bytes_of("type"), bytes_of("paid"));
    headers_add(&before, bytes_of("trace"), bytes_of("1"));
    struct buffer now = {0};
    headers_begin(&now, 2);
    headers_add(&now, bytes_of("type"), bytes_of("refunded"));
    headers_add(&now, bytes_of("retry"), bytes_of("1"));
    struct event good = event_of("o-1", "x");
    struct event at = event_of("o-1", "y");
    good.headers = bytes_make(before.data, before.length);
    at.headers = bytes_make(now.data, now.length);
    assert_differ(&good, &at,
        "header trace is missing\n"
        "header retry is new\n"
        "header type is 'refunded', it was 'paid'\n");
    buffer_done(&before);
    buffer_done(&now);
}

static void
tells_another_schema(void **unused)
{
    (void)unused;
    struct event good = event_of("k", NULL);
    struct event at = good;
    good.payload = bytes_make("\0\0\0\0\7abc", 8);
    at.payload = bytes_make("\0\0\0\1\0abc", 8);
    assert_differ(&good, &at, "it is written with schema 256, the one before with 7\n");
}

static void
looks_at_one_event_alone(void **unused)
{
    (void)unused;
    struct event at = event_of("k", "{\"a\":1}");
    assert_differ(NULL, &at, "");
    at.payload = BYTES_NULL;
    assert_differ(NULL, &at, "the payload is null (a tombstone)\n");
}

static void
stops_telling_after_many(void **unused)
{
    (void)unused;
    struct buffer object = {0};
    buffer_append_text(&object, "{\"f0\":0");
    for (int i = 1; i < 3 * LAG_DIFFERENCES_MAX; i++)
        buffer_printf(&object, ",\"f%d\":%d", i, i);
    buffer_append_text(&object, "}");
    struct event good = event_of("k", buffer_text(&object));
    struct event at = event_of("k", "{}");
    struct buffer seen = {0};
    lag_differ(&good, &at, add_line, &seen);
    size_t lines = 0;
    for (size_t i = 0; i < seen.length; i++)
        lines += seen.data[i] == '\n' ? 1 : 0;
    assert_int_equal(lines, LAG_DIFFERENCES_MAX);
    assert_non_null(strstr(buffer_text(&seen), "and more"));
    buffer_done(&seen);
    buffer_done(&object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_nothing_of_events_of_one_form),
        cmocka_unit_test(names_fields_that_are_missing_new_or_of_another_kind),
        cmocka_unit_test(names_a_payload_that_is_broken),
        cmocka_unit_test(tells_a_tombstone_and_a_key_that_is_not_there),
        cmocka_unit_test(tells_headers_and_kinds),
        cmocka_unit_test(tells_another_schema),
        cmocka_unit_test(looks_at_one_event_alone),
        cmocka_unit_test(stops_telling_after_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
