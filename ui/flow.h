/* flow.h - one stream as a row of the Flows screen, from the live page or counted from the tape. */
#ifndef UI_FLOW_H
#define UI_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/lag.h"
#include "index/event.h"
#include "index/live.h"
#include "ui/changes.h"

struct canvas;
struct deck;
struct minute;

#define FLOW_SLOTS 60u

struct flow {
    const struct stream *stream;
    enum stream_state state;
    bool rate_is_known;
    double rate;       /* events per second */
    double bytes_rate; /* bytes per second */
    uint32_t slots[FLOW_SLOTS];
    int64_t last_ns; /* newest event; 0: none known */
    /* The group that asks for most attention of those that read it. */
    bool has_group; /* false: none is known, which with groups_are_known means that there is none */
    bool groups_are_known;
    char group[64];
    enum lag_state group_state;
    int64_t lag;    /* -1: unknown */
    double seconds; /* age of the oldest event that it has not committed; below 0: unknown */
};

/* Something that a person should look at: of the stream or of a group that reads it. */
bool flow_is_problem(const struct flow *flow);

/* Describe every stream of the tape but the recorder's own. Rows come from the live page when `minute`
 * is NULL; groups come from the deck's board, else from the live page. The array is grown as needed; returns how many rows there are. */
size_t flow_collect(
    const struct deck *deck, const struct minute *minute, struct flow **flows, size_t *capacity);

/* Draw `columns` cells of the last minute scaled to *peak, the highest cell in events per second. */
void flow_draw_sparkline(
    const struct flow *flow, struct canvas *canvas, int row, int column, int columns, double *peak);

#endif
