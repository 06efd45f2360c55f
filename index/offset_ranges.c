#include "index/offset_ranges.h"

#include <stdlib.h>

#include "base/alloc.h"

void
offset_ranges_done(struct offset_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct offset_ranges){0};
}

void
offset_ranges_add(struct offset_ranges *ranges, int64_t offset)
{
    struct offset_range *newest = ranges->count > 0 ? &ranges->items[ranges->count - 1] : NULL;
    if (newest != NULL && offset <= newest->last)
        return;
    if (newest != NULL && offset == newest->last + 1) {
        newest->last = offset;
        return;
    }
    ranges->items =
        alloc_grow(ranges->items, ranges->count, &ranges->capacity, sizeof(*ranges->items));
    ranges->items[ranges->count++] = (struct offset_range){offset, offset};
}

const struct offset_range *
offset_ranges_from(const struct offset_ranges *ranges, int64_t offset)
{
    size_t low = 0;
    size_t high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].last < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges->count ? &ranges->items[low] : NULL;
}
