/* events_screen.h - the state of the Events screen, shared by the files that change it and the one
 * that draws it. */
#ifndef UI_EVENTS_SCREEN_H
#define UI_EVENTS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/detail.h"
#include "ui/event_gaps.h"
#include "ui/event_list.h"

/* The rows are those of the deck's head and filter as counted by `moves` and `filters`. The cursor is
 * an index into them, or, with on_gap, the gap in front of the row (of index `count`: behind the last
 * one); without has_cursor it stays on the newest one. */
struct events {
    struct event_list list;
    struct event_gaps gaps;
    unsigned moves;
    unsigned filters;
    bool is_begun;
    bool is_loading;
    bool has_cursor;
    size_t cursor;
    bool on_gap;
    uint64_t keep_seq; /* seq + 1 of the event that the cursor shall go to; 0: none */

    size_t top;        /* first row that is drawn, below its gap */
    size_t rows_drawn; /* lines for rows and gaps */
    int shift;         /* columns of the payload that are scrolled away */
    char search[128];

    bool has_detail;
    bool has_focus; /* keys go to the detail pane */
    bool is_zoomed;
    int detail_rows;
    struct detail detail;
    bool detail_is_gap;     /* what it shows */
    unsigned detail_places; /* of the gaps, when it was made */
};

#endif
