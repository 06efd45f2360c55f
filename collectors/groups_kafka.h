/* groups_kafka.h - how far consumer groups have come: committed and end offsets, sampled.
 *
 * A sampler asks the broker every few seconds for what each watched group committed on each
 * partition of a stream, and where that partition begins and ends. It only asks: one client per
 * group carries the group's name, and never subscribes, joins or commits. No admin request is made.
 *
 * Unknown is -1, never 0: a group without a commit on a partition that holds events has an unknown
 * lag, because where it would begin is its own configuration.
 *
 * Threads: one of its own, started and ended here. The reading functions may be called from any
 * thread; they copy under a lock that is never held during a request.
 */
#ifndef COLLECTORS_GROUPS_KAFKA_H
#define COLLECTORS_GROUPS_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct groups_kafka;
struct live_group;
struct recorder_property;

/* One group on one topic. */
struct groups_kafka_watch {
    const char *group;
    const char *topic;
};

struct groups_kafka_options {
    const char *bootstrap; /* "host:9092,host2:9092" */
    const struct recorder_property *properties;
    size_t property_count;
    const struct groups_kafka_watch *watches;
    size_t watch_count;
    int interval_ms; /* between the starts of two samples; 0: 5000 */

    /* For rows of the live page: the tape whose streams they name, and the tap they belong to.
     * NULL: groups_kafka_rows() gives none. */
    const char *directory;
    const char *tap;
};

struct group_partition {
    int32_t partition;
    int64_t committed; /* next offset the group will read; -1: none or unknown */
    int64_t log_start; /* -1: unknown */
    int64_t end;       /* offset that the next event will get; -1: unknown */
};

/* What the newest sample says about one watch. Sums over partitions; -1 when one is unknown. */
struct group_reading {
    int64_t committed;
    int64_t end;
    int64_t lag;
    int64_t sampled_ns;      /* 0: never */
    int64_t last_advance_ns; /* when `committed` last grew; at the latest when it was first known */
    uint64_t samples;        /* that were attempted so far */
    size_t partition_count;
    char error[160]; /* why something is unknown, or "" */
};

/* Check the options, make the clients, start sampling at once.
 *
 * NULL with ERROR_CONFIG for a property that librdkafka refuses. A broker that does not answer is
 * not an error: readings stay unknown and say why. */
struct groups_kafka *groups_kafka_start(
    const struct groups_kafka_options *options, struct error *err);

/* Sample now instead of at the next turn; returns without waiting. */
void groups_kafka_hurry(struct groups_kafka *sampler);

/* Copy the newest reading of options.watches[watch]. */
void groups_kafka_read(struct groups_kafka *sampler, size_t watch, struct group_reading *reading);

/* Copy the partitions of that reading, at most `limit`; returns how many. */
size_t groups_kafka_partitions(
    struct groups_kafka *sampler, size_t watch, struct group_partition *partitions, size_t limit);

/* recorder_options.groups with the sampler as `self`: fill rows for the watches whose stream is on
 * the tape. Never waits for a request. */
uint32_t groups_kafka_rows(void *self, struct live_group *rows, uint32_t limit);

/* End the thread and the clients, free. A request that is under way ends within its time limit of
 * two seconds. NULL is allowed. */
void groups_kafka_stop(struct groups_kafka *sampler);

#endif
