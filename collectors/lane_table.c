#include "collectors/lane_table.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "collectors/outlet.h"
#include "index/event.h"
#include "index/lanes.h"

#define SLOTS_MIN 16

void
lane_table_done(struct lane_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->lanes[i]);
    free(table->lanes);
    free(table->slots);
    *table = (struct lane_table){0};
}

/* The slot that holds the lane, or the free one where it would go. */
static size_t
slot_of(const struct lane_table *table, uint32_t stream_id, int32_t partition)
{
    size_t slot = lane_hash(stream_id, partition) & (table->slot_count - 1);
    for (; table->slots[slot] != 0; slot = (slot + 1) & (table->slot_count - 1)) {
        const struct tap_lane *lane = table->lanes[table->slots[slot] - 1];
        if (lane->stream->id == stream_id && lane->partition == partition)
            break;
    }
    return slot;
}

struct tap_lane *
lane_table_find(const struct lane_table *table, uint32_t stream_id, int32_t partition)
{
    if (table->slot_count == 0)
        return NULL;
    uint32_t place = table->slots[slot_of(table, stream_id, partition)];
    return place == 0 ? NULL : table->lanes[place - 1];
}

static void
grow_slots(struct lane_table *table)
{
    free(table->slots);
    table->slot_count = table->slot_count == 0 ? SLOTS_MIN : table->slot_count * 2;
    table->slots = alloc_array(table->slot_count, sizeof(*table->slots));
    for (size_t i = 0; i < table->count; i++)
        table->slots[slot_of(table, table->lanes[i]->stream->id, table->lanes[i]->partition)] =
            (uint32_t)i + 1;
}

void
lane_table_add(struct lane_table *table, struct tap_lane *lane)
{
    table->lanes =
        alloc_grow(table->lanes, table->count, &table->capacity, sizeof(struct tap_lane *));
    if ((table->count + 1) * 2 > table->slot_count)
        grow_slots(table);
    table->slots[slot_of(table, lane->stream->id, lane->partition)] = (uint32_t)table->count + 1;
    table->lanes[table->count++] = lane;
}
