#include <stdlib.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "index/block.h"
#include "index/column.h"
#include "index/event.h"
#include "index/header_shape.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

/* ---- columns ---- */

static size_t
column_bytes(const uint64_t *values, size_t count, bool steps)
{
    struct buffer to = {0};
    uint64_t scratch[16];
    uint64_t back[16];
    size_t at = 0;
    memcpy(scratch, values, count * sizeof(*values));
    if (steps)
        column_put_steps(&to, scratch, count);
    else
        column_put_plain(&to, scratch, count);
    assert_true(column_get(bytes_make(to.data, to.length), &at, back, count));
    assert_int_equal(at, to.length);
    assert_memory_equal(back, values, count * sizeof(*values));
    for (size_t cut = 0; cut < to.length; cut++) {
        at = 0;
        assert_false(column_get(bytes_make(to.data, cut), &at, back, count));
    }
    size_t length = to.length;
    buffer_done(&to);
    return length;
}

static void
a_column_gives_back_extremes(void **state)
{
    (void)state;
    const uint64_t values[] = {0, UINT64_MAX, 1, UINT64_C(1) << 63, INT64_MAX, 5, 5, UINT64_MAX};
    (void)column_bytes(values, 8, true);
    (void)column_bytes(values, 8, false);
    (void)column_bytes(values, 1, true);
    (void)column_bytes(values + 1, 1, false);
}

static void
a_column_leaves_out_what_repeats(void **state)
{
    (void)state;
    const uint64_t same[] = {7, 7, 7, 7, 7, 7};
    const uint64_t milliseconds[] = {5000000, 6000000, 8000000, 4000000};
    assert_int_equal(column_bytes(same, 6, false), 12);
    assert_int_equal(column_bytes(same, 6, true), 12);
    assert_int_equal(column_bytes(milliseconds, 4, true), 12 + 3);
}

static void
a_column_refuses_what_is_none(void **state)
{
    (void)state;
    unsigned char bytes[64] = {0};
    uint64_t values[4];
    size_t at = 0;
    bytes[0] = 2; /* encoding */
    assert_false(column_get(bytes_make(bytes, sizeof(bytes)), &at, values, 4));
    bytes[0] = 1;
    bytes[1] = 9; /* width */
    assert_false(column_get(bytes_make(bytes, sizeof(bytes)), &at, values, 4));
    bytes[1] = 1;
    bytes[2] = 4; /* scale */
    assert_false(column_get(bytes_make(bytes, sizeof(bytes)), &at, values, 4));
}

/* ---- headers ---- */

static size_t
section_bytes(const struct bytes *lists, uint32_t count)
{
    struct header_writer *writer = header_writer_new();
    struct header_reader *reader = header_reader_new();
    struct header_list list;
    struct buffer section = {0};
    for (uint32_t i = 0; i < count; i++)
        (void)header_writer_add(writer, lists[i], &list);
    header_writer_finish(writer, &section);
    assert_true(header_reader_begin(reader, bytes_make(section.data, section.length), count));
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *back = alloc_zeroed(lists[i].length);
        assert_true(header_reader_next(reader, back, lists[i].length));
        assert_memory_equal(back, lists[i].data, lists[i].length);
        free(back);
    }
    assert_true(header_reader_at_end(reader));
    size_t length = section.length;
    buffer_done(&section);
    header_reader_free(reader);
    header_writer_free(writer);
    return length;
}

static size_t
bytes_of_value(const char *value)
{
    struct buffer headers = {0};
    headers_begin(&headers, 1);
    headers_add(&headers, bytes_of("n"), bytes_of(value));
    struct bytes list = bytes_make(headers.data, headers.length);
    size_t length = section_bytes(&list, 1);
    buffer_done(&headers);
    return length;
}

/* 1 shape of 1 header called "n", 1 number, 8 lengths: 1 + 4 + 1 + 8 bytes around the value. */
#define AROUND 14u

static void
ids_take_half_their_bytes(void **state)
{
    (void)state;
    assert_int_equal(
        bytes_of_value("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), AROUND + 25);
    assert_int_equal(bytes_of_value("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), AROUND + 16);
    assert_int_equal(bytes_of_value("0af7651916cd43dd8448eb211c80319c"), AROUND + 16);
    assert_int_equal(bytes_of_value("b7ad6b7169203331"), AROUND + 8);
}

static void
what_only_looks_like_an_id_stays_as_it_is(void **state)
{
    (void)state;
    /* one byte for the length */
    assert_int_equal(
        bytes_of_value("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0G"), AROUND + 56);
    assert_int_equal(
        bytes_of_value("00-0Af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), AROUND + 56);
    assert_int_equal(bytes_of_value("f81d4faeX7dec-11d0-a765-00a0c91e6bf6"), AROUND + 37);
    assert_int_equal(bytes_of_value("f81d4fae-7dec-11d0-a765-00a0c91e6bfG"), AROUND + 37);
    assert_int_equal(bytes_of_value("0af7651916cd43dd8448eb211c80319/"), AROUND + 33);
    assert_int_equal(bytes_of_value("b7ad6b716920333`"), AROUND + 17);
}

/* Every byte in every place of 16 digits: packed or not, it comes back. */
static void
every_byte_in_an_id_comes_back(void **state)
{
    (void)state;
    char value[17] = "b7ad6b7169203331";
    for (size_t place = 0; place < 16; place++) {
        char before = value[place];
        for (int byte = 1; byte < 256; byte++) {
            value[place] = (char)byte;
            bool digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            assert_int_equal(bytes_of_value(value), AROUND + (digit ? 8 : 17));
        }
        value[place] = before;
    }
}

static void
lists_that_are_none_come_back(void **state)
{
    (void)state;
    static const unsigned char zero_count[] = {0};
    static const unsigned char long_count[] = {0x81, 0, 1, 'a', 0};
    static const unsigned char long_length[] = {1, 0x81, 0, 'a', 0};
    static const unsigned char too_short[] = {2, 1, 'a', 0};
    static const unsigned char too_long[] = {1, 1, 'a', 0, 'x'};
    static const unsigned char beyond[] = {1, 1, 'a', 200};
    const struct bytes lists[] = {
        bytes_make(zero_count, sizeof(zero_count)),
        bytes_make(long_count, sizeof(long_count)),
        bytes_make(long_length, sizeof(long_length)),
        bytes_make(too_short, sizeof(too_short)),
        bytes_make(too_long, sizeof(too_long)),
        bytes_make(beyond, sizeof(beyond)),
        bytes_make(zero_count, 0),
    };
    (void)section_bytes(lists, 7);
}

/* ---- blocks ---- */

static const struct stream *
any_stream(void *self, uint32_t id)
{
    struct stream *stream = self;
    return id == stream->id ? stream : NULL;
}

/* A block of 40 usual events of one lane, as bytes, and what is known of it. */
struct written {
    struct buffer bytes;
    struct block_info info;
    struct stream stream;
    size_t flipped; /* the bit that a test changes */
};

static void
write_block(struct written *written, enum block_codec codec)
{
    struct test_records records = {0};
    struct block_writer *writer = block_writer_new(codec);
    struct header_list list;
    *written = (struct written){.stream = {.id = 4}};
    for (unsigned i = 0; i < 40; i++)
        test_records_add_usual(&records, 4, 1, 10 + i, i);
    size_t at = 0;
    for (uint64_t seq = 100; at < records.bytes.length; seq++) {
        struct record record;
        assert_true(
            record_decode(bytes_make(records.bytes.data, records.bytes.length), &at, &record));
        (void)block_writer_add(writer, &record, seq, &list);
    }
    block_writer_finish(writer, &written->info, &written->bytes);
    block_writer_free(writer);
    test_records_done(&records);
}

static struct bytes
section_of(const struct written *written, enum block_section section)
{
    size_t at = BLOCK_HEADER_BYTES;
    for (int i = 0; i < (int)section; i++)
        at += written->info.sections[i].stored;
    return bytes_make(written->bytes.data + at, written->info.sections[section].stored);
}

static bool
decode(struct block *block, struct written *written, enum block_section section, struct error *err)
{
    const struct block_streams streams = {any_stream, &written->stream};
    return block_decode(
        block, &written->info, section, section_of(written, section), &streams, err);
}

static void
sections_come_one_by_one(void **state)
{
    (void)state;
    struct written written;
    struct error err;
    struct block *block = block_new();
    write_block(&written, BLOCK_ZSTD);

    assert_ok(decode(block, &written, BLOCK_META, &err));
    assert_int_equal(block->count, 40);
    struct event first = test_event(block, 0);
    assert_int_equal(block->offsets[39], 49);
    assert_null(test_event(block, 39).key.data);
    assert_int_equal(test_event(block, 39).key.length, 9);
    assert_true(event_size(&first) > 100);

    assert_ok(decode(block, &written, BLOCK_KEY, &err));
    assert_true(bytes_equal_text(test_event(block, 39).key, "or-000039"));
    assert_null(test_event(block, 39).payload.data);

    assert_ok(decode(block, &written, BLOCK_HDR, &err));
    struct bytes id;
    struct event event = test_event(block, 7);
    assert_true(event_find_header(&event, "ce_id", &id));
    assert_true(bytes_equal_text(id, "00000007-1111-4222-8333-444455556666"));
    assert_int_equal(block->loaded, BLOCK_ALL & ~BLOCK_BIT(BLOCK_PAY));
    block_free(block);
    buffer_done(&written.bytes);
}

/* The payload of an event as large as a block is not copied until another one joins it. */
static void
a_large_payload_can_be_joined(void **state)
{
    (void)state;
    struct stream stream = {.id = 0};
    const struct block_streams streams = {any_stream, &stream};
    struct block_writer *writer = block_writer_new(BLOCK_LZ4);
    struct block *block = block_new();
    struct header_list list;
    struct block_info info = {0};
    struct buffer bytes = {0};
    struct error err;
    size_t length = BLOCK_TARGET_BYTES;
    unsigned char *payload = alloc_zeroed(length);
    payload[length - 1] = 'z';
    struct record large = {.payload = bytes_make(payload, length)};
    struct record small = {.position = 1, .payload = bytes_of("small")};
    (void)block_writer_add(writer, &large, 0, &list);
    assert_true(block_writer_is_full(writer, record_size(&small)));
    (void)block_writer_add(writer, &small, 1, &list);
    block_writer_finish(writer, &info, &bytes);

    size_t at = BLOCK_HEADER_BYTES;
    for (int i = 0; i < BLOCK_SECTIONS; i++) {
        struct bytes stored = {bytes.data + at, info.sections[i].stored};
        assert_ok(block_decode(block, &info, (enum block_section)i, stored, &streams, &err));
        at += stored.length;
    }
    assert_true(bytes_equal(test_event(block, 0).payload, large.payload));
    assert_true(bytes_equal(test_event(block, 1).payload, small.payload));
    block_free(block);
    block_writer_free(writer);
    buffer_done(&bytes);
    free(payload);
}

static void
finds_bytes_within_events_only(void **state)
{
    (void)state;
    struct written written;
    struct error err;
    struct block *block = block_new();
    write_block(&written, BLOCK_LZ4);
    for (int i = 0; i < BLOCK_SECTIONS; i++)
        assert_ok(decode(block, &written, (enum block_section)i, &err));

    assert_int_equal(block_find(block, BLOCK_PAY, bytes_of("\"number\":23,"), 0), 23);
    assert_int_equal(block_find(block, BLOCK_PAY, bytes_of("\"number\":23,"), 24), 40);
    assert_int_equal(block_find(block, BLOCK_PAY, bytes_of("door"), 5), 5);
    assert_int_equal(block_find(block, BLOCK_PAY, bytes_of("}{"), 0), 40);
    assert_int_equal(block_find(block, BLOCK_KEY, bytes_of("or-000039"), 0), 39);
    assert_int_equal(block_find(block, BLOCK_KEY, bytes_of("8or-000039"), 0), 40);
    assert_int_equal(block_find(block, BLOCK_HDR, bytes_of("00000011-1111"), 3), 17);
    block_free(block);
    buffer_done(&written.bytes);
}

/* Is event number `i` among those that may have the value? `found` has room for all. */
static void
assert_found(const struct block *block, uint32_t i, struct bytes value, uint32_t *found)
{
    uint32_t count = block_find_headers(block, value, found);
    bool is_there = false;
    assert_true(count <= block->count);
    for (uint32_t k = 0; k < count; k++) {
        assert_true(k == 0 || found[k - 1] < found[k]);
        is_there |= found[k] == i;
    }
    assert_true(is_there);
}

/* The same events are found as packed, where each of them is alone with its id. */
static void
finds_header_values_without_making_lists(void **state)
{
    (void)state;
    struct written written;
    struct error err;
    struct block *block = block_new();
    write_block(&written, BLOCK_ZSTD);
    const struct block_streams streams = {any_stream, &written.stream};
    for (int i = 0; i < BLOCK_SECTIONS; i++)
        assert_ok(block_decode(block, &written.info, (enum block_section)i,
            section_of(&written, (enum block_section)i), &streams, &err));
    uint32_t *found = alloc_array(block->count, sizeof(*found));
    for (uint32_t i = 0; i < block->count; i++) {
        struct event_header header;
        struct event event = test_event(block, i);
        size_t at = 0;
        while (event_next_header(&event, &at, &header)) {
            if (header.value.length > 0)
                assert_found(block, i, header.value, found);
        }
        struct event_identity identity;
        event_identify(&event, &identity);
        assert_found(block, i, identity.trace, found);
        assert_found(block, i, identity.id, found);
        assert_int_equal(block_find_headers(block, identity.id, found), 1);
    }
    assert_int_equal(block_find_headers(block, bytes_of("or-000039"), found), 0);
    free(found);
    block_free(block);
    buffer_done(&written.bytes);
}

/* Sections are searched before META is there, and what they are made of afterwards is the same. */
static void
says_what_it_cannot_hold(void **state)
{
    (void)state;
    struct written written;
    struct error err;
    struct block *block = block_new();
    write_block(&written, BLOCK_ZSTD);
    const struct block_info *info = &written.info;
    const struct block_streams streams = {any_stream, &written.stream};
    for (int i = BLOCK_PAY; i >= 0; i--)
        assert_ok(block_unpack(
            block, info, (enum block_section)i, section_of(&written, (enum block_section)i), &err));

    assert_true(block_may_hold(block, info, BLOCK_PAY, bytes_of("\"number\":23,")));
    assert_false(block_may_hold(block, info, BLOCK_PAY, bytes_of("\"number\":40,")));
    assert_true(block_may_hold(block, info, BLOCK_KEY, bytes_of("or-000039")));
    assert_false(block_may_hold(block, info, BLOCK_KEY, bytes_of("or-000040")));
    assert_false(
        block_may_hold(block, info, BLOCK_HDR, bytes_of("00000028-1111-4222-8333-444455556666")));
    assert_false(
        block_may_hold(block, info, BLOCK_HDR, bytes_of("0000000e000000000000000000000abc")));
    assert_false(block_may_hold(block, info, BLOCK_HDR, bytes_of("b7ad6b7169203331")));
    assert_false(block_may_hold(block, info, BLOCK_HDR, bytes_of("or-000039")));

    for (int i = 0; i < BLOCK_SECTIONS; i++)
        assert_ok(block_load(block, info, (enum block_section)i, &streams, &err));
    for (uint32_t i = 0; i < block->count; i++) {
        struct event_header header;
        struct event event = test_event(block, i);
        size_t at = 0;
        while (event_next_header(&event, &at, &header))
            assert_true(block_may_hold(block, info, BLOCK_HDR, header.value));
        struct event_identity identity;
        event_identify(&event, &identity);
        assert_true(block_may_hold(block, info, BLOCK_HDR, identity.trace));
        assert_true(block_may_hold(block, info, BLOCK_HDR, identity.id));
    }
    block_free(block);
    buffer_done(&written.bytes);
}

/* Values of every packing, and those that look like one and are text. */
static void
values_of_all_packings_may_be_there(void **state)
{
    (void)state;
    static const char *const values[] = {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C", "b7ad6b7169203331",
        "B7ad6b7169203331", "0af76519-16cd-43dd-8448-eb211c80319c",
        "0af76519-16cd-43dd-8448-eb211c80319C", "x", "plain text"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct header_writer *writer = header_writer_new();
        struct header_reader *reader = header_reader_new();
        struct header_list list;
        struct buffer headers = {0};
        struct buffer section = {0};
        headers_begin(&headers, 1);
        headers_add(&headers, bytes_of("name"), bytes_of(values[i]));
        (void)header_writer_add(writer, bytes_make(headers.data, headers.length), &list);
        header_writer_finish(writer, &section);
        struct bytes all = bytes_make(section.data, section.length);
        assert_true(header_section_may_hold(reader, all, 1, bytes_of(values[i])));
        assert_false(header_section_may_hold(reader, all, 1, bytes_of("something else")));
        assert_false(header_section_may_hold(
            reader, all, 1, bytes_of("1af76519-16cd-43dd-8448-eb211c80319c")));
        buffer_done(&section);
        buffer_done(&headers);
        header_reader_free(reader);
        header_writer_free(writer);
    }
}

/* Decode all sections of a changed block; returns how many could be. */
static unsigned
decode_changed(struct block *block, struct written *written)
{
    struct error err;
    for (unsigned i = 0; i < BLOCK_SECTIONS; i++) {
        if (!decode(block, written, (enum block_section)i, &err)) {
            assert_int_equal(err.code, ERROR_DAMAGED);
            assert_int_equal(block->count, 0);
            return i;
        }
    }
    return BLOCK_SECTIONS;
}

/* The checksum is no protection against one who makes it fit: nothing may crash, and what comes out
 * must be within the block's own bytes (the sanitizers look). */
static void
survives_changed_sections_with_fitting_checksums(void **state)
{
    (void)state;
    struct written written;
    struct block *block = block_new();
    unsigned decoded = 0;
    write_block(&written, BLOCK_RAW);
    for (int s = 0; s < BLOCK_SECTIONS; s++) {
        size_t start =
            (size_t)(section_of(&written, (enum block_section)s).data - written.bytes.data);
        struct block_extent *extent = &written.info.sections[s];
        uint32_t checksum = extent->checksum;
        for (size_t i = 0; i < extent->stored; i++) {
            written.bytes.data[start + i] ^= (unsigned char)(1u << i % 8);
            extent->checksum = crc32c(0, written.bytes.data + start, extent->stored);
            decoded += decode_changed(block, &written);
            written.bytes.data[start + i] ^= (unsigned char)(1u << i % 8);
        }
        extent->checksum = checksum;
    }
    assert_true(decoded > 0);
    block_free(block);
    buffer_done(&written.bytes);
}

static void
expect_noticed(struct block *block, struct written *written, enum block_section section)
{
    struct error err;
    assert_ok(decode(block, written, BLOCK_META, &err));
    unsigned char *changed = written->bytes.data + written->flipped / 8;
    *changed ^= (unsigned char)(1u << written->flipped % 8);
    assert_false(decode(block, written, section, &err));
    assert_non_null(strstr(err.text, "the checksum differs"));
    *changed ^= (unsigned char)(1u << written->flipped % 8);
}

static void
notices_every_flipped_bit(void **state)
{
    (void)state;
    struct written written;
    struct block *block = block_new();
    write_block(&written, BLOCK_ZSTD);
    for (int s = 0; s < BLOCK_SECTIONS; s++) {
        struct bytes section = section_of(&written, (enum block_section)s);
        size_t start = (size_t)(section.data - written.bytes.data);
        for (size_t bit = 0; bit < section.length * 8; bit++) {
            written.flipped = start * 8 + bit;
            expect_noticed(block, &written, (enum block_section)s);
        }
    }
    block_free(block);
    buffer_done(&written.bytes);
}

static void
refuses_a_stream_that_nobody_knows(void **state)
{
    (void)state;
    struct written written;
    struct error err;
    struct block *block = block_new();
    write_block(&written, BLOCK_ZSTD);
    written.stream.id = 5;
    assert_false(decode(block, &written, BLOCK_META, &err));
    block_free(block);
    buffer_done(&written.bytes);
}

static void
refuses_a_header_that_asks_for_too_much(void **state)
{
    (void)state;
    struct written written;
    struct block_info info;
    unsigned char header[BLOCK_HEADER_BYTES];
    write_block(&written, BLOCK_RAW);
    block_info_put(&written.info, header);
    assert_true(block_info_get(header, &info));
    written.info.sections[BLOCK_PAY].decoded = BLOCK_SECTION_MAX + 1;
    block_info_put(&written.info, header);
    assert_false(block_info_get(header, &info));
    written.info.sections[BLOCK_PAY].decoded = written.info.sections[BLOCK_PAY].stored;
    written.info.event_count = BLOCK_MAX_EVENTS + 1;
    block_info_put(&written.info, header);
    assert_false(block_info_get(header, &info));
    buffer_done(&written.bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_gives_back_extremes),
        cmocka_unit_test(a_column_leaves_out_what_repeats),
        cmocka_unit_test(a_column_refuses_what_is_none),
        cmocka_unit_test(ids_take_half_their_bytes),
        cmocka_unit_test(what_only_looks_like_an_id_stays_as_it_is),
        cmocka_unit_test(every_byte_in_an_id_comes_back),
        cmocka_unit_test(lists_that_are_none_come_back),
        cmocka_unit_test(sections_come_one_by_one),
        cmocka_unit_test(a_large_payload_can_be_joined),
        cmocka_unit_test(finds_bytes_within_events_only),
        cmocka_unit_test(finds_header_values_without_making_lists),
        cmocka_unit_test(says_what_it_cannot_hold),
        cmocka_unit_test(values_of_all_packings_may_be_there),
        cmocka_unit_test(survives_changed_sections_with_fitting_checksums),
        cmocka_unit_test(notices_every_flipped_bit),
        cmocka_unit_test(refuses_a_stream_that_nobody_knows),
        cmocka_unit_test(refuses_a_header_that_asks_for_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
