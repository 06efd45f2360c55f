#include "index/lanes.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/hole.h"
#include "index/record.h"

/* rows[0 .. count) are the lanes; slots is an open-addressing table of row number + 1 (0: free) whose
 * size is a power of two and more than 1.5 times count. `recent` is the row that was asked for last:
 * events of one lane come in runs. */
struct lanes {
    struct lane *rows;
    size_t count;
    size_t capacity;
    uint32_t *slots;
    size_t slot_count;
    size_t recent;
};

struct lanes *
lanes_new(void)
{
    struct lanes *lanes = alloc_zeroed(sizeof(*lanes));
    lanes->slot_count = 64;
    lanes->slots = alloc_array(lanes->slot_count, sizeof(*lanes->slots));
    return lanes;
}

void
lanes_free(struct lanes *lanes)
{
    if (lanes == NULL)
        return;
    for (size_t i = 0; i < lanes->count; i++)
        free(lanes->rows[i].holes);
    free(lanes->rows);
    free(lanes->slots);
    free(lanes);
}

static size_t
home_slot(const struct lanes *lanes, uint32_t stream_id, int32_t partition)
{
    return lane_hash(stream_id, partition) & (lanes->slot_count - 1);
}

/* The slot that holds the lane, or the free one where it would go. */
static size_t
slot_of(const struct lanes *lanes, uint32_t stream_id, int32_t partition)
{
    size_t slot = home_slot(lanes, stream_id, partition);
    while (lanes->slots[slot] != 0) {
        const struct lane *lane = &lanes->rows[lanes->slots[slot] - 1];
        if (lane->stream_id == stream_id && lane->partition == partition)
            break;
        slot = (slot + 1) & (lanes->slot_count - 1);
    }
    return slot;
}

static void
grow_slots(struct lanes *lanes)
{
    free(lanes->slots);
    lanes->slot_count *= 2;
    lanes->slots = alloc_array(lanes->slot_count, sizeof(*lanes->slots));
    for (size_t i = 0; i < lanes->count; i++) {
        size_t slot = slot_of(lanes, lanes->rows[i].stream_id, lanes->rows[i].partition);
        lanes->slots[slot] = (uint32_t)i + 1;
    }
}

struct lane *
lanes_get(struct lanes *lanes, uint32_t stream_id, int32_t partition)
{
    if (lanes->recent < lanes->count) {
        struct lane *recent = &lanes->rows[lanes->recent];
        if (recent->stream_id == stream_id && recent->partition == partition)
            return recent;
    }
    size_t slot = slot_of(lanes, stream_id, partition);
    if (lanes->slots[slot] != 0) {
        lanes->recent = lanes->slots[slot] - 1;
        return &lanes->rows[lanes->recent];
    }

    lanes->rows = alloc_grow(lanes->rows, lanes->count, &lanes->capacity, sizeof(*lanes->rows));
    lanes->rows[lanes->count] = (struct lane){.stream_id = stream_id, .partition = partition};
    lanes->recent = lanes->count;
    lanes->slots[slot] = (uint32_t)++lanes->count;
    if (lanes->count * 3 > lanes->slot_count * 2)
        grow_slots(lanes);
    return &lanes->rows[lanes->recent];
}

const struct lane *
lanes_find(const struct lanes *lanes, uint32_t stream_id, int32_t partition)
{
    uint32_t row = lanes->slots[slot_of(lanes, stream_id, partition)];
    return row == 0 ? NULL : &lanes->rows[row - 1];
}

static void
widen(int64_t *low, int64_t *high, int64_t value)
{
    if (value < *low)
        *low = value;
    if (value > *high)
        *high = value;
}

void
lanes_add_event(struct lanes *lanes, const struct record *record)
{
    struct lane *lane = lanes_get(lanes, record->stream_id, (int32_t)record->partition);
    int64_t time_ns = record->time_ns == CLOCK_NONE ? record->received_ns : record->time_ns;
    int64_t offset = (int64_t)record->position;
    if (lane->events == 0) {
        lane->first_offset = lane->last_offset = offset;
        lane->first_ns = lane->last_ns = time_ns;
        lane->first_received_ns = lane->last_received_ns = record->received_ns;
    }
    widen(&lane->first_offset, &lane->last_offset, offset);
    widen(&lane->first_ns, &lane->last_ns, time_ns);
    widen(&lane->first_received_ns, &lane->last_received_ns, record->received_ns);
    lane->events++;
    lane->bytes += record->key.length + record->headers.length + record->payload.length;
    lane->offsets_are_synthetic = (record->flags & RECORD_FLAG_SYNTHETIC) != 0;
}

static void
add_hole(struct lane *lane, const struct hole *hole)
{
    /* Control records of transactions make one small hole each: those that touch become one. */
    struct hole *last = lane->hole_count > 0 ? &lane->holes[lane->hole_count - 1] : NULL;
    if (last != NULL && last->from == hole->from && last->to == hole->to)
        return; /* written again after a failed append */
    if (last != NULL && last->reason == hole->reason && last->was_here == hole->was_here &&
        last->to >= 0 && last->to < INT64_MAX && hole->from == last->to + 1) {
        last->to = hole->to;
        if (hole->was_here) {
            widen(&last->first_ns, &last->last_ns, hole->first_ns);
            widen(&last->first_ns, &last->last_ns, hole->last_ns);
            last->noticed_ns =
                hole->noticed_ns > last->noticed_ns ? hole->noticed_ns : last->noticed_ns;
        }
        return;
    }
    if (lane->hole_count >= LANE_HOLES_MAX) {
        lane->holes_not_kept++;
        return;
    }
    lane->holes =
        alloc_grow(lane->holes, lane->hole_count, &lane->hole_capacity, sizeof(*lane->holes));
    lane->holes[lane->hole_count++] = *hole;
}

void
lanes_add_hole(struct lanes *lanes, const struct hole *hole)
{
    add_hole(lanes_get(lanes, hole->stream_id, hole->partition), hole);
}

void
lane_leave_holes(const struct lane *lane, struct hole *gap)
{
    for (size_t i = 0; lane != NULL && i < lane->hole_count && gap->from <= gap->to; i++) {
        const struct hole *hole = &lane->holes[i];
        if (hole->from <= gap->from && hole->to >= gap->from)
            gap->from = offset_behind(hole->to);
        if (hole->to >= gap->to && hole->from <= gap->to)
            gap->to = offset_before(hole->from);
    }
}

void
lanes_merge_lane(struct lanes *lanes, const struct lane *from)
{
    struct lane *lane = lanes_get(lanes, from->stream_id, from->partition);
    if (from->events > 0) {
        if (lane->events == 0) {
            lane->first_offset = from->first_offset;
            lane->last_offset = from->last_offset;
            lane->first_ns = from->first_ns;
            lane->last_ns = from->last_ns;
            lane->first_received_ns = from->first_received_ns;
            lane->last_received_ns = from->last_received_ns;
        }
        widen(&lane->first_offset, &lane->last_offset, from->first_offset);
        widen(&lane->first_offset, &lane->last_offset, from->last_offset);
        widen(&lane->first_ns, &lane->last_ns, from->first_ns);
        widen(&lane->first_ns, &lane->last_ns, from->last_ns);
        widen(&lane->first_received_ns, &lane->last_received_ns, from->first_received_ns);
        widen(&lane->first_received_ns, &lane->last_received_ns, from->last_received_ns);
        lane->offsets_are_synthetic = from->offsets_are_synthetic;
    }
    lane->events += from->events;
    lane->bytes += from->bytes;
    lane->holes_not_kept += from->holes_not_kept;
    for (size_t i = 0; i < from->hole_count; i++)
        add_hole(lane, &from->holes[i]);
}

void
lanes_merge(struct lanes *lanes, const struct lanes *from)
{
    for (size_t i = 0; i < from->count; i++)
        lanes_merge_lane(lanes, &from->rows[i]);
}

size_t
lanes_count(const struct lanes *lanes)
{
    return lanes->count;
}

const struct lane *
lanes_at(const struct lanes *lanes, size_t index)
{
    return &lanes->rows[index];
}
