/* offset_ranges.h - a set of offsets that grows upwards, kept as ranges.
 *
 * A million offsets in a row take 16 bytes; offsets that stand alone take 16 bytes each, so whoever adds
 * them bounds how many.  Threads: one owner, no locks.
 */
#ifndef INDEX_OFFSET_RANGES_H
#define INDEX_OFFSET_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offset_range {
    int64_t first;
    int64_t last; /* inclusive */
};

/* Ascending, and no two of them touch. Zero-initialise. */
struct offset_ranges {
    struct offset_range *items;
    size_t count;
    size_t capacity;
};

void offset_ranges_done(struct offset_ranges *ranges);

/* Add an offset that is behind all that are there; an older one changes nothing. */
void offset_ranges_add(struct offset_ranges *ranges, int64_t offset);

/* The first range that ends at or behind `offset`, or NULL. O(log count). */
const struct offset_range *offset_ranges_from(const struct offset_ranges *ranges, int64_t offset);

#endif
