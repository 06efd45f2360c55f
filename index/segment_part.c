/* A sealed segment as a part of the tape. */
#include "index/segment_part.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block.h"
#include "index/catalogue.h"
#include "index/lanes.h"
#include "index/segment.h"
#include "index/segment_file.h"
#include "index/segment_filter.h"
#include "index/segment_walk.h"
#include "index/tape_internal.h"

static struct part *
make_part(struct segment_file *file)
{
    const struct segment_info *info = segment_file_info(file);
    struct segment_as_part *self = alloc_zeroed(sizeof(*self));
    self->file = file;
    self->part = (struct part){
        .ops = &segment_part,
        .id = info->id,
        .first_seq = info->first_seq,
        .end_seq = info->end_seq,
        .is_final = true,
    };
    return &self->part;
}

static struct part *
open_part(struct tape *tape, const char *path, struct error *err)
{
    struct segment_file *file = segment_file_open(tape, path, err);
    return file == NULL ? NULL : make_part(file);
}

static struct part *
salvage_part(struct tape *tape, const char *path, uint64_t id, const char *why, struct error *err)
{
    struct segment_file *file = segment_file_salvage(tape, path, id, why, err);
    return file == NULL ? NULL : make_part(file);
}

static struct part *
open_known(struct tape *tape, const char *path, struct catalogue_row *row)
{
    return make_part(segment_file_known(tape, path, row));
}

static void
close_part(struct part *part)
{
    struct segment_as_part *self = as_segment(part);
    segment_file_close(self->file);
    free(self->by_seq);
    free(self);
}

static bool
refresh(struct part *part, struct tape *tape, bool is_final, struct error *err)
{
    (void)part;
    (void)tape;
    (void)is_final;
    (void)err;
    return true;
}

static const struct lanes *
lanes_of(struct part *part, struct tape *tape, struct error *err)
{
    (void)tape;
    return segment_file_lanes(as_segment(part)->file, err);
}

enum cursor_step
segment_part_hold(struct part *part, struct tape *tape, struct segment **segment, struct error *err)
{
    errno = 0;
    struct segment *opened = segment_file_hold(as_segment(part)->file, err);
    if (opened == NULL) {
        if (errno == ENOENT) {
            tape_note_missed(tape, part);
            return CURSOR_END;
        }
        if (err->code != ERROR_DAMAGED)
            return CURSOR_FAILED;
        tape_note_damage(tape, part->first_seq, part->end_seq, "%s", err->text);
        return CURSOR_END;
    }
    *segment = opened;
    return CURSOR_EVENT;
}

static void
note_damage(void *self, const struct block_info *lost, const char *text)
{
    if (lost != NULL)
        tape_note_block(self, lost, text);
    else
        tape_note_damage(self, 0, 0, "%s", text);
}

static bool
verify(struct part *part, struct tape *tape, struct error *err)
{
    struct segment_file *file = as_segment(part)->file;
    struct segment *segment = segment_file_hold(file, err);
    if (segment == NULL) {
        if (err->code != ERROR_DAMAGED)
            return false;
        tape_note_damage(tape, part->first_seq, part->end_seq, "%s", err->text);
        return true;
    }
    bool could_read = segment_verify(segment, note_damage, tape, err);
    segment_file_release(file);
    return could_read;
}

static bool
expect(struct part *part, struct tape *tape, const struct query *query)
{
    struct segment_file *file = as_segment(part)->file;
    struct query_token tokens[FILTER_TOKENS_MAX];
    return !segment_file_is_open(file) &&
           segment_file_expect(file, tokens, segment_filter_needs(query, tape, tokens));
}

static bool
expect_open(struct part *part, struct tape *tape, const struct query *query)
{
    struct segment_file *file = as_segment(part)->file;
    struct query_token tokens[FILTER_TOKENS_MAX];
    return !segment_file_is_open(file) &&
           segment_file_expect_open(file, tokens, segment_filter_needs(query, tape, tokens));
}

static void
extent(const struct part *part, struct part_extent *extent)
{
    const struct segment_info *info =
        segment_file_info(((const struct segment_as_part *)part)->file);
    *extent = (struct part_extent){
        .blocks = info->block_count,
        .bytes = info->record_bytes,
        .events = info->event_count,
        .min_time_ns = info->min_time_ns,
        .max_time_ns = info->max_time_ns,
    };
}

/* A block is larger than usual only when it has one event: what all have together beyond the usual bounds it. */
static uint64_t
largest(struct part *part, uint64_t enough)
{
    struct segment_file *file = ((struct segment_as_part *)part)->file;
    const struct segment_info *info = segment_file_info(file);
    uint64_t usual = (uint64_t)info->block_count * BLOCK_TARGET_BYTES;
    uint64_t bound = BLOCK_TARGET_BYTES;
    if (info->record_bytes > usual)
        bound += info->record_bytes - usual;
    struct error ignored; /* who reads it will say it */
    struct segment *segment = bound <= enough ? NULL : segment_file_hold(file, &ignored);
    if (segment == NULL)
        return bound;
    uint64_t most = 0;
    for (uint32_t i = 0; i < info->block_count; i++) {
        uint64_t bytes = segment_block(segment, i)->record_bytes;
        most = bytes > most ? bytes : most;
    }
    segment_file_release(file);
    return most;
}

const struct part_ops segment_part = {
    .suffix = "seg",
    .open = open_part,
    .open_known = open_known,
    .salvage = salvage_part,
    .close = close_part,
    .refresh = refresh,
    .lanes = lanes_of,
    .holes = lanes_of,
    .walk = segment_walk,
    .expect = expect,
    .expect_open = expect_open,
    .next = segment_walk_next,
    .walk_free = segment_walk_free,
    .cut = segment_walk_cut,
    .extent = extent,
    .largest = largest,
    .fetch_seq = segment_fetch_seq,
    .fetch_offset = segment_fetch_offset,
    .by_lane = &segment_lane_walk,
    .by_time = &segment_time_walk,
    .verify = verify,
};
