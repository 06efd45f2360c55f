/* `export` and `import`, the program as it is. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "index/tape_writer.h"
#include "tests/support/console_copying.h"
#include "tests/support/console_home.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

static void
is_byte_exact_both_ways(void **state)
{
    const struct copying *fixture = *state;
    strange_tape_write(fixture->tape);
    struct buffer lines = copying_export(fixture);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "260 events imported, 3 holes", NULL);
    struct buffer again = copying_output(fixture, WORDS("export", "--tape", fixture->other));
    expect_equal(&lines, &again);
    buffer_done(&again);
    buffer_done(&lines);
    copying_expect(fixture, WORDS("tape", "verify", "--tape", fixture->other), 0, "whole", NULL);
}

static void
prints_the_lines_that_events_prints(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    struct buffer exported =
        copying_output(fixture, WORDS("export", "--tape", fixture->tape, "stream=orders"));
    struct buffer events = copying_output(
        fixture, WORDS("events", "--json", "--tape", fixture->tape, "stream=orders"));
    const char *done = strstr(buffer_text(&exported), "{\"v\":1,\"done\"");
    assert_non_null(done);
    size_t length = (size_t)(done - (const char *)exported.data);
    assert_memory_equal(exported.data, events.data, length);
    assert_memory_equal(events.data + length, "{\"v\":1,\"done\"", 13);
    buffer_done(&exported);
    buffer_done(&events);
}

/* Six files of 500 kB each, so that a pipe ends the first look in the first of them. */
static void
write_long_tape(const char *directory)
{
    enum { EACH = 5, PAYLOAD_BYTES = 100000 };
    char *payload = alloc_array(1, PAYLOAD_BYTES);
    memset(payload, 'x', PAYLOAD_BYTES);
    for (int64_t offset = 0; offset < (int64_t)6 * EACH; offset += EACH) {
        struct sample samples[EACH];
        for (int64_t i = 0; i < EACH; i++)
            samples[i] = (struct sample){.stream = "orders",
                .offset = offset + i,
                .payload = {(const unsigned char *)payload, PAYLOAD_BYTES}};
        sample_tape_write(directory, samples, EACH);
    }
    free(payload);
}

static void
says_what_retention_deleted_before_it_was_written(void **state)
{
    const struct copying *fixture = *state;
    struct program program;
    write_long_tape(fixture->tape);
    program_start(&program, fixture->home, WORDS("export", "--tape", fixture->tape), NULL);
    program_wait_for(&program, "\"offset\":\"0\"");
    copying_expect(fixture, WORDS("tape", "prune", "--keep-bytes", "1", "--tape", fixture->tape), 0,
        "deleted 5 segments", NULL);
    program_finish(&program);
    assert_int_equal(program.code, 1);
    expect_text(&program.err, "not complete: 4 files of ");
    expect_text(&program.out, "\"matched\":\"10\",\"complete\":false,");
    expect_text(&program.out, "\"from\":\"5\",\"to\":\"24\",\"reason\":\"RETENTION\"");
    write_file(fixture->file, program.out.data, program.out.length);
    program_done(&program);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1,
        "10 events imported, 1 hole\n", "says itself that it is not complete");
}

static void
takes_nothing_twice(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    sample_tape_write_hole(fixture->tape, "orders", 4, 6);
    struct buffer lines = copying_export(fixture);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "3 events imported, 1 hole\n", NULL);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "0 events imported; 3 skipped", NULL);
    copying_expect(fixture, WORDS("import", "--json", "--tape", fixture->other, fixture->file), 0,
        "{\"v\":1,\"done\":true,\"events\":\"0\",\"skipped\":\"3\",\"holes\":\"0\","
        "\"complete\":true}\n",
        NULL);
    struct buffer again = copying_output(fixture, WORDS("export", "--tape", fixture->other));
    expect_equal(&lines, &again);
    buffer_done(&again);
    copying_expect(fixture,
        WORDS("import", "--into-tap", "twin", "--tape", fixture->other, fixture->file), 0,
        "3 events imported", NULL);
    copying_expect(
        fixture, WORDS("search", "--count", "--tape", fixture->other, "tap=twin"), 0, "3", NULL);
    buffer_done(&lines);
}

/* Two recorders' tapes, which have payment 2 in common. */
static void
write_two_tapes(const struct copying *fixture, const char *second)
{
    const struct sample samples[] = {
        {.stream = "payments", .offset = 2, .payload = {(const unsigned char *)"b", 1}},
        {.stream = "payments", .offset = 3, .payload = {(const unsigned char *)"d", 1}},
        {.stream = "orders", .offset = 2, .payload = {(const unsigned char *)"e", 1}},
    };
    small_tape_write(fixture->tape);
    sample_tape_write(second, samples, 3);
}

static void
makes_one_tape_of_an_export_a_packed_tape_and_a_directory(void **state)
{
    const struct copying *fixture = *state;
    char *second = alloc_format("%s/second", fixture->home);
    write_two_tapes(fixture, second);
    struct buffer lines = copying_export(fixture);
    copying_expect(
        fixture, WORDS("export", "--tape", second, "--tape-file", fixture->packed), 0, NULL, NULL);
    copying_expect(fixture,
        WORDS("import", "--tape", fixture->other, fixture->file, fixture->packed, second), 0,
        "5 events imported; 4 copies of the same offsets left out\n", NULL);
    copying_expect(fixture, WORDS("streams", "--json", "--tape", fixture->other), 0,
        "\"from\":\"1\",\"to\":\"3\",\"events\":\"3\",\"holes\":[]", NULL);
    copying_expect(fixture,
        WORDS("import", "--json", "--tape", fixture->other, second, fixture->file), 0,
        "{\"v\":1,\"done\":true,\"events\":\"0\",\"skipped\":\"5\",\"holes\":\"0\","
        "\"duplicates\":\"1\",\"conflicts\":\"0\",\"complete\":true}\n",
        NULL);
    assert_int_equal(count_entries(fixture->scratch), 0);
    buffer_done(&lines);
    free(second);
}

static void
refuses_inputs_that_cannot_be_merged(void **state)
{
    const struct copying *fixture = *state;
    char *second = alloc_format("%s/second", fixture->home);
    write_two_tapes(fixture, second);
    struct buffer lines = copying_export(fixture);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, second, second), 2, NULL,
        "is named twice");
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, second, "nowhere"), 2, NULL,
        "cannot open nowhere: No such file");
    assert_int_not_equal(access(fixture->other, F_OK), 0);

    write_file(fixture->file, lines.data, lines.length / 2); /* cut off in the middle of a line */
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, second, fixture->file), 1,
        NULL, "events.ndjson: line");
    assert_int_equal(count_entries(fixture->scratch), 0);
    buffer_done(&lines);
    free(second);
}

/* Its lines say that they were replayed from where they say that they are. */
static void
takes_what_a_replay_wrote(void **state)
{
    const struct copying *fixture = *state;
    char line[512];
    struct buffer lines = {0};
    for (int offset = 4; offset < 6; offset++) {
        (void)snprintf(line, sizeof(line),
            "{\"v\":1,\"seq\":\"0\",\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":0,"
            "\"offset\":\"%d\",\"time\":null,\"time_type\":\"none\",\"received\":\"2026-11-23T14:"
            "29:"
            "31.102000000Z\",\"key\":null,\"headers\":[[\"x-tapedeck-replay\",{\"text\":\"R\"}],"
            "[\"x-tapedeck-seq\",{\"text\":\"0\"}],[\"x-tapedeck-orig\",{\"text\":\"kafka/shop/"
            "orders/"
            "0/4\"}],[\"x-tapedeck-hops\",{\"text\":\"1\"}]],\"payload\":null,\"size\":0}\n",
            offset);
        buffer_append_text(&lines, line);
        write_file(fixture->file, lines.data, lines.length);
        /* The second one is not where it was replayed from: it was recorded from the target. */
        copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file),
            offset == 4 ? 0 : 1, "1 event imported",
            offset == 4 ? "a replay wrote this, and its file has no done line"
                        : "line 2: the input ends without a done line");
    }
    buffer_done(&lines);
}

static void
notices_that_an_export_was_cut_off(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    struct buffer lines = copying_export(fixture);
    const char *text = buffer_text(&lines);
    const char *second = strchr(text, '\n') + 1;
    const char *done = strstr(text, "{\"v\":1,\"done\"");

    write_file(fixture->file, text, (size_t)(second - text));
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1,
        "1 event imported", "line 1: the input ends without a done line");

    struct buffer fewer = {0};
    buffer_append(&fewer, text, (size_t)(second - text));
    buffer_append_text(&fewer, done);
    write_file(fixture->file, fewer.data, fewer.length);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1,
        "1 skipped", "line 2: the done line counts other events");

    write_file(fixture->file, "", 0);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1, "0 events",
        "without a done line");
    buffer_done(&fewer);
    buffer_done(&lines);
}

static void
takes_what_stands_before_a_bad_line_and_goes_on_when_it_is_mended(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    struct buffer lines = copying_export(fixture);
    struct buffer bad = {0};
    const char *text = buffer_text(&lines);
    const char *second = strchr(text, '\n') + 1;
    const char *third = strchr(second, '\n') + 1;
    const char *offset = strstr(third, "\"offset\":\"3\"");
    buffer_append(&bad, text, (size_t)(offset - text));
    buffer_append_text(&bad, "\"offset\":3");
    buffer_append_text(&bad, offset + strlen("\"offset\":\"3\""));
    write_file(fixture->file, bad.data, bad.length);
    char *place = alloc_format(
        "tapedeck: line 3, column %zu: \"offset\" is not", (size_t)(offset - third) + 10);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1,
        "2 events imported", place);
    free(place);

    write_file(fixture->file, lines.data, lines.length);
    copying_expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "1 event imported; 2 skipped", NULL);
    struct buffer again = copying_output(fixture, WORDS("export", "--tape", fixture->other));
    expect_equal(&lines, &again);
    buffer_done(&again);
    buffer_done(&bad);
    buffer_done(&lines);
}

static void
reads_from_a_pipe(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    char *command = alloc_format("'%s/tapedeck' export --tape '%s' | '%s/tapedeck' import --quiet "
                                 "--tape '%s'",
        TEST_BINARY_DIR, fixture->tape, TEST_BINARY_DIR, fixture->other);
    assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
    free(command);
    copying_expect(
        fixture, WORDS("search", "--count", "--tape", fixture->other, "partition=0"), 0, "3", NULL);
}

static void
takes_a_dash_for_stdin(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    char *command = alloc_format("'%s/tapedeck' export --tape '%s' | '%s/tapedeck' import --quiet "
                                 "--tape '%s' -",
        TEST_BINARY_DIR, fixture->tape, TEST_BINARY_DIR, fixture->other);
    assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
    free(command);
    command = alloc_format("'%s/tapedeck' export --tape '%s' | '%s/tapedeck' import --tape "
                           "'%s/both' - '%s' | grep -q 'copies of the same offsets left out'",
        TEST_BINARY_DIR, fixture->tape, TEST_BINARY_DIR, fixture->home, fixture->other);
    assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
    free(command);
    copying_expect(fixture, WORDS("export", "--tape", fixture->tape, "--tape-file", "-"), 2, NULL,
        "--tape-file cannot write to stdout");
}

static void
refuses_a_tape_that_is_being_recorded(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    struct buffer lines = copying_export(fixture);
    buffer_done(&lines);
    struct error err;
    struct tape_writer *writer = tape_writer_open(fixture->other, NULL, &err);
    assert_non_null(writer);
    copying_expect(
        fixture, WORDS("import", "--tape", fixture->other, fixture->file), 5, NULL, "recorder");
    tape_writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, copying_set_up, copying_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_byte_exact_both_ways),
        TEST(prints_the_lines_that_events_prints),
        TEST(says_what_retention_deleted_before_it_was_written),
        TEST(takes_nothing_twice),
        TEST(makes_one_tape_of_an_export_a_packed_tape_and_a_directory),
        TEST(refuses_inputs_that_cannot_be_merged),
        TEST(takes_what_a_replay_wrote),
        TEST(notices_that_an_export_was_cut_off),
        TEST(takes_what_stands_before_a_bad_line_and_goes_on_when_it_is_mended),
        TEST(reads_from_a_pipe),
        TEST(takes_a_dash_for_stdin),
        TEST(refuses_a_tape_that_is_being_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
