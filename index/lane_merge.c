#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "index/lane_walk.h"

/* heap[0] is the walk whose place comes first; each heap[i] comes before heap[2 i + 1] and heap[2 i + 2].
 * part_ids are those of all parts that were taken in, in rising order. */
struct lane_merge {
    struct lane_walk **heap;
    size_t count;
    size_t capacity;
    uint64_t *part_ids;
    size_t part_count;
    size_t part_capacity;
};

int
lane_place_compare(const struct lane_place *a, const struct lane_place *b)
{
    if (a->stream_id != b->stream_id)
        return a->stream_id < b->stream_id ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return a->is_exact - b->is_exact;
}

struct lane_merge *
lane_merge_new(void)
{
    return alloc_zeroed(sizeof(struct lane_merge));
}

void
lane_merge_free(struct lane_merge *merge)
{
    if (merge == NULL)
        return;
    for (size_t i = 0; i < merge->count; i++)
        merge->heap[i]->part->ops->by_lane->end(merge->heap[i]);
    free(merge->heap);
    free(merge->part_ids);
    free(merge);
}

static bool
is_before(const struct lane_merge *merge, size_t a, size_t b)
{
    return lane_place_compare(&merge->heap[a]->place, &merge->heap[b]->place) < 0;
}

static void
swap(struct lane_merge *merge, size_t a, size_t b)
{
    struct lane_walk *walk = merge->heap[a];
    merge->heap[a] = merge->heap[b];
    merge->heap[b] = walk;
}

static void
sink(struct lane_merge *merge, size_t i)
{
    for (;;) {
        size_t first = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < merge->count; child++) {
            if (is_before(merge, child, first))
                first = child;
        }
        if (first == i)
            return;
        swap(merge, i, first);
        i = first;
    }
}

static void
rise(struct lane_merge *merge, size_t i)
{
    for (; i > 0 && is_before(merge, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(merge, i, (i - 1) / 2);
}

bool
lane_merge_add(struct lane_merge *merge, struct part *part, struct tape *tape,
    const struct part_walk_options *options)
{
    if (part->ops->by_lane == NULL)
        return false;
    assert(merge->part_count == 0 || merge->part_ids[merge->part_count - 1] < part->id);
    merge->part_ids = alloc_grow(
        merge->part_ids, merge->part_count, &merge->part_capacity, sizeof(*merge->part_ids));
    merge->part_ids[merge->part_count++] = part->id;
    struct lane_walk *walk = part->ops->by_lane->begin(part, tape, options);
    if (walk == NULL)
        return true;
    merge->heap =
        alloc_grow(merge->heap, merge->count, &merge->capacity, sizeof(struct lane_walk *));
    merge->heap[merge->count++] = walk;
    rise(merge, merge->count - 1);
    return true;
}

static int
compare_ids(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

bool
lane_merge_has(const struct lane_merge *merge, uint64_t part_id)
{
    return merge->part_count > 0 && bsearch(&part_id, merge->part_ids, merge->part_count,
                                        sizeof(part_id), compare_ids) != NULL;
}

enum cursor_step
lane_merge_peek(
    struct lane_merge *merge, uint64_t *budget, struct lane_place *place, struct error *err)
{
    while (merge->count > 0) {
        struct lane_walk *walk = merge->heap[0];
        if (walk->place.is_exact) {
            *place = walk->place;
            return CURSOR_EVENT;
        }
        enum cursor_step step = walk->part->ops->by_lane->settle(walk, budget, err);
        if (step == CURSOR_END) {
            walk->part->ops->by_lane->end(walk);
            merge->heap[0] = merge->heap[--merge->count];
        } else if (step != CURSOR_EVENT) {
            return step;
        }
        sink(merge, 0);
    }
    return CURSOR_END;
}

enum cursor_step
lane_merge_take(struct lane_merge *merge, struct event *event, struct error *err)
{
    struct lane_walk *walk = merge->heap[0];
    assert(merge->count > 0 && walk->place.is_exact);

    enum cursor_step step = walk->part->ops->by_lane->take(walk, event, err);
    sink(merge, 0);
    return step;
}
