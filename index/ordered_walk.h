/* ordered_walk.h - the events of parts in another order than that of their seqs, without sorting all of them.
 *
 * A part that can give its events by (stream, partition, offset, seq), or by (event_time(), seq), has a `struct
 * ordered_walk_ops` for it; the walks of many parts are merged. A walk first only says where its next event is at the
 * earliest, and reads when that place's turn comes: so of parts that follow each other in a lane, or in time, one is
 * read after the other.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_ORDERED_WALK_H
#define INDEX_ORDERED_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/part.h"

/* In the order of (major, minor, seq). */
struct walk_place {
    int64_t major; /* walk_lane(), or the time */
    int64_t minor; /* the offset, or 0 */
    uint64_t seq;
    bool is_exact; /* the next event is there; else not before it, and its seq is 0 */
};

/* Negative: `a` comes first. A place that is not exact comes before an exact one that is the same. */
int walk_place_compare(const struct walk_place *a, const struct walk_place *b);

/* Numbers of streams are below STREAM_ID_LIMIT. */
static inline int64_t
walk_lane(uint32_t stream_id, int32_t partition)
{
    return (int64_t)((uint64_t)stream_id << 32 | (uint32_t)partition);
}

/* Any kind of part puts what it needs behind this. */
struct ordered_walk {
    const struct ordered_walk_ops *ops;
    struct part *part;
    struct walk_place place; /* of the next event */
};

struct ordered_walk_ops {
    /* A walk oldest first; NULL: it is known without reading that nothing matches. */
    struct ordered_walk *(*begin)(
        struct part *part, struct tape *tape, const struct part_walk_options *options);
    void (*end)(struct ordered_walk *walk);

    /* Move on towards an exact place, which may take several calls. CURSOR_EVENT: walk->place is a better
     * one; CURSOR_END: there is no event. Takes what it looked at from *budget and pauses at 0. */
    enum cursor_step (*settle)(struct ordered_walk *walk, uint64_t *budget, struct error *err);

    /* The event at walk->place, which is exact, and move on without reading more. The event lives until the
     * next call on this walk. CURSOR_END: it could not be read, the damage is noted. */
    enum cursor_step (*take)(struct ordered_walk *walk, struct event *event, struct error *err);
};

/* Merges walks. */
struct ordered_merge;
struct ordered_merge *ordered_merge_new(void);
void ordered_merge_free(struct ordered_merge *merge);

/* Take the part in. `ops` are those of its kind for the order of the merge; the ids of the parts rise. */
void ordered_merge_add(struct ordered_merge *merge, const struct ordered_walk_ops *ops,
    struct part *part, struct tape *tape, const struct part_walk_options *options);

/* Was the part with this number taken in? */
bool ordered_merge_has(const struct ordered_merge *merge, uint64_t part_id);

/* Where the next event is that may match. CURSOR_EVENT: *place is exact. */
enum cursor_step ordered_merge_peek(
    struct ordered_merge *merge, uint64_t *budget, struct walk_place *place, struct error *err);

/* The event that ordered_merge_peek() found; CURSOR_END as ordered_walk_ops.take. */
enum cursor_step ordered_merge_take(
    struct ordered_merge *merge, struct event *event, struct error *err);

#endif
