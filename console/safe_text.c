#include "console/safe_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

#include "console/utf8.h"

static void
append_escaped_bytes(struct buffer *to, const unsigned char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char text[4] = {'\\', 'x', hex_digit(data[i] >> 4), hex_digit(data[i])};
        buffer_append(to, text, sizeof(text));
    }
}

static void
append_character(
    struct buffer *to, const unsigned char *data, size_t length, uint32_t character, bool backslash)
{
    if (character == '\n')
        buffer_append(to, "\\n", 2);
    else if (character == '\t')
        buffer_append(to, "\\t", 2);
    else if (character == '\r')
        buffer_append(to, "\\r", 2);
    else if (character == '\\' && backslash)
        buffer_append(to, "\\\\", 2);
    else if (utf8_is_unsafe(character))
        append_escaped_bytes(to, data, length);
    else
        buffer_append(to, data, length);
}

static bool
is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '\\';
}

static size_t
append_safe(struct buffer *to, struct bytes from, size_t limit, bool backslash)
{
    size_t at = 0;
    while (at < from.length && at < limit) {
        size_t run = at;
        while (run < from.length && run < limit && is_plain(from.data[run]))
            run++;
        buffer_append(to, from.data + at, run - at);
        at = run;
        if (at == from.length || at == limit)
            break;

        uint32_t character = 0;
        size_t length = utf8_decode(from, at, &character);
        if (length == 0) {
            append_escaped_bytes(to, from.data + at, 1);
            at++;
        } else {
            append_character(to, from.data + at, length, character, backslash);
            at += length;
        }
    }
    return at;
}

size_t
safe_text_append(struct buffer *to, struct bytes from, size_t limit)
{
    if (from.data == NULL)
        return 0;
    return append_safe(to, from, limit == 0 ? SIZE_MAX : limit, true);
}

void
safe_text_append_message(struct buffer *to, const char *text)
{
    (void)append_safe(to, bytes_of(text), SIZE_MAX, false);
}

size_t
safe_text_columns(struct bytes shown)
{
    size_t columns = 0;
    for (size_t at = 0; at < shown.length;) {
        uint32_t character;
        size_t length = utf8_decode(shown, at, &character);
        int width = length == 0 ? 1 : wcwidth((wchar_t)character);
        columns += width < 0 ? 1 : (size_t)width; /* a locale that does not know it */
        at += length == 0 ? 1 : length;
    }
    return columns;
}

size_t
safe_text_cell_columns(const char *text)
{
    struct buffer shown = {0};
    (void)safe_text_append(&shown, bytes_of(text), 0);
    size_t columns = safe_text_columns(bytes_make(shown.data, shown.length));
    buffer_done(&shown);
    return columns;
}

void
safe_text_pad(struct buffer *to, size_t start, size_t width)
{
    size_t columns = safe_text_columns(bytes_make(to->data + start, to->length - start));
    for (; columns < width; columns++)
        buffer_append_byte(to, ' ');
}

void
safe_text_append_cell(struct buffer *to, const char *text, size_t width)
{
    size_t start = to->length;
    (void)safe_text_append(to, bytes_of(text), 0);
    safe_text_pad(to, start, width);
}
