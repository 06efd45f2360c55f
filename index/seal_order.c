#include "index/seal_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/lanes.h"
#include "index/record.h"
#include "index/seal.h"

/* Lanes by (stream, partition) while the input is read: slots hold 1 + index into lanes. */
struct lane_table {
    struct seal_lane *lanes;
    size_t count;
    size_t capacity;
    uint32_t *slots;
    size_t slot_count;
    uint32_t recent;
};

static size_t
slot_of(const struct lane_table *table, uint32_t stream_id, uint32_t partition)
{
    size_t slot = lane_hash(stream_id, (int32_t)partition) & (table->slot_count - 1);
    while (table->slots[slot] != 0) {
        const struct seal_lane *lane = &table->lanes[table->slots[slot] - 1];
        if (lane->stream_id == stream_id && lane->partition == partition)
            break;
        slot = (slot + 1) & (table->slot_count - 1);
    }
    return slot;
}

static void
grow_slots(struct lane_table *table)
{
    free(table->slots);
    table->slot_count = table->slot_count == 0 ? 256 : table->slot_count * 2;
    table->slots = alloc_array(table->slot_count, sizeof(*table->slots));
    for (size_t i = 0; i < table->count; i++) {
        const struct seal_lane *lane = &table->lanes[i];
        table->slots[slot_of(table, lane->stream_id, lane->partition)] = (uint32_t)i + 1;
    }
}

static uint32_t
lane_index(struct lane_table *table, uint32_t stream_id, uint32_t partition)
{
    if (table->recent < table->count) {
        const struct seal_lane *lane = &table->lanes[table->recent];
        if (lane->stream_id == stream_id && lane->partition == partition)
            return table->recent;
    }
    if (table->count * 2 >= table->slot_count)
        grow_slots(table);
    assert(table->slots != NULL);
    size_t slot = slot_of(table, stream_id, partition);
    if (table->slots[slot] == 0) {
        table->lanes =
            alloc_grow(table->lanes, table->count, &table->capacity, sizeof(*table->lanes));
        table->lanes[table->count] =
            (struct seal_lane){.stream_id = stream_id, .partition = partition};
        table->slots[slot] = (uint32_t)++table->count;
    }
    table->recent = table->slots[slot] - 1;
    return table->recent;
}

/* The events in the order of the input, and which lane each belongs to. */
struct arrivals {
    struct seal_ref *refs;
    uint32_t *lanes;
    size_t count;
};

static bool
read_region(const struct seal_region *region, struct lane_table *table, struct arrivals *arrivals,
    struct error *err)
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
        uint32_t lane = lane_index(table, record.stream_id, record.partition);
        assert(table->lanes != NULL);
        table->lanes[lane].count++;
        arrivals->lanes[arrivals->count] = lane;
        arrivals->refs[arrivals->count++] = (struct seal_ref){
            .offset = (int64_t)record.position,
            .seq = seq,
            .at = region->records.data + start,
        };
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
read_regions(const struct seal_input *input, struct lane_table *table, struct arrivals *arrivals,
    struct error *err)
{
    uint64_t next = input->first_seq;
    for (size_t i = 0; i < input->region_count; i++) {
        const struct seal_region *region = &input->regions[i];
        if (region->first_seq < next || region->first_seq > input->end_seq ||
            region->event_count > input->end_seq - region->first_seq)
            return error_set(err, ERROR_FORMAT,
                "cannot seal: seqs from %llu on, %u events, are not expected there",
                (unsigned long long)region->first_seq, region->event_count);
        if (!read_region(region, table, arrivals, err))
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

static int
compare_refs(const void *a, const void *b)
{
    const struct seal_ref *left = a;
    const struct seal_ref *right = b;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return (left->seq > right->seq) - (left->seq < right->seq);
}

/* Give each lane its range of refs. next[i] is where the next event of the lane that was number i while
 * reading goes; `lane->first` carries that number through the sort. */
static uint32_t *
lay_out(struct lane_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        table->lanes[i].first = (uint32_t)i;
    if (table->count > 0)
        qsort(table->lanes, table->count, sizeof(*table->lanes), compare_lanes);
    uint32_t *next = alloc_array(table->count, sizeof(*next));
    uint32_t first = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct seal_lane *lane = &table->lanes[i];
        next[lane->first] = first;
        lane->first = first;
        first += lane->count;
    }
    return next;
}

static void
deal_out(struct seal_ref *refs, const struct arrivals *arrivals, uint32_t *next)
{
    for (size_t i = 0; i < arrivals->count; i++)
        refs[next[arrivals->lanes[i]]++] = arrivals->refs[i];
}

static void
sort_lane(struct seal_ref *refs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (refs[i].offset < refs[i - 1].offset) {
            qsort(refs, count, sizeof(*refs), compare_refs);
            return;
        }
    }
}

bool
seal_order_make(struct seal_order *order, const struct seal_input *input, struct error *err)
{
    struct lane_table table = {0};
    struct arrivals arrivals = {0};
    size_t count;
    *order = (struct seal_order){0};
    if (!count_events(input, &count, err))
        return false;
    arrivals.refs = alloc_array(count, sizeof(*arrivals.refs));
    arrivals.lanes = alloc_array(count, sizeof(*arrivals.lanes));
    bool good = read_regions(input, &table, &arrivals, err);
    if (good) {
        uint32_t *next = lay_out(&table);
        order->refs = alloc_array(count, sizeof(*order->refs));
        order->ref_count = count;
        deal_out(order->refs, &arrivals, next);
        for (size_t i = 0; i < table.count; i++)
            sort_lane(order->refs + table.lanes[i].first, table.lanes[i].count);
        for (size_t i = 0; i < input->region_count; i++)
            order->record_bytes += input->regions[i].records.length;
        order->lanes = table.lanes;
        order->lane_count = table.count;
        free(next);
    } else {
        free(table.lanes);
    }
    free(table.slots);
    free(arrivals.refs);
    free(arrivals.lanes);
    return good;
}

void
seal_order_done(struct seal_order *order)
{
    free(order->refs);
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
