#include "index/seal_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/lanes.h"
#include "index/record.h"
#include "index/seal.h"

/* An order being made: its lanes are found by (stream, partition), slots hold 1 + index into them. */
struct making {
    struct seal_order *order;
    uint32_t *slots;
    size_t slot_count;
    uint32_t recent;
};

static size_t
slot_of(const struct making *making, uint32_t stream_id, uint32_t partition)
{
    size_t slot = lane_hash(stream_id, (int32_t)partition) & (making->slot_count - 1);
    while (making->slots[slot] != 0) {
        const struct seal_lane *lane = &making->order->lanes[making->slots[slot] - 1];
        if (lane->stream_id == stream_id && lane->partition == partition)
            break;
        slot = (slot + 1) & (making->slot_count - 1);
    }
    return slot;
}

static void
grow_slots(struct making *making)
{
    const struct seal_order *order = making->order;
    free(making->slots);
    making->slot_count = making->slot_count == 0 ? 256 : making->slot_count * 2;
    making->slots = alloc_array(making->slot_count, sizeof(*making->slots));
    for (size_t i = 0; i < order->lane_count; i++) {
        const struct seal_lane *lane = &order->lanes[i];
        making->slots[slot_of(making, lane->stream_id, lane->partition)] = (uint32_t)i + 1;
    }
}

static uint32_t
lane_index(struct making *making, uint32_t stream_id, uint32_t partition)
{
    struct seal_order *order = making->order;
    if (making->recent < order->lane_count) {
        const struct seal_lane *lane = &order->lanes[making->recent];
        if (lane->stream_id == stream_id && lane->partition == partition)
            return making->recent;
    }
    if (order->lane_count * 2 >= making->slot_count)
        grow_slots(making);
    assert(making->slots != NULL);
    size_t slot = slot_of(making, stream_id, partition);
    if (making->slots[slot] == 0) {
        order->lanes = alloc_grow(
            order->lanes, order->lane_count, &order->lane_capacity, sizeof(*order->lanes));
        order->lanes[order->lane_count] = (struct seal_lane){
            .stream_id = stream_id, .partition = partition, .last_offset = INT64_MIN};
        making->slots[slot] = (uint32_t)++order->lane_count;
    }
    making->recent = making->slots[slot] - 1;
    return making->recent;
}

static void
add_arrival(struct making *making, const struct record *record, const struct seal_ref *ref)
{
    struct seal_order *order = making->order;
    uint32_t number = lane_index(making, record->stream_id, record->partition);
    assert(order->lanes != NULL);
    struct seal_lane *lane = &order->lanes[number];
    int64_t offset = (int64_t)record->position;
    lane->is_shuffled = lane->is_shuffled || offset < lane->last_offset;
    lane->last_offset = offset;
    lane->count++;
    order->arrived_lanes[order->ref_count] = number;
    order->arrived[order->ref_count++] = *ref;
}

static bool
read_region(struct making *making, const struct seal_region *region, struct error *err)
{
    size_t at = 0;
    uint32_t count = 0;
    for (; at < region->records.length && count < region->event_count; count++) {
        struct record record;
        uint64_t seq = region->first_seq + count;
        size_t start = at;
        if (!record_decode(region->records, &at, &record) || record.type != RECORD_EVENT)
            return error_set(err, ERROR_FORMAT,
                "cannot seal: seq %llu is no event record, at byte %zu of its frame",
                (unsigned long long)seq, start);
        add_arrival(making, &record, &(struct seal_ref){region->records.data + start, seq});
    }
    if (count != region->event_count || at != region->records.length)
        return error_set(err, ERROR_FORMAT,
            "cannot seal: the frame of seq %llu holds %s than %u events",
            (unsigned long long)region->first_seq, at < region->records.length ? "more" : "fewer",
            region->event_count);
    return true;
}

/* Events that the regions say to hold: room for them is made once. The smallest record bounds it. */
static bool
count_events(const struct seal_input *input, size_t *count, struct error *err)
{
    *count = 0;
    for (size_t i = 0; i < input->region_count; i++) {
        const struct seal_region *region = &input->regions[i];
        if (region->event_count > region->records.length / RECORD_HEADER_BYTES)
            return error_set(err, ERROR_FORMAT,
                "cannot seal: the frame of seq %llu holds fewer than %u events",
                (unsigned long long)region->first_seq, region->event_count);
        *count += region->event_count;
    }
    if (*count > UINT32_MAX)
        return error_set(err, ERROR_LIMIT, "cannot seal more than 2^32 events at once");
    return true;
}

static bool
read_regions(struct making *making, const struct seal_input *input, struct error *err)
{
    uint64_t next = input->first_seq;
    for (size_t i = 0; i < input->region_count; i++) {
        const struct seal_region *region = &input->regions[i];
        if (region->first_seq < next || region->first_seq > input->end_seq ||
            region->event_count > input->end_seq - region->first_seq)
            return error_set(err, ERROR_FORMAT,
                "cannot seal: seqs from %llu on, %u events, are not expected there",
                (unsigned long long)region->first_seq, region->event_count);
        /* Looked at as soon as it is there, while it is in the processor's cache. */
        if ((input->fetch != NULL && !input->fetch(input->fetch_self, i, err)) ||
            !read_region(making, region, err))
            return false;
        next = region->first_seq + region->event_count;
    }
    return true;
}

static int
compare_lanes(const void *a, const void *b)
{
    const struct seal_lane *left = a;
    const struct seal_lane *right = b;
    if (left->stream_id != right->stream_id)
        return left->stream_id < right->stream_id ? -1 : 1;
    return (left->partition > right->partition) - (left->partition < right->partition);
}

/* Give each lane its range of refs. next[i] is where the next event of the lane that was number i while
 * reading goes; `lane->first` carries that number through the sort. */
static uint32_t *
lay_out(struct seal_order *order)
{
    for (size_t i = 0; i < order->lane_count; i++)
        order->lanes[i].first = (uint32_t)i;
    if (order->lane_count > 0)
        qsort(order->lanes, order->lane_count, sizeof(*order->lanes), compare_lanes);
    uint32_t *next = alloc_array(order->lane_count, sizeof(*next));
    uint32_t first = 0;
    for (size_t i = 0; i < order->lane_count; i++) {
        struct seal_lane *lane = &order->lanes[i];
        next[lane->first] = first;
        lane->first = first;
        first += lane->count;
    }
    return next;
}

static void
deal_out(struct seal_order *order)
{
    uint32_t *next = lay_out(order);
    for (size_t i = 0; i < order->ref_count; i++)
        order->refs[next[order->arrived_lanes[i]]++] = order->arrived[i];
    free(next);
}

struct shuffled {
    int64_t offset;
    struct seal_ref ref;
};

static int
compare_shuffled(const void *a, const void *b)
{
    const struct shuffled *left = a;
    const struct shuffled *right = b;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return (left->ref.seq > right->ref.seq) - (left->ref.seq < right->ref.seq);
}

static void
sort_lane(struct seal_ref *refs, size_t count)
{
    struct shuffled *rows = alloc_array(count, sizeof(*rows));
    for (size_t i = 0; i < count; i++) {
        struct record record;
        seal_ref_record(&refs[i], &record);
        rows[i] = (struct shuffled){(int64_t)record.position, refs[i]};
    }
    qsort(rows, count, sizeof(*rows), compare_shuffled);
    for (size_t i = 0; i < count; i++)
        refs[i] = rows[i].ref;
    free(rows);
}

static void
free_refs(struct seal_order *order)
{
    free(order->refs);
    free(order->arrived);
    free(order->arrived_lanes);
}

/* Room for so many events; what was there is forgotten. */
static void
make_room(struct seal_order *order, size_t count)
{
    order->ref_count = order->lane_count = 0;
    if (count <= order->capacity)
        return;
    free_refs(order);
    count += count / 8; /* the next journal may have a few more */
    order->refs = alloc_array(count, sizeof(*order->refs));
    order->arrived = alloc_array(count, sizeof(*order->arrived));
    order->arrived_lanes = alloc_array(count, sizeof(*order->arrived_lanes));
    order->capacity = count;
}

bool
seal_order_make(struct seal_order *order, const struct seal_input *input, struct error *err)
{
    size_t count;
    if (!count_events(input, &count, err))
        return false;
    make_room(order, count);
    struct making making = {.order = order};
    bool good = read_regions(&making, input, err);
    free(making.slots);
    if (!good)
        return false;
    deal_out(order);
    for (size_t i = 0; i < order->lane_count; i++) {
        if (order->lanes[i].is_shuffled)
            sort_lane(order->refs + order->lanes[i].first, order->lanes[i].count);
    }
    return true;
}

void
seal_order_done(struct seal_order *order)
{
    free_refs(order);
    free(order->lanes);
    *order = (struct seal_order){0};
}

void
seal_ref_record(const struct seal_ref *ref, struct record *record)
{
    const uint32_t most = RECORD_MAX_BYTES;
    size_t at = 0;
    bool decoded = record_decode(bytes_make(ref->at, most), &at, record);
    assert(decoded); /* it was, in seal_order_make(), and nobody changes the input */
}
