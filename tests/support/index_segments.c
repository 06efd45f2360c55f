#include "tests/support/index_segments.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "index/event.h"
#include "index/segment.h"
#include "tests/support/unit.h"

void
test_records_add(struct test_records *records, const struct record *record)
{
    records->places = alloc_grow(
        records->places, records->count + 1, &records->capacity, sizeof(*records->places));
    records->places[records->count++] = records->bytes.length;
    size_t size = record_size(record);
    record_encode(record, buffer_reserve(&records->bytes, size));
    records->bytes.length += size;
    records->places[records->count] = records->bytes.length;
}

void
test_records_done(struct test_records *records)
{
    buffer_done(&records->bytes);
    free(records->places);
}

struct bytes
test_records_at(const struct test_records *records, size_t i)
{
    return bytes_make(
        records->bytes.data + records->places[i], records->places[i + 1] - records->places[i]);
}

uint64_t
test_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

/* Null, empty, or up to `most` bytes of anything; in `room`. */
static struct bytes
random_bytes(uint64_t *state, unsigned char *room, size_t most)
{
    uint64_t kind = test_random(state) % 8;
    if (kind == 0)
        return BYTES_NULL;
    if (kind == 1)
        return bytes_make(room, 0);
    size_t length = (size_t)(test_random(state) % most);
    for (size_t i = 0; i < length; i++)
        room[i] = (unsigned char)(kind < 4 ? 'a' + test_random(state) % 26 : test_random(state));
    return bytes_make(room, length);
}

static const char *const odd_values[] = {
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0z",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "F81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf!",
    "0123456789abcdef0123456789abcdef",
    "0123456789abcdeF0123456789abcdef",
    "0123456789abcdef",
    "0123456789abcde:",
    "",
    "plain",
};

static const char *const odd_names[] = {
    "traceparent", "ce_id", "x-correlation-id", "Trace-Id", "kind", "", "a", "id"};

static struct bytes
random_headers(uint64_t *state, struct buffer *buffer, unsigned char *room)
{
    uint64_t kind = test_random(state) % 16;
    if (kind == 0)
        return bytes_make(room, 0);
    if (kind == 1) { /* no list at all */
        struct bytes any = random_bytes(state, room, 40);
        return any.data == NULL ? bytes_make(room, 0) : any;
    }
    size_t count = (size_t)(test_random(state) % 5 + 1);
    headers_begin(buffer, count);
    for (size_t i = 0; i < count; i++) {
        struct bytes name = bytes_of(odd_names[test_random(state) % 8]);
        struct bytes value = bytes_of(odd_values[test_random(state) % 14]);
        if (test_random(state) % 4 == 0)
            value = random_bytes(state, room, 300);
        headers_add(buffer, name, value);
    }
    if (kind == 2 && buffer->data[0] < 0x40) { /* the count in two bytes: right, but not shortest */
        unsigned char first = buffer->data[0];
        (void)buffer_reserve(buffer, 1);
        memmove(buffer->data + 1, buffer->data, buffer->length++);
        buffer->data[0] = first | 0x80;
        buffer->data[1] = 0;
    }
    return bytes_make(buffer->data, buffer->length);
}

static int64_t
random_moment(uint64_t *state)
{
    switch (test_random(state) % 8) {
    case 0:
        return INT64_MIN;
    case 1:
        return INT64_MAX;
    case 2:
        return -(int64_t)(test_random(state) % 1000000);
    case 3:
        return (int64_t)(test_random(state) % 1000) * INT64_C(1000000);
    default:
        return INT64_C(1795000000000000000) + (int64_t)(test_random(state) % 1000000000);
    }
}

void
test_records_add_random(struct test_records *records, uint64_t *state)
{
    static const uint64_t offsets[] = {
        0, 1, 7, 7, INT64_MAX, INT64_MAX - 1, UINT64_MAX, UINT64_C(1) << 63};
    unsigned char key[64];
    unsigned char payload[400];
    unsigned char value[300];
    struct buffer headers = {0};
    struct record record = {
        .type = RECORD_EVENT,
        .time_ns = random_moment(state),
        .received_ns = random_moment(state),
        .position = test_random(state) % 2 == 0 ? offsets[test_random(state) % 8]
                                                : test_random(state) % 5000,
        .stream_id = (uint32_t)(test_random(state) % 5),
        .partition = test_random(state) % 16 == 0 ? UINT32_MAX : (uint32_t)(test_random(state) % 7),
        .flags = (uint32_t)(test_random(state) % 8 == 0 ? test_random(state) & 0xffffff
                                                        : test_random(state) % 7),
    };
    record.key = random_bytes(state, key, sizeof(key));
    record.payload = random_bytes(state, payload, sizeof(payload));
    record.headers = random_headers(state, &headers, value);
    test_records_add(records, &record);
    buffer_done(&headers);
}

void
test_records_add_usual(struct test_records *records, uint32_t stream_id, uint32_t partition,
    int64_t offset, unsigned number)
{
    struct buffer key = {0};
    struct buffer text = {0};
    struct buffer headers = {0};
    buffer_printf(&text, "or-%06u", number % 500);
    buffer_append(&key, text.data, text.length);
    headers_begin(&headers, 2);
    text.length = 0;
    buffer_printf(&text, "00-%08x000000000000000000000abc-00000000%08x-01", number / 3, number);
    headers_add(&headers, bytes_of("traceparent"), bytes_make(text.data, text.length));
    text.length = 0;
    buffer_printf(&text, "%08x-1111-4222-8333-444455556666", number);
    headers_add(&headers, bytes_of("ce_id"), bytes_make(text.data, text.length));
    text.length = 0;
    buffer_printf(
        &text, "{\"type\":\"order.created\",\"number\":%u,\"note\":\"leave at door\"}", number);
    struct record record = {
        .type = RECORD_EVENT,
        .time_ns = INT64_C(1795000000000000000) + (int64_t)number * 1000000,
        .received_ns = INT64_C(1795000000004000000) + (int64_t)number * 1000123,
        .position = (uint64_t)offset,
        .stream_id = stream_id,
        .partition = partition,
        .flags = TIME_CREATE,
        .key = bytes_make(key.data, key.length),
        .headers = bytes_make(headers.data, headers.length),
        .payload = bytes_make(text.data, text.length),
    };
    test_records_add(records, &record);
    buffer_done(&key);
    buffer_done(&text);
    buffer_done(&headers);
}

void
test_seal(const char *directory, const struct test_records *records, uint64_t first_seq,
    const struct seal_options *options)
{
    struct error err;
    char tap[] = "shop";
    char names[2][16] = {"orders", "payments"};
    char labels[2][16] = {"shop/orders", "shop/payments"};
    struct stream orders = {.id = 0, .tap = tap, .name = names[0], .label = labels[0]};
    struct stream payments = {.id = 1, .tap = tap, .name = names[1], .label = labels[1]};
    struct stream *const streams[] = {&orders, &payments, NULL};
    struct seal_region region = {
        .records = bytes_make(records->bytes.data, records->bytes.length),
        .first_seq = first_seq,
        .event_count = (uint32_t)records->count,
    };
    struct seal_input input = {
        .uuid = TEST_UUID,
        .id = 1,
        .first_seq = first_seq,
        .end_seq = first_seq + records->count,
        .created_ns = INT64_C(1795000000000000000),
        .regions = &region,
        .region_count = 1,
        .streams = streams,
        .stream_count = 3,
    };
    struct seal_result result;
    assert_ok(seal_segment(directory, &input, options, &result, &err));
    assert_int_equal(result.event_count, records->count);
    assert_int_equal(result.record_bytes, records->bytes.length);
}

struct buffer
test_sealed_bytes(
    const char *directory, const struct test_records *records, const struct seal_options *options)
{
    struct error err;
    struct buffer bytes = {0};
    test_seal(directory, records, 1000, options);
    char *path = alloc_format("%s/00000001.seg", directory);
    assert_ok(file_read_whole(path, SIZE_MAX / 2, &bytes, &err));
    free(path);
    return bytes;
}

struct segment *
test_open_segment(const char *directory)
{
    struct error err;
    char *path = alloc_format("%s/00000001.seg", directory);
    struct segment *segment = segment_open(path, &err);
    free(path);
    if (segment == NULL)
        fail_msg("%s", err.text);
    return segment;
}

static void
expect_in_zone(const struct block_info *info, const struct event *event)
{
    assert_true(event->seq >= info->min_seq && event->seq <= info->max_seq);
    assert_true(event_time(event) >= info->min_time_ns && event_time(event) <= info->max_time_ns);
    assert_true(
        event->received_ns >= info->min_received_ns && event->received_ns <= info->max_received_ns);
    assert_true(event->offset >= info->min_offset && event->offset <= info->max_offset);
    assert_true(event_size(event) >= info->min_size && event_size(event) <= info->max_size);
}

struct event
test_event(const struct block *block, uint32_t i)
{
    assert_true(i < block->count);
    struct event event;
    block_event(block, i, &event);
    return event;
}

/* Not in order: (stream, partition, offset, seq) of `a` is above that of `b`. */
static bool
is_behind(const struct event *a, const struct event *b)
{
    if (a->stream->id != b->stream->id)
        return a->stream->id > b->stream->id;
    if (a->partition != b->partition)
        return (uint32_t)a->partition > (uint32_t)b->partition;
    return a->offset != b->offset ? a->offset > b->offset : a->seq > b->seq;
}

void
test_expect_records(struct segment *segment, const struct test_records *records, uint64_t first_seq)
{
    struct error err;
    struct block *block = block_new();
    unsigned char *seen = alloc_zeroed(records->count);
    struct buffer encoded = {0};
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++) {
        assert_ok(segment_read_block(segment, i, BLOCK_ALL, block, &err));
        assert_int_equal(block->count, segment_block(segment, i)->event_count);
        struct event before = {0};
        for (uint32_t k = 0; k < block->count; k++) {
            struct event event = test_event(block, k);
            size_t number = (size_t)(event.seq - first_seq);
            assert_true(number < records->count && seen[number] == 0);
            seen[number] = 1;
            expect_in_zone(segment_block(segment, i), &event);
            assert_false(k > 0 && is_behind(&before, &event));
            before = event;

            struct record record;
            block_record(block, k, &record);
            struct bytes original = test_records_at(records, number);
            encoded.length = 0;
            record_encode(&record, buffer_reserve(&encoded, record_size(&record)));
            assert_int_equal(record_size(&record), original.length);
            assert_memory_equal(encoded.data, original.data, original.length);
        }
    }
    for (size_t i = 0; i < records->count; i++)
        assert_int_equal(seen[i], 1);
    free(seen);
    buffer_done(&encoded);
    block_free(block);
}
