/* text.h - bytes to cells: the only way by which text from outside gets onto a screen.
 *
 * What could drive a terminal, hide or rewrite what is read becomes visible: control characters as
 * pictures of themselves, C1 and invalid UTF-8 as \xNN, direction marks by name, all in ROLE_UNSAFE.
 * The screens draw their own words through it too, so there is nothing to get wrong.
 * Threads: any.
 */
#ifndef UI_TEXT_H
#define UI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ui/canvas.h"

/* Where text goes: at most `width` columns from (row, column). */
struct place {
    int row;
    int column;
    int width;
    enum role role;
    bool in_detail; /* name what is invisible instead of leaving it out */
};

struct text_result {
    int columns; /* used */
    int hidden;  /* code points that were left out, looked at as far as the text was drawn */
    int unsafe;  /* bytes and code points that were shown as something else */
    bool is_cut; /* it did not fit: the last column is an ellipsis */
};

/* Draw `bytes`. Looks at no more of them than it can draw, however long they are. */
struct text_result text_put(struct canvas *canvas, struct place place, struct bytes bytes);

/* The same for text with a terminator and for printf's; returns the columns used. */
int text_print(struct canvas *canvas, int row, int column, int width, enum role role,
    const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Like text_print(), but so that it ends at `column` + `width`. */
int text_print_right(struct canvas *canvas, int row, int column, int width, enum role role,
    const char *format, ...) __attribute__((format(printf, 6, 7)));

/* A name: one that does not fit is cut in the middle, since names of one family differ at their ends.
 * Returns the columns used. */
int text_print_name(
    struct canvas *canvas, int row, int column, int width, enum role role, const char *name);

/* Words over at most `rows` rows of `width` columns each, broken at blanks; returns the rows used. */
int text_print_wrapped(struct canvas *canvas, int row, int rows, int column, int width,
    enum role role, const char *text);

/* How many of the bytes fit into `width` columns as they are drawn in a detail; at least 1 of them. */
size_t text_fit(struct bytes bytes, int width);

/* Columns that `bytes` would take, at most `most`. */
int text_columns(struct bytes bytes, int most);

#endif
