#include "analysis/lag_measure.h"

#include <assert.h>
#include <stdbool.h>

#include "analysis/lag.h"
#include "base/clock.h"

/* The points of one partition, oldest first; there is a last one. */
struct series {
    const struct lag_point *points;
    size_t count;
    const struct lag_rules *rules;
    const struct lag_point *last;
};

double
lag_seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / (double)NS_PER_S;
}

/* The first of the points that rates are made of: the one that the time of rates begins at or behind. */
static size_t
first_for_rates(const struct series *series)
{
    size_t first = series->count - 1;
    if (series->rules->rate_ns == 0)
        return 0;
    while (first > 0 && series->last->at_ns - series->points[first].at_ns < series->rules->rate_ns)
        first--;
    return first;
}

/* Growth per second of what `value` reads, over the points where it is known. Going back counts as
 * standing: a rewind is not a negative rate. Negative: unknown. */
static double
rate_of(const struct series *series, int64_t (*value)(const struct lag_point *point))
{
    int64_t grown = 0;
    int64_t before = -1;
    int64_t first_ns = 0;
    int64_t last_ns = 0;
    for (size_t i = first_for_rates(series); i < series->count; i++) {
        int64_t now = value(&series->points[i]);
        if (now < 0)
            continue;
        if (before < 0)
            first_ns = series->points[i].at_ns;
        else if (now > before)
            grown += now - before;
        before = now;
        last_ns = series->points[i].at_ns;
    }
    return last_ns > first_ns ? (double)grown / lag_seconds_between(first_ns, last_ns) : -1.0;
}

static int64_t
end_of(const struct lag_point *point)
{
    return point->end;
}

static int64_t
committed_of(const struct lag_point *point)
{
    return point->committed;
}

static int64_t
log_start_of(const struct lag_point *point)
{
    return point->log_start;
}

static void
measure_retention(const struct series *series, struct lag_verdict *verdict)
{
    const struct lag_point *last = series->last;
    if (last->committed < 0 || last->log_start < 0 || verdict->lag <= 0)
        return;
    double deleted = rate_of(series, log_start_of);
    double distance = (double)(last->committed - last->log_start);
    double closing = deleted - (verdict->out_rate > 0 ? verdict->out_rate : 0.0);
    if (deleted > 0 && closing > 0 && distance >= 0)
        verdict->retention_seconds = distance / closing;
}

/* Members that change are a rebalance, also when it was over before the next sample. One that lasts
 * over several points is one. */
static void
count_rebalances(const struct series *series, struct lag_verdict *verdict)
{
    int32_t members = -1;
    bool is_inside = false;
    for (size_t i = 0; i < series->count; i++) {
        const struct lag_point *point = &series->points[i];
        bool is_now = point->phase == LAG_PHASE_REBALANCING;
        bool has_changed = point->members >= 0 && members >= 0 && point->members != members;
        if ((is_now || has_changed) && !is_inside) {
            verdict->rebalances++;
            verdict->rebalanced_ns = point->at_ns;
        }
        if (point->phase != LAG_PHASE_UNKNOWN)
            is_inside = is_now;
        if (point->members >= 0)
            members = point->members;
    }
}

/* Since when there is something to do that is not done. */
static void
measure_standing(const struct series *series, struct lag_verdict *verdict)
{
    const struct lag_point *last = series->last;
    int64_t since_ns = last->at_ns;
    for (size_t i = series->count; i-- > 0;) {
        const struct lag_point *point = &series->points[i];
        if (point->committed < 0 || point->end < 0)
            continue; /* an outage of the sampling is no progress */
        if (point->committed != last->committed || !lag_point_waits(point))
            break;
        since_ns = point->at_ns;
    }
    verdict->stood_ns = lag_point_waits(last) ? last->at_ns - since_ns : 0;
}

void
lag_measure(const struct lag_point *points, size_t count, const struct lag_rules *rules,
    struct lag_verdict *verdict)
{
    assert(count > 0);
    const struct lag_point *last = &points[count - 1];
    struct series series = {.points = points, .count = count, .rules = rules, .last = last};
    verdict->lag = lag_point_events(last);
    if (verdict->lag >= 0 && !lag_point_waits(last))
        verdict->seconds = 0.0;
    else if (last->oldest_ns != CLOCK_NONE)
        verdict->seconds =
            last->oldest_ns > last->at_ns ? 0.0 : lag_seconds_between(last->oldest_ns, last->at_ns);
    verdict->in_rate = rate_of(&series, end_of);
    verdict->out_rate = rate_of(&series, committed_of);
    if (verdict->lag >= 0 && !lag_point_waits(last))
        verdict->drain_seconds = 0.0;
    else if (verdict->lag > 0 && verdict->in_rate >= 0 && verdict->out_rate > verdict->in_rate)
        verdict->drain_seconds = (double)verdict->lag / (verdict->out_rate - verdict->in_rate);
    measure_standing(&series, verdict);
    measure_retention(&series, verdict);
    count_rebalances(&series, verdict);
}
