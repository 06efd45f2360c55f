#include "base/clock.h"
#include "collectors/byte_rate.h"
#include "tests/support/unit.h"

static void
knows_nothing_at_the_first_look(void **state)
{
    (void)state;
    struct byte_rate rate = {0};
    assert_int_equal(byte_rate_look(&rate, 5000, 77), 0);
    assert_int_equal(byte_rate_look(&rate, 5000, 77), 0);
}

static void
is_the_mean_since_the_first_look(void **state)
{
    (void)state;
    struct byte_rate rate = {0};
    (void)byte_rate_look(&rate, 1000, 0);
    assert_int_equal(byte_rate_look(&rate, 1500, NS_PER_S / 4), 2000);
    assert_int_equal(byte_rate_look(&rate, 5000, 2 * NS_PER_S), 2000);
}

static void
forgets_what_was_ten_seconds_ago(void **state)
{
    (void)state;
    struct byte_rate rate = {0};
    (void)byte_rate_look(&rate, 0, 0);
    for (int64_t second = 1; second <= 20; second++)
        (void)byte_rate_look(&rate, 1000000, second * NS_PER_S);
    assert_int_equal(byte_rate_look(&rate, 1000000, 20 * NS_PER_S + 1), 0);
    assert_int_equal(byte_rate_look(&rate, 1009500, 20 * NS_PER_S + NS_PER_S / 2), 1000);
}

static void
goes_on_after_a_long_time_without_a_look(void **state)
{
    (void)state;
    struct byte_rate rate = {0};
    (void)byte_rate_look(&rate, 0, 0);
    assert_int_equal(byte_rate_look(&rate, 3600000, 3600 * NS_PER_S), 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_nothing_at_the_first_look),
        cmocka_unit_test(is_the_mean_since_the_first_look),
        cmocka_unit_test(forgets_what_was_ten_seconds_ago),
        cmocka_unit_test(goes_on_after_a_long_time_without_a_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
