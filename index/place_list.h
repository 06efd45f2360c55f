/* place_list.h - where in the blocks of a segment events are, to be put in the order of their seqs.
 *
 * Threads: one owner.
 */
#ifndef INDEX_PLACE_LIST_H
#define INDEX_PLACE_LIST_H

#include <stddef.h>
#include <stdint.h>

/* Event number `index` of block `block`. */
struct place {
    uint64_t seq;
    uint32_t block;
    uint32_t index;
};

/* Zero-initialise. */
struct place_list {
    struct place *places;
    size_t count;
    size_t capacity;
};

void place_list_done(struct place_list *list);

/* Add the events indexes[0 .. count - 1] of a block; seqs[index] is the seq of each. */
void place_list_add(struct place_list *list, const uint64_t *seqs, uint32_t block,
    const uint32_t *indexes, size_t count);

/* Put them in rising order. All seqs are different and in first_seq .. end_seq - 1. */
void place_list_sort(struct place_list *list, uint64_t first_seq, uint64_t end_seq);

#endif
