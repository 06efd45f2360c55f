/* What a segment says about itself, and its events. */
#include <stdint.h>

#include "index/event.h"
#include "index/lanes.h"
#include "index/segment.h"
#include "tests/support/index_segment_fixture.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

static void
tells_what_it_holds(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    const struct segment_info *info = segment_info(segment);
    assert_int_equal(info->id, 1);
    assert_int_equal(info->version, 1);
    assert_int_equal(info->first_seq, FIRST_SEQ);
    assert_int_equal(info->end_seq, FIRST_SEQ + EVENTS);
    assert_int_equal(info->event_count, EVENTS);
    assert_int_equal(info->record_bytes, fixture->records.bytes.length);
    assert_int_equal(info->file_bytes, fixture->bytes.length);
    assert_int_equal(info->min_time_ns, INT64_C(1795000000000000000));
    assert_int_equal(
        info->max_time_ns, INT64_C(1795000000000000000) + (int64_t)(EVENTS - 1) * 1000000);
    assert_int_equal(info->min_received_ns, INT64_C(1795000000004000000));
    assert_int_equal(segment_stream_count(segment), 2);
    assert_string_equal(segment_stream(segment, 0)->label, "shop/orders");
    assert_string_equal(segment_stream(segment, 1)->label, "shop/payments");
    segment_close(segment);
}

static void
tells_its_lanes(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    assert_int_equal(lanes_count(segment_lanes(segment)), 6);
    const struct lane *lane = lanes_find(segment_lanes(segment), 1, 2); /* 5, 11, 17 ... 2495 */
    assert_non_null(lane);
    assert_int_equal(lane->events, 416);
    assert_int_equal(lane->first_offset, 5);
    assert_int_equal(lane->last_offset, 2495);
    assert_int_equal(lane->first_ns, INT64_C(1795000000005000000));
    assert_false(lane->offsets_are_synthetic);
    segment_close(segment);
}

static void
gives_back_what_was_sealed(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    assert_true(segment_info(segment)->block_count > 3);
    test_expect_records(segment, &fixture->records, FIRST_SEQ);
    segment_close(segment);
}

static void
reads_only_what_is_wanted(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct segment *segment = test_open_segment(fixture->directory);
    struct block *block = block_new();
    assert_ok(segment_read_block(segment, 1, BLOCK_BIT(BLOCK_KEY), block, &err));
    assert_int_equal(block->loaded, BLOCK_BIT(BLOCK_META) | BLOCK_BIT(BLOCK_KEY));
    assert_non_null(test_event(block, 0).key.data);
    assert_null(test_event(block, 0).payload.data);
    assert_ok(segment_read_block(segment, 1, BLOCK_BIT(BLOCK_PAY), block, &err));
    assert_non_null(test_event(block, 0).key.data);
    assert_non_null(test_event(block, 0).payload.data);
    assert_ok(segment_read_block(segment, 2, BLOCK_BIT(BLOCK_META), block, &err));
    assert_null(test_event(block, 0).key.data);
    assert_null(block->payloads.data);
    block_free(block);
    segment_close(segment);
}

static void
an_event_read_alone_is_the_same(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct segment *segment = test_open_segment(fixture->directory);
    struct block *whole = block_new();
    struct block *block = block_new();
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++) {
        assert_ok(segment_read_block(segment, i, BLOCK_ALL, whole, &err));
        for (uint32_t k = 0; k < whole->count; k += 1 + k / 8) {
            struct event event;
            struct event expected = test_event(whole, k);
            assert_ok(segment_read_event(segment, i, BLOCK_ALL, k, block, &event, &err));
            assert_int_equal(block->loaded, BLOCK_ALL & ~BLOCK_BIT(BLOCK_HDR));
            assert_int_equal(event.seq, expected.seq);
            assert_true(bytes_equal(event.key, expected.key));
            assert_true(bytes_equal(event.headers, expected.headers));
            assert_true(bytes_equal(event.payload, expected.payload));
        }
    }
    block_free(block);
    block_free(whole);
    segment_close(segment);
}

static void
a_block_of_a_closed_segment_is_not_taken_for_one_of_the_next(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct block *block = block_new();
    struct segment *segment = test_open_segment(fixture->directory);
    assert_ok(segment_read_block(segment, 0, BLOCK_ALL, block, &err));
    segment_close(segment);
    segment = test_open_segment(fixture->directory);
    assert_ok(segment_read_block(segment, 0, BLOCK_BIT(BLOCK_META), block, &err));
    assert_int_equal(block->loaded, BLOCK_BIT(BLOCK_META));
    assert_ptr_equal(test_event(block, 0).stream, segment_stream(segment, 0));
    segment_close(segment);
    block_free(block);
}

static const struct stream *
give_replacement(void *self, uint32_t id)
{
    return id == 0 ? self : NULL;
}

static void
events_point_to_the_streams_it_is_given(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct stream replacement = {0};
    struct block *block = block_new();
    struct segment *segment = test_open_segment(fixture->directory);
    segment_use_streams(segment, give_replacement, &replacement);
    assert_ok(segment_read_block(segment, 0, BLOCK_ALL, block, &err));
    assert_ptr_equal(test_event(block, 0).stream, &replacement);
    segment_close(segment);
    block_free(block);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_what_it_holds, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            an_event_read_alone_is_the_same, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(tells_its_lanes, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            gives_back_what_was_sealed, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            reads_only_what_is_wanted, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            a_block_of_a_closed_segment_is_not_taken_for_one_of_the_next, make_one_block,
            remove_fixture),
        cmocka_unit_test_setup_teardown(
            events_point_to_the_streams_it_is_given, make_several_blocks, remove_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
