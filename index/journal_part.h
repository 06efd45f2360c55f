/* journal_part.h - a journal as a part of the tape, for the ways through it (journal_walk.h).
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_JOURNAL_PART_H
#define INDEX_JOURNAL_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "index/journal.h"
#include "index/part.h"

struct error;
struct lanes;

/* `lanes` counts the frames below lane_frames, and every hole that a scan has met. */
struct journal_as_part {
    struct part part;
    struct journal journal;
    struct lanes *lanes;
    size_t lane_frames;
    size_t lane_damage; /* of the journal's damage, that is in front of those frames */
    struct lanes
        *awaited; /* as lanes were in front of damage, and have not gone on; NULL: there was none */
    size_t damage_told;
};

static inline struct journal_as_part *
as_journal(struct part *part)
{
    return (struct journal_as_part *)part;
}

/* Read frame `index` into `buffer`, whose content is replaced. *damaged: it is to be stepped over, which the tape was
 * told. False with *err: reading failed. */
bool journal_part_read(struct journal_as_part *self, struct tape *tape, size_t index,
    struct buffer *buffer, bool *damaged, struct error *err);

/* The records of a frame that was read; a view into `buffer`. */
static inline struct bytes
journal_frame_body(const struct buffer *buffer)
{
    return bytes_make(buffer->data + FRAME_HEADER_BYTES, buffer->length - FRAME_HEADER_BYTES);
}

#endif
