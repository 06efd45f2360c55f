#include "ui/help.h"

#include <stdio.h>
#include <string.h>

#include "ui/canvas.h"
#include "ui/glyph.h"
#include "ui/key.h"
#include "ui/keymap.h"
#include "ui/screen.h"
#include "ui/text.h"

#define COLUMN_WIDTH 58

/* What this screen has that others have not comes first. */
static const enum key_context order[] = {CONTEXT_EVENTS, CONTEXT_FLOWS, CONTEXT_LAG, CONTEXT_PANE,
    CONTEXT_FROM, CONTEXT_TABLE, CONTEXT_TAPE, CONTEXT_FIND, CONTEXT_MOVE, CONTEXT_EVERYWHERE};

static const char *const signs[] = {
    "► LIVE   follows the newest event",
    "‖ HELD   one moment is shown, recording goes on",
    "◄ PAST   a time on the tape, or nothing is recording",
    "streams  ● OK  ▲ SILENT, LOSS  × DOWN  ◌ IDLE, ENDED",
    "groups   ▲ WARN, SLOW  ■ STALL, STOP, JUMP, REWIND",
    "?        not known (never shown as 0)",
    "~1:920   one of 920 events is drawn, all are stored",
    "G        events that are missing there, and why;",
    "         where none ever was (markers) there is no row",
    "!        hidden or control bytes: shown, not sent",
};

void
help_open(struct help *help, const struct screen_ops *about)
{
    *help = (struct help){.about = about};
}

bool
help_key(struct help *help, uint32_t key)
{
    size_t length = strlen(help->find);
    int page = help->rows > 2 ? help->rows - 2 : 1;

    if (key == UI_KEY_BACKSPACE && length > 0) {
        help->find[length - 1] = '\0';
    } else if (key == UI_KEY_ESCAPE && length > 0) {
        help->find[0] = '\0';
    } else if (key == UI_KEY_ESCAPE || key == UI_KEY_F1 || key == UI_KEY_ENTER ||
               key == UI_KEY_BACKSPACE || (length == 0 && (key == 'q' || key == '?'))) {
        return false;
    } else if (key == UI_KEY_DOWN) {
        help->top++;
    } else if (key == UI_KEY_UP) {
        help->top--;
    } else if (key == UI_KEY_PAGE_DOWN || key == UI_KEY_CTRL('F')) {
        help->top += page;
    } else if (key == UI_KEY_PAGE_UP || key == UI_KEY_CTRL('B')) {
        help->top -= page;
    } else if (key >= 0x20 && key < 0x7f && length + 1 < sizeof(help->find)) {
        help->find[length] = (char)key;
        help->find[length + 1] = '\0';
        help->top = 0;
    }
    if (help->top < 0)
        help->top = 0;
    return true;
}

static bool
is_wanted(const struct help *help, const struct keymap_row *row)
{
    return help->find[0] == '\0' || strcasestr(row->help, help->find) != NULL ||
           strcasestr(row->command, help->find) != NULL || strcmp(row->keys, help->find) == 0;
}

/* Where the next line goes: columns of the page from top to bottom, then to the right. */
struct pen {
    struct canvas *canvas;
    int row;
    int rows;
    int column_count;
    int top;
    int line;
};

static bool
place_line(struct pen *pen, int *row, int *column)
{
    int line = pen->line++ - pen->top;
    if (line < 0 || line >= pen->rows * pen->column_count)
        return false;
    *row = pen->row + line % pen->rows;
    *column = 1 + line / pen->rows * COLUMN_WIDTH;
    return true;
}

static void
draw_key(struct pen *pen, const struct keymap_row *row)
{
    int at;
    int column;
    if (!place_line(pen, &at, &column))
        return;
    text_print(pen->canvas, at, column, 14, ROLE_NAME, "%s", row->keys);
    text_print(pen->canvas, at, column + 12, COLUMN_WIDTH - 12, ROLE_TEXT, "%s", row->help);
}

static void
draw_title(struct pen *pen, const char *title)
{
    int at;
    int column;
    if (pen->line > pen->top && (pen->line - pen->top) % pen->rows != 0)
        pen->line++;
    if ((pen->line - pen->top + 1) % pen->rows == 0)
        pen->line++; /* not alone at the bottom */
    if (place_line(pen, &at, &column))
        text_print(pen->canvas, at, column, COLUMN_WIDTH, ROLE_HEADING, "%s", title);
}

static void
draw_context(struct pen *pen, const struct help *help, enum key_context context)
{
    size_t count;
    const struct keymap_row *rows = keymap_rows(&count);
    bool has_title = false;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].context != context || !is_wanted(help, &rows[i]))
            continue;
        if (!has_title)
            draw_title(pen, keymap_context_title(context));
        has_title = true;
        draw_key(pen, &rows[i]);
    }
}

/* The digits are not in the table of keys: there is one for each screen. */
static void
draw_screens(struct pen *pen, const struct help *help)
{
    size_t count;
    const struct screen_ops *const *screens = screen_list(&count);
    int at;
    int column;

    if (help->find[0] != '\0')
        return;
    draw_title(pen, "SCREENS");
    for (size_t i = 0; i < count && i < 9; i++) {
        if (!place_line(pen, &at, &column))
            continue;
        text_print(pen->canvas, at, column, 2, ROLE_NAME, "%zu", i + 1);
        text_print(
            pen->canvas, at, column + 12, COLUMN_WIDTH - 12, ROLE_TEXT, "%s", screens[i]->title);
    }
}

static void
draw_signs(struct pen *pen, const struct help *help)
{
    int at;
    int column;
    if (help->find[0] != '\0')
        return;
    draw_title(pen, "SIGNS");
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!place_line(pen, &at, &column))
            continue;
        int width = pen->column_count > 1 ? COLUMN_WIDTH : pen->canvas->columns - 2;
        text_print(pen->canvas, at, column, width, ROLE_TEXT, "%s", signs[i]);
    }
}

static void
draw_all(struct pen *pen, const struct help *help)
{
    unsigned contexts = CONTEXT_EVERYWHERE | help->about->contexts;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (((unsigned)order[i] & contexts) != 0)
            draw_context(pen, help, order[i]);
    draw_screens(pen, help);
    draw_signs(pen, help);
}

void
help_draw(struct help *help, struct canvas *canvas, int row, int rows)
{
    struct pen pen = {.canvas = canvas, .row = row + 2, .rows = rows - 2};
    pen.column_count = canvas->columns >= 2 * COLUMN_WIDTH ? 2 : 1;
    help->rows = pen.rows;
    if (pen.rows < 1)
        return;

    canvas_fill(canvas, row, 0, canvas->columns, ROLE_SECONDARY, 0x2500);
    text_print(canvas, row, 3, 40, ROLE_HEADING, " Help for %s ", help->about->title);
    text_print_right(canvas, row, canvas->columns - 47, 45, ROLE_SECONDARY,
        " type to search, arrows scroll, Esc back ");
    text_print(canvas, row + 1, 1, canvas->columns - 2, ROLE_TEXT, "find › %s", help->find);
    pen.top = help->top;
    draw_all(&pen, help);
    help->lines = pen.line;
    int most = help->lines - pen.rows * pen.column_count;
    if (help->top > most && help->top > 0) {
        /* Scrolled past the end, now that the number of lines is known: once more from there. */
        help->top = most > 0 ? most : 0;
        for (int i = 0; i < pen.rows; i++)
            canvas_fill(canvas, pen.row + i, 0, canvas->columns, ROLE_TEXT, ' ');
        pen.line = 0;
        pen.top = help->top;
        draw_all(&pen, help);
    }
}
