/* What is broken in a file is a hole of its lanes, exactly. */
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/tape.h"
#include "index/tape_merge.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

#define LANES  4
#define ROUNDS 40
#define EACH   25
#define EVENTS (ROUNDS * EACH) /* of each lane */

/* Lanes 0 .. 3 of one stream in turns, of which lane 3 ends in the middle. */
static void
make_tape(const char *directory, bool is_sealed)
{
    struct tape_writer *writer =
        is_sealed ? test_writer_sealing(directory, 0, true) : test_writer(directory, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int round = 0; round < ROUNDS; round++) {
        for (int32_t lane = 0; lane < LANES; lane++) {
            if (lane < 3 || round < ROUNDS / 2)
                test_append(writer, orders, lane, (int64_t)round * EACH, EACH);
        }
    }
    tape_writer_close(writer);
}

/* Read all of it; seen[lane][offset] is set. */
static size_t
read_all(struct tape *tape, bool seen[LANES][EVENTS])
{
    struct error err = {0};
    struct event event;
    enum cursor_step step;
    size_t count = 0;
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_OFFSET});
    memset(seen, 0, sizeof(bool[LANES][EVENTS]));
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT || step == CURSOR_PAUSED) {
        if (step == CURSOR_EVENT) {
            seen[event.partition][event.offset] = true;
            count++;
        }
    }
    if (step == CURSOR_FAILED)
        fail_msg("%s", err.text);
    cursor_free(cursor);
    return count;
}

static bool
is_in_hole(const struct lane_summary *lane, int64_t offset)
{
    for (size_t i = 0; i < lane->hole_count; i++) {
        assert_int_equal(lane->holes[i].reason, HOLE_DAMAGED);
        if (lane->holes[i].from <= offset && offset <= lane->holes[i].to)
            return true;
    }
    return false;
}

static int64_t
last_known(const struct lane_summary *lane)
{
    int64_t last = lane->events > 0 ? lane->last_offset : -1;
    for (size_t i = 0; i < lane->hole_count; i++)
        last = lane->holes[i].to > last ? lane->holes[i].to : last;
    return last;
}

/* Each offset up to the last one known of a lane is an event or in a hole, and not both. Returns how many are in holes. */
static size_t
expect_exact_holes(struct tape *tape, size_t at)
{
    struct error err = {0};
    static bool seen[LANES][EVENTS];
    size_t missing = 0;
    size_t lane_count;
    (void)read_all(tape, seen);
    const struct lane_summary *lanes = tape_lanes(tape, &lane_count, &err);
    for (size_t i = 0; i < lane_count; i++) {
        for (int64_t offset = 0; offset <= last_known(&lanes[i]); offset++) {
            bool is_hole = is_in_hole(&lanes[i], offset);
            if (is_hole == seen[lanes[i].partition][offset])
                fail_msg("flip at %zu: lane %d offset %lld is %s", at, (int)lanes[i].partition,
                    (long long)offset, is_hole ? "an event and in a hole" : "neither");
            missing += is_hole;
        }
    }
    return missing;
}

/* Break each of so many places of the file in turn. Returns how many of them made holes. */
static size_t
flip_places(const char *directory, const char *name, double from, double until, size_t step)
{
    struct error err = {0};
    struct buffer whole = {0};
    size_t made = 0;
    char *path = alloc_format("%s/%s", directory, name);
    assert_ok(file_read_whole(path, (size_t)1 << 24, &whole, &err));
    for (size_t at = (size_t)((double)whole.length * from);
         at < (size_t)((double)whole.length * until); at += step) {
        whole.data[at] ^= 0x10;
        assert_ok(file_replace(path, whole.data, whole.length, &err));
        whole.data[at] ^= 0x10;
        struct tape *tape = test_open(directory);
        made += expect_exact_holes(tape, at) > 0;
        tape_close(tape);
    }
    assert_ok(file_replace(path, whole.data, whole.length, &err));
    buffer_done(&whole);
    free(path);
    return made;
}

static void
a_broken_block_is_a_hole_of_each_of_its_lanes(void **state)
{
    make_tape(*state, true);
    assert_true(flip_places(*state, "00000001.seg", 0.01, 0.5, 1499) > 4);
    struct tape *tape = test_open(*state);
    assert_int_equal(expect_exact_holes(tape, 0), 0);
    tape_close(tape);
}

/* What a lane lost where it began, or behind which it does not go on, nobody knows: those frames stay whole. */
static void
a_broken_frame_is_a_hole_of_the_lanes_that_go_on(void **state)
{
    make_tape(*state, false);
    assert_true(flip_places(*state, "00000001.jnl", 0.1, 0.4, 3989) > 4);
}

/* The copy is whole, and knows what it has not. */
static void
a_merge_takes_the_holes_along(void **state)
{
    struct error err = {0};
    struct buffer whole = {0};
    char *source = alloc_format("%s/source", (char *)*state);
    char *target = alloc_format("%s/target", (char *)*state);
    char *path = alloc_format("%s/00000001.seg", source);
    make_tape(source, true);
    assert_ok(file_read_whole(path, (size_t)1 << 24, &whole, &err));
    whole.data[whole.length / 4] ^= 0x10;
    assert_ok(file_replace(path, whole.data, whole.length, &err));

    struct tape *tape = test_open(source);
    struct tape_writer *writer = test_writer_sealing(target, 0, true);
    struct tape_merge_counts counts = {0};
    assert_ok(tape_merge(writer,
        &(struct tape_merge_options){.tapes = (struct tape *const[]){tape}, .tape_count = 1},
        &counts, &err));
    tape_writer_close(writer);
    size_t missing = expect_exact_holes(tape, whole.length / 4);
    assert_true(missing > 0);
    tape_close(tape);

    tape = test_open(target);
    assert_int_equal(expect_exact_holes(tape, 0), missing);
    tape_close(tape);
    buffer_done(&whole);
    free(path);
    free(source);
    free(target);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_broken_block_is_a_hole_of_each_of_its_lanes),
        TEST(a_broken_frame_is_a_hole_of_the_lanes_that_go_on),
        TEST(a_merge_takes_the_holes_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
