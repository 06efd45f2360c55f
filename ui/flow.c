#include "ui/flow.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/tape.h"
#include "ui/deck.h"
#include "ui/minute.h"

static void
add_lag(struct flow *flow, const struct live_status *status)
{
    uint32_t count = status->group_count < LIVE_GROUPS ? status->group_count : LIVE_GROUPS;
    flow->lag = -2;
    for (uint32_t i = 0; i < count; i++) {
        const struct live_group *group = &status->groups[i];
        if (group->stream_id != flow->stream->id || group->lag < flow->lag ||
            (flow->lag != -2 && group->lag == flow->lag))
            continue;
        flow->lag = group->lag;
        memcpy(flow->group, group->name, sizeof(flow->group));
        flow->group[sizeof(flow->group) - 1] = '\0';
    }
}

static void
fill_from_live(struct flow *flow, const struct deck *deck)
{
    uint32_t id = flow->stream->id;
    flow->state = stream_state(deck, id, flow->stream->tap);
    flow->rate_is_known = flow->state != STREAM_DOWN && flow->state != STREAM_UNKNOWN;
    add_lag(flow, deck->status);
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
    flow->lag = -1;
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
    size_t count = 0;

    for (size_t i = 0; i < streams; i++) {
        const struct stream *stream = tape_stream(deck->tape, i);
        if (stream->name[0] == '@')
            continue; /* what the recorder writes about itself */
        *flows = alloc_grow(*flows, count, capacity, sizeof(struct flow));
        struct flow *flow = &(*flows)[count++];
        *flow = (struct flow){.stream = stream};
        if (minute != NULL)
            fill_from_minute(flow, minute);
        else
            fill_from_live(flow, deck);
    }
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
