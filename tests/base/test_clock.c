#include "base/clock.h"
#include "tests/support/unit.h"

#define NOW (INT64_C(1795530571) * NS_PER_S) /* 2026-11-24T14:29:31Z */

static void
assert_reads(const char *text, const char *expected)
{
    struct error err = {0};
    int64_t when_ns;
    char back[CLOCK_TEXT_MAX];
    assert_ok(clock_parse(text, strlen(text), NOW, &when_ns, &err));
    assert_string_equal(clock_format(when_ns, back), expected);
}

static void
reads_moments_as_people_write_them(void **state)
{
    (void)state;
    assert_reads("now", "2026-11-24T14:29:31.000000000Z");
    assert_reads("2026-11-23T14:29:31.102Z", "2026-11-23T14:29:31.102000000Z");
    assert_reads("2026-11-23 14:29", "2026-11-23T14:29:00.000000000Z");
    assert_reads("2026-11-23T14:29:31+01:30", "2026-11-23T12:59:31.000000000Z");
    assert_reads("2026-11-23", "2026-11-23T00:00:00.000000000Z");
    assert_reads("14:29:40.5", "2026-11-24T14:29:40.500000000Z");
    assert_reads("-1h30m", "2026-11-24T12:59:31.000000000Z");
    assert_reads("-250ms", "2026-11-24T14:29:30.750000000Z");
    assert_reads("1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250000000Z");
    assert_reads("2000-02-29", "2000-02-29T00:00:00.000000000Z");
    assert_reads("2026-12-31", "2026-12-31T00:00:00.000000000Z");
    assert_reads("2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807Z");
    assert_reads("1677-09-22", "1677-09-22T00:00:00.000000000Z");
}

static void
refuses_what_is_no_moment(void **state)
{
    (void)state;
    const char *const wrong[] = {"", "-", "x", "25:00", "14:61", "2026-13-01", "2026-11-23T",
        "2026-11-23T14:29:31Zx", "-15", "-15q", "1500-01-01", "-99999999999999999999d", "14",
        "2026-02-29", "2026-02-31", "2026-04-31", "2262-04-11T23:47:16.854775808Z", "9999-12-31",
        "1677-09-21"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err = {0};
        int64_t when_ns;
        if (strcmp(wrong[i], "-15") == 0)
            continue; /* a bare number is seconds */
        if (clock_parse(wrong[i], strlen(wrong[i]), NOW, &when_ns, &err))
            fail_msg("'%s' was understood", wrong[i]);
        assert_int_equal(err.code, ERROR_ARGUMENT);
    }
}

static void
reads_lengths_of_time(void **state)
{
    (void)state;
    struct error err = {0};
    int64_t ns;
    assert_ok(clock_parse_duration("1h30m", 5, &ns, &err));
    assert_true(ns == 5400 * NS_PER_S);
    assert_ok(clock_parse_duration("2.5", 3, &ns, &err));
    assert_true(ns == 2500 * NS_PER_MS);
    assert_false(clock_parse_duration("5 m", 3, &ns, &err));
}

static void
writes_lengths_of_time_for_people(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    assert_string_equal(clock_format_duration(250 * NS_PER_MS, text), "250 ms");
    assert_string_equal(clock_format_duration(5200 * NS_PER_MS, text), "5.2 s");
    assert_string_equal(clock_format_duration(182 * NS_PER_S, text), "3 m 2 s");
    assert_string_equal(clock_format_duration(INT64_C(26) * 3600 * NS_PER_S, text), "26 h");
    assert_string_equal(clock_format_time(NOW + 102 * NS_PER_MS, 3, text), "14:29:31.102");
    assert_string_equal(clock_format_time(NOW, 0, text), "14:29:31");
    assert_string_equal(clock_format(CLOCK_NONE, text), "?");
}

static void
no_two_times_are_too_far_apart(void **state)
{
    (void)state;
    assert_true(clock_between(5, 7) == 2 && clock_between(7, 5) == -2);
    assert_true(clock_between(INT64_MIN + 1, INT64_MAX) == INT64_MAX);
    assert_true(clock_between(INT64_MAX, INT64_MIN + 1) == INT64_MIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_moments_as_people_write_them),
        cmocka_unit_test(refuses_what_is_no_moment),
        cmocka_unit_test(reads_lengths_of_time),
        cmocka_unit_test(writes_lengths_of_time_for_people),
        cmocka_unit_test(no_two_times_are_too_far_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
