/* What a catalogue is not believed: a tape says the same without it. */
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "index/catalogue_internal.h"
#include "index/tape.h"
#include "tests/support/index_catalogue.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

static void
a_changed_byte_is_noticed_or_harmless(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    char *path = catalogue_path(*state);
    struct buffer good = {0};
    assert_ok(file_read_whole(path, 1 << 20, &good, &err));
    test_remove_catalogue(*state);
    struct tape *tape = test_open(*state);
    char *expected = test_describe(tape);
    tape_close(tape);

    for (size_t i = 0; i < 500; i++) {
        size_t at = i * 7919 % good.length;
        unsigned char before = good.data[at];
        good.data[at] ^= (unsigned char)(1u << i % 8);
        test_remove_catalogue(*state);
        assert_ok(file_replace(path, good.data, good.length, &err));
        tape = test_open(*state);
        char *found = test_describe(tape);
        if (strcmp(found, expected) != 0)
            fail_msg("byte %zu changed: %s instead of %s", at, found, expected);
        free(found);
        tape_close(tape);
        good.data[at] = before;
    }
    free(expected);
    buffer_done(&good);
    free(path);
}

static void
ignores_what_is_no_catalogue(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    char *path = catalogue_path(*state);
    test_remove_catalogue(*state);
    char *expected = test_describe_directory(*state);
    test_expect_same(*state, expected, false); /* none at all is no problem */

    assert_ok(file_replace(path, "this is no database", 19, &err));
    test_expect_same(*state, expected, true);
    assert_ok(file_replace(path, "", 0, &err));
    test_expect_same(*state, expected, false); /* somebody is about to make it */
    test_remove_catalogue(*state);
    assert_int_equal(mkdir(path, 0700), 0);
    test_expect_same(*state, expected, true);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    test_expect_same(*state, expected, true);
    test_remove_catalogue(*state);
    test_run_sql(path, "CREATE TABLE segments (id)"); /* somebody else's */
    test_expect_same(*state, expected, true);
    test_remove_catalogue(*state);
    test_run_sql(path,
        "PRAGMA application_id = 1413767009; PRAGMA user_version = 3;"
        "CREATE VIEW streams AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT"
        " key + 1 FROM n) SELECT key, 1 AS id, 'a' AS tap, 'b' AS name, 0 AS checksum"
        " FROM n;"
        "CREATE TABLE segments (id INTEGER PRIMARY KEY)");
    test_expect_same(*state, expected, true);
    free(expected);
    free(path);
}

static void
a_row_that_was_changed_is_not_used(void **state)
{
    test_record_segments(*state, TEST_SEGMENTS);
    char *path = catalogue_path(*state);
    char *expected = test_describe_directory(*state);
    test_run_sql(path, "UPDATE segments SET end_seq = end_seq - 1 WHERE id = 3;"
                       "UPDATE streams SET name = 'other' WHERE name = 'refunds'");
    test_expect_same(*state, expected, true);
    free(expected);
    free(path);
}

static void
a_catalogue_of_another_version_is_made_again(void **state)
{
    test_record_segments(*state, TEST_SEGMENTS);
    char *path = catalogue_path(*state);
    char *expected = test_describe_directory(*state);
    test_run_sql(path, "PRAGMA user_version = 99");
    test_expect_same(*state, expected, true);
    tape_writer_close(test_writer_sealing(*state, 1, true));
    test_expect_same(*state, expected, false);
    assert_int_equal(test_count_rows(*state), TEST_SEGMENTS);
    free(expected);
    free(path);
}

static void
does_without_when_it_is_locked_or_the_directory_cannot_be_written(void **state)
{
    test_record_segments(*state, TEST_SEGMENTS);
    char *path = catalogue_path(*state);
    char *expected = test_describe_directory(*state);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                         "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
                         "DELETE FROM segments WHERE id = 99999; COMMIT",
                         NULL, NULL, NULL),
        SQLITE_OK);
    test_expect_same(*state, expected, false);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);

    /* WAL needs a file of shared memory beside it, which cannot be made here either. */
    char *shm = alloc_format("%s-shm", path);
    (void)unlink(shm);
    assert_int_equal(mkdir(shm, 0700), 0);
    test_expect_same(*state, expected, false);
    assert_int_equal(rmdir(shm), 0);
    free(shm);
    free(expected);
    free(path);
}

static void
a_row_counts_only_for_its_file(void **state)
{
    struct error err = {0};
    test_record_segments(*state, TEST_SEGMENTS);
    /* Another file in the place of one: what it is decides, here damage. */
    char *path = test_path_in(*state, "00000004.seg");
    assert_ok(file_replace(path, "junk", 4, &err));
    struct tape *tape = test_open(*state);
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 1);
    assert_non_null(strstr(damage[0].text, "00000004.seg"));
    tape_close(tape);
    free(path);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_changed_byte_is_noticed_or_harmless),
        TEST(ignores_what_is_no_catalogue),
        TEST(a_row_that_was_changed_is_not_used),
        TEST(a_catalogue_of_another_version_is_made_again),
        TEST(does_without_when_it_is_locked_or_the_directory_cannot_be_written),
        TEST(a_row_counts_only_for_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
