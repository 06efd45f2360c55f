/* byte_rate.h - how fast a counter of bytes grows, as the mean of the last ten seconds.
 *
 * It remembers where the counter was once a second, and compares with the oldest of these moments.
 *
 * Threads: one owns a struct byte_rate. Zero-initialise.
 */
#ifndef COLLECTORS_BYTE_RATE_H
#define COLLECTORS_BYTE_RATE_H

#include <stdint.h>

#define BYTE_RATE_SAMPLES 10u

/* A ring: the newest sample is behind the oldest, which is at `first` once the ring is full. */
struct byte_rate {
    struct {
        int64_t at_ns;
        uint64_t bytes;
    } samples[BYTE_RATE_SAMPLES];
    uint32_t first;
    uint32_t count;
};

/* The counter stands at `bytes` at `now_ns` (monotonic, never less than before): bytes a second since the oldest
 * moment that is remembered, 9 to 10 s ago when it is looked at often enough. 0 at the first look. */
uint64_t byte_rate_look(struct byte_rate *rate, uint64_t bytes, int64_t now_ns);

#endif
