/* read_budget.h - at most so many bytes a second, on average.
 *
 * A bucket that fills with the time and holds what may be read in one second. Reading may overdraw it
 * by what came in one go; then nothing is read until that is paid back, so that the average holds.
 *
 * What is paid is what the other side sent, or what the events are when they are taken apart, whichever is more: headers,
 * framing and what is sent twice cost the cluster, and what was compressed costs us. Answers without events are paid
 * too, but never more than READ_BUDGET_WORST bytes for one of an event: asking thousands of partitions may cost more than the
 * budget is, and then the tap must still go on.
 *
 * Threads: one owns a budget.
 */
#ifndef COLLECTORS_READ_BUDGET_H
#define COLLECTORS_READ_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define READ_BUDGET_WORST 4u

/* `paid` is the larger of `events` and `wire`, as far as that is allowed. All three only grow. */
struct read_budget {
    uint64_t bytes_per_second; /* 0: no limit */
    double bytes;              /* what may be read now; negative: overdrawn */
    int64_t filled_ns;         /* monotonic: until when it was filled */
    uint64_t events;
    uint64_t wire;
    uint64_t paid;
};

/* Begin with an empty bucket. */
void read_budget_set(struct read_budget *budget, uint64_t bytes_per_second, int64_t now_ns);

static inline bool
read_budget_is_set(const struct read_budget *budget)
{
    return budget->bytes_per_second > 0;
}

/* How long nothing may be read, in nanoseconds; 0: go on. */
int64_t read_budget_wait(struct read_budget *budget, int64_t now_ns);

/* So much more was read: bytes of events, and what came over the wire meanwhile. */
void read_budget_spend(struct read_budget *budget, uint64_t events, uint64_t wire);

#endif
