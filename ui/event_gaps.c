#include "ui/event_gaps.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/event.h"
#include "index/hole.h"
#include "ui/deck.h"
#include "ui/event_gap.h"
#include "ui/event_list.h"
#include "ui/event_row.h"

/* Where the tape grows it is asked no oftener. */
#define INTERVAL_NS (NS_PER_S / 2)

/* Holes in front of a row that are looked at when none of the rows before it is of its lane. */
#define CHAIN_MAX 32u

void
event_gaps_begin(struct event_gaps *gaps)
{
    *gaps = (struct event_gaps){.places = gaps->places};
}

/* ---- what the tape says ---- */

static bool
must_ask(const struct event_gaps *gaps, const struct deck *deck, const struct tape_stretch *wanted,
    int64_t monotonic_ns)
{
    if (!gaps->is_asked)
        return true;
    bool is_same =
        wanted->first_seq == gaps->asked.first_seq && wanted->end_seq == gaps->asked.end_seq;
    bool is_in_front = wanted->first_seq < gaps->looked.first_seq;
    bool is_behind = wanted->end_seq > gaps->looked.end_seq;
    if (!is_same && (is_in_front || (is_behind && gaps->looked.end_seq < gaps->tape_end)))
        return true;
    /* A hole may be recorded without an event. */
    bool is_growing = deck->is_recording || deck->end_seq != gaps->tape_end;
    return is_growing && wanted->end_seq >= gaps->looked.end_seq &&
           monotonic_ns - gaps->asked_ns >= INTERVAL_NS;
}

static void
ask(struct event_gaps *gaps, const struct deck *deck, const struct tape_stretch *wanted,
    int64_t monotonic_ns)
{
    struct error ignored; /* who reads the events will say it */
    gaps->asked = gaps->looked = *wanted;
    gaps->asked_ns = monotonic_ns;
    gaps->tape_end = deck->end_seq;
    gaps->is_asked = true;
    gaps->lanes = tape_holes(deck->tape, &gaps->looked, &gaps->lane_count, &ignored);
    gaps->has_holes = false;
    for (size_t i = 0; gaps->lanes != NULL && i < gaps->lane_count; i++) {
        for (size_t k = 0; !gaps->has_holes && k < gaps->lanes[i].hole_count; k++)
            gaps->has_holes = event_gap_counts(&gaps->lanes[i].holes[k]);
    }
}

/* ---- where it is to be seen ---- */

/* The last row of a lane so far. */
struct seen {
    const struct event_row *row;
};

/* The first hole of the lane that begins behind `offset`. */
static size_t
first_behind(const struct lane_summary *lane, int64_t offset)
{
    size_t low = 0;
    size_t high = lane->hole_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lane->holes[middle].from > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Take in what is missing between two rows of the lane. */
static void
add_between(struct event_gap **gap, const struct lane_summary *lane, int64_t after, int64_t before)
{
    for (size_t i = first_behind(lane, after); i < lane->hole_count; i++) {
        const struct hole *hole = &lane->holes[i];
        if (hole->from > before)
            break;
        if (event_gap_counts(hole) && event_gap_end(hole) < before)
            event_gap_add(gap, lane->stream, hole);
    }
}

/* Is it sure that there are events of the lane in front of the hole? */
static bool
is_inside(const struct lane_summary *lane, const struct hole *hole)
{
    if (hole->from <= 0)
        return false;
    if (lane->events > 0 && lane->first_offset < hole->from)
        return true;
    return hole->was_here || (hole->reason != HOLE_NOT_RECORDED && hole->reason != HOLE_RETENTION);
}

/* Take in what is missing directly in front of the first row of the lane. */
static void
add_in_front(struct event_gap **gap, const struct lane_summary *lane, int64_t before)
{
    int64_t next = before;
    size_t at = first_behind(lane, before);
    for (size_t looked = 0; at > 0 && next > 0 && looked < CHAIN_MAX; looked++) {
        const struct hole *hole = &lane->holes[--at];
        if (event_gap_end(hole) != next - 1)
            break;
        next = hole->from;
    }
    for (; at < lane->hole_count && lane->holes[at].from <= before; at++) {
        const struct hole *hole = &lane->holes[at];
        if (hole->from >= next && event_gap_end(hole) < before && event_gap_counts(hole) &&
            is_inside(lane, hole))
            event_gap_add(gap, lane->stream, hole);
    }
}

/* What is missing in front of the row. */
static struct event_gap *
find_gap(const struct lane_summary *lane, const struct event_row *before, struct event_row *row)
{
    struct event_gap *gap = NULL;
    if (before == NULL)
        add_in_front(&gap, lane, row->offset);
    else if (before->offset < row->offset)
        add_between(&gap, lane, before->offset, row->offset);
    if (gap != NULL) {
        gap->seq_behind = row->seq;
        gap->after_ns = before == NULL ? CLOCK_NONE : before->received_ns;
        gap->before_ns = row->received_ns;
    }
    return gap;
}

/* What is missing behind the last row of the lane, as far as the head has come. */
static void
add_end(struct event_gap **gap, const struct lane_summary *lane, const struct event_row *last,
    const struct deck *deck, bool is_end)
{
    for (size_t i = first_behind(lane, last->offset); i < lane->hole_count; i++) {
        const struct hole *hole = &lane->holes[i];
        bool is_reached =
            is_end || (hole->noticed_ns != CLOCK_NONE && hole->noticed_ns <= deck->head_ns);
        if (!event_gap_counts(hole) || !is_reached)
            continue;
        event_gap_add(gap, lane->stream, hole);
        (*gap)->seq_behind = UINT64_MAX;
        (*gap)->after_ns = (*gap)->has_lanes ? CLOCK_NONE : last->received_ns;
        (*gap)->before_ns = CLOCK_NONE;
    }
}

static void
forget(struct event_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->rows[i]->gap);
        list->rows[i]->gap = NULL;
    }
    free(list->end_gap);
    list->end_gap = NULL;
}

static void
place(const struct event_gaps *gaps, struct event_list *list, const struct deck *deck)
{
    forget(list);
    if (!gaps->has_holes)
        return;
    struct seen *seen = alloc_array(gaps->lane_count, sizeof(*seen));
    for (size_t i = 0; i < list->count; i++) {
        struct event_row *row = list->rows[i];
        const struct lane_summary *lane =
            tape_find_lane(gaps->lanes, gaps->lane_count, row->stream, row->partition);
        if (lane == NULL || lane->hole_count == 0)
            continue;
        struct seen *of_lane = &seen[lane - gaps->lanes];
        row->gap = find_gap(lane, of_lane->row, row);
        of_lane->row = row;
    }
    bool is_end = list->end_seq >= deck->end_seq;
    bool is_whole = list->newer_is_done || deck->transport == TRANSPORT_LIVE;
    for (size_t i = 0; is_whole && i < gaps->lane_count; i++)
        if (seen[i].row != NULL)
            add_end(&list->end_gap, &gaps->lanes[i], seen[i].row, deck, is_end);
    free(seen);
}

bool
event_gaps_update(struct event_gaps *gaps, struct event_list *list, const struct deck *deck,
    size_t first, size_t end, int64_t monotonic_ns)
{
    if (list->count == 0)
        return false;
    bool is_last = end >= list->count;
    size_t from = first < list->count ? first : list->count - 1;
    struct tape_stretch wanted = {.first_seq = list->rows[from]->seq,
        .end_seq = is_last ? list->end_seq : list->rows[end]->seq + 1};
    bool is_new = must_ask(gaps, deck, &wanted, monotonic_ns);
    if (is_new)
        ask(gaps, deck, &wanted, monotonic_ns);
    if (!is_new && gaps->changes == list->changes)
        return false;
    gaps->changes = list->changes;
    gaps->places++;
    place(gaps, list, deck);
    return is_new;
}
