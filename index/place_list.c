#include "index/place_list.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "index/block.h"

/* Reading so many empty slots costs what comparing one place with others does. */
#define SLOTS_PER_PLACE 64u

#define DIGIT_BITS 11u

void
place_list_done(struct place_list *list)
{
    free(list->places);
    *list = (struct place_list){0};
}

void
place_list_add(struct place_list *list, const struct block *block, uint32_t number,
    const uint32_t *indexes, size_t count)
{
    if (list->capacity - list->count < count) {
        list->capacity = 2 * list->capacity + count;
        list->places = alloc_resize(list->places, list->capacity * sizeof(*list->places));
    }
    struct place *place = list->places + list->count;
    for (size_t i = 0; i < count; i++)
        *place++ = (struct place){
            block->seqs[indexes[i]], block_time(block, indexes[i]), number, indexes[i]};
    list->count += count;
}

static int
compare_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

/* Many places: each goes to the slot of its seq, and the slots are read off in order. */
static void
sort_by_slots(struct place_list *list, uint64_t first_seq, uint64_t span)
{
    uint32_t *slots = alloc_array((size_t)span, sizeof(*slots));
    for (size_t i = 0; i < list->count; i++)
        slots[list->places[i].seq - first_seq] = (uint32_t)i + 1;
    struct place *sorted = alloc_array(list->count, sizeof(*sorted));
    size_t count = 0;
    for (uint64_t slot = 0; slot < span; slot++) {
        if (slots[slot] != 0)
            sorted[count++] = list->places[slots[slot] - 1];
    }
    free(slots);
    free(list->places);
    *list = (struct place_list){sorted, count, count};
}

void
place_list_sort(struct place_list *list, uint64_t first_seq, uint64_t end_seq)
{
    uint64_t span = end_seq - first_seq;
    bool is_sorted = true;
    for (size_t i = 1; i < list->count && is_sorted; i++)
        is_sorted = list->places[i - 1].seq < list->places[i].seq;
    if (is_sorted)
        return;
    if (span / SLOTS_PER_PLACE < list->count)
        sort_by_slots(list, first_seq, span);
    else
        qsort(list->places, list->count, sizeof(*list->places), compare_places);
}

/* A place on its way: times count from the lowest. */
struct timed {
    uint64_t time;
    size_t place;
};

/* From one to the other by a digit, keeping the order of equal ones. */
static void
sort_by_digit(const struct timed *from, struct timed *to, size_t count, unsigned shift)
{
    size_t next[1u << DIGIT_BITS] = {0};
    const uint64_t mask = (1u << DIGIT_BITS) - 1;
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        next[from[i].time >> shift & mask]++;
    for (size_t i = 0; i <= mask; i++) {
        size_t here = next[i];
        next[i] = at;
        at += here;
    }
    for (size_t i = 0; i < count; i++)
        to[next[from[i].time >> shift & mask]++] = from[i];
}

/* Returns the highest time. */
static uint64_t
take_times(const struct place_list *list, struct timed *timed)
{
    int64_t lowest = INT64_MAX;
    uint64_t highest = 0;
    for (size_t i = 0; i < list->count; i++)
        lowest = list->places[i].time_ns < lowest ? list->places[i].time_ns : lowest;
    for (size_t i = 0; i < list->count; i++) {
        timed[i] = (struct timed){(uint64_t)list->places[i].time_ns - (uint64_t)lowest, i};
        highest = timed[i].time > highest ? timed[i].time : highest;
    }
    return highest;
}

void
place_list_sort_by_time(struct place_list *list)
{
    struct timed *from = alloc_array(2 * list->count, sizeof(*from));
    struct timed *to = from + list->count;
    struct timed *both = from;
    uint64_t highest = take_times(list, from);
    for (unsigned shift = 0; shift < 64 && highest >> shift != 0; shift += DIGIT_BITS) {
        sort_by_digit(from, to, list->count, shift);
        struct timed *other = from;
        from = to;
        to = other;
    }
    struct place *sorted = alloc_array(list->count, sizeof(*sorted));
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = list->places[from[i].place];
    free(both);
    free(list->places);
    *list = (struct place_list){sorted, list->count, list->count};
}
