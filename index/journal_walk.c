#include "index/journal_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/journal.h"
#include "index/journal_part.h"
#include "index/lanes.h"
#include "index/query.h"
#include "index/record.h"
#include "index/tape_internal.h"

/* A record of a loaded frame: where it begins in the body, and which of its events it is. */
struct place {
    uint32_t at;
    uint32_t number;
};

/* Whether the query can match in a stream, asked once for each. */
enum stream_answer { STREAM_NOT_ASKED, STREAM_MAY_MATCH, STREAM_CANNOT_MATCH };

/* `places` are the records of the frame in `buffer` whose stream may match; the next one to give out is
 * places[next] (forward) or places[next - 1] (backward). `frame` is the next one to load. */
struct journal_walk {
    struct part_walk walk;
    struct tape *tape;
    struct part_walk_options options;
    struct query_bounds bounds;
    struct bytes literal;
    unsigned char *answers; /* enum stream_answer, by stream number */
    size_t answer_count;
    size_t frame;
    bool loaded;
    struct buffer buffer;
    struct place *places;
    size_t place_count;
    size_t place_capacity;
    size_t next;
    uint64_t loaded_seq; /* of the frame's first event */
    size_t lookup_frame; /* what `lookup` holds; SIZE_MAX: nothing */
    struct buffer lookup;
};

/* The first frame whose events end behind `seq`. */
static size_t
frame_of_seq(const struct journal *journal, uint64_t seq)
{
    size_t low = 0;
    size_t high = journal->frame_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct frame *frame = &journal->frames[middle];
        if (frame->first_seq + frame->event_count <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct part_walk *
journal_walk(struct part *part, struct tape *tape, const struct part_walk_options *options)
{
    struct journal_walk *self = alloc_zeroed(sizeof(*self));
    const struct journal *journal = &as_journal(part)->journal;
    self->walk.part = part;
    part->references++;
    self->tape = tape;
    self->options = *options;
    self->lookup_frame = SIZE_MAX;
    if (options->query != NULL) {
        query_bounds(options->query, &self->bounds);
        self->literal = query_required_literal(options->query);
    }
    self->frame =
        frame_of_seq(journal, options->newest_first ? options->end_seq - 1 : options->first_seq);
    if (options->newest_first && self->frame < journal->frame_count &&
        journal->frames[self->frame].first_seq < options->end_seq)
        self->frame++;
    return &self->walk;
}

void
journal_walk_free(struct part_walk *walk)
{
    struct journal_walk *self = (struct journal_walk *)walk;
    buffer_done(&self->buffer);
    buffer_done(&self->lookup);
    free(self->places);
    free(self->answers);
    part_release(walk->part);
    free(self);
}

static bool
stream_may_match(struct journal_walk *self, uint32_t stream_id)
{
    if (self->options.query == NULL || stream_id >= STREAM_ID_LIMIT)
        return true;
    if (stream_id >= self->answer_count) {
        size_t count = (size_t)stream_id + 64;
        self->answers = alloc_resize(self->answers, count);
        memset(self->answers + self->answer_count, STREAM_NOT_ASKED, count - self->answer_count);
        self->answer_count = count;
    }
    unsigned char *answer = &self->answers[stream_id];
    if (*answer == STREAM_NOT_ASKED)
        *answer =
            query_may_match_lane(self->options.query, tape_stream_by_id(self->tape, stream_id), -1)
                ? STREAM_MAY_MATCH
                : STREAM_CANNOT_MATCH;
    return *answer == STREAM_MAY_MATCH;
}

/* Can an event of this frame match, by what is known of the frame without reading it? */
static bool
frame_may_match(const struct journal_walk *self, const struct frame *frame)
{
    if (frame->first_seq >= self->options.end_seq ||
        frame->first_seq + frame->event_count <= self->options.first_seq)
        return false;
    if (self->options.query == NULL)
        return true;
    if (frame->first_seq > self->bounds.last_seq ||
        frame->first_seq + frame->event_count <= self->bounds.first_seq)
        return false;
    return !frame->zoned || (frame->max_time_ns >= self->bounds.from_ns &&
                                frame->min_time_ns <= self->bounds.until_ns &&
                                frame->max_received_ns >= self->bounds.received_from_ns &&
                                frame->min_received_ns <= self->bounds.received_until_ns);
}

static void
widen_zone(struct frame *frame, const struct record *record)
{
    int64_t time_ns = record->time_ns == CLOCK_NONE ? record->received_ns : record->time_ns;
    if (time_ns < frame->min_time_ns)
        frame->min_time_ns = time_ns;
    if (time_ns > frame->max_time_ns)
        frame->max_time_ns = time_ns;
    if (record->received_ns < frame->min_received_ns)
        frame->min_received_ns = record->received_ns;
    if (record->received_ns > frame->max_received_ns)
        frame->max_received_ns = record->received_ns;
}

/* Find where the records of the loaded frame begin that may match, and its zone. */
static void
index_frame(struct journal_walk *self, struct frame *frame)
{
    struct bytes body = journal_frame_body(&self->buffer);
    struct record record;
    size_t at = 0;
    uint32_t number = 0;
    self->place_count = 0;
    frame->min_time_ns = frame->min_received_ns = INT64_MAX;
    frame->max_time_ns = frame->max_received_ns = INT64_MIN;
    for (size_t start = 0; number < frame->event_count && record_decode(body, &at, &record);
         start = at, number++) {
        widen_zone(frame, &record);
        if (!stream_may_match(self, record.stream_id))
            continue;
        self->places = alloc_grow(
            self->places, self->place_count, &self->place_capacity, sizeof(*self->places));
        self->places[self->place_count++] = (struct place){(uint32_t)start, number};
    }
    frame->zoned = true;
    self->loaded_seq = frame->first_seq;
}

/* Read the next frame that may match. CURSOR_EVENT: it is loaded. */
static enum cursor_step
load_next(struct journal_walk *self, uint64_t *budget, struct error *err)
{
    struct journal_as_part *part = as_journal(self->walk.part);
    bool backward = self->options.newest_first;
    for (;;) {
        if (backward ? self->frame == 0 : self->frame >= part->journal.frame_count)
            return CURSOR_END;
        if (*budget == 0)
            return CURSOR_PAUSED;
        size_t index = backward ? --self->frame : self->frame++;
        struct frame *frame = &part->journal.frames[index];
        if (!frame_may_match(self, frame)) {
            self->options.progress->pruned_blocks++;
            continue;
        }

        bool damaged;
        if (!journal_part_read(part, self->tape, index, &self->buffer, &damaged, err))
            return CURSOR_FAILED;
        *budget -= *budget < frame->event_count ? *budget : frame->event_count;
        self->options.progress->scanned_blocks++;
        self->options.progress->scanned_events += frame->event_count;
        self->options.progress->scanned_bytes += frame->body_bytes;
        if (damaged)
            continue;
        struct bytes body = journal_frame_body(&self->buffer);
        if (self->literal.data != NULL &&
            memmem(body.data, body.length, self->literal.data, self->literal.length) == NULL)
            continue;
        index_frame(self, frame);
        self->next = backward ? self->place_count : 0;
        self->loaded = true;
        return CURSOR_EVENT;
    }
}

static void
give_out(
    struct journal_walk *self, struct bytes body, size_t place, uint64_t seq, struct event *event)
{
    struct record record;
    if (!record_decode(body, &place, &record))
        return; /* index_frame decoded the same bytes */
    record_to_event(&record, event);
    event->seq = seq;
    event->stream = tape_stream_by_id(self->tape, record.stream_id);
}

enum cursor_step
journal_walk_next(struct part_walk *walk, uint64_t *budget, struct event *event, struct error *err)
{
    struct journal_walk *self = (struct journal_walk *)walk;
    for (;;) {
        bool used_up =
            self->options.newest_first ? self->next == 0 : self->next == self->place_count;
        if (!self->loaded || used_up) {
            self->loaded = false;
            enum cursor_step step = load_next(self, budget, err);
            if (step != CURSOR_EVENT)
                return step;
            continue;
        }
        size_t index = self->options.newest_first ? --self->next : self->next++;
        uint64_t seq = self->loaded_seq + self->places[index].number;
        if (seq < self->options.first_seq || seq >= self->options.end_seq)
            continue;
        give_out(self, journal_frame_body(&self->buffer), self->places[index].at, seq, event);
        return CURSOR_EVENT;
    }
}

/* The oldest record of the lane at or behind `offset` in one frame; false when it has none. */
static bool
find_in_frame(struct bytes body, uint32_t stream_id, int32_t partition, int64_t offset,
    uint32_t *number, size_t *place)
{
    struct record record;
    size_t at = 0;
    uint32_t count = 0;
    for (size_t start = 0; record_decode(body, &at, &record); start = at, count++) {
        if (record.stream_id == stream_id && (int32_t)record.partition == partition &&
            (int64_t)record.position >= offset) {
            *number = count;
            *place = start;
            return true;
        }
    }
    return false;
}

/* Have frame `index` in `lookup`. CURSOR_EVENT: it is there. */
static enum cursor_step
look_up_frame(struct journal_walk *self, size_t index, struct error *err)
{
    if (index == self->lookup_frame)
        return CURSOR_EVENT;
    bool damaged;
    self->lookup_frame = SIZE_MAX;
    if (!journal_part_read(
            as_journal(self->walk.part), self->tape, index, &self->lookup, &damaged, err))
        return CURSOR_FAILED;
    if (damaged)
        return CURSOR_END;
    self->lookup_frame = index;
    return CURSOR_EVENT;
}

enum cursor_step
journal_fetch_seq(struct part_walk *walk, uint64_t seq, struct event *event, struct error *err)
{
    struct journal_walk *self = (struct journal_walk *)walk;
    const struct journal *journal = &as_journal(walk->part)->journal;
    size_t index = frame_of_seq(journal, seq);
    if (index == journal->frame_count || journal->frames[index].first_seq > seq)
        return CURSOR_END;
    enum cursor_step step = look_up_frame(self, index, err);
    if (step != CURSOR_EVENT)
        return step;

    struct bytes body = journal_frame_body(&self->lookup);
    struct record record;
    size_t place = 0;
    size_t at = 0;
    for (uint64_t i = journal->frames[index].first_seq; i <= seq; i++) {
        place = at;
        if (!record_decode(body, &at, &record))
            return CURSOR_END;
    }
    give_out(self, body, place, seq, event);
    return CURSOR_EVENT;
}

enum cursor_step
journal_fetch_offset(struct part_walk *walk, uint32_t stream_id, int32_t partition, int64_t offset,
    struct event *event, struct error *err)
{
    struct journal_walk *self = (struct journal_walk *)walk;
    struct journal_as_part *part = as_journal(walk->part);
    const struct lanes *lanes = walk->part->ops->lanes(walk->part, self->tape, err);
    if (lanes == NULL)
        return CURSOR_FAILED;
    const struct lane *lane = lanes_find(lanes, stream_id, partition);
    if (lane == NULL || lane->events == 0 || lane->last_offset < offset)
        return CURSOR_END;

    /* Where a lane goes on is asked of its last event, which as a rule is not far from the journal's end. */
    bool is_last = offset == lane->last_offset;
    size_t count = part->journal.frame_count;
    for (size_t k = 0; k < count; k++) {
        size_t i = is_last ? count - 1 - k : k;
        enum cursor_step step = look_up_frame(self, i, err);
        if (step == CURSOR_FAILED)
            return step;
        uint32_t number;
        size_t place;
        if (step == CURSOR_END || !find_in_frame(journal_frame_body(&self->lookup), stream_id,
                                      partition, offset, &number, &place))
            continue;
        give_out(self, journal_frame_body(&self->lookup), place,
            part->journal.frames[i].first_seq + number, event);
        return CURSOR_EVENT;
    }
    return CURSOR_END;
}
