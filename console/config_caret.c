/* The line of the configuration that an error points to, read again to be shown. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "console/config.h"
#include "console/safe_text.h"

struct place {
    char *path;
    long line;
    long column;
};

/* Take apart "PATH:LINE:COLUMN: text"; the path may have colons itself. */
static bool
find_place(const char *text, struct place *place)
{
    for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        char *end = NULL;
        long line = strtol(colon + 1, &end, 10);
        if (line < 1 || *end != ':')
            continue;
        long column = strtol(end + 1, &end, 10);
        if (column < 1 || strncmp(end, ": ", 2) != 0)
            continue;
        *place = (struct place){
            .path = alloc_text_of(text, (size_t)(colon - text)), .line = line, .column = column};
        return true;
    }
    return false;
}

/* Bytes of the line in front of a column that counts characters. */
static size_t
bytes_before(const char *line, size_t length, long column)
{
    size_t at = 0;
    for (long left = column - 1; left > 0 && at < length; left--) {
        at++;
        while (at < length && ((unsigned char)line[at] & 0xC0) == 0x80)
            at++;
    }
    return at;
}

static void
append_line(struct buffer *to, const char *line, size_t length, long column)
{
    size_t before = bytes_before(line, length, column);
    size_t separator = strcspn(line, "=:");
    bool points_to_key = separator < length && before < separator;
    size_t shown = points_to_key ? separator + 1 : length;

    buffer_append_text(to, "    ");
    (void)safe_text_append(to, bytes_make(line, shown), 0);
    buffer_append_text(to, points_to_key ? " ...\n    " : "\n    ");

    struct buffer front = {0};
    (void)safe_text_append(&front, bytes_make(line, before), 0);
    for (size_t i = 0; i < front.length; i++) {
        if ((front.data[i] & 0xC0) != 0x80)
            buffer_append_byte(to, ' ');
    }
    buffer_done(&front);
    buffer_append_text(to, "^\n");
}

void
config_append_caret(struct buffer *to, const struct error *err)
{
    struct place place;
    if (err->code != ERROR_CONFIG || !find_place(err->text, &place))
        return;
    FILE *file = fopen(place.path, "re");
    free(place.path);
    if (file == NULL)
        return;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length = 0;
    for (long i = 0; i < place.line && length >= 0; i++)
        length = getline(&line, &capacity, file);
    if (line != NULL && length >= 0)
        append_line(to, line, strcspn(line, "\r\n"), place.column);
    free(line);
    (void)fclose(file);
}
