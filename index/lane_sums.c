#include "index/lane_sums.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/part.h"
#include "index/tape.h"
#include "index/tape_internal.h"

void
lane_sums_done(struct lane_sums *sums)
{
    lanes_free(sums->lanes);
    free(sums->rows);
    *sums = (struct lane_sums){0};
}

static int
compare_holes(const void *a, const void *b)
{
    const struct hole *left = a;
    const struct hole *right = b;
    return (left->from > right->from) - (left->from < right->from);
}

static int
compare_summaries(const void *a, const void *b)
{
    const struct lane_summary *left = a;
    const struct lane_summary *right = b;
    if (left->stream->id != right->stream->id)
        return left->stream->id < right->stream->id ? -1 : 1;
    return (left->partition > right->partition) - (left->partition < right->partition);
}

static void
summarise(struct tape *tape, const struct lane *lane, struct lane_summary *summary)
{
    if (lane->hole_count > 1)
        qsort(lane->holes, lane->hole_count, sizeof(*lane->holes), compare_holes);
    *summary = (struct lane_summary){
        .stream = tape_stream_by_id(tape, lane->stream_id),
        .partition = lane->partition,
        .events = lane->events,
        .bytes = lane->bytes,
        .first_offset = lane->first_offset,
        .last_offset = lane->last_offset,
        .first_ns = lane->first_ns,
        .last_ns = lane->last_ns,
        .first_received_ns = lane->first_received_ns,
        .last_received_ns = lane->last_received_ns,
        .offsets_are_synthetic = lane->offsets_are_synthetic,
        .holes = lane->holes,
        .hole_count = lane->hole_count,
    };
}

/* Offsets that the sum and `next` leave out between them, less the holes that are known of them. */
static bool
find_gap(const struct lane *sum, const struct lane *next, struct hole *gap)
{
    if (sum->events == 0 || next->events == 0)
        return false;
    gap->from = sum->last_offset + 1;
    gap->to = next->first_offset - 1;
    const struct lane *const both[] = {sum, next};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < both[k]->hole_count && gap->from <= gap->to; i++) {
            const struct hole *hole = &both[k]->holes[i];
            if (hole->from <= gap->from && hole->to >= gap->from)
                gap->from = hole->to + 1;
            if (hole->to >= gap->to && hole->from <= gap->to)
                gap->to = hole->from - 1;
        }
    }
    return gap->from <= gap->to;
}

/* Files are missing before this part: each lane that goes on in it has a hole. */
static void
infer_holes(struct lanes *sum, const struct lanes *next, enum part_gap reason)
{
    for (size_t i = 0; i < lanes_count(next); i++) {
        const struct lane *lane = lanes_at(next, i);
        const struct lane *before = lanes_find(sum, lane->stream_id, lane->partition);
        struct hole hole = {
            .stream_id = lane->stream_id,
            .partition = lane->partition,
            .reason = reason == PART_GAP_DAMAGED ? HOLE_DAMAGED : HOLE_UNKNOWN,
            .noticed_ns = CLOCK_NONE,
        };
        if (before != NULL && find_gap(before, lane, &hole))
            lanes_add_hole(sum, &hole);
    }
}

const struct lane_summary *
lane_sums_make(struct lane_sums *sums, struct tape *tape, size_t *count, struct error *err)
{
    *count = 0;
    lanes_free(sums->lanes);
    sums->lanes = lanes_new();
    enum part_gap gap = PART_NO_GAP; /* the last one before the part: lanes may go on much later */
    for (size_t i = 0; i < tape_part_count(tape); i++) {
        struct part *part = tape_part(tape, i);
        const struct lanes *lanes = part->ops->lanes(part, tape, err);
        if (lanes == NULL)
            return NULL;
        if (part->gap != PART_NO_GAP)
            gap = part->gap;
        if (gap != PART_NO_GAP)
            infer_holes(sums->lanes, lanes, gap);
        lanes_merge(sums->lanes, lanes);
    }

    *count = lanes_count(sums->lanes);
    sums->rows = alloc_resize(sums->rows, *count * sizeof(*sums->rows));
    for (size_t i = 0; i < *count; i++)
        summarise(tape, lanes_at(sums->lanes, i), &sums->rows[i]);
    if (*count > 1)
        qsort(sums->rows, *count, sizeof(*sums->rows), compare_summaries);
    return sums->rows;
}
