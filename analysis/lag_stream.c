#include "analysis/lag_stream.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analysis/lag.h"
#include "analysis/lag_judge.h"
#include "base/clock.h"

#define BUSY_STALLS 8 /* a member may be busy with other partitions for so many times stall_ns */

/* --- partitions of one member -------------------------------------------------------------------- */

static bool
moves_far_behind(const struct lag_verdict *verdict, const struct lag_rules *rules)
{
    return verdict->out_rate > 0 && verdict->stood_ns < rules->stall_ns &&
           (verdict->seconds < 0 || verdict->seconds * (double)NS_PER_S >= (double)rules->stall_ns);
}

/* One of the member's partitions that it works on, or `count`. */
static size_t
find_moving(const struct lag_verdict *verdicts, const char *const *members, size_t count,
    const char *member, const struct lag_rules *rules)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i] != NULL && strcmp(members[i], member) == 0 &&
            moves_far_behind(&verdicts[i], rules))
            return i;
    }
    return count;
}

static void
excuse(struct lag_verdict *verdict)
{
    lag_verdict_say(verdict, LAG_WARN,
        "the commit has not moved for %.0f s, but its member works on other partitions",
        (double)verdict->stood_ns / (double)NS_PER_S);
    lag_verdict_advise(verdict,
        "a consumer takes one partition after the other: if this one is not its turn "
        "within minutes, tapedeck stuck shows the event");
}

/* It is one all the same, and whoever looks into it must know that its member is alive. */
static void
explain(struct lag_verdict *verdict, int32_t other)
{
    lag_verdict_say(verdict, LAG_STALL,
        "the commit has not moved for %.0f s, while %" PRId64
        " events wait; its member works on [%" PRId32 "] meanwhile",
        (double)verdict->stood_ns / (double)NS_PER_S, verdict->lag, other);
    lag_verdict_advise(verdict,
        "see whether an event of [%" PRId32
        "] takes long, since a consumer takes one partition after "
        "the other; tapedeck stuck shows the event that this one stands at",
        other);
}

void
lag_stream_judge_members(struct lag_verdict *verdicts, const int32_t *partitions,
    const char *const *members, size_t count, const struct lag_rules *rules)
{
    for (size_t i = 0; i < count; i++) {
        struct lag_verdict *verdict = &verdicts[i];
        if (verdict->state != LAG_STALL || members[i] == NULL)
            continue;
        size_t moving = find_moving(verdicts, members, count, members[i], rules);
        if (moving == count)
            continue;
        if (verdict->stood_ns / BUSY_STALLS >= rules->stall_ns)
            explain(verdict, partitions[moving]);
        else
            excuse(verdict);
    }
}

/* --- a stream out of its partitions ------------------------------------------------------------- */

static double
add_known(double sum, double part)
{
    return sum < 0 || part < 0 ? -1.0 : sum + part;
}

static void
add_up(struct lag_verdict *sum, const struct lag_verdict *part)
{
    sum->lag = sum->lag < 0 || part->lag < 0 ? -1 : sum->lag + part->lag;
    sum->in_rate = add_known(sum->in_rate, part->in_rate);
    sum->out_rate = add_known(sum->out_rate, part->out_rate);
    if (sum->seconds >= 0)
        sum->seconds =
            part->seconds < 0 || part->seconds > sum->seconds ? part->seconds : sum->seconds;
    if (sum->drain_seconds >= 0)
        sum->drain_seconds = part->drain_seconds < 0 || part->drain_seconds > sum->drain_seconds
                                 ? part->drain_seconds
                                 : sum->drain_seconds;
    if (part->retention_seconds >= 0 &&
        (sum->retention_seconds < 0 || part->retention_seconds < sum->retention_seconds))
        sum->retention_seconds = part->retention_seconds;
    if (part->stood_ns > sum->stood_ns)
        sum->stood_ns = part->stood_ns;
    /* Members are the group's, so its partitions tell of the same rebalances. */
    if (part->rebalances > sum->rebalances)
        sum->rebalances = part->rebalances;
    if (part->rebalanced_ns != CLOCK_NONE &&
        (sum->rebalanced_ns == CLOCK_NONE || part->rebalanced_ns > sum->rebalanced_ns))
        sum->rebalanced_ns = part->rebalanced_ns;
}

void
lag_stream_judge(const struct lag_verdict *verdicts, const int32_t *partitions, size_t count,
    struct lag_verdict *verdict)
{
    *verdict = (struct lag_verdict){.state = LAG_IDLE,
        .retention_seconds = -1.0,
        .again_from = -1,
        .again_to = -1,
        .rebalanced_ns = CLOCK_NONE};
    if (count == 0) {
        lag_judge(NULL, 0, &lag_rules_default, verdict);
        return;
    }
    size_t worst = 0;
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        add_up(verdict, &verdicts[i]);
        if (verdicts[i].state > verdicts[worst].state ||
            (verdicts[i].state == verdicts[worst].state && verdicts[i].lag > verdicts[worst].lag))
            worst = i;
    }
    for (size_t i = 0; i < count; i++)
        same += verdicts[i].state == verdicts[worst].state ? 1 : 0;

    const struct lag_verdict *at = &verdicts[worst];
    verdict->again_from = at->again_from;
    verdict->again_to = at->again_to;
    verdict->partition = partitions[worst];
    (void)snprintf(verdict->next, sizeof(verdict->next), "%s", at->next);
    if (at->state <= LAG_OK && same == count)
        lag_verdict_say(verdict, at->state, "%s", at->reason);
    else if (same > 1)
        lag_verdict_say(verdict, at->state, "[%" PRId32 "]: %.180s (%zu of %zu partitions)",
            partitions[worst], at->reason, same, count);
    else
        lag_verdict_say(verdict, at->state, "[%" PRId32 "]: %.200s", partitions[worst], at->reason);
}

static void
append(char *text, size_t size, const char *more)
{
    size_t length = strlen(text);
    (void)snprintf(text + length, size - length, "%s", more);
}

void
lag_stream_tell_idle(struct lag_verdict *verdict, int32_t idle, int32_t members)
{
    bool is_behind = verdict->state == LAG_SLOW || (verdict->state == LAG_WARN && verdict->lag > 0);
    if (idle <= 0 || !is_behind)
        return;
    char text[64];
    (void)snprintf(text, sizeof(text), "; %" PRId32 " of %" PRId32 " members have no partition",
        idle, members);
    append(verdict->reason, sizeof(verdict->reason), text);
    append(verdict->next, sizeof(verdict->next),
        "; one more member would have no partition either: the topic needs more of them");
}
