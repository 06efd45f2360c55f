#include "base/clock.h"
#include "console/options.h"
#include "tests/support/unit.h"

struct settings {
    bool follow;
    const char *order;
    uint64_t limit;
    uint64_t room;
    int64_t wait_ns;
};

static const struct option_row rows[] = {
    {"follow", OPTION_FLAG, offsetof(struct settings, follow), NULL, "go on", NULL},
    {"order", OPTION_TEXT, offsetof(struct settings, order), "ORDER", "order", "seq|time|offset"},
    {"limit", OPTION_NUMBER, offsetof(struct settings, limit), "N", "how many", NULL},
    {"room", OPTION_BYTES, offsetof(struct settings, room), "N", "how much", NULL},
    {"for", OPTION_SECONDS, offsetof(struct settings, wait_ns), "SECONDS", "how long", NULL},
};

static int
run_nothing(const struct invocation *invocation)
{
    return invocation->argc;
}

static const struct command command_events = {.name = "events",
    .usage = "[QUERY...]",
    .summary = "events",
    .options = rows,
    .option_count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct settings),
    .max_arguments = -1,
    .run = run_nothing};
static const struct command command_plan = {.name = "replay plan",
    .usage = "QUERY",
    .summary = "plan",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run_nothing};
static const struct command command_verify = {.name = "replay verify",
    .usage = "ID",
    .summary = "verify",
    .max_arguments = 1,
    .run = run_nothing};
static const struct command command_console = {.name = "console",
    .usage = "[URL...]",
    .summary = "console",
    .max_arguments = -1,
    .run = run_nothing};

static const struct command_row table_rows[] = {
    {"Look", NULL},
    {NULL, &command_console},
    {NULL, &command_events},
    {"Replay", NULL},
    {NULL, &command_plan},
    {NULL, &command_verify},
};
static const struct command_table table = {
    table_rows, sizeof(table_rows) / sizeof(table_rows[0]), &command_console};

#define MAX_ARGUMENTS 12

/* The words as argv; argv[0] is the program. */
static bool
read_words(struct options_line *line, struct error *err, const char *const *words)
{
    static char program[] = "tapedeck";
    static char copies[MAX_ARGUMENTS][128];
    static char *argv[MAX_ARGUMENTS + 2];
    int argc = 1;
    argv[0] = program;
    for (int i = 0; words[i] != NULL; i++) {
        assert_true(i < MAX_ARGUMENTS);
        (void)snprintf(copies[i], sizeof(copies[i]), "%s", words[i]);
        argv[argc++] = copies[i];
    }
    argv[argc] = NULL;
    return options_read(&table, argc, argv, line, err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
expect_refusal(const char *const *words, const char *text)
{
    struct options_line line;
    struct error err = {0};
    bool was_read = read_words(&line, &err, words);
    options_done(&line);
    assert_false(was_read);
    assert_int_equal(err.code, ERROR_ARGUMENT);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
}

static void
runs_the_console_without_a_command(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    const char *const none[] = {NULL};
    assert_ok(read_words(&line, &err, none));
    assert_ptr_equal(line.command, &command_console);
    assert_int_equal(line.action, OPTIONS_RUN);
    options_done(&line);
}

static void
takes_options_before_and_behind_the_command(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err,
        WORDS("--json", "--tape", "/t", "events", "--limit=7", "--room=3G", "--config=c", "a",
            "--follow", "b")));
    const struct settings *settings = line.invocation.settings;
    assert_ptr_equal(line.command, &command_events);
    assert_true(line.invocation.json);
    assert_string_equal(line.invocation.tape, "/t");
    assert_string_equal(line.invocation.config, "c");
    assert_true(settings->follow);
    assert_true(settings->limit == 7);
    assert_true(settings->room == UINT64_C(3) << 30);
    assert_null(settings->order);
    assert_int_equal(line.invocation.argc, 2);
    assert_string_equal(line.invocation.argv[0], "a");
    assert_string_equal(line.invocation.argv[1], "b");
    assert_null(line.invocation.argv[2]);
    options_done(&line);
}

static void
reads_commands_of_two_words(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err, WORDS("replay", "--json", "plan", "stream=a")));
    assert_ptr_equal(line.command, &command_plan);
    assert_int_equal(line.invocation.argc, 1);
    options_done(&line);
}

static void
takes_a_single_dash_for_an_argument(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err, WORDS("events", "since", "-15m", "-")));
    assert_int_equal(line.invocation.argc, 3);
    assert_string_equal(line.invocation.argv[1], "-15m");
    options_done(&line);
}

static void
ends_options_at_two_dashes(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err, WORDS("events", "--", "--follow", "--help")));
    const struct settings *settings = line.invocation.settings;
    assert_int_equal(line.action, OPTIONS_RUN);
    assert_false(settings->follow);
    assert_int_equal(line.invocation.argc, 2);
    assert_string_equal(line.invocation.argv[0], "--follow");
    options_done(&line);
}

static void
reads_lengths_of_time(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err, WORDS("events", "--for", "200ms")));
    const struct settings *settings = line.invocation.settings;
    assert_true(settings->wait_ns == 200 * NS_PER_MS);
    options_done(&line);
}

static void
asks_for_help_by_word_option_and_letter(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err, WORDS("help", "events")));
    assert_int_equal(line.action, OPTIONS_HELP);
    assert_ptr_equal(line.command, &command_events);
    options_done(&line);
    assert_ok(read_words(&line, &err, WORDS("replay", "-h")));
    assert_int_equal(line.action, OPTIONS_HELP);
    assert_null(line.command);
    assert_string_equal(line.family, "replay");
    options_done(&line);
    assert_ok(read_words(&line, &err, WORDS("replay", "plan", "--help")));
    assert_int_equal(line.action, OPTIONS_HELP);
    options_done(&line);
    assert_ok(read_words(&line, &err, WORDS("--version", "events")));
    assert_int_equal(line.action, OPTIONS_VERSION);
    options_done(&line);
}

static void
takes_a_url_for_what_runs_without_a_name(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err, WORDS("kafka://broker/orders", "zmq://host:1/x")));
    assert_ptr_equal(line.command, &command_console);
    assert_int_equal(line.invocation.argc, 2);
    assert_string_equal(line.invocation.argv[0], "kafka://broker/orders");
    options_done(&line);
    expect_refusal(WORDS("replay", "kafka://broker/orders"), "unknown command 'replay kafka://");
}

static void
names_the_nearest_command(void **state)
{
    (void)state;
    expect_refusal(WORDS("evnets"), "unknown command 'evnets'; the nearest is 'events'");
    expect_refusal(
        WORDS("replay", "pln"), "unknown command 'replay pln'; the nearest is 'replay plan'");
    expect_refusal(WORDS(""), "unknown command ''");
    expect_refusal(WORDS("replay"), "'replay' needs one of: plan, verify");
}

static void
names_the_nearest_option(void **state)
{
    (void)state;
    expect_refusal(WORDS("events", "--folow"), "unknown option --folow; the nearest is --follow");
    expect_refusal(WORDS("events", "--jsn=1"), "the nearest is --json");
    expect_refusal(WORDS("--limit", "5", "events"), "tapedeck events --limit");
    expect_refusal(WORDS("replay", "plan", "q", "--follow"), "unknown option --follow");
    expect_refusal(WORDS("events", "-f"), "there is no option -f");
}

static void
names_the_nearest_choice(void **state)
{
    (void)state;
    expect_refusal(WORDS("events", "--order", "tmie"),
        "--order takes seq|time|offset, not 'tmie'; the nearest is time");
    expect_refusal(WORDS("events", "--order", "se"), "the nearest is seq");
    expect_refusal(WORDS("events", "--order="), "--order takes");
    expect_refusal(WORDS("--color", "maybe"), "--color takes auto|always|never");
}

static void
refuses_values_that_are_missing_or_wrong(void **state)
{
    (void)state;
    expect_refusal(WORDS("events", "--limit"), "--limit needs N");
    expect_refusal(WORDS("events", "--limit", "--json"), "--limit needs N");
    expect_refusal(WORDS("events", "--limit", "-1"), "--limit takes a whole number");
    expect_refusal(WORDS("events", "--limit", "1x"), "not '1x'");
    expect_refusal(WORDS("events", "--limit", "18446744073709551616"), "--limit takes");
    expect_refusal(WORDS("events", "--limit="), "--limit takes");
    expect_refusal(WORDS("events", "--follow=yes"), "--follow takes no value");
    expect_refusal(WORDS("events", "--tape", ""), "--tape needs DIR, not an empty text");
    expect_refusal(WORDS("--tape=", "events"), "--tape needs DIR, not an empty text");
    expect_refusal(WORDS("events", "--for", "soon"), "--for");
    expect_refusal(WORDS("events", "--room", "5X"), "like 5000000, 64M or 50G, not '5X'");
    expect_refusal(WORDS("events", "--room", "1.5G"), "not '1.5G'");
    expect_refusal(WORDS("events", "--room", "-1"), "--room takes");
    expect_refusal(WORDS("events", "--room", "1025T"), "up to 1024T");
}

static void
counts_arguments(void **state)
{
    (void)state;
    expect_refusal(WORDS("replay", "plan"), "'replay plan' needs QUERY");
    expect_refusal(WORDS("replay", "plan", "a", "b", "c"), "unexpected argument 'c'");
    expect_refusal(WORDS("replay", "verify", "a", "b"), "unexpected argument 'b'");
}

static void
takes_the_largest_number(void **state)
{
    (void)state;
    struct options_line line;
    struct error err;
    assert_ok(read_words(&line, &err, WORDS("events", "--limit", "18446744073709551615")));
    const struct settings *settings = line.invocation.settings;
    assert_true(settings->limit == UINT64_MAX);
    options_done(&line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_the_console_without_a_command),
        cmocka_unit_test(takes_options_before_and_behind_the_command),
        cmocka_unit_test(reads_commands_of_two_words),
        cmocka_unit_test(takes_a_single_dash_for_an_argument),
        cmocka_unit_test(ends_options_at_two_dashes),
        cmocka_unit_test(reads_lengths_of_time),
        cmocka_unit_test(asks_for_help_by_word_option_and_letter),
        cmocka_unit_test(takes_a_url_for_what_runs_without_a_name),
        cmocka_unit_test(names_the_nearest_command),
        cmocka_unit_test(names_the_nearest_option),
        cmocka_unit_test(names_the_nearest_choice),
        cmocka_unit_test(refuses_values_that_are_missing_or_wrong),
        cmocka_unit_test(counts_arguments),
        cmocka_unit_test(takes_the_largest_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
