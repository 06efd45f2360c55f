#include "base/clock.h"
#include "console/progress.h"
#include "index/cursor.h"
#include "tests/support/unit.h"

static void
says_what_was_read_and_skipped_and_how_fast(void **state)
{
    (void)state;
    char text[PROGRESS_TEXT_MAX];
    struct cursor_progress done = {
        .matched = 5,
        .scanned_bytes = UINT64_C(1624000000),
        .scanned_blocks = 120,
        .pruned_blocks = 310,
        .total_blocks = 1000,
    };
    progress_text(&done, 2 * NS_PER_S, text);
    assert_string_equal(
        text, "searched 43 %: 120 of 1000 blocks read, 310 skipped, 812 MB/s, 5 matches");
}

static void
knows_nothing_of_an_empty_tape_but_says_so(void **state)
{
    (void)state;
    char text[PROGRESS_TEXT_MAX];
    progress_text(&(struct cursor_progress){0}, 0, text);
    assert_string_equal(text, "searched 0 %: 0 of 0 blocks read, 0 skipped, 0 MB/s, 0 matches");
}

static void
never_says_more_than_all(void **state)
{
    (void)state;
    char text[PROGRESS_TEXT_MAX];
    struct cursor_progress done = {
        .matched = 1, .scanned_blocks = 12, .total_blocks = 11, .scanned_bytes = 1000000};
    progress_text(&done, NS_PER_S, text);
    assert_string_equal(text, "searched 100 %: 12 of 11 blocks read, 0 skipped, 1 MB/s, 1 match");
}

static void
is_cut_before_it_breaks_the_line(void **state)
{
    (void)state;
    char text[PROGRESS_TEXT_MAX];
    struct cursor_progress done = {.matched = UINT64_MAX,
        .scanned_blocks = 100000000,
        .pruned_blocks = 200000000,
        .total_blocks = 400000000};
    progress_text(&done, NS_PER_S, text);
    assert_int_equal(strlen(text), PROGRESS_TEXT_MAX - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_was_read_and_skipped_and_how_fast),
        cmocka_unit_test(knows_nothing_of_an_empty_tape_but_says_so),
        cmocka_unit_test(never_says_more_than_all),
        cmocka_unit_test(is_cut_before_it_breaks_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
