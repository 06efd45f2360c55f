#include "index/seal_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
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
    /* Fibonacci hashing, Knuth 6.4: the golden ratio of 2^64. */
    uint64_t key = ((uint64_t)stream_id << 32 | partition) * UINT64_C(0x9e3779b97f4a7c15);
    size_t slot = (size_t)(key >> 20) & (table->slot_count - 1);
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

/* Which lane each event belongs to, in the order of the input. */
struct assignment {
    uint32_t *lanes;
    size_t count;
    size_t capacity;
};

static bool
read_region(const struct seal_region *region, struct lane_table *table,
    struct assignment *assignment, struct error *err)
{
    size_t at = 0;
    uint32_t count = 0;
    for (; at < region->records.length; count++) {
        struct record record;
        uint64_t seq = region->first_seq + count;
        size_t start = at;
        if (!record_decode(region->records, &at, &record) || record.type != RECORD_EVENT)
            return error_set(err, ERROR_FORMAT,
                "cannot seal: seq %llu is no event record, at byte %zu of its frame",
                (unsigned long long)seq, start);
        assignment->lanes = alloc_grow(assignment->lanes, assignment->count, &assignment->capacity,
            sizeof(*assignment->lanes));
        uint32_t lane = lane_index(table, record.stream_id, record.partition);
        assignment->lanes[assignment->count++] = lane;
        assert(table->lanes != NULL);
        table->lanes[lane].count++;
    }
    if (count != region->event_count)
        return error_set(err, ERROR_FORMAT,
            "cannot seal: the frame of seq %llu holds %u events, not %u",
            (unsigned long long)region->first_seq, count, region->event_count);
    return true;
}

static bool
read_regions(const struct seal_input *input, struct lane_table *table,
    struct assignment *assignment, struct error *err)
{
    uint64_t next = input->first_seq;
    for (size_t i = 0; i < input->region_count; i++) {
        const struct seal_region *region = &input->regions[i];
        if (region->first_seq < next || region->first_seq > input->end_seq ||
            region->event_count > input->end_seq - region->first_seq)
            return error_set(err, ERROR_FORMAT,
                "cannot seal: seqs from %llu on, %u events, are not expected there",
                (unsigned long long)region->first_seq, region->event_count);
        if (assignment->count + region->event_count > UINT32_MAX)
            return error_set(err, ERROR_LIMIT, "cannot seal more than 2^32 events at once");
        if (!read_region(region, table, assignment, err))
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
deal_out(struct seal_order *order, const struct seal_input *input, const uint32_t *lane_of,
    uint32_t *next)
{
    for (size_t i = 0; i < input->region_count; i++) {
        const struct seal_region *region = &input->regions[i];
        size_t at = 0;
        assert(region->event_count == 0 || lane_of != NULL);
        for (uint32_t k = 0; k < region->event_count; k++) {
            struct record record;
            const unsigned char *start = region->records.data + at;
            bool decoded = record_decode(region->records, &at, &record);
            assert(decoded); /* read_region() did */
            order->refs[next[*lane_of++]++] = (struct seal_ref){
                .offset = (int64_t)record.position,
                .seq = region->first_seq + k,
                .at = start,
            };
        }
        order->record_bytes += region->records.length;
    }
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
    struct assignment assignment = {0};
    *order = (struct seal_order){0};
    bool good = read_regions(input, &table, &assignment, err);
    if (good) {
        uint32_t *next = lay_out(&table);
        order->refs = alloc_array(assignment.count, sizeof(*order->refs));
        order->ref_count = assignment.count;
        deal_out(order, input, assignment.lanes, next);
        for (size_t i = 0; i < table.count; i++)
            sort_lane(order->refs + table.lanes[i].first, table.lanes[i].count);
        order->lanes = table.lanes;
        order->lane_count = table.count;
        free(next);
    } else {
        free(table.lanes);
    }
    free(table.slots);
    free(assignment.lanes);
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
