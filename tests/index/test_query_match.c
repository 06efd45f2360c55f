/* What a query means: one event at a time. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"
#include "index/query.h"
#include "tests/support/unit.h"

#define NOW (INT64_C(1795530571) * NS_PER_S) /* 2026-11-24T14:29:31Z */

static char tap_name[] = "shop";
static char stream_name[] = "orders";
static char stream_label[] = "shop/orders";
static const struct stream stream = {
    .id = 7, .tap = tap_name, .name = stream_name, .label = stream_label};

/* An order of 60 seconds ago. */
static struct event
order(void)
{
    return (struct event){
        .seq = 1000,
        .received_ns = NOW - 50 * NS_PER_S,
        .time_ns = NOW - 60 * NS_PER_S,
        .time_type = TIME_CREATE,
        .offset = 42,
        .stream = &stream,
        .partition = 3,
        .key = bytes_of("o-417"),
        .payload = bytes_of("{\"amount\":250}"),
    };
}

static bool
matches(const struct event *event, const char *text)
{
    struct error err;
    struct query *query = query_compile(text, NOW, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    struct query_matcher *matcher = query_matcher_new(query);
    bool first = query_matches(matcher, event);
    bool again = query_matches(matcher, event);
    if (first != again)
        fail_msg("%s: two answers about one event", text);
    query_matcher_free(matcher);
    query_free(query);
    return first;
}

#define assert_match(event, text)                 \
    do {                                          \
        if (!matches(event, text))                \
            fail_msg("does not match: %s", text); \
    } while (0)
#define assert_no_match(event, text)       \
    do {                                   \
        if (matches(event, text))          \
            fail_msg("matches: %s", text); \
    } while (0)

static void
matches_everything_when_it_says_nothing(void **state)
{
    (void)state;
    struct event event = order();
    assert_match(&event, "");
    assert_true(matches(&event, NULL));
}

static void
compares_whole_numbers(void **state)
{
    (void)state;
    struct event event = order();
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
    struct event event = order();
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
    struct event event = order();
    assert_match(&event, "orders[3]");
    assert_match(&event, "shop/orders[3]@42");
    assert_match(&event, "orders[3]@42..42 orders[3]@0..42 orders[3]@42..99");
    assert_no_match(&event, "orders[3]@43..99 or orders[3]@0..41 or orders[2]@42 or other[3]@42");
}

static void
binds_and_tighter_than_or(void **state)
{
    (void)state;
    struct event event = order();
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
    struct event event = order();
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
    struct event event = order();
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
    struct event event = order();
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
    struct event event = order();
    event.payload = bytes_of("card Declined by /bank/3");
    assert_match(&event, "Declined");
    assert_match(&event, "\"card Declined\" payload~Declined");
    assert_no_match(&event, "declined");
    assert_match(&event, "payload~/declined/i payload~/^card .* by \\/bank\\/\\d$/");
    assert_no_match(&event, "payload~/declined/");
    assert_match(&event, "payload~bank/3 /bank/");
    assert_no_match(&event, "payload~\"/bank\\\\/\"");
}

static void
goes_over_large_payloads_with_patterns(void **state)
{
    (void)state;
    struct event event = order();
    size_t length = (size_t)6 * 1024 * 1024;
    char *text = alloc_zeroed(length);
    memset(text, 'x', length);
    text[10] = 'a';
    text[11] = 'b';
    event.payload = bytes_make(text, length);
    assert_match(&event, "payload~/a.*b*x/ payload~/a.*b/");
    free(text);
}

static uint64_t
gave_up(const struct event *event, const char *text)
{
    struct error err;
    struct query *query = query_compile(text, NOW, NULL, &err);
    assert_non_null(query);
    struct query_matcher *matcher = query_matcher_new(query);
    assert_false(query_matches(matcher, event));
    uint64_t count = query_gave_up(matcher);
    query_matcher_free(matcher);
    query_free(query);
    return count;
}

static void
counts_the_values_that_a_pattern_gave_up_on(void **state)
{
    (void)state;
    struct event event = order();
    char *text = alloc_zeroed(2001);
    memset(text, 'a', 2000);
    event.payload = bytes_make(text, 2000);
    assert_int_equal(gave_up(&event, "payload~/^(?:(?:a|aa)+)+[bc]/"), 1);
    assert_int_equal(gave_up(&event, "payload~/[bc]/"), 0);
    free(text);
}

/* Says yes when it is asked the n-th time, and counts how often it is. */
struct stopper {
    unsigned asked;
    unsigned yes_from;
};

static bool
must_stop(void *self)
{
    struct stopper *stopper = self;
    return ++stopper->asked >= stopper->yes_from;
}

static void
expect_stop(const struct event *event, const char *text, unsigned yes_from)
{
    struct error err;
    struct stopper stopper = {0, yes_from};
    struct query *query = query_compile(text, NOW, NULL, &err);
    assert_non_null(query);
    struct query_matcher *matcher = query_matcher_new(query);
    query_matcher_stop_when(matcher, must_stop, &stopper);
    assert_false(query_matches(matcher, event));
    assert_int_equal(stopper.asked, yes_from);
    query_matcher_free(matcher);
    query_free(query);
}

/* Machine code is stopped before it has all of its steps, and the interpreter, which goes on where the machine code's stack
 * does not do, at any of them. */
static void
stops_within_a_value(void **state)
{
    (void)state;
    struct event event = order();
    char *text = alloc_zeroed(100001);
    memset(text, 'a', 100000);
    event.payload = bytes_make(text, 40);
    expect_stop(&event, "payload~/^(?:(?:a|aa)+)+[bc]/", 1);
    event.payload = bytes_make(text, 100000);
    expect_stop(&event, "payload~/^(?:(?:a|aa)+)+[bc]/", 1000);
    expect_stop(&event, "payload~/^(?:(?:a|aa)+)+[bc]/", 20000);
    free(text);
}

static uint64_t
effort(const struct event *event, const char *text)
{
    struct error err;
    struct query *query = query_compile(text, NOW, NULL, &err);
    assert_non_null(query);
    struct query_matcher *matcher = query_matcher_new(query);
    assert_false(query_matches(matcher, event));
    uint64_t total = query_effort(matcher);
    query_matcher_free(matcher);
    query_free(query);
    return total;
}

static void
counts_what_an_explosive_pattern_costs(void **state)
{
    (void)state;
    struct event event = order();
    event.payload = bytes_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(effort(&event, "payload~/(?:a|aa)[bc]/"), 0);
    assert_true(effort(&event, "payload~/^(?:(?:a|aa)+)+[bc]/") >= 5000);
}

static void
survives_an_explosive_pattern(void **state)
{
    (void)state;
    struct event event = order();
    char *text = alloc_zeroed(20001);
    memset(text, 'a', 20000);
    event.payload = bytes_make(text, 20000);
    assert_no_match(&event, "payload~/^(a+)+$b/");
    assert_no_match(&event, "payload~/^(?:(?:a|aa)+)+b/");
    free(text);
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
    struct event event = order();
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
    struct event event = order();
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
    struct event event = order();
    assert_match(&event, "since -60s until -60s");
    assert_match(&event, "since 14:28:31 until 2026-11-24T14:28:31Z");
    assert_no_match(&event, "since -59s or until -61s");
    assert_match(&event, "received=14:28:41 received>-51s time<now time exists");
    event.time_ns = CLOCK_NONE;
    event.time_type = TIME_NONE;
    assert_match(&event, "time=14:28:41 not time exists since -50s");
    assert_no_match(&event, "until -51s");
}

static struct event
with_json(const char *json)
{
    struct event event = order();
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
    struct event event = order();
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

static struct query *
compile(const char *text)
{
    struct error err;
    struct query *query = query_compile(text, NOW, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    return query;
}

static void
bounds_follow_the_logic(void **state)
{
    (void)state;
    struct query_bounds bounds;
    struct query *query =
        compile("since -60s until -10s seq>=5 seq<9 offset in (3, 7) received<now");
    query_bounds(query, &bounds);
    assert_true(bounds.from_ns == NOW - 60 * NS_PER_S && bounds.until_ns == NOW - 10 * NS_PER_S);
    assert_true(bounds.first_seq == 5 && bounds.last_seq == 8);
    assert_true(bounds.first_offset == 3 && bounds.last_offset == 7);
    assert_true(bounds.received_from_ns == INT64_MIN && bounds.received_until_ns == NOW - 1);
    query_free(query);

    query = compile("not (seq<5 or seq>10) and not seq=7");
    query_bounds(query, &bounds);
    assert_true(bounds.first_seq == 5 && bounds.last_seq == 10);
    query_free(query);

    query = compile("seq<5 or key=a");
    query_bounds(query, &bounds);
    assert_true(bounds.first_seq == 0 && bounds.last_seq == UINT64_MAX);
    query_free(query);

    query = compile("seq<5 seq>9");
    query_bounds(query, &bounds);
    assert_true(bounds.first_seq > bounds.last_seq);
    query_free(query);
}

static void
rules_out_lanes(void **state)
{
    (void)state;
    struct query *query = compile("orders[3]@5 or (stream=other key=a)");
    assert_true(query_may_match_lane(query, &stream, 3));
    assert_true(query_may_match_lane(query, &stream, -1));
    assert_false(query_may_match_lane(query, &stream, 2));
    query_free(query);

    query = compile("not stream=orders");
    assert_false(query_may_match_lane(query, &stream, 0));
    query_free(query);

    query = compile("not (stream=orders key=a)");
    assert_true(query_may_match_lane(query, &stream, 0));
    query_free(query);
}

static void
rules_out_ranges_of_lanes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t first;
        int32_t last;
        bool may_match;
    } cases[] = {
        {"partition=3", 2, 4, true}, {"partition=3", 3, 5, true}, {"partition=3", 0, 2, false},
        {"partition=3", 4, INT32_MAX, false}, {"partition=3", -1, -1, true},
        {"partition!=3", 2, 4, true}, {"partition!=3", 3, 3, false},
        {"not partition!=3", 0, 2, false}, {"not partition!=3", 0, 3, true},
        {"partition in (1, 9)", 2, 8, false}, {"partition in (1, 9)", 2, 9, true},
        {"partition>=\"3\"", 0, 3, true}, {"not partition>=\"3\"", 3, 9, false},
        {"not partition>=\"3\"", 2, 9, true}, {"stream=other", 0, INT32_MAX, false},
        {"stream=other or partition=3", 2, 4, true},
        {"partition=3", 5, 2, true}, /* such as no writer puts there: nothing is known */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct query *query = compile(cases[i].text);
        bool may_match = query_may_match_lanes(query, &stream, cases[i].first, cases[i].last);
        if (may_match != cases[i].may_match)
            fail_msg("%s of partitions %d to %d: %d", cases[i].text, cases[i].first, cases[i].last,
                may_match);
        query_free(query);
    }
}

static void
looks_at_internal_streams_only_when_one_is_named(void **state)
{
    (void)state;
    static char name[] = "@lag";
    static char label[] = "shop/@lag";
    static const struct stream internal = {.id = 8, .tap = tap_name, .name = name, .label = label};
    struct event event = order();
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

    struct query *query = compile("tap=shop");
    assert_false(query_may_match_lane(query, &internal, 0));
    query_free(query);
    query = compile("stream=@lag or key=a");
    assert_true(query_may_match_lane(query, &internal, 0));
    query_free(query);
}

static void
names_required_tokens(void **state)
{
    (void)state;
    struct query_token tokens[4];
    struct query *query = compile("key=a (header.x=\"\" id!=b) not (trace!=c or type=d) key=e*");
    assert_int_equal(query_required_tokens(query, tokens, 4), 3);
    assert_int_equal(query_required_tokens(query, tokens, 2), 2);
    query_free(query);

    query = compile("header.x=v");
    assert_int_equal(query_required_tokens(query, tokens, 4), 1);
    assert_string_equal(tokens[0].kind, "header:x");
    assert_true(bytes_equal_text(tokens[0].value, "v"));
    query_free(query);

    query = compile("key=a or id=b");
    assert_int_equal(query_required_tokens(query, tokens, 4), 0);
    query_free(query);

    query = compile("key=null correlation~a");
    assert_int_equal(query_required_tokens(query, tokens, 4), 0);
    query_free(query);
}

static void
requires_literal(const char *text, const char *literal)
{
    struct query *query = compile(text);
    struct bytes found = query_required_literal(query);
    if (!bytes_equal(found, bytes_of(literal)))
        fail_msg("%s: literal '%.*s'", text, (int)found.length, (const char *)found.data);
    query_free(query);
}

static void
names_the_required_literal(void **state)
{
    (void)state;
    requires_literal("declined", "declined");
    requires_literal("abc longer", "longer");
    requires_literal("payload=ab*cdef*g", "cdef");
    requires_literal("payload~/abc+de*fgh\\.x?yz/", "abc");
    requires_literal("payload~/abcd*/", "abc");
    requires_literal("payload~/abc/i", NULL);
    requires_literal("payload~/abc|def/", NULL);
    requires_literal("payload~/\\x41bcd/", NULL);
    requires_literal("ab", NULL);
    requires_literal("abc or def", NULL);
    requires_literal("not abc", NULL);
    requires_literal("value.amount=5", NULL);
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
        cmocka_unit_test(goes_over_large_payloads_with_patterns),
        cmocka_unit_test(survives_an_explosive_pattern),
        cmocka_unit_test(counts_the_values_that_a_pattern_gave_up_on),
        cmocka_unit_test(stops_within_a_value),
        cmocka_unit_test(counts_what_an_explosive_pattern_costs),
        cmocka_unit_test(any_header_of_the_name_may_match),
        cmocka_unit_test(knows_missing_null_and_empty_headers),
        cmocka_unit_test(orders_numeric_text_by_number),
        cmocka_unit_test(asks_for_identities),
        cmocka_unit_test(compares_times),
        cmocka_unit_test(follows_json_paths),
        cmocka_unit_test(compares_a_missing_member_only_as_different),
        cmocka_unit_test(compares_json_numbers_as_numbers),
        cmocka_unit_test(keeps_large_integers_exact),
        cmocka_unit_test(stays_whole_with_hostile_json),
        cmocka_unit_test(bounds_follow_the_logic),
        cmocka_unit_test(rules_out_lanes),
        cmocka_unit_test(rules_out_ranges_of_lanes),
        cmocka_unit_test(looks_at_internal_streams_only_when_one_is_named),
        cmocka_unit_test(names_required_tokens),
        cmocka_unit_test(names_the_required_literal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
