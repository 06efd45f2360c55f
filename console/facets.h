/* facets.h - how many matches there were of each value.
 *
 * A table of byte strings with counts, bounded: what does not fit is counted together.  Threads: one
 * owns an instance.
 */
#ifndef CONSOLE_FACETS_H
#define CONSOLE_FACETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Different values that are told apart. */
#define FACETS_MAX ((size_t)65536)

struct facet {
    struct bytes value; /* owned by the table */
    uint64_t count;
};

struct facets;

struct facets *facets_new(void);
void facets_free(struct facets *facets);

void facets_count(struct facets *facets, struct bytes value);

/* The most frequent first, equally frequent ones by value. Sorts the table: nothing may be counted
 * afterwards. The array lives as long as the table. */
const struct facet *facets_sorted(struct facets *facets, size_t *count);

/* Matches whose value came when the table was full. */
uint64_t facets_other(const struct facets *facets);

#endif
