#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/record.h"
#include "index/seal.h"
#include "index/segment.h"
#include "index/token_index.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

/* Seal, open, compare everything. */
static void
expect_round_trip(
    const char *directory, const struct test_records *records, const struct seal_options *options)
{
    test_seal(directory, records, 1000, options);
    struct segment *segment = test_open_segment(directory);
    assert_int_equal(segment_info(segment)->event_count, records->count);
    test_expect_records(segment, records, 1000);
    segment_close(segment);
}

static void
gives_back_every_record_byte_by_byte(void **state)
{
    struct test_records records = {0};
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++)
        test_records_add_random(&records, &seed);
    expect_round_trip(*state, &records, NULL);
    test_records_done(&records);
}

static void
gives_back_the_same_with_lz4_and_without_compression(void **state)
{
    struct test_records records = {0};
    uint64_t seed = 7;
    for (int i = 0; i < 5000; i++)
        test_records_add_random(&records, &seed);
    expect_round_trip(*state, &records, &(struct seal_options){.codec = BLOCK_LZ4});
    expect_round_trip(*state, &records, &(struct seal_options){.codec = BLOCK_RAW});
    test_records_done(&records);
}

static void
takes_more_header_shapes_than_a_block_can_number(void **state)
{
    struct test_records records = {0};
    struct buffer headers = {0};
    for (unsigned i = 0; i < 1500; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "name-%u", i % 700);
        headers_begin(&headers, 1);
        headers_add(&headers, bytes_of(name), bytes_of("0123456789abcdef"));
        struct record record = {.position = i, .headers = bytes_make(headers.data, headers.length)};
        test_records_add(&records, &record);
    }
    expect_round_trip(*state, &records, NULL);
    buffer_done(&headers);
    test_records_done(&records);
}

static void
takes_a_list_of_more_headers_than_a_shape_has(void **state)
{
    struct test_records records = {0};
    struct buffer headers = {0};
    headers_begin(&headers, 300);
    for (int i = 0; i < 300; i++)
        headers_add(&headers, bytes_of("same"), i % 2 == 0 ? BYTES_NULL : bytes_of("value"));
    struct record record = {.headers = bytes_make(headers.data, headers.length)};
    test_records_add(&records, &record);
    expect_round_trip(*state, &records, NULL);
    buffer_done(&headers);
    test_records_done(&records);
}

static void
takes_more_events_than_16_bits_count(void **state)
{
    struct test_records records = {0};
    for (unsigned i = 0; i < 70000; i++)
        test_records_add(&records, &(struct record){.position = i / 2, .time_ns = i});
    expect_round_trip(*state, &records, NULL);
    test_records_done(&records);
}

static void
gives_a_large_event_a_block_alone(void **state)
{
    struct test_records records = {0};
    size_t length = (size_t)24 * 1024 * 1024;
    unsigned char *payload = alloc_zeroed(length);
    uint64_t seed = 3;
    for (size_t i = 0; i + 8 <= length; i += 64)
        store_u64(payload + i, test_random(&seed));
    test_records_add_usual(&records, 0, 0, 0, 0);
    test_records_add(
        &records, &(struct record){.position = 1, .payload = bytes_make(payload, length)});
    test_records_add_usual(&records, 0, 0, 2, 2);
    expect_round_trip(*state, &records, NULL);

    struct segment *segment = test_open_segment(*state);
    assert_int_equal(segment_info(segment)->block_count, 3);
    assert_int_equal(segment_block(segment, 1)->event_count, 1);
    segment_close(segment);
    free(payload);
    test_records_done(&records);
}

static void
takes_thousands_of_lanes(void **state)
{
    struct test_records records = {0};
    for (unsigned i = 0; i < 12000; i++)
        test_records_add_usual(&records, i % 37, i * 7 % 211, i, i);
    expect_round_trip(*state, &records, NULL);
    struct segment *segment = test_open_segment(*state);
    assert_int_equal(lanes_count(segment_lanes(segment)), 37 * 211);
    segment_close(segment);
    test_records_done(&records);
}

static void
keeps_the_order_of_arrival_of_equal_offsets(void **state)
{
    struct test_records records = {0};
    for (unsigned i = 0; i < 300; i++)
        test_records_add_usual(&records, 0, 0, 100 - (int64_t)(i % 3), i);
    expect_round_trip(*state, &records, NULL); /* looks at the order */
    test_records_done(&records);
}

static void
takes_an_input_with_seqs_missing(void **state)
{
    struct test_records first = {0};
    struct test_records second = {0};
    struct error err;
    for (unsigned i = 0; i < 10; i++) {
        test_records_add_usual(&first, 0, 0, i, i);
        test_records_add_usual(&second, 0, 0, 30 + i, 30 + i);
    }
    struct seal_region regions[] = {
        {bytes_make(first.bytes.data, first.bytes.length), 5, 10},
        {bytes_make(second.bytes.data, second.bytes.length), 35, 10},
    };
    struct seal_input input = {
        .uuid = TEST_UUID,
        .id = 1,
        .first_seq = 3,
        .end_seq = 50,
        .regions = regions,
        .region_count = 2,
    };
    struct seal_result result;
    assert_ok(seal_segment(*state, &input, NULL, &result, &err));

    struct segment *segment = test_open_segment(*state);
    struct block *block = block_new();
    assert_int_equal(segment_info(segment)->first_seq, 3);
    assert_int_equal(segment_info(segment)->end_seq, 50);
    assert_ok(segment_read_block(segment, 0, BLOCK_ALL, block, &err));
    assert_int_equal(block->seqs[0], 5);
    assert_int_equal(block->seqs[9], 14);
    assert_int_equal(block->seqs[10], 35);
    assert_int_equal(block->seqs[19], 44);
    assert_string_equal(test_event(block, 0).stream->label, "?/stream-0");
    block_free(block);
    segment_close(segment);
    test_records_done(&first);
    test_records_done(&second);
}

static void
keeps_holes_where_no_event_is(void **state)
{
    struct error err;
    struct hole holes[] = {
        {.stream_id = 9,
            .partition = 2,
            .from = 7,
            .to = 11,
            .reason = HOLE_RETENTION,
            .noticed_ns = 77},
        {.stream_id = 9, .partition = 3, .from = 5, .to = -1, .reason = HOLE_DROPPED},
    };
    struct seal_input input = {.id = 1, .holes = holes, .hole_count = 2};
    struct seal_result result;
    assert_ok(seal_segment(*state, &input, NULL, &result, &err));

    struct segment *segment = test_open_segment(*state);
    const struct lane *lane = lanes_find(segment_lanes(segment), 9, 2);
    assert_non_null(lane);
    assert_int_equal(lane->events, 0);
    assert_int_equal(lane->hole_count, 1);
    assert_int_equal(lane->holes[0].to, 11);
    assert_int_equal(lane->holes[0].reason, HOLE_RETENTION);
    assert_int_equal(lane->holes[0].noticed_ns, 77);
    assert_int_equal(lanes_find(segment_lanes(segment), 9, 3)->holes[0].to, -1);
    assert_int_equal(segment_info(segment)->block_count, 0);
    segment_close(segment);
}

static void
expect_refused(const char *directory, const struct seal_input *input, const char *why)
{
    struct error err;
    struct seal_result result;
    assert_false(seal_segment(directory, input, NULL, &result, &err));
    if (strstr(err.text, why) == NULL)
        fail_msg("expected '%s' in '%s'", why, err.text);
    char *temporary = alloc_format("%s/00000001.tmp", directory);
    assert_int_equal(access(temporary, F_OK), -1);
    free(temporary);
}

static void
refuses_what_is_no_row_of_event_records(void **state)
{
    struct test_records records = {0};
    test_records_add_usual(&records, 0, 0, 0, 0);
    struct seal_region region = {bytes_make(records.bytes.data, records.bytes.length - 1), 0, 1};
    struct seal_input input = {.id = 1, .end_seq = 9, .regions = &region, .region_count = 1};
    expect_refused(*state, &input, "no event record");
    region.records.length = 0;
    expect_refused(*state, &input, "holds fewer than 1 events");
    region.records.length = records.bytes.length;
    region.event_count = 0;
    expect_refused(*state, &input, "holds more than 0 events");
    region.event_count = 1;
    region.first_seq = 9;
    expect_refused(*state, &input, "not expected");
    test_records_done(&records);
}

static void
says_where_it_could_not_write(void **state)
{
    struct test_records records = {0};
    test_records_add_usual(&records, 0, 0, 0, 0);
    struct seal_region region = {bytes_make(records.bytes.data, records.bytes.length), 0, 1};
    struct seal_input input = {.id = 1, .end_seq = 1, .regions = &region, .region_count = 1};
    char *missing = alloc_format("%s/missing", (char *)*state);
    expect_refused(missing, &input, "cannot make");
    free(missing);
    test_records_done(&records);
}

/* What is sealed in a room that others used before is what is sealed without one. */
static void
expect_same_in_room(
    const char *directory, const struct test_records *records, struct seal_room *room)
{
    struct buffer alone = test_sealed_bytes(directory, records, NULL);
    struct buffer again = test_sealed_bytes(
        directory, records, &(struct seal_options){.codec = BLOCK_ZSTD, .room = room});
    assert_int_equal(again.length, alone.length);
    assert_memory_equal(again.data, alone.data, alone.length);
    buffer_done(&alone);
    buffer_done(&again);
}

static void
a_room_remembers_nothing_of_the_segment_before(void **state)
{
    struct test_records odd = {0};
    struct test_records usual = {0};
    uint64_t seed = 11;
    for (unsigned i = 0; i < 3000; i++)
        test_records_add_random(&odd, &seed);
    for (unsigned i = 0; i < 500; i++)
        test_records_add_usual(&usual, i % 5, i % 7, i, i);
    struct seal_room *room = seal_room_new();
    expect_same_in_room(*state, &usual, room);
    expect_same_in_room(*state, &odd, room);
    expect_same_in_room(*state, &usual, room);

    struct seal_region cut = {bytes_make(odd.bytes.data, odd.bytes.length - 1), 0, 3000};
    struct seal_input input = {.id = 1, .end_seq = 3000, .regions = &cut, .region_count = 1};
    struct seal_result result;
    struct error err;
    assert_false(seal_segment(*state, &input, &(struct seal_options){.room = room}, &result, &err));
    expect_same_in_room(*state, &odd, room);
    seal_room_free(room);
    test_records_done(&odd);
    test_records_done(&usual);
}

/* Regions of one event each, whose bytes come when they are asked for, except the one that cannot be had. */
struct late_records {
    const struct test_records *records;
    unsigned char *to;
    size_t fetched;
    size_t missing;
};

static bool
fetch_late(void *self, size_t region, struct error *err)
{
    struct late_records *late = self;
    assert_int_equal(region, late->fetched++);
    if (region == late->missing)
        return error_set(err, ERROR_SYSTEM, "region %zu is not to be had", region);
    struct bytes record = test_records_at(late->records, region);
    memcpy(late->to + (record.data - late->records->bytes.data), record.data, record.length);
    return true;
}

static void
asks_for_the_records_of_one_region_after_the_other(void **state)
{
    enum { COUNT = 20 };
    struct test_records records = {0};
    struct seal_region regions[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        test_records_add_usual(&records, 0, i % 3, i, i);
    struct late_records late = {&records, alloc_zeroed(records.bytes.length), 0, 7};
    for (size_t i = 0; i < COUNT; i++) {
        struct bytes record = test_records_at(&records, i);
        regions[i] = (struct seal_region){
            bytes_make(late.to + (record.data - records.bytes.data), record.length), 1000 + i, 1};
    }
    struct seal_input input = {.id = 1,
        .uuid = TEST_UUID,
        .first_seq = 1000,
        .end_seq = 1000 + COUNT,
        .regions = regions,
        .region_count = COUNT,
        .fetch = fetch_late,
        .fetch_self = &late};
    expect_refused(*state, &input, "region 7 is not to be had");

    late = (struct late_records){&records, late.to, 0, COUNT};
    struct seal_result result;
    struct error err;
    assert_ok(seal_segment(*state, &input, NULL, &result, &err));
    assert_int_equal(late.fetched, COUNT);
    struct segment *segment = test_open_segment(*state);
    assert_int_equal(segment_info(segment)->event_count, COUNT);
    assert_int_equal(segment_info(segment)->record_bytes, records.bytes.length);
    segment_close(segment);
    free(late.to);
    test_records_done(&records);
}

static void
leaves_nothing_but_the_segment_readable_by_its_owner(void **state)
{
    struct test_records records = {0};
    struct stat status;
    test_records_add_usual(&records, 0, 0, 0, 0);
    test_seal(*state, &records, 0, NULL);
    char *path = alloc_format("%s/00000001.seg", (char *)*state);
    char *temporary = alloc_format("%s/00000001.tmp", (char *)*state);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(access(temporary, F_OK), -1);
    free(path);
    free(temporary);
    test_records_done(&records);
}

/* With a token index, and from before there was one. */
#define GOLDEN_PATH     TEST_SOURCE_DIR "/tests/golden/segment_v1_index.hex"
#define GOLDEN_OLD_PATH TEST_SOURCE_DIR "/tests/golden/segment_v1.hex"
#define GOLDEN_SEQ      100

static void
make_golden_records(struct test_records *records)
{
    uint64_t seed = 1;
    for (unsigned i = 0; i < 12; i++)
        test_records_add_usual(records, i % 2, i % 3, i, i);
    for (unsigned i = 0; i < 4; i++)
        test_records_add_random(records, &seed);
}

/* If this fails, the bytes on disk have changed, and every segment that users have is of another
 * format. TAPEDECK_UPDATE_GOLDEN=1 rewrites the file. Uncompressed, because the bytes of a codec are its
 * own affair. */
static void
writes_the_bytes_of_version_1(void **state)
{
    struct test_records records = {0};
    struct error err;
    make_golden_records(&records);
    test_seal(*state, &records, GOLDEN_SEQ, &(struct seal_options){.codec = BLOCK_RAW});

    char *path = alloc_format("%s/00000001.seg", (char *)*state);
    struct buffer segment = {0};
    assert_ok(file_read_whole(path, 1u << 20, &segment, &err));
    assert_golden_bytes(GOLDEN_PATH, bytes_make(segment.data, segment.length));
    buffer_done(&segment);
    free(path);
    test_records_done(&records);
}

static bool
is_found(struct segment *segment, const char *kind, struct bytes value)
{
    uint64_t *blocks =
        alloc_array(block_set_words(segment_info(segment)->block_count), sizeof(*blocks));
    struct segment_token token = segment_token(segment, kind, value);
    segment_find_blocks(segment, token, blocks);
    bool found = block_set_has(blocks, 0);
    free(blocks);
    return found;
}

/* What is in its one block is found there by its tokens, and little else. */
static void
expect_to_find(struct segment *segment, const struct test_records *records)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < records->count; i++) {
        struct record record;
        size_t at = 0;
        assert_true(record_decode(test_records_at(records, i), &at, &record));
        if (record.key.data != NULL)
            assert_true(is_found(segment, "key", record.key));
    }
    for (unsigned i = 0; i < 200; i++) {
        char value[32];
        (void)snprintf(value, sizeof(value), "absent-%u", i);
        wrong += is_found(segment, "id", bytes_of(value));
    }
    assert_true(wrong < 20);
}

/* Whatever later versions write, this one stays readable. */
static void
expect_golden(const char *directory, const char *golden)
{
    struct test_records records = {0};
    char *path = alloc_format("%s/00000001.seg", directory);
    golden_bytes_copy(golden, path);
    make_golden_records(&records);
    struct segment *opened = test_open_segment(directory);
    assert_int_equal(segment_info(opened)->block_count, 1);
    test_expect_records(opened, &records, GOLDEN_SEQ);
    expect_to_find(opened, &records);
    segment_close(opened);
    free(path);
    test_records_done(&records);
}

static void
reads_the_bytes_of_version_1(void **state)
{
    expect_golden(*state, GOLDEN_PATH);
    expect_golden(*state, GOLDEN_OLD_PATH);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            gives_back_every_record_byte_by_byte, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(gives_back_the_same_with_lz4_and_without_compression,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(takes_more_header_shapes_than_a_block_can_number,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(takes_a_list_of_more_headers_than_a_shape_has,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            takes_more_events_than_16_bits_count, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            gives_a_large_event_a_block_alone, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            takes_thousands_of_lanes, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(keeps_the_order_of_arrival_of_equal_offsets,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            takes_an_input_with_seqs_missing, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            keeps_holes_where_no_event_is, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_row_of_event_records,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            says_where_it_could_not_write, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(a_room_remembers_nothing_of_the_segment_before,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(asks_for_the_records_of_one_region_after_the_other,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(leaves_nothing_but_the_segment_readable_by_its_owner,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            writes_the_bytes_of_version_1, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            reads_the_bytes_of_version_1, temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
