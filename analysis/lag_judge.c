#include "analysis/lag_judge.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analysis/lag.h"
#include "analysis/lag_measure.h"
#include "base/clock.h"

/* Fewer points than these say nothing about a direction. */
#define WARN_POINTS 3
#define SLOW_POINTS 6

#define COMMIT_SECONDS 5.0 /* from one commit to the next, unless a client is told otherwise */

/* The points of one partition and what was found in them on the way. */
struct judge {
    const struct lag_point *points;
    size_t count;
    const struct lag_rules *rules;
    const struct lag_point *last;
    struct lag_verdict *verdict;
};

/* --- the commit went back, or too far ----------------------------------------------------------- */

static const char *
who_went_back(const struct lag_point *before, const struct lag_point *after)
{
    if (before->end >= 0 && after->end >= 0 && after->end < before->end)
        return "the log itself got shorter: the topic was made anew, or its end was lost";
    if (after->log_start > before->committed)
        return "events were deleted before they were read";
    if (before->phase == LAG_PHASE_EMPTY || after->phase == LAG_PHASE_EMPTY)
        return "the group had no member: somebody reset its offsets";
    if (after->log_start >= 0 && after->committed == after->log_start)
        return "to the beginning of the log: a reset to earliest, by hand or by auto.offset.reset";
    if (before->members >= 0 && after->members >= 0 && before->members != after->members)
        return "its members changed: a rebalance lost commits";
    if (before->phase == LAG_PHASE_REBALANCING || after->phase == LAG_PHASE_REBALANCING)
        return "during a rebalance: commits were lost in it";
    return "by a member, or by somebody who reset its offsets between two samples";
}

static bool
is_rewind(const struct lag_point *before, const struct lag_point *after)
{
    return after->committed < before->committed;
}

/* Without a member nobody reads, so a commit that moves was set; and what retention deleted
 * behind a commit that then moves on was never read. */
static bool
is_jump(const struct lag_point *before, const struct lag_point *after)
{
    if (after->committed <= before->committed)
        return false;
    bool nobody = before->phase == LAG_PHASE_EMPTY && after->phase == LAG_PHASE_EMPTY;
    bool deleted = after->log_start > before->committed && after->committed >= after->log_start;
    return nobody || deleted;
}

/* The newest pair of neighbours (of known commits) of which `is` is true. */
static bool
find_step(const struct judge *judge,
    bool (*is)(const struct lag_point *before, const struct lag_point *after),
    const struct lag_point **before, const struct lag_point **after)
{
    const struct lag_point *newer = NULL;
    for (size_t i = judge->count; i-- > 0;) {
        const struct lag_point *point = &judge->points[i];
        if (point->committed < 0)
            continue;
        if (newer != NULL && is(point, newer)) {
            *before = point;
            *after = newer;
            return true;
        }
        newer = point;
    }
    return false;
}

/* A jump behind the rewind is told with it: what runs again comes first. */
static void
say_jump_since(const struct judge *judge, const struct lag_point *rewind, char *text, size_t size)
{
    const struct lag_point *before;
    const struct lag_point *after;
    text[0] = '\0';
    if (find_step(judge, is_jump, &before, &after) && before->at_ns >= rewind->at_ns)
        (void)snprintf(text, size, "; then it jumped from @%" PRId64 " to @%" PRId64,
            before->committed, after->committed);
}

static bool
judge_rewind(struct judge *judge)
{
    const struct lag_point *before;
    const struct lag_point *after;
    if (!find_step(judge, is_rewind, &before, &after))
        return false;
    bool is_over = judge->last->committed >= before->committed;
    if (is_over && judge->last->at_ns - after->at_ns > judge->rules->shown_ns)
        return false;
    struct lag_verdict *verdict = judge->verdict;
    char when[CLOCK_TEXT_MAX];
    char jump[96];
    say_jump_since(judge, after, jump, sizeof(jump));
    verdict->again_from = after->committed;
    verdict->again_to = before->committed;
    lag_verdict_say(verdict, LAG_REWIND,
        "went back from @%" PRId64 " to @%" PRId64 " at %s: up to %" PRId64 " events %s; %s%s",
        before->committed, after->committed, clock_format_time(after->at_ns, 0, when),
        before->committed - after->committed, is_over ? "ran again" : "run again",
        who_went_back(before, after), jump);
    lag_verdict_advise(
        verdict, "see which events they are, and whether running them twice does harm");
    return true;
}

static bool
judge_jump(struct judge *judge)
{
    const struct lag_point *last = judge->last;
    struct lag_verdict *verdict = judge->verdict;
    if (last->committed >= 0 && last->end >= 0 && last->committed > last->end) {
        lag_verdict_say(verdict, LAG_JUMP,
            "the commit @%" PRId64 " is %" PRId64 " offsets past the end @%" PRId64
            " of the log: the topic was made anew, or its end was lost",
            last->committed, last->committed - last->end, last->end);
        lag_verdict_advise(verdict,
            "reset the offset: a consumer that starts now goes by its "
            "auto.offset.reset, and may read all again or skip what is there; one that "
            "starts when the end has come to the commit skips what is before it");
        return true;
    }
    const struct lag_point *before;
    const struct lag_point *after;
    if (!find_step(judge, is_jump, &before, &after) ||
        last->at_ns - after->at_ns > judge->rules->shown_ns)
        return false;
    bool deleted = after->log_start > before->committed;
    char when[CLOCK_TEXT_MAX];
    verdict->again_from = before->committed;
    verdict->again_to = deleted ? after->log_start : after->committed;
    if (deleted)
        lag_verdict_say(verdict, LAG_JUMP,
            "went from @%" PRId64 " to @%" PRId64 " at %s over events that were deleted unread",
            before->committed, after->committed, clock_format_time(after->at_ns, 0, when));
    else
        lag_verdict_say(verdict, LAG_JUMP,
            "went from @%" PRId64 " to @%" PRId64
            " at %s while no member was seen: somebody set it, and nobody read what is between, "
            "unless one came and went within %.0f s",
            before->committed, after->committed, clock_format_time(after->at_ns, 0, when),
            lag_seconds_between(before->at_ns, after->at_ns));
    lag_verdict_advise(verdict, "if they are needed, replay what was passed over");
    return true;
}

/* --- the states of a commit that goes forward or stands ----------------------------------------- */

static void
judge_nothing_waits(struct judge *judge)
{
    const struct lag_point *last = judge->last;
    int64_t quiet_since_ns = last->at_ns;
    for (size_t i = judge->count; i-- > 0;) {
        if (judge->points[i].end >= 0 && judge->points[i].end != last->end)
            break;
        quiet_since_ns = judge->points[i].at_ns;
    }
    if (last->at_ns - quiet_since_ns >= judge->rules->idle_ns)
        lag_verdict_say(judge->verdict, LAG_IDLE, "nothing waits, and no event came for %.0f s",
            lag_seconds_between(quiet_since_ns, last->at_ns));
    else
        lag_verdict_say(judge->verdict, LAG_OK, "nothing waits");
}

static bool
judge_loss(struct judge *judge)
{
    const struct lag_point *last = judge->last;
    struct lag_verdict *verdict = judge->verdict;
    if (last->log_start >= 0 && last->committed < last->log_start) {
        lag_verdict_say(verdict, LAG_WARN,
            "%" PRId64 " events behind its commit @%" PRId64
            " are deleted: the log begins at @%" PRId64,
            last->log_start - last->committed, last->committed, last->log_start);
        lag_verdict_advise(verdict,
            "auto.offset.reset decides where it goes on; replay what was deleted "
            "unread from a tape");
        return true;
    }
    if (verdict->retention_seconds >= 0 &&
        verdict->retention_seconds * (double)NS_PER_S < (double)judge->rules->retention_ns) {
        lag_verdict_say(verdict, LAG_WARN,
            "retention comes nearer than it goes on: events are deleted unread in about %.0f s",
            verdict->retention_seconds);
        lag_verdict_advise(verdict, "raise the topic's retention now; more consumers help only "
                                    "while there are partitions for them");
        return true;
    }
    return false;
}

static const char *
ordinal_ending(int32_t number)
{
    if (number % 100 >= 11 && number % 100 <= 13)
        return "th";
    return number % 10 == 1 ? "st" : number % 10 == 2 ? "nd" : number % 10 == 3 ? "rd" : "th";
}

/* How long the members have been between two assignments, as far as the points tell. */
static int64_t
rebalancing_ns(const struct judge *judge)
{
    int64_t since_ns = judge->last->at_ns;
    for (size_t i = judge->count; i-- > 0;) {
        const struct lag_point *point = &judge->points[i];
        if (point->phase == LAG_PHASE_UNKNOWN)
            continue;
        if (point->phase != LAG_PHASE_REBALANCING)
            break;
        since_ns = point->at_ns;
    }
    return judge->last->at_ns - since_ns;
}

static bool
judge_rebalancing(struct judge *judge)
{
    if (judge->last->phase != LAG_PHASE_REBALANCING)
        return false;
    struct lag_verdict *verdict = judge->verdict;
    int64_t lasts_ns = rebalancing_ns(judge);
    lag_verdict_say(verdict, LAG_REBALANCING,
        "its members are being given partitions anew, for %.0f s now, the %" PRId32
        "%s time in %.0f s",
        (double)lasts_ns / (double)NS_PER_S, verdict->rebalances,
        ordinal_ending(verdict->rebalances),
        lag_seconds_between(judge->points[0].at_ns, judge->last->at_ns));
    lag_verdict_advise(verdict, "%s",
        lasts_ns >= judge->rules->stall_ns
            ? "one of its members does not poll, and all wait for it until its "
              "max.poll.interval.ms is over: look for one that hangs in an event"
            : "if it lasts, a member does not poll; if it comes again and again, one leaves and "
              "comes back");
    return true;
}

static const char *
waits(int64_t events)
{
    return events == 1 ? "event waits" : "events wait";
}

/* How often a member came while the commit stood, so went again and had committed nothing. */
static int32_t
count_fruitless(const struct judge *judge)
{
    int32_t count = 0;
    int32_t before = -1;
    for (size_t i = 0; i < judge->count; i++) {
        const struct lag_point *point = &judge->points[i];
        if (point->members < 0 || judge->last->at_ns - point->at_ns > judge->verdict->stood_ns)
            continue;
        if (before == 0 && point->members > 0)
            count++;
        before = point->members;
    }
    return count;
}

/* Nobody is there and events wait. Of a group whose consumers never join, only time tells. */
static bool
judge_stop(struct judge *judge)
{
    const struct lag_point *last = judge->last;
    bool is_empty = last->phase == LAG_PHASE_EMPTY;
    if (!is_empty && last->phase != LAG_PHASE_SIMPLE)
        return false;
    if (!is_empty && judge->verdict->stood_ns < judge->rules->stall_ns)
        return false;
    int32_t fruitless = count_fruitless(judge);
    if (fruitless > 0) {
        lag_verdict_say(judge->verdict, LAG_STOP,
            "it has no member now, %" PRId32
            " time%s in %.0f s one came and went without a commit, and %" PRId64
            " events wait behind @%" PRId64,
            fruitless, fruitless == 1 ? "" : "s",
            (double)judge->verdict->stood_ns / (double)NS_PER_S, judge->verdict->lag,
            last->committed);
        lag_verdict_advise(judge->verdict,
            "a consumer that ends at an event and is started again does that: tapedeck stuck shows "
            "the event it stands at");
        return true;
    }
    lag_verdict_say(judge->verdict, LAG_STOP, "%s, and %" PRId64 " %s behind @%" PRId64,
        is_empty ? "it has no member" : "it has no member that joins, its commit stands still",
        judge->verdict->lag, waits(judge->verdict->lag), last->committed);
    lag_verdict_advise(
        judge->verdict, "start its consumers; if it is not used any more, delete the group");
    return true;
}

/* Who reads committed events only is given none behind the beginning of a transaction that is open. */
static bool
waits_for_transaction(const struct lag_point *point)
{
    return point->stable >= 0 && point->stable < point->end && point->committed >= point->stable;
}

static bool
judge_stall(struct judge *judge)
{
    const struct lag_point *last = judge->last;
    if (judge->verdict->stood_ns < judge->rules->stall_ns)
        return false;
    if (waits_for_transaction(last)) {
        lag_verdict_say(judge->verdict, LAG_STALL,
            "the commit @%" PRId64
            " has not moved for %.0f s: a transaction that began at @%" PRId64
            " is open, and %" PRId64 " events wait for its end",
            last->committed, (double)judge->verdict->stood_ns / (double)NS_PER_S, last->stable,
            judge->verdict->lag);
        lag_verdict_advise(judge->verdict,
            "no consumer of committed events can go on before its producer commits or aborts it: "
            "kafka-transactions find-hanging names it, and can abort it");
        return true;
    }
    lag_verdict_say(judge->verdict, LAG_STALL,
        "the commit @%" PRId64 " has not moved for %.0f s, while %" PRId64 " %s", last->committed,
        (double)judge->verdict->stood_ns / (double)NS_PER_S, judge->verdict->lag,
        waits(judge->verdict->lag));
    lag_verdict_advise(
        judge->verdict, "tapedeck stuck shows the event it stands at, beside the last good one");
    return true;
}

static bool
has_moved(const struct judge *judge)
{
    for (size_t i = 0; i < judge->count; i++)
        if (judge->points[i].committed >= 0 && judge->points[i].committed < judge->last->committed)
            return true;
    return false;
}

/* Least or greatest lag in points [from, to), those where it is known. */
static int64_t
extreme_lag(const struct judge *judge, size_t from, size_t to, bool greatest)
{
    int64_t extreme = -1;
    for (size_t i = from; i < to; i++) {
        int64_t lag = lag_point_events(&judge->points[i]);
        if (lag >= 0 && (extreme < 0 || (greatest ? lag > extreme : lag < extreme)))
            extreme = lag;
    }
    return extreme;
}

/* Clear growth: the best moment of the newest third is worse than the worst of the oldest one, by more than what
 * comes between two commits of one who keeps up: where a sample falls between them is chance. A burst that is being
 * worked off does not look like that. */
static bool
judge_slow(struct judge *judge)
{
    size_t count = judge->count;
    if (count < SLOW_POINTS || judge->last->at_ns - judge->points[0].at_ns < judge->rules->slow_ns)
        return false;
    int64_t old = extreme_lag(judge, 0, count / 3, true);
    int64_t new = extreme_lag(judge, count - count / 3, count, false);
    double chance = judge->verdict->in_rate > 0 ? judge->verdict->in_rate * COMMIT_SECONDS : 0.0;
    if (old < 0 || (double)(new - old) <= chance)
        return false;
    lag_verdict_say(judge->verdict, LAG_SLOW,
        "lag grew from %" PRId64 " to %" PRId64 " events in %.0f s: %.1f/s come, %.1f/s are done",
        old, judge->verdict->lag, lag_seconds_between(judge->points[0].at_ns, judge->last->at_ns),
        judge->verdict->in_rate, judge->verdict->out_rate);
    lag_verdict_advise(judge->verdict,
        "look at which keys fill this partition (tapedeck search), and at how "
        "long one event takes");
    return true;
}

static bool
judge_warn(struct judge *judge)
{
    if (judge->count < WARN_POINTS ||
        judge->last->at_ns - judge->points[0].at_ns < judge->rules->warn_ns)
        return false;
    int64_t first = -1;
    int64_t before = -1;
    for (size_t i = 0; i < judge->count; i++) {
        int64_t lag = lag_point_events(&judge->points[i]);
        if (lag < 0)
            continue;
        if (lag < before)
            return false;
        first = first < 0 ? lag : first;
        before = lag;
    }
    if (before <= first)
        return false;
    lag_verdict_say(judge->verdict, LAG_WARN,
        "commits advance, but lag never fell in %.0f s: %" PRId64 " events, then %" PRId64,
        lag_seconds_between(judge->points[0].at_ns, judge->last->at_ns), first, before);
    lag_verdict_advise(judge->verdict, "watch whether it goes on: tapedeck lag with more samples");
    return true;
}

/* It was not seen to move, and not for long enough to be a stall. What waits may tell that it cannot be one: it
 * would have to be that old. */
static void
judge_standing(struct judge *judge)
{
    struct lag_verdict *verdict = judge->verdict;
    double stall_seconds = (double)judge->rules->stall_ns / (double)NS_PER_S;
    if (verdict->seconds >= 0 && verdict->seconds < stall_seconds) {
        lag_verdict_say(
            verdict, LAG_OK, "the oldest event that waits came %.1f s ago", verdict->seconds);
        return;
    }
    if (judge->count == 1)
        lag_verdict_say(verdict, LAG_UNKNOWN, "one sample cannot tell standing from moving");
    else
        lag_verdict_say(verdict, LAG_UNKNOWN,
            "the commit has not moved for %.0f s; that is a stall only after %.0f s",
            (double)verdict->stood_ns / (double)NS_PER_S, stall_seconds);
    lag_verdict_advise(
        verdict, "look for longer, the next samples tell: tapedeck lag --samples 5 --interval 5");
}

static void
judge_moving(struct judge *judge)
{
    struct lag_verdict *verdict = judge->verdict;
    if (!has_moved(judge)) {
        judge_standing(judge);
        return;
    }
    if (judge_slow(judge) || judge_warn(judge))
        return;
    if (verdict->drain_seconds >= 0)
        lag_verdict_say(verdict, LAG_OK, "lag falls");
    else
        lag_verdict_say(verdict, LAG_OK, "commits advance");
}

/* What is known of a partition on which the group has no commit. */
struct uncommitted {
    int64_t
        since_ns; /* a member was there, and nothing was committed since; CLOCK_NONE: none was */
    int64_t came; /* events, meanwhile */
};

static struct uncommitted
look_at_uncommitted(const struct judge *judge)
{
    const struct lag_point *first = NULL;
    for (size_t i = judge->count; i-- > 0;) {
        const struct lag_point *point = &judge->points[i];
        if (point->end < 0 || point->commit_unknown)
            continue;
        if (point->committed >= 0)
            break;
        if (point->members > 0)
            first = point;
    }
    if (first == NULL)
        return (struct uncommitted){.since_ns = CLOCK_NONE};
    return (struct uncommitted){.since_ns = first->at_ns, .came = judge->last->end - first->end};
}

static bool
is_fruitless(const struct judge *judge, const struct uncommitted *seen)
{
    return seen->since_ns != CLOCK_NONE && seen->came > 0 &&
           judge->last->at_ns - seen->since_ns >= judge->rules->stall_ns;
}

/* Whether it hangs or comes and goes is seen in its members; a consumer that was just let go is one change. */
static void
say_fruitless(struct judge *judge, const struct uncommitted *seen)
{
    struct lag_verdict *verdict = judge->verdict;
    const char *events = seen->came == 1 ? "event" : "events";
    double seconds = lag_seconds_between(seen->since_ns, judge->last->at_ns);
    if (verdict->rebalances > 1) {
        lag_verdict_say(verdict, LAG_WARN,
            "its members changed %" PRId32
            " times in %.0f s and committed nothing here, while %" PRId64 " %s came%s",
            verdict->rebalances, seconds, seen->came, events,
            judge->last->members == 0 ? "; now there is none" : "");
        lag_verdict_advise(verdict, "a consumer that ends in the first event that it reads and is "
                                    "started again does that: look at the consumer's log");
        return;
    }
    if (judge->last->members == 0)
        lag_verdict_say(verdict, LAG_WARN,
            "it has no member now, and in %.0f s none committed anything here, while %" PRId64
            " %s came",
            seconds, seen->came, events);
    else
        lag_verdict_say(verdict, LAG_WARN,
            "its member has committed nothing here for %.0f s, while %" PRId64 " %s came", seconds,
            seen->came, events);
    lag_verdict_advise(verdict, "it hangs or ends in the first event that it reads, or keeps "
                                "its offsets elsewhere: look at "
                                "the consumer's log");
}

/* Where it begins, and so what waits for it, is in its own settings. */
static void
say_uncommitted(struct judge *judge, const struct uncommitted *seen)
{
    struct lag_verdict *verdict = judge->verdict;
    lag_verdict_say(verdict, LAG_UNKNOWN,
        "the group has no commit here: where it begins is its own auto.offset.reset");
    if (judge->last->members == 0)
        lag_verdict_advise(verdict, "it has no member now: if its consumer should run, look at its "
                                    "log; it ended before its first commit");
    else if (seen->since_ns == CLOCK_NONE)
        return;
    else if (judge->last->at_ns - seen->since_ns < judge->rules->stall_ns)
        lag_verdict_advise(verdict, "its member has just begun, or hangs or ends before it "
                                    "commits: the next samples tell: "
                                    "tapedeck lag --samples 5 --interval 5");
    else
        lag_verdict_advise(verdict, "no event came since its member is watched: if it should have "
                                    "read what was there before, look at its log");
}

/* Without a commit nobody knows where it is; that it does not get on can be known all the same. */
static void
judge_uncommitted(struct judge *judge)
{
    const struct lag_point *last = judge->last;
    struct lag_verdict *verdict = judge->verdict;
    struct uncommitted seen = look_at_uncommitted(judge);
    if (last->commit_unknown) {
        lag_verdict_say(verdict, LAG_UNKNOWN, "what it has committed is not known");
        lag_verdict_advise(verdict,
            "see whether its coordinator is there, and whether this login may describe it");
    } else if (last->end == last->log_start) {
        verdict->lag = 0;
        verdict->seconds = 0.0;
        lag_verdict_say(
            verdict, LAG_IDLE, "the partition holds no event, and the group has no commit on it");
    } else if (is_fruitless(judge, &seen)) {
        say_fruitless(judge, &seen);
    } else {
        say_uncommitted(judge, &seen);
    }
}

static bool
judge_unknown(struct judge *judge)
{
    const struct lag_point *last = judge->last;
    struct lag_verdict *verdict = judge->verdict;
    if (last->end < 0) {
        lag_verdict_say(verdict, LAG_UNKNOWN, "where the partition ends is not known");
        lag_verdict_advise(verdict, "see whether its leader is there");
        return true;
    }
    if (last->committed >= 0)
        return false;
    if (!judge_rebalancing(judge))
        judge_uncommitted(judge);
    return true;
}

void
lag_judge(const struct lag_point *points, size_t count, const struct lag_rules *rules,
    struct lag_verdict *verdict)
{
    *verdict = (struct lag_verdict){.state = LAG_UNKNOWN,
        .lag = -1,
        .seconds = -1.0,
        .in_rate = -1.0,
        .out_rate = -1.0,
        .drain_seconds = -1.0,
        .retention_seconds = -1.0,
        .again_from = -1,
        .again_to = -1,
        .rebalanced_ns = CLOCK_NONE,
        .partition = -1};
    if (count == 0) {
        lag_verdict_say(verdict, LAG_UNKNOWN, "no sample yet");
        return;
    }
    struct judge judge = {.points = points,
        .count = count,
        .rules = rules,
        .last = &points[count - 1],
        .verdict = verdict};
    lag_measure(points, count, rules, verdict);
    if (judge_unknown(&judge) || judge_rewind(&judge) || judge_jump(&judge))
        return;
    if (judge_rebalancing(&judge) || judge_loss(&judge))
        return;
    if (!lag_point_waits(judge.last))
        judge_nothing_waits(&judge);
    else if (!judge_stop(&judge) && !judge_stall(&judge))
        judge_moving(&judge);
}
