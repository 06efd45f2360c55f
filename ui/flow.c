#include "ui/flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/tape.h"
#include "ui/deck.h"
#include "ui/lag_board.h"
#include "ui/minute.h"

/* What the live page knows of groups: events and a name, for a recorder that keeps no samples. */
static void
add_live_group(struct flow *flow, const struct live_status *status)
{
    uint32_t count = status->group_count < LIVE_GROUPS ? status->group_count : LIVE_GROUPS;
    flow->groups_are_known = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct live_group *group = &status->groups[i];
        if (group->stream_id != flow->stream->id || (flow->has_group && group->lag <= flow->lag))
            continue;
        flow->has_group = true;
        flow->lag = group->lag;
        flow->group_state =
            group->state < LAG_STATE_COUNT ? (enum lag_state)group->state : LAG_UNKNOWN;
        (void)snprintf(
            flow->group, sizeof(flow->group), "%.*s", (int)sizeof(flow->group) - 1, group->name);
    }
}

static void
add_row(struct flow *flow, const struct lag_row *row, int64_t head_ns)
{
    flow->has_group = true;
    flow->group_state = lag_row_state(row, head_ns);
    flow->lag = row->lag;
    flow->seconds = row->seconds;
    (void)snprintf(
        flow->group, sizeof(flow->group), "%.*s", (int)sizeof(flow->group) - 1, row->group);
}

/* Trouble comes first; among groups that are well, the one that is known to be furthest behind. */
static bool
is_slower(const struct lag_row *a, const struct lag_row *b, int64_t head_ns)
{
    if (lag_is_problem(lag_row_state(a, head_ns)) || lag_is_problem(lag_row_state(b, head_ns)))
        return lag_row_compare(a, b, head_ns) < 0;
    return a->lag > b->lag;
}

/* The worst group of each stream. Streams have ids below `ids`, flows are found by them. */
static void
add_groups(const struct deck *deck, struct flow *flows, const size_t *by_id, size_t ids)
{
    const struct lag_row **worst = alloc_zeroed((ids + 1) * sizeof(struct lag_row *));
    for (size_t i = 0; i < lag_board_count(deck->board); i++) {
        const struct lag_row *row = lag_board_row(deck->board, i);
        if (row->source == NULL || row->source->id >= ids ||
            !lag_row_is_current(row, deck->head_ns))
            continue;
        const struct lag_row **place = &worst[row->source->id];
        if (*place == NULL || is_slower(row, *place, deck->head_ns))
            *place = row;
    }
    for (size_t id = 0; id < ids; id++)
        if (worst[id] != NULL && by_id[id] != SIZE_MAX)
            add_row(&flows[by_id[id]], worst[id], deck->head_ns);
    free(worst);
}

static bool
board_knows_groups(const struct deck *deck)
{
    for (size_t i = 0; i < lag_board_count(deck->board); i++)
        if (lag_row_is_current(lag_board_row(deck->board, i), deck->head_ns))
            return true;
    return false;
}

bool
flow_is_problem(const struct flow *flow)
{
    switch (flow->state) {
    case STREAM_SILENT:
    case STREAM_LOSS:
    case STREAM_DOWN:
        return true;
    case STREAM_OK:
    case STREAM_IDLE:
    case STREAM_ENDED:
    case STREAM_UNKNOWN:
        break;
    }
    return flow->has_group && lag_is_problem(flow->group_state);
}

static void
fill_from_live(struct flow *flow, const struct deck *deck)
{
    uint32_t id = flow->stream->id;
    flow->state = stream_state(deck, id, flow->stream->tap);
    flow->rate_is_known = flow->state != STREAM_DOWN && flow->state != STREAM_UNKNOWN;
    if (id >= deck->status->stream_count || id >= LIVE_STREAMS)
        return;
    const struct live_stream *live = &deck->status->streams[id];
    /* Whole seconds only: the one that is going on would always look like a drop. */
    memcpy(flow->slots + 1, live->rate, sizeof(flow->slots) - sizeof(flow->slots[0]));
    flow->last_ns = live->last_received_ns;
    flow->rate = deck_stream_rate(deck, id);
    if (live->events > 0)
        flow->bytes_rate = flow->rate * ((double)live->bytes / (double)live->events);
}

static void
fill_from_minute(struct flow *flow, const struct minute *minute)
{
    uint32_t id = flow->stream->id;
    uint64_t events = 0;

    flow->state = STREAM_UNKNOWN;
    if (id >= minute->stream_count)
        return;
    const struct minute_stream *counted = &minute->streams[id];
    memcpy(flow->slots, counted->events, sizeof(flow->slots));
    for (size_t i = 0; i < FLOW_SLOTS; i++)
        events += flow->slots[i];
    flow->rate_is_known = true;
    flow->rate = (double)events / minute_covered(minute);
    flow->bytes_rate = (double)counted->bytes / minute_covered(minute);
    flow->last_ns = counted->last_ns;
}

size_t
flow_collect(
    const struct deck *deck, const struct minute *minute, struct flow **flows, size_t *capacity)
{
    size_t streams = tape_stream_count(deck->tape);
    size_t *by_id = alloc_array(streams + 1, sizeof(*by_id));
    bool has_board = board_knows_groups(deck);
    size_t count = 0;

    for (size_t i = 0; i < streams; i++) {
        const struct stream *stream = tape_stream(deck->tape, i);
        by_id[i] = SIZE_MAX;
        if (stream->name[0] == '@')
            continue; /* what the recorder writes about itself */
        by_id[i] = count;
        *flows = alloc_grow(*flows, count, capacity, sizeof(struct flow));
        struct flow *flow = &(*flows)[count++];
        *flow = (struct flow){
            .stream = stream, .lag = -1, .seconds = -1.0, .groups_are_known = has_board};
        if (minute != NULL)
            fill_from_minute(flow, minute);
        else
            fill_from_live(flow, deck);
        if (!has_board && minute == NULL)
            add_live_group(flow, deck->status);
    }
    if (has_board)
        add_groups(deck, *flows, by_id, streams);
    free(by_id);
    return count;
}

/* Events per second in cell `cell` of `columns`: the slots that it covers, in whole ones. */
static double
cell_rate(const struct flow *flow, int cell, int columns)
{
    size_t from = (size_t)cell * FLOW_SLOTS / (size_t)columns;
    size_t to = (size_t)(cell + 1) * FLOW_SLOTS / (size_t)columns;
    uint64_t events = 0;
    if (to == from)
        to = from + 1;
    for (size_t i = from; i < to; i++)
        events += flow->slots[i];
    return (double)events / (double)(to - from);
}

void
flow_draw_sparkline(
    const struct flow *flow, struct canvas *canvas, int row, int column, int columns, double *peak)
{
    *peak = 0.0;
    for (int i = 0; i < columns; i++) {
        double rate = cell_rate(flow, i, columns);
        if (rate > *peak)
            *peak = rate;
    }
    for (int i = 0; i < columns; i++) {
        double rate = cell_rate(flow, i, columns);
        if (rate <= 0.0)
            continue;
        int level = (int)(rate / *peak * 8.0 + 0.5);
        canvas_set(
            canvas, row, column + i, ROLE_TEXT, (uint32_t)(0x2580 + (level < 1 ? 1 : level)));
    }
}
