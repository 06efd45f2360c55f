/* The terminal is used sparingly and given back whole: what is sent, when, and what is left behind. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "tests/support/ui_tape.h"
#include "tests/support/ui_terminal.h"
#include "tests/support/unit.h"
#include "ui/loop.h"

struct console {
    const char *directory;
    const char *screen;
    const char *color;
    bool ascii;
};

static int
run_console(void *self)
{
    const struct console *console = self;
    struct error err = {0};
    int code = 1;
    struct loop_options options = {
        .stage = {.directory = console->directory, .screen = console->screen},
        .color = console->color,
        .ascii = console->ascii,
        .test_now_ns = UI_TAPE_NOW_NS};
    if (!loop_run(&options, &code, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    return code;
}

static int
set_up(void **state)
{
    struct ui_tape *tape = alloc_zeroed(sizeof(*tape));
    ui_tape_open(tape, true);
    *state = tape;
    return 0;
}

static int
tear_down(void **state)
{
    ui_tape_close(*state);
    free(*state);
    return 0;
}

static struct terminal *
start(void **state, struct console *console, const char *term)
{
    const struct ui_tape *tape = *state;
    console->directory = tape->directory;
    struct terminal *terminal = terminal_start(24, 80, term, run_console, console);
    terminal_settle(terminal);
    return terminal;
}

static void
assert_restored(const struct terminal *terminal, const struct termios *before)
{
    static const int modes[] = {1049, 2004, 1004, 2026};
    struct termios after;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (terminal_mode(terminal, modes[i]) == 'h')
            fail_msg("mode %d was left on", modes[i]);
    assert_int_equal(terminal_mode(terminal, 25), 'h'); /* the cursor is shown again */
    assert_int_equal(tcgetattr(terminal->fd, &after), 0);
    assert_int_equal(after.c_lflag, before->c_lflag);
    assert_int_equal(after.c_iflag, before->c_iflag);
    assert_int_equal(after.c_oflag, before->c_oflag);
}

/* The modes that a new pty has. */
static void
pty_modes(struct termios *modes)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    assert_int_equal(tcgetattr(fd, modes), 0);
    close(fd);
}

static void
end_by(void **state, int number, bool dies_of_it)
{
    struct console console = {.screen = "flows"};
    struct termios before;
    pty_modes(&before);
    struct terminal *terminal = start(state, &console, "xterm-256color");

    assert_int_equal(kill(terminal->child, number), 0);
    int status = terminal_wait(terminal);
    assert_restored(terminal, &before);
    if (dies_of_it) {
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), number);
    } else {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 128 + number);
    }
    terminal_close(terminal);
}

static void
sigterm_restores_the_terminal(void **state)
{
    end_by(state, SIGTERM, false);
}

static void
sighup_restores_the_terminal(void **state)
{
    end_by(state, SIGHUP, false);
}

static void
sigint_and_sigquit_restore_the_terminal(void **state)
{
    end_by(state, SIGINT, false);
    end_by(state, SIGQUIT, false);
}

static void
sigsegv_restores_the_terminal_and_still_kills(void **state)
{
    end_by(state, SIGSEGV, true);
}

static void
sigabrt_sigbus_sigfpe_restore_the_terminal_and_still_kill(void **state)
{
    end_by(state, SIGABRT, true);
    end_by(state, SIGBUS, true);
    end_by(state, SIGFPE, true);
}

static void
quitting_restores_the_terminal(void **state)
{
    struct console console = {.screen = "events"};
    struct termios before;
    pty_modes(&before);
    struct terminal *terminal = start(state, &console, "xterm-256color");
    terminal_type(terminal, "Q");
    int status = terminal_wait(terminal);
    assert_int_equal(status, 0);
    assert_restored(terminal, &before);
    terminal_close(terminal);
}

static void
q_asks_once_at_the_bottom(void **state)
{
    struct console console = {.screen = "flows"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    terminal_type(terminal, "q");
    terminal_settle(terminal);
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "q once more leaves"));
    free(text);
    terminal_type(terminal, "jq"); /* another key in between: it asks again */
    terminal_settle(terminal);
    terminal_type(terminal, "q");
    assert_int_equal(terminal_wait(terminal), 0);
    terminal_close(terminal);
}

static void
suspending_gives_the_terminal_back_and_takes_it_again(void **state)
{
    struct console console = {.screen = "flows"};
    struct termios before;
    pty_modes(&before);
    struct terminal *terminal = start(state, &console, "xterm-256color");
    int status = 0;

    terminal_type(terminal, "\032");
    int64_t deadline = clock_monotonic_ns() + 10 * NS_PER_S;
    while (waitpid(terminal->child, &status, WNOHANG | WUNTRACED) == 0 &&
           clock_monotonic_ns() < deadline)
        terminal_read(terminal, 20);
    assert_true(WIFSTOPPED(status));
    while (terminal_mode(terminal, 1049) != 'l' && clock_monotonic_ns() < deadline)
        terminal_read(terminal, 20);
    assert_restored(terminal, &before);

    terminal_resize(terminal, 30, 100); /* while it sleeps */
    kill(terminal->child, SIGCONT);
    terminal_settle(terminal);
    assert_int_equal(terminal_mode(terminal, 1049), 'h');
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "STREAM"));
    assert_non_null(strstr(text, "? help"));
    free(text);
    terminal_close(terminal);
}

static void
a_closed_terminal_ends_the_program(void **state)
{
    struct console console = {.screen = "flows"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    int status = 0;

    close(terminal->fd);
    terminal->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int64_t deadline = clock_monotonic_ns() + 5 * NS_PER_S;
    pid_t ended = 0;
    while ((ended = waitpid(terminal->child, &status, WNOHANG)) == 0 &&
           clock_monotonic_ns() < deadline)
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    assert_int_equal(ended, terminal->child);
    terminal->child = 0;
    terminal_close(terminal);
}

/* How many frames there are in what arrived, and whether each is whole. */
static int
count_frames(const struct terminal *terminal)
{
    const unsigned char *at = terminal->bytes.data;
    const unsigned char *end = at + terminal->bytes.length;
    int begun = 0;
    int ended = 0;
    while ((at = memmem(at, (size_t)(end - at), "\033[?2026", 7)) != NULL) {
        at += 7;
        begun += at < end && *at == 'h';
        ended += at < end && *at == 'l';
    }
    assert_int_equal(begun, ended);
    return begun;
}

static void
a_key_costs_one_small_frame(void **state)
{
    struct console console = {.screen = "flows"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    terminal_forget(terminal);
    terminal_type(terminal, "j");
    terminal_settle(terminal);
    assert_int_equal(count_frames(terminal), 1);
    assert_true(terminal->bytes.length < 700);
    terminal_close(terminal);
}

static void
nothing_is_sent_when_nothing_changed(void **state)
{
    struct console console = {.screen = "flows"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    terminal_forget(terminal);
    terminal_settle(terminal);
    assert_int_equal(count_frames(terminal), 0);
    assert_true(terminal->bytes.length < 32); /* the fence's answer */
    terminal_close(terminal);
}

static void
the_first_frame_is_small_enough(void **state)
{
    struct console console = {.screen = "events"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    assert_true(terminal->bytes.length > 500);
    assert_true(terminal->bytes.length < 8000);
    terminal_close(terminal);
}

static void
many_resizes_are_drawn_as_few(void **state)
{
    struct console console = {.screen = "flows"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    terminal_forget(terminal);
    for (int i = 0; i < 200; i++)
        terminal_resize(terminal, 24 + i % 2, 80 + i % 7);
    terminal_resize(terminal, 24, 80);
    terminal_settle(terminal);
    assert_true(count_frames(terminal) <= 40);
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "What changed"));
    free(text);
    terminal_close(terminal);
}

static void
a_terminal_type_is_drawn_within_its_means(void **state)
{
    static const char *const types[] = {"xterm-256color", "xterm-16color", "xterm", "linux",
        "vt100", "screen-256color", "tmux-256color", "xterm-kitty"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct console console = {.screen = "flows"};
        struct terminal *terminal = start(state, &console, types[i]);
        char *text = terminal_text(terminal);
        if (strstr(text, "orders") == NULL || strstr(text, "? help") == NULL)
            fail_msg("%s draws:\n%s", types[i], text);
        const char *bad = terminal_bad_bytes(terminal);
        if (bad != NULL)
            fail_msg("%s: %s", types[i], bad);
        free(text);
        terminal_close(terminal);
    }
}

static void
no_color_means_none(void **state)
{
    struct console console = {.screen = "flows", .color = "never"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    const struct buffer *bytes = &terminal->bytes;
    assert_null(memmem(bytes->data, bytes->length, "\033[38;5", 6));
    assert_null(memmem(bytes->data, bytes->length, "\033[48;5", 6));
    assert_non_null(memmem(bytes->data, bytes->length, "LOSS", 4)); /* the word is there without */
    terminal_close(terminal);
}

static void
ascii_means_ascii(void **state)
{
    struct console console = {.screen = "events", .ascii = true};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    terminal_type(terminal, " k\r?");
    terminal_settle(terminal);
    for (size_t i = 0; i < terminal->bytes.length; i++)
        assert_true(terminal->bytes.data[i] < 0x80);
    terminal_close(terminal);
}

static void
pasted_text_is_not_a_row_of_commands(void **state)
{
    struct console console = {.screen = "flows"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    terminal_type(terminal, "\033[200~QQ\rq2\033[201~");
    terminal_settle(terminal);
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "[1 Flows]"));
    free(text);

    terminal_type(terminal, "f\033[200~key=a\rb\a\033[201~");
    terminal_settle(terminal);
    text = terminal_text(terminal);
    assert_non_null(strstr(text, "key=a b"));
    free(text);
    terminal_close(terminal);
}

static void
assert_refused(const char *term, const char *expected)
{
    struct console console = {.directory = "/"};
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    console.directory = tape.directory;
    struct terminal *terminal = terminal_start(24, 80, term, run_console, &console);
    int status = terminal_wait(terminal);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
    if (memmem(terminal->bytes.data, terminal->bytes.length, expected, strlen(expected)) == NULL)
        fail_msg("TERM=%s said: %s", term, buffer_text(&terminal->bytes));
    assert_null(memchr(terminal->bytes.data, 27, terminal->bytes.length));
    terminal_close(terminal);
    ui_tape_close(&tape);
}

static void
a_terminal_that_cannot_draw_is_told_what_can(void **state)
{
    (void)state;
    assert_refused("dumb", "tapedeck streams --json");
    assert_refused("", "TERM is not set");
    assert_refused("no-such-terminal", "is not known here");
}

/* Frames that show newer data, until the screen shows what the clock says after `seconds`. */
static void
let_time_pass(struct terminal *terminal, int seconds)
{
    for (int i = 0; i < seconds; i++)
        terminal_type(terminal, "\033[9998~");
    terminal_settle(terminal);
}

static void
the_clock_of_the_test_moves_the_clock_of_the_screen(void **state)
{
    struct console console = {.screen = "flows"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    let_time_pass(terminal, 3);
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "14:32:10"));
    free(text);
    terminal_close(terminal);
}

static void
a_terminal_that_never_answers_is_drawn_on_all_the_same(void **state)
{
    const struct ui_tape *tape = *state;
    struct console console = {.directory = tape->directory, .screen = "flows"};
    struct terminal *terminal = terminal_start(24, 80, "xterm-256color", run_console, &console);
    terminal->is_mute = true;
    terminal_settle(terminal);
    terminal_type(terminal, "2");
    let_time_pass(terminal, 2);
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "14:32:09"));
    assert_non_null(strstr(text, "RECEIVED"));
    free(text);
    terminal_close(terminal);
}

static void
a_terminal_that_does_not_read_cannot_hold_the_program(void **state)
{
    struct console console = {.screen = "events"};
    struct terminal *terminal = start(state, &console, "xterm-256color");
    int status = 0;

    /* More repaints than a pty takes (17 KB), and nobody reads them. */
    for (int i = 0; i < 40; i++)
        (void)!write(terminal->fd, i % 2 == 0 ? "1\014" : "2\014", 2);
    assert_int_equal(kill(terminal->child, SIGTERM), 0);
    int64_t deadline = clock_monotonic_ns() + 5 * NS_PER_S;
    pid_t ended = 0;
    while ((ended = waitpid(terminal->child, &status, WNOHANG)) == 0 &&
           clock_monotonic_ns() < deadline)
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    assert_int_equal(ended, terminal->child);
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
    terminal->child = 0;
    terminal_close(terminal);
}

/* ------------------------------------------------------------ keys at random */

static const char *const random_keys[] = {"j", "k", " ", "\033[A", "\033[B", "\033[5~", "\033[6~",
    "\033", "?", "/", "x", "\t", "\033[200~paste\033[201~", "g", "G", "1", "2", "\302\233", "\377",
    "f", "\r", "\r", "v", "\\", "n", "N", "{", "}", ".", ",", "F", "@", "-5m", ":", "flows\r",
    "key=o-00419", "h", "l", "\033[1;5C", "\033[", "\033O", "\004", "\025", "\014", "E", "q",
    "\303\274", "\346\274\242", "\177", "\027", "\033[I", "\033[O", "\033[<64;10;10M", "9"};

static uint64_t random_state = 88172645463325252u;

static size_t
next_random(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

static void
survives_random_keys_and_resizes(void **state)
{
    const char *wanted = getenv("TAPEDECK_FUZZ_KEYS");
    int rounds = wanted != NULL ? (int)strtol(wanted, NULL, 10) : 3000;
    struct console console = {.screen = "events"};
    struct terminal *terminal = start(state, &console, "xterm-256color");

    for (int i = 0; i < rounds; i++) {
        const char *key = random_keys[next_random(sizeof(random_keys) / sizeof(random_keys[0]))];
        terminal_type(terminal, key);
        if (next_random(50) == 0)
            terminal_resize(terminal, 1 + (int)next_random(80), 1 + (int)next_random(200));
        if (i % 4 == 0 && !terminal_try_settle(terminal)) {
            /* Keys at random also find the ways out; a crash is not one of them. */
            assert_int_equal(terminal_wait(terminal), 0);
            terminal_close(terminal);
            terminal = start(state, &console, "xterm-256color");
        }
        if (i % 200 == 0) {
            const char *bad = terminal_bad_bytes(terminal);
            if (bad != NULL)
                fail_msg("after %d keys: %s", i, bad);
            terminal_forget(terminal);
        }
    }
    terminal_try_settle(terminal);
    terminal_close(terminal);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigterm_restores_the_terminal),
        cmocka_unit_test(sighup_restores_the_terminal),
        cmocka_unit_test(sigint_and_sigquit_restore_the_terminal),
        cmocka_unit_test(sigsegv_restores_the_terminal_and_still_kills),
        cmocka_unit_test(sigabrt_sigbus_sigfpe_restore_the_terminal_and_still_kill),
        cmocka_unit_test(quitting_restores_the_terminal),
        cmocka_unit_test(q_asks_once_at_the_bottom),
        cmocka_unit_test(suspending_gives_the_terminal_back_and_takes_it_again),
        cmocka_unit_test(a_closed_terminal_ends_the_program),
        cmocka_unit_test(a_key_costs_one_small_frame),
        cmocka_unit_test(nothing_is_sent_when_nothing_changed),
        cmocka_unit_test(the_first_frame_is_small_enough),
        cmocka_unit_test(many_resizes_are_drawn_as_few),
        cmocka_unit_test(a_terminal_type_is_drawn_within_its_means),
        cmocka_unit_test(no_color_means_none),
        cmocka_unit_test(ascii_means_ascii),
        cmocka_unit_test(pasted_text_is_not_a_row_of_commands),
        cmocka_unit_test(a_terminal_that_cannot_draw_is_told_what_can),
        cmocka_unit_test(the_clock_of_the_test_moves_the_clock_of_the_screen),
        cmocka_unit_test(a_terminal_that_never_answers_is_drawn_on_all_the_same),
        cmocka_unit_test(a_terminal_that_does_not_read_cannot_hold_the_program),
        cmocka_unit_test(survives_random_keys_and_resizes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
