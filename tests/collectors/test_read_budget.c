#include "base/clock.h"
#include "collectors/read_budget.h"
#include "tests/support/unit.h"

static void
never_waits_without_a_limit(void **state)
{
    (void)state;
    struct read_budget budget;
    read_budget_set(&budget, 0, 0);
    read_budget_spend(&budget, 1000000000, 2000000000);
    assert_int_equal(read_budget_wait(&budget, 1), 0);
    assert_false(read_budget_is_set(&budget));
}

static void
waits_until_what_was_overdrawn_is_paid_back(void **state)
{
    (void)state;
    struct read_budget budget;
    read_budget_set(&budget, 1000, 0);
    assert_int_equal(read_budget_wait(&budget, 0), 0);
    read_budget_spend(&budget, 3000, 0);
    int64_t wait_ns = read_budget_wait(&budget, 0);
    assert_in_range(wait_ns, 3 * NS_PER_S, 3 * NS_PER_S + 1000);
    assert_in_range(read_budget_wait(&budget, NS_PER_S), 2 * NS_PER_S, 2 * NS_PER_S + 1000);
    assert_int_equal(read_budget_wait(&budget, 3 * NS_PER_S + 1000), 0);
}

static void
saves_no_more_than_one_second(void **state)
{
    (void)state;
    struct read_budget budget;
    read_budget_set(&budget, 1000, 0);
    assert_int_equal(read_budget_wait(&budget, 3600 * NS_PER_S), 0);
    read_budget_spend(&budget, 2000, 0);
    assert_in_range(read_budget_wait(&budget, 3600 * NS_PER_S), NS_PER_S - 1000, NS_PER_S + 1000);
}

static void
pays_what_came_over_the_wire_where_that_is_more(void **state)
{
    (void)state;
    struct read_budget budget;
    read_budget_set(&budget, 1000, 0);
    read_budget_spend(&budget, 1000, 3000);
    assert_in_range(read_budget_wait(&budget, 0), 3 * NS_PER_S, 3 * NS_PER_S + 1000);
    read_budget_spend(&budget, 1500, 0); /* it had been paid: the library reads ahead */
    assert_in_range(read_budget_wait(&budget, 0), 3 * NS_PER_S, 3 * NS_PER_S + 1000);
    read_budget_spend(&budget, 1500, 0); /* 4000 bytes after decompression */
    assert_in_range(read_budget_wait(&budget, 0), 4 * NS_PER_S, 4 * NS_PER_S + 1000);
}

static void
goes_on_where_asking_alone_costs_more_than_the_budget(void **state)
{
    (void)state;
    struct read_budget budget;
    read_budget_set(&budget, 1000, 0);
    read_budget_spend(&budget, 0, 1000000);
    assert_int_equal(read_budget_wait(&budget, 0), 0);
    read_budget_spend(&budget, 500, 1000000);
    assert_in_range(read_budget_wait(&budget, 0), 2 * NS_PER_S, 2 * NS_PER_S + 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_waits_without_a_limit),
        cmocka_unit_test(waits_until_what_was_overdrawn_is_paid_back),
        cmocka_unit_test(saves_no_more_than_one_second),
        cmocka_unit_test(pays_what_came_over_the_wire_where_that_is_more),
        cmocka_unit_test(goes_on_where_asking_alone_costs_more_than_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
