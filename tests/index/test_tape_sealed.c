#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/record.h"
#include "index/retention.h"
#include "index/sealer.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* The same tape in every state between "all journals" and "all segments" reads the same. */
static void
reads_the_same_while_it_is_sealed(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 30000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    const struct stream *payments = tape_writer_stream(writer, "shop", "payments");
    for (int64_t offset = 0; offset < 1500; offset += 30) {
        test_append(writer, orders, (int32_t)(offset / 30 % 3), offset, 30);
        test_append(writer, payments, 0, offset, 30);
    }
    tape_writer_close(writer);

    struct tape *follower = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(follower, &options);
    struct event event;
    for (uint64_t seq = 0; seq < 100; seq++)
        assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);

    for (uint64_t id = 1; sealer_seal_journal(*state, id, BLOCK_ZSTD, &err); id++) {
        struct tape *tape = test_open(*state);
        assert_int_equal(test_count_all(tape, 0), 3000);
        size_t count;
        const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
        assert_int_equal(count, 4);
        assert_int_equal(lanes[3].events, 1500);
        assert_string_equal(lanes[3].stream->label, "shop/payments");
        assert_int_equal(lanes[3].last_offset, 1499);
        tape_close(tape);
        assert_ok(tape_refresh(follower, &err));
    }
    /* One that was under way meanwhile misses nothing and repeats nothing. */
    for (uint64_t seq = 100; seq < 3000; seq++) {
        assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
        assert_int_equal(event.seq, seq);
        assert_made_event(&event);
    }
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_END);
    cursor_free(cursor);
    tape_close(follower);
}

static void
sealed_or_not_a_cursor_finds_the_same(void **state)
{
    struct error err = {0};
    static const char *const queries[] = {"key=k-77", "orders[1]@30..59 or key=k-3", "partition=1",
        "stream=payments offset>1450", "payload~\"77\"", "value.n>1490",
        "header.source=test seq<50", "until 1970-01-01T00:16:40.100Z", "key=nobody",
        "stream=shop/orders not partition=0"};
    struct tape_writer *writer = test_writer(*state, 30000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    const struct stream *payments = tape_writer_stream(writer, "shop", "payments");
    for (int64_t offset = 0; offset < 1500; offset += 30) {
        test_append(writer, orders, (int32_t)(offset / 30 % 3), offset, 30);
        test_append(writer, payments, 0, offset, 30);
    }
    tape_writer_close(writer);

    enum { RUNS = sizeof(queries) / sizeof(queries[0]) * 6 };
    uint64_t sums[RUNS];
    for (int sealed = 0; sealed < 2; sealed++) {
        struct tape *tape = test_open(*state);
        for (size_t run = 0; run < RUNS; run++) {
            size_t column = 0;
            struct query *query = query_compile(queries[run / 6], 0, &column, &err);
            if (query == NULL)
                fail_msg("%s: %s", queries[run / 6], err.text);
            struct cursor_options options = {.query = query,
                .order = (enum cursor_order)(run % 3),
                .newest_first = run % 6 >= 3};
            struct cursor *cursor = cursor_new(tape, &options);
            struct event event;
            uint64_t sum = 0;
            while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
                assert_made_event(&event);
                sum = sum * 31 + event.seq + 1;
            }
            assert_true(sealed == 0 || sum == sums[run]);
            assert_true(run / 6 == 8 ? sum == 0 : sum != 0);
            sums[run] = sum;
            cursor_free(cursor);
            query_free(query);
        }
        tape_close(tape);
        for (uint64_t id = 1; sealed == 0 && sealer_seal_journal(*state, id, BLOCK_LZ4, &err); id++)
            continue;
    }
}

static uint64_t
count_matches(struct tape *tape, const char *text)
{
    struct error err = {0};
    struct query *query = query_compile(text, 0, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    struct cursor_options options = {.query = query};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    uint64_t count = 0;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
        assert_made_event(&event);
        count++;
    }
    cursor_free(cursor);
    query_free(query);
    return count;
}

/* A segment of many blocks, of which some are looked at in vain and make room for the next. */
static void
finds_everything_in_a_segment_of_many_blocks(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 12000; offset += 500) {
        for (int32_t partition = 0; partition < 4; partition++)
            test_append(writer, orders, partition, offset, 500);
    }
    tape_writer_close(writer);
    assert_ok(sealer_seal_journal(*state, 1, BLOCK_ZSTD, &err));
    struct tape *tape = test_open(*state);
    assert_int_equal(test_count_all(tape, 0), 48000);
    assert_int_equal(count_matches(tape, "stream=orders and offset>=3000 and offset<=7999"), 20000);
    assert_int_equal(count_matches(tape, "orders[2]@11000..11999 or orders[0]@5..7"), 1003);
    assert_int_equal(count_matches(tape, "value.n=11999 or value.n=1"), 8);
    assert_int_equal(count_matches(tape, "payload~\"{\\\"n\\\":1199\""), 44);
    tape_close(tape);
}

static void
a_recorder_seals_what_it_and_others_left(void **state)
{
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 10);
    tape_writer_close(writer);
    writer = test_writer_sealing(*state, 5000, true);
    orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 10; offset < 500; offset += 10)
        test_append(writer, orders, 0, offset, 10);
    tape_writer_close(writer);

    char *command = alloc_format("ls %s | grep -c jnl", (char *)*state);
    FILE *listing = popen(command, "r");
    char line[16] = "";
    assert_non_null(listing);
    assert_non_null(fgets(line, sizeof(line), listing));
    (void)pclose(listing);
    free(command);
    assert_string_equal(line, "0\n");
    struct tape *tape = test_open(*state);
    assert_int_equal(test_count_all(tape, 0), 500);
    tape_close(tape);
    writer = test_writer_sealing(*state, 5000, true);
    orders = tape_writer_stream(writer, "shop", "orders");
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), 499);
    assert_int_equal(tape_writer_end_seq(writer), 500);
    tape_writer_close(writer);
}

/* The `count` batches at the end of a tape that has `from` events of its stream. */
static void
add_batches(const char *directory, int64_t from, int count, bool seal)
{
    struct tape_writer *writer = test_writer_sealing(directory, UINT64_C(1) << 20, seal);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int i = 0; i < count; i++)
        test_append(writer, orders, 0, from + INT64_C(1000) * i, 1000);
    tape_writer_close(writer);
}

static void
journals_that_wait_count_as_what_they_will_take(void **state)
{
    struct error err = {0};
    struct retention_result before;
    struct retention_result after;
    add_batches(*state, 0, 40, true);
    struct retention rules = {.keep_bytes = 1};
    assert_ok(retention_apply(*state, &rules, 0, true, &before, &err));
    add_batches(*state, 40000, 40, false);
    assert_ok(retention_apply(*state, &rules, 0, true, &after, &err));
    uint64_t segments = before.deleted_bytes;
    assert_int_equal(after.deleted_bytes, segments);
    assert_true(after.kept_bytes > 2 * segments); /* the journals */

    rules.keep_bytes = 3 * segments; /* as much again is in the journals */
    assert_ok(retention_apply(*state, &rules, 0, false, &after, &err));
    assert_int_equal(after.deleted_files, 0);
    rules.keep_bytes = segments * 3 / 2;
    assert_ok(retention_apply(*state, &rules, 0, true, &after, &err));
    assert_in_range(after.deleted_bytes, segments / 4, segments * 3 / 4);

    add_batches(*state, 80000, 1, true); /* seals the others too */
    rules.keep_bytes = segments * 5 / 2;
    assert_ok(retention_apply(*state, &rules, 0, false, &after, &err));
    assert_int_equal(after.deleted_files, 0);
}

static void
retention_deletes_the_oldest_but_what_is_pinned(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer_sealing(*state, 5000, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 1000; offset += 10)
        test_append(writer, orders, 0, offset, 10);
    tape_writer_close(writer);
    struct retention_result all;
    struct retention rules = {.keep_bytes = 1};
    assert_ok(retention_apply(*state, &rules, 0, true, &all, &err));
    assert_int_equal(all.deleted_events, 1000);

    assert_ok(retention_pin(*state, "replay-1", 55, 56, &err));
    struct retention_result result;
    rules.keep_bytes = all.deleted_bytes / 2;
    assert_ok(retention_apply(*state, &rules, 0, false, &result, &err));
    assert_int_equal(result.pinned_files, 1);
    assert_in_range(result.deleted_events, 300, 700);
    assert_true(result.kept_bytes <= rules.keep_bytes);
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    uint64_t count = 0;
    bool has_pinned = false;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
        has_pinned = has_pinned || event.seq == 55;
        count++;
    }
    assert_true(has_pinned);
    assert_int_equal(count, 1000 - result.deleted_events);
    cursor_free(cursor);
    tape_close(tape);
}

int
main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_the_same_while_it_is_sealed),
        TEST(sealed_or_not_a_cursor_finds_the_same),
        TEST(finds_everything_in_a_segment_of_many_blocks),
        TEST(a_recorder_seals_what_it_and_others_left),
        TEST(journals_that_wait_count_as_what_they_will_take),
        TEST(retention_deletes_the_oldest_but_what_is_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
