/* read_budget.h - at most so many bytes a second, on average.
 *
 * A bucket that fills with the time and holds what may be read in one second. Reading may overdraw it
 * by what came in one go; then nothing is read until that is paid back, so that the average holds.
 *
 * Threads: one owns a budget.
 */
#ifndef COLLECTORS_READ_BUDGET_H
#define COLLECTORS_READ_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct read_budget {
    uint64_t bytes_per_second; /* 0: no limit */
    double bytes;              /* what may be read now; negative: overdrawn */
    int64_t filled_ns;         /* monotonic: until when it was filled */
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

/* So much was read. */
void read_budget_spend(struct read_budget *budget, size_t bytes);

#endif
