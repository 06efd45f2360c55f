/* lateness.h - how late events were sent: a histogram with steps of an eighth, from 1 us to hours.
 * Threads: one thread owns an instance; zero-initialise it. */
#ifndef REPLAY_LATENESS_H
#define REPLAY_LATENESS_H

#include <stddef.h>
#include <stdint.h>

#define LATENESS_STEPS ((size_t)48 * 8)

struct lateness {
    uint64_t counts[LATENESS_STEPS];
    uint64_t total;
    int64_t max_ns;
};

void lateness_add(struct lateness *lateness, int64_t late_ns); /* early counts as 0 */

/* The value that `share` (0.99) of all are not above, at most an eighth too large; 0 when there are
 * none. */
int64_t lateness_quantile_ns(const struct lateness *lateness, double share);

#endif
