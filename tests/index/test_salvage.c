/* What is read of segments and journals that are broken anywhere: every event that is whole, once, as it
 * was; the rest is named. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/segment.h"
#include "index/tape.h"
#include "tests/support/index_segments.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* Three files of three partitions each; a segment of it has some five blocks. */
#define FILES       3
#define PARTITIONS  3
#define ROUNDS      14
#define ROUND       100 /* events of one partition, then of the next */
#define FILE_EVENTS ((uint64_t)PARTITIONS * ROUNDS * ROUND)
#define ALL_EVENTS  (FILES * FILE_EVENTS)

/* Events of one block, and a few more. */
#define BLOCK_EVENTS 2000u

/* The middle file as it was, and where it is. */
struct broken {
    char *directory;
    char *path;
    struct buffer whole;
};

static void
make_tape(const char *directory, bool seal)
{
    for (int file = 0; file < FILES; file++) {
        struct tape_writer *writer = test_writer_sealing(directory, 0, seal);
        const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
        for (int i = 0; i < ROUNDS * PARTITIONS; i++)
            test_append(writer, orders, i % PARTITIONS,
                ((int64_t)file * ROUNDS + i / PARTITIONS) * ROUND, ROUND);
        tape_writer_close(writer);
    }
}

static void
set_up(struct broken *broken, bool seal)
{
    struct error err = {0};
    broken->directory = temp_directory_new();
    make_tape(broken->directory, seal);
    broken->path = alloc_format("%s/00000002.%s", broken->directory, seal ? "seg" : "jnl");
    broken->whole = (struct buffer){0};
    assert_ok(file_read_whole(broken->path, (size_t)1 << 24, &broken->whole, &err));
    /* The catalogue would hide that a file is damaged until something in it is read. */
    char *catalogue = alloc_format("%s/catalogue.db", broken->directory);
    (void)unlink(catalogue);
    free(catalogue);
}

static void
tear_down(struct broken *broken)
{
    buffer_done(&broken->whole);
    free(broken->path);
    temp_directory_remove(broken->directory);
}

static void
put(const struct broken *broken, size_t length)
{
    struct error err = {0};
    assert_ok(file_replace(broken->path, broken->whole.data, length, &err));
}

static uint64_t
seq_of(const struct event *event)
{
    uint64_t round = (uint64_t)event->offset / ROUND;
    return (round * PARTITIONS + (uint64_t)event->partition) * ROUND +
           (uint64_t)event->offset % ROUND;
}

/* Read all, in rising order of seqs: so none twice, and each as it was made. */
static uint64_t
read_all(struct tape *tape)
{
    struct error err = {0};
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
    struct event event;
    uint64_t count = 0;
    uint64_t next_seq = 0;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT) {
        assert_true(event.seq >= next_seq);
        assert_true(event.seq == seq_of(&event));
        assert_made_event(&event);
        next_seq = event.seq + 1;
        count++;
    }
    if (step != CURSOR_END)
        fail_msg("reading: %s", err.text);
    cursor_free(cursor);
    return count;
}

/* Events that the damage says are lost: all of a range, unless it says how many. */
static uint64_t
named(const struct tape *tape)
{
    const struct tape_damage *damage;
    size_t count = tape_damage(tape, &damage);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += damage[i].events > 0 ? damage[i].events : damage[i].end_seq - damage[i].first_seq;
    return sum;
}

/* Open, read and verify; returns how many events are lost, all of which are named. */
static uint64_t
lost(const struct broken *broken, const char *what, size_t at)
{
    struct error err = {0};
    struct tape *tape = test_open(broken->directory);
    uint64_t there = read_all(tape);
    bool is_whole = tape_verify(tape, &err);
    const struct tape_damage *damage;
    if (there + named(tape) < ALL_EVENTS)
        fail_msg("%s at %zu: %llu events are there, and only %llu named as lost", what, at,
            (unsigned long long)there, (unsigned long long)named(tape));
    if (there < ALL_EVENTS && is_whole)
        fail_msg("%s at %zu: events are missing and the tape is whole", what, at);
    if (!is_whole)
        assert_true(err.code == ERROR_DAMAGED && tape_damage(tape, &damage) > 0);
    tape_close(tape);
    return ALL_EVENTS - there;
}

/* ---- segments ---- */

static void
flip(struct broken *broken, size_t at, uint64_t most_lost)
{
    unsigned char bit = (unsigned char)(1u << (at % 8));
    broken->whole.data[at] ^= bit;
    put(broken, broken->whole.length);
    uint64_t gone = lost(broken, "flip", at);
    broken->whole.data[at] ^= bit;
    if (gone > most_lost)
        fail_msg("flip at %zu: %llu events are lost", at, (unsigned long long)gone);
}

static void
no_flip_in_the_header_loses_an_event(void **state)
{
    (void)state;
    struct broken broken;
    set_up(&broken, true);
    for (size_t at = 0; at < 64; at += 3)
        flip(&broken, at, 0);
    tear_down(&broken);
}

static void
no_flip_in_table_or_trailer_loses_an_event(void **state)
{
    (void)state;
    struct broken broken;
    set_up(&broken, true);
    for (size_t back = 1; back <= 128 + 7 * 32; back += 5)
        flip(&broken, broken.whole.length - back, 0);
    tear_down(&broken);
}

static void
a_flip_anywhere_loses_one_block_at_most(void **state)
{
    (void)state;
    struct broken broken;
    uint64_t random = 42;
    set_up(&broken, true);
    for (int i = 0; i < 60; i++)
        flip(&broken, (size_t)(test_random(&random) % broken.whole.length), BLOCK_EVENTS);
    tear_down(&broken);
}

static void
a_segment_without_its_end_gives_the_blocks_before_it(void **state)
{
    (void)state;
    struct broken broken;
    struct error err = {0};
    uint64_t random = 7;
    set_up(&broken, true);
    struct segment *segment = segment_open(broken.path, &err);
    assert_non_null(segment);
    uint64_t second_block = segment_block(segment, 1)->at;
    uint64_t first_events = segment_block(segment, 0)->event_count;
    assert_true(segment_info(segment)->block_count >= 3);
    segment_close(segment);

    for (int i = 0; i < 40; i++) {
        size_t length = (size_t)(test_random(&random) % broken.whole.length);
        put(&broken, length);
        uint64_t gone = lost(&broken, "cut", length);
        assert_true(gone <= FILE_EVENTS);
        if (length >= second_block)
            assert_true(gone <= FILE_EVENTS - first_events);
    }
    tear_down(&broken);
}

static void
both_ends_broken_lose_nothing_of_the_blocks_between(void **state)
{
    (void)state;
    struct broken broken;
    set_up(&broken, true);
    memset(broken.whole.data, 0, 64);
    memset(broken.whole.data + broken.whole.length - 352, 0, 352);
    put(&broken, broken.whole.length);

    assert_int_equal(lost(&broken, "both ends", 0), 0);
    tear_down(&broken);
}

static void
a_block_that_is_there_twice_is_read_once(void **state)
{
    (void)state;
    struct broken broken;
    struct error err = {0};
    set_up(&broken, true);
    struct segment *segment = segment_open(broken.path, &err);
    assert_non_null(segment);
    size_t first = (size_t)segment_block(segment, 0)->at;
    size_t second = (size_t)segment_block(segment, 1)->at;
    segment_close(segment);
    struct buffer twice = {0};
    buffer_append(&twice, broken.whole.data, second);
    buffer_append(&twice, broken.whole.data + first, broken.whole.length - first - 128);
    assert_ok(file_replace(broken.path, twice.data, twice.length, &err));

    (void)lost(&broken, "twice", 0);
    buffer_done(&twice);
    tear_down(&broken);
}

/* Where everything looks like the beginning of a block, those that are one are found all the same. */
static void
what_looks_like_blocks_hides_none(void **state)
{
    static const char magic[] = {'T', 'D', 'B', 'K'};
    (void)state;
    struct broken broken;
    struct error err = {0};
    set_up(&broken, true);
    struct segment *segment = segment_open(broken.path, &err);
    assert_non_null(segment);
    size_t second = (size_t)segment_block(segment, 1)->at;
    uint64_t first_events = segment_block(segment, 0)->event_count;
    segment_close(segment);
    for (size_t at = 64; at < second; at++)
        broken.whole.data[at] = (unsigned char)magic[at % sizeof(magic)];
    put(&broken, broken.whole.length - 128);

    assert_int_equal(lost(&broken, "magic", 0), first_events);
    tear_down(&broken);
}

/* Let the trailer say that the segment ends behind `seqs` seqs, with a right checksum. */
static void
claim_span(struct broken *broken, uint64_t seqs)
{
    unsigned char *trailer = broken->whole.data + broken->whole.length - 128;
    store_u64(trailer + 40, load_u64(trailer + 32) + seqs);
    store_u32(trailer + 124, crc32c(0, trailer, 124));
    put(broken, broken->whole.length);
}

static void
an_end_that_no_segment_has_is_not_believed(void **state)
{
    (void)state;
    struct broken broken;
    set_up(&broken, true);
    claim_span(&broken, UINT64_MAX - FILE_EVENTS);
    assert_int_equal(lost(&broken, "end", 0), 0);
    claim_span(&broken, (UINT64_C(1) << 30) + 1);
    assert_int_equal(lost(&broken, "end", 1), 0);
    tear_down(&broken);
}

/* A table of 2^30 seqs would take 8 GiB. */
static void
single_events_are_found_where_most_seqs_have_none(void **state)
{
    (void)state;
    struct broken broken;
    struct error err = {0};
    struct event event;
    set_up(&broken, true);
    claim_span(&broken, UINT64_C(1) << 30);
    char *last = alloc_format("%s/00000003.seg", broken.directory);
    assert_int_equal(unlink(last), 0);
    free(last);
    struct tape *tape = test_open(broken.directory);
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
    for (uint64_t seq = FILE_EVENTS; seq < 2 * FILE_EVENTS; seq += 397) {
        assert_int_equal(cursor_fetch_seq(cursor, seq, &event, &err), CURSOR_EVENT);
        assert_true(event.seq == seq && seq_of(&event) == seq);
    }
    assert_int_equal(cursor_fetch_seq(cursor, 2 * FILE_EVENTS, &event, &err), CURSOR_END);
    assert_int_equal(
        cursor_fetch_seq(cursor, FILE_EVENTS + (UINT64_C(1) << 30) - 1, &event, &err), CURSOR_END);
    cursor_free(cursor);
    tape_close(tape);
    tear_down(&broken);
}

static void
zeros_are_named_as_a_whole(void **state)
{
    (void)state;
    struct broken broken;
    set_up(&broken, true);
    memset(broken.whole.data, 0, broken.whole.length);
    put(&broken, broken.whole.length);

    assert_int_equal(lost(&broken, "zeros", 0), FILE_EVENTS);
    tear_down(&broken);
}

/* ---- journals ---- */

static void
a_journal_without_its_header_loses_no_event(void **state)
{
    (void)state;
    struct broken broken;
    set_up(&broken, false);
    for (size_t at = 0; at < 64; at += 3)
        flip(&broken, at, 0);
    memset(broken.whole.data, 0xff, 64);
    put(&broken, broken.whole.length);
    assert_int_equal(lost(&broken, "no header", 0), 0);
    tear_down(&broken);
}

static void
a_recorder_goes_on_behind_a_file_that_was_salvaged(void **state)
{
    (void)state;
    struct broken broken;
    set_up(&broken, true);
    memset(broken.whole.data + broken.whole.length - 128, 0, 128);
    put(&broken, broken.whole.length);

    struct tape_writer *writer = test_writer_sealing(broken.directory, 0, true);
    const struct stream *orders = tape_writer_find_stream(writer, "shop", "orders");
    assert_non_null(orders);
    assert_int_equal(tape_writer_end_seq(writer), ALL_EVENTS);
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), FILES * ROUNDS * ROUND - 1);
    tape_writer_close(writer);
    assert_int_equal(lost(&broken, "recorded on", 0), 0);
    tear_down(&broken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_flip_in_the_header_loses_an_event),
        cmocka_unit_test(no_flip_in_table_or_trailer_loses_an_event),
        cmocka_unit_test(a_flip_anywhere_loses_one_block_at_most),
        cmocka_unit_test(a_segment_without_its_end_gives_the_blocks_before_it),
        cmocka_unit_test(both_ends_broken_lose_nothing_of_the_blocks_between),
        cmocka_unit_test(a_block_that_is_there_twice_is_read_once),
        cmocka_unit_test(what_looks_like_blocks_hides_none),
        cmocka_unit_test(an_end_that_no_segment_has_is_not_believed),
        cmocka_unit_test(single_events_are_found_where_most_seqs_have_none),
        cmocka_unit_test(zeros_are_named_as_a_whole),
        cmocka_unit_test(a_journal_without_its_header_loses_no_event),
        cmocka_unit_test(a_recorder_goes_on_behind_a_file_that_was_salvaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
