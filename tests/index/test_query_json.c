/* Members of JSON payloads in queries. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "index/event.h"
#include "tests/support/index_query.h"
#include "tests/support/unit.h"

static struct event
with_json(const char *json)
{
    struct event event = test_order();
    event.payload = bytes_of(json);
    return event;
}

static void
follows_json_paths(void **state)
{
    (void)state;
    struct event event =
        with_json("{\"a\":{\"b\":[10,{\"c "
                  "d\":\"x\"}],\"e.f\":true},\"n\":null,\"\\u0061m\":1,\"o\":{\"k\":[]}}");
    assert_match(&event, "value.a.b[0]=10 value.a.b[1].\"c d\"=x value.a.\"e.f\"=true");
    assert_match(&event, "value.a.e\\.f=true");
    assert_match(&event, "value.n=null value.n exists not value.n=\"null\" value.n!=x");
    assert_match(&event, "value.am=1");
    assert_match(&event, "value.o~\"\\\"k\\\":[]\" value.a.b=\"[10,{\\\"c d\\\":\\\"x\\\"}]\"");
    assert_no_match(&event, "value.a.b[2] exists or value.a.c exists or value.a.b.c exists");
    assert_no_match(&event, "value[0] exists");
    event = with_json("[1,[2,3]]");
    assert_match(&event, "value[1][0]=2");
}

static void
compares_a_missing_member_only_as_different(void **state)
{
    (void)state;
    struct event event = with_json("{\"a\":1}");
    assert_match(&event, "value.b!=1 value.b!=null not value.b exists");
    assert_no_match(&event, "value.b=1 or value.b<1 or value.b>=1 or value.b~1 or value.b=null");
    event = with_json("{\"a\":1");
    assert_match(&event, "value.a!=1");
    assert_no_match(&event, "value.a=1 or value.a exists");
}

static void
compares_json_numbers_as_numbers(void **state)
{
    (void)state;
    struct event event =
        with_json("{\"i\":9,\"r\":100.0,\"t\":0.1,\"s\":\"9\",\"b\":true,\"m\":-3,\"z\":1e2}");
    assert_match(&event, "value.i<10 value.i>8.5 value.i=9.0 value.i=\"9\" value.i<=9");
    assert_match(&event, "value.r=100 value.z=100 value.t=0.1 value.t~0.1 value.t<0.10000001");
    assert_match(&event, "value.m<-2 value.m>-3.5 value.m=-3");
    assert_match(&event, "value.s=9 value.s>10 value.b=true value.b=\"true\" value.i=9*");
    assert_no_match(&event, "value.i=09x or value.i>10 or value.b=1 or value.r=1000");
}

static void
keeps_large_integers_exact(void **state)
{
    (void)state;
    struct event event = with_json("{\"a\":9007199254740993,\"b\":-9223372036854775808}");
    assert_match(&event, "value.a=9007199254740993 value.a>9007199254740992");
    assert_no_match(&event, "value.a=9007199254740992 or value.a=9007199254740994");
    assert_match(&event, "value.b=-9223372036854775808 value.b<-9223372036854775807");
    event = with_json("{\"a\":18446744073709551615,\"b\":9007199254740993,\"c\":1e999,\"s\":\"1e5 "
                      "12345678901234567890\"}");
    assert_match(&event, "value.a=18446744073709551615 value.a>18446744073709551614");
    assert_no_match(&event, "value.a=18446744073709551614");
    assert_match(&event, "value.b=9007199254740993 value.b>9007199254740992 value.c>1e300");
    assert_match(&event, "value.a~6744 value.s=\"1e5 12345678901234567890\"");
}

static void
stays_whole_with_hostile_json(void **state)
{
    (void)state;
    size_t length = (size_t)20 * 1024 * 1024;
    char *text = alloc_zeroed(length);
    struct event event = test_order();
    memset(text, '[', length);
    event.payload = bytes_make(text, length);
    assert_no_match(&event, "value[0] exists");

    event.payload = bytes_make(text, 100000);
    assert_no_match(&event, "value[0] exists");

    struct buffer buffer = {0};
    buffer_append_byte(&buffer, '[');
    while (buffer.length < length)
        buffer_append_text(&buffer, "{},");
    event.payload = bytes_make(buffer.data, buffer.length);
    assert_no_match(&event, "value[0] exists");

    memset(text, 'x', length);
    buffer.length = 0;
    buffer_append_text(&buffer, "{\"a\":\"");
    buffer_append(&buffer, text, length);
    buffer_append_text(&buffer, "y\",\"end\":7}\n");
    event.payload = bytes_make(buffer.data, buffer.length);
    assert_match(&event, "value.end=7 value.a~xy");
    buffer_done(&buffer);
    free(text);
}

/* `begin`, and then `count` empty lists: a quarter of a kilobyte each, once parsed. */
static struct event
with_lists(struct buffer *payload, const char *begin, size_t count)
{
    payload->length = 0;
    buffer_append_text(payload, begin);
    for (size_t i = 0; i < count; i++)
        buffer_append_text(payload, "[],");
    buffer_append_text(payload, "1]}");
    struct event event = test_order();
    event.payload = bytes_make(payload->data, payload->length);
    return event;
}

static void
counts_the_payloads_that_it_does_not_look_into(void **state)
{
    (void)state;
    struct buffer payload = {0};
    struct event event = with_lists(&payload, " {\"a\":[", (size_t)1 << 20);
    assert_int_equal(test_query_gave_up(&event, "value.a[0]=x value.a[1]=x"), 1);
    assert_int_equal(test_query_gave_up(&event, "value.a[0]=x or value.a[1]=x"), 1);
    assert_int_equal(test_query_gave_up(&event, "value.b=x"), 0); /* no such name in it */
    event = with_lists(&payload, "no JSON \"a\":[", (size_t)1 << 20);
    assert_int_equal(test_query_gave_up(&event, "value.a[0]=x"), 0);
    event = with_lists(&payload, "{\"a\":[", 1000);
    assert_int_equal(test_query_gave_up(&event, "value.a[0]=x"), 0);

    payload.length = 0;
    buffer_append_text(&payload, "{\"a\":");
    for (size_t i = 0; i < 3000; i++)
        buffer_append_text(&payload, "[");
    event.payload = bytes_make(payload.data, payload.length);
    assert_int_equal(test_query_gave_up(&event, "value.a=x"), 1);
    buffer_done(&payload);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_json_paths),
        cmocka_unit_test(compares_a_missing_member_only_as_different),
        cmocka_unit_test(compares_json_numbers_as_numbers),
        cmocka_unit_test(keeps_large_integers_exact),
        cmocka_unit_test(counts_the_payloads_that_it_does_not_look_into),
        cmocka_unit_test(stays_whole_with_hostile_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
