#include "index/place_list.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Reading so many empty slots costs what comparing one place with others does. */
#define SLOTS_PER_PLACE 64u

void
place_list_done(struct place_list *list)
{
    free(list->places);
    *list = (struct place_list){0};
}

void
place_list_add(struct place_list *list, const uint64_t *seqs, uint32_t block,
    const uint32_t *indexes, size_t count)
{
    if (list->capacity - list->count < count) {
        list->capacity = 2 * list->capacity + count;
        list->places = alloc_resize(list->places, list->capacity * sizeof(*list->places));
    }
    struct place *place = list->places + list->count;
    for (size_t i = 0; i < count; i++)
        *place++ = (struct place){seqs[indexes[i]], block, indexes[i]};
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
