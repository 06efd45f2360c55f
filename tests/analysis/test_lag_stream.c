/* lag_stream: what is said of a stream when its partitions are judged. */
#include "analysis/lag.h"
#include "analysis/lag_stream.h"
#include "base/clock.h"
#include "tests/support/analysis_lag.h"
#include "tests/support/unit.h"

#define STABLE LAG_PHASE_STABLE

/* What one member has: [0] stands behind a backlog, [1] moves. */
static struct lag_verdict
of_member(int stands_for, int64_t other_waits_since_ns, const char *other_member)
{
    const struct lag_series_row stands[] = {
        {0, 50, 5000, 0, 1, STABLE}, {stands_for, 50, 5500, 0, 1, STABLE}};
    const struct lag_series_row moves[] = {
        {0, 70, 5000, 0, 1, STABLE}, {stands_for, 900, 5500, 0, 1, STABLE}};
    struct lag_verdict verdicts[2] = {test_judge_at(stands, 2, LAG_START_NS - 300 * NS_PER_S),
        test_judge_at(moves, 2, other_waits_since_ns)};
    const char *const members[] = {"a", other_member};
    const int32_t partitions[] = {4, 7};
    lag_stream_judge_members(verdicts, partitions, members, 2, &lag_rules_default);
    return verdicts[0];
}

static void
is_no_stall_while_its_member_works_on_others(void **unused)
{
    (void)unused;
    int64_t long_ago_ns = LAG_START_NS - 300 * NS_PER_S;
    struct lag_verdict verdict = of_member(20, long_ago_ns, "a");
    assert_lag_state(&verdict, LAG_WARN, "not moved for 20 s, but its member works on other");
    verdict = of_member(119, CLOCK_NONE, "a");
    assert_lag_state(&verdict, LAG_WARN, "not moved for 119 s");
    verdict = of_member(120, long_ago_ns, "a");
    assert_lag_state(&verdict, LAG_STALL,
        "not moved for 120 s, while 5450 events wait; its member works on [7] meanwhile");
    verdict = of_member(20, long_ago_ns, "b");
    assert_lag_state(&verdict, LAG_STALL, "@50 has not moved for 20 s");
    verdict = of_member(20, long_ago_ns, NULL);
    assert_lag_state(&verdict, LAG_STALL, "@50 has not moved for 20 s");
    /* It has all the time that this one would need. */
    verdict = of_member(20, LAG_START_NS + 19 * NS_PER_S, "a");
    assert_lag_state(&verdict, LAG_STALL, "@50 has not moved for 20 s");
}

static void
names_the_partition_that_is_worst(void **unused)
{
    (void)unused;
    struct lag_verdict verdicts[3];
    static const struct lag_series_row ok[] = {
        {0, 90, 90, 0, 1, STABLE}, {16, 190, 190, 0, 1, STABLE}};
    static const struct lag_series_row stuck[] = {
        {0, 50, 90, 0, 1, STABLE}, {16, 50, 99, 0, 1, STABLE}};
    verdicts[0] = test_judge(ok, 2);
    verdicts[1] = test_judge_at(stuck, 2, LAG_START_NS - 4 * NS_PER_S);
    verdicts[2] = test_judge(ok, 2);
    static const int32_t partitions[] = {0, 3, 5};
    struct lag_verdict verdict;
    lag_stream_judge(verdicts, partitions, 3, &verdict);
    assert_lag_state(&verdict, LAG_STALL, "[3]: the commit @50");
    assert_int_equal(verdict.partition, 3);
    assert_int_equal(verdict.lag, 49);
    assert_float_equal(verdict.seconds, 20.0, 0.0001);
    assert_true(verdict.drain_seconds < 0);
}

static void
adds_nothing_unknown_up(void **unused)
{
    (void)unused;
    static const struct lag_series_row known[] = {{0, 50, 90, 0, 1, STABLE}};
    static const struct lag_series_row unknown[] = {{0, -1, 90, 0, 1, STABLE}};
    struct lag_verdict verdicts[2] = {test_judge(known, 1), test_judge(unknown, 1)};
    static const int32_t partitions[] = {0, 1};
    struct lag_verdict verdict;
    lag_stream_judge(verdicts, partitions, 2, &verdict);
    assert_int_equal(verdict.lag, -1);
    assert_true(verdict.seconds < 0);
}

static void
tells_members_without_a_partition_where_they_matter(void **unused)
{
    (void)unused;
    static const struct lag_series_row slow[] = {{0, 0, 10, 0, 5, STABLE},
        {12, 10, 40, 0, 5, STABLE}, {24, 20, 70, 0, 5, STABLE}, {36, 30, 100, 0, 5, STABLE},
        {48, 40, 130, 0, 5, STABLE}, {60, 50, 160, 0, 5, STABLE}};
    static const int32_t partitions[] = {0};
    struct lag_verdict part = test_judge(slow, 6);
    struct lag_verdict verdict;
    lag_stream_judge(&part, partitions, 1, &verdict);
    lag_stream_tell_idle(&verdict, 0, 5);
    assert_null(strstr(verdict.reason, "members"));
    lag_stream_tell_idle(&verdict, 3, 5);
    assert_lag_state(&verdict, LAG_SLOW, "; 3 of 5 members have no partition");
    assert_non_null(strstr(verdict.next, "one more member would have no partition either"));

    static const struct lag_series_row ok[] = {
        {0, 90, 90, 0, 5, STABLE}, {16, 190, 190, 0, 5, STABLE}};
    part = test_judge(ok, 2);
    lag_stream_judge(&part, partitions, 1, &verdict);
    lag_stream_tell_idle(&verdict, 3, 5);
    assert_null(strstr(verdict.reason, "members"));
    assert_string_equal(verdict.next, "");
}

/* "add consumers" beside it would contradict it. */
static void
tells_them_without_contradiction_where_retention_comes(void **unused)
{
    (void)unused;
    static const struct lag_series_row late[] = {
        {0, 500, 2000, 100, 2, STABLE}, {10, 510, 2100, 210, 2, STABLE}};
    static const int32_t partitions[] = {0};
    struct lag_verdict part = test_judge(late, 2);
    struct lag_verdict verdict;
    lag_stream_judge(&part, partitions, 1, &verdict);
    lag_stream_tell_idle(&verdict, 1, 2);
    assert_lag_state(&verdict, LAG_WARN, "; 1 of 2 members have no partition");
    assert_string_equal(verdict.next,
        "raise the topic's retention now; more consumers help only while there are partitions for "
        "them; one more member would have no partition either: the topic needs more of them");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_no_stall_while_its_member_works_on_others),
        cmocka_unit_test(names_the_partition_that_is_worst),
        cmocka_unit_test(adds_nothing_unknown_up),
        cmocka_unit_test(tells_members_without_a_partition_where_they_matter),
        cmocka_unit_test(tells_them_without_contradiction_where_retention_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
