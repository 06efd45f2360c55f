/* flows_screen.h - the state of the Flows screen, shared by the file that changes it and the one that
 * draws it. */
#ifndef UI_FLOWS_SCREEN_H
#define UI_FLOWS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/flow.h"
#include "ui/minute.h"
#include "ui/screen.h"

struct buffer;
struct changes;

enum flows_order {
    FLOWS_BY_TAPE, /* as they were first seen: rows stay where they are */
    FLOWS_BY_TROUBLE,
    FLOWS_BY_RATE,
    FLOWS_BY_LAG,
    FLOWS_ORDER_COUNT,
};

/* The rows are a copy as of the last tick that was LIVE, or as of where the head was put: a head
 * that stands shows a picture that stands. */
struct flows {
    struct flow *rows;
    size_t count;
    size_t capacity;
    size_t *shown; /* indexes into rows, in the order of the table */
    size_t shown_count;
    size_t shown_capacity;
    size_t cursor; /* index into shown */
    const struct stream *cursor_stream;
    size_t top;
    size_t page; /* rows that were drawn */
    struct changes *changes;
    struct minute minute;
    unsigned moves; /* deck->moves that the rows belong to */
    bool has_rows;
    char search[128];
    enum flows_order order;
    bool only_problems;
};

bool flows_row_matches(const struct flow *flow, const char *text);

void flows_draw(
    void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area);
void flows_sentence(const void *self, const struct deck *deck, struct buffer *text);

#endif
