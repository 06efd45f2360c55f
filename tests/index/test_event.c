#include "index/event.h"
#include "index/hole.h"
#include "index/hole_record.h"
#include "index/lanes.h"
#include "index/record.h"
#include "tests/support/unit.h"

static struct event
event_with(const struct buffer *headers)
{
    return (struct event){.headers = bytes_make(headers->data, headers->length)};
}

static void
keeps_header_order_duplicates_and_nulls(void **state)
{
    (void)state;
    struct buffer headers = {0};
    headers_begin(&headers, 4);
    headers_add(&headers, bytes_of("b"), bytes_of("1"));
    headers_add(&headers, bytes_of("a"), BYTES_NULL);
    headers_add(&headers, bytes_of("b"), bytes_of(""));
    headers_add(&headers, bytes_of(""), bytes_of("\xff"));
    assert_true(headers_check(bytes_make(headers.data, headers.length)));

    struct event event = event_with(&headers);
    struct event_header header;
    size_t at = 0;
    assert_true(event_next_header(&event, &at, &header));
    assert_true(bytes_equal_text(header.name, "b") && bytes_equal_text(header.value, "1"));
    assert_true(event_next_header(&event, &at, &header));
    assert_true(bytes_equal_text(header.name, "a") && header.value.data == NULL);
    assert_true(event_next_header(&event, &at, &header));
    assert_true(header.value.data != NULL && header.value.length == 0);
    assert_true(event_next_header(&event, &at, &header));
    assert_true(header.name.length == 0 && header.value.data[0] == 0xff);
    assert_false(event_next_header(&event, &at, &header));

    struct bytes value;
    assert_true(event_find_header(&event, "b", &value));
    assert_true(bytes_equal_text(value, "1"));
    assert_false(event_find_header(&event, "c", &value));
    buffer_done(&headers);
}

static void
no_prefix_of_a_header_list_is_one(void **state)
{
    (void)state;
    struct buffer headers = {0};
    headers_begin(&headers, 2);
    headers_add(&headers, bytes_of("name"), bytes_of("value"));
    headers_add(&headers, bytes_of("x"), BYTES_NULL);
    for (size_t length = 1; length < headers.length; length++)
        assert_false(headers_check(bytes_make(headers.data, length)));
    headers.data[0] = 3;
    assert_false(headers_check(bytes_make(headers.data, headers.length)));
    buffer_done(&headers);
}

static void
finds_what_headers_say_about_an_event(void **state)
{
    (void)state;
    struct buffer headers = {0};
    headers_begin(&headers, 6);
    headers_add(&headers, bytes_of("id"), bytes_of("too common a word"));
    headers_add(&headers, bytes_of("ce_id"), bytes_of("e-1"));
    headers_add(&headers, bytes_of("ce_type"), bytes_of("order.created"));
    headers_add(&headers, bytes_of("X-Correlation-ID"), bytes_of("c-9"));
    headers_add(&headers, bytes_of("trace_id"), bytes_of("other"));
    headers_add(&headers, bytes_of("traceparent"),
        bytes_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    struct event event = event_with(&headers);
    struct event_identity identity;
    event_identify(&event, &identity);
    assert_true(bytes_equal_text(identity.id, "e-1"));
    assert_true(bytes_equal_text(identity.type, "order.created"));
    assert_true(bytes_equal_text(identity.correlation, "c-9"));
    assert_true(bytes_equal_text(identity.trace, "0af7651916cd43dd8448eb211c80319c"));
    buffer_done(&headers);

    event.headers = BYTES_NULL;
    event_identify(&event, &identity);
    assert_null(identity.id.data);
    assert_null(identity.trace.data);
}

static void
records_go_there_and_back(void **state)
{
    (void)state;
    struct record in = {
        .type = RECORD_EVENT,
        .time_ns = INT64_MIN,
        .received_ns = INT64_MAX,
        .position = UINT64_MAX,
        .stream_id = 7,
        .partition = 0xffffffffu,
        .flags = RECORD_FLAG_SYNTHETIC | TIME_APPEND,
        .key = bytes_of(""),
        .headers = BYTES_NULL,
        .payload = BYTES_NULL,
    };
    unsigned char bytes[RECORD_HEADER_BYTES];
    assert_int_equal(record_size(&in), sizeof(bytes));
    record_encode(&in, bytes);
    struct record out;
    size_t at = 0;
    assert_true(record_decode(bytes_make(bytes, sizeof(bytes)), &at, &out));
    assert_int_equal(at, sizeof(bytes));
    assert_true(out.time_ns == in.time_ns && out.received_ns == in.received_ns);
    assert_true(out.position == in.position && out.partition == in.partition);
    assert_int_equal(out.flags, in.flags);
    assert_true(out.key.data != NULL && out.key.length == 0);
    assert_null(out.payload.data);
    for (size_t length = 0; length < sizeof(bytes); length++) {
        at = 0;
        assert_false(record_decode(bytes_make(bytes, length), &at, &out));
    }
}

static void
holes_that_touch_become_one(void **state)
{
    (void)state;
    struct lanes *lanes = lanes_new();
    struct hole hole = {.stream_id = 1, .partition = 2, .from = 5, .to = 5, .reason = 5};
    lanes_add_hole(lanes, &hole);
    lanes_add_hole(lanes, &hole);
    hole.from = hole.to = 6;
    lanes_add_hole(lanes, &hole);
    hole.from = hole.to = 9;
    lanes_add_hole(lanes, &hole);
    const struct lane *lane = lanes_find(lanes, 1, 2);
    assert_int_equal(lane->hole_count, 2);
    assert_int_equal(lane->holes[0].from, 5);
    assert_int_equal(lane->holes[0].to, 6);
    lanes_free(lanes);
}

static void
counts_thousands_of_lanes(void **state)
{
    (void)state;
    struct lanes *half = lanes_new();
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            struct record record = {.stream_id = i / 50,
                .partition = i % 50,
                .position = (uint64_t)round,
                .received_ns = round,
                .time_ns = CLOCK_NONE,
                .payload = bytes_of("xyz")};
            lanes_add_event(half, &record);
        }
    }
    assert_int_equal(lanes_count(half), 5000);
    struct lanes *both = lanes_new();
    lanes_merge(both, half);
    lanes_merge(both, half);
    const struct lane *lane = lanes_find(both, 99, 49);
    assert_int_equal(lane->events, 6);
    assert_int_equal(lane->bytes, 18);
    assert_int_equal(lane->first_offset, 0);
    assert_int_equal(lane->last_offset, 2);
    assert_int_equal(lane->last_ns, 2);
    assert_null(lanes_find(both, 99, 50));
    lanes_free(half);
    lanes_free(both);
}

static void
a_hole_record_that_is_none_is_refused(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    struct hole in = {.stream_id = 3,
        .partition = 1,
        .from = 10,
        .to = -1,
        .reason = HOLE_DROPPED,
        .noticed_ns = 77};
    hole_record_append(&buffer, &in);
    struct record record;
    size_t at = 0;
    assert_true(record_decode(bytes_make(buffer.data, buffer.length), &at, &record));
    assert_int_equal(record.type, RECORD_HOLE);
    struct hole out;
    assert_true(hole_record_read(&record, &out));
    assert_true(out.to == -1 && out.from == 10 && out.noticed_ns == 77);
    assert_string_equal(hole_reason_text(out.reason), "DROPPED");
    record.payload.length--;
    assert_false(hole_record_read(&record, &out));
    buffer_done(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_header_order_duplicates_and_nulls),
        cmocka_unit_test(no_prefix_of_a_header_list_is_one),
        cmocka_unit_test(finds_what_headers_say_about_an_event),
        cmocka_unit_test(records_go_there_and_back),
        cmocka_unit_test(holes_that_touch_become_one),
        cmocka_unit_test(counts_thousands_of_lanes),
        cmocka_unit_test(a_hole_record_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
