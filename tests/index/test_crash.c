#include <stdlib.h>

#include "base/clock.h"
#include "tests/support/index_crash.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

#define KILLS        15
#define DELAY_MAX_US 120000u
#define PATIENCE_NS  (30 * NS_PER_S)

/* `./dev bench crash` does this a hundred times. */
static void
loses_nothing_that_was_acknowledged(void **state)
{
    struct error err = {0};
    uint64_t random = (uint64_t)clock_now_ns() | 1;
    uint64_t seed = random;
    uint64_t checked = 0;
    uint64_t acknowledged = 0;
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    /* On a machine that has no time for us all of them may come before anything is acknowledged. */
    for (int i = 0; i < KILLS || (acknowledged == 0 && clock_monotonic_ns() < deadline_ns); i++) {
        struct crash_result result;
        uint64_t most_us = DELAY_MAX_US * (1 + (uint64_t)i / KILLS);
        unsigned delay_us = (unsigned)(test_random(&random) % most_us);
        if (!crash_trial(*state, delay_us, checked, &result, &err))
            fail_msg("kill %d after %u us (seed %llu): %s", i, delay_us, (unsigned long long)seed,
                err.text);
        assert_true(result.found >= checked);
        checked = result.found;
        acknowledged += result.acknowledged > 0;
    }
    assert_true(acknowledged > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            loses_nothing_that_was_acknowledged, temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
