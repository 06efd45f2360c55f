/* The real program in a pseudo-terminal: what `tapedeck` does where it can draw and where it cannot. */
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/live.h"
#include "tests/support/ui_tape.h"
#include "tests/support/ui_terminal.h"
#include "tests/support/unit.h"

struct call {
    const char *arguments[8];
    const char *input;  /* a file instead of the terminal */
    const char *output; /* the same */
};

static void
redirect(const char *path, int fd, int flags)
{
    int file = path != NULL ? open(path, flags | O_CLOEXEC, 0600) : -1;
    if (file >= 0)
        dup2(file, fd);
}

static int
run_program(void *self)
{
    const struct call *call = self;
    char *arguments[10] = {alloc_text(TEST_BINARY_DIR "/tapedeck")};
    for (int i = 0; i < 8 && call->arguments[i] != NULL; i++)
        arguments[i + 1] = alloc_text(call->arguments[i]);
    setenv("LC_ALL", "C.UTF-8", 1);
    redirect(call->input, STDIN_FILENO, O_RDONLY);
    redirect(call->output, STDOUT_FILENO, O_WRONLY | O_CREAT | O_TRUNC);
    execv(arguments[0], arguments);
    return 127;
}

/* Fails when it is not and will not be: the time is over, or the program is gone. */
static bool
is_on_screen(struct terminal *terminal, const char *expected, int64_t deadline_ns)
{
    char *text = terminal_text(terminal);
    bool is_there = strstr(text, expected) != NULL;
    if (!is_there && (clock_monotonic_ns() > deadline_ns || terminal->hung_up))
        fail_msg("'%s' did not come; on the screen:\n%s", expected, text);
    free(text);
    return is_there;
}

static void
wait_for(struct terminal *terminal, const char *expected)
{
    int64_t deadline_ns = clock_monotonic_ns() + 10 * NS_PER_S;
    while (!is_on_screen(terminal, expected, deadline_ns))
        terminal_read(terminal, 50);
}

static void
the_console_shows_a_tape_and_leaves(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    struct call call = {.arguments = {"console", "--tape", tape.directory}};
    struct terminal *terminal = terminal_start(24, 80, "xterm-256color", run_program, &call);
    wait_for(terminal, "fraud.scores");
    terminal_type(terminal, "2");
    wait_for(terminal, "RECEIVED");
    terminal_type(terminal, "\r");
    wait_for(terminal, "[tree]");
    assert_null(terminal_bad_bytes(terminal));
    terminal_type(terminal, "Q");
    assert_int_equal(terminal_wait(terminal), 0);
    assert_int_equal(terminal_mode(terminal, 1049), 'l');
    terminal_close(terminal);
    ui_tape_close(&tape);
}

static void
without_a_command_the_console_runs(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    struct call call = {.arguments = {"--tape", tape.directory}};
    struct terminal *terminal = terminal_start(24, 80, "xterm-256color", run_program, &call);
    wait_for(terminal, "fraud.scores");
    terminal_type(terminal, "Q");
    assert_int_equal(terminal_wait(terminal), 0);
    terminal_close(terminal);
    ui_tape_close(&tape);
}

static void
keys_come_from_the_terminal_when_stdin_is_not_one(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    struct call call = {.arguments = {"console", "--tape", tape.directory}, .input = "/dev/null"};
    struct terminal *terminal = terminal_start(24, 80, "xterm-256color", run_program, &call);
    wait_for(terminal, "fraud.scores");
    terminal_type(terminal, "Q");
    assert_int_equal(terminal_wait(terminal), 0);
    terminal_close(terminal);
    ui_tape_close(&tape);
}

static void
assert_ends_with(struct call *call, const char *expected, int code)
{
    struct terminal *terminal = terminal_start(24, 160, "xterm-256color", run_program, call);
    int status = terminal_wait(terminal);
    char *text = terminal_text(terminal);
    if (strstr(text, expected) == NULL)
        fail_msg("'%s' was not said, but:\n%s", expected, text);
    free(text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
    terminal_close(terminal);
}

static void
a_file_gets_no_escape_sequences(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    char *output = alloc_format("%s/output", tape.parent);
    struct call call = {.arguments = {"console", "--tape", tape.directory}, .output = output};
    assert_ends_with(&call, "stdout is not a terminal", 2);
    int fd = open(output, O_RDONLY | O_CLOEXEC);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    free(output);
    ui_tape_close(&tape);
}

static void
without_a_tape_the_way_to_one_is_told(void **state)
{
    (void)state;
    char *directory = temp_directory_new();
    char *missing = alloc_format("%s/none", directory);
    struct call call = {.arguments = {"console", "--tape", missing}};
    assert_ends_with(&call, "tapedeck demo", 2);
    free(missing);
    temp_directory_remove(directory);
}

static void
wait_until_nobody_records(const char *directory)
{
    int64_t deadline = clock_monotonic_ns() + 20 * NS_PER_S;
    while (live_is_recording(directory)) {
        if (clock_monotonic_ns() > deadline)
            fail_msg("%s is still recorded after 20 s", directory);
        clock_sleep_until_ns(clock_monotonic_ns() + 20 * NS_PER_MS);
    }
}

/* A publisher says the same until it is on the screen: what is said before somebody listens is lost. */
static void
publish_until(struct terminal *terminal, void *publisher, const char *expected)
{
    int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (!is_on_screen(terminal, expected, deadline_ns)) {
        assert_int_equal(zmq_send(publisher, expected, strlen(expected), 0), strlen(expected));
        terminal_read(terminal, 50);
    }
}

static void
a_url_is_recorded_while_the_console_is_there(void **state)
{
    (void)state;
    char *directory = temp_directory_new();
    char *tape = alloc_format("%s/tape", directory);
    char *address = alloc_format("ipc://%s/feed", directory);
    char *url = alloc_format("zmq+ipc://%s/feed#px-eur", directory);
    char *config = alloc_format("%s/none.conf", directory);
    assert_int_equal(close(open(config, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
    void *context = zmq_ctx_new();
    void *publisher = zmq_socket(context, ZMQ_PUB);
    assert_int_equal(zmq_bind(publisher, address), 0);

    struct call call = {.arguments = {url, "--tape", tape, "--config", config}};
    struct terminal *terminal = terminal_start(24, 100, "xterm-256color", run_program, &call);
    wait_for(terminal, "it ends with this console");
    assert_true(live_is_recording(tape));
    struct call second = {.arguments = {"console", url, "--tape", tape, "--config", config}};
    assert_ends_with(&second, "a recorder writes the tape in", 5);
    publish_until(terminal, publisher, "px-eur");
    terminal_type(terminal, "Q");
    assert_int_equal(terminal_wait(terminal), 0);
    wait_until_nobody_records(tape);

    assert_int_equal(zmq_close(publisher), 0);
    assert_int_equal(zmq_ctx_term(context), 0);
    terminal_close(terminal);
    free(config);
    free(url);
    free(address);
    free(tape);
    temp_directory_remove(directory);
}

static void
what_cannot_be_recorded_is_said_without_a_screen(void **state)
{
    (void)state;
    char *directory = temp_directory_new();
    char *tape = alloc_format("%s/tape", directory);
    struct call hidden = {
        .arguments = {"zmq+bind://127.0.0.1:*/x", "--tape", tape}, .output = "/dev/null"};
    assert_ends_with(&hidden, "stdout is not a terminal", 2);
    assert_int_not_equal(access(tape, F_OK), 0);
    struct call call = {.arguments = {"nonsense://x", "--tape", tape}};
    assert_ends_with(&call, "nonsense", 4);
    struct call from = {.arguments = {"console", "--from", "beginning", "--tape", tape}};
    assert_ends_with(&from, "--from is for a URL", 2);
    free(tape);
    temp_directory_remove(directory);
}

static void
a_screen_is_printed_as_text(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    struct call call = {
        .arguments = {"screen", "events", "--size", "120x20", "--tape", tape.directory}};
    assert_ends_with(&call, "14:32:06.102000", 0);
    struct call unknown = {.arguments = {"screen", "nope", "--tape", tape.directory}};
    assert_ends_with(&unknown, "there are: flows, events", 2);
    struct call size = {
        .arguments = {"screen", "flows", "--size", "9x9", "--tape", tape.directory}};
    assert_ends_with(&size, "COLUMNSxROWS", 2);
    ui_tape_close(&tape);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_console_shows_a_tape_and_leaves),
        cmocka_unit_test(without_a_command_the_console_runs),
        cmocka_unit_test(keys_come_from_the_terminal_when_stdin_is_not_one),
        cmocka_unit_test(a_file_gets_no_escape_sequences),
        cmocka_unit_test(without_a_tape_the_way_to_one_is_told),
        cmocka_unit_test(a_url_is_recorded_while_the_console_is_there),
        cmocka_unit_test(what_cannot_be_recorded_is_said_without_a_screen),
        cmocka_unit_test(a_screen_is_printed_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
