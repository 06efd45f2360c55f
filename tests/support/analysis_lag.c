#include "tests/support/analysis_lag.h"

#include <string.h>

#include "analysis/lag_judge.h"
#include "tests/support/unit.h"

#define POINTS_MAX 64u

struct lag_verdict
test_judge_at(const struct lag_series_row *rows, size_t count, int64_t oldest_ns)
{
    struct lag_point points[POINTS_MAX];
    assert_true(count <= POINTS_MAX);
    for (size_t i = 0; i < count; i++)
        points[i] = (struct lag_point){.at_ns = LAG_START_NS + rows[i].second * NS_PER_S,
            .committed = rows[i].committed,
            .end = rows[i].end,
            .log_start = rows[i].log_start,
            .stable = -1,
            .oldest_ns = oldest_ns,
            .members = rows[i].members,
            .phase = rows[i].phase};
    struct lag_verdict verdict;
    lag_judge(points, count, &lag_rules_default, &verdict);
    return verdict;
}

struct lag_verdict
test_judge(const struct lag_series_row *rows, size_t count)
{
    return test_judge_at(rows, count, CLOCK_NONE);
}

void
assert_lag_state(const struct lag_verdict *verdict, enum lag_state state, const char *reason)
{
    if (verdict->state != state || strstr(verdict->reason, reason) == NULL)
        fail_msg("is %s, '%s'; wanted %s, '%s'", lag_state_text(verdict->state), verdict->reason,
            lag_state_text(state), reason);
}
