/* How the catalogue is kept: by recorders, through their deaths, and when it is made again. */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "index/catalogue.h"
#include "index/catalogue_internal.h"
#include "index/tape.h"
#include "index/tape_writer.h"
#include "tests/support/index_catalogue.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

static void
a_recorder_brings_it_up_to_date(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    char *path = catalogue_path(*state);
    char *segment = test_path_in(*state, "00000001.seg");
    assert_int_equal(unlink(segment), 0);
    test_run_sql(path, "DELETE FROM segments WHERE id = 5");
    struct catalogue_counts counts;
    assert_ok(catalogue_update(*state, &counts, &err));
    assert_int_equal(counts.removed, 1);
    assert_int_equal(counts.added, 1);
    assert_int_equal(counts.segments, TEST_SEGMENTS - 1);
    assert_int_equal(counts.streams, 2);
    assert_int_equal(counts.events, (TEST_SEGMENTS - 1) * TEST_SEGMENT_EVENTS);
    assert_int_equal(test_count_rows(*state), TEST_SEGMENTS - 1);

    assert_ok(file_replace(path, "broken", 6, &err));
    struct tape_writer *writer = test_writer_sealing(*state, 1, true);
    assert_non_null(strstr(tape_writer_repairs(writer), "in 1 place (a file before 00000002.seg"));
    assert_null(strstr(tape_writer_repairs(writer), "catalogue"));
    tape_writer_close(writer);
    assert_int_equal(test_count_rows(*state), TEST_SEGMENTS - 1);
    free(segment);
    free(path);
}

static void
what_a_killed_recorder_wrote_is_there(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    test_remove_catalogue(*state);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct catalogue_counts counts;
        struct catalogue_writer *writer = catalogue_writer_open(*state, &err);
        /* Not closed: the rows are in the log beside the file only. */
        _exit(writer != NULL && catalogue_writer_update(writer, &counts, &err) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(test_count_rows(*state), TEST_SEGMENTS);
}

static void
recording_goes_on_without_it(void **state)
{
    char *path = catalogue_path(*state);
    test_record_segments(*state, 2);
    test_remove_catalogue(*state);
    assert_int_equal(mkdir(path, 0700), 0);
    char *inside = test_path_in(path, "in-the-way");
    assert_int_equal(mkdir(inside, 0700), 0);
    struct tape_writer *writer = test_writer_sealing(*state, 1, true);
    assert_non_null(tape_writer_repairs(writer));
    assert_non_null(strstr(tape_writer_repairs(writer), "catalogue"));
    test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, 1000, TEST_SEGMENT_EVENTS);
    tape_writer_close(writer);
    struct tape *tape = test_open(*state);
    assert_int_equal(test_count_all(tape, 0), 3 * TEST_SEGMENT_EVENTS);
    tape_close(tape);
    free(inside);
    free(path);
}

static void
is_made_again_from_the_files(void **state)
{
    struct error err = {0};
    struct catalogue_counts counts;
    test_record_segments(*state, TEST_SEGMENTS);
    char *segment = test_path_in(*state, "00000002.seg");
    char *path = catalogue_path(*state);
    assert_ok(file_replace(segment, "junk", 4, &err));
    test_run_sql(path, "DELETE FROM segments");
    assert_ok(catalogue_rebuild_alone(*state, &counts, &err));
    assert_int_equal(counts.segments, TEST_SEGMENTS - 1);
    assert_int_equal(counts.damaged, 1);
    assert_non_null(strstr(counts.damage, "00000002.seg"));
    assert_int_equal(test_count_rows(*state), TEST_SEGMENTS - 1);

    struct tape_writer *writer = test_writer_sealing(*state, 1, true);
    assert_false(catalogue_rebuild_alone(*state, &counts, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    tape_writer_close(writer);
    free(segment);
    free(path);
}

static void
rows_go_with_what_retention_deletes(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL,
        .journal_bytes = 1,
        .min_free = -1,
        .retention = {.keep_bytes = 1}};
    struct tape_writer *writer = tape_writer_open(*state, &options, &err);
    assert_non_null(writer);
    test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, 5000, TEST_SEGMENT_EVENTS);
    tape_writer_close(writer);
    struct catalogue *catalogue = catalogue_read(*state, &err);
    assert_non_null(catalogue);
    catalogue_free(catalogue);
    struct catalogue_counts counts;
    assert_ok(catalogue_update(*state, &counts, &err));
    assert_int_equal(counts.removed, 0);
    assert_int_equal(counts.segments, 1); /* the newest stays: it says where to go on */

    writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), 5000 + TEST_SEGMENT_EVENTS - 1);
    tape_writer_close(writer);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_recorder_brings_it_up_to_date),
        TEST(what_a_killed_recorder_wrote_is_there),
        TEST(recording_goes_on_without_it),
        TEST(is_made_again_from_the_files),
        TEST(rows_go_with_what_retention_deletes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
