#include "tests/support/index_catalogue.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/batch.h"
#include "index/catalogue.h"
#include "index/catalogue_internal.h"
#include "index/hole.h"
#include "index/part_file.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* A segment of TEST_SEGMENT_EVENTS events of partition number % 3, every third with a hole behind them. */
static void
append_segment(struct tape_writer *writer, const struct stream *stream, int number)
{
    struct error err = {0};
    struct batch *batch =
        test_batch(stream, number % 3, number * TEST_SEGMENT_EVENTS, (int)TEST_SEGMENT_EVENTS);
    struct hole hole = {.stream_id = stream->id,
        .partition = number % 3,
        .from = number * TEST_SEGMENT_EVENTS + TEST_SEGMENT_EVENTS,
        .to = number * TEST_SEGMENT_EVENTS + TEST_SEGMENT_EVENTS + 2,
        .reason = HOLE_RETENTION,
        .noticed_ns = 5 * NS_PER_S};
    if (number % 3 == 0)
        batch_add_hole(batch, &hole);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
}

void
test_record_segments(const char *directory, int count)
{
    struct tape_writer *writer = test_writer_sealing(directory, 1, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    const struct stream *refunds = tape_writer_stream(writer, "shop", "refunds");
    for (int i = 0; i < count; i++)
        append_segment(writer, i % 4 == 3 ? refunds : orders, i);
    tape_writer_close(writer);
}

char *
test_path_in(const char *directory, const char *name)
{
    return alloc_format("%s/%s", directory, name);
}

char *
test_describe(struct tape *tape)
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

char *
test_describe_directory(const char *directory)
{
    struct tape *tape = test_open(directory);
    char *text = test_describe(tape);
    assert_int_equal(
        test_count_all(tape, tape_first_seq(tape)), tape_end_seq(tape) - tape_first_seq(tape));
    tape_close(tape);
    return text;
}

uint64_t
test_count_rows(const char *directory)
{
    struct error err = {0};
    struct catalogue *catalogue = catalogue_read(directory, &err);
    if (catalogue == NULL)
        fail_msg("%s", err.text);
    uint64_t rows = 0;
    for (uint64_t id = 1; id < 1000; id++) {
        char *path = part_file_path(directory, id, "seg");
        struct stat status;
        rows += stat(path, &status) == 0 && catalogue_find(catalogue, id, &status) != NULL;
        free(path);
    }
    assert_int_equal(catalogue_bad_rows(catalogue), 0);
    catalogue_free(catalogue);
    return rows;
}

void
test_remove_catalogue(const char *directory)
{
    struct error err = {0};
    char *path = catalogue_path(directory);
    assert_ok(sql_remove(path, &err));
    free(path);
}

void
test_run_sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void
test_expect_same(const char *directory, const char *expected, bool has_problem)
{
    struct tape *tape = test_open(directory);
    char *found = test_describe(tape);
    assert_string_equal(found, expected);
    if (has_problem != (tape_catalogue_problem(tape) != NULL))
        fail_msg("problem: %s", tape_catalogue_problem(tape));
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 0);
    free(found);
    tape_close(tape);
}
