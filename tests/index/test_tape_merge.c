/* Several tapes as one. */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/hole.h"
#include "index/retention.h"
#include "index/tape.h"
#include "index/tape_merge.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

struct setting {
    char *directory[3]; /* two tapes, and what becomes of them */
    struct tape *tapes[2];
    bool (*should_stop)(void);
    struct tape_merge_counts counts;
    uint64_t missed_files; /* of the first tape */
};

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    for (int i = 0; i < 3; i++)
        setting->directory[i] = temp_directory_new();
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    for (int i = 0; i < 3; i++)
        temp_directory_remove(setting->directory[i]);
    free(setting);
    return 0;
}

static void
put(struct setting *setting, int which, const char *stream, int32_t partition, int64_t from,
    int count)
{
    struct tape_writer *writer = test_writer(setting->directory[which], 0);
    test_append(writer, tape_writer_stream(writer, "shop", stream), partition, from, count);
    tape_writer_close(writer);
}

static void
put_hole(struct setting *setting, int which, int64_t from, int64_t to, enum hole_reason reason)
{
    struct error err;
    struct tape_writer *writer = test_writer(setting->directory[which], 0);
    struct batch *batch = batch_new();
    struct hole hole = {.stream_id = tape_writer_stream(writer, "shop", "orders")->id,
        .from = from,
        .to = to,
        .reason = reason,
        .noticed_ns = 1};
    batch_add_hole(batch, &hole);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
}

static bool
merge(struct setting *setting, const char *into_tap, struct error *err)
{
    for (int i = 0; i < 2; i++)
        setting->tapes[i] = test_open(setting->directory[i]);
    struct tape_writer *writer = test_writer(setting->directory[2], 0);
    bool good = tape_merge(writer,
        &(struct tape_merge_options){.tapes = setting->tapes,
            .tape_count = 2,
            .into_tap = into_tap,
            .should_stop = setting->should_stop},
        &setting->counts, err);
    tape_writer_close(writer);
    setting->missed_files = tape_missed_files(setting->tapes[0]);
    for (int i = 0; i < 2; i++)
        tape_close(setting->tapes[i]);
    return good;
}

static void
merge_well(struct setting *setting)
{
    struct error err;
    assert_ok(merge(setting, NULL, &err));
}

/* "LABEL[PARTITION] EVENTS FROM-TO REASON:FROM-TO ..." of each lane of what came of it. */
static char *
result(struct setting *setting)
{
    struct error err;
    struct buffer text = {0};
    struct tape *tape = test_open(setting->directory[2]);
    size_t count;
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    assert_ok(lanes != NULL);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&text, "%s%s[%d] %llu %lld-%lld", i == 0 ? "" : "; ", lanes[i].stream->label,
            lanes[i].partition, (unsigned long long)lanes[i].events,
            (long long)lanes[i].first_offset, (long long)lanes[i].last_offset);
        for (size_t h = 0; h < lanes[i].hole_count; h++)
            buffer_printf(&text, " %s:%lld-%lld", hole_reason_text(lanes[i].holes[h].reason),
                (long long)lanes[i].holes[h].from, (long long)lanes[i].holes[h].to);
    }
    (void)test_count_all(tape, 0);
    tape_close(tape);
    char *copy = alloc_text(buffer_text(&text));
    buffer_done(&text);
    return copy;
}

static void
expect_result(struct setting *setting, const char *wanted)
{
    char *seen = result(setting);
    assert_string_equal(seen, wanted);
    free(seen);
}

static void
one_fills_the_hole_of_the_other(void **state)
{
    struct setting *setting = *state;
    put(setting, 0, "orders", 0, 0, 10);
    put_hole(setting, 0, 10, 19, HOLE_NOT_RECORDED);
    put(setting, 0, "orders", 0, 20, 10);
    put_hole(setting, 1, 0, 7, HOLE_NOT_RECORDED);
    put(setting, 1, "orders", 0, 8, 14);
    merge_well(setting);
    expect_result(setting, "shop/orders[0] 30 0-29");
    assert_int_equal(setting->counts.taken, 30);
    assert_int_equal(setting->counts.duplicates, 4);
    assert_int_equal(setting->counts.conflicts, 0);
    assert_int_equal(setting->counts.holes, 0);
}

static void
what_nobody_has_stays_a_hole(void **state)
{
    struct setting *setting = *state;
    put(setting, 0, "orders", 0, 0, 10);
    put(setting, 1, "orders", 0, 15, 5);
    merge_well(setting);
    expect_result(setting, "shop/orders[0] 15 0-19 NOT_RECORDED:10-14");
}

static void
the_one_who_knows_most_says_why(void **state)
{
    struct setting *setting = *state;
    put(setting, 0, "orders", 0, 0, 10);
    put_hole(setting, 0, 10, 29, HOLE_NOT_RECORDED);
    put(setting, 0, "orders", 0, 30, 1);
    put_hole(setting, 1, 0, 11, HOLE_RETENTION);
    put(setting, 1, "orders", 0, 12, 3);
    put_hole(setting, 1, 15, 15, HOLE_COMPACTED_OR_ABORTED);
    put(setting, 1, "orders", 0, 16, 1);
    put_hole(setting, 1, 17, 18, HOLE_DROPPED);
    merge_well(setting);
    expect_result(setting, "shop/orders[0] 15 0-30 RETENTION:10-11 COMPACTED_OR_ABORTED:15-15 "
                           "DROPPED:17-18 NOT_RECORDED:19-29");
}

/* The tape that is read while retention deletes all but its newest file, behind the first batch. */
static const char *overtaken;

static bool
delete_all_but_the_newest(void)
{
    struct error err;
    struct retention retention = {.keep_bytes = 1, .keep_newest = true};
    struct retention_result result;
    assert_ok(retention_apply(overtaken, &retention, 0, false, &result, &err));
    return false;
}

static void
what_retention_deletes_meanwhile_is_a_hole(void **state)
{
    struct setting *setting = *state;
    const int each = 3000; /* more than a batch */
    for (int64_t from = 0; from < (int64_t)5 * each; from += each) {
        struct tape_writer *writer = test_writer_sealing(setting->directory[0], 0, true);
        test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, from, each);
        if (from == each) /* only in a file that is not reached */
            test_append(writer, tape_writer_stream(writer, "shop", "refunds"), 0, 0, 10);
        tape_writer_close(writer);
    }
    put(setting, 1, "payments", 0, 0, 1);
    overtaken = setting->directory[0];
    setting->should_stop = delete_all_but_the_newest;
    merge_well(setting);
    expect_result(setting, "shop/orders[0] 6000 0-14999 RETENTION:3000-11999; "
                           "shop/payments[0] 1 0-0; shop/refunds[0] 0 0-0 RETENTION:0-9");
    assert_int_equal(setting->missed_files, 3);
    assert_int_equal(setting->counts.taken, 6001);
    assert_int_equal(setting->counts.holes, 2);
}

static void
holes_stay_at_both_ends(void **state)
{
    struct setting *setting = *state;
    put_hole(setting, 0, 0, 4, HOLE_RETENTION);
    put(setting, 0, "orders", 0, 5, 5);
    put_hole(setting, 0, 10, 12, HOLE_DROPPED);
    put_hole(setting, 1, 2, 6, HOLE_NOT_RECORDED);
    put(setting, 1, "orders", 0, 7, 1);
    put_hole(setting, 1, 20, -1, HOLE_UNKNOWN);
    merge_well(setting);
    expect_result(setting, "shop/orders[0] 5 5-9 RETENTION:0-4 DROPPED:10-12 NOT_RECORDED:13-19 "
                           "UNKNOWN:20--1");
}

static void
a_hole_may_reach_to_the_last_offset_there_is(void **state)
{
    struct setting *setting = *state;
    put(setting, 0, "orders", 0, 0, 3);
    put_hole(setting, 0, 3, INT64_MAX, HOLE_DROPPED);
    put(setting, 1, "orders", 0, 0, 5);
    put_hole(setting, 1, 5, INT64_MAX, HOLE_UNKNOWN);
    merge_well(setting);
    expect_result(setting, "shop/orders[0] 5 0-4 DROPPED:5-9223372036854775807");
}

static void
lanes_of_one_tape_are_taken_over(void **state)
{
    struct setting *setting = *state;
    put(setting, 0, "payments", 3, 100, 5);
    put(setting, 1, "orders", 1, 7, 2);
    put(setting, 1, "payments", 2, 50, 5);
    merge_well(setting);
    expect_result(
        setting, "shop/orders[1] 2 7-8; shop/payments[2] 5 50-54; shop/payments[3] 5 100-104");
    assert_int_equal(setting->counts.duplicates, 0);
}

static void
merging_again_takes_nothing_twice(void **state)
{
    struct setting *setting = *state;
    put(setting, 0, "orders", 0, 0, 10);
    put(setting, 1, "orders", 0, 15, 5);
    merge_well(setting);
    merge_well(setting);
    assert_int_equal(setting->counts.taken, 0);
    assert_int_equal(setting->counts.skipped, 15);
    assert_int_equal(setting->counts.holes, 0);
    expect_result(setting, "shop/orders[0] 15 0-19 NOT_RECORDED:10-14");
}

static void
append_other(struct setting *setting, int which, int64_t offset, const char *payload, bool counted)
{
    struct error err;
    struct tape_writer *writer = test_writer(setting->directory[which], 0);
    struct batch *batch = batch_new();
    struct event event = {.stream = tape_writer_stream(writer, "shop", "other"),
        .offset = offset,
        .received_ns = 1,
        .time_ns = CLOCK_NONE,
        .offset_is_synthetic = counted,
        .payload = bytes_of(payload)};
    assert_ok(batch_add(batch, &event, &err));
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
}

static void
an_event_may_have_the_last_offset_there_is(void **state)
{
    struct setting *setting = *state;
    append_other(setting, 0, INT64_MAX, "x", false);
    append_other(setting, 1, INT64_MAX, "x", false);
    merge_well(setting);
    assert_int_equal(setting->counts.taken, 1);
    assert_int_equal(setting->counts.duplicates, 1);
    assert_int_equal(setting->counts.holes, 0);
}

static void
the_first_tape_wins_where_contents_differ(void **state)
{
    struct setting *setting = *state;
    append_other(setting, 0, 4, "first", false);
    append_other(setting, 1, 4, "second", false);
    merge_well(setting);
    assert_int_equal(setting->counts.duplicates, 1);
    assert_int_equal(setting->counts.conflicts, 1);
    struct error err;
    struct event event;
    struct tape *tape = test_open(setting->directory[2]);
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){0});
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
    assert_true(bytes_equal_text(event.payload, "first"));
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_END);
    cursor_free(cursor);
    tape_close(tape);
}

static void
offsets_of_our_own_are_not_mixed(void **state)
{
    struct setting *setting = *state;
    struct error err;
    append_other(setting, 0, 0, "a", true);
    append_other(setting, 1, 0, "b", true);
    assert_false(merge(setting, NULL, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "shop/other"));
}

static void
taps_can_become_one(void **state)
{
    struct setting *setting = *state;
    struct error err;
    put(setting, 0, "orders", 0, 0, 3);
    struct tape_writer *writer = test_writer(setting->directory[1], 0);
    test_append(writer, tape_writer_stream(writer, "shop-2", "orders"), 0, 2, 3);
    tape_writer_close(writer);
    assert_ok(merge(setting, "all", &err));
    expect_result(setting, "all/orders[0] 5 0-4");
    assert_int_equal(setting->counts.duplicates, 1);
}

#define MERGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        MERGE_TEST(one_fills_the_hole_of_the_other),
        MERGE_TEST(what_nobody_has_stays_a_hole),
        MERGE_TEST(the_one_who_knows_most_says_why),
        MERGE_TEST(what_retention_deletes_meanwhile_is_a_hole),
        MERGE_TEST(holes_stay_at_both_ends),
        MERGE_TEST(a_hole_may_reach_to_the_last_offset_there_is),
        MERGE_TEST(an_event_may_have_the_last_offset_there_is),
        MERGE_TEST(lanes_of_one_tape_are_taken_over),
        MERGE_TEST(merging_again_takes_nothing_twice),
        MERGE_TEST(the_first_tape_wins_where_contents_differ),
        MERGE_TEST(offsets_of_our_own_are_not_mixed),
        MERGE_TEST(taps_can_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
