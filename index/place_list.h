/* place_list.h - where in the blocks of a segment events are, to be put in the order of their seqs or times.
 *
 * Threads: one owner.
 */
#ifndef INDEX_PLACE_LIST_H
#define INDEX_PLACE_LIST_H

#include <stddef.h>
#include <stdint.h>

struct block;

/* Event number `index` of block `block`. */
struct place {
    uint64_t seq;
    int64_t time_ns; /* event_time() */
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

/* Add the events indexes[0 .. count - 1] of the block, which is number `number`. */
void place_list_add(struct place_list *list, const struct block *block, uint32_t number,
    const uint32_t *indexes, size_t count);

/* Put them in the rising order of their seqs. All seqs are different and in first_seq .. end_seq - 1. */
void place_list_sort(struct place_list *list, uint64_t first_seq, uint64_t end_seq);

/* In the order of their times; those of the same time stay in the order in which they are. */
void place_list_sort_by_time(struct place_list *list);

#endif
