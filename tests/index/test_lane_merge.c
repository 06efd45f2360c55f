
#include "index/batch.h"
#include "index/cursor.h"
#include "index/ordered_walk.h"
#include "index/query.h"
#include "index/tape.h"
#include "tests/support/index_segments.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

#define PARTITIONS 4
#define EVENTS     UINT64_C(2250)

/* Events of 12 lanes, with offsets that come in any order, more than once and in more than one part. */
static void
write_some(struct tape_writer *writer, uint64_t *random, int batches)
{
    static const char *const names[] = {"orders", "payments", "prices"};
    for (int i = 0; i < batches; i++) {
        struct error err = {0};
        struct batch *batch = batch_new();
        for (int k = 0; k < 30; k++) {
            struct made_event made;
            const struct stream *stream =
                tape_writer_stream(writer, "shop", names[test_random(random) % 3]);
            made_event_fill(&made, stream, (int32_t)(test_random(random) % PARTITIONS),
                (int64_t)(test_random(random) % 400));
            assert_ok(batch_add(batch, &made.event, &err));
            made_event_done(&made);
        }
        assert_ok(tape_writer_append(writer, batch, &err));
        batch_release(batch);
    }
}

/* Sealed parts, and journals behind them. */
static void
write_tape(const char *directory)
{
    uint64_t random = 7;
    struct tape_writer *writer = test_writer_sealing(directory, 8000, true);
    write_some(writer, &random, 60);
    tape_writer_close(writer);
    writer = test_writer(directory, 8000);
    write_some(writer, &random, 15);
    tape_writer_close(writer);
}

static struct walk_place
place_of(const struct event *event, enum cursor_order order)
{
    if (order == CURSOR_BY_TIME)
        return (struct walk_place){event_time(event), 0, event->seq, true};
    return (struct walk_place){
        walk_lane(event->stream->id, event->partition), event->offset, event->seq, true};
}

static uint64_t
count_matches(struct tape *tape, const struct query *query, enum cursor_order order)
{
    struct error err = {0};
    struct cursor_options options = {.query = query, .order = order};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    struct walk_place before = {INT64_MIN, INT64_MIN, 0, false};
    uint64_t count = 0;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 50, &event, &err)) != CURSOR_END) {
        if (step == CURSOR_FAILED)
            fail_msg("%s", err.text);
        if (step == CURSOR_PAUSED)
            continue;
        struct walk_place place = place_of(&event, order);
        assert_made_event(&event);
        if (order != CURSOR_BY_SEQ)
            assert_true(walk_place_compare(&before, &place) < 0);
        before = place;
        count++;
    }
    struct cursor_progress progress;
    cursor_progress(cursor, &progress);
    assert_int_equal(progress.matched, count);
    cursor_free(cursor);
    return count;
}

static void
expect_the_same_in_all_orders(const char *directory, const char *text, uint64_t at_least)
{
    struct error err = {0};
    struct query *query = query_compile(text, 0, NULL, &err);
    assert_non_null(query);
    struct tape *tape = test_open(directory);
    uint64_t by_seq = count_matches(tape, query, CURSOR_BY_SEQ);
    assert_true(by_seq >= at_least);
    assert_int_equal(count_matches(tape, query, CURSOR_BY_OFFSET), by_seq);
    assert_int_equal(count_matches(tape, query, CURSOR_BY_TIME), by_seq);
    tape_close(tape);
    query_free(query);
}

static void
gives_every_event_once_in_its_order(void **state)
{
    write_tape(*state);
    expect_the_same_in_all_orders(*state, "", EVENTS);
}

static void
gives_what_a_query_asks_for(void **state)
{
    write_tape(*state);
    expect_the_same_in_all_orders(*state, "stream=payments partition=2", 100);
    expect_the_same_in_all_orders(*state, "offset>=100 offset<=199", 300);
    expect_the_same_in_all_orders(*state, "key=k-17", 1);
    expect_the_same_in_all_orders(*state, "payload~\"\\\"n\\\":39\" not partition=0", 10);
    expect_the_same_in_all_orders(*state, "seq>=400 seq<700", 300);
    expect_the_same_in_all_orders(*state, "stream=nothing", 0);
}

/* A walk that was begun on a journal goes on when it is a segment meanwhile. */
static void
seal_while_walking(const char *directory, enum cursor_order order)
{
    struct error err = {0};
    uint64_t count = 0;
    write_tape(directory);
    struct tape *tape = test_open(directory);
    struct cursor_options options = {.order = order};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    enum cursor_step step = cursor_next(cursor, 1, &event, &err);
    assert_int_equal(step, CURSOR_PAUSED);
    tape_writer_close(test_writer_sealing(directory, 0, true)); /* seals the journals */
    assert_ok(tape_refresh(tape, &err));

    struct walk_place before = {INT64_MIN, INT64_MIN, 0, false};
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT) {
        struct walk_place place = place_of(&event, order);
        assert_true(walk_place_compare(&before, &place) < 0);
        before = place;
        count++;
    }
    assert_int_equal(step, CURSOR_END);
    assert_int_equal(count, EVENTS);
    cursor_free(cursor);
    tape_close(tape);
}

static void
is_not_disturbed_by_sealing(void **state)
{
    seal_while_walking(*state, CURSOR_BY_OFFSET);
}

static void
is_not_disturbed_by_sealing_by_time(void **state)
{
    seal_while_walking(*state, CURSOR_BY_TIME);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            gives_every_event_once_in_its_order, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            gives_what_a_query_asks_for, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            is_not_disturbed_by_sealing, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            is_not_disturbed_by_sealing_by_time, temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
