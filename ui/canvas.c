#include "ui/canvas.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "ui/glyph.h"

static const struct cell blank = {.code = ' ', .role = ROLE_TEXT};

static int
clamp(int value, int most)
{
    if (value < 1)
        return 1;
    return value > most ? most : value;
}

struct canvas *
canvas_new(int rows, int columns)
{
    struct canvas *canvas = alloc_zeroed(sizeof(*canvas));
    canvas_resize(canvas, rows, columns);
    return canvas;
}

void
canvas_free(struct canvas *canvas)
{
    if (canvas == NULL)
        return;
    free(canvas->cells);
    free(canvas);
}

void
canvas_resize(struct canvas *canvas, int rows, int columns)
{
    canvas->rows = clamp(rows, CANVAS_MAX_ROWS);
    canvas->columns = clamp(columns, CANVAS_MAX_COLUMNS);
    free(canvas->cells);
    canvas->cells =
        alloc_array((size_t)canvas->rows * (size_t)canvas->columns, sizeof(struct cell));
    canvas_clear(canvas);
}

void
canvas_clear(struct canvas *canvas)
{
    size_t count = (size_t)canvas->rows * (size_t)canvas->columns;
    for (size_t i = 0; i < count; i++)
        canvas->cells[i] = blank;
    canvas->cursor_row = -1;
    canvas->cursor_column = 0;
}

static bool
is_inside(const struct canvas *canvas, int row, int column)
{
    return row >= 0 && column >= 0 && row < canvas->rows && column < canvas->columns;
}

/* The place must be inside. */
static struct cell *
cell_at(const struct canvas *canvas, int row, int column)
{
    return &canvas->cells[(size_t)row * (size_t)canvas->columns + (size_t)column];
}

/* A cell is about to be overwritten: when it is half of a wide character, blank the other half, so
 * that no half is left behind. */
static void
split_wide(struct canvas *canvas, int row, int column)
{
    if (cell_at(canvas, row, column)->code == 0 && column > 0)
        *cell_at(canvas, row, column - 1) = blank;
    else if (column + 1 < canvas->columns && cell_at(canvas, row, column + 1)->code == 0)
        *cell_at(canvas, row, column + 1) = blank;
}

int
canvas_set(struct canvas *canvas, int row, int column, enum role role, uint32_t code)
{
    if (!is_inside(canvas, row, column))
        return 0;

    int width = glyph_width(code);
    if (width == 0) {
        code = GLYPH_REPLACEMENT;
        width = 1;
    }
    if (width == 2 && column + 1 >= canvas->columns) {
        code = '>';
        width = 1;
    }
    split_wide(canvas, row, column);
    *cell_at(canvas, row, column) = (struct cell){.code = code, .role = role};
    if (width == 2) {
        split_wide(canvas, row, column + 1);
        *cell_at(canvas, row, column + 1) = (struct cell){.code = 0, .role = role};
    }
    return width;
}

bool
canvas_add_mark(struct canvas *canvas, int row, int column, uint32_t mark)
{
    if (!is_inside(canvas, row, column) || glyph_classify(mark) != GLYPH_MARK)
        return false;
    struct cell *cell = cell_at(canvas, row, column);
    if (cell->code == 0)
        return false;
    for (int i = 0; i < 2; i++) {
        if (cell->marks[i] == 0) {
            cell->marks[i] = mark;
            return true;
        }
    }
    return false;
}

void
canvas_fill(struct canvas *canvas, int row, int column, int count, enum role role, uint32_t code)
{
    for (int i = 0; i < count; i++)
        canvas_set(canvas, row, column + i, role, code);
}

void
canvas_mark_row(struct canvas *canvas, int row, int column, int count, enum role role)
{
    for (int i = 0; i < count; i++) {
        if (!is_inside(canvas, row, column + i))
            return;
        struct cell *cell = cell_at(canvas, row, column + i);
        if (cell->role != ROLE_CRITICAL && cell->role != ROLE_UNSAFE)
            cell->role = role;
    }
}

const struct cell *
canvas_cell(const struct canvas *canvas, int row, int column)
{
    assert(is_inside(canvas, row, column));
    return cell_at(canvas, row, column);
}

static void
append_cell(const struct cell *cell, bool ascii, struct buffer *text)
{
    char utf8[4];

    if (cell->code == 0) {
        if (ascii)
            buffer_append_byte(text, ' ');
        return;
    }
    if (ascii) {
        buffer_append_byte(text, glyph_ascii(cell->code));
        return;
    }
    buffer_append(text, utf8, glyph_encode(cell->code, utf8));
    for (int i = 0; i < 2 && cell->marks[i] != 0; i++)
        buffer_append(text, utf8, glyph_encode(cell->marks[i], utf8));
}

void
canvas_to_text(const struct canvas *canvas, bool ascii, struct buffer *text)
{
    for (int row = 0; row < canvas->rows; row++) {
        int last = canvas->columns - 1;
        while (last >= 0 && cell_at(canvas, row, last)->code == ' ')
            last--;
        for (int column = 0; column <= last; column++)
            append_cell(cell_at(canvas, row, column), ascii, text);
        buffer_append_byte(text, '\n');
    }
}
