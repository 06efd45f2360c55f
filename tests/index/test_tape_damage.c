#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/record.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

static char *
only_journal(const char *directory)
{
    return alloc_format("%s/00000001.jnl", directory);
}

static void
cuts_a_torn_tail_at_every_length(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 3);
    tape_writer_close(writer);
    char *path = only_journal(*state);
    struct stat before;
    assert_int_equal(stat(path, &before), 0);

    writer = test_writer(*state, 0);
    tape_writer_close(writer);
    for (off_t keep = before.st_size - 1; keep >= 0; keep -= 7) {
        assert_int_equal(truncate(path, keep), 0);
        struct tape_writer_options options = {.min_free = -1};
        struct tape_writer *again = tape_writer_open(*state, &options, &err);
        assert_ok(again != NULL);
        assert_int_equal(tape_writer_end_seq(again), 0);
        tape_writer_close(again);
        struct tape *tape = test_open(*state);
        assert_int_equal(test_count_all(tape, 0), 0);
        tape_close(tape);
        if (access(path, F_OK) != 0)
            break; /* the header itself was torn: the file is gone */
    }
    free(path);
}

/* 30 events in three frames of one journal. */
static void
write_three_frames(const char *directory)
{
    struct tape_writer *writer = test_writer(directory, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 30; offset += 10)
        test_append(writer, orders, 0, offset, 10);
    tape_writer_close(writer);
}

static void
keeps_both_sides_of_damage_in_the_middle(void **state)
{
    struct error err = {0};
    write_three_frames(*state);

    /* A byte in the body of the second event frame. */
    char *path = only_journal(*state);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "X", 1, status.st_size / 2), 1);
    (void)close(fd);

    struct tape *tape = test_open(*state);
    assert_int_equal(tape_end_seq(tape), 30);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    int count = 0;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
        assert_true(event.seq < 10 || event.seq >= 20);
        assert_int_equal(event.offset, event.seq);
        count++;
    }
    assert_int_equal(count, 20);
    cursor_free(cursor);
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 1);
    assert_int_equal(damage[0].first_seq, 10);
    assert_int_equal(damage[0].end_seq, 20);
    assert_false(tape_verify(tape, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    tape_close(tape);

    /* The next recorder says so and goes on behind. */
    struct tape_writer *writer = test_writer(*state, 0);
    assert_non_null(tape_writer_repairs(writer));
    assert_int_equal(tape_writer_end_seq(writer), 30);
    tape_writer_close(writer);
    free(path);
}

static void
every_flipped_bit_is_noticed_or_harmless(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    for (int64_t offset = 0; offset < 6; offset += 2)
        test_append(writer, orders, 0, offset, 2);
    tape_writer_close(writer);
    char *path = only_journal(*state);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);

    int fd = open(path, O_RDWR);
    for (off_t at = 0; at < status.st_size; at++) {
        unsigned char byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        unsigned char flipped = (unsigned char)(byte ^ (1u << (at % 8)));
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        struct tape *tape = tape_open(*state, &err);
        if (tape != NULL) {
            struct cursor_options options = {.order = CURSOR_BY_SEQ};
            struct cursor *cursor = cursor_new(tape, &options);
            struct event event;
            uint64_t next = 0;
            bool is_missed = false;
            while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
                assert_true(event.offset == (int64_t)event.seq);
                assert_made_event(&event);
                is_missed = is_missed || event.seq != next;
                next = event.seq + 1;
            }
            /* Only an end may be missing without a word: that is how a crash leaves it. */
            const struct tape_damage *damage;
            if (is_missed && tape_damage(tape, &damage) == 0)
                fail_msg("byte %lld: events are missing and nobody says so", (long long)at);
            cursor_free(cursor);
            tape_close(tape);
        } else {
            assert_int_equal(err.code, ERROR_DAMAGED);
        }
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    (void)close(fd);
    free(path);
}

/* How many places are named when everything is checked; all but the last 10 events are there. */
static size_t
places_when_verified(const char *directory)
{
    struct error err = {0};
    const struct tape_damage *damage;
    struct tape *tape = test_open(directory);
    assert_int_equal(test_count_all(tape, 0), 20);
    bool is_whole = tape_verify(tape, &err);
    size_t count = tape_damage(tape, &damage);
    assert_true(is_whole == (count == 0));
    if (count > 0)
        assert_non_null(strstr(damage[0].text, "its end"));
    tape_close(tape);
    return count;
}

/* A crash leaves the beginning of a frame. One that is all there and has another checksum was acknowledged. */
static void
a_broken_frame_at_the_end_is_damage_and_a_torn_one_is_not(void **state)
{
    struct error err = {0};
    write_three_frames(*state);
    char *path = only_journal(*state);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "?", 1, status.st_size - 1), 1);
    assert_int_equal(places_when_verified(*state), 1);
    assert_int_equal(ftruncate(fd, status.st_size - 1), 0);
    assert_int_equal(places_when_verified(*state), 0);
    assert_int_equal(ftruncate(fd, status.st_size), 0); /* all there again, the last byte a zero */
    assert_int_equal(places_when_verified(*state), 1);

    struct tape_writer_options options = {.min_free = -1, .keep_journals = true};
    struct tape_writer *writer = tape_writer_open(*state, &options, &err);
    assert_ok(writer != NULL);
    assert_non_null(strstr(tape_writer_repairs(writer), "was broken"));
    assert_non_null(strstr(tape_writer_repairs(writer), "are lost"));
    tape_writer_close(writer);
    assert_int_equal(places_when_verified(*state), 0);
    (void)close(fd);
    free(path);
}

int
main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(cuts_a_torn_tail_at_every_length),
        TEST(keeps_both_sides_of_damage_in_the_middle),
        TEST(every_flipped_bit_is_noticed_or_harmless),
        TEST(a_broken_frame_at_the_end_is_damage_and_a_torn_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
