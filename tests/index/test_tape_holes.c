/* tape_holes(): the holes of a stretch of the tape. */
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "index/batch.h"
#include "index/hole.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* A file with 100 events of partition 0 from offset `from` on, and behind 50 of them a hole of ten offsets. */
static void
add_file(const char *directory, int64_t from, bool seal)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer_sealing(directory, 0, seal);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    struct batch *batch = batch_new();
    test_append(writer, orders, 0, from, 50);
    batch_add_hole(batch,
        &(struct hole){
            .stream_id = orders->id, .from = from + 50, .to = from + 59, .reason = HOLE_DROPPED});
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    test_append(writer, orders, 0, from + 60, 50);
    tape_writer_close(writer);
}

static const struct lane_summary *
holes_of(struct tape *tape, uint64_t first_seq, uint64_t end_seq, struct tape_stretch *stretch)
{
    struct error err = {0};
    size_t count = 0;
    *stretch = (struct tape_stretch){first_seq, end_seq};
    const struct lane_summary *lanes = tape_holes(tape, stretch, &count, &err);
    assert_int_equal(count, 1);
    assert_string_equal(lanes[0].stream->label, "shop/orders");
    return lanes;
}

static void
expect_hole(const struct lane_summary *lane, size_t index, int64_t from, int64_t to,
    enum hole_reason reason)
{
    assert_true(index < lane->hole_count);
    assert_int_equal(lane->holes[index].from, from);
    assert_int_equal(lane->holes[index].to, to);
    assert_int_equal(lane->holes[index].reason, reason);
}

static void
those_of_a_journal_are_known_without_reading_its_events(void **state)
{
    struct tape_stretch stretch;
    add_file(*state, 0, false);
    struct tape *tape = test_open(*state);
    const struct lane_summary *lane = holes_of(tape, 0, 100, &stretch);
    assert_int_equal(lane->events, 0);
    assert_int_equal(lane->hole_count, 1);
    expect_hole(lane, 0, 50, 59, HOLE_DROPPED);
    assert_int_equal(stretch.end_seq, 100);
    tape_close(tape);
}

/* Of those in front of it is known where the lane is. */
static void
files_that_are_elsewhere_are_not_asked(void **state)
{
    struct tape_stretch stretch;
    for (int i = 0; i < 8; i++)
        add_file(*state, (int64_t)i * 1000, true);
    struct tape *tape = test_open(*state);
    const struct lane_summary *lane = holes_of(tape, 620, 650, &stretch);
    assert_int_equal(lane->hole_count, 1);
    expect_hole(lane, 0, 6050, 6059, HOLE_DROPPED);
    assert_int_equal(lane->first_offset, 2000);
    assert_int_equal(stretch.first_seq, 600);
    assert_int_equal(stretch.end_seq, 700);
    lane = holes_of(tape, 0, 1, &stretch);
    assert_int_equal(lane->hole_count, 1);
    assert_int_equal(stretch.end_seq, 100);
    tape_close(tape);
}

static void
a_file_that_is_gone_leaves_one(void **state)
{
    struct tape_stretch stretch;
    for (int i = 0; i < 8; i++)
        add_file(*state, (int64_t)i * 110, i < 7);
    char *path = alloc_format("%s/00000007.seg", (const char *)*state);
    assert_int_equal(unlink(path), 0);
    free(path);
    struct tape *tape = test_open(*state);
    const struct lane_summary *lane = holes_of(tape, 720, 800, &stretch);
    expect_hole(lane, lane->hole_count - 2, 660, 769, HOLE_UNKNOWN);
    expect_hole(lane, lane->hole_count - 1, 820, 829, HOLE_DROPPED);
    tape_close(tape);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(those_of_a_journal_are_known_without_reading_its_events),
        TEST(files_that_are_elsewhere_are_not_asked),
        TEST(a_file_that_is_gone_leaves_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
