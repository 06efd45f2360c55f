/* index_query.h - one event, and queries about it, for the tests of queries. */
#ifndef TESTS_SUPPORT_INDEX_QUERY_H
#define TESTS_SUPPORT_INDEX_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "index/event.h"
#include "tests/support/unit.h"

struct query;

/* When the queries are asked: 2026-11-24T14:29:31Z. */
#define QUERY_NOW (INT64_C(1795530571) * NS_PER_S)

/* shop/orders, number 7. */
extern const struct stream test_orders;

/* An order of 60 seconds ago: event 1000, at offset 42 of its partition 3. */
struct event test_order(void);

/* Compile a query; fails the test. */
struct query *test_query(const char *text);

/* True when the event is one that the query means. Asks twice: the answers must be the same. */
bool test_query_matches(const struct event *event, const char *text);

/* On how many values of the event, which does not match, the query gave up. */
uint64_t test_query_gave_up(const struct event *event, const char *text);

#define assert_match(event, text)                 \
    do {                                          \
        if (!test_query_matches(event, text))     \
            fail_msg("does not match: %s", text); \
    } while (0)
#define assert_no_match(event, text)         \
    do {                                     \
        if (test_query_matches(event, text)) \
            fail_msg("matches: %s", text);   \
    } while (0)

#endif
