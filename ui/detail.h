/* detail.h - one event in full, as lines: a tree, the bytes as text, or the bytes in hex.
 *
 * The tree shows a JSON payload as it was written: jansson says whether it is JSON, but numbers,
 * duplicate members and escapes are shown as they lie in the payload, not as a library read them.
 * Threads: none of its own.
 */
#ifndef UI_DETAIL_H
#define UI_DETAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct canvas;
struct event;

/* More of a payload is not kept for showing. */
#define DETAIL_MAX_BYTES ((size_t)1024 * 1024)
/* More lines are not made; the last one says so. */
#define DETAIL_MAX_LINES 100000u

enum detail_view {
    DETAIL_TREE,
    DETAIL_RAW,
    DETAIL_HEX,
    DETAIL_VIEW_COUNT,
};
const char *detail_view_name(enum detail_view view);

struct detail_line {
    size_t label_at; /* in `text` */
    size_t label_length;
    size_t value_at;
    size_t value_length;
    size_t subtree; /* lines below that fold away with this one */
    int depth;
    bool is_folded;
    bool is_field;   /* about the event, not of its payload */
    bool is_missing; /* the value is a word of ours: null, none */
};

struct detail {
    uint64_t seq;
    bool is_loaded;
    enum detail_view view;
    struct buffer text;
    struct detail_line *lines;
    size_t count;
    size_t capacity;
    size_t cursor; /* a line that can be seen */
    size_t top;
    size_t payload_line; /* where the payload begins */
    bool is_fresh;       /* not drawn yet */
    int columns;         /* to wrap raw text at; set before loading */
};

void detail_done(struct detail *detail);

/* Begin anew, about what stands at `seq`, and add lines about it that are not of a payload. */
void detail_begin(struct detail *detail, uint64_t seq);
void detail_add_field(struct detail *detail, const char *label, struct bytes value);

/* Make the lines of `event` for detail->view; the cursor goes to the payload. */
void detail_load(struct detail *detail, const struct event *event);

/* Move the cursor by lines that can be seen. */
void detail_move(struct detail *detail, int lines);
/* Fold or unfold the line under the cursor; true when that changed something. */
bool detail_fold(struct detail *detail, bool folded);

/* Draw into rows first_row .. first_row + rows - 1, the whole width. */
void detail_draw(
    struct detail *detail, struct canvas *canvas, int first_row, int rows, bool has_focus);

#endif
