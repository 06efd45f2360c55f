/* A segment walked by time: the walk of segment_walk.h in that order, begun when its time has come. */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "index/event.h"
#include "index/ordered_walk.h"
#include "index/segment.h"
#include "index/segment_file.h"
#include "index/segment_filter.h"
#include "index/segment_part.h"
#include "index/segment_walk.h"

/* `event` is the one at an exact place. */
struct segment_time_walk {
    struct ordered_walk walk;
    struct part_walk *inner;
    struct event event;
};

static struct ordered_walk *
begin(struct part *part, struct tape *tape, const struct part_walk_options *options)
{
    const struct segment_info *info = segment_file_info(as_segment(part)->file);
    if (info->first_seq >= options->end_seq || info->end_seq <= options->first_seq ||
        (options->query != NULL && segment_filter_excludes(options->query, info, NULL, tape))) {
        options->progress->pruned_blocks += info->block_count;
        return NULL;
    }
    struct part_walk_options inner = *options;
    struct segment_time_walk *self = alloc_zeroed(sizeof(*self));
    inner.by_time = true;
    self->walk = (struct ordered_walk){&segment_time_walk, part, {.major = info->min_time_ns}};
    self->inner = segment_walk(part, tape, &inner);
    return &self->walk;
}

static void
end(struct ordered_walk *walk)
{
    struct segment_time_walk *self = (struct segment_time_walk *)walk;
    segment_walk_free(self->inner);
    free(self);
}

static enum cursor_step
settle(struct ordered_walk *walk, uint64_t *budget, struct error *err)
{
    struct segment_time_walk *self = (struct segment_time_walk *)walk;
    enum cursor_step step = segment_walk_next(self->inner, budget, &self->event, err);
    if (step == CURSOR_EVENT)
        walk->place =
            (struct walk_place){event_time(&self->event), 0, self->event.seq, .is_exact = true};
    return step;
}

static enum cursor_step
take(struct ordered_walk *walk, struct event *event, struct error *err)
{
    struct segment_time_walk *self = (struct segment_time_walk *)walk;
    (void)err;
    assert(walk->place.is_exact);
    *event = self->event;
    walk->place.is_exact = false; /* not before this event */
    walk->place.seq = 0;
    return CURSOR_EVENT;
}

const struct ordered_walk_ops segment_time_walk = {
    .begin = begin,
    .end = end,
    .settle = settle,
    .take = take,
};
