/* lag_judge.h - the verdict on one partition of a consumer group, by its points.
 *
 * Pure data: points in time go in, a verdict comes out. Rules count time, not commits, so that a group
 * that commits once a minute is judged like one that commits always; lag is always that of the moment of the
 * sample; a quiet topic makes no points of its own; and a rewind is never hidden by a lag of 0.
 *
 * What cannot be known yet is LAG_UNKNOWN with a reason, never a guess; nothing here can fail.  Threads: any;
 * no state.
 */
#ifndef ANALYSIS_LAG_JUDGE_H
#define ANALYSIS_LAG_JUDGE_H

#include <stddef.h>

struct lag_point;
struct lag_rules;
struct lag_verdict;

/* Judge one partition by its points, oldest first (`count` may be 0). */
void lag_judge(const struct lag_point *points, size_t count, const struct lag_rules *rules,
    struct lag_verdict *verdict);

#endif
