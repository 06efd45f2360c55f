/* `tape rebuild` and `replay log`, the program as it is. */
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "index/notes.h"
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

static void
run(const struct fixture *fixture, struct program *program, const char *const *words, int code)
{
    program_run(program, fixture->home, words);
    if (program->code != code)
        fail_msg("exit code %d, not %d; stdout: %.500s; stderr: %.500s", program->code, code,
            buffer_text(&program->out), buffer_text(&program->err));
}

static void
expect_text(struct buffer *where, const char *text)
{
    if (strstr(buffer_text(where), text) == NULL)
        fail_msg("'%s' is not in '%.2000s'", text, buffer_text(where));
}

static void
makes_the_catalogue_again(void **state)
{
    const struct fixture *fixture = *state;
    struct program program;
    char *path = alloc_format("%s/catalogue.db", fixture->tape);
    assert_int_equal(unlink(path), 0);
    run(fixture, &program, WORDS("tape", "rebuild", "--tape", fixture->tape), 0);
    expect_text(&program.out, "1 segment, 2 streams, 2 events");
    program_done(&program);
    assert_int_equal(access(path, F_OK), 0);
    run(fixture, &program, WORDS("tape", "rebuild", "--json", "--tape", fixture->tape), 0);
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
    const struct fixture *fixture = *state;
    struct error err = {0};
    struct program program;
    char *path = alloc_format("%s/00000001.seg", fixture->tape);
    assert_ok(file_replace(path, "junk", 4, &err));
    run(fixture, &program, WORDS("tape", "rebuild", "--tape", fixture->tape), 6);
    expect_text(&program.out, "damaged: ");
    expect_text(&program.out, "00000001.seg");
    expect_text(&program.err, "1 damaged place");
    program_done(&program);
    free(path);
}

static void
refuses_with_code_5_while_it_is_recorded(void **state)
{
    const struct fixture *fixture = *state;
    struct error err = {0};
    struct program program;
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1};
    struct tape_writer *writer = tape_writer_open(fixture->tape, &options, &err);
    assert_non_null(writer);
    run(fixture, &program, WORDS("tape", "rebuild", "--tape", fixture->tape), 5);
    expect_text(&program.err, "recorder");
    program_done(&program);
    tape_writer_close(writer);
}

static void
lists_the_ledger_harmlessly(void **state)
{
    const struct fixture *fixture = *state;
    struct error err = {0};
    struct program program;
    run(fixture, &program, WORDS("replay", "log", "--tape", fixture->tape), 0);
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

    run(fixture, &program, WORDS("replay", "log", "--tape", fixture->tape), 0);
    expect_text(&program.out, "2026-11-23T14:29:31");
    expect_text(&program.out, "1 204");
    expect_text(&program.out, "\\x1b]0;owned");
    assert_null(memchr(program.out.data, 0x1b, program.out.length));
    program_done(&program);
    run(fixture, &program, WORDS("replay", "log", "--json", "--tape", fixture->tape, replay), 0);
    json_t *line = json_loads(buffer_text(&program.out), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "sent")), "7");
    assert_true(json_is_null(json_object_get(line, "landed")));
    json_decref(line);
    program_done(&program);
    run(fixture, &program, WORDS("replay", "log", "--tape", fixture->tape, "../x"), 2);
    program_done(&program);
}

/* Run with exit code `code`, and expect the texts on stdout and stderr (NULL: any). */
static void
expect(const struct fixture *fixture, const char *const *words, int code, const char *out,
    const char *err)
{
    struct program program;
    run(fixture, &program, words, code);
    if (out != NULL)
        expect_text(&program.out, out);
    if (err != NULL)
        expect_text(&program.err, err);
    program_done(&program);
}

static void
a_bookmark_keeps_retention_from_its_events(void **state)
{
    const struct fixture *fixture = *state;
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
    const struct fixture *fixture = *state;
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

/* Of a partition 4096 holes are kept; that there were more is said wherever they are listed. */
static void
holes_that_were_not_kept_are_counted(void **state)
{
    const struct fixture *fixture = *state;
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
    const struct fixture *fixture = *state;
    const struct sample samples[] = {
        {.stream = "caf\xc3\xa9-with-a-longer-name"}, {.stream = "esc\x1b"
                                                                 "ape"}};
    struct program program;
    sample_tape_write(fixture->tape, samples, 2);
    run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
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
    const struct fixture *fixture = *state;
    expect(fixture, WORDS("bookmark", "add", "x", "seq=99", "--tape", fixture->tape), 2, NULL,
        "nothing on the tape matches");
    expect(fixture, WORDS("bookmark", "add", "", "seq=0", "--tape", fixture->tape), 2, NULL,
        "1 to 128 bytes");
    expect(fixture, WORDS("bookmark", "add", "x", "seq=", "--tape", fixture->tape), 2, NULL,
        "expected a value");
    expect(fixture, WORDS("bookmark", "list", "--tape", fixture->tape), 0, NULL, "no bookmarks");
}

static void
keeps_queries_under_names(void **state)
{
    const struct fixture *fixture = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
