/* lag_stream.h - the verdict on a group's stream, out of those on its partitions.
 *
 * What one partition's points cannot tell: that a member has others to work on, and which of many partitions
 * asks for attention. Verdicts go in, points are not looked at again; a sum with an unknown part is unknown.
 *
 * Nothing here can fail.  Threads: any; no state.
 */
#ifndef ANALYSIS_LAG_STREAM_H
#define ANALYSIS_LAG_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct lag_rules;
struct lag_verdict;

/* Consumers read a bit of one partition after the other, so that behind a backlog each of them stands for a
 * while. A STALL whose member moves on in another partition, where it is that far behind too, is a WARN until
 * it has stood for eight times rules->stall_ns, and then a STALL that says so. members[i] reads partitions[i]; NULL:
 * nobody is known to. */
void lag_stream_judge_members(struct lag_verdict *verdicts, const int32_t *partitions,
    const char *const *members, size_t count, const struct lag_rules *rules);

/* The verdict on a group's stream out of those on its partitions: the state that asks for most
 * attention with the partition that is in it, sums of events and rates (unknown when one is), the
 * greatest age, and the drain of the partition that drains last: one hot partition is not hidden by
 * many idle ones. */
void lag_stream_judge(const struct lag_verdict *verdicts, const int32_t *partitions, size_t count,
    struct lag_verdict *verdict);

/* Where the group is behind and reads, say that `idle` of its members have no partition: more members are no help
 * then. Nothing is said of one that keeps up, and when `idle` is 0. */
void lag_stream_tell_idle(struct lag_verdict *verdict, int32_t idle, int32_t members);

#endif
