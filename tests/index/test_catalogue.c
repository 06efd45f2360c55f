/* Tapes that are opened by their catalogue, with the segments shut. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "index/catalogue_internal.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/segment_file.h"
#include "index/tape.h"
#include "tests/support/index_catalogue.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* How many segment files this process has open. */
static size_t
count_open_segments(void)
{
    DIR *descriptors = opendir("/proc/self/fd");
    struct dirent *entry;
    size_t count = 0;
    assert_non_null(descriptors);
    while ((entry = readdir(descriptors)) != NULL) {
        char target[4096];
        ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, target, sizeof(target) - 1);
        if (length < 4)
            continue;
        target[length] = '\0';
        count += strcmp(target + length - 4, ".seg") == 0;
    }
    (void)closedir(descriptors);
    return count;
}

static void
the_recorder_writes_a_row_per_segment(void **state)
{
    struct stat status;
    test_record_segments(*state, TEST_SEGMENTS);
    assert_int_equal(test_count_rows(*state), TEST_SEGMENTS);
    char *path = catalogue_path(*state);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    free(path);
}

static void
a_tape_says_the_same_with_and_without(void **state)
{
    test_record_segments(*state, TEST_SEGMENTS);
    char *with = test_describe_directory(*state);
    test_remove_catalogue(*state);
    char *without = test_describe_directory(*state);
    assert_string_equal(with, without);
    assert_non_null(strstr(with, "hole 20..22 RETENTION"));
    free(with);
    free(without);
}

static void
opens_a_segment_only_when_something_is_read_in_it(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    struct tape *tape = test_open(*state);
    size_t count;
    assert_non_null(tape_lanes(tape, &count, &err));
    assert_int_equal(count_open_segments(), 0);

    /* By time, and by stream: what is out of question stays shut. */
    const struct {
        const char *query;
        uint64_t matches;
        size_t open;
    } cases[] = {
        {"stream=nobody", 0, 0},
        {"until 1970-01-01T00:00:01Z", 0, 0},
        {"stream=refunds", 3 * TEST_SEGMENT_EVENTS, 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t column;
        struct query *query = query_compile(cases[i].query, 0, &column, &err);
        assert_non_null(query);
        struct cursor_options options = {.query = query, .order = CURSOR_BY_SEQ};
        struct cursor *cursor = cursor_new(tape, &options);
        struct event event;
        uint64_t matches = 0;
        while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT)
            matches++;
        cursor_free(cursor);
        query_free(query);
        assert_int_equal(matches, cases[i].matches);
        assert_int_equal(count_open_segments(), cases[i].open);
    }
    tape_close(tape);
    assert_int_equal(count_open_segments(), 0);
}

static void
finds_an_offset_with_the_files_shut(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    const struct stream *refunds = tape_stream(tape, 1);
    assert_string_equal(refunds->name, "refunds");
    assert_int_equal(
        cursor_fetch_offset(cursor, refunds, 1, 7 * TEST_SEGMENT_EVENTS + 3, &event, &err),
        CURSOR_EVENT);
    assert_int_equal(event.offset, 7 * TEST_SEGMENT_EVENTS + 3);
    assert_made_event(&event);
    assert_int_equal(count_open_segments(), 1);
    assert_int_equal(cursor_fetch_offset(cursor, refunds, 1, 99999, &event, &err), CURSOR_END);
    assert_int_equal(cursor_fetch_seq(cursor, 5 * TEST_SEGMENT_EVENTS, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.seq, 5 * TEST_SEGMENT_EVENTS);
    cursor_free(cursor);
    tape_close(tape);
}

static void
keeps_a_bounded_number_of_files_open(void **state)
{
    test_record_segments(*state, (int)SEGMENT_FILES_IDLE + 12);
    test_remove_catalogue(*state);
    struct tape *tape = test_open(*state);
    assert_int_equal(count_open_segments(), SEGMENT_FILES_IDLE);
    assert_int_equal(test_count_all(tape, 0), (SEGMENT_FILES_IDLE + 12) * TEST_SEGMENT_EVENTS);
    assert_int_equal(count_open_segments(), SEGMENT_FILES_IDLE);
    char *once = test_describe(tape);
    char *again = test_describe(tape);
    assert_string_equal(once, again);
    free(once);
    free(again);
    tape_close(tape);
    assert_int_equal(count_open_segments(), 0);
}

static void
a_file_that_rotted_is_named_when_it_is_read(void **state)
{
    struct error err = {0};
    struct stat before = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    char *path = test_path_in(*state, "00000004.seg");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &before) == 0);
    assert_int_equal(pwrite(fd, "rotten", 6, before.st_size - 40), 6);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(close(fd), 0);

    struct tape *tape = test_open(*state);
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 0);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    uint64_t count = 0;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT)
        count++;
    assert_int_equal(step, CURSOR_END);
    assert_int_equal(count, TEST_SEGMENTS * TEST_SEGMENT_EVENTS); /* its blocks are whole */
    assert_int_equal(tape_damage(tape, &damage), 1);
    assert_non_null(strstr(damage[0].text, "00000004.seg"));
    assert_false(tape_verify(tape, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    cursor_free(cursor);
    tape_close(tape);
    free(path);
}

static void
a_file_that_retention_took_meanwhile_is_stepped_over(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    struct tape *tape = test_open(*state);
    char *path = test_path_in(*state, "00000001.seg");
    assert_int_equal(unlink(path), 0);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.seq, TEST_SEGMENT_EVENTS);
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 0);
    cursor_free(cursor);
    assert_ok(tape_refresh(tape, &err));
    assert_int_equal(tape_first_seq(tape), TEST_SEGMENT_EVENTS);
    tape_close(tape);
    free(path);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_recorder_writes_a_row_per_segment),
        TEST(a_tape_says_the_same_with_and_without),
        TEST(opens_a_segment_only_when_something_is_read_in_it),
        TEST(finds_an_offset_with_the_files_shut),
        TEST(keeps_a_bounded_number_of_files_open),
        TEST(a_file_that_rotted_is_named_when_it_is_read),
        TEST(a_file_that_retention_took_meanwhile_is_stepped_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
