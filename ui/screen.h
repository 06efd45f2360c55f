/* screen.h - one full-screen way of looking at the tape.
 *
 * To add one: ui/screen_NAME.c with `const struct screen_ops screen_NAME`, and a row in
 * ui/screens.def. tick() and act() change a screen's state; draw() fills cells. A screen never does
 * things to the rest of the program: it returns a request, and the stage carries it out. It shares
 * the deck with the others, and moves the head by the deck's functions.
 */
#ifndef UI_SCREEN_H
#define UI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/keymap.h"

struct buffer;
struct canvas;
struct deck;

enum request_kind {
    REQUEST_NONE,      /* the action is done */
    REQUEST_UNHANDLED, /* it means nothing here now */
    REQUEST_SCREEN,    /* go to .screen with the filter .text */
};

struct request {
    enum request_kind kind;
    const char *screen;
    char text[512];
};

/* Make the filter `stream="LABEL"`, with what a quoted text needs escaped. Returns its length. */
size_t request_filter_stream(struct request *request, const char *label);

/* Where a screen draws: the rows between the head and the foot of the frame, the whole width. */
struct screen_area {
    int row;
    int rows;
    int columns;
};

struct screen_ops {
    const char *name;  /* in screens.def, `:NAME`, tapedeck screen NAME */
    const char *title; /* on the tab */
    unsigned contexts; /* of keymap.def, besides EVERYWHERE */
    int interval_ms;   /* new data is drawn no oftener */

    void *(*open)(struct deck *deck);
    void (*close)(void *self);

    /* The deck was brought up to date. True when what is drawn may differ. Sets deck->is_busy when
     * there is more to do than fitted into a few milliseconds. */
    bool (*tick)(void *self, struct deck *deck, int64_t monotonic_ns);

    struct request (*act)(void *self, struct deck *deck, enum action action);

    /* Look for a text in this view; "" ends that. NULL: nothing to search. */
    void (*search)(void *self, struct deck *deck, const char *text);

    /* May remember how many rows there were and where it scrolled, changes nothing else. */
    void (*draw)(
        void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area);

    /* What the last row says of a key now, when that is not what keymap.def says; "" leaves it out,
     * NULL is what keymap.def says. May be NULL. */
    const char *(*hint)(const void *self, const struct deck *deck, enum action action);

    /* One plain sentence about what is seen. */
    void (*sentence)(const void *self, const struct deck *deck, struct buffer *text);
};

/* All screens in the order of screens.def. */
const struct screen_ops *const *screen_list(size_t *count);

#endif
