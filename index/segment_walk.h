/* segment_walk.h - a segment walked by seq: part_ops.walk and what belongs to it.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_SEGMENT_WALK_H
#define INDEX_SEGMENT_WALK_H

#include <stdint.h>

#include "index/part.h"

struct block_cache;
struct segment;

struct part_walk *segment_walk(
    struct part *part, struct tape *tape, const struct part_walk_options *options);
enum cursor_step segment_walk_next(
    struct part_walk *walk, uint64_t *budget, struct event *event, struct error *err);
uint32_t segment_walk_cut(struct part_walk *walk);
void segment_walk_free(struct part_walk *walk);

/* For single reads with a walk that has no query. CURSOR_EVENT: the file is open, and *read is the walk's until
 * it is freed. CURSOR_END: retention took it, or it is damaged, which the tape was told. */
struct segment_reading {
    struct segment *segment;
    struct block_cache *cache;
    struct tape *tape;
};
enum cursor_step segment_walk_open(
    struct part_walk *walk, struct segment_reading *read, struct error *err);

#endif
