/* groups_times.h - how old the oldest event is that a group has not committed, for groups_broker.
 *
 * The event at each commit with events behind it is looked up: in what the last sample learnt, where the
 * caller may know it, else on the broker. Most groups that stand still stand where they stood, so little
 * is read twice. Memory: one place for each lane of the last sample.
 * Threads: one owner.
 */
#ifndef COLLECTORS_GROUPS_TIMES_H
#define COLLECTORS_GROUPS_TIMES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct groups_sample;
struct groups_want;

/* A struct of zeros knows nothing. */
struct groups_times {
    /* The caller's: true with *time_ns and *offset of the first event at or behind `from`, where that is
     * known without asking a broker. May be NULL. */
    bool (*known_time)(void *self, const char *topic, int32_t partition, int64_t from,
        int64_t *time_ns, int64_t *offset);
    void *known_self;
    struct groups_want *learnt; /* by the last sample, sorted */
    size_t learnt_count;
    char **topics; /* what their topics point to */
};

/* Fill oldest_ns, oldest_offset and nothing_waits of the sample's lanes until the monotonic deadline, or
 * until *is_cancelled (NULL: never); what has no answer by then stays unknown. */
void groups_times_read(struct groups_times *times, rd_kafka_t *client, struct groups_sample *sample,
    int64_t deadline_ns, const atomic_bool *is_cancelled);

void groups_times_done(struct groups_times *times);

#endif
