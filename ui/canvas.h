/* canvas.h - a rectangle of cells: what a screen draws into, and the only thing a terminal is shown.
 *
 * A cell is a code point with at most two combining marks, and a role: what it means, not which
 * colour it has. canvas_set() takes nothing that could move a cursor or change the order of a row,
 * whoever calls it; text from outside comes in through text_put() (ui/text.h).
 * Threads: one thread owns a canvas.
 */
#ifndef UI_CANVAS_H
#define UI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;

enum role {
#define ROLE(name, ...) ROLE_##name,
#include "ui/role.def"
#undef ROLE
    ROLE_COUNT,
};

struct cell {
    uint32_t code;     /* 0: the right half of the wide character before it */
    uint32_t marks[2]; /* 0: none */
    enum role role;
};

/* cells[row * columns + column]; every cell can be drawn as it is. */
struct canvas {
    int rows;
    int columns;
    int cursor_row; /* where the terminal's cursor is shown; -1: hidden */
    int cursor_column;
    struct cell *cells;
};

#define CANVAS_MAX_ROWS    1000
#define CANVAS_MAX_COLUMNS 2000

struct canvas *canvas_new(int rows, int columns);
void canvas_free(struct canvas *canvas);

/* Change the size (cut to 1..CANVAS_MAX_*) and clear. */
void canvas_resize(struct canvas *canvas, int rows, int columns);

/* All blanks, no cursor. */
void canvas_clear(struct canvas *canvas);

/* Put one code point; returns its width, 0 when the place is outside. A wide one that would reach
 * over the last column becomes '>', one that may not be drawn U+FFFD. */
int canvas_set(struct canvas *canvas, int row, int column, enum role role, uint32_t code);

/* Add a combining mark to the character that begins at (row, column); false when it has two. */
bool canvas_add_mark(struct canvas *canvas, int row, int column, uint32_t mark);

/* `count` times the same code point. */
void canvas_fill(
    struct canvas *canvas, int row, int column, int count, enum role role, uint32_t code);

/* Give the cells of a row a role, keeping what stands out by itself (ROLE_CRITICAL, ROLE_UNSAFE). */
void canvas_mark_row(struct canvas *canvas, int row, int column, int count, enum role role);

/* The cell at a place inside. */
const struct cell *canvas_cell(const struct canvas *canvas, int row, int column);

/* Append all rows as UTF-8 lines (ASCII stand-ins when `ascii`), trailing blanks removed. */
void canvas_to_text(const struct canvas *canvas, bool ascii, struct buffer *text);

#endif
