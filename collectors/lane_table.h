/* lane_table.h - the lanes of a tap, found by (stream id, partition) in constant time however many there are.
 *
 * Threads: one owner, no locks.
 */
#ifndef COLLECTORS_LANE_TABLE_H
#define COLLECTORS_LANE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct tap_lane;

/* lanes[0 .. count) in the order in which they were added; each stays where it is. `slots` is an
 * open-addressing table of place + 1 (0: free), of a power of two that is at least twice `count`.
 * Zero-initialise. */
struct lane_table {
    struct tap_lane **lanes;
    size_t count;
    size_t capacity;
    uint32_t *slots;
    size_t slot_count;
};

/* Free the lanes too. */
void lane_table_done(struct lane_table *table);

/* The lane, or NULL. */
struct tap_lane *lane_table_find(
    const struct lane_table *table, uint32_t stream_id, int32_t partition);

/* Add *lane, which must not be there yet, and take it over. */
void lane_table_add(struct lane_table *table, struct tap_lane *lane);

#endif
