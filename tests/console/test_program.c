/* The real program: what it prints, and which exit code says so. */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "console/utf8.h"
#include "index/live.h"
#include "index/tape_writer.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct fixture {
    char *home;
    char *tape;
};

static int
set_up(void **state)
{
    struct fixture *fixture = alloc_zeroed(sizeof(*fixture));
    fixture->home = temp_directory_new();
    fixture->tape = alloc_format("%s/tape", fixture->home);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    temp_directory_remove(fixture->home);
    free(fixture->tape);
    free(fixture);
    return 0;
}

static const struct sample *
shop_events(size_t *count)
{
    static const struct sample samples[] = {
        {.stream = "orders",
            .partition = 0,
            .offset = 10,
            .key = {(const unsigned char *)"o-1", 3},
            .payload = {(const unsigned char *)"{\"n\":1}", 7},
            .type = "order.placed"},
        {.stream = "orders",
            .partition = 1,
            .offset = 5,
            .key = {(const unsigned char *)"o-2", 3},
            .payload = {(const unsigned char *)"\x1b]0;owned\x07", 10},
            .type = "order.placed"},
        {.stream = "orders",
            .partition = 0,
            .offset = 11,
            .key = {NULL, 0},
            .payload = {(const unsigned char *)"\xFF\x00", 2},
            .type = "order.paid"},
        {.stream = "payments",
            .partition = 0,
            .offset = 0,
            .key = {(const unsigned char *)"o-1", 3},
            .payload = {NULL, 0},
            .type = NULL},
    };
    *count = sizeof(samples) / sizeof(samples[0]);
    return samples;
}

static void
write_shop(const struct fixture *fixture)
{
    size_t count = 0;
    const struct sample *samples = shop_events(&count);
    sample_tape_write(fixture->tape, samples, count);
}

/* Run; the exit code must be `code`. */
static void
run(const struct fixture *fixture, struct program *program, const char *const *words, int code)
{
    program_run(program, fixture->home, words);
    if (program->code != code)
        fail_msg("exit code %d, not %d; stdout: %.500s; stderr: %.500s", program->code, code,
            (const char *)program->out.data, (const char *)program->err.data);
}

static void
expect_text(struct buffer *where, const char *text)
{
    if (strstr(buffer_text(where), text) == NULL)
        fail_msg("'%s' is not in '%.2000s'", text, buffer_text(where));
}

/* Line `index` of stdout as JSON, for the caller to free. */
static json_t *
json_line(struct program *program, size_t index)
{
    const char *at = buffer_text(&program->out);
    for (size_t i = 0; i < index && at != NULL; i++) {
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    if (at == NULL || *at == '\0') {
        fail_msg("no line %zu in '%.2000s'", index, buffer_text(&program->out));
        return NULL;
    }
    json_error_t error;
    json_t *value = json_loadb(at, strcspn(at, "\n"), JSON_ALLOW_NUL, &error);
    if (value == NULL)
        fail_msg("line %zu is not JSON: %s", index, error.text);
    return value;
}

static size_t
line_count(struct program *program)
{
    size_t lines = 0;
    for (size_t i = 0; i < program->out.length; i++)
        lines += program->out.data[i] == '\n' ? 1 : 0;
    return lines;
}

static void
expect_json_text(const json_t *object, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(object, key));
    assert_non_null(found);
    assert_string_equal(found, expected);
}

/* Nothing that could drive a terminal, line breaks apart. */
static void
expect_harmless(struct buffer *text)
{
    struct bytes bytes = bytes_make(text->data, text->length);
    for (size_t at = 0; at < bytes.length;) {
        uint32_t character = 0;
        size_t length = utf8_decode(bytes, at, &character);
        if (length == 0 || (utf8_is_unsafe(character) && character != '\n'))
            fail_msg("byte 0x%02x at %zu", bytes.data[at], at);
        at += length;
    }
}

static void
says_its_version(void **state)
{
    struct program program;
    run(*state, &program, WORDS("--version"), 0);
    assert_string_equal(buffer_text(&program.out), "tapedeck " TAPEDECK_VERSION "\n");
    program_done(&program);
}

static void
refuses_what_it_does_not_know_with_code_2(void **state)
{
    struct program program;
    run(*state, &program, WORDS("evnets"), 2);
    assert_string_equal(buffer_text(&program.err),
        "tapedeck: unknown command 'evnets'; the nearest is 'events'; tapedeck --help lists all\n");
    assert_int_equal(program.out.length, 0);
    program_done(&program);
    run(*state, &program, WORDS("streams", "--jsno"), 2);
    expect_text(&program.err, "the nearest is --json");
    program_done(&program);
}

static void
bears_hostile_arguments(void **state)
{
    char *huge = alloc_zeroed(100001);
    memset(huge, 'x', 100000);
    const char *const hostile[] = {"", "\x1b[2J", "\xC2\x9B", "\xFF\xFE", "-", "--",
        "--=", "--\x07", "--tape", "--tape=", "--limit=\x1b", "\n", huge};
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        for (int behind = 0; behind < 2; behind++) {
            struct program program;
            program_run(&program, ((struct fixture *)*state)->home,
                behind == 0 ? WORDS("search", hostile[i])
                            : WORDS(hostile[i], "events", hostile[i]));
            if (program.code != 2 && program.code != 0)
                fail_msg(
                    "argument %zu: exit code %d: %s", i, program.code, buffer_text(&program.err));
            expect_harmless(&program.err);
            expect_harmless(&program.out);
            program_done(&program);
        }
    }
    free(huge);
}

static void
points_at_the_error_in_a_query(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program, WORDS("--tape", fixture->tape, "events", "stream=orders", "and", "and"),
        2);
    expect_text(&program.err, "tapedeck: column 19: ");
    expect_text(&program.err, "stream=orders and and\n");
    const char *caret = strchr(buffer_text(&program.err), '^');
    const char *text = strstr(buffer_text(&program.err), "stream=orders and and\n");
    assert_non_null(caret);
    assert_non_null(text);
    const char *caret_line = strchr(text, '\n') + 1;
    const char *text_line = text;
    while (text_line > buffer_text(&program.err) && text_line[-1] != '\n')
        text_line--;
    assert_int_equal(caret - caret_line, text + 18 - text_line);
    assert_int_equal(program.out.length, 0);
    program_done(&program);
}

static void
points_at_the_error_in_the_configuration(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    struct error err;
    char *path = alloc_format("%s/t.conf", fixture->home);
    const char *text = "[tape]\ndirectroy = /x\n";
    assert_ok(file_replace(path, text, strlen(text), &err));
    run(fixture, &program, WORDS("streams", "--config", path, "--tape", fixture->tape), 3);
    program_done(&program);
    run(fixture, &program, WORDS("streams", "--config", path), 3);
    expect_text(&program.err,
        "t.conf:2:1: unknown key 'directroy' in [tape]; the nearest is 'directory'\n"
        "    directroy = ...\n"
        "    ^\n");
    program_done(&program);
    free(path);
}

static void
finds_the_tape_by_option_environment_and_configuration(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    struct error err;
    write_shop(fixture);
    char *variable = alloc_format("TAPEDECK_TAPE=%s", fixture->tape);
    program_start(&program, fixture->home, WORDS("streams"), WORDS(variable));
    program_finish(&program);
    assert_int_equal(program.code, 0);
    expect_text(&program.out, "shop/orders");
    program_done(&program);
    free(variable);

    char *path = alloc_format("%s/.config/tapedeck/tapedeck.conf", fixture->home);
    char *parent = alloc_format("%s/.config/tapedeck", fixture->home);
    char *text = alloc_format("[tape]\ndirectory = %s\n", fixture->tape);
    assert_ok(file_make_directory(parent, &err));
    assert_ok(file_replace(path, text, strlen(text), &err));
    run(fixture, &program, WORDS("streams"), 0);
    expect_text(&program.out, "shop/payments");
    program_done(&program);
    free(text);
    free(parent);
    free(path);
}

static void
says_where_there_is_no_tape(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    run(fixture, &program, WORDS("events", "--tape", fixture->tape), 2);
    expect_text(&program.err, fixture->tape);
    program_done(&program);
    char *file = alloc_format("%s/file", fixture->home);
    struct error err;
    assert_ok(file_replace(file, "x", 1, &err));
    run(fixture, &program, WORDS("streams", "--tape", file), 2);
    expect_text(&program.err, file);
    program_done(&program);
    free(file);
}

static void
says_that_a_tape_is_empty(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    sample_tape_write(fixture->tape, NULL, 0);
    run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
    assert_int_equal(program.out.length, 0);
    expect_text(&program.err, "nothing is on the tape yet");
    program_done(&program);
    run(fixture, &program, WORDS("events", "--json", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 1);
    expect_text(&program.out,
        "{\"v\":1,\"done\":true,\"matched\":\"0\",\"complete\":true,\"coverage\":[],");
    program_done(&program);
}

static void
lists_streams(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    sample_tape_write_hole(fixture->tape, "orders", 12, 14);
    run(fixture, &program, WORDS("streams", "--json", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 2);
    expect_text(&program.out, "{\"v\":1,\"tap\":\"shop\",\"stream\":\"orders\",\"partitions\":2,"
                              "\"events\":\"3\",\"bytes\":\"");
    expect_text(&program.out, "\",\"first\":\"2026-11-23T14:29:31.000000000Z\",\"last\":\"2026-11-"
                              "23T14:29:31.002000000Z\","
                              "\"rate\":null,\"coverage\":[{\"partition\":0,\"from\":\"10\",\"to\":"
                              "\"11\",\"events\":\"2\","
                              "\"holes\":[");
    expect_text(&program.out,
        "{\"from\":\"12\",\"to\":\"14\",\"reason\":\"DROPPED\",\"noticed\":\"2026-11-23T14:29:31."
        "000000000Z\",\"after\":\"2026-11-23T14:29:31.002000000Z\",\"before\":null,\"deleted\":"
        "null}");
    program_done(&program);

    run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 3);
    expect_text(&program.out, "STREAM");
    expect_text(&program.out, "(3)\n");
    program_done(&program);
}

/* In text as in JSON: what was looked at, what is not there, since when. */
static void
an_answer_ends_with_its_coverage(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    static const struct sample later = {
        .stream = "orders", .offset = 15, .time_ns = SAMPLE_TIME_NS + 9 * NS_PER_S};
    write_shop(fixture);
    run(fixture, &program, WORDS("search", "key=o-1", "--tape", fixture->tape), 0);
    expect_text(&program.err,
        "looked where matches could be: 4 events in 3 partitions of 2 streams, "
        "2026-11-23T14:29:31Z to 2026-11-23T14:29:31Z; no known holes\n");
    program_done(&program);

    sample_tape_write_hole(fixture->tape, "orders", 12, 14);
    sample_tape_write(fixture->tape, &later, 1);
    run(fixture, &program, WORDS("search", "key=o-1", "--tape", fixture->tape), 0);
    expect_text(&program.err, "1 range of offsets is not on the tape:\n"
                              "  shop/orders[0]@12..14  DROPPED, between 2026-11-23T14:29:31Z and "
                              "2026-11-23T14:29:40Z, noticed 2026-11-23T14:29:31Z\n");
    program_done(&program);
    run(fixture, &program, WORDS("search", "key=o-1", "--tape", fixture->tape, "--quiet"), 0);
    assert_int_equal(program.err.length, 0);
    program_done(&program);
    run(fixture, &program, WORDS("events", "--limit", "1", "--tape", fixture->tape), 0);
    expect_text(&program.err, "not all was looked at; there are 5 events in 3 partitions");
    program_done(&program);
}

static struct tape_writer *
open_writer(const struct fixture *fixture)
{
    struct error err;
    /* Journals are kept as they are, so that any byte of the file is one of an event's frame. */
    struct tape_writer_options options = {
        .durability = DURABILITY_KERNEL, .min_free = -1.0, .keep_journals = true};
    struct tape_writer *writer = tape_writer_open(fixture->tape, &options, &err);
    if (writer == NULL)
        fail_msg("%s", err.text);
    return writer;
}

static void
knows_the_rate_while_a_recorder_runs(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    struct error err;
    size_t count = 0;
    const struct sample *samples = shop_events(&count);
    struct tape_writer *writer = open_writer(fixture);
    sample_tape_append(writer, samples, count, 0);
    struct live *live = live_create(fixture->tape, &err);
    assert_non_null(live);
    struct live_status *status = alloc_zeroed(sizeof(*status));
    status->pid = getpid();
    status->started_ns = clock_now_ns() - 3600 * NS_PER_S;
    status->published_ns = clock_now_ns();
    status->stream_count = 2;
    status->streams[0].rate[0] = 120;
    status->streams[0].rate[LIVE_RATE_SLOTS - 1] = 30;
    live_publish(live, status);

    run(fixture, &program, WORDS("streams", "--json", "--tape", fixture->tape), 0);
    json_t *orders = json_line(&program, 0);
    expect_json_text(orders, "stream", "orders");
    assert_float_equal(json_real_value(json_object_get(orders, "rate")), 2.5, 1e-9);
    json_decref(orders);
    json_t *payments = json_line(&program, 1);
    assert_float_equal(json_real_value(json_object_get(payments, "rate")), 0.0, 1e-9);
    assert_true(json_is_real(json_object_get(payments, "rate")));
    json_decref(payments);
    program_done(&program);
    free(status);
    live_close(live);
    tape_writer_close(writer);
}

static void
prints_events_as_json(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program, WORDS("events", "--json", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 5);
    expect_harmless(&program.out);

    json_t *event = json_line(&program, 2);
    expect_json_text(event, "seq", "2");
    expect_json_text(event, "offset", "11");
    expect_json_text(event, "time_type", "create");
    assert_true(json_is_null(json_object_get(event, "key")));
    expect_json_text(json_object_get(event, "payload"), "base64", "/wA=");
    json_decref(event);

    json_t *done = json_line(&program, 4);
    expect_json_text(done, "matched", "4");
    assert_true(json_is_true(json_object_get(done, "complete")));
    assert_int_equal(json_array_size(json_object_get(done, "coverage")), 3);
    json_decref(done);
    program_done(&program);
}

static void
covers_only_lanes_that_may_match(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program, WORDS("events", "--json", "--tape", fixture->tape, "stream=payments"),
        0);
    assert_int_equal(line_count(&program), 2);
    json_t *done = json_line(&program, 1);
    json_t *coverage = json_object_get(done, "coverage");
    assert_int_equal(json_array_size(coverage), 1);
    expect_json_text(json_array_get(coverage, 0), "stream", "payments");
    json_decref(done);
    program_done(&program);
}

static void
prints_events_as_harmless_lines(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program, WORDS("events", "--tape", fixture->tape), 0);
    assert_string_equal(buffer_text(&program.out),
        "2026-11-23T14:29:31.000Z shop/orders[0]@10 o-1 {\"n\":1}\n"
        "2026-11-23T14:29:31.001Z shop/orders[1]@5 o-2 \\x1b]0;owned\\x07\n"
        "2026-11-23T14:29:31.002Z shop/orders[0]@11 (null) \\xff\\x00\n"
        "2026-11-23T14:29:31.003Z shop/payments[0]@0 o-1 (null)\n");
    program_done(&program);
}

static void
orders_events_as_asked(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program,
        WORDS("events", "--order", "offset", "--tape", fixture->tape, "stream=orders"), 0);
    assert_non_null(strstr(buffer_text(&program.out), "[0]@10"));
    assert_true(
        strstr(buffer_text(&program.out), "[0]@11") < strstr(buffer_text(&program.out), "[1]@5"));
    program_done(&program);
    run(fixture, &program, WORDS("events", "--newest", "--limit", "1", "--tape", fixture->tape), 0);
    expect_text(&program.out, "shop/payments[0]@0");
    assert_int_equal(line_count(&program), 1);
    program_done(&program);
    run(fixture, &program, WORDS("events", "--follow", "--newest", "--tape", fixture->tape), 2);
    program_done(&program);
}

static void
expect_complete(
    const struct fixture *fixture, const char *limit, const char *matched, bool complete)
{
    struct program program;
    run(fixture, &program, WORDS("events", "--json", "--limit", limit, "--tape", fixture->tape), 0);
    json_t *done = json_line(&program, line_count(&program) - 1);
    expect_json_text(done, "matched", matched);
    assert_int_equal(json_is_true(json_object_get(done, "complete")), complete);
    json_decref(done);
    program_done(&program);
}

static void
says_whether_the_limit_cut_anything(void **state)
{
    const struct fixture *fixture = *state;
    write_shop(fixture);
    expect_complete(fixture, "3", "3", false);
    expect_complete(fixture, "4", "4", true);
    expect_complete(fixture, "5", "4", true);
    expect_complete(fixture, "0", "4", true);
}

static void
follows_the_tape_until_interrupted(void **state)
{
    const struct fixture *fixture = *state;
    size_t count = 0;
    const struct sample *samples = shop_events(&count);
    struct tape_writer *writer = open_writer(fixture);
    sample_tape_append(writer, samples, 1, 0);

    struct program program;
    program_start(&program, fixture->home,
        WORDS("events", "--follow", "--json", "--tape", fixture->tape), NULL);
    program_wait_for(&program, "\"seq\":\"0\"");
    sample_tape_append(writer, samples + 1, 2, 1);
    program_wait_for(&program, "\"seq\":\"2\"");
    assert_null(strstr(buffer_text(&program.out), "\"done\""));
    assert_int_equal(kill(program.pid, SIGINT), 0);
    program_finish(&program);
    assert_int_equal(program.code, 0);
    json_t *done = json_line(&program, 3);
    expect_json_text(done, "matched", "3");
    assert_true(json_is_true(json_object_get(done, "complete")));
    json_decref(done);
    program_done(&program);
    tape_writer_close(writer);
}

static void
ends_quietly_when_nobody_reads(void **state)
{
    const struct fixture *fixture = *state;
    size_t count = 0;
    const struct sample *samples = shop_events(&count);
    struct tape_writer *writer = open_writer(fixture);
    sample_tape_append(writer, samples, count, 0);
    struct program program;
    program_start(
        &program, fixture->home, WORDS("events", "--follow", "--tape", fixture->tape), NULL);
    program_wait_for(&program, "shop/payments");
    program_stop_reading(&program);
    program_finish(&program);
    assert_int_equal(program.code, 0);
    assert_string_equal(buffer_text(&program.err), "");
    program_done(&program);
    tape_writer_close(writer);
}

static void
searches_newest_first_with_facets(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program, WORDS("search", "--json", "--tape", fixture->tape, "stream=orders"), 0);
    assert_int_equal(line_count(&program), 8);
    json_t *first = json_line(&program, 0);
    expect_json_text(first, "seq", "2");
    json_decref(first);
    json_t *lane = json_line(&program, 3);
    expect_json_text(lane, "facet", "lane");
    expect_json_text(lane, "stream", "orders");
    assert_int_equal(json_integer_value(json_object_get(lane, "partition")), 0);
    expect_json_text(lane, "count", "2");
    json_decref(lane);
    json_t *type = json_line(&program, 5);
    expect_json_text(json_object_get(type, "type"), "text", "order.placed");
    expect_json_text(type, "count", "2");
    json_decref(type);
    json_t *done = json_line(&program, 7);
    expect_json_text(done, "matched", "3");
    json_decref(done);
    program_done(&program);
}

static void
counts_matches(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program, WORDS("search", "--count", "--tape", fixture->tape, "key=o-1"), 0);
    assert_string_equal(buffer_text(&program.out), "2\n");
    expect_text(&program.err, "2 matches in ");
    expect_text(&program.err, "shop/payments[0]");
    program_done(&program);
    run(fixture, &program, WORDS("search", "--tape", fixture->tape), 2);
    program_done(&program);
}

static void
tells_about_the_tape(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    write_shop(fixture);
    run(fixture, &program, WORDS("tape", "info", "--json", "--tape", fixture->tape), 0);
    json_t *info = json_line(&program, 0);
    expect_json_text(info, "directory", fixture->tape);
    expect_json_text(info, "end_seq", "4");
    assert_true(json_is_false(json_object_get(info, "recording")));
    assert_int_equal(json_integer_value(json_object_get(info, "lanes")), 3);
    expect_json_text(info, "first_received", "2026-11-23T14:29:31.005000000Z");
    json_decref(info);
    program_done(&program);
    run(fixture, &program, WORDS("tape", "info", "--tape", fixture->tape), 0);
    expect_text(&program.out, "events          4 (seq 0 to 3)\n");
    program_done(&program);
}

/* Change one byte in the middle of the largest file of the tape. */
static void
damage_tape(const char *directory)
{
    char *largest = NULL;
    off_t size = 0;
    DIR *list = opendir(directory);
    assert_non_null(list);
    const struct dirent *entry = NULL;
    while ((entry = readdir(list)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        char *path = alloc_format("%s/%s", directory, entry->d_name);
        struct stat status;
        const char *dot = strrchr(entry->d_name, '.');
        if (dot != NULL && (strcmp(dot, ".jnl") == 0 || strcmp(dot, ".seg") == 0) &&
            stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > size) {
            free(largest);
            largest = alloc_text(path);
            size = status.st_size;
        }
        free(path);
    }
    (void)closedir(list);
    if (largest == NULL) {
        fail_msg("no file of the tape in %s", directory);
        return;
    }
    int fd = open(largest, O_RDWR | O_CLOEXEC);
    unsigned char byte = 0;
    assert_int_equal(pread(fd, &byte, 1, size / 2), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, size / 2), 1);
    (void)close(fd);
    free(largest);
}

static void
verifies_the_tape(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    struct tape_writer *writer = open_writer(fixture);
    size_t count = 0;
    const struct sample *samples = shop_events(&count);
    /* Many frames, so that the damage is in the middle and not in a torn end. */
    for (size_t i = 0; i < 50; i++)
        sample_tape_append(writer, samples, count, i * count);
    tape_writer_close(writer);

    run(fixture, &program, WORDS("tape", "verify", "--tape", fixture->tape), 0);
    expect_text(&program.out, "the tape is whole: 200 events");
    program_done(&program);
    damage_tape(fixture->tape);
    run(fixture, &program, WORDS("tape", "verify", "--tape", fixture->tape), 6);
    expect_text(&program.out, "damaged: ");
    program_done(&program);
    run(fixture, &program, WORDS("tape", "verify", "--json", "--tape", fixture->tape), 6);
    expect_text(&program.out, "{\"v\":1,\"done\":true,\"whole\":false,");
    program_done(&program);

    run(fixture, &program, WORDS("events", "--json", "--tape", fixture->tape), 6);
    json_t *done = json_line(&program, line_count(&program) - 1);
    assert_true(json_is_false(json_object_get(done, "complete")));
    json_decref(done);
    expect_text(&program.err, "tapedeck tape verify");
    program_done(&program);
}

static void
doctors_what_is_wrong(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    struct error err;
    write_shop(fixture);
    run(fixture, &program, WORDS("doctor", "--tape", fixture->tape), 0);
    expect_text(&program.out, "ok    tape           ");
    expect_text(&program.out, "4 events, not being recorded");
    expect_text(&program.out, "ok    permissions    mode 700 of ");
    program_done(&program);

    char *path = alloc_format("%s/t.conf", fixture->home);
    const char *text = "[tap.a]\nurl = kafka://h/t\nkafka.sasl.password = env:NOT_SET_HERE\n";
    assert_ok(file_replace(path, text, strlen(text), &err));
    assert_int_equal(chmod(fixture->tape, 0755), 0);
    run(fixture, &program, WORDS("doctor", "--json", "--tape", fixture->tape, "--config", path), 1);
    json_t *line = json_line(&program, 0);
    expect_json_text(line, "check", "configuration");
    expect_json_text(line, "verdict", "bad");
    assert_non_null(strstr(json_string_value(json_object_get(line, "text")), "NOT_SET_HERE"));
    json_decref(line);
    expect_text(&program.out, "chmod 700");
    program_done(&program);

    run(fixture, &program, WORDS("doctor", "--tape", path), 1);
    expect_text(&program.out, "bad   tape           ");
    expect_text(&program.out, "a tape is a directory: name another with --tape");
    program_done(&program);
    run(fixture, &program, WORDS("console", "--tape", path), 2);
    expect_text(&program.err, "t.conf is a file, not a tape");
    program_done(&program);
    free(path);
}

/* Each key of `value` and of what is in it must stand in the page as *key*, those of bytes apart. */
static void
expect_documented(const char *page, json_t *value) /* NOLINT(misc-no-recursion) */
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t index = 0;
    json_array_foreach(value, index, member)
    {
        expect_documented(page, member);
    }
    json_object_foreach(value, key, member)
    {
        char *marked = alloc_format("*%s*", key);
        bool is_bytes = strcmp(key, "text") == 0 || strcmp(key, "base64") == 0;
        if (!is_bytes && strstr(page, marked) == NULL)
            fail_msg("docs/man/tapedeck-json.7.scd does not describe '%s'", key);
        free(marked);
        expect_documented(page, member);
    }
}

static void
documents_every_key_of_its_json(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct buffer page = {0};
    assert_ok(file_read_whole(
        TEST_SOURCE_DIR "/docs/man/tapedeck-json.7.scd", (size_t)1024 * 1024, &page, &err));
    write_shop(fixture);
    sample_tape_write_hole(fixture->tape, "orders", 12, 14);
    const char *const *const commands[] = {
        WORDS("events", "--json", "--tape", fixture->tape),
        WORDS("search", "--json", "--tape", fixture->tape, "stream=orders"),
        WORDS("streams", "--json", "--tape", fixture->tape),
        WORDS("tape", "info", "--json", "--tape", fixture->tape),
        WORDS("tape", "verify", "--json", "--tape", fixture->tape),
        WORDS("doctor", "--json", "--tape", fixture->tape),
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct program program;
        run(fixture, &program, commands[i], 0);
        for (size_t line = 0; line < line_count(&program); line++) {
            json_t *value = json_line(&program, line);
            expect_documented(buffer_text(&page), value);
            json_decref(value);
        }
        program_done(&program);
    }
    buffer_done(&page);
}

static void
expect_code_of_shell(
    const struct fixture *fixture, const char *command, const char *where, int code)
{
    char *line = alloc_format("bash -c 'HOME=%s %s/tapedeck %s --tape %s %s'", fixture->home,
        TEST_BINARY_DIR, command, fixture->tape, where);
    int status = system(line); /* NOLINT(concurrency-mt-unsafe) */
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("%s: status %d, not code %d", line, status, code);
    free(line);
}

static void
reports_output_that_cannot_be_written(void **state)
{
    const struct fixture *fixture = *state;
    write_shop(fixture);
    const char *const commands[] = {"events", "streams", "screen flows", "tape info"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        expect_code_of_shell(fixture, commands[i], ">/dev/full 2>/dev/null", 7);
        expect_code_of_shell(fixture, commands[i], "2>/dev/null | :; exit ${PIPESTATUS[0]}", 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_its_version),
        TEST(refuses_what_it_does_not_know_with_code_2),
        TEST(bears_hostile_arguments),
        TEST(points_at_the_error_in_a_query),
        TEST(points_at_the_error_in_the_configuration),
        TEST(finds_the_tape_by_option_environment_and_configuration),
        TEST(says_where_there_is_no_tape),
        TEST(says_that_a_tape_is_empty),
        TEST(lists_streams),
        TEST(an_answer_ends_with_its_coverage),
        TEST(knows_the_rate_while_a_recorder_runs),
        TEST(prints_events_as_json),
        TEST(covers_only_lanes_that_may_match),
        TEST(prints_events_as_harmless_lines),
        TEST(orders_events_as_asked),
        TEST(says_whether_the_limit_cut_anything),
        TEST(follows_the_tape_until_interrupted),
        TEST(ends_quietly_when_nobody_reads),
        TEST(searches_newest_first_with_facets),
        TEST(counts_matches),
        TEST(tells_about_the_tape),
        TEST(verifies_the_tape),
        TEST(doctors_what_is_wrong),
        TEST(documents_every_key_of_its_json),
        TEST(reports_output_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
