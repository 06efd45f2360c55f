#include "index/tape_merge.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/tape.h"
#include "index/tape_writer.h"

/* A lane of one of the tapes, as of the last look_again(). */
struct source_lane {
    size_t tape; /* its place among the tapes: the first one's events are taken */
    const char *tap;
    struct lane_summary lane;
};

/* One tape's part in the merge of a lane. */
struct reader {
    const struct source_lane *source;
    struct query *query;
    struct cursor *cursor;
    struct event event; /* the next one, until `is_at_end` */
    bool is_at_end;
    size_t hole; /* the first of the lane's holes that may lie at or behind `next` */
};

/* `next` is the offset behind the last that was merged; `hole` is what is told of the offsets before
 * it, once it cannot grow any more (from < 0: nothing). */
struct merge {
    struct tape_writer *writer;
    const struct tape_merge_options *options;
    struct tape_merge_counts *counts;
    struct batch *batch;
    const struct stream *target;
    int32_t partition;
    int64_t checkpoint;
    uint64_t next;
    struct hole hole;
    struct reader readers[TAPE_MERGE_MAX];
    size_t reader_count;
    struct source_lane *lanes; /* all of them */
    size_t lane_count;
    uint64_t missed_files[TAPE_MERGE_MAX]; /* of each tape, that the lanes know of */
    size_t damaged_places[TAPE_MERGE_MAX]; /* the same */
};

/* ---- writing ---- */

static bool
flush(struct merge *merge, struct error *err)
{
    uint32_t count = batch_event_count(merge->batch);
    if (count == 0 && batch_hole_count(merge->batch) == 0)
        return true;
    if (!tape_writer_append(merge->writer, merge->batch, err))
        return false;
    merge->counts->taken += count;
    batch_release(merge->batch);
    merge->batch = batch_new();
    if (!tape_writer_tick(merge->writer, clock_monotonic_ns(), err))
        return false;
    if (merge->options->should_stop != NULL && merge->options->should_stop())
        return error_set(err, ERROR_SYSTEM, "stopped; the same merge goes on there");
    return true;
}

static bool
put_event(struct merge *merge, struct event *event, struct error *err)
{
    if (event->offset <= merge->checkpoint) {
        merge->counts->skipped++;
        return true;
    }
    event->stream = merge->target;
    if (event_size(event) > BATCH_TARGET_BYTES && !flush(merge, err))
        return false;
    return batch_add(merge->batch, event, err) &&
           (!batch_is_full(merge->batch) || flush(merge, err));
}

/* Tell the hole that has been growing. */
static void
end_hole(struct merge *merge)
{
    struct hole *hole = &merge->hole;
    if (hole->from >= 0 && hole->from <= merge->checkpoint)
        hole->from = merge->checkpoint + 1;
    if (hole->from >= 0 && (hole->to < 0 || hole->to >= hole->from)) {
        hole->stream_id = merge->target->id;
        hole->partition = merge->partition;
        hole->noticed_ns = clock_now_ns();
        batch_add_hole(merge->batch, hole);
        merge->counts->holes++;
    }
    hole->from = -1;
}

static void
grow_hole(struct merge *merge, int64_t from, int64_t to, enum hole_reason reason)
{
    struct hole *hole = &merge->hole;
    if (hole->from >= 0 && hole->to == from - 1 && hole->reason == reason) {
        hole->to = to;
        return;
    }
    end_hole(merge);
    *hole = (struct hole){.from = from, .to = to, .reason = reason};
}

/* ---- what is on no tape ---- */

/* How much a reason knows about the event that is not there. */
static int
knowledge(enum hole_reason reason)
{
    switch (reason) {
    case HOLE_NOT_RECORDED:
        return 0;
    case HOLE_UNKNOWN:
        return 1;
    case HOLE_RECREATED:
        return 2;
    case HOLE_DROPPED:
        return 3;
    case HOLE_DAMAGED:
        return 4;
    case HOLE_RETENTION:
        return 5;
    case HOLE_COMPACTED_OR_ABORTED:
        return 6;
    }
    return 0;
}

/* What the reader's tape says about the offset `from`; *to becomes the last one of which it says the same.
 * HOLE_NOT_RECORDED also where it says nothing. */
static enum hole_reason
reason_at(struct reader *reader, int64_t from, int64_t *to)
{
    const struct lane_summary *lane = &reader->source->lane;
    const struct hole *holes = lane->holes;
    while (reader->hole < lane->hole_count && holes[reader->hole].to >= 0 &&
           holes[reader->hole].to < from)
        reader->hole++;
    if (reader->hole == lane->hole_count)
        return HOLE_NOT_RECORDED;
    const struct hole *hole = &holes[reader->hole];
    int64_t last = hole->from > from ? hole->from - 1 : hole->to;
    if (last >= 0 && last < *to)
        *to = last;
    return hole->from > from ? HOLE_NOT_RECORDED : hole->reason;
}

/* No tape has the events next..to: each piece gets the reason that knows most. */
static void
explain(struct merge *merge, uint64_t next, int64_t to)
{
    while (to >= 0 && next <= (uint64_t)to) {
        int64_t from = (int64_t)next;
        int64_t last = to;
        enum hole_reason reason = HOLE_NOT_RECORDED;
        for (size_t i = 0; i < merge->reader_count; i++) {
            enum hole_reason other = reason_at(&merge->readers[i], from, &last);
            if (knowledge(other) > knowledge(reason))
                reason = other;
        }
        grow_hole(merge, from, last, reason);
        next = (uint64_t)last + 1;
    }
}

/* Where the lane begins on any of the tapes, be it with a hole. */
static uint64_t
first_offset(const struct merge *merge)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < merge->reader_count; i++) {
        const struct lane_summary *lane = &merge->readers[i].source->lane;
        if (lane->events > 0 && lane->first_offset < first)
            first = lane->first_offset;
        if (lane->hole_count > 0 && lane->holes[0].from < first)
            first = lane->holes[0].from;
    }
    return first < 0 ? 0 : (uint64_t)first;
}

/* Behind the last event there may be holes, and of one nobody may know how far it goes. */
static void
explain_end(struct merge *merge)
{
    int64_t last = -1;
    const struct hole *open = NULL;
    for (size_t i = 0; i < merge->reader_count; i++) {
        const struct lane_summary *lane = &merge->readers[i].source->lane;
        for (size_t h = 0; h < lane->hole_count; h++) {
            if (lane->holes[h].to > last)
                last = lane->holes[h].to;
            if (lane->holes[h].to < 0 && (open == NULL || lane->holes[h].from > open->from))
                open = &lane->holes[h];
        }
    }
    explain(merge, merge->next, last);
    if (last >= 0 && (uint64_t)last >= merge->next)
        merge->next = (uint64_t)last + 1;
    if (open != NULL && open->from >= 0 && (uint64_t)open->from >= merge->next) {
        explain(merge, merge->next, open->from - 1);
        end_hole(merge);
        merge->hole = (struct hole){.from = open->from, .to = -1, .reason = open->reason};
    }
    end_hole(merge);
}

/* ---- what is missing as it shows only now ---- */

static bool
renew_lanes(struct merge *merge, size_t tape, struct error *err)
{
    size_t count;
    const struct lane_summary *fresh = tape_lanes(merge->options->tapes[tape], &count, err);
    for (size_t i = 0; fresh != NULL && i < merge->lane_count; i++) {
        struct lane_summary *lane = &merge->lanes[i].lane;
        if (merge->lanes[i].tape != tape)
            continue;
        const struct lane_summary *found =
            tape_find_lane(fresh, count, lane->stream, lane->partition);
        *lane = found != NULL
                    ? *found
                    : (struct lane_summary){.stream = lane->stream, .partition = lane->partition};
    }
    for (size_t i = 0; i < merge->reader_count; i++)
        merge->readers[i].hole = 0;
    return fresh != NULL;
}

/* Files that were to be read were deleted by retention, or could not be read in a place: what the tapes say of their
 * offsets is another thing now. */
static bool
look_again(struct merge *merge, struct error *err)
{
    for (size_t i = 0; i < merge->options->tape_count; i++) {
        const struct tape_damage *ignored;
        struct tape *tape = merge->options->tapes[i];
        size_t damaged = tape_damage(tape, &ignored);
        bool is_missing = tape_missed_files(tape) != merge->missed_files[i];
        if (!is_missing && damaged == merge->damaged_places[i])
            continue;
        merge->damaged_places[i] = damaged;
        merge->missed_files[i] = tape_missed_files(tape);
        if (is_missing)
            tape_leave_missed(tape);
        if (!renew_lanes(merge, i, err))
            return false;
    }
    return true;
}

/* ---- one lane ---- */

static bool
advance(struct reader *reader, struct error *err)
{
    enum cursor_step step;
    do {
        step = cursor_next(reader->cursor, 0, &reader->event, err);
    } while (step == CURSOR_PAUSED ||
             (step == CURSOR_EVENT && reader->event.stream != reader->source->lane.stream));
    reader->is_at_end = step != CURSOR_EVENT;
    return step != CURSOR_FAILED;
}

static void
append_quoted(struct buffer *to, const char *text)
{
    buffer_append_byte(to, '"');
    for (const char *at = text; *at != '\0'; at++) {
        if (isalnum((unsigned char)*at))
            buffer_append_byte(to, (unsigned char)*at);
        else
            buffer_printf(to, "\\x%02x", (unsigned)(unsigned char)*at);
    }
    buffer_append_byte(to, '"');
}

static bool
open_reader(struct merge *merge, const struct source_lane *source, struct error *err)
{
    struct reader *reader = &merge->readers[merge->reader_count++];
    *reader = (struct reader){.source = source};
    struct buffer text = {0};
    buffer_append_text(&text, "stream=");
    append_quoted(&text, source->lane.stream->label);
    buffer_printf(&text, " partition=%d", source->lane.partition);
    reader->query = query_compile(buffer_text(&text), clock_now_ns(), NULL, err);
    buffer_done(&text);
    if (reader->query == NULL)
        return false;
    reader->cursor = cursor_new(merge->options->tapes[source->tape],
        &(struct cursor_options){.query = reader->query, .order = CURSOR_BY_OFFSET});
    return advance(reader, err);
}

static void
close_readers(struct merge *merge)
{
    for (size_t i = 0; i < merge->reader_count; i++) {
        cursor_free(merge->readers[i].cursor);
        query_free(merge->readers[i].query);
    }
    merge->reader_count = 0;
}

/* The first tape that has the lowest offset; NULL at the end. */
static struct reader *
lowest(struct merge *merge)
{
    struct reader *found = NULL;
    for (size_t i = 0; i < merge->reader_count; i++) {
        struct reader *reader = &merge->readers[i];
        if (!reader->is_at_end && (found == NULL || reader->event.offset < found->event.offset))
            found = reader;
    }
    return found;
}

static bool
is_same(const struct event *a, const struct event *b)
{
    return bytes_equal(a->key, b->key) && bytes_equal(a->headers, b->headers) &&
           bytes_equal(a->payload, b->payload) && (a->key.data == NULL) == (b->key.data == NULL) &&
           (a->payload.data == NULL) == (b->payload.data == NULL);
}

/* Pass over further copies of the event, on other tapes and on the same one. */
static bool
collapse(struct merge *merge, struct reader *taken, struct error *err)
{
    int64_t offset = taken->event.offset;
    for (size_t i = 0; i < merge->reader_count; i++) {
        struct reader *reader = &merge->readers[i];
        while (reader != taken && !reader->is_at_end && reader->event.offset == offset) {
            merge->counts->duplicates++;
            merge->counts->conflicts += !is_same(&taken->event, &reader->event);
            if (!advance(reader, err))
                return false;
        }
    }
    do {
        if (!advance(taken, err))
            return false;
        if (!taken->is_at_end && taken->event.offset == offset)
            merge->counts->duplicates++;
    } while (!taken->is_at_end && taken->event.offset == offset);
    return true;
}

static bool
merge_events(struct merge *merge, struct error *err)
{
    struct reader *reader;
    merge->hole.from = -1;
    merge->next = first_offset(merge);
    while ((reader = lowest(merge)) != NULL) {
        int64_t offset = reader->event.offset;
        if ((uint64_t)offset > merge->next && !look_again(merge, err))
            return false;
        explain(merge, merge->next, offset - 1);
        end_hole(merge);
        merge->next = (uint64_t)offset + 1;
        if (!put_event(merge, &reader->event, err) || !collapse(merge, reader, err))
            return false;
    }
    if (!look_again(merge, err))
        return false;
    explain_end(merge);
    return true;
}

static bool
merge_lane(struct merge *merge, const struct source_lane *sources, size_t count, struct error *err)
{
    const struct lane_summary *lane = &sources[0].lane;
    for (size_t i = 0; count > 1 && i < count; i++)
        if (sources[i].lane.offsets_are_synthetic)
            return error_set(err, ERROR_ARGUMENT,
                "%.80s is on several tapes, and its offsets are each recorder's own count: import "
                "one of them by itself, with --into-tap",
                sources[i].lane.stream->label);
    merge->partition = lane->partition;
    merge->target = tape_writer_stream(merge->writer, sources[0].tap, lane->stream->name);
    merge->checkpoint = tape_writer_checkpoint(merge->writer, merge->target, lane->partition);
    bool good = count <= TAPE_MERGE_MAX ||
                error_set(err, ERROR_LIMIT, "%.80s[%d] is on more than %u tapes and taps",
                    lane->stream->label, lane->partition, TAPE_MERGE_MAX);
    for (size_t i = 0; good && i < count; i++)
        good = open_reader(merge, &sources[i], err);
    good = good && merge_events(merge, err);
    close_readers(merge);
    return good;
}

/* ---- all lanes ---- */

static int
compare_lanes(const void *a, const void *b)
{
    const struct source_lane *left = a;
    const struct source_lane *right = b;
    int by_tap = strcmp(left->tap, right->tap);
    if (by_tap != 0)
        return by_tap;
    int by_name = strcmp(left->lane.stream->name, right->lane.stream->name);
    if (by_name != 0)
        return by_name;
    return (left->lane.partition > right->lane.partition) -
           (left->lane.partition < right->lane.partition);
}

/* Lanes of one name stand together, in the order of the tapes. */
static int
compare_all(const void *a, const void *b)
{
    const struct source_lane *left = a;
    const struct source_lane *right = b;
    int order = compare_lanes(a, b);
    return order != 0 ? order : (left->tape > right->tape) - (left->tape < right->tape);
}

static bool
list_lanes(struct merge *merge, struct error *err)
{
    const struct tape_merge_options *options = merge->options;
    size_t capacity = 0;
    for (size_t i = 0; i < options->tape_count; i++) {
        size_t found;
        const struct lane_summary *of_tape = tape_lanes(options->tapes[i], &found, err);
        if (of_tape == NULL)
            return false;
        for (size_t l = 0; l < found; l++) {
            if (stream_is_internal(of_tape[l].stream))
                continue;
            merge->lanes =
                alloc_grow(merge->lanes, merge->lane_count, &capacity, sizeof(*merge->lanes));
            merge->lanes[merge->lane_count++] = (struct source_lane){
                .tape = i,
                .tap = options->into_tap != NULL ? options->into_tap : of_tape[l].stream->tap,
                .lane = of_tape[l],
            };
        }
    }
    if (merge->lane_count > 0)
        qsort(merge->lanes, merge->lane_count, sizeof(*merge->lanes), compare_all);
    return true;
}

bool
tape_merge(struct tape_writer *writer, const struct tape_merge_options *options,
    struct tape_merge_counts *counts, struct error *err)
{
    assert(options->tape_count <= TAPE_MERGE_MAX);
    struct merge *merge = alloc_zeroed(sizeof(*merge));
    *merge = (struct merge){
        .writer = writer, .options = options, .counts = counts, .batch = batch_new()};
    *counts = (struct tape_merge_counts){0};

    bool good = list_lanes(merge, err);
    for (size_t from = 0; good && from < merge->lane_count;) {
        const struct source_lane *lanes = &merge->lanes[from];
        size_t to = from + 1;
        while (to < merge->lane_count && compare_lanes(lanes, &merge->lanes[to]) == 0)
            to++;
        good = merge_lane(merge, lanes, to - from, err);
        from = to;
    }
    good = good && flush(merge, err);
    batch_release(merge->batch);
    free(merge->lanes);
    free(merge);
    return good;
}
