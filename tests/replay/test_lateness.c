#include "base/clock.h"
#include "replay/lateness.h"
#include "tests/support/unit.h"

static void
is_at_most_an_eighth_above_the_true_quantile(void **state)
{
    (void)state;
    struct lateness lateness = {0};
    for (int i = 1; i <= 1000; i++)
        lateness_add(&lateness, (int64_t)i * 100 * NS_PER_US);
    int64_t median = lateness_quantile_ns(&lateness, 0.5);
    assert_in_range(median, 50 * NS_PER_MS, 50 * NS_PER_MS * 9 / 8);
    int64_t p99 = lateness_quantile_ns(&lateness, 0.99);
    assert_in_range(p99, 99 * NS_PER_MS, 100 * NS_PER_MS);
    assert_int_equal(lateness.max_ns, 100 * NS_PER_MS);
}

static void
counts_early_as_punctual_and_takes_any_length(void **state)
{
    (void)state;
    struct lateness lateness = {0};
    assert_int_equal(lateness_quantile_ns(&lateness, 0.99), 0);
    lateness_add(&lateness, -5);
    assert_int_equal(lateness_quantile_ns(&lateness, 0.99), 0);
    lateness_add(&lateness, INT64_MAX);
    assert_int_equal(lateness.max_ns, INT64_MAX);
    assert_true(lateness_quantile_ns(&lateness, 1.0) > 3600 * NS_PER_S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_at_most_an_eighth_above_the_true_quantile),
        cmocka_unit_test(counts_early_as_punctual_and_takes_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
