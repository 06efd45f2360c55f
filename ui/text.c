#include "ui/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ui/glyph.h"

/* Text that takes no columns must not make a row cost more than this many bytes of looking. */
#define LOOK_AHEAD_BYTES 4096u

/* One thing to draw: a character, or a few ASCII letters that stand for one. */
struct piece {
    size_t bytes; /* of the input */
    uint32_t code;
    char letters[16]; /* used when code is 0 */
    int width;        /* 0: nothing is drawn (left out, or a mark) */
    bool is_unsafe;
    bool is_mark;
};

static void set_letters(struct piece *piece, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
set_letters(struct piece *piece, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(piece->letters, sizeof(piece->letters), format, arguments);
    va_end(arguments);
    piece->width = length > 0 ? length : 0;
    piece->is_unsafe = true;
}

static void
set_code(struct piece *piece, uint32_t code, bool is_unsafe)
{
    piece->code = code;
    piece->width = is_unsafe ? 1 : glyph_width(code);
    piece->is_unsafe = is_unsafe;
}

static void
name_invisible(struct piece *piece, uint32_t code)
{
    const char *name = glyph_name(code);
    if (name != NULL)
        set_letters(piece, "<%s>", name);
    else
        set_letters(piece, "<U+%04X>", code);
}

/* Decide how the bytes at `data` are drawn; `length` > 0. */
static struct piece
next_piece(const unsigned char *data, size_t length, bool in_detail)
{
    struct piece piece = {0};
    uint32_t code = 0;

    piece.bytes = glyph_decode(data, length, &code);
    if (piece.bytes == 0) {
        piece.bytes = 1;
        set_letters(&piece, "\\x%02x", data[0]);
        return piece;
    }
    switch (glyph_classify(code)) {
    case GLYPH_PLAIN:
        set_code(&piece, code, false);
        break;
    case GLYPH_CONTROL:
        set_code(&piece, code == 0x7f ? 0x2421 : 0x2400 + code, true);
        break;
    case GLYPH_C1:
        set_letters(&piece, "\\x%02x", code);
        break;
    case GLYPH_BIDI:
        name_invisible(&piece, code);
        break;
    case GLYPH_INVISIBLE:
        piece.is_unsafe = true;
        if (in_detail)
            name_invisible(&piece, code);
        break;
    case GLYPH_MARK:
        piece.code = code;
        piece.is_mark = true;
        break;
    case GLYPH_UNKNOWN:
        if (in_detail)
            set_letters(&piece, "<U+%04X>", code);
        else
            set_code(&piece, GLYPH_REPLACEMENT, true);
        break;
    }
    return piece;
}

static void
draw_piece(struct canvas *canvas, const struct place *place, int column, const struct piece *piece)
{
    enum role role = piece->is_unsafe ? ROLE_UNSAFE : place->role;
    if (piece->code != 0) {
        canvas_set(canvas, place->row, column, role, piece->code);
        return;
    }
    for (int i = 0; i < piece->width; i++)
        canvas_set(canvas, place->row, column + i, role, (unsigned char)piece->letters[i]);
}

/* Make room for the ellipsis: the text is `columns` wide and all of it is drawn. */
static void
put_ellipsis(struct canvas *canvas, const struct place *place, struct text_result *result)
{
    result->is_cut = true;
    if (result->columns < place->width)
        result->columns++;
    canvas_set(canvas, place->row, place->column + result->columns - 1, ROLE_SECONDARY, 0x2026);
}

struct text_result
text_put(struct canvas *canvas, struct place place, struct bytes bytes)
{
    struct text_result result = {0};
    size_t at = 0;
    size_t idle = 0; /* bytes since something was drawn */
    int base = -1;   /* column of the last character, for marks */

    if (canvas != NULL && place.column + place.width > canvas->columns)
        place.width = canvas->columns - place.column;
    if (place.width <= 0)
        return result;
    while (at < bytes.length && idle < LOOK_AHEAD_BYTES) {
        struct piece piece = next_piece(bytes.data + at, bytes.length - at, place.in_detail);
        at += piece.bytes;
        idle = piece.width == 0 ? idle + piece.bytes : 0;
        if (piece.is_mark) {
            if (base < 0 || canvas == NULL || !canvas_add_mark(canvas, place.row, base, piece.code))
                result.hidden++;
            continue;
        }
        if (result.columns + piece.width > place.width) {
            if (canvas != NULL)
                put_ellipsis(canvas, &place, &result);
            result.is_cut = true;
            return result;
        }
        result.unsafe += piece.is_unsafe && piece.width > 0;
        result.hidden += piece.width == 0;
        if (piece.width == 0)
            continue;
        base = place.column + result.columns;
        if (canvas != NULL)
            draw_piece(canvas, &place, base, &piece);
        result.columns += piece.width;
    }
    return result;
}

static int print_at(struct canvas *canvas, struct place place, bool to_the_right,
    const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

static int
print_at(struct canvas *canvas, struct place place, bool to_the_right, const char *format,
    va_list arguments)
{
    char text[2048];
    int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length < 0)
        return 0;

    struct bytes bytes = bytes_of(text);
    if (to_the_right) {
        int columns = text_columns(bytes, place.width);
        place.column += place.width - columns;
        place.width = columns;
    }
    return text_put(canvas, place, bytes).columns;
}

int
text_print(
    struct canvas *canvas, int row, int column, int width, enum role role, const char *format, ...)
{
    struct place place = {.row = row, .column = column, .width = width, .role = role};
    va_list arguments;
    va_start(arguments, format);
    int columns = print_at(canvas, place, false, format, arguments);
    va_end(arguments);
    return columns;
}

int
text_print_right(
    struct canvas *canvas, int row, int column, int width, enum role role, const char *format, ...)
{
    struct place place = {.row = row, .column = column, .width = width, .role = role};
    va_list arguments;
    va_start(arguments, format);
    int columns = print_at(canvas, place, true, format, arguments);
    va_end(arguments);
    return columns;
}

/* Where the last characters begin that take at most `width` columns. */
static size_t
tail_of(struct bytes bytes, int width)
{
    size_t most = (size_t)width * 4;
    size_t at = bytes.length > most ? bytes.length - most : 0;
    while (at < bytes.length &&
           ((bytes.data[at] & 0xc0) == 0x80 ||
               text_columns(bytes_make(bytes.data + at, bytes.length - at), width + 1) > width))
        at++;
    return at;
}

int
text_print_name(
    struct canvas *canvas, int row, int column, int width, enum role role, const char *name)
{
    struct bytes bytes = bytes_of(name);
    struct place place = {.row = row, .column = column, .width = width, .role = role};
    if (width < 8 || text_columns(bytes, width + 1) <= width)
        return text_put(canvas, place, bytes).columns;

    place.width = (width - 1) / 2;
    size_t head = text_fit(bytes, place.width);
    place.column += text_put(canvas, place, bytes_make(bytes.data, head)).columns;
    place.column += canvas_set(canvas, row, place.column, role, 0x2026);
    place.width = column + width - place.column;
    size_t at = tail_of(bytes, place.width);
    text_put(canvas, place, bytes_make(bytes.data + at, bytes.length - at));
    return width;
}

/* How many bytes of `text` go into a row: up to the last blank that fits, else as many as fit. */
static size_t
words_that_fit(struct bytes text, int width)
{
    size_t fit = text_fit(text, width);
    if (fit >= text.length)
        return text.length;
    for (size_t at = fit + 1; at > 1; at--)
        if (text.data[at - 1] == ' ')
            return at - 1;
    return fit;
}

int
text_print_wrapped(struct canvas *canvas, int row, int rows, int column, int width, enum role role,
    const char *text)
{
    struct bytes left = bytes_of(text);
    int used = 0;

    while (left.length > 0 && used < rows) {
        struct place place = {.row = row + used, .column = column, .width = width, .role = role};
        size_t length = used + 1 < rows ? words_that_fit(left, width) : left.length;
        text_put(canvas, place, bytes_make(left.data, length));
        while (length < left.length && left.data[length] == ' ')
            length++;
        left = bytes_make(left.data + length, left.length - length);
        used++;
    }
    return used;
}

int
text_columns(struct bytes bytes, int most)
{
    struct place place = {.width = most};
    struct text_result result = text_put(NULL, place, bytes);
    return result.is_cut ? most : result.columns;
}

size_t
text_fit(struct bytes bytes, int width)
{
    size_t at = 0;
    int columns = 0;

    while (at < bytes.length) {
        struct piece piece = next_piece(bytes.data + at, bytes.length - at, true);
        if (columns + piece.width > width && at > 0)
            break;
        columns += piece.width;
        at += piece.bytes;
    }
    return at;
}
