/* lanes.h - per lane: how much is on the tape, from where to where, and which offsets are missing.
 *
 * A hash table by (stream id, partition) that grows with what is added to it. Kept by the writer (to
 * know where taps go on), by each journal and segment that a reader has open, and summed up for
 * tape_lanes().  Threads: one owner, no locks.
 */
#ifndef INDEX_LANES_H
#define INDEX_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hole;
struct lanes;
struct record;

/* Holes kept per lane; further ones are only counted. */
#define LANE_HOLES_MAX 4096u

struct lane {
    uint32_t stream_id;
    int32_t partition;
    uint64_t events;
    uint64_t bytes;
    int64_t first_offset; /* lowest and highest offset; meaningless while events is 0 */
    int64_t last_offset;
    int64_t first_ns; /* event_time() */
    int64_t last_ns;
    int64_t first_received_ns;
    int64_t last_received_ns;
    bool offsets_are_synthetic;
    struct hole *holes; /* in the order in which they were added */
    size_t hole_count;
    size_t hole_capacity;
    uint64_t holes_not_kept;
};

/* A number for the lane, to be cut to the size of a table of a power of two: Fibonacci hashing, Knuth 6.4,
 * with the golden ratio of 2^64. The upper half of the product, because the stream number has no say in
 * the lower one. */
static inline size_t
lane_hash(uint32_t stream_id, int32_t partition)
{
    uint64_t key = (uint64_t)stream_id << 32 | (uint32_t)partition;
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

struct lanes *lanes_new(void);
void lanes_free(struct lanes *lanes);

/* The lane, made when it is new. The pointer lives until the next lane is made. */
struct lane *lanes_get(struct lanes *lanes, uint32_t stream_id, int32_t partition);

/* The lane, or NULL. */
const struct lane *lanes_find(const struct lanes *lanes, uint32_t stream_id, int32_t partition);

/* Count one event record. */
void lanes_add_event(struct lanes *lanes, const struct record *record);

void lanes_add_hole(struct lanes *lanes, const struct hole *hole);

/* Take from the gap what the lane's holes (NULL: there is none) say of its ends. from > to: nothing is left. */
void lane_leave_holes(const struct lane *lane, struct hole *gap);

/* The neighbours of an offset; the outermost ones are their own. */
static inline int64_t
offset_behind(int64_t offset)
{
    return offset == INT64_MAX ? offset : offset + 1;
}

static inline int64_t
offset_before(int64_t offset)
{
    return offset == INT64_MIN ? offset : offset - 1;
}

/* Add everything that `from` knows. */
void lanes_merge(struct lanes *lanes, const struct lanes *from);
void lanes_merge_lane(struct lanes *lanes, const struct lane *from);

size_t lanes_count(const struct lanes *lanes);

/* Lane number `index`, in the order in which they were made. */
const struct lane *lanes_at(const struct lanes *lanes, size_t index);

#endif
