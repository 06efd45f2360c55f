/* The program's own tables: help, man page and completion say all of what there is. */

#include <ctype.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "console/help.h"
#include "console/options.h"
#include "tests/support/console_program.h"
#include "tests/support/unit.h"

#define MAN_MAX ((size_t)1024 * 1024)

/* A page of docs/man as text. */
static void
read_page(const char *name, struct buffer *page)
{
    struct error err;
    char *path = alloc_format("%s/docs/man/%s", TEST_SOURCE_DIR, name);
    assert_ok(file_read_whole(path, MAN_MAX, page, &err));
    (void)buffer_text(page);
    free(path);
}

static bool
is_name_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '-' || byte == '_';
}

/* `word` in text[0..length) with no letter of a name behind it. */
static bool
has_word(const char *text, size_t length, const char *word)
{
    size_t word_length = strlen(word);
    for (size_t at = 0; at + word_length <= length; at++) {
        if (memcmp(text + at, word, word_length) == 0 && !is_name_byte(text[at + word_length]))
            return true;
    }
    return false;
}

/* The part of the page from a heading to the next one. */
static const char *
find_section(const char *page, const char *heading, size_t *length)
{
    char *line = alloc_format("\n%s\n", heading);
    const char *begin = strstr(page, line);
    if (begin == NULL) {
        fail_msg("the man page has no '%s'", heading);
        return page;
    }
    begin += strlen(line);
    const char *end = strstr(begin, "\n#");
    *length = end == NULL ? strlen(begin) : (size_t)(end - begin) + 1;
    free(line);
    return begin;
}

static void
expect_options(const char *page, const char *heading, const struct option_row *rows, size_t count)
{
    size_t length = 0;
    const char *section = find_section(page, heading, &length);
    for (size_t i = 0; i < count; i++) {
        char *name = alloc_format("--%s", rows[i].name);
        if (!has_word(section, length, name))
            fail_msg("docs/man/tapedeck.1.scd, '%s': %s is missing", heading, name);
        free(name);
    }
}

static void
describes_every_command_and_option_in_the_man_page(void **state)
{
    (void)state;
    struct buffer page = {0};
    size_t every_count = 0;
    const struct option_row *every = options_of_every_command(&every_count);
    const struct command_table *table = command_table_all();
    read_page("tapedeck.1.scd", &page);
    expect_options(buffer_text(&page), "# OPTIONS OF EVERY COMMAND", every, every_count);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command == NULL)
            continue;
        char *heading = alloc_format("## %s", command->name);
        expect_options(buffer_text(&page), heading, command->options, command->option_count);
        free(heading);
    }
    buffer_done(&page);
}

/* No option that was taken out is left in the page. */
static void
describes_nothing_that_is_not_there(void **state)
{
    (void)state;
    struct buffer page = {0};
    const struct command_table *table = command_table_all();
    read_page("tapedeck.1.scd", &page);
    struct buffer all = {0};
    help_append_overview(&all, table);
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command != NULL)
            help_append_command(&all, table->rows[i].command);
    }
    (void)buffer_text(&all);
    for (const char *at = strstr(buffer_text(&page), "\n*--"); at != NULL;
         at = strstr(at + 1, "\n*--")) {
        char name[64];
        size_t length = strcspn(at + 2, "*");
        assert_true(length < sizeof(name));
        memcpy(name, at + 2, length);
        name[length] = '\0';
        if (!has_word((const char *)all.data, all.length, name))
            fail_msg("docs/man/tapedeck.1.scd describes %s, which no command has", name);
    }
    buffer_done(&all);
    buffer_done(&page);
}

static void
shows_everything_about_a_command_in_its_help(void **state)
{
    (void)state;
    const struct command_table *table = command_table_all();
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command == NULL)
            continue;
        struct buffer help = {0};
        help_append_command(&help, command);
        assert_non_null(strstr(buffer_text(&help), command->summary));
        assert_non_null(strstr(buffer_text(&help), "--tape DIR"));
        for (size_t j = 0; j < command->option_count; j++) {
            assert_non_null(strstr(buffer_text(&help), command->options[j].name));
            assert_non_null(strstr(buffer_text(&help), command->options[j].help));
        }
        buffer_done(&help);
    }
}

static void
lists_every_command_in_the_overview(void **state)
{
    (void)state;
    const struct command_table *table = command_table_all();
    struct buffer help = {0};
    help_append_overview(&help, table);
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command == NULL)
            assert_non_null(strstr(buffer_text(&help), table->rows[i].heading));
        else
            assert_non_null(strstr(buffer_text(&help), table->rows[i].command->name));
    }
    buffer_done(&help);
}

static void
expect_well_formed(const struct command *command)
{
    assert_non_null(command->run);
    assert_non_null(command->usage);
    assert_true(command->max_arguments == -1 || command->min_arguments <= command->max_arguments);
    size_t count = 0;
    const struct option_row *every = options_of_every_command(&count);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option_row *row = &command->options[i];
        if ((row->argument == NULL) != (row->kind == OPTION_FLAG))
            fail_msg("%s --%s: an argument's name goes with everything but a flag", command->name,
                row->name);
        for (size_t j = 0; j < count; j++)
            assert_string_not_equal(row->name, every[j].name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(row->name, command->options[j].name);
    }
}

static void
has_well_formed_rows(void **state)
{
    (void)state;
    const struct command_table *table = command_table_all();
    assert_non_null(table->alone);
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command != NULL)
            expect_well_formed(table->rows[i].command);
    }
}

static void
completion_of(const char *shell, struct program *program)
{
    char *home = temp_directory_new();
    program_run(program, home, (const char *const[]){"completion", shell, NULL});
    assert_int_equal(program->code, 0);
    temp_directory_remove(home);
}

static void
completes_every_command_and_option(void **state)
{
    (void)state;
    static const char *const shells[] = {"bash", "zsh", "fish"};
    const struct command_table *table = command_table_all();
    for (size_t s = 0; s < 3; s++) {
        struct program program;
        completion_of(shells[s], &program);
        for (size_t i = 0; i < table->count; i++) {
            const struct command *command = table->rows[i].command;
            for (size_t j = 0; command != NULL && j < command->option_count; j++) {
                if (!has_word((const char *)program.out.data, program.out.length,
                        command->options[j].name))
                    fail_msg("%s: --%s of %s is missing", shells[s], command->options[j].name,
                        command->name);
            }
        }
        program_done(&program);
    }
}

/* Ask bash itself what it offers behind `line`. */
static void
expect_offer(const char *line, size_t words, const char *offered)
{
    char *home = temp_directory_new();
    char *command = alloc_format(
        "cd '%s' && '%s/tapedeck' completion bash >c && bash -uc 'source ./c; COMP_WORDS=(%s); "
        "COMP_CWORD=%zu; _tapedeck; printf \"%%s\\n\" \"${COMPREPLY[@]}\"' >out 2>&1",
        home, TEST_BINARY_DIR, line, words);
    int status = system(command); /* NOLINT(concurrency-mt-unsafe) */
    char *path = alloc_format("%s/out", home);
    struct buffer out = {0};
    struct error err;
    assert_ok(file_read_whole(path, MAN_MAX, &out, &err));
    if (status != 0 || !has_word(buffer_text(&out), out.length, offered))
        fail_msg("behind '%s' bash does not offer '%s' but: %s", line, offered, buffer_text(&out));
    buffer_done(&out);
    free(path);
    free(command);
    temp_directory_remove(home);
}

static void
completes_in_bash(void **state)
{
    (void)state;
    expect_offer("tapedeck ev", 1, "events");
    expect_offer("tapedeck \"\"", 1, "replay");
    expect_offer("tapedeck replay \"\"", 2, "verify");
    expect_offer("tapedeck events --fol", 2, "--follow");
    expect_offer("tapedeck events stream=orders --fol", 3, "--follow");
    expect_offer("tapedeck events --order \"\"", 3, "offset");
    expect_offer("tapedeck tape info --qu", 3, "--quiet");
    expect_offer("tapedeck completion z", 2, "zsh");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_every_command_and_option_in_the_man_page),
        cmocka_unit_test(describes_nothing_that_is_not_there),
        cmocka_unit_test(shows_everything_about_a_command_in_its_help),
        cmocka_unit_test(lists_every_command_in_the_overview),
        cmocka_unit_test(has_well_formed_rows),
        cmocka_unit_test(completes_every_command_and_option),
        cmocka_unit_test(completes_in_bash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
