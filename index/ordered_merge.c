#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "index/ordered_walk.h"
#include "index/part_file.h"

/* heap[0] is the walk whose place comes first; each heap[i] comes before heap[2 i + 1] and heap[2 i + 2].
 * part_ids are the numbers of all parts that were taken in, in rising order. */
struct ordered_merge {
    struct ordered_walk **heap;
    size_t count;
    size_t capacity;
    struct part_ids part_ids;
};

int
walk_place_compare(const struct walk_place *a, const struct walk_place *b)
{
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    if (a->minor != b->minor)
        return a->minor < b->minor ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return a->is_exact - b->is_exact;
}

struct ordered_merge *
ordered_merge_new(void)
{
    return alloc_zeroed(sizeof(struct ordered_merge));
}

void
ordered_merge_free(struct ordered_merge *merge)
{
    if (merge == NULL)
        return;
    for (size_t i = 0; i < merge->count; i++)
        merge->heap[i]->ops->end(merge->heap[i]);
    free(merge->heap);
    part_ids_done(&merge->part_ids);
    free(merge);
}

static bool
is_before(const struct ordered_merge *merge, size_t a, size_t b)
{
    return walk_place_compare(&merge->heap[a]->place, &merge->heap[b]->place) < 0;
}

static void
swap(struct ordered_merge *merge, size_t a, size_t b)
{
    struct ordered_walk *walk = merge->heap[a];
    merge->heap[a] = merge->heap[b];
    merge->heap[b] = walk;
}

static void
sink(struct ordered_merge *merge, size_t i)
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
rise(struct ordered_merge *merge, size_t i)
{
    for (; i > 0 && is_before(merge, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(merge, i, (i - 1) / 2);
}

void
ordered_merge_add(struct ordered_merge *merge, const struct ordered_walk_ops *ops,
    struct part *part, struct tape *tape, const struct part_walk_options *options)
{
    assert(merge->part_ids.count == 0 || part_ids_last(&merge->part_ids) < part->id);
    part_ids_add(&merge->part_ids, part->id);
    struct ordered_walk *walk = ops->begin(part, tape, options);
    if (walk == NULL)
        return;
    merge->heap =
        alloc_grow(merge->heap, merge->count, &merge->capacity, sizeof(struct ordered_walk *));
    merge->heap[merge->count++] = walk;
    rise(merge, merge->count - 1);
}

bool
ordered_merge_has(const struct ordered_merge *merge, uint64_t part_id)
{
    return part_ids_has(&merge->part_ids, part_id);
}

enum cursor_step
ordered_merge_peek(
    struct ordered_merge *merge, uint64_t *budget, struct walk_place *place, struct error *err)
{
    while (merge->count > 0) {
        struct ordered_walk *walk = merge->heap[0];
        if (walk->place.is_exact) {
            *place = walk->place;
            return CURSOR_EVENT;
        }
        enum cursor_step step = walk->ops->settle(walk, budget, err);
        if (step == CURSOR_END) {
            walk->ops->end(walk);
            merge->heap[0] = merge->heap[--merge->count];
        } else if (step != CURSOR_EVENT) {
            return step;
        }
        sink(merge, 0);
    }
    return CURSOR_END;
}

enum cursor_step
ordered_merge_take(struct ordered_merge *merge, struct event *event, struct error *err)
{
    struct ordered_walk *walk = merge->heap[0];
    assert(merge->count > 0 && walk->place.is_exact);

    enum cursor_step step = walk->ops->take(walk, event, err);
    sink(merge, 0);
    return step;
}
