/* What is believed of a sample, and what is not. */
#include "base/bytes.h"
#include "tests/support/unit.h"
#include "ui/lag_sample.h"

static bool
decode(struct lag_sample *sample, const char *json)
{
    return lag_sample_decode(sample, bytes_of(json));
}

static void
a_whole_sample_is_read(void **state)
{
    (void)state;
    struct lag_sample sample = {0};
    assert_true(decode(&sample,
        "{\"group\":\"g\",\"stream\":\"s\",\"state\":\"STALL\",\"reason\":\"why\",\"next\":\"do\","
        "\"lag\":\"9007199254740993\",\"seconds\":1.5,\"in_rate\":2,\"out_rate\":0,"
        "\"drain_seconds\":null,\"members\":3,\"partitions\":[{\"partition\":7,\"member\":\"m\","
        "\"committed\":\"42\",\"lag\":\"5\",\"seconds\":0.5,\"state\":\"OK\"}]}"));
    assert_string_equal(sample.group, "g");
    assert_string_equal(sample.stream, "s");
    assert_int_equal(sample.state, LAG_STALL);
    assert_string_equal(sample.next, "do");
    assert_true(sample.lag == INT64_C(9007199254740993));
    assert_true(sample.seconds == 1.5 && sample.out_rate == 0.0 && sample.drain_seconds < 0.0);
    assert_int_equal(sample.lane_count, 1);
    assert_int_equal(sample.lanes[0].partition, 7);
    assert_true(sample.lanes[0].committed == 42);
    assert_string_equal(sample.lanes[0].member, "m");
    lag_sample_done(&sample);
}

static void
what_is_missing_or_odd_is_unknown(void **state)
{
    (void)state;
    struct lag_sample sample = {0};
    assert_true(decode(&sample,
        "{\"group\":\"g\",\"stream\":\"s\",\"state\":\"HAPPY\",\"reason\":7,\"lag\":\"-1\","
        "\"seconds\":-3,\"in_rate\":\"fast\",\"members\":null,\"partitions\":{}}"));
    assert_int_equal(sample.state, LAG_UNKNOWN);
    assert_string_equal(sample.reason, "");
    assert_true(sample.lag == -1 && sample.members == -1);
    assert_true(sample.seconds < 0.0 && sample.in_rate < 0.0 && sample.out_rate < 0.0);
    assert_int_equal(sample.lane_count, 0);
    lag_sample_done(&sample);
}

static void
a_count_that_does_not_fit_is_unknown(void **state)
{
    (void)state;
    struct lag_sample sample = {0};
    assert_true(
        decode(&sample, "{\"group\":\"g\",\"stream\":\"s\",\"lag\":\"99999999999999999999\"}"));
    assert_true(sample.lag == -1);
    assert_true(decode(&sample, "{\"group\":\"g\",\"stream\":\"s\",\"lag\":\"12x\"}"));
    assert_true(sample.lag == -1);
    lag_sample_done(&sample);
}

static void
partitions_that_are_none_are_left_out(void **state)
{
    (void)state;
    struct lag_sample sample = {0};
    assert_true(decode(&sample,
        "{\"group\":\"g\",\"stream\":\"s\",\"partitions\":[{\"partition\":-1},{\"partition\":"
        "99999999999},null,[],\"x\",{\"partition\":2}]}"));
    assert_int_equal(sample.lane_count, 1);
    assert_int_equal(sample.lanes[0].partition, 2);
    assert_true(sample.lanes[0].lag == -1 && sample.lanes[0].committed == -1);
    lag_sample_done(&sample);
}

static void
what_is_no_sample_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct lag_sample sample = {0};
    assert_true(decode(&sample, "{\"group\":\"g\",\"stream\":\"s\",\"lag\":\"1\"}"));
    assert_false(decode(&sample, "{\"group\":\"g\"}"));
    assert_string_equal(sample.group, "");
    assert_int_equal(sample.lane_count, 0);
    assert_false(decode(&sample, "[1,2]"));
    assert_false(decode(&sample, "{\"group\":\"g\""));
    assert_false(decode(&sample, "\xff\xfe"));
    assert_false(decode(&sample, ""));
    assert_false(lag_sample_decode(&sample, BYTES_NULL));
    lag_sample_done(&sample);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_sample_is_read),
        cmocka_unit_test(what_is_missing_or_odd_is_unknown),
        cmocka_unit_test(a_count_that_does_not_fit_is_unknown),
        cmocka_unit_test(partitions_that_are_none_are_left_out),
        cmocka_unit_test(what_is_no_sample_is_refused_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
