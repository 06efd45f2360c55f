#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/record.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

static void
reads_back_what_was_written(void **state)
{
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    const struct stream *payments = tape_writer_stream(writer, "shop", "payments");
    test_append(writer, orders, 0, 0, 100);
    test_append(writer, payments, 3, 500, 50);

    struct tape *tape = test_open(*state);
    assert_int_equal(tape_end_seq(tape), 150);
    assert_int_equal(tape_stream_count(tape), 2);
    assert_string_equal(tape_stream(tape, 1)->label, "shop/payments");
    assert_int_equal(test_count_all(tape, 0), 150);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
sees_what_is_appended_after_it_was_opened(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 20000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_END);

    /* Journals roll several times meanwhile. */
    for (int64_t offset = 0; offset < 2000; offset += 40) {
        test_append(writer, orders, 0, offset, 40);
        assert_ok(tape_refresh(tape, &err));
        for (int64_t i = 0; i < 40; i++) {
            assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
            assert_int_equal(event.offset, offset + i);
        }
        assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_END);
    }
    cursor_free(cursor);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
walks_newest_first(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 20000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 1000; offset += 25)
        test_append(writer, orders, 0, offset, 25);
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ, .newest_first = true};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    for (int64_t offset = 999; offset >= 0; offset--) {
        assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
        assert_int_equal(event.seq, offset);
        assert_made_event(&event);
    }
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_END);
    cursor_free(cursor);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
sorts_by_offset_and_by_time(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 20000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 500; offset += 10) {
        test_append(writer, orders, 1, offset, 10);
        test_append(writer, orders, 0, offset, 10);
    }
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_OFFSET};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
        assert_int_equal(event.partition, i / 500);
        assert_int_equal(event.offset, i % 500);
        assert_made_event(&event);
    }
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_END);
    cursor_free(cursor);

    options.order = CURSOR_BY_TIME;
    cursor = cursor_new(tape, &options);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
        assert_int_equal(event.offset, i / 2);
    }
    cursor_free(cursor);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
pauses_when_the_budget_is_used_up(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 1000; offset += 10)
        test_append(writer, orders, 0, offset, 10);
    struct query *query = query_compile("key=k-999", 0, NULL, &err);
    assert_non_null(query);
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.query = query, .order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    int pauses = 0;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 100, &event, &err)) == CURSOR_PAUSED)
        pauses++;
    assert_int_equal(step, CURSOR_EVENT);
    assert_int_equal(event.offset, 999);
    assert_in_range(pauses, 8, 10);
    cursor_free(cursor);
    query_free(query);
    tape_close(tape);
    tape_writer_close(writer);
}

static uint64_t
count_ordered(struct tape *tape, const char *text, enum cursor_order order)
{
    struct error err = {0};
    struct query *query = text == NULL ? NULL : query_compile(text, 0, NULL, &err);
    struct cursor_options options = {.query = query, .order = order};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    uint64_t count = 0;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT)
        count++;
    assert_int_equal(step, CURSOR_END);
    cursor_free(cursor);
    query_free(query);
    return count;
}

/* By every kind of file and every order of walking. */
static void
internal_streams_are_walked_only_when_named(void **state)
{
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    const struct stream *lag = tape_writer_stream(writer, "shop", "@lag");
    for (int64_t offset = 0; offset < 60; offset += 10) {
        test_append(writer, orders, 0, offset, 10);
        test_append(writer, lag, 0, offset, 5);
    }
    for (int is_sealed = 0; is_sealed < 2; is_sealed++) {
        struct tape *tape = test_open(*state);
        assert_int_equal(tape_end_seq(tape), 90);
        static const enum cursor_order orders_of_walking[] = {
            CURSOR_BY_SEQ, CURSOR_BY_TIME, CURSOR_BY_OFFSET};
        for (size_t i = 0; i < 3; i++) {
            enum cursor_order by = orders_of_walking[i];
            assert_int_equal(count_ordered(tape, NULL, by), 60);
            assert_int_equal(count_ordered(tape, "", by), 60);
            assert_int_equal(count_ordered(tape, "tap=shop", by), 60);
            assert_int_equal(count_ordered(tape, "stream=@lag", by), 30);
            assert_int_equal(count_ordered(tape, "stream in (@lag, orders)", by), 90);
        }
        tape_close(tape);
        tape_writer_close(writer); /* seals */
        writer = NULL;
    }
}

static void
goes_on_where_the_tape_ends(void **state)
{
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    assert_int_equal(tape_writer_checkpoint(writer, orders, 2), -1);
    test_append(writer, orders, 2, 0, 42);
    tape_writer_close(writer);

    writer = test_writer(*state, 0);
    const struct stream *again = tape_writer_stream(writer, "shop", "orders");
    assert_int_equal(again->id, 0);
    assert_int_equal(tape_writer_checkpoint(writer, again, 2), 41);
    assert_int_equal(tape_writer_checkpoint(writer, again, 0), -1);
    assert_int_equal(tape_writer_last_partition(writer, again), 2);
    assert_int_equal(tape_writer_end_seq(writer), 42);
    assert_null(tape_writer_repairs(writer));
    test_append(writer, again, 2, 42, 8);
    struct tape *tape = test_open(*state);
    assert_int_equal(test_count_all(tape, 0), 50);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
a_hole_is_where_the_tap_goes_on_behind(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    struct batch *batch = batch_new();
    struct hole hole = {.stream_id = orders->id,
        .partition = 1,
        .from = 0,
        .to = 99,
        .reason = HOLE_NOT_RECORDED,
        .noticed_ns = 5};
    batch_add_hole(batch, &hole);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    test_append(writer, orders, 1, 100, 5);
    tape_writer_close(writer);

    struct tape *tape = test_open(*state);
    size_t count;
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    assert_int_equal(count, 1);
    assert_int_equal(lanes[0].events, 5);
    assert_int_equal(lanes[0].first_offset, 100);
    assert_int_equal(lanes[0].last_offset, 104);
    assert_int_equal(lanes[0].hole_count, 1);
    assert_int_equal(lanes[0].holes[0].to, 99);
    assert_int_equal(lanes[0].holes[0].reason, HOLE_NOT_RECORDED);
    tape_close(tape);
}

static void
refuses_a_second_writer(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    assert_null(tape_writer_open(*state, NULL, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    char *pid = alloc_format("process %d", (int)getpid());
    assert_non_null(strstr(err.text, pid));
    free(pid);
    tape_writer_close(writer);
}

static void
says_what_is_wrong_with_the_directory(void **state)
{
    struct error err = {0};
    assert_null(tape_open("/nowhere/at/all", &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_null(tape_open(*state, &err)); /* empty: no tape */
    assert_int_equal(err.code, ERROR_ARGUMENT);
    char *file = alloc_format("%s/file", (char *)*state);
    (void)close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_null(tape_open(file, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_null(tape_writer_open(file, NULL, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    free(file);
}

static void
finds_one_event_by_lane_and_offset(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 8000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 400; offset += 20)
        test_append(writer, orders, 4, offset, 10); /* 10..19, 30..39 ... are not there */
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    assert_int_equal(
        cursor_fetch_offset(cursor, tape_stream(tape, 0), 4, 205, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.offset, 205);
    assert_made_event(&event);
    assert_int_equal(
        cursor_fetch_offset(cursor, tape_stream(tape, 0), 4, 215, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.offset, 220);
    assert_int_equal(
        cursor_fetch_offset(cursor, tape_stream(tape, 0), 4, 389, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.offset, 389); /* the last one */
    assert_made_event(&event);
    assert_int_equal(
        cursor_fetch_offset(cursor, tape_stream(tape, 0), 4, 9999, &event, &err), CURSOR_END);
    assert_int_equal(
        cursor_fetch_offset(cursor, tape_stream(tape, 0), 1, 0, &event, &err), CURSOR_END);
    assert_int_equal(cursor_fetch_seq(cursor, 33, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.seq, 33);
    assert_int_equal(cursor_fetch_seq(cursor, 7, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.seq, 7);
    assert_int_equal(cursor_fetch_seq(cursor, 200, &event, &err), CURSOR_END);
    cursor_free(cursor);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
keeps_null_and_empty_apart(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    struct event event = {
        .stream = tape_writer_stream(writer, "shop", "orders"),
        .time_ns = CLOCK_NONE,
        .received_ns = 1,
        .offset = INT64_MAX,
        .offset_is_synthetic = true,
        .key = BYTES_NULL,
        .payload = bytes_of(""),
    };
    struct batch *batch = batch_new();
    assert_ok(batch_add(batch, &event, &err));
    event.key = bytes_of("");
    event.payload = BYTES_NULL;
    assert_ok(batch_add(batch, &event, &err));
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);

    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
    assert_null(event.key.data);
    assert_non_null(event.payload.data);
    assert_int_equal(event.payload.length, 0);
    assert_true(event.time_ns == CLOCK_NONE && event.offset == INT64_MAX);
    assert_true(event.offset_is_synthetic);
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
    assert_non_null(event.key.data);
    assert_null(event.payload.data);
    cursor_free(cursor);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
refuses_an_event_that_is_too_large(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    size_t size = RECORD_MAX_BYTES;
    unsigned char *payload = alloc_zeroed(size);
    struct event event = {
        .stream = tape_writer_stream(writer, "shop", "orders"),
        .payload = bytes_make(payload, size),
    };
    struct batch *batch = batch_new();
    assert_false(batch_add(batch, &event, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    event.payload.length = size - RECORD_HEADER_BYTES;
    assert_ok(batch_add(batch, &event, &err));
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    struct tape *tape = test_open(*state);
    assert_int_equal(tape_end_seq(tape), 1);
    tape_close(tape);
    tape_writer_close(writer);
    free(payload);
}

/* Looking costs a listing; who waits is told. Each append rolls the journal, so that files come too. */
static void
sees_what_changes_whether_it_looks_or_waits(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 1);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 1);
    struct tape *tape = test_open(*state);
    for (int i = 1; i < 6; i++) {
        test_append(writer, orders, 0, i, 1);
        assert_ok(tape_refresh(tape, &err));
        assert_int_equal(tape_end_seq(tape), i + 1);
    }
    tape_close(tape);

    tape = test_open(*state);
    test_append(writer, orders, 0, 6, 1);
    tape_wait(tape, 600000); /* at once: nobody was told yet */
    assert_ok(tape_refresh(tape, &err));
    assert_int_equal(tape_end_seq(tape), 7);
    for (int i = 7; i < 10; i++) {
        test_append(writer, orders, 0, i, 1);
        struct pollfd slot = {.fd = tape_wait_fd(tape), .events = POLLIN};
        assert_int_equal(poll(&slot, 1, 20000), 1);
        tape_wait(tape, 600000); /* at once: it has changed */
        assert_ok(tape_refresh(tape, &err));
        assert_int_equal(tape_end_seq(tape), i + 1);
    }
    tape_close(tape);
    tape_writer_close(writer);
}

/* What a recorder writes into a journal without a name would be lost when it ends. */
static void
notices_that_its_journal_was_removed_or_renamed(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 10);
    char *path = alloc_format("%s/00000001.jnl", (char *)*state);
    char *away = alloc_format("%s/away", (char *)*state);
    int64_t now_ns = clock_monotonic_ns();
    assert_true(tape_writer_tick(writer, now_ns, &err));
    assert_int_equal(rename(path, away), 0);

    now_ns += 2 * NS_PER_S;
    assert_false(tape_writer_tick(writer, now_ns, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
    assert_non_null(strstr(err.text, "is not there any more"));
    assert_int_equal(rename(away, path), 0);
    assert_true(tape_writer_tick(writer, now_ns + 2 * NS_PER_S, &err));
    tape_writer_close(writer);
    free(path);
    free(away);
}

int
main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sees_what_changes_whether_it_looks_or_waits),
        TEST(notices_that_its_journal_was_removed_or_renamed),
        TEST(reads_back_what_was_written),
        TEST(sees_what_is_appended_after_it_was_opened),
        TEST(walks_newest_first),
        TEST(sorts_by_offset_and_by_time),
        TEST(pauses_when_the_budget_is_used_up),
        TEST(internal_streams_are_walked_only_when_named),
        TEST(goes_on_where_the_tape_ends),
        TEST(a_hole_is_where_the_tap_goes_on_behind),
        TEST(refuses_a_second_writer),
        TEST(says_what_is_wrong_with_the_directory),
        TEST(finds_one_event_by_lane_and_offset),
        TEST(keeps_null_and_empty_apart),
        TEST(refuses_an_event_that_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
