/* Patterns over large values, and what they cost. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "index/event.h"
#include "index/query.h"
#include "tests/support/index_query.h"
#include "tests/support/unit.h"

static void
goes_over_large_payloads_with_patterns(void **state)
{
    (void)state;
    struct event event = test_order();
    size_t length = (size_t)6 * 1024 * 1024;
    char *text = alloc_zeroed(length);
    memset(text, 'x', length);
    text[10] = 'a';
    text[11] = 'b';
    event.payload = bytes_make(text, length);
    assert_match(&event, "payload~/a.*b*x/ payload~/a.*b/");
    free(text);
}

static void
counts_the_values_that_a_pattern_gave_up_on(void **state)
{
    (void)state;
    struct event event = test_order();
    char *text = alloc_zeroed(2001);
    memset(text, 'a', 2000);
    event.payload = bytes_make(text, 2000);
    assert_int_equal(test_query_gave_up(&event, "payload~/^(?:(?:a|aa)+)+[bc]/"), 1);
    assert_int_equal(test_query_gave_up(&event, "payload~/[bc]/"), 0);
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
    struct query *query = query_compile(text, QUERY_NOW, NULL, &err);
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
    struct event event = test_order();
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
    struct query *query = query_compile(text, QUERY_NOW, NULL, &err);
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
    struct event event = test_order();
    event.payload = bytes_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(effort(&event, "payload~/(?:a|aa)[bc]/"), 0);
    assert_true(effort(&event, "payload~/^(?:(?:a|aa)+)+[bc]/") >= 5000);
}

static void
survives_an_explosive_pattern(void **state)
{
    (void)state;
    struct event event = test_order();
    char *text = alloc_zeroed(20001);
    memset(text, 'a', 20000);
    event.payload = bytes_make(text, 20000);
    assert_no_match(&event, "payload~/^(a+)+$b/");
    assert_no_match(&event, "payload~/^(?:(?:a|aa)+)+b/");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_over_large_payloads_with_patterns),
        cmocka_unit_test(survives_an_explosive_pattern),
        cmocka_unit_test(counts_the_values_that_a_pattern_gave_up_on),
        cmocka_unit_test(stops_within_a_value),
        cmocka_unit_test(counts_what_an_explosive_pattern_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
