/* What a query means: one event at a time. */
#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"
#include "index/query.h"
#include "tests/support/index_query.h"
#include "tests/support/unit.h"

static void
matches_everything_when_it_says_nothing(void **state)
{
    (void)state;
    struct event event = test_order();
    assert_match(&event, "");
    assert_true(test_query_matches(&event, NULL));
}

static void
compares_whole_numbers(void **state)
{
    (void)state;
    struct event event = test_order();
    assert_match(&event, "offset=42 partition=3 seq=1000");
    assert_match(&event, "offset!=41 offset<43 offset<=42 offset>41 offset>=42");
    assert_no_match(&event, "offset!=42 or offset<42 or offset<=41 or offset>42 or offset>=43");
    assert_match(&event, "size=19");
    assert_match(&event, "partition in (1, 3) seq exists");
    assert_no_match(&event, "partition in (1, 2)");
    event.seq = UINT64_MAX;
    assert_match(&event, "seq=18446744073709551615");
    assert_no_match(&event, "seq=18446744073709551614");
}

static void
finds_streams_by_name_and_label(void **state)
{
    (void)state;
    struct event event = test_order();
    assert_match(&event, "stream=orders");
    assert_match(&event, "stream=shop/orders");
    assert_match(&event, "stream=ord* stream=shop/* stream~/^o.*s$/ tap=shop");
    assert_no_match(&event, "stream=order");
    assert_no_match(&event, "stream!=orders");
    assert_no_match(&event, "tap=orders");
}

static void
selects_lanes_and_ranges(void **state)
{
    (void)state;
    struct event event = test_order();
    assert_match(&event, "orders[3]");
    assert_match(&event, "shop/orders[3]@42");
    assert_match(&event, "orders[3]@42..42 orders[3]@0..42 orders[3]@42..99");
    assert_no_match(&event, "orders[3]@43..99 or orders[3]@0..41 or orders[2]@42 or other[3]@42");
}

static void
binds_and_tighter_than_or(void **state)
{
    (void)state;
    struct event event = test_order();
    assert_match(&event, "seq=1000 or seq=1 seq=2");
    assert_match(&event, "seq=1 and seq=2 or seq=1000");
    assert_no_match(&event, "(seq=1000 or seq=1) seq=2");
    assert_match(&event, "not seq=1 seq=1000");
    assert_no_match(&event, "not (seq=1 or seq=1000)");
    assert_match(&event, "not not seq=1000");
    assert_match(&event, "NOT seq=1 AND (seq=2 OR seq=1000)");
}

static void
knows_null_from_empty(void **state)
{
    (void)state;
    struct event event = test_order();
    event.key = BYTES_NULL;
    assert_match(&event, "key=null not key exists key!=x key!=\"\"");
    assert_no_match(&event, "key=\"\" or key~\"\" or key<z or key=* or key=\"null\"");
    event.key = bytes_of("");
    assert_match(&event, "key=\"\" key exists key!=null key~\"\" key=* key<a");
    assert_no_match(&event, "key=null");
    event.key = bytes_of("null");
    assert_match(&event, "key=\"null\" key~null key in (\"null\")");
    assert_no_match(&event, "key=null or key in (null, a)");
    event.payload = BYTES_NULL;
    assert_match(&event, "payload=null");
    assert_no_match(&event, "payload exists or anything or value.a exists");
}

static void
matches_globs(void **state)
{
    (void)state;
    struct event event = test_order();
    event.key = bytes_of("order.created.v2");
    assert_match(&event, "key=* key=order.* key=*.v2 key=*created* key=o*r*.*2 key=order**v2");
    assert_no_match(&event, "key=order or key=*.v1 or key=*x* or key=created*");
    assert_no_match(&event, "key=order.created.v2*v2");
    assert_no_match(&event, "key=\"order.*\"");
    event.key = bytes_of("a*b\\c");
    assert_match(&event, "key=a\\*b\\\\c key=\"a*b\\\\c\" key=a\\**");
    event.key = bytes_of("axb");
    assert_no_match(&event, "key=a\\*b");
    event.key = bytes_of("aa");
    assert_no_match(&event, "key=aa*a");
}

static void
finds_binary_values(void **state)
{
    (void)state;
    struct event event = test_order();
    event.key = bytes_make("\x00\xff\x01z", 4);
    event.payload = bytes_make("ab\x00\xfe\xff\n\xc3", 7);
    assert_match(&event, "key=\"\\x00\\xff\\x01z\" key=\"\\0\\377\\1z\" key=*z");
    assert_no_match(&event, "key=\"\\x00\\xff\\x01\"");
    assert_match(&event, "payload~\"b\\x00\\xFE\" \"\\xff\\n\\xc3\"");
    assert_match(&event, "payload~/b\\x00[\\xf0-\\xff]+\\n/");
    event.key = bytes_of("\xe2\x82\xac");
    assert_match(&event, "key=\"\\u20ac\" key=\xe2\x82\xac");
}

static void
contains_text_and_regular_expressions(void **state)
{
    (void)state;
    struct event event = test_order();
    event.payload = bytes_of("card Declined by /bank/3");
    assert_match(&event, "Declined");
    assert_match(&event, "\"card Declined\" payload~Declined");
    assert_no_match(&event, "declined");
    assert_match(&event, "payload~/declined/i payload~/^card .* by \\/bank\\/\\d$/");
    assert_no_match(&event, "payload~/declined/");
    assert_match(&event, "payload~bank/3 /bank/");
    assert_no_match(&event, "payload~\"/bank\\\\/\"");
}

static struct event
with_headers(struct buffer *buffer)
{
    headers_begin(buffer, 6);
    headers_add(buffer, bytes_of("source"), bytes_of("test"));
    headers_add(buffer, bytes_of("source"), bytes_of("live"));
    headers_add(buffer, bytes_of("empty"), bytes_of(""));
    headers_add(buffer, bytes_of("none"), BYTES_NULL);
    headers_add(buffer, bytes_of("a name"), bytes_of("9"));
    headers_add(buffer, bytes_of("x-tapedeck-replay"), bytes_of("r1"));
    struct event event = test_order();
    event.headers = bytes_make(buffer->data, buffer->length);
    return event;
}

static void
any_header_of_the_name_may_match(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    struct event event = with_headers(&buffer);
    assert_match(&event, "header.source=test header.source=live header.source~/^l/");
    assert_no_match(&event, "header.source!=test or header.source!=live");
    assert_match(&event, "header.source!=other header.missing!=other");
    assert_no_match(&event, "header.Source=test");
    assert_match(&event, "header.source in (x, live)");
    buffer_done(&buffer);
}

static void
knows_missing_null_and_empty_headers(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    struct event event = with_headers(&buffer);
    assert_match(&event, "header.empty=\"\" header.empty exists header.empty!=null");
    assert_match(&event, "header.none=null header.none exists header.none!=\"\"");
    assert_no_match(&event, "header.missing=null or header.missing exists or header.missing=\"\"");
    assert_match(&event, "replayed=true replayed!=false");
    event.headers = BYTES_NULL;
    assert_match(&event, "replayed=false");
    buffer_done(&buffer);
}

static void
orders_numeric_text_by_number(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    struct event event = with_headers(&buffer);
    assert_match(&event, "header.\"a name\"<10 header.\"a name\">\"10\" header.\"a name\"=9");
    assert_no_match(&event, "header.\"a name\"=9.0");
    event.key = bytes_of("-3.5");
    assert_match(&event, "key<-3 key>-4 key>=-3.50");
    event.key = bytes_of("abc");
    assert_match(&event, "key>10 key<abd key>=abc key>ab");
    buffer_done(&buffer);
}

static void
asks_for_identities(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    headers_begin(&buffer, 4);
    headers_add(&buffer, bytes_of("ce_id"), bytes_of("e-1"));
    headers_add(&buffer, bytes_of("ce_type"), bytes_of("order.retry"));
    headers_add(&buffer, bytes_of("correlation-id"), bytes_of("c-9"));
    headers_add(&buffer, bytes_of("traceparent"),
        bytes_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    struct event event = test_order();
    assert_match(&event, "id=null type!=x not trace exists");
    event.headers = bytes_make(buffer.data, buffer.length);
    assert_match(&event, "id=e-1 type=*.retry correlation=c-9");
    assert_match(&event, "trace=4bf92f3577b34da6a3ce929d0e0e4736");
    assert_no_match(&event, "id=e-2 or type=*.created or trace=null");
    buffer_done(&buffer);
}

static void
compares_times(void **state)
{
    (void)state;
    struct event event = test_order();
    assert_match(&event, "since -60s until -60s");
    assert_match(&event, "since 14:28:31 until 2026-11-24T14:28:31Z");
    assert_no_match(&event, "since -59s or until -61s");
    assert_match(&event, "received=14:28:41 received>-51s time<now time exists");
    event.time_ns = CLOCK_NONE;
    event.time_type = TIME_NONE;
    assert_match(&event, "time=14:28:41 not time exists since -50s");
    assert_no_match(&event, "until -51s");
}

static void
looks_at_internal_streams_only_when_one_is_named(void **state)
{
    (void)state;
    static char tap[] = "shop";
    static char name[] = "@lag";
    static char label[] = "shop/@lag";
    static const struct stream internal = {.id = 8, .tap = tap, .name = name, .label = label};
    struct event event = test_order();
    event.stream = &internal;
    event.partition = 0;

    assert_no_match(&event, "");
    assert_no_match(&event, "tap=shop");
    assert_no_match(&event, "stream=*");
    assert_no_match(&event, "not stream=orders");
    assert_no_match(&event, "stream!=@taps");
    assert_no_match(&event, "not stream=@taps");
    assert_no_match(&event, "key=o-417 or stream=orders");
    assert_match(&event, "stream=@lag");
    assert_match(&event, "stream=shop/@lag key=o-417");
    assert_match(&event, "stream=@*");
    assert_match(&event, "stream in (orders, @lag)");
    assert_match(&event, "@lag[0]@42");
    assert_no_match(&event, "stream=@taps");

    struct query *query = test_query("tap=shop");
    assert_false(query_may_match_lane(query, &internal, 0));
    query_free(query);
    query = test_query("stream=@lag or key=a");
    assert_true(query_may_match_lane(query, &internal, 0));
    query_free(query);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_everything_when_it_says_nothing),
        cmocka_unit_test(compares_whole_numbers),
        cmocka_unit_test(finds_streams_by_name_and_label),
        cmocka_unit_test(selects_lanes_and_ranges),
        cmocka_unit_test(binds_and_tighter_than_or),
        cmocka_unit_test(knows_null_from_empty),
        cmocka_unit_test(matches_globs),
        cmocka_unit_test(finds_binary_values),
        cmocka_unit_test(contains_text_and_regular_expressions),
        cmocka_unit_test(any_header_of_the_name_may_match),
        cmocka_unit_test(knows_missing_null_and_empty_headers),
        cmocka_unit_test(orders_numeric_text_by_number),
        cmocka_unit_test(asks_for_identities),
        cmocka_unit_test(compares_times),
        cmocka_unit_test(looks_at_internal_streams_only_when_one_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
