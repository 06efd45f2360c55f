/* random.h - seeded numbers that look random and are the same in every run.  Threads: one owner. */
#ifndef DEMO_RANDOM_H
#define DEMO_RANDOM_H

#include <stdint.h>

/* SplitMix64: one word of state, any seed is good. */
struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);

/* 0 .. limit - 1; limit is 1 or more. */
uint32_t random_below(struct random *random, uint32_t limit);

/* A seed made of another and a text, so that what one order does depends on nothing but itself. */
uint64_t random_seed_of(uint64_t seed, const char *text);

#endif
