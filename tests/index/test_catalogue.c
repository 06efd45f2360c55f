#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/catalogue.h"
#include "index/catalogue_internal.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/segment_file.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

#define SEGMENTS 12
#define EACH     INT64_C(20)

/* A segment of EACH events of partition number % 3, every third with a hole behind them. */
static void
append_segment(struct tape_writer *writer, const struct stream *stream, int number)
{
    struct error err = {0};
    struct batch *batch = test_batch(stream, number % 3, number * EACH, (int)EACH);
    struct hole hole = {.stream_id = stream->id,
        .partition = number % 3,
        .from = number * EACH + EACH,
        .to = number * EACH + EACH + 2,
        .reason = HOLE_RETENTION,
        .noticed_ns = 5 * NS_PER_S};
    if (number % 3 == 0)
        batch_add_hole(batch, &hole);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
}

/* `count` segments, every fourth of the stream "refunds". */
static void
record(const char *directory, int count)
{
    struct tape_writer *writer = test_writer_sealing(directory, 1, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    const struct stream *refunds = tape_writer_stream(writer, "shop", "refunds");
    for (int i = 0; i < count; i++)
        append_segment(writer, i % 4 == 3 ? refunds : orders, i);
    tape_writer_close(writer);
}

static char *
path_in(const char *directory, const char *name)
{
    return alloc_format("%s/%s", directory, name);
}

/* All that a tape says about itself. Freed by the caller. */
static char *
describe(struct tape *tape)
{
    struct error err = {0};
    struct buffer text = {0};
    size_t count;
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    if (lanes == NULL) {
        fail_msg("%s", err.text);
        return NULL;
    }
    buffer_printf(&text, "%" PRIu64 " %" PRIu64 "\n", tape_first_seq(tape), tape_end_seq(tape));
    for (size_t i = 0; i < tape_stream_count(tape); i++)
        buffer_printf(&text, "%u %s\n", tape_stream(tape, i)->id, tape_stream(tape, i)->label);
    for (size_t i = 0; i < count; i++) {
        const struct lane_summary *lane = &lanes[i];
        buffer_printf(&text, "%s %d %" PRIu64 " %" PRIu64, lane->stream->label, lane->partition,
            lane->events, lane->bytes);
        buffer_printf(&text,
            " %" PRId64 "..%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
            lane->first_offset, lane->last_offset, lane->first_ns, lane->last_ns,
            lane->first_received_ns, lane->last_received_ns);
        for (size_t k = 0; k < lane->hole_count; k++)
            buffer_printf(&text, " hole %" PRId64 "..%" PRId64 " %s %" PRId64, lane->holes[k].from,
                lane->holes[k].to, hole_reason_text(lane->holes[k].reason),
                lane->holes[k].noticed_ns);
        buffer_append_byte(&text, '\n');
    }
    char *result = alloc_text(buffer_text(&text));
    buffer_done(&text);
    return result;
}

static char *
describe_directory(const char *directory)
{
    struct tape *tape = test_open(directory);
    char *text = describe(tape);
    assert_int_equal(
        test_count_all(tape, tape_first_seq(tape)), tape_end_seq(tape) - tape_first_seq(tape));
    tape_close(tape);
    return text;
}

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

static uint64_t
count_rows(const char *directory)
{
    struct error err = {0};
    struct catalogue *catalogue = catalogue_read(directory, &err);
    if (catalogue == NULL)
        fail_msg("%s", err.text);
    uint64_t rows = 0;
    for (uint64_t id = 1; id < 1000; id++) {
        char *path = alloc_format("%s/%08" PRIu64 ".seg", directory, id);
        struct stat status;
        rows += stat(path, &status) == 0 && catalogue_find(catalogue, id, &status) != NULL;
        free(path);
    }
    assert_int_equal(catalogue_bad_rows(catalogue), 0);
    catalogue_free(catalogue);
    return rows;
}

static void
remove_catalogue(const char *directory)
{
    struct error err = {0};
    char *path = catalogue_path(directory);
    assert_ok(sql_remove(path, &err));
    free(path);
}

/* The tape, with the catalogue as it is now, says what it says without, and of why it was not used. */
static void
expect_same(const char *directory, const char *expected, bool has_problem)
{
    struct tape *tape = test_open(directory);
    char *found = describe(tape);
    assert_string_equal(found, expected);
    if (has_problem != (tape_catalogue_problem(tape) != NULL))
        fail_msg("problem: %s", tape_catalogue_problem(tape));
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 0);
    free(found);
    tape_close(tape);
}

static void
the_recorder_writes_a_row_per_segment(void **state)
{
    struct stat status;
    record(*state, SEGMENTS);
    assert_int_equal(count_rows(*state), SEGMENTS);
    char *path = catalogue_path(*state);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    free(path);
}

static void
a_tape_says_the_same_with_and_without(void **state)
{
    record(*state, SEGMENTS);
    char *with = describe_directory(*state);
    remove_catalogue(*state);
    char *without = describe_directory(*state);
    assert_string_equal(with, without);
    assert_non_null(strstr(with, "hole 20..22 RETENTION"));
    free(with);
    free(without);
}

static void
opens_a_segment_only_when_something_is_read_in_it(void **state)
{
    struct error err = {0};
    record(*state, SEGMENTS);
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
        {"stream=refunds", 3 * EACH, 3},
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
    record(*state, SEGMENTS);
    struct tape *tape = test_open(*state);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    const struct stream *refunds = tape_stream(tape, 1);
    assert_string_equal(refunds->name, "refunds");
    assert_int_equal(
        cursor_fetch_offset(cursor, refunds, 1, 7 * EACH + 3, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.offset, 7 * EACH + 3);
    assert_made_event(&event);
    assert_int_equal(count_open_segments(), 1);
    assert_int_equal(cursor_fetch_offset(cursor, refunds, 1, 99999, &event, &err), CURSOR_END);
    assert_int_equal(cursor_fetch_seq(cursor, 5 * EACH, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.seq, 5 * EACH);
    cursor_free(cursor);
    tape_close(tape);
}

static void
keeps_a_bounded_number_of_files_open(void **state)
{
    record(*state, (int)SEGMENT_FILES_IDLE + 12);
    remove_catalogue(*state);
    struct tape *tape = test_open(*state);
    assert_int_equal(count_open_segments(), SEGMENT_FILES_IDLE);
    assert_int_equal(test_count_all(tape, 0), (SEGMENT_FILES_IDLE + 12) * EACH);
    assert_int_equal(count_open_segments(), SEGMENT_FILES_IDLE);
    char *once = describe(tape);
    char *again = describe(tape);
    assert_string_equal(once, again);
    free(once);
    free(again);
    tape_close(tape);
    assert_int_equal(count_open_segments(), 0);
}

static void
a_changed_byte_is_noticed_or_harmless(void **state)
{
    struct error err = {0};
    record(*state, SEGMENTS);
    char *path = catalogue_path(*state);
    struct buffer good = {0};
    assert_ok(file_read_whole(path, 1 << 20, &good, &err));
    remove_catalogue(*state);
    struct tape *tape = test_open(*state);
    char *expected = describe(tape);
    tape_close(tape);

    for (size_t i = 0; i < 500; i++) {
        size_t at = i * 7919 % good.length;
        unsigned char before = good.data[at];
        good.data[at] ^= (unsigned char)(1u << i % 8);
        remove_catalogue(*state);
        assert_ok(file_replace(path, good.data, good.length, &err));
        tape = test_open(*state);
        char *found = describe(tape);
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
run_sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
ignores_what_is_no_catalogue(void **state)
{
    struct error err = {0};
    record(*state, SEGMENTS);
    char *path = catalogue_path(*state);
    remove_catalogue(*state);
    char *expected = describe_directory(*state);
    expect_same(*state, expected, false); /* none at all is no problem */

    assert_ok(file_replace(path, "this is no database", 19, &err));
    expect_same(*state, expected, true);
    assert_ok(file_replace(path, "", 0, &err));
    expect_same(*state, expected, false); /* somebody is about to make it */
    remove_catalogue(*state);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_same(*state, expected, true);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_same(*state, expected, true);
    remove_catalogue(*state);
    run_sql(path, "CREATE TABLE segments (id)"); /* somebody else's */
    expect_same(*state, expected, true);
    remove_catalogue(*state);
    run_sql(path, "PRAGMA application_id = 1413767009; PRAGMA user_version = 3;"
                  "CREATE VIEW streams AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT"
                  " key + 1 FROM n) SELECT key, 1 AS id, 'a' AS tap, 'b' AS name, 0 AS checksum"
                  " FROM n;"
                  "CREATE TABLE segments (id INTEGER PRIMARY KEY)");
    expect_same(*state, expected, true);
    free(expected);
    free(path);
}

static void
a_row_that_was_changed_is_not_used(void **state)
{
    record(*state, SEGMENTS);
    char *path = catalogue_path(*state);
    char *expected = describe_directory(*state);
    run_sql(path, "UPDATE segments SET end_seq = end_seq - 1 WHERE id = 3;"
                  "UPDATE streams SET name = 'other' WHERE name = 'refunds'");
    expect_same(*state, expected, true);
    free(expected);
    free(path);
}

static void
a_catalogue_of_another_version_is_made_again(void **state)
{
    record(*state, SEGMENTS);
    char *path = catalogue_path(*state);
    char *expected = describe_directory(*state);
    run_sql(path, "PRAGMA user_version = 99");
    expect_same(*state, expected, true);
    tape_writer_close(test_writer_sealing(*state, 1, true));
    expect_same(*state, expected, false);
    assert_int_equal(count_rows(*state), SEGMENTS);
    free(expected);
    free(path);
}

static void
does_without_when_it_is_locked_or_the_directory_cannot_be_written(void **state)
{
    record(*state, SEGMENTS);
    char *path = catalogue_path(*state);
    char *expected = describe_directory(*state);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                         "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
                         "DELETE FROM segments WHERE id = 99999; COMMIT",
                         NULL, NULL, NULL),
        SQLITE_OK);
    expect_same(*state, expected, false);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);

    /* WAL needs a file of shared memory beside it, which cannot be made here either. */
    char *shm = alloc_format("%s-shm", path);
    (void)unlink(shm);
    assert_int_equal(mkdir(shm, 0700), 0);
    expect_same(*state, expected, false);
    assert_int_equal(rmdir(shm), 0);
    free(shm);
    free(expected);
    free(path);
}

static void
a_row_counts_only_for_its_file(void **state)
{
    struct error err = {0};
    record(*state, SEGMENTS);
    /* Another file in the place of one: what it is decides, here damage. */
    char *path = path_in(*state, "00000004.seg");
    assert_ok(file_replace(path, "junk", 4, &err));
    struct tape *tape = test_open(*state);
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 1);
    assert_non_null(strstr(damage[0].text, "00000004.seg"));
    tape_close(tape);
    free(path);
}

static void
a_file_that_rotted_is_named_when_it_is_read(void **state)
{
    struct error err = {0};
    struct stat before = {0};
    record(*state, SEGMENTS);
    char *path = path_in(*state, "00000004.seg");
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
    assert_int_equal(count, SEGMENTS * EACH); /* its blocks are whole */
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
    record(*state, SEGMENTS);
    struct tape *tape = test_open(*state);
    char *path = path_in(*state, "00000001.seg");
    assert_int_equal(unlink(path), 0);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.seq, EACH);
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 0);
    cursor_free(cursor);
    assert_ok(tape_refresh(tape, &err));
    assert_int_equal(tape_first_seq(tape), EACH);
    tape_close(tape);
    free(path);
}

static void
a_recorder_brings_it_up_to_date(void **state)
{
    struct error err = {0};
    record(*state, SEGMENTS);
    char *path = catalogue_path(*state);
    char *segment = path_in(*state, "00000001.seg");
    assert_int_equal(unlink(segment), 0);
    run_sql(path, "DELETE FROM segments WHERE id = 5");
    struct catalogue_counts counts;
    assert_ok(catalogue_update(*state, &counts, &err));
    assert_int_equal(counts.removed, 1);
    assert_int_equal(counts.added, 1);
    assert_int_equal(counts.segments, SEGMENTS - 1);
    assert_int_equal(counts.streams, 2);
    assert_int_equal(counts.events, (SEGMENTS - 1) * EACH);
    assert_int_equal(count_rows(*state), SEGMENTS - 1);

    assert_ok(file_replace(path, "broken", 6, &err));
    struct tape_writer *writer = test_writer_sealing(*state, 1, true);
    assert_non_null(strstr(tape_writer_repairs(writer), "in 1 place (a file before 00000002.seg"));
    assert_null(strstr(tape_writer_repairs(writer), "catalogue"));
    tape_writer_close(writer);
    assert_int_equal(count_rows(*state), SEGMENTS - 1);
    free(segment);
    free(path);
}

static void
what_a_killed_recorder_wrote_is_there(void **state)
{
    struct error err = {0};
    record(*state, SEGMENTS);
    remove_catalogue(*state);
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
    assert_int_equal(count_rows(*state), SEGMENTS);
}

static void
recording_goes_on_without_it(void **state)
{
    char *path = catalogue_path(*state);
    record(*state, 2);
    remove_catalogue(*state);
    assert_int_equal(mkdir(path, 0700), 0);
    char *inside = path_in(path, "in-the-way");
    assert_int_equal(mkdir(inside, 0700), 0);
    struct tape_writer *writer = test_writer_sealing(*state, 1, true);
    assert_non_null(tape_writer_repairs(writer));
    assert_non_null(strstr(tape_writer_repairs(writer), "catalogue"));
    test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, 1000, EACH);
    tape_writer_close(writer);
    struct tape *tape = test_open(*state);
    assert_int_equal(test_count_all(tape, 0), 3 * EACH);
    tape_close(tape);
    free(inside);
    free(path);
}

static void
is_made_again_from_the_files(void **state)
{
    struct error err = {0};
    struct catalogue_counts counts;
    record(*state, SEGMENTS);
    char *segment = path_in(*state, "00000002.seg");
    char *path = catalogue_path(*state);
    assert_ok(file_replace(segment, "junk", 4, &err));
    run_sql(path, "DELETE FROM segments");
    assert_ok(catalogue_rebuild_alone(*state, &counts, &err));
    assert_int_equal(counts.segments, SEGMENTS - 1);
    assert_int_equal(counts.damaged, 1);
    assert_non_null(strstr(counts.damage, "00000002.seg"));
    assert_int_equal(count_rows(*state), SEGMENTS - 1);

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
    record(*state, SEGMENTS);
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL,
        .journal_bytes = 1,
        .min_free = -1,
        .retention = {.keep_bytes = 1}};
    struct tape_writer *writer = tape_writer_open(*state, &options, &err);
    assert_non_null(writer);
    test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, 5000, EACH);
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
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), 5000 + EACH - 1);
    tape_writer_close(writer);
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
        TEST(a_changed_byte_is_noticed_or_harmless),
        TEST(ignores_what_is_no_catalogue),
        TEST(a_row_that_was_changed_is_not_used),
        TEST(a_catalogue_of_another_version_is_made_again),
        TEST(does_without_when_it_is_locked_or_the_directory_cannot_be_written),
        TEST(a_row_counts_only_for_its_file),
        TEST(a_file_that_rotted_is_named_when_it_is_read),
        TEST(a_file_that_retention_took_meanwhile_is_stepped_over),
        TEST(a_recorder_brings_it_up_to_date),
        TEST(what_a_killed_recorder_wrote_is_there),
        TEST(recording_goes_on_without_it),
        TEST(is_made_again_from_the_files),
        TEST(rows_go_with_what_retention_deletes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
