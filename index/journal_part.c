/* A journal as a part of the tape: frames in the order of their seqs, each read whole. */
#include "index/journal_part.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/hole.h"
#include "index/hole_record.h"
#include "index/journal_walk.h"
#include "index/lanes.h"
#include "index/record.h"
#include "index/tape_internal.h"

/* A scan's control records need both the part and the tape. */
struct control_target {
    struct journal_as_part *self;
    struct tape *tape;
};

static void
take_control(void *self, const struct record *record)
{
    struct control_target *target = self;
    struct hole hole;
    if (record->type == RECORD_STREAM)
        tape_define_stream(target->tape, record->stream_id, record->key, record->payload);
    else if (hole_record_read(record, &hole) && hole.stream_id < STREAM_ID_LIMIT)
        lanes_add_hole(target->self->lanes, &hole);
}

static void
tell_damage(struct journal_as_part *self, struct tape *tape)
{
    for (; self->damage_told < self->journal.damage_count; self->damage_told++) {
        const struct journal_damage *damage = &self->journal.damage[self->damage_told];
        tape_note_damage(tape, damage->first_seq, damage->end_seq,
            "journal %s: %llu bytes at %llu are no frame", self->journal.path,
            (unsigned long long)damage->bytes, (unsigned long long)damage->at);
    }
}

static bool
refresh(struct part *part, struct tape *tape, bool is_final, struct error *err)
{
    struct journal_as_part *self = as_journal(part);
    if (part->is_final)
        return true;
    struct control_target target = {self, tape};
    self->journal.is_followed = tape_is_followed(tape);
    if (!journal_scan(&self->journal, false, is_final, take_control, &target, err))
        return false;
    part->end_seq = self->journal.end_seq;
    part->is_final = is_final;
    /* A good frame stands behind it, or nothing more comes: what is broken is not on its way. */
    tell_damage(self, tape);
    return true;
}

static void
close_part(struct part *part)
{
    struct journal_as_part *self = as_journal(part);
    journal_close(&self->journal);
    lanes_free(self->lanes);
    lanes_free(self->awaited);
    free(self);
}

/* The journal is open, and nothing of it was scanned. */
static struct part *
begin_part(struct journal_as_part *self, uint64_t id)
{
    self->part.ops = &journal_part;
    self->part.id = id;
    self->part.first_seq = self->part.end_seq = self->journal.header.base_seq;
    self->lanes = lanes_new();
    return &self->part;
}

static struct part *
open_part(struct tape *tape, const char *path, struct error *err)
{
    struct journal_as_part *self = alloc_zeroed(sizeof(*self));
    if (!journal_open(&self->journal, path, err)) {
        free(self);
        return NULL;
    }
    if (!tape_is_own(tape, path, self->journal.header.uuid, err)) {
        journal_close(&self->journal);
        free(self);
        return NULL;
    }
    return begin_part(self, self->journal.header.id);
}

/* A header is all that open() refuses: frames are whole or broken each on its own. */
static struct part *
salvage_part(struct tape *tape, const char *path, uint64_t id, const char *why, struct error *err)
{
    struct journal_as_part *self = alloc_zeroed(sizeof(*self));
    if (journal_open(&self->journal, path, err)) {
        journal_close(&self->journal); /* refused because it is of another tape */
        (void)error_set(err, ERROR_DAMAGED, "%.250s", why);
        free(self);
        return NULL;
    }
    if (!journal_open_headless(&self->journal, path, id, err)) {
        free(self);
        return NULL;
    }
    tape_note_damage(tape, 0, 0, "%.190s; its events are read by its frames", why);
    return begin_part(self, id);
}

bool
journal_part_read(struct journal_as_part *self, struct tape *tape, size_t index,
    struct buffer *buffer, bool *damaged, struct error *err)
{
    struct frame *frame = &self->journal.frames[index];
    *damaged = false;
    if (journal_read_frame(&self->journal, frame, buffer, err))
        return true;
    if (err->code != ERROR_DAMAGED)
        return false;
    tape_note_damage(
        tape, frame->first_seq, frame->first_seq + frame->event_count, "%s", err->text);
    *damaged = true;
    return true;
}

/* Events are lost here: what is missing of a lane shows when it goes on. */
static void
await_lanes(struct journal_as_part *self)
{
    if (self->awaited == NULL)
        self->awaited = lanes_new();
    for (size_t i = 0; i < lanes_count(self->lanes); i++) {
        const struct lane *lane = lanes_at(self->lanes, i);
        if (lane->events == 0)
            continue;
        struct lane *awaited = lanes_get(self->awaited, lane->stream_id, lane->partition);
        awaited->events = 1;
        awaited->last_offset = lane->last_offset;
    }
}

/* Is there damage in front of the next frame that took events? */
static bool
comes_damage(struct journal_as_part *self)
{
    const struct journal *journal = &self->journal;
    bool is_lost = false;
    for (; self->lane_damage < journal->damage_count; self->lane_damage++) {
        const struct journal_damage *damage = &journal->damage[self->lane_damage];
        if (damage->at > journal->frames[self->lane_frames].at)
            break;
        is_lost = is_lost || damage->end_seq > damage->first_seq;
    }
    return is_lost;
}

/* A lane that begins again behind lost events has lost the offsets between. */
static void
take_awaited(struct journal_as_part *self, const struct record *record)
{
    int32_t partition = (int32_t)record->partition;
    const struct lane *found = lanes_find(self->awaited, record->stream_id, partition);
    if (found == NULL || found->events == 0)
        return;
    lanes_get(self->awaited, record->stream_id, partition)->events = 0;
    struct hole hole = {
        .stream_id = record->stream_id,
        .partition = partition,
        .from = offset_behind(found->last_offset),
        .to = offset_before((int64_t)record->position),
        .reason = HOLE_DAMAGED,
        .noticed_ns = CLOCK_NONE,
    };
    lane_leave_holes(lanes_find(self->lanes, record->stream_id, partition), &hole);
    if (hole.from <= hole.to)
        lanes_add_hole(self->lanes, &hole);
}

static bool
take_frame(
    struct journal_as_part *self, struct tape *tape, struct buffer *buffer, struct error *err)
{
    bool damaged;
    if (!journal_part_read(self, tape, self->lane_frames, buffer, &damaged, err))
        return false;
    if (comes_damage(self) || damaged)
        await_lanes(self);
    struct record record;
    size_t at = 0;
    while (!damaged && record_decode(journal_frame_body(buffer), &at, &record)) {
        if (record.stream_id >= STREAM_ID_LIMIT)
            continue;
        if (self->awaited != NULL)
            take_awaited(self, &record);
        lanes_add_event(self->lanes, &record);
    }
    return true;
}

static const struct lanes *
lanes_of(struct part *part, struct tape *tape, struct error *err)
{
    struct journal_as_part *self = as_journal(part);
    struct buffer buffer = {0};
    bool good = true;
    for (; good && self->lane_frames < self->journal.frame_count; self->lane_frames += good)
        good = take_frame(self, tape, &buffer, err);
    buffer_done(&buffer);
    return good ? self->lanes : NULL;
}

/* A scan has looked at each control record. */
static const struct lanes *
holes_of(struct part *part, struct tape *tape, struct error *err)
{
    (void)tape;
    (void)err;
    return as_journal(part)->lanes;
}

/* While it may still be written, what is behind the last whole frame is no damage to those who read on. */
static bool
tell_broken_end(struct journal_as_part *self, struct tape *tape, struct error *err)
{
    bool is_broken;
    uint64_t at = self->journal.scanned;
    if (!journal_end_is_broken(&self->journal, at, &is_broken, err))
        return false;
    if (is_broken)
        tape_note_damage(tape, 0, 0,
            "journal %s: its end, from %llu on, is broken: the events in it are lost",
            self->journal.path, (unsigned long long)at);
    return true;
}

static bool
verify(struct part *part, struct tape *tape, struct error *err)
{
    struct journal_as_part *self = as_journal(part);
    struct buffer buffer = {0};
    bool good = true;
    for (size_t i = 0; good && i < self->journal.frame_count; i++) {
        bool damaged;
        self->journal.frames[i].verified = false;
        good = journal_part_read(self, tape, i, &buffer, &damaged, err);
    }
    buffer_done(&buffer);
    tell_damage(self, tape);
    return good && (part->is_final || tell_broken_end(self, tape, err));
}

static void
extent(const struct part *part, struct part_extent *extent)
{
    const struct journal *journal = &((const struct journal_as_part *)part)->journal;
    *extent = (struct part_extent){.blocks = journal->frame_count, .bytes = journal->scanned};
}

static uint64_t
largest(struct part *part, uint64_t enough)
{
    const struct journal *journal = &((const struct journal_as_part *)part)->journal;
    uint64_t most = 0;
    (void)enough;
    for (size_t i = 0; i < journal->frame_count; i++)
        most = journal->frames[i].body_bytes > most ? journal->frames[i].body_bytes : most;
    return most;
}

const struct part_ops journal_part = {
    .suffix = "jnl",
    .open = open_part,
    .salvage = salvage_part,
    .close = close_part,
    .refresh = refresh,
    .lanes = lanes_of,
    .holes = holes_of,
    .walk = journal_walk,
    .next = journal_walk_next,
    .walk_free = journal_walk_free,
    .extent = extent,
    .largest = largest,
    .fetch_seq = journal_fetch_seq,
    .fetch_offset = journal_fetch_offset,
    .verify = verify,
};
