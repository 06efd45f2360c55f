/* What of a tape a query can have nothing in. */
#include "base/bytes.h"
#include "base/clock.h"
#include "index/query.h"
#include "tests/support/index_query.h"
#include "tests/support/unit.h"

static void
bounds_follow_the_logic(void **state)
{
    (void)state;
    struct query_bounds bounds;
    struct query *query =
        test_query("since -60s until -10s seq>=5 seq<9 offset in (3, 7) received<now");
    query_bounds(query, &bounds);
    assert_true(bounds.from_ns == QUERY_NOW - 60 * NS_PER_S &&
                bounds.until_ns == QUERY_NOW - 10 * NS_PER_S);
    assert_true(bounds.first_seq == 5 && bounds.last_seq == 8);
    assert_true(bounds.first_offset == 3 && bounds.last_offset == 7);
    assert_true(bounds.received_from_ns == INT64_MIN && bounds.received_until_ns == QUERY_NOW - 1);
    query_free(query);

    query = test_query("not (seq<5 or seq>10) and not seq=7");
    query_bounds(query, &bounds);
    assert_true(bounds.first_seq == 5 && bounds.last_seq == 10);
    query_free(query);

    query = test_query("seq<5 or key=a");
    query_bounds(query, &bounds);
    assert_true(bounds.first_seq == 0 && bounds.last_seq == UINT64_MAX);
    query_free(query);

    query = test_query("seq<5 seq>9");
    query_bounds(query, &bounds);
    assert_true(bounds.first_seq > bounds.last_seq);
    query_free(query);
}

static void
rules_out_lanes(void **state)
{
    (void)state;
    struct query *query = test_query("orders[3]@5 or (stream=other key=a)");
    assert_true(query_may_match_lane(query, &test_orders, 3));
    assert_true(query_may_match_lane(query, &test_orders, -1));
    assert_false(query_may_match_lane(query, &test_orders, 2));
    query_free(query);

    query = test_query("not stream=orders");
    assert_false(query_may_match_lane(query, &test_orders, 0));
    query_free(query);

    query = test_query("not (stream=orders key=a)");
    assert_true(query_may_match_lane(query, &test_orders, 0));
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
        struct query *query = test_query(cases[i].text);
        bool may_match = query_may_match_lanes(query, &test_orders, cases[i].first, cases[i].last);
        if (may_match != cases[i].may_match)
            fail_msg("%s of partitions %d to %d: %d", cases[i].text, cases[i].first, cases[i].last,
                may_match);
        query_free(query);
    }
}

static void
names_required_tokens(void **state)
{
    (void)state;
    struct query_token tokens[4];
    struct query *query = test_query("key=a (header.x=\"\" id!=b) not (trace!=c or type=d) key=e*");
    assert_int_equal(query_required_tokens(query, tokens, 4), 3);
    assert_int_equal(query_required_tokens(query, tokens, 2), 2);
    query_free(query);

    query = test_query("header.x=v");
    assert_int_equal(query_required_tokens(query, tokens, 4), 1);
    assert_string_equal(tokens[0].kind, "header:x");
    assert_true(bytes_equal_text(tokens[0].value, "v"));
    query_free(query);

    query = test_query("key=a or id=b");
    assert_int_equal(query_required_tokens(query, tokens, 4), 0);
    query_free(query);

    query = test_query("key=null correlation~a");
    assert_int_equal(query_required_tokens(query, tokens, 4), 0);
    query_free(query);
}

static void
requires_literal(const char *text, const char *literal)
{
    struct query *query = test_query(text);
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
        cmocka_unit_test(bounds_follow_the_logic),
        cmocka_unit_test(rules_out_lanes),
        cmocka_unit_test(rules_out_ranges_of_lanes),
        cmocka_unit_test(names_required_tokens),
        cmocka_unit_test(names_the_required_literal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
