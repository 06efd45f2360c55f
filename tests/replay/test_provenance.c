#include "base/bytes.h"
#include "index/event.h"
#include "replay/provenance.h"
#include "tests/support/unit.h"

struct named {
    const char *name;
    const char *value; /* NULL: a null value */
};

static struct event
event_with(struct buffer *buffer, const struct named *headers, size_t count)
{
    headers_begin(buffer, count);
    for (size_t i = 0; i < count; i++)
        headers_add(buffer, bytes_of(headers[i].name), bytes_of(headers[i].value));
    return (struct event){.headers = {buffer->data, buffer->length}};
}

static void
finds_the_last_four_headers(void **state)
{
    (void)state;
    const struct named headers[] = {
        {"a", "1"},
        {PROVENANCE_REPLAY, "OLD"},
        {PROVENANCE_SEQ, "3"},
        {PROVENANCE_ORIG, "kafka/a/b/0/1"},
        {PROVENANCE_HOPS, "1"},
        {PROVENANCE_REPLAY, "NEW"},
        {PROVENANCE_SEQ, "42"},
        {PROVENANCE_ORIG, "kafka/shop/orders/3/77"},
        {PROVENANCE_HOPS, "2"},
    };
    struct buffer buffer = {0};
    struct event event = event_with(&buffer, headers, 9);
    struct provenance provenance;
    assert_true(provenance_parse(&event, &provenance));
    assert_true(bytes_equal_text(provenance.replay, "NEW"));
    assert_int_equal(provenance.index, 42);
    assert_int_equal(provenance.own_headers, 5);
    assert_true(bytes_equal_text(provenance.origin, "kafka/shop/orders/3/77"));
    assert_int_equal(provenance_hops(&event), 2);
    buffer_done(&buffer);
}

static void
takes_nothing_else_for_a_replay(void **state)
{
    (void)state;
    const struct named wrong_order[] = {{PROVENANCE_SEQ, "1"}, {PROVENANCE_REPLAY, "X"},
        {PROVENANCE_ORIG, "o"}, {PROVENANCE_HOPS, "1"}};
    const struct named not_a_number[] = {{PROVENANCE_REPLAY, "X"}, {PROVENANCE_SEQ, "1a"},
        {PROVENANCE_ORIG, "o"}, {PROVENANCE_HOPS, "1"}};
    const struct named null_id[] = {{PROVENANCE_REPLAY, NULL}, {PROVENANCE_SEQ, "1"},
        {PROVENANCE_ORIG, "o"}, {PROVENANCE_HOPS, "1"}};
    const struct named not_last[] = {{PROVENANCE_REPLAY, "X"}, {PROVENANCE_SEQ, "1"},
        {PROVENANCE_ORIG, "o"}, {PROVENANCE_HOPS, "1"}, {"b", "2"}};
    const struct {
        const struct named *headers;
        size_t count;
    } cases[] = {{wrong_order, 4}, {not_a_number, 4}, {null_id, 4}, {not_last, 5}, {not_last, 3}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer buffer = {0};
        struct event event = event_with(&buffer, cases[i].headers, cases[i].count);
        struct provenance provenance;
        if (provenance_parse(&event, &provenance))
            fail_msg("case %zu was taken for a replay", i);
        buffer_done(&buffer);
    }
}

static void
counts_a_hop_that_it_cannot_read(void **state)
{
    (void)state;
    const struct named headers[] = {{PROVENANCE_HOPS, "many"}};
    struct buffer buffer = {0};
    struct event event = event_with(&buffer, headers, 1);
    assert_int_equal(provenance_hops(&event), 1);
    struct event none = {0};
    assert_int_equal(provenance_hops(&none), 0);
    buffer_done(&buffer);
}

static void
writes_where_an_event_was_recorded(void **state)
{
    (void)state;
    char tap[] = "shop";
    char name[] = "orders";
    char label[] = "shop/orders";
    const struct stream stream = {.tap = tap, .name = name, .label = label};
    struct event event = {.stream = &stream, .partition = 0, .offset = INT64_MAX};
    struct buffer value = {0};
    provenance_origin(&event, &value);
    assert_string_equal(buffer_text(&value), "kafka/shop/orders/0/9223372036854775807");
    value.length = 0;
    event.offset = 0;
    event.partition = 2147483647;
    event.offset_is_synthetic = true;
    provenance_origin(&event, &value);
    assert_string_equal(buffer_text(&value), "tape/shop/orders/2147483647/0");
    buffer_done(&value);
    char digits[PROVENANCE_DIGITS];
    assert_int_equal(provenance_number(UINT64_MAX, digits), 20);
    assert_memory_equal(digits, "18446744073709551615", 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_last_four_headers),
        cmocka_unit_test(takes_nothing_else_for_a_replay),
        cmocka_unit_test(counts_a_hop_that_it_cannot_read),
        cmocka_unit_test(writes_where_an_event_was_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
