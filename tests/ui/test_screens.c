/* What the screens draw on a canned tape, through the real loop and a real terminal's parser. The
 * files are tests/golden/NAME.COLUMNSxROWS.txt; TAPEDECK_UPDATE_GOLDEN=1 rewrites them. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

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
};

static int
run_console(void *self)
{
    const struct console *console = self;
    struct error err = {0};
    int code = 1;
    struct loop_options options = {
        .stage = {.directory = console->directory, .screen = console->screen},
        .test_now_ns = UI_TAPE_NOW_NS};
    if (!loop_run(&options, &code, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    return code;
}

static void
compare(const char *name, const struct terminal *terminal, const char *text)
{
    char *path = alloc_format(
        "%s/tests/golden/%s.%dx%d.txt", TEST_SOURCE_DIR, name, terminal->columns, terminal->rows);
    assert_golden(path, text);
    free(path);
}

/* Type `keys` on a screen of both sizes and compare each with its golden file. */
static void
check_tape(struct ui_tape *tape, const char *screen, const char *keys, const char *name)
{
    static const int sizes[][2] = {{24, 80}, {40, 120}};

    for (size_t i = 0; i < 2; i++) {
        struct console console = {.directory = tape->directory, .screen = screen};
        struct terminal *terminal =
            terminal_start(sizes[i][0], sizes[i][1], "xterm-256color", run_console, &console);
        terminal_settle(terminal);
        terminal_type(terminal, keys);
        terminal_settle(terminal);
        char *text = terminal_text(terminal);
        const char *bad = terminal_bad_bytes(terminal);
        if (bad != NULL)
            fail_msg("%s: %s", name, bad);
        compare(name, terminal, text);
        free(text);
        terminal_close(terminal);
    }
}

static void
check(bool recording, const char *screen, const char *keys, const char *name)
{
    struct ui_tape tape;
    ui_tape_open(&tape, recording);
    check_tape(&tape, screen, keys, name);
    ui_tape_close(&tape);
}

/* The same on a tape that is recorded, with consumer groups. */
static void
check_groups(const char *screen, const char *keys, const char *name)
{
    struct ui_tape tape;
    ui_tape_open_with_groups(&tape);
    check_tape(&tape, screen, keys, name);
    ui_tape_close(&tape);
}

static void
flows_while_recording(void **state)
{
    (void)state;
    check(true, "flows", "", "flows");
}

static void
flows_of_a_tape_that_nobody_records(void **state)
{
    (void)state;
    check(false, "flows", "j", "flows_past");
}

/* Its only file has another number than it says: that is damage, and it is read all the same. */
static void
a_tape_that_is_damaged(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    char *is = alloc_format("%s/00000001.seg", tape.directory);
    char *becomes = alloc_format("%s/00000007.seg", tape.directory);
    assert_int_equal(rename(is, becomes), 0);
    check_tape(&tape, "events", "", "events_damaged");

    struct console console = {.directory = tape.directory, .screen = "flows"};
    struct terminal *terminal = terminal_start(24, 80, "xterm-256color", run_console, &console);
    terminal_settle(terminal);
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "\n 14:32:07  ■ damage "));
    assert_non_null(strstr(text, "\n ■ the tape is damaged in 1 place  "));
    free(text);
    terminal_close(terminal);
    free(is);
    free(becomes);
    ui_tape_close(&tape);
}

static void
events_live(void **state)
{
    (void)state;
    check(true, "events", "", "events");
}

static void
events_held_with_the_cursor_moved(void **state)
{
    (void)state;
    check(true, "events", " kkk", "events_held");
}

static void
events_filtered(void **state)
{
    (void)state;
    check(true, "events", "fkey=o-00419\r", "events_filtered");
}

static void
events_with_a_filter_that_is_wrong(void **state)
{
    (void)state;
    check(true, "events", "fkey=o-00417 and color=red\r", "events_filter_error");
}

static void
events_with_a_filter_that_matches_nothing(void **state)
{
    (void)state;
    check(true, "events", "fkey=nobody\r", "events_no_match");
}

static void
one_event_as_a_tree(void **state)
{
    (void)state;
    check(true, "events", " kkkkkkkk\r", "events_tree");
}

static void
one_event_raw_with_hostile_bytes(void **state)
{
    (void)state;
    check(true, "events", " kkkk\rv", "events_raw");
}

static void
one_event_in_hex(void **state)
{
    (void)state;
    check(true, "events", " kkkk\rvv\\", "events_hex");
}

/* Two ranges of payments are missing, of which the older one is opened. */
static void
events_with_gaps(void **state)
{
    (void)state;
    struct ui_tape tape;
    struct bytes key = bytes_of("o-00417");
    ui_tape_open(&tape, true);
    ui_tape_add_hole(
        &tape, "payments", UI_TAPE_NOW_NS - 400 * NS_PER_MS, 4410613, 4410690, HOLE_DROPPED);
    ui_tape_add(
        &tape, "payments", UI_TAPE_NOW_NS - 300 * NS_PER_MS, 4410691, key, bytes_of("{\"n\":1}"));
    ui_tape_add_hole(
        &tape, "payments", UI_TAPE_NOW_NS - 200 * NS_PER_MS, 4410694, -1, HOLE_NOT_RECORDED);
    ui_tape_add(
        &tape, "payments", UI_TAPE_NOW_NS - 100 * NS_PER_MS, 4410694, key, bytes_of("{\"n\":2}"));
    check_tape(&tape, "events", " kkk", "events_gap");
    check_tape(&tape, "events", " kkk\r", "events_gap_open");
    ui_tape_close(&tape);
}

static void
flows_with_consumer_groups(void **state)
{
    (void)state;
    check_groups("flows", "", "flows_groups");
}

static void
lag_of_all_groups(void **state)
{
    (void)state;
    check_groups("lag", "", "lag");
}

static void
lag_with_partitions(void **state)
{
    (void)state;
    check_groups("lag", "jljj", "lag_open");
}

static void
lag_of_one_group_on_the_whole_screen(void **state)
{
    (void)state;
    check_groups("lag", "j\\", "lag_full");
}

static void
lag_filtered(void **state)
{
    (void)state;
    check_groups("lag", "fstream=payments\r", "lag_filtered");
}

static void
lag_of_a_tape_without_samples(void **state)
{
    (void)state;
    check(false, "lag", "", "lag_none");
}

static void
help_of_lag(void **state)
{
    (void)state;
    check_groups("lag", "?", "help_lag");
}

static void
help_of_events(void **state)
{
    (void)state;
    check(true, "events", "?", "help");
}

static void
the_palette(void **state)
{
    (void)state;
    check(true, "flows", ":filter st", "palette");
}

static void
a_terminal_that_is_too_small_says_so(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, true);
    struct console console = {.directory = tape.directory};
    struct terminal *terminal = terminal_start(14, 52, "xterm-256color", run_console, &console);
    terminal_settle(terminal);
    char *text = terminal_text(terminal);
    assert_non_null(strstr(text, "tapedeck needs 60x16, this is 52x14."));
    free(text);
    terminal_resize(terminal, 12, 24);
    terminal_settle(terminal);
    text = terminal_text(terminal);
    assert_non_null(strstr(text, "tapedeck needs 60x16,\nthis is 24x12. Keys\nstill work."));
    free(text);
    terminal_resize(terminal, 24, 80);
    terminal_settle(terminal);
    text = terminal_text(terminal);
    assert_non_null(strstr(text, "orders"));
    free(text);
    terminal_close(terminal);
    ui_tape_close(&tape);
}

static void
stepping_moves_the_head_to_newer_events(void **state)
{
    (void)state;
    struct ui_tape tape;
    ui_tape_open(&tape, true);
    struct console console = {.directory = tape.directory, .screen = "events"};
    struct terminal *terminal = terminal_start(24, 80, "xterm-256color", run_console, &console);
    terminal_settle(terminal);
    terminal_type(terminal, " ");
    terminal_settle(terminal);
    ui_tape_add(&tape, "orders", UI_TAPE_NOW_NS, 9000001, bytes_of("first"), bytes_of("{}"));
    ui_tape_add(&tape, "orders", UI_TAPE_NOW_NS, 9000002, bytes_of("second"), bytes_of("{}"));
    terminal_settle(terminal);
    char *text = terminal_text(terminal);
    assert_null(strstr(text, "first"));
    assert_non_null(strstr(text, "HELD +2"));
    free(text);

    terminal_type(terminal, ".");
    terminal_settle(terminal);
    text = terminal_text(terminal);
    assert_non_null(strstr(text, "first"));
    assert_null(strstr(text, "second"));
    free(text);

    terminal_type(terminal, "F");
    terminal_settle(terminal);
    text = terminal_text(terminal);
    assert_non_null(strstr(text, "second"));
    assert_non_null(strstr(text, "LIVE"));
    free(text);
    terminal_close(terminal);
    ui_tape_close(&tape);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_while_recording),
        cmocka_unit_test(flows_of_a_tape_that_nobody_records),
        cmocka_unit_test(a_tape_that_is_damaged),
        cmocka_unit_test(events_live),
        cmocka_unit_test(events_held_with_the_cursor_moved),
        cmocka_unit_test(events_filtered),
        cmocka_unit_test(events_with_a_filter_that_is_wrong),
        cmocka_unit_test(events_with_a_filter_that_matches_nothing),
        cmocka_unit_test(one_event_as_a_tree),
        cmocka_unit_test(one_event_raw_with_hostile_bytes),
        cmocka_unit_test(one_event_in_hex),
        cmocka_unit_test(events_with_gaps),
        cmocka_unit_test(flows_with_consumer_groups),
        cmocka_unit_test(lag_of_all_groups),
        cmocka_unit_test(lag_with_partitions),
        cmocka_unit_test(lag_of_one_group_on_the_whole_screen),
        cmocka_unit_test(lag_filtered),
        cmocka_unit_test(lag_of_a_tape_without_samples),
        cmocka_unit_test(help_of_lag),
        cmocka_unit_test(help_of_events),
        cmocka_unit_test(the_palette),
        cmocka_unit_test(a_terminal_that_is_too_small_says_so),
        cmocka_unit_test(stepping_moves_the_head_to_newer_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
