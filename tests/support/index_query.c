#include "tests/support/index_query.h"

#include "base/bytes.h"
#include "index/query.h"

static char tap_name[] = "shop";
static char stream_name[] = "orders";
static char stream_label[] = "shop/orders";
const struct stream test_orders = {
    .id = 7, .tap = tap_name, .name = stream_name, .label = stream_label};

struct event
test_order(void)
{
    return (struct event){
        .seq = 1000,
        .received_ns = QUERY_NOW - 50 * NS_PER_S,
        .time_ns = QUERY_NOW - 60 * NS_PER_S,
        .time_type = TIME_CREATE,
        .offset = 42,
        .stream = &test_orders,
        .partition = 3,
        .key = bytes_of("o-417"),
        .payload = bytes_of("{\"amount\":250}"),
    };
}

struct query *
test_query(const char *text)
{
    struct error err;
    struct query *query = query_compile(text, QUERY_NOW, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    return query;
}

bool
test_query_matches(const struct event *event, const char *text)
{
    struct query *query = test_query(text);
    struct query_matcher *matcher = query_matcher_new(query);
    bool first = query_matches(matcher, event);
    bool again = query_matches(matcher, event);
    if (first != again)
        fail_msg("%s: two answers about one event", text);
    query_matcher_free(matcher);
    query_free(query);
    return first;
}

uint64_t
test_query_gave_up(const struct event *event, const char *text)
{
    struct query *query = test_query(text);
    struct query_matcher *matcher = query_matcher_new(query);
    assert_false(query_matches(matcher, event));
    uint64_t count = query_gave_up(matcher);
    query_matcher_free(matcher);
    query_free(query);
    return count;
}
