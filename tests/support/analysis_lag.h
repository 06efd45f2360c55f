/* analysis_lag.h - a recorded series, one row per sample, as a broker gave them, and what is said of it. */
#ifndef TESTS_SUPPORT_ANALYSIS_LAG_H
#define TESTS_SUPPORT_ANALYSIS_LAG_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/lag.h"
#include "base/clock.h"

/* Of second 0. */
#define LAG_START_NS (INT64_C(1795530000) * NS_PER_S)

/* What a row says; the rest is a member's ordinary life. */
struct lag_series_row {
    int second;
    int64_t committed;
    int64_t end;
    int64_t log_start;
    int32_t members;
    enum lag_phase phase;
};

/* The verdict on up to 64 rows by the rules that a recorder has; the second where the oldest event that waits has a
 * time. */
struct lag_verdict test_judge(const struct lag_series_row *rows, size_t count);
struct lag_verdict test_judge_at(
    const struct lag_series_row *rows, size_t count, int64_t oldest_ns);

/* The verdict is this state, and `reason` is in its reason. */
void assert_lag_state(const struct lag_verdict *verdict, enum lag_state state, const char *reason);

#endif
