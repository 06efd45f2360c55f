#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "index/catalogue.h"
#include "index/cursor.h"
#include "index/deletions.h"
#include "index/lanes.h"
#include "index/retention.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* Five segments, 00000001.seg to 00000005.seg, each of 100 events of orders[0]: offsets and seqs 0 .. 499. */
#define SEGMENTS 5
#define EACH     100
#define LATER_NS (INT64_C(4000000000) * NS_PER_S)

static void
add_segment(const char *directory, const char *stream, int64_t from)
{
    struct tape_writer *writer = test_writer_sealing(directory, 0, true);
    test_append(writer, tape_writer_stream(writer, "shop", stream), 0, from, EACH);
    tape_writer_close(writer);
}

static int
set_up(void **state)
{
    *state = temp_directory_new();
    for (int64_t i = 0; i < SEGMENTS; i++)
        add_segment(*state, "orders", i * EACH);
    return 0;
}

/* Keep no more than the `count` newest of the segments that are there, and what is pinned. */
static void
keep(const char *directory, int count)
{
    struct error err = {0};
    struct retention all = {.keep_bytes = 1};
    struct retention_result result;
    assert_ok(retention_apply(directory, &all, LATER_NS, true, &result, &err));
    uint64_t each = result.deleted_bytes / result.deleted_files;
    struct retention rules = {.keep_bytes = each * (uint64_t)count + each / 2, .keep_newest = true};
    assert_ok(retention_apply(directory, &rules, LATER_NS, false, &result, &err));
}

static char *
path_of(const char *directory, const char *name)
{
    return alloc_format("%s/%s", directory, name);
}

static void
remove_by_hand(const char *directory, const char *name)
{
    char *path = path_of(directory, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static struct buffer
content_of(const char *directory, const char *name)
{
    struct error err = {0};
    struct buffer content = {0};
    char *path = path_of(directory, name);
    assert_ok(file_read_whole(path, (size_t)1 << 20, &content, &err));
    free(path);
    return content;
}

static void
put_content(const char *directory, const char *name, const struct buffer *content)
{
    struct error err = {0};
    char *path = path_of(directory, name);
    assert_ok(file_replace(path, content->data, content->length, &err));
    free(path);
}

/* "orders[0] 200-499 RETENTION:0-199" for each lane, in order, then the number of damaged places. */
static void
expect(const char *directory, const char *expected)
{
    struct error err = {0};
    struct buffer text = {0};
    const struct tape_damage *damage;
    size_t count;
    struct tape *tape = test_open(directory);
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&text, "%s[%d]", lanes[i].stream->name, lanes[i].partition);
        if (lanes[i].events > 0)
            buffer_printf(
                &text, " %" PRId64 "-%" PRId64, lanes[i].first_offset, lanes[i].last_offset);
        for (size_t k = 0; k < lanes[i].hole_count; k++) {
            const struct hole *hole = &lanes[i].holes[k];
            buffer_printf(&text, " %s:%" PRId64 "-%" PRId64, hole_reason_text(hole->reason),
                hole->from, hole->to);
            assert_int_equal(hole->was_here, hole->reason == HOLE_RETENTION);
        }
        buffer_append_text(&text, "; ");
    }
    size_t places = tape_damage(tape, &damage);
    if (places > 0)
        buffer_printf(&text, "damaged: %zu", places);
    if (strcmp(buffer_text(&text), expected) != 0)
        fail_msg("'%s', %s", buffer_text(&text), places > 0 ? damage[0].text : "no damage");
    buffer_done(&text);
    tape_close(tape);
}

static void
what_was_deleted_is_a_hole_with_its_times(void **state)
{
    struct error err = {0};
    size_t count;
    expect(*state, "orders[0] 0-499; ");
    keep(*state, 3);
    expect(*state, "orders[0] 200-499 RETENTION:0-199; ");
    struct tape *tape = test_open(*state);
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    const struct hole *hole = &lanes[0].holes[0];
    assert_int_equal(hole->first_ns, 1000 * NS_PER_S);
    assert_int_equal(hole->last_ns, 1000 * NS_PER_S + 199 * NS_PER_MS);
    assert_int_equal(hole->noticed_ns, LATER_NS);
    tape_close(tape);
}

static void
deleting_more_makes_one_hole_of_it(void **state)
{
    keep(*state, 4);
    keep(*state, 3);
    keep(*state, 1);
    expect(*state, "orders[0] 400-499 RETENTION:0-399; ");
    struct deletions record;
    struct error err = {0};
    assert_ok(deletions_read(*state, &record, &err));
    assert_int_equal(record.count, 1);
    assert_int_equal(lanes_count(record.runs[0].lanes), 1);
    deletions_done(&record);
}

static void
is_known_without_the_catalogue_and_after_it_was_made_again(void **state)
{
    struct error err = {0};
    struct catalogue_counts counts;
    keep(*state, 2);
    remove_by_hand(*state, "catalogue.db");
    expect(*state, "orders[0] 300-499 RETENTION:0-299; ");
    assert_ok(catalogue_rebuild_alone(*state, &counts, &err));
    expect(*state, "orders[0] 300-499 RETENTION:0-299; ");
}

static void
a_reader_that_has_the_tape_open_learns_it(void **state)
{
    struct error err = {0};
    size_t count;
    struct tape *tape = test_open(*state);
    keep(*state, 3);
    assert_ok(tape_refresh(tape, &err));
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    assert_int_equal(lanes[0].hole_count, 1);
    assert_int_equal(lanes[0].holes[0].to, 199);
    tape_close(tape);
}

static void
what_is_pinned_stays_between(void **state)
{
    struct error err = {0};
    assert_ok(retention_pin(*state, "mark", 150, 160, &err));
    keep(*state, 1);
    expect(*state, "orders[0] 100-499 RETENTION:0-99 RETENTION:200-399; ");
    assert_ok(retention_unpin(*state, "mark", &err));
    keep(*state, 1);
    expect(*state, "orders[0] 400-499 RETENTION:0-399; ");
}

static void
a_file_that_is_recorded_but_there_after_a_crash_is_believed(void **state)
{
    struct buffer second = content_of(*state, "00000002.seg");
    keep(*state, 3);
    put_content(*state, "00000002.seg", &second);
    buffer_done(&second);
    expect(*state, "orders[0] 100-499 RETENTION:0-99; ");
    keep(*state, 3);
    expect(*state, "orders[0] 200-499 RETENTION:0-199; ");
}

static void
what_vanished_without_a_record_is_missed(void **state)
{
    keep(*state, 4);
    remove_by_hand(*state, "00000002.seg");
    remove_by_hand(*state, "00000004.seg");
    expect(*state, "orders[0] 200-499 RETENTION:0-99 UNKNOWN:100-199 UNKNOWN:300-399; damaged: 2");
}

/* The tape begins behind it: what is older than what retention takes is of no interest any more. */
static void
retention_passes_over_what_is_missing_before_it(void **state)
{
    remove_by_hand(*state, "00000001.seg");
    remove_by_hand(*state, "00000003.seg");
    keep(*state, 2);
    expect(*state, "orders[0] 300-499 RETENTION:100-199 UNKNOWN:200-299; damaged: 1");
}

static void
a_recorder_goes_on_behind_a_stream_of_which_nothing_is_left(void **state)
{
    add_segment(*state, "payments", 0);
    keep(*state, 1);
    expect(*state, "orders[0] RETENTION:0-499; payments[0] 0-99; ");
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    const struct stream *orders = tape_writer_find_stream(writer, "shop", "orders");
    assert_non_null(orders);
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), 499);
    tape_writer_close(writer);
    add_segment(*state, "orders", 500);
    expect(*state, "orders[0] 500-599 RETENTION:0-499; payments[0] 0-99; ");
}

static void
a_broken_record_is_named_and_begun_anew(void **state)
{
    keep(*state, 4);
    struct buffer file = content_of(*state, "deletions");
    for (size_t i = 0; i < file.length; i++) {
        struct deletions record;
        struct error err = {0};
        file.data[i] ^= 0x41;
        assert_false(deletions_decode(&record, "record", bytes_make(file.data, file.length), &err));
        file.data[i] ^= 0x41;
        assert_false(deletions_decode(&record, "record", bytes_make(file.data, i), &err));
    }
    file.data[file.length - 1] ^= 1;
    put_content(*state, "deletions", &file);
    buffer_done(&file);
    expect(*state, "orders[0] 100-499 UNKNOWN:0-99; damaged: 2");
    keep(*state, 3);
    expect(*state, "orders[0] 200-499 RETENTION:100-199; ");
}

static void
the_record_of_another_tape_stops_deleting(void **state)
{
    struct error err = {0};
    struct retention rules = {.keep_bytes = 1, .keep_newest = true};
    struct retention_result result;
    void *other = NULL;
    (void)set_up(&other);
    keep(other, 1);
    struct buffer file = content_of(other, "deletions");
    put_content(*state, "deletions", &file);
    buffer_done(&file);
    (void)temp_directory_tear_down(&other);
    assert_false(retention_apply(*state, &rules, LATER_NS, false, &result, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    assert_int_equal(result.deleted_files, 0);
    expect(*state, "orders[0] 0-499; damaged: 1");
}

static void
is_bounded_by_joining_the_oldest_runs(void **state)
{
    struct deletions record = {0};
    struct error err = {0};
    for (uint64_t i = 0; i < 2 * (uint64_t)DELETIONS_RUNS_MAX; i++)
        deletions_add_run(&record, &(struct deletion_run){i * 10, i * 10 + 5, 0, lanes_new()});
    assert_int_equal(record.count, DELETIONS_RUNS_MAX);
    assert_int_equal(record.runs[0].first_seq, 0);
    assert_int_equal(deletions_end_seq(&record), (2 * (uint64_t)DELETIONS_RUNS_MAX - 1) * 10 + 5);
    assert_ok(deletions_write(*state, &record, &err));
    deletions_done(&record);
    assert_ok(deletions_read(*state, &record, &err));
    assert_int_equal(record.count, DELETIONS_RUNS_MAX);
    deletions_done(&record);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_deleted_is_a_hole_with_its_times),
        TEST(deleting_more_makes_one_hole_of_it),
        TEST(is_known_without_the_catalogue_and_after_it_was_made_again),
        TEST(a_reader_that_has_the_tape_open_learns_it),
        TEST(what_is_pinned_stays_between),
        TEST(a_file_that_is_recorded_but_there_after_a_crash_is_believed),
        TEST(what_vanished_without_a_record_is_missed),
        TEST(retention_passes_over_what_is_missing_before_it),
        TEST(a_recorder_goes_on_behind_a_stream_of_which_nothing_is_left),
        TEST(a_broken_record_is_named_and_begun_anew),
        TEST(the_record_of_another_tape_stops_deleting),
        TEST(is_bounded_by_joining_the_oldest_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
