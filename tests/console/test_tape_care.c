/* Commands that care for the tape and what is kept beside it, the program as it is. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "index/notes.h"
#include "index/tape_writer.h"
#include "tests/support/console_home.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

static int
set_up(void **state)
{
    (void)program_home_set_up(state);
    const struct program_home *fixture = *state;
    const struct sample samples[] = {
        {.stream = "orders", .offset = 1, .payload = {(const unsigned char *)"a", 1}},
        {.stream = "payments", .offset = 2, .payload = {(const unsigned char *)"b", 1}},
    };
    sample_tape_write(fixture->tape, samples, 2);
    /* A recorder that seals what the first one left. */
    struct error err = {0};
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1};
    struct tape_writer *writer = tape_writer_open(fixture->tape, &options, &err);
    assert_non_null(writer);
    tape_writer_close(writer);
    return 0;
}

static void
makes_the_catalogue_again(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    char *path = alloc_format("%s/catalogue.db", fixture->tape);
    assert_int_equal(unlink(path), 0);
    program_home_run(fixture, &program, WORDS("tape", "rebuild", "--tape", fixture->tape), 0);
    expect_text(&program.out, "1 segment, 2 streams, 2 events");
    program_done(&program);
    assert_int_equal(access(path, F_OK), 0);
    program_home_run(
        fixture, &program, WORDS("tape", "rebuild", "--json", "--tape", fixture->tape), 0);
    json_t *line = json_loads(buffer_text(&program.out), 0, NULL);
    assert_non_null(line);
    assert_int_equal(json_integer_value(json_object_get(line, "segments")), 1);
    assert_string_equal(json_string_value(json_object_get(line, "events")), "2");
    json_decref(line);
    program_done(&program);
    free(path);
}

static void
says_what_is_damaged_with_code_6(void **state)
{
    const struct program_home *fixture = *state;
    struct error err = {0};
    struct program program;
    char *path = alloc_format("%s/00000001.seg", fixture->tape);
    assert_ok(file_replace(path, "junk", 4, &err));
    program_home_run(fixture, &program, WORDS("tape", "rebuild", "--tape", fixture->tape), 6);
    expect_text(&program.out, "damaged: ");
    expect_text(&program.out, "00000001.seg");
    expect_text(&program.err, "1 damaged place");
    program_done(&program);
    free(path);
}

static void
refuses_with_code_5_while_it_is_recorded(void **state)
{
    const struct program_home *fixture = *state;
    struct error err = {0};
    struct program program;
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1};
    struct tape_writer *writer = tape_writer_open(fixture->tape, &options, &err);
    assert_non_null(writer);
    program_home_run(fixture, &program, WORDS("tape", "rebuild", "--tape", fixture->tape), 5);
    expect_text(&program.err, "recorder");
    program_done(&program);
    tape_writer_close(writer);
}

static void
lists_the_ledger_harmlessly(void **state)
{
    const struct program_home *fixture = *state;
    struct error err = {0};
    struct program program;
    program_home_run(fixture, &program, WORDS("replay", "log", "--tape", fixture->tape), 0);
    assert_int_equal(program.out.length, 0);
    program_done(&program);

    char replay[] = "01KAVZ6Q3R8Y2M4N5P7S9TVWXY";
    char deed[] = "run";
    char result[] = "done";
    char who[] = "op";
    char target[] = "kafka://h/t";
    char text[] = "\x1b]0;owned\x07";
    struct ledger_entry entry = {.replay = replay,
        .deed = deed,
        .result = result,
        .time_ns = SAMPLE_TIME_NS,
        .who = who,
        .target = target,
        .text = text,
        .planned = 1204,
        .sent = 7,
        .landed = NOTES_NO_COUNT,
        .missing = NOTES_NO_COUNT,
        .wrong = NOTES_NO_COUNT};
    struct notes *notes = notes_open(fixture->tape, &err);
    assert_non_null(notes);
    assert_ok(notes_add_entry(notes, &entry, &err));
    notes_close(notes);

    program_home_run(fixture, &program, WORDS("replay", "log", "--tape", fixture->tape), 0);
    expect_text(&program.out, "2026-11-23T14:29:31");
    expect_text(&program.out, "1 204");
    expect_text(&program.out, "\\x1b]0;owned");
    assert_null(memchr(program.out.data, 0x1b, program.out.length));
    program_done(&program);
    program_home_run(
        fixture, &program, WORDS("replay", "log", "--json", "--tape", fixture->tape, replay), 0);
    json_t *line = json_loads(buffer_text(&program.out), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "sent")), "7");
    assert_true(json_is_null(json_object_get(line, "landed")));
    json_decref(line);
    program_done(&program);
    program_home_run(fixture, &program, WORDS("replay", "log", "--tape", fixture->tape, "../x"), 2);
    program_done(&program);
}

/* Run with exit code `code`, and expect the texts on stdout and stderr (NULL: any). */
static void
expect(const struct program_home *fixture, const char *const *words, int code, const char *out,
    const char *err)
{
    struct program program;
    program_home_run(fixture, &program, words, code);
    if (out != NULL)
        expect_text(&program.out, out);
    if (err != NULL)
        expect_text(&program.err, err);
    program_done(&program);
}

static void
a_bookmark_keeps_retention_from_its_events(void **state)
{
    const struct program_home *fixture = *state;
    const char *tape = fixture->tape;
    const char *const prune[] = {
        "tape", "prune", "--keep-age", "1m", "--dry-run", "--tape", tape, NULL};
    static const struct sample newest = {.stream = "orders", .offset = 1000};
    sample_tape_write(tape, &newest, 1); /* a second segment: the newest file always stays */
    expect(fixture, WORDS("bookmark", "list", "--tape", tape), 0, NULL, "no bookmarks");
    expect(fixture, prune, 0, "would delete 1 segment", NULL);

    expect(fixture, WORDS("bookmark", "add", "a/b \x1b", "seq=1", "--text", "here", "--tape", tape),
        0, "bookmark a/b \\x1b: 1 event, seq 1; retention leaves", NULL);
    expect(fixture, prune, 0, "1 segment kept, because a replay or a mark needs it", NULL);
    expect(
        fixture, WORDS("bookmark", "list", "--tape", tape), 0, "pinned  a/b \\x1b  here\n", NULL);

    /* Again, for another place: it moves, and so does the pin. */
    expect(fixture, WORDS("bookmark", "add", "--no-pin", "a/b \x1b", "seq=0", "--tape", tape), 0,
        "seq 0; retention may delete", NULL);
    expect(fixture, prune, 0, "would delete 1 segment", NULL);
    expect(fixture, WORDS("bookmark", "list", "--json", "--tape", tape), 0,
        "{\"v\":1,\"name\":\"a/b \\u001b\",\"seq\":\"0\",", NULL);

    expect(fixture, WORDS("bookmark", "add", "all", "seq<=1", "--tape", tape), 0,
        "2 events, seq 0 to 1", NULL);
    expect(fixture, WORDS("bookmark", "remove", "all", "--tape", tape), 0, NULL, NULL);
    expect(fixture, prune, 0, "would delete 1 segment", NULL);
    expect(fixture, WORDS("bookmark", "remove", "all", "--tape", tape), 2, NULL,
        "there is no bookmark 'all'");
}

/* By every command that says what is not there, in words and in JSON, and also after a rebuild. */
static void
what_retention_deleted_is_named_everywhere(void **state)
{
    const struct program_home *fixture = *state;
    const char *tape = fixture->tape;
    static const struct sample newest = {.stream = "orders", .offset = 1000};
    static const char in_words[] =
        "shop/orders[0]@1  RETENTION, events of 2026-11-23T14:29:31Z to 2026-11-23T14:29:31Z, "
        "deleted from this tape 20";
    static const char in_json[] = "\"from\":\"1\",\"to\":\"1\",\"reason\":\"RETENTION\",";
    static const char times[] = "\"deleted\":{\"first\":\"2026-11-23T14:29:31.";
    sample_tape_write(tape, &newest, 1);
    expect(fixture, WORDS("tape", "prune", "--keep-age", "1s", "--tape", tape), 0,
        "deleted 1 segment", NULL);
    for (int rebuilt = 0; rebuilt < 2; rebuilt++) {
        expect(fixture, WORDS("search", "stream=orders", "--tape", tape), 0, NULL, in_words);
        expect(fixture, WORDS("events", "stream=orders", "--tape", tape), 0, NULL, in_words);
        expect(
            fixture, WORDS("search", "stream=orders", "--json", "--tape", tape), 0, in_json, NULL);
        expect(fixture, WORDS("streams", "--tape", tape), 0, "  1 (1)\n", NULL);
        expect(fixture, WORDS("streams", "--json", "--tape", tape), 0, times, NULL);
        expect(fixture, WORDS("tape", "holes", "--tape", tape), 0, "RETENTION", NULL);
        expect(fixture, WORDS("tape", "holes", "--json", "--tape", tape), 0, times, NULL);
        expect(fixture, WORDS("tape", "info", "--tape", tape), 0, "holes           2\n", NULL);
        expect(fixture, WORDS("tape", "verify", "--tape", tape), 0, NULL, NULL);
        expect(fixture, WORDS("tape", "rebuild", "--tape", tape), 0, NULL, NULL);
    }
}

/* Three segments of which one is missing: its offset is a hole, and each command says that the tape is damaged. */
static void
a_file_that_is_gone_is_told_by_every_command(void **state)
{
    static const char *const names[] = {"00000002.seg", "00000003.seg"};
    const struct program_home *fixture = *state;
    const char *tape = fixture->tape;
    const char *const words = "1 damaged place met, the rest was read";
    for (int64_t offset = 1; offset <= 3; offset++) {
        const struct sample sample = {.stream = "orders", .offset = offset};
        sample_tape_write(tape, &sample, 1);
    }
    for (size_t i = 0; i < 2; i++) {
        char *path = alloc_format("%s/%s", tape, names[i]);
        char *aside = alloc_format("%s/aside", tape);
        assert_int_equal(rename(path, aside), 0);
        expect(fixture, WORDS("streams", "--tape", tape), 6, "  1 (1)\n", words);
        expect(fixture, WORDS("streams", "--json", "--tape", tape), 6, "\"UNKNOWN\"", words);
        expect(fixture, WORDS("tape", "info", "--tape", tape), 6, "events          2 (seq ", words);
        expect(fixture, WORDS("tape", "info", "--json", "--tape", tape), 6,
            ",\"damaged\":[{\"damage\":", words);
        expect(fixture, WORDS("tape", "holes", "--tape", tape), 6, "UNKNOWN", words);
        expect(fixture, WORDS("tape", "verify", "--tape", tape), 6, "00000003.seg", NULL);
        expect(fixture, WORDS("events", "--json", "--tape", tape), 6, "\"complete\":false", words);
        expect(
            fixture, WORDS("search", "--count", "stream=orders", "--tape", tape), 6, "2\n", words);
        expect(fixture, WORDS("bookmark", "add", "kept", "stream=orders", "--tape", tape), 6,
            "bookmark kept: 2 events", words);
        expect(fixture, WORDS("doctor", "--tape", tape), 1, "bad   tape           ", NULL);
        expect(fixture, WORDS("export", "--tape", tape), 6, "\"reason\":\"UNKNOWN\"", words);
        expect(fixture, WORDS("replay", "plan", "--tape", tape, "--to", "file:///tmp/x"), 6,
            "missing   what cannot be read of the tape, which is damaged in 1 place\n", words);
        assert_int_equal(rename(aside, path), 0);
        free(path);
        free(aside);
    }
    expect(fixture, WORDS("streams", "--tape", tape), 0, "  -\n", NULL);
    expect(fixture, WORDS("tape", "info", "--json", "--tape", tape), 0, ",\"damaged\":[]}\n", NULL);
}

/* With what is around it, and only what the query is about. */
static void
a_plan_names_what_is_missing_of_what_it_selects(void **state)
{
    const struct program_home *fixture = *state;
    const char *tape = fixture->tape;
    char *path = alloc_format("%s/00000003.seg", tape);
    const char *const to = "file:///tmp/x";
    for (int64_t offset = 1; offset <= 4; offset++) {
        const struct sample sample = {
            .stream = "orders", .offset = offset, .time_ns = SAMPLE_TIME_NS + offset * 1000000000};
        sample_tape_write(tape, &sample, 1);
    }
    sample_tape_write_hole(tape, "orders", 5, 6);
    const struct sample last = {
        .stream = "orders", .offset = 7, .time_ns = SAMPLE_TIME_NS + INT64_C(7000000000)};
    sample_tape_write(tape, &last, 1);
    expect(fixture, WORDS("replay", "plan", "--tape", tape, "--to", to, "stream=orders"), 0,
        "missing   1 range of offsets is not on the tape:\n"
        "  shop/orders[0]@5..6  DROPPED, between 2026-11-23T14:29:35Z and 2026-11-23T14:29:38Z",
        NULL);
    assert_int_equal(unlink(path), 0);
    expect(fixture, WORDS("replay", "plan", "--tape", tape, "--to", to, "stream=orders"), 6,
        "missing   2 ranges of offsets are not on the tape:\n"
        "  shop/orders[0]@3  UNKNOWN, between 2026-11-23T14:29:33Z and 2026-11-23T14:29:35Z\n",
        "1 damaged place");
    expect(fixture,
        WORDS("replay", "plan", "--json", "--tape", tape, "--to", to, "stream=orders", "offset<=4"),
        6,
        "\"holes\":[{\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":0,\"from\":\"3\",\"to\":"
        "\"3\","
        "\"reason\":\"UNKNOWN\",\"noticed\":null,\"after\":\"2026-11-23T14:29:33.000000000Z\","
        "\"before\":\"2026-11-23T14:29:35.000000000Z\",\"deleted\":null}],\"holes_not_named\":"
        "\"0\",\"damaged\":[{\"damage\":\"a file between ",
        "1 damaged place");
    expect(fixture,
        WORDS("replay", "plan", "--tape", tape, "--to", to, "stream=orders", "until",
            "2026-11-23T14:29:36Z"),
        6, "missing   2 ranges", NULL);
    expect(fixture,
        WORDS("replay", "plan", "--tape", tape, "--to", to, "stream=orders", "since",
            "2026-11-23T14:29:36Z"),
        6, "missing   1 range of offsets is not on the tape:\n  shop/orders[0]@5..6  DROPPED",
        NULL);
    expect(fixture,
        WORDS("replay", "plan", "--tape", tape, "--to", to, "stream=orders", "offset=3"), 6, NULL,
        "nothing to replay: no event on tape");
    free(path);
}

/* Of a partition 4096 holes are kept; that there were more is said wherever they are listed. */
static void
holes_that_were_not_kept_are_counted(void **state)
{
    const struct program_home *fixture = *state;
    const char *tape = fixture->tape;
    sample_tape_write_holes(tape, "orders", 10, 4100);
    expect(fixture, WORDS("streams", "--tape", tape), 0, "  >4096 (>4096)\n", NULL);
    expect(
        fixture, WORDS("streams", "--json", "--tape", tape), 0, "\"holes_not_kept\":\"4\"", NULL);
    expect(fixture, WORDS("search", "stream=orders", "--tape", tape), 0, NULL,
        "and 4 of which only the number was kept");
    expect(fixture, WORDS("tape", "info", "--tape", tape), 0, "holes           4100\n", NULL);
    expect(fixture, WORDS("tape", "holes", "--tape", tape), 1, NULL,
        "not complete: a partition has more than 4096 holes");
    expect(fixture, WORDS("tape", "holes", "--json", "stream=payments", "--tape", tape), 0,
        "\"complete\":true", NULL);
}

/* Columns are what a terminal shows: an escape takes four, an accent of two bytes one. */
static void
columns_line_up_under_strange_names(void **state)
{
    const struct program_home *fixture = *state;
    const struct sample samples[] = {
        {.stream = "caf\xc3\xa9-with-a-longer-name"}, {.stream = "esc\x1b"
                                                                 "ape"}};
    struct program program;
    sample_tape_write(fixture->tape, samples, 2);
    program_home_run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
    expect_text(&program.out, "STREAM                        PARTITIONS  ");
    expect_text(&program.out, "\nshop/orders                            1  ");
    expect_text(&program.out, "\nshop/caf\xc3\xa9-with-a-longer-name           1  ");
    expect_text(&program.out, "\nshop/esc\\x1b"
                              "ape                        1  ");
    program_done(&program);
}

static void
a_bookmark_needs_an_event(void **state)
{
    const struct program_home *fixture = *state;
    expect(fixture, WORDS("bookmark", "add", "x", "seq=99", "--tape", fixture->tape), 2, NULL,
        "nothing on the tape matches");
    expect(fixture, WORDS("bookmark", "add", "", "seq=0", "--tape", fixture->tape), 2, NULL,
        "1 to 128 bytes");
    expect(fixture, WORDS("bookmark", "add", "x", "seq=", "--tape", fixture->tape), 2, NULL,
        "expected a value");
    expect(fixture, WORDS("bookmark", "list", "--tape", fixture->tape), 0, NULL, "no bookmarks");
}

static void
says_that_the_notes_are_broken(void **state)
{
    const struct program_home *fixture = *state;
    struct error err;
    char *path = alloc_format("%s/notes.db", fixture->tape);
    static const char junk[] =
        "these were notes once, before somebody wrote over them; still theirs";
    assert_ok(file_replace(path, junk, sizeof(junk), &err));
    const char *tape = fixture->tape;
    expect(fixture, WORDS("query", "list", "--tape", tape), 6, NULL, "notes.db");
    expect(fixture, WORDS("query", "show", "x", "--tape", tape), 6, NULL, "notes.db");
    expect(fixture, WORDS("bookmark", "list", "--tape", tape), 6, NULL, "notes.db");
    expect(fixture, WORDS("replay", "log", "--tape", tape), 6, NULL, "notes.db");
    free(path);
}

static void
keeps_queries_under_names(void **state)
{
    const struct program_home *fixture = *state;
    const char *tape = fixture->tape;
    expect(fixture, WORDS("query", "list", "--tape", tape), 0, NULL, "no saved queries");
    expect(fixture, WORDS("query", "save", "two", "seq>0", "and", "key=\"a b\"", "--tape", tape), 0,
        NULL, NULL);
    expect(fixture, WORDS("query", "save", "bad", "seq>", "--tape", tape), 2, NULL, "    ^");
    expect(
        fixture, WORDS("query", "show", "two", "--tape", tape), 0, "seq>0 and key=\"a b\"\n", NULL);
    expect(fixture, WORDS("query", "list", "--json", "--tape", tape), 0,
        "{\"v\":1,\"name\":\"two\",\"query\":\"seq>0 and key=\\\"a b\\\"\"}\n", NULL);
    expect(fixture, WORDS("query", "show", "bad", "--tape", tape), 2, NULL, "no saved query 'bad'");
    expect(fixture, WORDS("query", "remove", "two", "--tape", tape), 0, NULL, NULL);
    expect(fixture, WORDS("query", "remove", "two", "--tape", tape), 2, NULL, "no saved query");
}

static void
tells_about_the_tape(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(
        fixture, &program, WORDS("tape", "info", "--json", "--tape", fixture->tape), 0);
    json_t *info = json_line(&program, 0);
    expect_json_text(info, "directory", fixture->tape);
    expect_json_text(info, "end_seq", "4");
    assert_true(json_is_false(json_object_get(info, "recording")));
    assert_int_equal(json_integer_value(json_object_get(info, "lanes")), 3);
    expect_json_text(info, "first_received", "2026-11-23T14:29:31.005000000Z");
    json_decref(info);
    program_done(&program);
    program_home_run(fixture, &program, WORDS("tape", "info", "--tape", fixture->tape), 0);
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
    const struct program_home *fixture = *state;
    struct program program;
    struct tape_writer *writer = program_home_writer(fixture);
    size_t count = 0;
    const struct sample *samples = sample_shop(&count);
    /* Many frames, so that the damage is in the middle and not in a torn end. */
    for (size_t i = 0; i < 50; i++)
        sample_tape_append(writer, samples, count, i * count);
    tape_writer_close(writer);

    program_home_run(fixture, &program, WORDS("tape", "verify", "--tape", fixture->tape), 0);
    expect_text(&program.out, "the tape is whole: 200 events");
    program_done(&program);
    damage_tape(fixture->tape);
    program_home_run(fixture, &program, WORDS("tape", "verify", "--tape", fixture->tape), 6);
    expect_text(&program.out, "damaged: ");
    program_done(&program);
    program_home_run(
        fixture, &program, WORDS("tape", "verify", "--json", "--tape", fixture->tape), 6);
    expect_text(&program.out, "{\"v\":1,\"done\":true,\"whole\":false,");
    program_done(&program);

    program_home_run(fixture, &program, WORDS("events", "--json", "--tape", fixture->tape), 6);
    json_t *done = json_line(&program, line_count(&program) - 1);
    assert_true(json_is_false(json_object_get(done, "complete")));
    json_decref(done);
    expect_text(&program.err, "tapedeck tape verify");
    program_done(&program);
}

static void
doctors_what_is_wrong(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    struct error err;
    sample_shop_write(fixture->tape);
    program_home_run(fixture, &program, WORDS("doctor", "--tape", fixture->tape), 0);
    expect_text(&program.out, "ok    tape           ");
    expect_text(&program.out, "4 events, not being recorded");
    expect_text(&program.out, "ok    permissions    mode 700 of ");
    expect_text(&program.out, "ok    kafka          librdkafka ");
    expect_text(&program.out, "note  kafka          share groups (KIP-932) are not seen");
    expect_text(&program.out, "ok    zmq            libzmq ");
    program_done(&program);

    char *path = alloc_format("%s/t.conf", fixture->home);
    const char *text = "[tap.a]\nurl = kafka://h/t\nkafka.sasl.password = env:NOT_SET_HERE\n";
    assert_ok(file_replace(path, text, strlen(text), &err));
    assert_int_equal(chmod(fixture->tape, 0755), 0);
    program_home_run(
        fixture, &program, WORDS("doctor", "--json", "--tape", fixture->tape, "--config", path), 1);
    json_t *line = json_line(&program, 0);
    expect_json_text(line, "check", "configuration");
    expect_json_text(line, "verdict", "bad");
    assert_non_null(strstr(json_string_value(json_object_get(line, "text")), "NOT_SET_HERE"));
    json_decref(line);
    expect_text(&program.out, "chmod 700");
    program_done(&program);

    program_home_run(fixture, &program, WORDS("doctor", "--tape", path), 1);
    expect_text(&program.out, "bad   tape           ");
    expect_text(&program.out, "a tape is a directory: name another with --tape");
    program_done(&program);
    program_home_run(fixture, &program, WORDS("console", "--tape", path), 2);
    expect_text(&program.err, "t.conf is a file, not a tape");
    program_done(&program);
    free(path);
}

static void
prunes_the_oldest_but_neither_the_newest_nor_what_is_pinned(void **state)
{
    const struct program_home *fixture = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, program_home_tear_down)
#define HOME_TEST(name) \
    cmocka_unit_test_setup_teardown(name, program_home_set_up, program_home_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(makes_the_catalogue_again),
        TEST(says_what_is_damaged_with_code_6),
        TEST(refuses_with_code_5_while_it_is_recorded),
        TEST(lists_the_ledger_harmlessly),
        TEST(a_bookmark_keeps_retention_from_its_events),
        TEST(what_retention_deleted_is_named_everywhere),
        TEST(holes_that_were_not_kept_are_counted),
        TEST(columns_line_up_under_strange_names),
        TEST(a_bookmark_needs_an_event),
        TEST(keeps_queries_under_names),
        TEST(says_that_the_notes_are_broken),
        HOME_TEST(a_file_that_is_gone_is_told_by_every_command),
        HOME_TEST(a_plan_names_what_is_missing_of_what_it_selects),
        HOME_TEST(tells_about_the_tape),
        HOME_TEST(verifies_the_tape),
        HOME_TEST(doctors_what_is_wrong),
        HOME_TEST(prunes_the_oldest_but_neither_the_newest_nor_what_is_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
