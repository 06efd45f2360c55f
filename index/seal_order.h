/* seal_order.h - the events of a segment in the order of (stream, partition, offset, seq).
 *
 * Collectors deliver the offsets of a lane in order, nearly always: events are dealt out to their
 * lanes, and only a lane that is not in order is sorted.  Threads: one owner.
 */
#ifndef INDEX_SEAL_ORDER_H
#define INDEX_SEAL_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct record;
struct seal_input;

/* Where a record lies. */
struct seal_ref {
    const unsigned char *at;
    uint64_t seq;
};

/* Events refs[first .. first + count) are those of a lane. */
struct seal_lane {
    uint32_t stream_id;
    uint32_t partition;
    uint32_t first;
    uint32_t count;
    int64_t last_offset; /* the next two are needed while it is made */
    bool is_shuffled;    /* some offset is below the one before it */
};

/* Zero-initialise it and end it with seal_order_done(); in between it can be made any number of times and
 * keeps its memory. */
struct seal_order {
    struct seal_ref *refs;
    size_t ref_count;
    struct seal_lane *lanes; /* by stream id, partition */
    size_t lane_count;
    size_t lane_capacity;
    struct seal_ref *arrived; /* in the order of the input, */
    uint32_t *arrived_lanes;  /* and of which lane each is */
    size_t capacity;          /* of the two, and of refs */
};

/* Sort the input, which is checked on the way. False with ERROR_FORMAT, or what input->fetch() said. The
 * input must outlive what is in *order. */
bool seal_order_make(struct seal_order *order, const struct seal_input *input, struct error *err);
void seal_order_done(struct seal_order *order);

/* Decode a record that seal_order_make() has checked. */
void seal_ref_record(const struct seal_ref *ref, struct record *record);

#endif
