/* lag_measure.h - the numbers of a verdict on one partition, out of its points.
 *
 * Lag, ages, rates, and how often the group changed its members: what was counted, before anybody says what
 * it means. A number that the points do not tell stays unknown, and a point without a commit or an end (an
 * outage of the sampling) counts neither as progress nor as standing.
 *
 * Nothing here can fail.  Threads: any; no state.
 */
#ifndef ANALYSIS_LAG_MEASURE_H
#define ANALYSIS_LAG_MEASURE_H

#include <stddef.h>
#include <stdint.h>

struct lag_point;
struct lag_rules;
struct lag_verdict;

/* Measure the points of one partition, oldest first (`count` 1 or more). `verdict` comes with all its numbers
 * unknown; those that the points tell are set, and its state and texts are left alone. */
void lag_measure(const struct lag_point *points, size_t count, const struct lag_rules *rules,
    struct lag_verdict *verdict);

/* How many seconds lie between two moments. */
double lag_seconds_between(int64_t from_ns, int64_t to_ns);

#endif
