#include "base/sorted.h"

bool
sorted_find(const void *key, const void *items, size_t count, size_t size, sorted_compare *compare,
    size_t *at)
{
    const char *first = items;
    size_t low = 0;
    size_t high = count;
    bool is_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(key, first + middle * size);
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
            is_there = is_there || order == 0;
        }
    }
    *at = low;
    return is_there;
}
