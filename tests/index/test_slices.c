/* A segment of many events is planned in slices: what comes out is what comes out of the journal that it was
 * made from, from any seq to any other, both ways, however the steps are cut. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block_pool.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/tape.h"
#include "index/tape_internal.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

#define LANES         40
#define EVENTS        30000 /* several slices */
#define JOURNAL_BYTES (UINT64_C(64) * 1024 * 1024)
#define ROUNDS        60

static unsigned seed = 7;

static unsigned
pick(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Lanes of very different sizes, in batches. */
static void
make_tape(const char *directory, unsigned lanes, bool seal)
{
    struct tape_writer *writer = test_writer_sealing(directory, JOURNAL_BYTES, seal);
    const struct stream *stream = tape_writer_stream(writer, "shop", "orders");
    int64_t offsets[LANES] = {0};
    seed = 7;
    for (unsigned written = 0; written < EVENTS;) {
        unsigned lane = pick(lanes) * pick(lanes) / lanes;
        unsigned batch = 1 + pick(30);
        test_append(writer, stream, (int32_t)lane, offsets[lane], (int)batch);
        offsets[lane] += batch;
        written += batch;
    }
    tape_writer_close(writer);
}

struct fixture {
    char *directory;
    struct tape *journal;
    struct tape *segment;
};

static int
set_up(void **state)
{
    struct fixture *fixture = alloc_zeroed(sizeof(*fixture));
    fixture->directory = temp_directory_new();
    char *journal = alloc_format("%s/journal", fixture->directory);
    char *segment = alloc_format("%s/segment", fixture->directory);
    make_tape(journal, LANES, false);
    make_tape(segment, LANES, true);
    fixture->journal = test_open(journal);
    fixture->segment = test_open(segment);
    free(journal);
    free(segment);
    assert_int_equal(tape_part_count(fixture->segment), 1);
    assert_int_equal(tape_end_seq(fixture->segment), tape_end_seq(fixture->journal));
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    tape_close(fixture->journal);
    tape_close(fixture->segment);
    temp_directory_remove(fixture->directory);
    free(fixture);
    return 0;
}

/* The next event, in steps of any size. */
static bool
next(struct cursor *cursor, struct event *event)
{
    struct error err;
    enum cursor_step step;
    while ((step = cursor_next(cursor, pick(3) == 0 ? 0 : 1 + pick(5000), event, &err)) ==
           CURSOR_PAUSED) {
    }
    assert_true(step != CURSOR_FAILED);
    return step == CURSOR_EVENT;
}

/* Both tapes say the same; `limit` 0: to the end. */
static void
expect_same(const struct fixture *fixture, const struct cursor_options *options, unsigned limit)
{
    struct cursor *expected = cursor_new(fixture->journal, options);
    struct cursor *cursor = cursor_new(fixture->segment, options);
    struct event wanted;
    struct event event;
    unsigned count = 0;
    bool more = true;
    while (more && (limit == 0 || count++ < limit)) {
        more = next(expected, &wanted);
        assert_true(next(cursor, &event) == more);
        if (!more)
            break;
        assert_made_event(&event);
        assert_int_equal(event.seq, wanted.seq);
        assert_int_equal(event.partition, wanted.partition);
        assert_int_equal(event.offset, wanted.offset);
    }
    if (!more) {
        struct cursor_progress progress;
        cursor_progress(cursor, &progress);
        assert_int_equal(progress.scanned_blocks + progress.pruned_blocks, progress.total_blocks);
    }
    cursor_free(cursor);
    cursor_free(expected);
}

/* Where nobody wants the bytes, their lengths are there all the same. */
static void
gives_lengths_without_bytes(void **state)
{
    const struct fixture *fixture = *state;
    for (int way = 0; way < 2; way++) {
        struct cursor_options options = {.newest_first = way == 1};
        struct cursor *expected = cursor_new(fixture->journal, &options);
        options.unwanted = EVENT_BYTES;
        struct cursor *cursor = cursor_new(fixture->segment, &options);
        struct event wanted;
        struct event event;
        while (next(expected, &wanted)) {
            assert_true(next(cursor, &event));
            assert_int_equal(event.seq, wanted.seq);
            assert_int_equal(event.received_ns, wanted.received_ns);
            assert_int_equal(event_size(&event), event_size(&wanted));
            assert_null(event.payload.data);
        }
        assert_false(next(cursor, &event));
        cursor_free(cursor);
        cursor_free(expected);
    }
}

/* What nobody wants is there where the query looks at it. */
static void
gives_what_a_query_looks_at(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const texts[] = {"key~/7$/", "payload~/[3]}/", "header.none not size<3",
        "not (partition=0 or value.n>50)", "type=x or id=y or offset=3"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct error err;
        struct query *query = query_compile(texts[i], 0, NULL, &err);
        assert_non_null(query);
        struct cursor_options options = {.query = query};
        struct cursor *expected = cursor_new(fixture->journal, &options);
        options.unwanted = EVENT_BYTES;
        struct cursor *cursor = cursor_new(fixture->segment, &options);
        struct event wanted;
        struct event event;
        while (next(expected, &wanted)) {
            assert_true(next(cursor, &event));
            assert_int_equal(event.seq, wanted.seq);
        }
        assert_false(next(cursor, &event));
        cursor_free(cursor);
        cursor_free(expected);
        query_free(query);
    }
}

static void
gives_what_the_journal_has(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const texts[] = {NULL, "partition=0", "partition=7", "partition>30",
        "offset>=100 offset<400", "key~/7$/", "payload~\"9}\"", "partition=99"};
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct error err;
        const char *text = texts[round % (sizeof(texts) / sizeof(texts[0]))];
        struct query *query = text == NULL ? NULL : query_compile(text, 0, NULL, &err);
        assert_true(text == NULL || query != NULL);
        struct cursor_options options = {.query = query, .newest_first = round % 3 != 0};
        if (round >= ROUNDS / 3) {
            options.first_seq = pick(EVENTS);
            options.end_seq = options.first_seq + 1 + pick(EVENTS);
        }
        expect_same(fixture, &options, round % 4 == 3 ? 50 : 0);
        query_free(query);
    }
}

/* A page of the newest events looks at the blocks that are about them, not at the segment. */
static void
looks_at_little_for_a_page(void **state)
{
    const struct fixture *fixture = *state;
    char *directory = alloc_format("%s/two", fixture->directory);
    make_tape(directory, 2, true);
    struct tape *tape = test_open(directory);
    struct cursor_options options = {.newest_first = true};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    for (unsigned i = 0; i < 40; i++)
        assert_true(next(cursor, &event));
    struct cursor_progress progress;
    cursor_progress(cursor, &progress);
    assert_true(progress.scanned_blocks > 0);
    if (progress.scanned_events > tape_end_seq(tape) / 2)
        fail_msg("looked at %llu of %llu events", (unsigned long long)progress.scanned_events,
            (unsigned long long)tape_end_seq(tape));
    cursor_free(cursor);
    tape_close(tape);
    free(directory);
}

/* Each lane lies in one row of blocks: where one ends and the next begins, both look at the block. */
static void
looks_at_the_blocks_of_one_lane(void **state)
{
    const struct fixture *fixture = *state;
    struct cursor_progress progress = {0};
    uint64_t scanned = 0;
    for (unsigned lane = 0; lane < LANES; lane++) {
        struct error err;
        struct event event;
        char *text = alloc_format("partition=%u", lane);
        struct query *query = query_compile(text, 0, NULL, &err);
        struct cursor_options options = {
            .query = query, .order = lane % 2 == 0 ? CURSOR_BY_SEQ : CURSOR_BY_OFFSET};
        struct cursor *cursor = cursor_new(fixture->segment, &options);
        while (next(cursor, &event))
            assert_int_equal(event.partition, lane);
        cursor_progress(cursor, &progress);
        scanned += progress.scanned_blocks;
        cursor_free(cursor);
        query_free(query);
        free(text);
    }
    if (scanned > progress.total_blocks + LANES - 1)
        fail_msg("looked at %llu blocks of %llu for %d lanes", (unsigned long long)scanned,
            (unsigned long long)progress.total_blocks, LANES);
}

/* ---- bounds ---- */

/* On payloads like those of the tape this needs more steps than it may have. */
#define EXPLODES "payload~/(?:(?:(?:.|[^x])+)+)+[\\x00\\x01]/"

static void
pauses_behind_each_value_that_a_pattern_explodes_on(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct event event;
    struct query *query = query_compile(EXPLODES, 0, NULL, &err);
    assert_non_null(query);
    struct cursor *cursor = cursor_new(
        fixture->segment, &(struct cursor_options){.query = query, .newest_first = true});
    uint64_t before = 0;
    for (unsigned call = 0; call < 40; call++) {
        struct cursor_progress progress;
        assert_int_equal(cursor_next(cursor, 2000, &event, &err), CURSOR_PAUSED);
        cursor_progress(cursor, &progress);
        assert_true(progress.gave_up - before <= 1);
        before = progress.gave_up;
    }
    assert_true(before > 10);
    cursor_free(cursor);
    query_free(query);
}

#define LITTLE_BYTES ((uint64_t)1024 * 1024)
#define BLOCK_BYTES  ((uint64_t)512 * 1024) /* of memory, and more than a block here has */

/* What each cursor gave is whole until its next call, whatever the others read meanwhile. */
static void
gives_the_same_to_all_with_little_memory(void **state)
{
    const struct fixture *fixture = *state;
    struct block_pool *pool = tape_block_pool(fixture->segment);
    struct cursor *cursors[4];
    struct event events[4];
    tape_keep_blocks(fixture->segment, LITTLE_BYTES);
    for (unsigned i = 0; i < 4; i++)
        cursors[i] = cursor_new(fixture->segment,
            &(struct cursor_options){.first_seq = 9000 + 400 * i, .newest_first = i % 2 == 0});
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < 4; i++)
            assert_true(next(cursors[i], &events[i]));
        for (unsigned i = 0; i < 4; i++)
            assert_made_event(&events[i]);
        assert_true(block_pool_bytes(pool) <= LITTLE_BYTES + 4 * BLOCK_BYTES);
    }
    for (unsigned i = 0; i < 4; i++)
        cursor_free(cursors[i]);
    expect_same(fixture, &(struct cursor_options){.first_seq = 20000}, 3000);
    tape_keep_blocks(fixture->segment, TAPE_BLOCK_BYTES);
}

/* One cursor after the other uses the same memory; when none comes it goes. */
static void
keeps_memory_for_the_next_cursor_only(void **state)
{
    const struct fixture *fixture = *state;
    struct block_pool *pool = tape_block_pool(fixture->segment);
    struct error err;
    expect_same(fixture, &(struct cursor_options){.first_seq = 0}, 0);
    uint64_t bytes = block_pool_bytes(pool);
    assert_true(bytes > LITTLE_BYTES);
    assert_true(tape_refresh(fixture->segment, &err));
    expect_same(fixture, &(struct cursor_options){.first_seq = 0}, 0);
    assert_true(tape_refresh(fixture->segment, &err));
    assert_true(block_pool_bytes(pool) >= bytes);
    assert_true(tape_refresh(fixture->segment, &err));
    assert_true(block_pool_bytes(pool) <= LITTLE_BYTES);
}

/* Nothing but the block that is looked at. */
static void
gives_the_same_without_memory(void **state)
{
    const struct fixture *fixture = *state;
    tape_keep_blocks(fixture->segment, 0);
    expect_same(fixture, &(struct cursor_options){.first_seq = 12345}, 500);
    expect_same(fixture, &(struct cursor_options){.newest_first = true}, 500);
    struct cursor_options by_offset = {.order = CURSOR_BY_OFFSET};
    expect_same(fixture, &by_offset, 2000);
    assert_true(block_pool_bytes(tape_block_pool(fixture->segment)) <= BLOCK_BYTES);
    tape_keep_blocks(fixture->segment, TAPE_BLOCK_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_the_journal_has),
        cmocka_unit_test(gives_lengths_without_bytes),
        cmocka_unit_test(gives_what_a_query_looks_at),
        cmocka_unit_test(looks_at_little_for_a_page),
        cmocka_unit_test(looks_at_the_blocks_of_one_lane),
        cmocka_unit_test(pauses_behind_each_value_that_a_pattern_explodes_on),
        cmocka_unit_test(gives_the_same_to_all_with_little_memory),
        cmocka_unit_test(keeps_memory_for_the_next_cursor_only),
        cmocka_unit_test(gives_the_same_without_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
