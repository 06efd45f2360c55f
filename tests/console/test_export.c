/* `export`, `import` and packed tapes, the program as it is. */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/retention.h"
#include "index/tape_writer.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define BIG        ((size_t)5 * 1024 * 1024)

struct fixture {
    char *home;
    char *tape;
    char *other;
    char *file;
    char *packed;
    char *scratch;
    char *scratch_variable;
};

static int
set_up(void **state)
{
    struct fixture *fixture = alloc_zeroed(sizeof(*fixture));
    fixture->home = temp_directory_new();
    fixture->tape = alloc_format("%s/tape", fixture->home);
    fixture->other = alloc_format("%s/other", fixture->home);
    fixture->file = alloc_format("%s/events.ndjson", fixture->home);
    fixture->packed = alloc_format("%s/copy.tar.zst", fixture->home);
    fixture->scratch = alloc_format("%s/scratch", fixture->home);
    fixture->scratch_variable = alloc_format("TMPDIR=%s", fixture->scratch);
    *state = fixture;
    return mkdir(fixture->scratch, 0700);
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    temp_directory_remove(fixture->home);
    free(fixture->tape);
    free(fixture->other);
    free(fixture->file);
    free(fixture->packed);
    free(fixture->scratch);
    free(fixture->scratch_variable);
    free(fixture);
    return 0;
}

static void
run(const struct fixture *fixture, struct program *program, const char *const *words, int code)
{
    program_start(program, fixture->home, words, WORDS(fixture->scratch_variable));
    program_finish(program);
    if (program->code != code)
        fail_msg("%s: exit code %d, not %d; stdout: %.500s; stderr: %.500s", words[0],
            program->code, code, buffer_text(&program->out), buffer_text(&program->err));
}

/* Run, expect the code and a text on stdout (NULL: none), and one on stderr. */
static void
expect(const struct fixture *fixture, const char *const *words, int code, const char *out,
    const char *err)
{
    struct program program;
    run(fixture, &program, words, code);
    if (out != NULL && strstr(buffer_text(&program.out), out) == NULL)
        fail_msg("'%s' is not in '%.1000s'", out, buffer_text(&program.out));
    if (err != NULL && strstr(buffer_text(&program.err), err) == NULL)
        fail_msg("'%s' is not in '%.1000s'", err, buffer_text(&program.err));
    program_done(&program);
}

/* Stdout of a command that goes well. The caller frees. */
static struct buffer
output_of(const struct fixture *fixture, const char *const *words)
{
    struct program program;
    run(fixture, &program, words, 0);
    buffer_done(&program.err);
    return program.out;
}

static void
write_file(const char *path, const void *data, size_t length)
{
    struct error err;
    assert_ok(file_replace(path, data, length, &err));
}

/* Export `tape` into the fixture's file. */
static struct buffer
export_to_file(const struct fixture *fixture)
{
    struct buffer lines = output_of(fixture, WORDS("export", "--tape", fixture->tape));
    write_file(fixture->file, lines.data, lines.length);
    return lines;
}

static void
expect_equal(const struct buffer *a, const struct buffer *b)
{
    assert_int_equal(a->length, b->length);
    assert_memory_equal(a->data, b->data, a->length);
}

static size_t
count_entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) /* NOLINT(concurrency-mt-unsafe) */
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

static void
add(struct batch *batch, const struct event *event)
{
    struct error err;
    assert_ok(batch_add(batch, event, &err));
}

/* Headers in an order, twice, null, empty, with names that are not UTF-8. */
static void
add_strange_headers(struct batch *batch, struct event event)
{
    struct buffer headers = {0};
    headers_begin(&headers, 5);
    headers_add(&headers, bytes_of("z"), bytes_of("1"));
    headers_add(&headers, bytes_of("a"), BYTES_NULL);
    headers_add(&headers, bytes_of("z"), bytes_of(""));
    headers_add(&headers, bytes_make("\xff\x00name", 6), bytes_make("\x00\xfe", 2));
    headers_add(&headers, bytes_of("z"), bytes_of("1"));
    event.headers = bytes_make(headers.data, headers.length);
    add(batch, &event);
    buffer_done(&headers);
}

/* One payload with each byte alone, all of them in a row, 5 MB, null and empty, times at the ends of
 * what 64 bits hold, a lane whose offsets were counted, and holes. */
static void
write_strange_tape(const char *directory)
{
    struct error err;
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1};
    struct tape_writer *writer = tape_writer_open(directory, &options, &err);
    assert_non_null(writer);
    /* Numbered in another order than they are seen in. */
    const struct stream *late = tape_writer_stream(writer, "shop", "z\xc3\xa9");
    const struct stream *stream = tape_writer_stream(writer, "shop", "orders");
    struct batch *batch = batch_new();
    struct event event = {.stream = stream,
        .time_type = TIME_CREATE,
        .time_ns = SAMPLE_TIME_NS,
        .received_ns = SAMPLE_TIME_NS + 1};
    unsigned char all[256];
    for (unsigned i = 0; i < 256; i++) {
        all[i] = (unsigned char)i;
        event.key = bytes_make(&all[i], 1);
        event.payload = i % 3 == 0 ? BYTES_NULL : bytes_make(all, i % 3 == 1 ? 0 : i);
        event.offset = (int64_t)i;
        add(batch, &event);
    }
    event.key = event.payload = bytes_make(all, 256);
    event.partition = INT32_MAX;
    event.offset = INT64_MAX;
    event.time_ns = INT64_MIN + 1;
    add_strange_headers(batch, event);
    event = (struct event){.stream = late,
        .time_ns = CLOCK_NONE,
        .received_ns = INT64_MAX,
        .offset_is_synthetic = true};
    add(batch, &event);
    unsigned char *big = alloc_zeroed(BIG);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 31 + i / 251);
    event = (struct event){.stream = stream,
        .partition = 1,
        .offset = 9,
        .time_type = TIME_APPEND,
        .time_ns = INT64_MAX,
        .received_ns = 0,
        .payload = bytes_make(big, BIG)};
    add(batch, &event);
    memset(big, 'a', BIG);
    event.offset = 10;
    add(batch, &event);
    free(big);
    struct hole hole = {.stream_id = stream->id,
        .partition = 1,
        .from = 0,
        .to = 8,
        .reason = HOLE_RETENTION,
        .noticed_ns = SAMPLE_TIME_NS};
    batch_add_hole(batch, &hole);
    hole = (struct hole){.stream_id = late->id, .from = 1, .to = -1, .reason = HOLE_DROPPED};
    batch_add_hole(batch, &hole);
    hole = (struct hole){.stream_id = late->id, .partition = 3, .from = 5, .to = 6};
    batch_add_hole(batch, &hole);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
}

static void
write_small_tape(const char *directory)
{
    const struct sample samples[] = {
        {.stream = "orders", .offset = 1, .payload = {(const unsigned char *)"a", 1}},
        {.stream = "payments", .offset = 2, .payload = {(const unsigned char *)"b", 1}},
        {.stream = "orders", .offset = 3, .payload = {(const unsigned char *)"c", 1}},
    };
    sample_tape_write(directory, samples, 3);
}

static void
is_byte_exact_both_ways(void **state)
{
    const struct fixture *fixture = *state;
    write_strange_tape(fixture->tape);
    struct buffer lines = export_to_file(fixture);
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "260 events imported, 3 holes", NULL);
    struct buffer again = output_of(fixture, WORDS("export", "--tape", fixture->other));
    expect_equal(&lines, &again);
    buffer_done(&again);
    buffer_done(&lines);
    expect(fixture, WORDS("tape", "verify", "--tape", fixture->other), 0, "whole", NULL);
}

static void
prints_the_lines_that_events_prints(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    struct buffer exported =
        output_of(fixture, WORDS("export", "--tape", fixture->tape, "stream=orders"));
    struct buffer events =
        output_of(fixture, WORDS("events", "--json", "--tape", fixture->tape, "stream=orders"));
    const char *done = strstr(buffer_text(&exported), "{\"v\":1,\"done\"");
    assert_non_null(done);
    size_t length = (size_t)(done - (const char *)exported.data);
    assert_memory_equal(exported.data, events.data, length);
    assert_memory_equal(events.data + length, "{\"v\":1,\"done\"", 13);
    buffer_done(&exported);
    buffer_done(&events);
}

static void
takes_nothing_twice(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    sample_tape_write_hole(fixture->tape, "orders", 4, 6);
    struct buffer lines = export_to_file(fixture);
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "3 events imported, 1 hole\n", NULL);
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "0 events imported; 3 skipped", NULL);
    expect(fixture, WORDS("import", "--json", "--tape", fixture->other, fixture->file), 0,
        "{\"v\":1,\"done\":true,\"events\":\"0\",\"skipped\":\"3\",\"holes\":\"0\","
        "\"complete\":true}\n",
        NULL);
    struct buffer again = output_of(fixture, WORDS("export", "--tape", fixture->other));
    expect_equal(&lines, &again);
    buffer_done(&again);
    expect(fixture, WORDS("import", "--into-tap", "twin", "--tape", fixture->other, fixture->file),
        0, "3 events imported", NULL);
    expect(fixture, WORDS("search", "--count", "--tape", fixture->other, "tap=twin"), 0, "3", NULL);
    buffer_done(&lines);
}

/* Two recorders' tapes, which have payment 2 in common. */
static void
write_two_tapes(const struct fixture *fixture, const char *second)
{
    const struct sample samples[] = {
        {.stream = "payments", .offset = 2, .payload = {(const unsigned char *)"b", 1}},
        {.stream = "payments", .offset = 3, .payload = {(const unsigned char *)"d", 1}},
        {.stream = "orders", .offset = 2, .payload = {(const unsigned char *)"e", 1}},
    };
    write_small_tape(fixture->tape);
    sample_tape_write(second, samples, 3);
}

static void
makes_one_tape_of_an_export_a_packed_tape_and_a_directory(void **state)
{
    const struct fixture *fixture = *state;
    char *second = alloc_format("%s/second", fixture->home);
    write_two_tapes(fixture, second);
    struct buffer lines = export_to_file(fixture);
    expect(
        fixture, WORDS("export", "--tape", second, "--tape-file", fixture->packed), 0, NULL, NULL);
    expect(fixture,
        WORDS("import", "--tape", fixture->other, fixture->file, fixture->packed, second), 0,
        "5 events imported; 4 copies of the same offsets left out\n", NULL);
    expect(fixture, WORDS("streams", "--json", "--tape", fixture->other), 0,
        "\"from\":\"1\",\"to\":\"3\",\"events\":\"3\",\"holes\":[]", NULL);
    expect(fixture, WORDS("import", "--json", "--tape", fixture->other, second, fixture->file), 0,
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
    const struct fixture *fixture = *state;
    char *second = alloc_format("%s/second", fixture->home);
    write_two_tapes(fixture, second);
    struct buffer lines = export_to_file(fixture);
    expect(fixture, WORDS("import", "--tape", fixture->other, second, second), 2, NULL,
        "is named twice");
    expect(fixture, WORDS("import", "--tape", fixture->other, second, "nowhere"), 2, NULL,
        "cannot open nowhere: No such file");
    assert_int_not_equal(access(fixture->other, F_OK), 0);

    write_file(fixture->file, lines.data, lines.length / 2); /* cut off in the middle of a line */
    expect(fixture, WORDS("import", "--tape", fixture->other, second, fixture->file), 1, NULL,
        "events.ndjson: line");
    assert_int_equal(count_entries(fixture->scratch), 0);
    buffer_done(&lines);
    free(second);
}

/* Its lines say that they were replayed from where they say that they are. */
static void
takes_what_a_replay_wrote(void **state)
{
    const struct fixture *fixture = *state;
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
        expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file),
            offset == 4 ? 0 : 1, "1 event imported",
            offset == 4 ? "a replay wrote this, and its file has no done line"
                        : "line 2: the input ends without a done line");
    }
    buffer_done(&lines);
}

static void
notices_that_an_export_was_cut_off(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    struct buffer lines = export_to_file(fixture);
    const char *text = buffer_text(&lines);
    const char *second = strchr(text, '\n') + 1;
    const char *done = strstr(text, "{\"v\":1,\"done\"");

    write_file(fixture->file, text, (size_t)(second - text));
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1, "1 event imported",
        "line 1: the input ends without a done line");

    struct buffer fewer = {0};
    buffer_append(&fewer, text, (size_t)(second - text));
    buffer_append_text(&fewer, done);
    write_file(fixture->file, fewer.data, fewer.length);
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1, "1 skipped",
        "line 2: the done line counts other events");

    write_file(fixture->file, "", 0);
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1, "0 events",
        "without a done line");
    buffer_done(&fewer);
    buffer_done(&lines);
}

static void
takes_what_stands_before_a_bad_line_and_goes_on_when_it_is_mended(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    struct buffer lines = export_to_file(fixture);
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
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 1,
        "2 events imported", place);
    free(place);

    write_file(fixture->file, lines.data, lines.length);
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 0,
        "1 event imported; 2 skipped", NULL);
    struct buffer again = output_of(fixture, WORDS("export", "--tape", fixture->other));
    expect_equal(&lines, &again);
    buffer_done(&again);
    buffer_done(&bad);
    buffer_done(&lines);
}

static void
reads_from_a_pipe(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    char *command = alloc_format("'%s/tapedeck' export --tape '%s' | '%s/tapedeck' import --quiet "
                                 "--tape '%s'",
        TEST_BINARY_DIR, fixture->tape, TEST_BINARY_DIR, fixture->other);
    assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
    free(command);
    expect(
        fixture, WORDS("search", "--count", "--tape", fixture->other, "partition=0"), 0, "3", NULL);
}

static void
refuses_a_tape_that_is_being_recorded(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    struct buffer lines = export_to_file(fixture);
    buffer_done(&lines);
    struct error err;
    struct tape_writer *writer = tape_writer_open(fixture->other, NULL, &err);
    assert_non_null(writer);
    expect(fixture, WORDS("import", "--tape", fixture->other, fixture->file), 5, NULL, "recorder");
    tape_writer_close(writer);
}

/* ---- a tape to take along ---- */

static void
a_packed_tape_says_what_the_tape_says(void **state)
{
    const struct fixture *fixture = *state;
    write_strange_tape(fixture->tape);
    expect(fixture, WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0,
        "260 events", NULL);
    struct stat status;
    assert_int_equal(stat(fixture->packed, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    struct buffer lines = output_of(fixture, WORDS("export", "--tape", fixture->tape));
    file_remove_tree(fixture->tape);
    struct buffer packed = output_of(fixture, WORDS("export", "--tape", fixture->packed));
    expect_equal(&lines, &packed);
    expect(fixture, WORDS("streams", "--tape", fixture->packed), 0, "shop/orders", NULL);
    expect(fixture, WORDS("tape", "verify", "--tape", fixture->packed), 0, "whole", NULL);
    expect(fixture, WORDS("screen", "flows", "--tape", fixture->packed), 0, "orders", NULL);
    assert_int_equal(count_entries(fixture->scratch), 0);
    /* The tape, the scratch directory and nothing half made. */
    assert_int_equal(count_entries(fixture->home), 2);
    buffer_done(&lines);
    buffer_done(&packed);
}

static void
a_portable_directory_holds_the_selection_and_its_holes(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    sample_tape_write_hole(fixture->tape, "orders", 4, 6);
    expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->other, "stream=orders"), 0,
        "2 events", NULL);
    struct buffer lines = output_of(fixture, WORDS("streams", "--json", "--tape", fixture->other));
    json_t *line = json_loads(buffer_text(&lines), JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "events")), "2");
    const json_t *lane = json_array_get(json_object_get(line, "coverage"), 0);
    assert_int_equal(json_array_size(json_object_get(lane, "holes")), 1);
    json_decref(line);
    assert_null(strstr(buffer_text(&lines), "payments"));
    buffer_done(&lines);
    expect(fixture, WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->other), 2,
        NULL, "is there already");
}

static void
a_packed_tape_without_a_match_opens_too(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed, "key=nobody"), 0,
        "0 events", NULL);
    expect(fixture, WORDS("search", "--count", "--tape", fixture->packed, "a"), 0, "0", NULL);
}

static void
a_packed_tape_cannot_be_changed(void **state)
{
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    struct buffer lines = export_to_file(fixture);
    buffer_done(&lines);
    expect(fixture, WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0,
        NULL, NULL);
    const char *packed = fixture->packed;
    const char *why = "is a packed tape, which can only be read";
    expect(fixture, WORDS("record", "--tape", packed, "zmq://127.0.0.1:9/x"), 2, NULL, why);
    expect(fixture, WORDS("import", "--tape", packed, fixture->file), 2, NULL, why);
    expect(fixture, WORDS("tape", "rebuild", "--tape", packed), 2, NULL, why);
    expect(fixture, WORDS("tape", "prune", "--keep-bytes", "1", "--tape", packed), 2, NULL, why);
    expect(fixture, WORDS("replay", "plan", "--tape", packed, "--to", "kafka://127.0.0.1:9/x"), 2,
        NULL, why);
}

static void
wait_until_empty(const char *path)
{
    int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (count_entries(path) > 0) {
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("%zu left in %s", count_entries(path), path);
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
}

static void
nothing_stays_unpacked_when_the_reader_is_ended(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
    const struct fixture *fixture = *state;
    write_small_tape(fixture->tape);
    expect(fixture, WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0,
        NULL, NULL);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct program program;
        program_start(&program, fixture->home,
            WORDS("events", "--follow", "--json", "--tape", fixture->packed),
            WORDS(fixture->scratch_variable));
        program_wait_for(&program, "\"offset\":\"3\"");
        assert_int_equal(count_entries(fixture->scratch), 1);
        assert_int_equal(kill(program.pid, signals[i]), 0);
        program_finish(&program);
        program_done(&program);
        wait_until_empty(fixture->scratch);
    }
}

/* ---- archives that others made ---- */

static void
add_entry(struct archive *archive, const char *name, unsigned type, const char *content)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, 0600);
    if (type == AE_IFLNK)
        archive_entry_set_symlink(entry, content);
    else
        archive_entry_set_size(entry, (la_int64_t)strlen(content));
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    if (type == AE_IFREG)
        assert_int_equal(archive_write_data(archive, content, strlen(content)), strlen(content));
    archive_entry_free(entry);
}

/* Pack LOCK and one more entry, twice when `is_twice`. */
static void
pack(const char *path, const char *name, unsigned type, const char *content, bool is_twice)
{
    struct archive *archive = archive_write_new();
    (void)unlink(path);
    assert_int_equal(archive_write_set_format_pax(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    add_entry(archive, "LOCK", AE_IFREG, "1\n");
    add_entry(archive, name, type, content);
    if (is_twice)
        add_entry(archive, name, type, content);
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
}

static void
expect_no_tape(const struct fixture *fixture, const char *why)
{
    expect(fixture, WORDS("streams", "--tape", fixture->packed), 6, NULL, why);
    assert_int_equal(count_entries(fixture->scratch), 0);
}

static void
unpacks_only_plain_files_of_a_tape(void **state)
{
    const struct fixture *fixture = *state;
    const char *path = fixture->packed;
    pack(path, "../00000001.seg", AE_IFREG, "x", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "/tmp/00000001.seg", AE_IFREG, "x", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "sub/00000001.seg", AE_IFREG, "x", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "catalogue.db", AE_IFREG, "x", false);
    expect_no_tape(fixture, "catalogue.db");
    pack(path, "00000001.seg", AE_IFLNK, "/etc/passwd", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "00000001.seg", AE_IFIFO, "", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "00000001.seg", AE_IFREG, "x", true);
    expect_no_tape(fixture, "twice");
    pack(path, "\033[2J", AE_IFREG, "x", false);
    expect_no_tape(fixture, "it holds ' [2J'"); /* the terminal is not cleared by a name */
    assert_int_equal(count_entries(fixture->home), 2);
}

static void
says_when_a_packed_tape_is_cut_off(void **state)
{
    const struct fixture *fixture = *state;
    write_strange_tape(fixture->tape);
    expect(fixture, WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0,
        NULL, NULL);
    struct stat status;
    assert_int_equal(stat(fixture->packed, &status), 0);
    assert_int_equal(truncate(fixture->packed, status.st_size / 2), 0);
    expect_no_tape(fixture, "not a whole packed tape");
    write_file(fixture->packed, "junk", 4);
    expect_no_tape(fixture, "not a whole packed tape");
    write_file(fixture->packed, "", 0);
    expect_no_tape(fixture, "not a whole packed tape");
    assert_int_equal(unlink(fixture->packed), 0);
    expect(
        fixture, WORDS("streams", "--tape", fixture->packed), 2, NULL, "there is no packed tape");
}

/* ---- prune ---- */

static void
prunes_the_oldest_but_neither_the_newest_nor_what_is_pinned(void **state)
{
    const struct fixture *fixture = *state;
    for (int64_t first = 0; first < 9; first += 3) { /* each writer leaves a segment */
        const struct sample samples[] = {
            {.stream = "orders", .offset = first}, {.stream = "orders", .offset = first + 1}};
        sample_tape_write(fixture->tape, samples, 2);
    }
    const char *tape = fixture->tape;
    expect(fixture, WORDS("tape", "prune", "--tape", tape), 2, NULL, "--keep-bytes");
    expect(fixture, WORDS("tape", "prune", "--keep-bytes", "1", "--dry-run", "--tape", tape), 0,
        "would delete 2 segments with 4 events", NULL);
    expect(fixture, WORDS("search", "--count", "--tape", tape, "stream=orders"), 0, "6", NULL);
    struct error err;
    assert_ok(retention_pin(tape, "mark", 0, 1, &err));
    expect(fixture, WORDS("tape", "prune", "--keep-age", "7d", "--json", "--tape", tape), 0,
        "\"deleted_segments\":0", NULL);
    expect(fixture, WORDS("tape", "prune", "--keep-bytes", "1", "--tape", tape), 0,
        "deleted 1 segment with 2 events", NULL);
    expect(fixture, WORDS("search", "--count", "--tape", tape, "stream=orders"), 0, "4", NULL);
    /* Where the tape goes on is still known. */
    struct tape_writer *writer = tape_writer_open(tape, NULL, &err);
    assert_non_null(writer);
    assert_int_equal(tape_writer_end_seq(writer), 6);
    /* Beside a recorder, too. */
    expect(fixture, WORDS("tape", "prune", "--keep-bytes", "1", "--tape", tape), 0,
        "1 segment kept", NULL);
    tape_writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Where the events of a stream have their id goes along, to wherever the tape goes. */
static void
a_packed_tape_finds_ids_where_they_were(void **state)
{
    const struct fixture *fixture = *state;
    char *config = alloc_format("%s/ids.conf", fixture->home);
    const char *ids = "[stream.orders]\nid = header:order-id\n";
    const char *event =
        "{\"v\":1,\"seq\":\"0\",\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":0,"
        "\"offset\":\"7\",\"time\":null,\"time_type\":\"none\",\"received\":"
        "\"2026-11-23T14:29:31.000000000Z\",\"key\":null,\"headers\":[[\"order-id\","
        "{\"text\":\"O-1\"}]],\"payload\":null,\"size\":14}\n"
        "{\"v\":1,\"done\":true,\"matched\":\"1\",\"complete\":true,\"coverage\":[]}\n";
    write_file(config, ids, strlen(ids));
    write_file(fixture->file, event, strlen(event));
    expect(fixture, WORDS("import", "--config", config, "--tape", fixture->tape, fixture->file), 0,
        NULL, NULL);
    expect(fixture, WORDS("export", "--tape-file", fixture->packed, "--tape", fixture->tape), 0,
        "1 event", NULL);
    expect(
        fixture, WORDS("search", "--count", "id=O-1", "--tape", fixture->packed), 0, "1\n", NULL);
    expect(
        fixture, WORDS("search", "--count", "id=O-2", "--tape", fixture->packed), 0, "0\n", NULL);
    free(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_byte_exact_both_ways),
        TEST(prints_the_lines_that_events_prints),
        TEST(takes_nothing_twice),
        TEST(makes_one_tape_of_an_export_a_packed_tape_and_a_directory),
        TEST(refuses_inputs_that_cannot_be_merged),
        TEST(takes_what_a_replay_wrote),
        TEST(notices_that_an_export_was_cut_off),
        TEST(takes_what_stands_before_a_bad_line_and_goes_on_when_it_is_mended),
        TEST(reads_from_a_pipe),
        TEST(refuses_a_tape_that_is_being_recorded),
        TEST(a_packed_tape_says_what_the_tape_says),
        TEST(a_portable_directory_holds_the_selection_and_its_holes),
        TEST(a_packed_tape_without_a_match_opens_too),
        TEST(a_packed_tape_cannot_be_changed),
        TEST(nothing_stays_unpacked_when_the_reader_is_ended),
        TEST(unpacks_only_plain_files_of_a_tape),
        TEST(says_when_a_packed_tape_is_cut_off),
        TEST(prunes_the_oldest_but_neither_the_newest_nor_what_is_pinned),
        TEST(a_packed_tape_finds_ids_where_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
