/* segment_part.h - what the ways through a segment share: the walk by seq (segment_walk.h), by lane
 * (segment_lane_walk.c), by time (segment_time_walk.c) and single reads (segment_fetch.c).
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_SEGMENT_PART_H
#define INDEX_SEGMENT_PART_H

#include <stdint.h>

#include "index/part.h"

struct ordered_walk_ops;
struct segment;
struct segment_file;

/* Where an event is; an index of UINT32_MAX: there is none. */
struct block_row {
    uint32_t block;
    uint32_t index;
};

/* by_seq[seq - first_seq] is where each event is; NULL until a single event is asked for. */
struct segment_as_part {
    struct part part;
    struct segment_file *file;
    struct block_row *by_seq;
};

static inline struct segment_as_part *
as_segment(struct part *part)
{
    return (struct segment_as_part *)part;
}

/* Have the file open, until segment_file_release(). CURSOR_EVENT: *segment is. CURSOR_END: retention took it, or
 * it is damaged, which the tape was told. */
enum cursor_step segment_part_hold(
    struct part *part, struct tape *tape, struct segment **segment, struct error *err);

extern const struct ordered_walk_ops segment_lane_walk;
extern const struct ordered_walk_ops segment_time_walk;

/* part_ops.fetch_seq and .fetch_offset; the walk is one of segment_walk.h. */
enum cursor_step segment_fetch_seq(
    struct part_walk *walk, uint64_t seq, struct event *event, struct error *err);
enum cursor_step segment_fetch_offset(struct part_walk *walk, uint32_t stream_id, int32_t partition,
    int64_t offset, struct event *event, struct error *err);

#endif
