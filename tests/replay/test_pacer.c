#include "base/clock.h"
#include "replay/pacer.h"
#include "tests/support/unit.h"

static struct pacer
pacer_of(enum pacing pacing, uint64_t value, int64_t max_gap_ns)
{
    struct pacing_settings settings = {.pacing = pacing, .value = value, .max_gap_ns = max_gap_ns};
    struct pacer pacer;
    pacer_start(&pacer, &settings, 1000);
    return pacer;
}

static void
reads_factors_and_rates_exactly(void **state)
{
    (void)state;
    struct error err;
    uint64_t value = 0;
    assert_ok(pacer_parse("2", &value, &err));
    assert_int_equal(value, 2000000);
    assert_ok(pacer_parse("0.5x", &value, &err));
    assert_int_equal(value, 500000);
    assert_ok(pacer_parse("1500/s", &value, &err));
    assert_int_equal(value, 1500000000);
    assert_ok(pacer_parse("0.000001", &value, &err));
    assert_int_equal(value, 1);
    assert_ok(pacer_parse("1000000000", &value, &err));
    assert_int_equal(value, 1000000000000000);
}

static void
refuses_what_is_not_a_speed(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "0", "0.0x", "-1", "x", "/s", ".", "1e3", "2xx",
        "0.0000001", "1000000001", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct error err = {0};
        uint64_t value = 77;
        if (pacer_parse(texts[i], &value, &err))
            fail_msg("'%s' was taken", texts[i]);
        assert_int_equal(err.code, ERROR_ARGUMENT);
        assert_int_equal(value, 77);
    }
}

static void
sends_at_once_when_fast(void **state)
{
    (void)state;
    struct pacer pacer = pacer_of(PACING_FAST, 0, 0);
    assert_int_equal(pacer_due(&pacer, 5 * NS_PER_S), 1000);
    assert_int_equal(pacer_due(&pacer, 500 * NS_PER_S), 1000);
}

static void
keeps_the_distances_of_the_events(void **state)
{
    (void)state;
    struct pacer pacer = pacer_of(PACING_SPEED, 1000000, 0);
    assert_int_equal(pacer_due(&pacer, 5 * NS_PER_S), 1000);
    assert_int_equal(pacer_due(&pacer, 7 * NS_PER_S), 1000 + 2 * NS_PER_S);
    pacer = pacer_of(PACING_SPEED, 4000000, 0);
    assert_int_equal(pacer_due(&pacer, 5 * NS_PER_S), 1000);
    assert_int_equal(pacer_due(&pacer, 7 * NS_PER_S), 1000 + NS_PER_S / 2);
}

static void
never_runs_backwards(void **state)
{
    (void)state;
    struct pacer pacer = pacer_of(PACING_SPEED, 1000000, 0);
    pacer_due(&pacer, 5 * NS_PER_S);
    pacer_due(&pacer, 9 * NS_PER_S);
    assert_int_equal(pacer_due(&pacer, 6 * NS_PER_S), 1000 + 4 * NS_PER_S);
    assert_int_equal(pacer_due(&pacer, 10 * NS_PER_S), 1000 + 5 * NS_PER_S);
}

static void
shortens_long_pauses(void **state)
{
    (void)state;
    struct pacer pacer = pacer_of(PACING_SPEED, 2000000, 4 * NS_PER_S);
    pacer_due(&pacer, 0);
    assert_int_equal(pacer_due(&pacer, 3600 * NS_PER_S), 1000 + 2 * NS_PER_S);
    assert_int_equal(pacer_due(&pacer, 3601 * NS_PER_S), 1000 + 5 * NS_PER_S / 2);
}

static void
does_not_drift_over_ten_million_events(void **state)
{
    (void)state;
    struct pacer pacer = pacer_of(PACING_RATE, UINT64_C(333333000000), 0); /* 333 333 a second */
    int64_t due = 0;
    for (int i = 0; i <= 9999990; i++)
        due = pacer_due(&pacer, 0);
    assert_int_equal(due, 1000 + 30 * NS_PER_S);
}

static void
saturates_instead_of_overflowing(void **state)
{
    (void)state;
    struct pacer pacer = pacer_of(PACING_SPEED, 1, 0);
    pacer_due(&pacer, INT64_MIN + 1);
    assert_int_equal(pacer_due(&pacer, INT64_MAX), INT64_MAX);
    assert_int_equal(pacer_due(&pacer, INT64_MAX), INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_factors_and_rates_exactly),
        cmocka_unit_test(refuses_what_is_not_a_speed),
        cmocka_unit_test(sends_at_once_when_fast),
        cmocka_unit_test(keeps_the_distances_of_the_events),
        cmocka_unit_test(never_runs_backwards),
        cmocka_unit_test(shortens_long_pauses),
        cmocka_unit_test(does_not_drift_over_ten_million_events),
        cmocka_unit_test(saturates_instead_of_overflowing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
