/* lane_walk.h - the events of parts in the order of (stream, partition, offset, seq), without sorting them.
 *
 * A part whose events lie in that order has a `struct lane_walk_ops`; the walks of many parts are merged.
 * A walk first only says where its next event is at the earliest, and reads when that place's turn comes: so of
 * parts that follow each other in a lane one is read after the other.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_LANE_WALK_H
#define INDEX_LANE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/part.h"

struct lane_place {
    uint32_t stream_id;
    uint32_t partition;
    int64_t offset;
    uint64_t seq;
    bool is_exact; /* the next event is there; else not before it, and its seq is 0 */
};

/* Negative: `a` comes first. A place that is not exact comes before an exact one that is the same. */
int lane_place_compare(const struct lane_place *a, const struct lane_place *b);

/* Any kind of part puts what it needs behind this. */
struct lane_walk {
    struct part *part;
    struct lane_place place; /* of the next event */
};

struct lane_walk_ops {
    /* A walk oldest first; NULL: it is known without reading that nothing matches. */
    struct lane_walk *(*begin)(
        struct part *part, struct tape *tape, const struct part_walk_options *options);
    void (*end)(struct lane_walk *walk);

    /* Move on towards an exact place, which may take several calls. CURSOR_EVENT: walk->place is a better
     * one; CURSOR_END: there is no event. Takes what it looked at from *budget and pauses at 0. */
    enum cursor_step (*settle)(struct lane_walk *walk, uint64_t *budget, struct error *err);

    /* The event at walk->place, which is exact, and move on without reading more. The event lives until the
     * next call on this walk. CURSOR_END: it could not be read, the damage is noted. */
    enum cursor_step (*take)(struct lane_walk *walk, struct event *event, struct error *err);
};

/* Merges walks. */
struct lane_merge;
struct lane_merge *lane_merge_new(void);
void lane_merge_free(struct lane_merge *merge);

/* Take the part in, when it can be walked by lane: else false. */
bool lane_merge_add(struct lane_merge *merge, struct part *part, struct tape *tape,
    const struct part_walk_options *options);

/* Was the part with this number taken in? */
bool lane_merge_has(const struct lane_merge *merge, uint64_t part_id);

/* Where the next event is that may match. CURSOR_EVENT: *place is exact. */
enum cursor_step lane_merge_peek(
    struct lane_merge *merge, uint64_t *budget, struct lane_place *place, struct error *err);

/* The event that lane_merge_peek() found; CURSOR_END as lane_walk_ops.take. */
enum cursor_step lane_merge_take(struct lane_merge *merge, struct event *event, struct error *err);

#endif
