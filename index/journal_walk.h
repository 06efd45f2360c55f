/* journal_walk.h - a journal walked by seq, and single reads of it: part_ops.walk and what belongs to it.
 *
 * A frame is read whole when one of its events may match.  Threads: those of the tape.
 */
#ifndef INDEX_JOURNAL_WALK_H
#define INDEX_JOURNAL_WALK_H

#include <stdint.h>

#include "index/part.h"

struct part_walk *journal_walk(
    struct part *part, struct tape *tape, const struct part_walk_options *options);
enum cursor_step journal_walk_next(
    struct part_walk *walk, uint64_t *budget, struct event *event, struct error *err);
void journal_walk_free(struct part_walk *walk);

/* part_ops.fetch_seq and .fetch_offset; the event lives until the next read of this walk. */
enum cursor_step journal_fetch_seq(
    struct part_walk *walk, uint64_t seq, struct event *event, struct error *err);
enum cursor_step journal_fetch_offset(struct part_walk *walk, uint32_t stream_id, int32_t partition,
    int64_t offset, struct event *event, struct error *err);

#endif
