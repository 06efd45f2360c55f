#include "demo/lag_watch.h"

#include "collectors/groups_kafka.h"

/* Put where the most events wait into `stall`. */
static void
find_worst(struct lag_stall *stall, const struct group_partition *partitions, size_t count)
{
    int64_t worst = -1;
    stall->next_offset = -1;
    for (size_t i = 0; i < count; i++) {
        const struct group_partition *at = &partitions[i];
        if (at->committed < 0 || at->end < 0 || at->end - at->committed <= worst)
            continue;
        worst = at->end - at->committed;
        stall->partition = at->partition;
        stall->next_offset = at->committed;
    }
}

void
lag_watch_add(struct lag_watch *watch, const struct group_reading *reading,
    const struct group_partition *partitions, size_t partition_count)
{
    if (reading->sampled_ns <= watch->sampled_ns || reading->lag < 0 || reading->committed < 0)
        return;
    watch->sampled_ns = reading->sampled_ns;

    bool has_advanced = reading->last_advance_ns != watch->advance_ns;
    watch->advance_ns = reading->last_advance_ns;
    if (reading->lag == 0) {
        watch->waiting_since_ns = 0;
        watch->longest.is_over = true;
        return;
    }
    if (has_advanced || watch->waiting_since_ns == 0) {
        watch->waiting_since_ns = reading->sampled_ns;
        watch->waiting_lag = reading->lag;
        watch->waiting_end = reading->end;
        watch->longest.is_over = true;
        return;
    }

    int64_t stood_ns = reading->sampled_ns - watch->waiting_since_ns;
    if (stood_ns < LAG_STALL_NS || reading->end <= watch->waiting_end)
        return;
    if (watch->counted_since_ns != watch->waiting_since_ns)
        watch->stall_count++;
    watch->counted_since_ns = watch->waiting_since_ns;
    struct lag_stall *longest = &watch->longest;
    if (stood_ns < longest->seen_ns - longest->begin_ns)
        return;
    *longest = (struct lag_stall){.begin_ns = watch->waiting_since_ns,
        .seen_ns = reading->sampled_ns,
        .first_lag = watch->waiting_lag,
        .last_lag = reading->lag};
    find_worst(longest, partitions, partition_count);
}

bool
lag_watch_stall(const struct lag_watch *watch, struct lag_stall *stall)
{
    if (watch->longest.seen_ns == 0)
        return false;
    *stall = watch->longest;
    stall->count = watch->stall_count;
    return true;
}
