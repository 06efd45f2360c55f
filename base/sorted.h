/* sorted.h - looking things up in a sorted array, and where a new one belongs.
 *
 * Threads: none.
 */
#ifndef BASE_SORTED_H
#define BASE_SORTED_H

#include <stdbool.h>
#include <stddef.h>

/* As of bsearch(): below 0 when the key comes before the item, 0 when it is the one. */
typedef int sorted_compare(const void *key, const void *item);

/* Is there an item of this key among `count` of `size` bytes each, in rising order? *at becomes its place, the first of
 * several, or else the place where it would go: 0 .. count. `items` may be NULL when there are none. */
bool sorted_find(const void *key, const void *items, size_t count, size_t size,
    sorted_compare *compare, size_t *at);

#endif
