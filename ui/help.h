/* help.h - every key of a screen, out of keymap.def, with a box to search them.
 *
 * Threads: none of its own.
 */
#ifndef UI_HELP_H
#define UI_HELP_H

#include <stdbool.h>
#include <stdint.h>

struct canvas;
struct screen_ops;

struct help {
    const struct screen_ops *about;
    char find[64];
    int top;
    int rows; /* that were drawn, for paging */
    int lines;
};

void help_open(struct help *help, const struct screen_ops *about);

/* Letters narrow the list; the arrow and page keys scroll. False when help is to be closed. */
bool help_key(struct help *help, uint32_t key);

void help_draw(struct help *help, struct canvas *canvas, int row, int rows);

#endif
