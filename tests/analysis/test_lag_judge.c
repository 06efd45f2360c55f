/* lag_judge: the rules, each on a recorded series. */
#include "analysis/lag.h"
#include "analysis/lag_judge.h"
#include "base/clock.h"
#include "tests/support/analysis_lag.h"
#include "tests/support/unit.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define STABLE    LAG_PHASE_STABLE

static void
says_nothing_before_the_first_sample(void **unused)
{
    (void)unused;
    struct lag_verdict verdict;
    lag_judge(NULL, 0, &lag_rules_default, &verdict);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no sample");
    assert_int_equal(verdict.lag, -1);
}

static void
is_ok_when_nothing_waits(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 90, 90, 0, 1, STABLE}, {5, 190, 190, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_OK, "nothing waits");
    assert_int_equal(verdict.lag, 0);
    assert_float_equal(verdict.seconds, 0.0, 0.0001);
    assert_float_equal(verdict.in_rate, 20.0, 0.0001);
    assert_float_equal(verdict.out_rate, 20.0, 0.0001);
}

static void
is_idle_when_nothing_came_for_a_while(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 90, 90, 0, 1, STABLE}, {5, 90, 90, 0, 1, STABLE}, {10, 90, 90, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_IDLE, "no event came for 10 s");
}

static void
does_not_guess_from_one_sample(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 90, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge_at(rows, 1, LAG_START_NS - 70 * NS_PER_S);
    assert_lag_state(&verdict, LAG_UNKNOWN, "one sample");
    assert_int_equal(verdict.lag, 40);
    assert_float_equal(verdict.seconds, 70.0, 0.0001);
    assert_true(verdict.in_rate < 0 && verdict.drain_seconds < 0);
}

static void
does_not_call_a_pause_between_commits_a_stall(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 50, 90, 0, 1, STABLE}, {5, 50, 99, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_UNKNOWN, "not moved for 5 s; that is a stall only after 15 s");
}

static void
is_a_stall_when_the_commit_stands_and_events_wait(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 90, 0, 2, STABLE},
        {5, 50, 99, 0, 2, STABLE}, {10, 50, 120, 0, 2, STABLE}, {15, 50, 130, 0, 2, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_STALL, "@50 has not moved for 15 s, while 80 events wait");
    assert_int_equal(verdict.stood_ns, 15 * NS_PER_S);
    assert_true(verdict.drain_seconds < 0);
}

static void
stops_at_once_when_nobody_is_there(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 90, 0, 0, LAG_PHASE_EMPTY}};
    struct lag_verdict verdict = test_judge(rows, 1);
    assert_lag_state(&verdict, LAG_STOP, "no member, and 40 events wait behind @50");
}

/* No event is to blame, and no consumer: whoever reads committed events waits for a producer. */
static void
knows_a_stall_at_a_transaction_that_is_open(void **unused)
{
    (void)unused;
    struct lag_point points[2] = {{.at_ns = LAG_START_NS,
        .committed = 50,
        .end = 90,
        .log_start = 0,
        .stable = 50,
        .oldest_ns = CLOCK_NONE,
        .members = 1,
        .phase = STABLE}};
    points[1] = points[0];
    points[1].at_ns += 20 * NS_PER_S;
    struct lag_verdict verdict;
    lag_judge(points, 2, &lag_rules_default, &verdict);
    assert_lag_state(
        &verdict, LAG_STALL, "a transaction that began at @50 is open, and 40 events wait");
    assert_non_null(strstr(verdict.next, "kafka-transactions"));
    points[1].stable = 70;
    lag_judge(points, 2, &lag_rules_default, &verdict);
    assert_lag_state(&verdict, LAG_STALL, "not moved for 20 s, while 40 events wait");
    points[1].stable = 90;
    lag_judge(points, 2, &lag_rules_default, &verdict);
    assert_lag_state(&verdict, LAG_STALL, "not moved for 20 s, while 40 events wait");
}

/* A consumer that ends at an event and is started again: to start it is no advice. */
static void
tells_a_stop_of_members_that_come_and_go(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 90, 0, 1, STABLE},
        {5, 90, 110, 0, 1, STABLE}, {10, 90, 120, 0, 0, LAG_PHASE_EMPTY},
        {15, 90, 130, 0, 1, STABLE}, {20, 90, 140, 0, 0, LAG_PHASE_EMPTY},
        {25, 90, 150, 0, 1, LAG_PHASE_REBALANCING}, {30, 90, 160, 0, 0, LAG_PHASE_EMPTY}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_STOP, "2 times in 25 s one came and went without a commit");
    assert_non_null(strstr(verdict.next, "tapedeck stuck"));
    verdict = test_judge(rows, 3);
    assert_lag_state(&verdict, LAG_STOP, "it has no member, and 30 events wait");
    assert_non_null(strstr(verdict.next, "start its consumers"));
}

/* Consumers that assign partitions themselves are never members. */
static void
gives_a_group_that_never_joins_time(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 90, 0, 0, LAG_PHASE_SIMPLE},
        {5, 50, 90, 0, 0, LAG_PHASE_SIMPLE}, {15, 50, 90, 0, 0, LAG_PHASE_SIMPLE}};
    struct lag_verdict verdict = test_judge(rows, 2);
    assert_lag_state(&verdict, LAG_UNKNOWN, "not moved for 5 s");
    verdict = test_judge(rows, 3);
    assert_lag_state(&verdict, LAG_STOP, "no member that joins");
}

static void
tells_a_rewind_even_when_nothing_waits_any_more(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 1000, 1000, 0, 1, STABLE},
        {5, 400, 1000, 0, 1, STABLE}, {10, 1000, 1000, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_REWIND, "from @1000 to @400");
    assert_lag_state(&verdict, LAG_REWIND, "up to 600 events ran again");
    assert_int_equal(verdict.again_from, 400);
    assert_int_equal(verdict.again_to, 1000);
}

static void
says_who_rewound(void **unused)
{
    (void)unused;
    static const struct lag_series_row empty[] = {
        {0, 900, 1000, 5, 0, LAG_PHASE_EMPTY}, {5, 400, 1000, 5, 0, LAG_PHASE_EMPTY}};
    static const struct lag_series_row begin[] = {
        {0, 900, 1000, 5, 1, STABLE}, {5, 5, 1000, 5, 1, STABLE}};
    static const struct lag_series_row member[] = {
        {0, 900, 1000, 5, 2, STABLE}, {5, 880, 1000, 5, 1, STABLE}};
    static const struct lag_series_row anew[] = {
        {0, 900, 1000, 0, 1, STABLE}, {5, 10, 20, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(empty, 2);
    assert_lag_state(&verdict, LAG_REWIND, "somebody reset its offsets");
    verdict = test_judge(begin, 2);
    assert_lag_state(&verdict, LAG_REWIND, "reset to earliest");
    verdict = test_judge(member, 2);
    assert_lag_state(&verdict, LAG_REWIND, "a rebalance lost commits");
    verdict = test_judge(anew, 2);
    assert_lag_state(&verdict, LAG_REWIND, "the topic was made anew");
}

static void
forgets_a_rewind_that_has_long_been_made_good(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 1000, 1000, 0, 1, STABLE},
        {5, 400, 1000, 0, 1, STABLE}, {10, 1000, 1000, 0, 1, STABLE},
        {66, 1100, 1100, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_OK, "nothing waits");
    assert_int_equal(verdict.again_from, -1);
}

static void
tells_a_jump_over_what_nobody_read(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 400, 1000, 0, 0, LAG_PHASE_EMPTY}, {5, 1000, 1000, 0, 0, LAG_PHASE_EMPTY}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_JUMP, "somebody set it");
    assert_lag_state(&verdict, LAG_JUMP, "unless one came and went within 5 s");
    assert_int_equal(verdict.again_from, 400);
    assert_int_equal(verdict.again_to, 1000);
}

static void
tells_a_jump_behind_a_rewind(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 600, 900, 0, 0, LAG_PHASE_EMPTY},
        {5, 400, 950, 0, 0, LAG_PHASE_EMPTY}, {10, 1000, 1000, 0, 0, LAG_PHASE_EMPTY},
        {15, 500, 1000, 0, 0, LAG_PHASE_EMPTY}};
    struct lag_verdict verdict = test_judge(rows, 3);
    assert_lag_state(&verdict, LAG_REWIND, "from @600 to @400");
    assert_lag_state(&verdict, LAG_REWIND, "; then it jumped from @400 to @1000");
    verdict = test_judge(rows, 4);
    assert_lag_state(&verdict, LAG_REWIND, "from @1000 to @500");
    assert_null(strstr(verdict.reason, "jumped"));
}

static void
tells_a_jump_over_what_was_deleted(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 400, 1000, 300, 1, STABLE}, {5, 950, 1000, 900, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_JUMP, "deleted unread");
    assert_int_equal(verdict.again_to, 900);
}

static void
tells_a_commit_past_the_end(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 400, 100, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, 1);
    assert_lag_state(&verdict, LAG_JUMP, "@400 is 300 offsets past the end @100");
    assert_int_equal(verdict.lag, 0);
    assert_non_null(strstr(verdict.next, "auto.offset.reset"));
    assert_int_equal(verdict.again_from, -1); /* there are no such events */
    assert_int_equal(verdict.again_to, -1);
}

static void
says_when_members_are_changing_places(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 50, 90, 0, 2, STABLE}, {20, 50, 99, 0, 1, LAG_PHASE_REBALANCING}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_REBALANCING, "anew, for 0 s now, the 1st time in 20 s");
    assert_non_null(strstr(verdict.next, "one leaves and comes back"));
    assert_int_equal(verdict.rebalances, 1);
}

static void
knows_a_rebalance_that_waits_for_a_member(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 90, 0, 1, STABLE},
        {5, 50, 99, 0, 2, LAG_PHASE_REBALANCING}, {10, 50, 99, 0, 2, LAG_PHASE_UNKNOWN},
        {25, 50, 99, 0, 2, LAG_PHASE_REBALANCING}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_REBALANCING, "for 20 s now, the 1st time in 25 s");
    assert_non_null(strstr(verdict.next, "does not poll, and all wait for it"));
}

static void
is_slow_when_lag_grows_clearly(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 0, 10, 0, 1, STABLE},
        {12, 50, 120, 0, 1, STABLE}, {24, 100, 230, 0, 1, STABLE}, {36, 150, 340, 0, 1, STABLE},
        {48, 200, 450, 0, 1, STABLE}, {60, 250, 560, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_SLOW, "from 70 to 310 events in 60 s");
    assert_true(verdict.drain_seconds < 0);
}

/* One who keeps up has something between 0 and what comes until the next commit, whenever a sample falls. */
static void
is_not_slow_by_chance(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 1000, 1013, 0, 1, STABLE},
        {12, 1600, 1609, 0, 1, STABLE}, {24, 2200, 2211, 0, 1, STABLE},
        {36, 2800, 2840, 0, 1, STABLE}, {48, 3400, 3414, 0, 1, STABLE},
        {60, 4000, 4015, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_OK, "commits advance");
}

/* A burst of 500 at second 12 that is being worked off. */
static void
is_not_slow_after_a_burst(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 0, 10, 0, 1, STABLE},
        {12, 50, 600, 0, 1, STABLE}, {24, 200, 620, 0, 1, STABLE}, {36, 350, 640, 0, 1, STABLE},
        {48, 500, 660, 0, 1, STABLE}, {60, 650, 690, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_OK, "commits advance");
}

static void
warns_when_lag_never_fell(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 0, 10, 0, 1, STABLE}, {15, 50, 65, 0, 1, STABLE}, {30, 100, 120, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_WARN, "never fell in 30 s: 10 events, then 20");
}

static void
does_not_warn_about_a_lag_that_stays_the_same(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 0, 10, 0, 1, STABLE}, {15, 50, 60, 0, 1, STABLE}, {30, 100, 110, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_OK, "commits advance");
}

static void
warns_of_what_retention_took(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, 50, 1000, 80, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, 1);
    assert_lag_state(&verdict, LAG_WARN, "30 events behind its commit @50 are deleted");
}

static void
warns_before_retention_comes(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 500, 2000, 100, 1, STABLE}, {10, 510, 2100, 210, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_WARN, "deleted unread in about 30 s");
    assert_float_equal(verdict.retention_seconds, 30.0, 0.0001);
}

static void
knows_no_lag_without_a_commit_or_an_end(void **unused)
{
    (void)unused;
    static const struct lag_series_row no_commit[] = {{0, -1, 90, 0, 1, STABLE}};
    static const struct lag_series_row no_end[] = {{0, 50, -1, -1, 1, STABLE}};
    static const struct lag_series_row empty[] = {{0, -1, 7, 7, 1, STABLE}};
    struct lag_verdict verdict = test_judge(no_commit, 1);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no commit here");
    assert_int_equal(verdict.lag, -1);
    verdict = test_judge(no_end, 1);
    assert_lag_state(&verdict, LAG_UNKNOWN, "ends is not known");
    assert_int_equal(verdict.lag, -1);
    verdict = test_judge(empty, 1);
    assert_lag_state(&verdict, LAG_IDLE, "holds no event");
    assert_int_equal(verdict.lag, 0);
}

/* A stall needs an event that waits for longer than that: two looks at a group that commits every 5 s may well
 * see no commit. */
static void
is_ok_while_what_waits_is_young(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, 50, 90, 0, 1, STABLE}, {1, 50, 95, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge_at(rows, 2, LAG_START_NS - 4 * NS_PER_S);
    assert_lag_state(&verdict, LAG_OK, "came 5.0 s ago");
    assert_string_equal(verdict.next, "");
    verdict = test_judge_at(rows, 2, LAG_START_NS - 14 * NS_PER_S);
    assert_lag_state(&verdict, LAG_UNKNOWN, "a stall only after 15 s");
    verdict = test_judge(rows, 2);
    assert_lag_state(&verdict, LAG_UNKNOWN, "a stall only after 15 s");
    static const struct lag_series_row gone[] = {{0, 50, 90, 0, 0, LAG_PHASE_EMPTY}};
    verdict = test_judge_at(gone, 1, LAG_START_NS - NS_PER_S);
    assert_lag_state(&verdict, LAG_STOP, "no member");
}

/* A new consumer that ends in its first event, again and again, has no commit that could stand. */
static void
warns_of_members_that_commit_nothing_while_events_come(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, -1, 90, 0, 1, STABLE},
        {5, -1, 90, 0, 1, STABLE}, {10, -1, 91, 0, 1, STABLE}, {15, -1, 120, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, 3);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no commit here");
    verdict = test_judge(rows, 4);
    assert_lag_state(&verdict, LAG_WARN, "committed nothing here for 15 s, while 30 events came");
    assert_int_equal(verdict.lag, -1);
    static const struct lag_series_row quiet[] = {
        {0, -1, 90, 0, 1, STABLE}, {60, -1, 90, 0, 1, STABLE}};
    verdict = test_judge(quiet, 2);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no commit here");
}

/* One that is started again and again is not there in every sample. */
static void
warns_of_members_that_come_and_go_and_commit_nothing(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, -1, 90, 0, 1, STABLE},
        {5, -1, 95, 0, 0, LAG_PHASE_EMPTY}, {10, -1, 100, 0, 1, STABLE},
        {15, -1, 110, 0, 0, LAG_PHASE_EMPTY}, {20, -1, 120, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, LENGTH(rows));
    assert_lag_state(&verdict, LAG_WARN,
        "changed 4 times in 20 s and committed nothing here, while 30 events came");
    assert_non_null(strstr(verdict.next, "started again"));
    verdict = test_judge(rows, 4);
    assert_lag_state(&verdict, LAG_WARN,
        "in 15 s and committed nothing here, while 20 events came; now there is none");
}

static void
tells_members_that_went_without_a_commit(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {{0, -1, 90, 0, 1, STABLE},
        {5, -1, 95, 0, 0, LAG_PHASE_EMPTY}, {16, -1, 96, 0, 0, LAG_PHASE_EMPTY}};
    struct lag_verdict verdict = test_judge(rows, 2);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no commit here");
    assert_non_null(strstr(verdict.next, "it has no member now"));
    verdict = test_judge(rows, 3);
    assert_lag_state(&verdict, LAG_WARN, "no member now, and in 16 s none committed anything here");
}

static void
says_what_to_do_before_the_first_commit(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, -1, 90, 0, 1, STABLE}, {5, -1, 90, 0, 1, STABLE}, {60, -1, 90, 0, 1, STABLE}};
    struct lag_verdict verdict = test_judge(rows, 2);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no commit here");
    assert_non_null(strstr(verdict.next, "the next samples tell"));
    verdict = test_judge(rows, 3);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no commit here");
    assert_non_null(strstr(verdict.next, "no event came since its member is watched"));
}

/* No answer is not the answer that there is none. */
static void
does_not_take_an_unknown_commit_for_none(void **unused)
{
    (void)unused;
    struct lag_point points[3];
    for (int i = 0; i < 3; i++)
        points[i] = (struct lag_point){.at_ns = LAG_START_NS + (int64_t)i * 20 * NS_PER_S,
            .committed = -1,
            .end = 90 + i,
            .log_start = 0,
            .stable = -1,
            .oldest_ns = CLOCK_NONE,
            .members = 1,
            .phase = LAG_PHASE_STABLE,
            .commit_unknown = true};
    struct lag_verdict verdict;
    lag_judge(points, 3, &lag_rules_default, &verdict);
    assert_lag_state(&verdict, LAG_UNKNOWN, "what it has committed is not known");
    points[2].commit_unknown = false;
    lag_judge(points, 3, &lag_rules_default, &verdict);
    assert_lag_state(&verdict, LAG_UNKNOWN, "no commit here");
}

static void
knows_a_rebalance_before_the_first_commit(void **unused)
{
    (void)unused;
    static const struct lag_series_row rows[] = {
        {0, -1, 90, 0, 2, LAG_PHASE_REBALANCING}, {20, -1, 95, 0, 2, LAG_PHASE_REBALANCING}};
    struct lag_verdict verdict = test_judge(rows, 2);
    assert_lag_state(&verdict, LAG_REBALANCING, "for 20 s now");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_nothing_before_the_first_sample),
        cmocka_unit_test(is_ok_when_nothing_waits),
        cmocka_unit_test(is_idle_when_nothing_came_for_a_while),
        cmocka_unit_test(does_not_guess_from_one_sample),
        cmocka_unit_test(does_not_call_a_pause_between_commits_a_stall),
        cmocka_unit_test(is_a_stall_when_the_commit_stands_and_events_wait),
        cmocka_unit_test(stops_at_once_when_nobody_is_there),
        cmocka_unit_test(knows_a_stall_at_a_transaction_that_is_open),
        cmocka_unit_test(tells_a_stop_of_members_that_come_and_go),
        cmocka_unit_test(gives_a_group_that_never_joins_time),
        cmocka_unit_test(tells_a_rewind_even_when_nothing_waits_any_more),
        cmocka_unit_test(says_who_rewound),
        cmocka_unit_test(forgets_a_rewind_that_has_long_been_made_good),
        cmocka_unit_test(tells_a_jump_over_what_nobody_read),
        cmocka_unit_test(tells_a_jump_behind_a_rewind),
        cmocka_unit_test(tells_a_jump_over_what_was_deleted),
        cmocka_unit_test(tells_a_commit_past_the_end),
        cmocka_unit_test(says_when_members_are_changing_places),
        cmocka_unit_test(knows_a_rebalance_that_waits_for_a_member),
        cmocka_unit_test(is_slow_when_lag_grows_clearly),
        cmocka_unit_test(is_not_slow_by_chance),
        cmocka_unit_test(is_not_slow_after_a_burst),
        cmocka_unit_test(warns_when_lag_never_fell),
        cmocka_unit_test(does_not_warn_about_a_lag_that_stays_the_same),
        cmocka_unit_test(warns_of_what_retention_took),
        cmocka_unit_test(warns_before_retention_comes),
        cmocka_unit_test(knows_no_lag_without_a_commit_or_an_end),
        cmocka_unit_test(is_ok_while_what_waits_is_young),
        cmocka_unit_test(warns_of_members_that_commit_nothing_while_events_come),
        cmocka_unit_test(warns_of_members_that_come_and_go_and_commit_nothing),
        cmocka_unit_test(tells_members_that_went_without_a_commit),
        cmocka_unit_test(says_what_to_do_before_the_first_commit),
        cmocka_unit_test(does_not_take_an_unknown_commit_for_none),
        cmocka_unit_test(knows_a_rebalance_before_the_first_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
