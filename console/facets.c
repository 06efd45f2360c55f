#include "console/facets.h"

#include <stdlib.h>

#include "base/alloc.h"

#define SLOTS (FACETS_MAX * 2) /* a power of two; at most half of them are in use */

/* `slots` holds the position in `facets` + 1 of each value, by open addressing; 0 is free. */
struct facets {
    struct facet *facets;
    size_t count;
    size_t capacity;
    uint64_t other;
    uint32_t slots[SLOTS];
};

struct facets *
facets_new(void)
{
    return alloc_zeroed(sizeof(struct facets));
}

void
facets_free(struct facets *facets)
{
    if (facets == NULL)
        return;
    for (size_t i = 0; i < facets->count; i++) {
        union {
            const unsigned char *shown;
            unsigned char *owned;
        } value = {.shown = facets->facets[i].value.data};
        free(value.owned);
    }
    free(facets->facets);
    free(facets);
}

/* FNV-1a, with its bits mixed so that the low ones depend on all. */
static uint64_t
hash(struct bytes value)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < value.length; i++)
        sum = (sum ^ value.data[i]) * UINT64_C(1099511628211);
    return sum ^ sum >> 29;
}

void
facets_count(struct facets *facets, struct bytes value)
{
    size_t slot = hash(value) % SLOTS;
    while (facets->slots[slot] != 0) {
        struct facet *facet = &facets->facets[facets->slots[slot] - 1];
        if (bytes_equal(facet->value, value)) {
            facet->count++;
            return;
        }
        slot = (slot + 1) % SLOTS;
    }
    if (facets->count == FACETS_MAX) {
        facets->other++;
        return;
    }
    facets->facets =
        alloc_grow(facets->facets, facets->count, &facets->capacity, sizeof(facets->facets[0]));
    facets->facets[facets->count++] = (struct facet){
        .value = bytes_make(alloc_copy(value.data, value.length), value.length), .count = 1};
    facets->slots[slot] = (uint32_t)facets->count;
}

static int
compare(const void *a, const void *b)
{
    const struct facet *left = a;
    const struct facet *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return bytes_compare(left->value, right->value);
}

const struct facet *
facets_sorted(struct facets *facets, size_t *count)
{
    if (facets->count > 1)
        qsort(facets->facets, facets->count, sizeof(facets->facets[0]), compare);
    *count = facets->count;
    return facets->facets;
}

uint64_t
facets_other(const struct facets *facets)
{
    return facets->other;
}
