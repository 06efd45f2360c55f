/* events_screen.h - the state of the Events screen, shared by the files that change it and the one
 * that draws it. */
#ifndef UI_EVENTS_SCREEN_H
#define UI_EVENTS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/detail.h"
#include "ui/event_list.h"

/* The rows are those of the deck's head and filter as counted by `moves` and `filters`. The cursor is
 * an index into them; without has_cursor it stays on the newest one. */
struct events {
    struct event_list list;
    unsigned moves;
    unsigned filters;
    bool is_begun;
    bool is_loading;
    bool has_cursor;
    size_t cursor;
    uint64_t keep_seq; /* seq + 1 of the event that the cursor shall go to; 0: none */

    size_t top; /* first row that is drawn */
    size_t rows_drawn;
    int shift; /* columns of the payload that are scrolled away */
    char search[128];

    bool has_detail;
    bool has_focus; /* keys go to the detail pane */
    bool is_zoomed;
    int detail_rows;
    struct detail detail;
};

#endif
