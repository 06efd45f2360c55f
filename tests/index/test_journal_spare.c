/* Journals in files that were journals before. What the earlier one left behind the end mark must never be seen, and
 * nobody who reads the earlier one may see the later. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/journal.h"
#include "index/journal_spare.h"
#include "index/part_file.h"
#include "index/tape.h"
#include "tests/support/index_journals.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

static void
no_control(void *self, const struct record *record)
{
    (void)self;
    (void)record;
}

/* Who opens it now finds so many events in so many frames, and nothing is broken: while it is written, and after. */
static void
expect(const char *directory, size_t frames, uint64_t events)
{
    struct error err;
    char *path = part_file_path(directory, 2, "jnl");
    for (int is_final = 0; is_final < 2; is_final++) {
        struct journal journal;
        assert_ok(journal_open(&journal, path, &err));
        test_journal_scan(&journal, is_final != 0);
        test_journal_scan(&journal, is_final != 0);
        assert_int_equal(journal.frame_count, frames);
        assert_int_equal(journal.end_seq, TEST_OLD_EVENTS + events);
        assert_int_equal(journal.damage_count, 0);
        journal_close(&journal);
    }
    free(path);
}

static off_t
size_of(const char *directory, uint64_t id, const char *suffix)
{
    struct stat status;
    char *path = part_file_path(directory, id, suffix);
    off_t size = stat(path, &status) == 0 ? status.st_size : -1;
    free(path);
    return size;
}

static void
shows_nothing_of_what_was_there(void **state)
{
    const char *directory = *state;
    struct journal_file file = test_journal_reuse(directory);
    off_t old = size_of(directory, 2, "jnl");
    assert_true(old > 0);
    assert_int_equal(size_of(directory, 1, "old"), -1);
    assert_int_equal(size_of(directory, 1, "jnl"), -1);
    expect(directory, 0, 0);
    size_t frames = 0;
    uint64_t events = 0;
    /* Frames of other lengths, so that old ones begin inside of new ones; up to behind the old end. */
    for (int count = 1; (off_t)file.size < old + 1000; count = count % 7 + 1) {
        test_journal_append(&file, TEST_OLD_EVENTS + events, count);
        events += (uint64_t)count;
        expect(directory, ++frames, events);
    }
    assert_true(events > 0);
    assert_int_equal(size_of(directory, 2, "jnl"), file.size);
    journal_file_close(&file);
}

static void
a_reader_follows_it(void **state)
{
    struct error err;
    struct journal_file file = test_journal_reuse(*state);
    struct journal journal;
    char *path = part_file_path(*state, 2, "jnl");
    assert_ok(journal_open(&journal, path, &err));
    for (int i = 0; i < 20; i++) {
        test_journal_scan(&journal, false);
        assert_int_equal(journal.frame_count, i);
        test_journal_append(&file, (uint64_t)(TEST_OLD_EVENTS + 3 * i), 3);
    }
    assert_int_equal(journal.damage_count, 0);
    journal_close(&journal);
    journal_file_close(&file);
    free(path);
}

/* As a disk does. */
static void
spoil(const struct journal_file *file, uint64_t at)
{
    int fd = open(file->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "?", 1, (off_t)at), 1);
    (void)close(fd);
}

static bool
end_is_broken(struct journal *journal, uint64_t at)
{
    struct error err;
    bool is_broken;
    assert_ok(journal_end_is_broken(journal, at, &is_broken, &err));
    return is_broken;
}

/* A frame of which the first `length` bytes are there, as a recorder leaves it that is killed just then. */
static void
tear(struct journal_file *file, int count, size_t length)
{
    struct buffer before = {0};
    struct error err;
    uint64_t from = file->size + length;
    assert_ok(file_read_whole(file->path, 1u << 20, &before, &err));
    test_journal_append(file, TEST_OLD_EVENTS + 9, count);
    assert_true(file->size > from);
    int fd = open(file->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t rest = (ssize_t)(before.length - from);
    assert_int_equal(pwrite(fd, before.data + from, (size_t)rest, (off_t)from), rest);
    (void)close(fd);
    buffer_done(&before);
}

static void
a_torn_frame_is_not_there_yet(void **state)
{
    struct error err;
    for (size_t length = 8; length < 200; length += 24) {
        struct journal_file file = test_journal_reuse(*state);
        test_journal_append(&file, TEST_OLD_EVENTS, 9);
        tear(&file, 2, length);
        struct journal journal;
        assert_ok(journal_open(&journal, file.path, &err));
        for (int i = 0; i < 4; i++) {
            test_journal_scan(&journal, false);
            assert_int_equal(journal.frame_count, 1);
            assert_int_equal(journal.damage_count, 0);
        }
        /* When nobody writes any more, it is broken, and the only thing that is. */
        test_journal_scan(&journal, true);
        assert_int_equal(journal.frame_count, 1);
        assert_int_equal(journal.damage_count, 1);
        assert_int_equal(journal.end_seq, TEST_OLD_EVENTS + 9);
        assert_false(end_is_broken(&journal, journal.damage[0].at));
        journal_close(&journal);
        assert_int_equal(unlink(file.path), 0);
        journal_file_close(&file);
    }
}

static void
damage_is_stepped_over_and_named(void **state)
{
    struct error err;
    struct journal_file file = test_journal_reuse(*state);
    test_journal_append(&file, TEST_OLD_EVENTS, 9);
    uint64_t at = file.size;
    test_journal_append(&file, TEST_OLD_EVENTS + 9, 5);
    test_journal_append(&file, TEST_OLD_EVENTS + 14, 4);
    spoil(&file, at); /* in the magic of the second */
    test_journal_set_written(file.path, 60 * NS_PER_S);
    struct journal journal;
    assert_ok(journal_open(&journal, file.path, &err));
    journal.is_followed = true;
    test_journal_scan(&journal, false);
    assert_int_equal(journal.damage_count, 1);
    assert_int_equal(journal.damage[0].first_seq, TEST_OLD_EVENTS + 9);
    assert_int_equal(journal.damage[0].end_seq, TEST_OLD_EVENTS + 14);
    assert_int_equal(journal.frame_count, 2);
    journal_close(&journal);
    journal_file_close(&file);
}

static void
a_whole_frame_that_is_broken_is_none_that_was_torn(void **state)
{
    struct error err;
    struct journal_file file = test_journal_reuse(*state);
    test_journal_append(&file, TEST_OLD_EVENTS, 9);
    uint64_t at = file.size;
    test_journal_append(&file, TEST_OLD_EVENTS + 9, 5);
    spoil(&file, file.size - 2);
    struct journal journal;
    assert_ok(journal_open(&journal, file.path, &err));
    assert_ok(journal_scan(&journal, true, true, no_control, NULL, &err));
    assert_int_equal(journal.frame_count, 1);
    assert_int_equal(journal.damage_count, 1);
    assert_int_equal(journal.damage[0].at, at);
    assert_true(end_is_broken(&journal, at));
    journal_close(&journal);
    test_journal_append(&file, TEST_OLD_EVENTS + 14, 5);
    assert_ok(journal_open(&journal, file.path, &err));
    assert_ok(journal_scan(&journal, true, true, no_control, NULL, &err));
    assert_int_equal(journal.frame_count, 2);
    assert_false(end_is_broken(&journal, journal.scanned)); /* the mark */
    journal_close(&journal);
    journal_file_close(&file);
}

static void
is_read_by_its_frames_where_the_header_is_broken(void **state)
{
    struct error err;
    struct journal_file file = test_journal_reuse(*state);
    test_journal_append(&file, TEST_OLD_EVENTS, 9);
    test_journal_append(&file, TEST_OLD_EVENTS + 9, 5);
    spoil(&file, 30);
    struct journal journal;
    assert_false(journal_open(&journal, file.path, &err));
    assert_ok(journal_open_headless(&journal, file.path, 2, &err));
    test_journal_scan(&journal, true);
    assert_int_equal(journal.header.base_seq, TEST_OLD_EVENTS);
    assert_int_equal(journal.end_seq, TEST_OLD_EVENTS + 14);
    assert_int_equal(journal.damage_count, 0);
    journal_close(&journal);
    journal_file_close(&file);
}

static void
what_is_taken_back_is_gone(void **state)
{
    struct journal_file file = test_journal_reuse(*state);
    test_journal_append(&file, TEST_OLD_EVENTS, 9);
    uint64_t size = file.size;
    test_journal_append(&file, TEST_OLD_EVENTS + 9, 5);
    journal_take_back(&file, size);
    expect(*state, 1, 9);
    test_journal_append(&file, TEST_OLD_EVENTS + 9, 2);
    expect(*state, 2, 11);
    assert_int_equal(size_of(*state, 2, "jnl"), file.size);
    journal_file_close(&file);
}

static void
is_not_used_while_somebody_reads_it(void **state)
{
    struct error err;
    test_journal_write_old(*state);
    struct journal journal;
    char *path = part_file_path(*state, 1, "jnl");
    assert_ok(journal_open(&journal, path, &err));
    struct journal_spare *spare = journal_spare_new(*state);
    assert_true(journal_spare_give(spare, 1));
    struct journal_file file = test_journal_create(*state, 2, TEST_OLD_EVENTS, spare);
    assert_false(file.header.is_reused);
    assert_int_equal(size_of(*state, 1, "old"), -1);
    test_journal_append(&file, TEST_OLD_EVENTS, 9);
    test_journal_scan(&journal, true);
    assert_int_equal(journal.end_seq, TEST_OLD_EVENTS);
    assert_int_equal(journal.damage_count, 0);
    journal_close(&journal);
    journal_file_close(&file);
    journal_spare_free(spare);
    free(path);
}

/* A backup may be made of links. */
static void
is_not_used_while_it_has_another_name(void **state)
{
    test_journal_write_old(*state);
    char *path = part_file_path(*state, 1, "jnl");
    char *copy = part_file_path(*state, 1, "copy");
    assert_int_equal(link(path, copy), 0);
    off_t size = size_of(*state, 1, "jnl");
    struct journal_spare *spare = journal_spare_new(*state);
    assert_true(journal_spare_give(spare, 1));
    uint64_t got;
    char *wanted = part_file_path(*state, 2, "new");
    assert_int_equal(journal_spare_take(spare, wanted, &got), -1);
    assert_int_equal(size_of(*state, 1, "copy"), size);
    journal_spare_free(spare);
    free(wanted);
    free(copy);
    free(path);
}

static void
keeps_one_and_none_when_it_is_closed(void **state)
{
    test_journal_write_old(*state);
    struct journal_file second = test_journal_create(*state, 2, TEST_OLD_EVENTS, NULL);
    journal_file_close(&second);
    struct journal_spare *spare = journal_spare_new(*state);
    assert_true(journal_spare_give(spare, 1));
    assert_false(journal_spare_give(spare, 2));
    journal_spare_close(spare);
    assert_int_equal(size_of(*state, 1, "old"), -1);
    assert_false(journal_spare_give(spare, 2));
    assert_true(size_of(*state, 2, "jnl") > 0);
    journal_spare_free(spare);
    assert_false(journal_spare_give(NULL, 2));
}

static void
note_journal(void *self, const struct part_file *file)
{
    if (strcmp(file->suffix, "jnl") == 0)
        part_ids_add(self, file->id);
}

/* The journal that is written is in a file that was used before. */
static bool
newest_is_reused(const char *directory)
{
    struct error err;
    struct part_ids journals = {0};
    assert_ok(part_file_each(directory, note_journal, &journals, &err));
    part_ids_sort(&journals);
    char *path = part_file_path(directory, part_ids_last(&journals), "jnl");
    struct journal journal;
    bool is_reused = journal_open(&journal, path, &err) && journal.header.is_reused;
    journal_close(&journal);
    part_ids_done(&journals);
    free(path);
    return is_reused;
}

/* A recorder that goes on for long: whatever is read at any moment is what was appended. */
static void
a_tape_is_whole_at_any_time(void **state)
{
    struct tape_writer *writer = test_writer_sealing(*state, 20000, true);
    const struct stream *stream = tape_writer_stream(writer, "shop", "orders");
    bool was_reused = false;
    int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    int64_t events = 0;
    for (int i = 0; i < 200 || !was_reused; i++) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        test_append(writer, stream, 0, events, 40);
        events += 40;
        if (i % 10 == 9) {
            struct tape *tape = test_open(*state);
            assert_int_equal(test_count_all(tape, 0), events);
            tape_close(tape);
        }
        was_reused = was_reused || newest_is_reused(*state);
    }
    tape_writer_close(writer);
    struct tape *tape = test_open(*state);
    assert_int_equal(test_count_all(tape, 0), events);
    tape_close(tape);
}

/* Power failed when the file had its new name, and not yet its new header. */
static void
a_file_with_the_header_of_a_sealed_journal_goes(void **state)
{
    struct error err;
    struct buffer bytes = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *stream = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, stream, 0, 0, 40);
    char *path = part_file_path(*state, 1, "jnl");
    assert_ok(file_read_whole(path, 1u << 20, &bytes, &err));
    tape_writer_close(writer);
    tape_writer_close(test_writer_sealing(*state, 0, true));
    char *other = part_file_path(*state, 2, "jnl");
    assert_ok(file_replace(other, bytes.data, bytes.length, &err));
    writer = test_writer(*state, 0);
    assert_null(tape_writer_repairs(writer));
    assert_int_equal(size_of(*state, 2, "jnl"), -1);
    stream = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, stream, 0, 40, 2);
    tape_writer_close(writer);
    struct tape *tape = test_open(*state);
    assert_int_equal(test_count_all(tape, 0), 42);
    tape_close(tape);
    buffer_done(&bytes);
    free(other);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            shows_nothing_of_what_was_there, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            a_reader_follows_it, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            a_torn_frame_is_not_there_yet, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            damage_is_stepped_over_and_named, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(a_whole_frame_that_is_broken_is_none_that_was_torn,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(is_read_by_its_frames_where_the_header_is_broken,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(a_file_with_the_header_of_a_sealed_journal_goes,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_taken_back_is_gone, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            is_not_used_while_somebody_reads_it, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            is_not_used_while_it_has_another_name, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            keeps_one_and_none_when_it_is_closed, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            a_tape_is_whole_at_any_time, temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
