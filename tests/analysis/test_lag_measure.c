/* lag_measure: the numbers of a verdict, on recorded series. */
#include "analysis/lag.h"
#include "analysis/lag_judge.h"
#include "base/clock.h"
#include "tests/support/analysis_lag.h"
#include "tests/support/unit.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define STABLE    LAG_PHASE_STABLE

/* The group had done all until second 20: what counts is how long something waits. */
static void
does_not_count_the_quiet_before_the_first_event_that_waits(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 90, 90, 0, 1, STABLE},
        {10, 90, 90, 0, 1, STABLE}, {20, 90, 90, 0, 1, STABLE}, {22, 90, 95, 0, 1, STABLE},
        {25, 90, 96, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_UNKNOWN, "not moved for 3 s");
}

static void
does_not_take_an_outage_of_the_sampling_for_progress(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 90, 0, 1, STABLE},
        {5, -1, -1, -1, -1, STABLE}, {10, -1, 99, 0, 1, STABLE}, {15, 50, 99, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_STALL, "not moved for 15 s");
}

static void
counts_rebalances_also_those_between_two_samples(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 10, 10, 0, 2, STABLE},
        {5, 10, 10, 0, 2, LAG_PHASE_REBALANCING}, {10, 10, 10, 0, 1, LAG_PHASE_REBALANCING},
        {15, 10, 10, 0, 1, STABLE}, {20, 10, 10, 0, 3, STABLE}, {25, 10, 10, 0, 3, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_int_equal(verdict.rebalances, 2);
    assert_true(verdict.rebalanced_ns == LAG_START_NS + 20 * NS_PER_S);
    verdict = test_judge(rows, 1);
    assert_int_equal(verdict.rebalances, 0);
    assert_true(verdict.rebalanced_ns == CLOCK_NONE);
}

static void
takes_rates_from_the_newest_minute(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 0, 0, 0, 1, STABLE},
        {600, 6000, 6000, 0, 1, STABLE}, {630, 6030, 6060, 0, 1, STABLE},
        {660, 6060, 6120, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_float_equal(verdict.in_rate, 2.0, 0.001);
    assert_float_equal(verdict.out_rate, 1.0, 0.001);
}

static void
says_when_it_will_have_caught_up(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 0, 1000, 0, 1, STABLE}, {10, 300, 1100, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_OK, "lag falls");
    assert_float_equal(verdict.drain_seconds, 40.0, 0.0001);
}

static void
does_not_count_offsets_that_never_were_events(void **unused)
{
    (void)unused;
    struct lag_point point = {.at_ns = LAG_START_NS,
        .committed = 10,
        .end = 20,
        .log_start = 0,
        .not_events = 4,
        .oldest_ns = CLOCK_NONE,
        .members = 1,
        .phase = STABLE};
    struct lag_verdict verdict;
    lag_judge(&point, 1, &lag_rules_default, &verdict);
    assert_int_equal(verdict.lag, 6);
    point.nothing_waits = true;
    lag_judge(&point, 1, &lag_rules_default, &verdict);
    assert_int_equal(verdict.lag, 6);
    assert_float_equal(verdict.seconds, 0.0, 0.0001);
    assert_lag_state(&verdict, LAG_OK, "nothing waits");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_not_count_the_quiet_before_the_first_event_that_waits),
        cmocka_unit_test(does_not_take_an_outage_of_the_sampling_for_progress),
        cmocka_unit_test(counts_rebalances_also_those_between_two_samples),
        cmocka_unit_test(takes_rates_from_the_newest_minute),
        cmocka_unit_test(says_when_it_will_have_caught_up),
        cmocka_unit_test(does_not_count_offsets_that_never_were_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
