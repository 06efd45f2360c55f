/* lag_watch.h - whether a consumer group stood still while events arrived for it.
 *
 * Judges from samples alone: a stall is events waiting, and more arriving, while the sum of the
 * committed offsets does not grow.  Threads: one owner.
 */
#ifndef DEMO_LAG_WATCH_H
#define DEMO_LAG_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct group_partition;
struct group_reading;

/* Standing still for less than this is no stall: groups commit in steps. */
#define LAG_STALL_NS (INT64_C(2500) * 1000000)

struct lag_stall {
    int64_t begin_ns; /* first sample in which events waited and nothing moved after it */
    int64_t seen_ns;  /* last sample in which that was still so */
    int64_t first_lag;
    int64_t last_lag;
    int32_t partition;   /* where most events waited */
    int64_t next_offset; /* the event there that the group did not come to; -1: unknown */
    bool is_over;        /* the group went on afterwards */
    uint64_t count;      /* stalls of this group so far; this is the longest */
};

/* One group on one stream; zero-initialise it. */
struct lag_watch {
    int64_t sampled_ns;
    int64_t advance_ns;
    int64_t waiting_since_ns; /* 0: nothing waits */
    int64_t waiting_lag;
    int64_t waiting_end;
    int64_t counted_since_ns; /* the waiting_since_ns of the stall that was counted last */
    uint64_t stall_count;
    struct lag_stall longest; /* seen_ns 0: none */
};

/* Take in a sample. One that was seen before, or that holds something unknown, says nothing. */
void lag_watch_add(struct lag_watch *watch, const struct group_reading *reading,
    const struct group_partition *partitions, size_t partition_count);

/* The longest stall so far, or false. */
bool lag_watch_stall(const struct lag_watch *watch, struct lag_stall *stall);

#endif
