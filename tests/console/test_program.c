/* The real program: how it is called, and which exit code says what. */

#include <dirent.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/file.h"
#include "tests/support/console_home.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

static void
says_its_version(void **state)
{
    struct program program;
    program_home_run(*state, &program, WORDS("--version"), 0);
    assert_string_equal(buffer_text(&program.out), "tapedeck " TAPEDECK_VERSION "\n");
    program_done(&program);
}

static void
refuses_what_it_does_not_know_with_code_2(void **state)
{
    struct program program;
    program_home_run(*state, &program, WORDS("evnets"), 2);
    assert_string_equal(buffer_text(&program.err),
        "tapedeck: unknown command 'evnets'; the nearest is 'events'; tapedeck --help lists all\n");
    assert_int_equal(program.out.length, 0);
    program_done(&program);
    program_home_run(*state, &program, WORDS("streams", "--jsno"), 2);
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
            program_run(&program, ((struct program_home *)*state)->home,
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
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(fixture, &program,
        WORDS("--tape", fixture->tape, "events", "stream=orders", "and", "and"), 2);
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
    const struct program_home *fixture = *state;
    struct program program;
    struct error err;
    char *path = alloc_format("%s/t.conf", fixture->home);
    const char *text = "[tape]\ndirectroy = /x\n";
    assert_ok(file_replace(path, text, strlen(text), &err));
    program_home_run(
        fixture, &program, WORDS("streams", "--config", path, "--tape", fixture->tape), 3);
    program_done(&program);
    program_home_run(fixture, &program, WORDS("streams", "--config", path), 3);
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
    const struct program_home *fixture = *state;
    struct program program;
    struct error err;
    sample_shop_write(fixture->tape);
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
    program_home_run(fixture, &program, WORDS("streams"), 0);
    expect_text(&program.out, "shop/payments");
    program_done(&program);
    free(text);
    free(parent);
    free(path);
}

static void
says_where_there_is_no_tape(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    program_home_run(fixture, &program, WORDS("events", "--tape", fixture->tape), 2);
    expect_text(&program.err, fixture->tape);
    program_done(&program);
    char *file = alloc_format("%s/file", fixture->home);
    struct error err;
    assert_ok(file_replace(file, "x", 1, &err));
    program_home_run(fixture, &program, WORDS("streams", "--tape", file), 2);
    expect_text(&program.err, file);
    program_done(&program);
    free(file);
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
    const struct program_home *fixture = *state;
    struct error err;
    struct buffer page = {0};
    assert_ok(file_read_whole(
        TEST_SOURCE_DIR "/docs/man/tapedeck-json.7.scd", (size_t)1024 * 1024, &page, &err));
    sample_shop_write(fixture->tape);
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
        program_home_run(fixture, &program, commands[i], 0);
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
    const struct program_home *fixture, const char *command, const char *where, int code)
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
    const struct program_home *fixture = *state;
    sample_shop_write(fixture->tape);
    const char *const commands[] = {"events", "streams", "screen flows", "tape info"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        expect_code_of_shell(fixture, commands[i], ">/dev/full 2>/dev/null", 7);
        expect_code_of_shell(fixture, commands[i], "2>/dev/null | :; exit ${PIPESTATUS[0]}", 0);
    }
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, program_home_set_up, program_home_tear_down)

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
        TEST(documents_every_key_of_its_json),
        TEST(reports_output_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
