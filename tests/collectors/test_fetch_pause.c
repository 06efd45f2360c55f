#include "base/clock.h"
#include "collectors/fetch_pause.h"
#include "tests/support/unit.h"

static const struct fetch_limits limits = {.bytes = 1000000, .messages = 20000};

/* A queue of messages of 100 bytes that is full at `now_ns`. */
static void
fill(struct fetch_pause *pause, int64_t now_ns)
{
    fetch_pause_set(pause, limits);
    fetch_pause_took(pause, 10, 1000);
    assert_false(fetch_pause_look(pause, 9000, now_ns));
}

static void
never_wakes_what_was_not_full(void **state)
{
    (void)state;
    struct fetch_pause pause;
    fetch_pause_set(&pause, limits);
    assert_false(fetch_pause_look(&pause, 0, NS_PER_S));
    fetch_pause_took(&pause, 10, 1000);
    assert_false(fetch_pause_look(&pause, 5000, NS_PER_S));
    assert_false(fetch_pause_look(&pause, 0, NS_PER_S));
}

static void
wakes_when_there_is_room_again(void **state)
{
    (void)state;
    struct fetch_pause pause;
    fill(&pause, NS_PER_S);
    assert_false(fetch_pause_look(&pause, 5000, NS_PER_S + 1));
    assert_true(fetch_pause_look(&pause, 3000, NS_PER_S + 2));
}

static void
wakes_only_now_and_then_and_not_forever(void **state)
{
    (void)state;
    struct fetch_pause pause;
    int wakes = 0;
    fill(&pause, NS_PER_S);
    for (int64_t ms = 0; ms < 1000; ms++)
        wakes += fetch_pause_look(&pause, 0, NS_PER_S + ms * NS_PER_MS);
    assert_int_equal(wakes, 8);
    assert_true(pause.asked_ns >= NS_PER_S + 35 * NS_PER_MS);
}

static void
leaves_an_old_pause_alone(void **state)
{
    (void)state;
    struct fetch_pause pause;
    fill(&pause, NS_PER_S);
    assert_false(fetch_pause_look(&pause, 0, 3 * NS_PER_S));
}

static void
follows_the_size_of_the_messages(void **state)
{
    (void)state;
    struct fetch_pause pause;
    fill(&pause, NS_PER_S);
    for (int i = 0; i < 50; i++)
        fetch_pause_took(&pause, 1, 1000);
    assert_false(fetch_pause_look(&pause, 900, NS_PER_S + 1)); /* full again, with fewer */
    assert_int_equal(pause.full_ns, NS_PER_S + 1);
}

static void
small_messages_fill_it_by_their_number(void **state)
{
    (void)state;
    struct fetch_pause pause;
    fetch_pause_set(&pause, limits);
    fetch_pause_took(&pause, 1000, 10000);
    assert_false(fetch_pause_look(&pause, 12000, NS_PER_S)); /* 120 000 bytes, and full */
    assert_false(fetch_pause_look(&pause, 9000, NS_PER_S + 1));
    assert_true(fetch_pause_look(&pause, 7000, NS_PER_S + 2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_wakes_what_was_not_full),
        cmocka_unit_test(wakes_when_there_is_room_again),
        cmocka_unit_test(wakes_only_now_and_then_and_not_forever),
        cmocka_unit_test(leaves_an_old_pause_alone),
        cmocka_unit_test(follows_the_size_of_the_messages),
        cmocka_unit_test(small_messages_fill_it_by_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
