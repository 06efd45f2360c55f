#include "index/lane_sums.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/deletions.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/part.h"
#include "index/tape.h"
#include "index/tape_gone.h"
#include "index/tape_internal.h"

void
lane_sums_done(struct lane_sums *sums)
{
    lanes_free(sums->lanes);
    free(sums->rows);
    *sums = (struct lane_sums){0};
}

static int
compare_holes(const void *a, const void *b)
{
    const struct hole *left = a;
    const struct hole *right = b;
    return (left->from > right->from) - (left->from < right->from);
}

static int
compare_summaries(const void *a, const void *b)
{
    const struct lane_summary *left = a;
    const struct lane_summary *right = b;
    if (left->stream->id != right->stream->id)
        return left->stream->id < right->stream->id ? -1 : 1;
    return (left->partition > right->partition) - (left->partition < right->partition);
}

static void
summarise(struct tape *tape, const struct lane *lane, struct lane_summary *summary)
{
    if (lane->hole_count > 1)
        qsort(lane->holes, lane->hole_count, sizeof(*lane->holes), compare_holes);
    *summary = (struct lane_summary){
        .stream = tape_stream_by_id(tape, lane->stream_id),
        .partition = lane->partition,
        .events = lane->events,
        .bytes = lane->bytes,
        .first_offset = lane->first_offset,
        .last_offset = lane->last_offset,
        .first_ns = lane->first_ns,
        .last_ns = lane->last_ns,
        .first_received_ns = lane->first_received_ns,
        .last_received_ns = lane->last_received_ns,
        .offsets_are_synthetic = lane->offsets_are_synthetic,
        .holes = lane->holes,
        .hole_count = lane->hole_count,
        .holes_not_kept = lane->holes_not_kept,
    };
}

/* ---- what nobody recorded ---- */

/* The last gap that has no record, before the part that is added: lanes may go on much later. */
struct adding {
    struct tape *tape;
    struct lanes *sum;
    enum part_gap gap;
    bool is_front; /* nothing, and no record, is before it */
    size_t runs;   /* of the tape's deletions that are added */
    size_t first;  /* of the tape's parts */
    bool is_light; /* what parts know of their holes is enough */
};

/* The first offset that may be missing before those of `next`: behind what is known of the lane, or where it began in a
 * `gone` file. False: nothing is known, so that it may begin here. */
static bool
find_begin(const struct lane *known, const struct lane *gone, bool is_front, int64_t *begin)
{
    if (known != NULL && known->events > 0)
        *begin = offset_behind(known->last_offset);
    else if (known != NULL && known->hole_count > 0)
        *begin = known->holes[0].from;
    else if (is_front)
        *begin = 0;
    else if (gone != NULL && gone->events > 0)
        *begin = gone->first_offset;
    else
        return false;
    return true;
}

static struct hole
gap_of(const struct lane *lane, int64_t from, int64_t to, enum part_gap reason)
{
    return (struct hole){
        .stream_id = lane->stream_id,
        .partition = lane->partition,
        .from = from,
        .to = to,
        .reason = reason == PART_GAP_DAMAGED ? HOLE_DAMAGED : HOLE_UNKNOWN,
        .noticed_ns = CLOCK_NONE,
    };
}

/* Add what is left of the gap. */
static void
add_gap(struct lanes *sum, const struct lane *known, struct hole *gap)
{
    lane_leave_holes(known, gap);
    if (gap->from <= gap->to)
        lanes_add_hole(sum, gap);
}

/* Files are missing before this part: each lane that goes on in it has a hole; and where nothing is there
 * before them, each that begins in it. */
static void
infer_holes(const struct adding *adding, const struct lanes *next)
{
    struct lanes *sum = adding->sum;
    const struct lanes *gone = tape_gone(adding->tape)->lanes;
    for (size_t i = 0; i < lanes_count(next); i++) {
        const struct lane *lane = lanes_at(next, i);
        const struct lane *known = lanes_find(sum, lane->stream_id, lane->partition);
        int64_t from;
        if (lane->events == 0 ||
            !find_begin(known,
                gone == NULL ? NULL : lanes_find(gone, lane->stream_id, lane->partition),
                adding->is_front, &from))
            continue;
        struct hole gap = gap_of(lane, from, offset_before(lane->first_offset), adding->gap);
        lane_leave_holes(lane, &gap);
        add_gap(sum, known, &gap);
    }
}

/* Files are missing behind the last part: each lane that they had, as far as the catalogue says, has a hole. */
static void
add_behind(struct lanes *sum, const struct tape_gone *missing)
{
    bool is_gap = missing->gap == PART_GAP_GONE || missing->gap == PART_GAP_DAMAGED;
    size_t count = is_gap && missing->lanes != NULL ? lanes_count(missing->lanes) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct lane *lane = lanes_at(missing->lanes, i);
        const struct lane *known = lanes_find(sum, lane->stream_id, lane->partition);
        bool goes_on = known != NULL && known->events > 0;
        struct hole gap =
            gap_of(lane, goes_on ? offset_behind(known->last_offset) : lane->first_offset,
                lane->last_offset, missing->gap);
        if (lane->events > 0)
            add_gap(sum, known, &gap);
    }
}

/* ---- what retention deleted ---- */

static void
add_deleted(struct lanes *sum, const struct deletion_run *run, const struct lane *lane,
    int64_t from, int64_t to)
{
    struct hole hole = {
        .stream_id = lane->stream_id,
        .partition = lane->partition,
        .from = from,
        .to = to,
        .reason = HOLE_RETENTION,
        .noticed_ns = run->deleted_ns,
        .was_here = true,
        .first_ns = lane->first_ns,
        .last_ns = lane->last_ns,
    };
    if (from <= to)
        lanes_add_hole(sum, &hole);
}

/* The offsets of one lane of a run, less those in files that are there after all. */
static bool
add_deleted_lane(struct adding *adding, const struct deletion_run *run, const struct lane *lane,
    struct error *err)
{
    int64_t from = lane->first_offset;
    for (size_t i = 0; i < tape_part_count(adding->tape); i++) {
        struct part *part = tape_part(adding->tape, i);
        if (part->end_seq <= run->first_seq || part->first_seq >= run->end_seq)
            continue;
        const struct lanes *lanes = part->ops->lanes(part, adding->tape, err);
        if (lanes == NULL)
            return false;
        const struct lane *there = lanes_find(lanes, lane->stream_id, lane->partition);
        if (there == NULL || there->events == 0 || there->last_offset < from)
            continue;
        add_deleted(adding->sum, run, lane, from,
            there->first_offset <= lane->last_offset ? offset_before(there->first_offset)
                                                     : lane->last_offset);
        if (there->last_offset >= lane->last_offset)
            return true;
        from = offset_behind(there->last_offset);
    }
    add_deleted(adding->sum, run, lane, from, lane->last_offset);
    return true;
}

/* The runs that begin before `end_seq`. */
static bool
add_runs(struct adding *adding, uint64_t end_seq, struct error *err)
{
    const struct deletions *deletions = tape_deletions(adding->tape);
    for (; adding->runs < deletions->count; adding->runs++) {
        const struct deletion_run *run = &deletions->runs[adding->runs];
        if (run->first_seq >= end_seq)
            break;
        for (size_t i = 0; i < lanes_count(run->lanes); i++) {
            if (!add_deleted_lane(adding, run, lanes_at(run->lanes, i), err))
                return false;
        }
    }
    return true;
}

/* ---- what is broken ---- */

/* Does the lane come before the place, or behind it, in the order of a segment's blocks? */
static int
compare_place(const struct lane *lane, const struct tape_place *place)
{
    if (lane->stream_id != place->stream_id)
        return lane->stream_id < place->stream_id ? -1 : 1;
    return ((uint32_t)lane->partition > (uint32_t)place->partition) -
           ((uint32_t)lane->partition < (uint32_t)place->partition);
}

/* A block that was met and cannot be read: of the lanes of its part all between its first event and its last. */
static void
add_block(struct lanes *sum, const struct lanes *of_part, const struct tape_damage *damage)
{
    for (size_t i = 0; i < lanes_count(of_part); i++) {
        const struct lane *lane = lanes_at(of_part, i);
        int from_first = compare_place(lane, &damage->first);
        int from_last = compare_place(lane, &damage->last);
        if (lane->events == 0 || from_first < 0 || from_last > 0)
            continue;
        struct hole gap = gap_of(lane, from_first == 0 ? damage->first.offset : lane->first_offset,
            from_last == 0 ? damage->last.offset : lane->last_offset, PART_GAP_DAMAGED);
        add_gap(sum, lane, &gap);
    }
}

static void
add_blocks(struct adding *adding, const struct part *part, const struct lanes *of_part)
{
    const struct tape_damage *damage;
    size_t count = tape_damage(adding->tape, &damage);
    for (size_t i = 0; i < count; i++) {
        if (damage[i].first.stream != NULL && damage[i].first_seq >= part->first_seq &&
            damage[i].first_seq < part->end_seq)
            add_block(adding->sum, of_part, &damage[i]);
    }
}

/* ---- all of it ---- */

static bool
add_part(struct adding *adding, struct part *part, struct error *err)
{
    const struct lanes *lanes = adding->is_light ? part->ops->holes(part, adding->tape, err)
                                                 : part->ops->lanes(part, adding->tape, err);
    if (lanes == NULL || !add_runs(adding, part->first_seq, err))
        return false;
    if (part->gap == PART_GAP_GONE || part->gap == PART_GAP_DAMAGED) {
        adding->gap = part->gap;
        adding->is_front = adding->first == 0 && lanes_count(adding->sum) == 0;
    }
    if (adding->gap != PART_NO_GAP)
        infer_holes(adding, lanes);
    lanes_merge(adding->sum, lanes);
    add_blocks(adding, part, lanes);
    return true;
}

/* The rows of what was added, by stream and partition. */
static const struct lane_summary *
make_rows(struct lane_sums *sums, struct tape *tape, size_t *count)
{
    *count = lanes_count(sums->lanes);
    sums->rows = alloc_resize(sums->rows, *count * sizeof(*sums->rows));
    for (size_t i = 0; i < *count; i++)
        summarise(tape, lanes_at(sums->lanes, i), &sums->rows[i]);
    if (*count > 1)
        qsort(sums->rows, *count, sizeof(*sums->rows), compare_summaries);
    return sums->rows;
}

const struct lane_summary *
lane_sums_make(struct lane_sums *sums, struct tape *tape, size_t *count, struct error *err)
{
    *count = 0;
    lanes_free(sums->lanes);
    sums->lanes = lanes_new();
    struct adding adding = {.tape = tape, .sum = sums->lanes};
    for (size_t i = 0; i < tape_part_count(tape); i++) {
        if (!add_part(&adding, tape_part(tape, i), err))
            return NULL;
    }
    if (!add_runs(&adding, UINT64_MAX, err))
        return NULL;
    add_behind(sums->lanes, tape_gone(tape));
    return make_rows(sums, tape, count);
}

/* ---- a stretch of it ---- */

/* Parts before the stretch that say where its lanes come from, should files be missing in it. */
#define PARTS_BEFORE 4u

/* So many lanes of parts are looked at, but one part in any case: 130 bytes each. */
#define STRETCH_LANES_MAX 65536u

/* Which of the tape's parts: first .. end - 1, of which those from `wanted` on have seqs of the stretch. */
struct range {
    size_t first;
    size_t wanted;
    size_t end;
};

static bool
find_range(
    struct tape *tape, const struct tape_stretch *stretch, struct range *range, struct error *err)
{
    size_t end = tape_part_count(tape);
    while (end > 1 && tape_part(tape, end - 1)->first_seq >= stretch->end_seq)
        end--;
    size_t first = end;
    size_t wanted = end;
    size_t lanes = 0;
    while (first > 0 && wanted - first < PARTS_BEFORE) {
        struct part *part = tape_part(tape, first - 1);
        const struct lanes *of_part = part->ops->holes(part, tape, err);
        if (of_part == NULL)
            return false;
        lanes += lanes_count(of_part);
        if (lanes > STRETCH_LANES_MAX && first < end)
            break;
        first--;
        if (part->end_seq > stretch->first_seq)
            wanted = first;
    }
    *range = (struct range){first, wanted, end};
    return true;
}

/* Without seqs that are missing between them, nothing has to be inferred. */
static bool
are_whole(struct tape *tape, const struct range *range)
{
    if (range->end == tape_part_count(tape) && tape_gone(tape)->gap != PART_NO_GAP)
        return false;
    for (size_t i = range->first; i < range->end; i++) {
        if (tape_part(tape, i)->gap != PART_NO_GAP)
            return false;
    }
    return true;
}

/* Of a part in front of the stretch no more than where its lanes are: of holes only so many are kept, and those of the stretch
 * are asked for. */
static bool
add_part_before(struct adding *adding, struct part *part, struct error *err)
{
    const struct lanes *lanes = part->ops->holes(part, adding->tape, err);
    for (size_t i = 0; lanes != NULL && i < lanes_count(lanes); i++) {
        struct lane lane = *lanes_at(lanes, i);
        lane.hole_count = 0;
        lane.holes_not_kept = 0;
        lanes_merge_lane(adding->sum, &lane);
    }
    return lanes != NULL;
}

static bool
add_range(struct adding *adding, const struct range *range, struct error *err)
{
    struct tape *tape = adding->tape;
    const struct deletions *deletions = tape_deletions(tape);
    uint64_t first_seq = range->first > 0 ? tape_part(tape, range->first)->first_seq : 0;
    while (adding->runs < deletions->count && deletions->runs[adding->runs].end_seq <= first_seq)
        adding->runs++;
    for (size_t i = range->first; i < range->end; i++) {
        struct part *part = tape_part(tape, i);
        bool is_before = adding->is_light && i < range->wanted;
        if (is_before ? !add_part_before(adding, part, err) : !add_part(adding, part, err))
            return false;
    }
    if (range->end < tape_part_count(tape))
        return true;
    if (!add_runs(adding, UINT64_MAX, err))
        return false;
    add_behind(adding->sum, tape_gone(tape));
    return true;
}

const struct lane_summary *
lane_sums_make_holes(struct lane_sums *sums, struct tape *tape, struct tape_stretch *stretch,
    size_t *count, struct error *err)
{
    *count = 0;
    struct range range;
    if (!find_range(tape, stretch, &range, err))
        return NULL;
    lanes_free(sums->lanes);
    sums->lanes = lanes_new();
    struct adding adding = {.tape = tape,
        .sum = sums->lanes,
        .first = range.first,
        .is_light = are_whole(tape, &range)};
    if (!add_range(&adding, &range, err))
        return NULL;
    if (range.wanted < range.end)
        stretch->first_seq = range.wanted == 0 ? 0 : tape_part(tape, range.wanted)->first_seq;
    stretch->end_seq = range.end == tape_part_count(tape) ? tape_end_seq(tape)
                                                          : tape_part(tape, range.end - 1)->end_seq;
    return make_rows(sums, tape, count);
}

const struct lane_summary *
tape_find_lane(
    const struct lane_summary *lanes, size_t count, const struct stream *stream, int32_t partition)
{
    const struct lane_summary wanted = {.stream = stream, .partition = partition};
    return count == 0 ? NULL : bsearch(&wanted, lanes, count, sizeof(wanted), compare_summaries);
}
