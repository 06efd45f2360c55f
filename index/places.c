#include "index/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "index/event.h"

#define PLACES_HEAD      "tapedeck places 1"
#define PLACES_MAX_BYTES ((size_t)1024 * 1024)

static const char *const field_texts[PLACE_COUNT] = {
    [PLACE_ID] = "id",
    [PLACE_TYPE] = "type",
    [PLACE_SEQUENCE] = "sequence",
    [PLACE_CORRELATION] = "correlation",
    [PLACE_CAUSATION] = "causation",
};

bool
place_field_parse(const char *text, enum place_field *field)
{
    for (int i = 0; i < PLACE_COUNT; i++) {
        if (strcmp(field_texts[i], text) == 0) {
            *field = (enum place_field)i;
            return true;
        }
    }
    return false;
}

void
places_done(struct places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        free(places->rows[i].stream);
        for (int k = 0; k < PLACE_COUNT; k++)
            free(places->rows[i].header[k]);
    }
    free(places->rows);
    *places = (struct places){0};
}

/* Tabs and line breaks separate in the file. */
static bool
has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

static struct stream_places *
row_of(struct places *places, const char *stream)
{
    for (size_t i = 0; i < places->count; i++) {
        if (strcmp(places->rows[i].stream, stream) == 0)
            return &places->rows[i];
    }
    places->rows =
        alloc_grow(places->rows, places->count, &places->capacity, sizeof(*places->rows));
    places->rows[places->count] = (struct stream_places){.stream = alloc_text(stream)};
    return &places->rows[places->count++];
}

bool
places_set(struct places *places, const char *stream, enum place_field field, const char *name,
    struct error *err)
{
    if (stream[0] == '\0' || has_control(stream) || name[0] == '\0' || has_control(name) ||
        strlen(name) > PLACES_NAME_MAX)
        return error_set(err, ERROR_ARGUMENT,
            "the name of a header that is looked up has 1 to %u bytes and no control characters, "
            "not '%.80s'",
            PLACES_NAME_MAX, name);
    struct stream_places *row = row_of(places, stream);
    free(row->header[field]);
    row->header[field] = alloc_text(name);
    if (places_headers(places, PLACE_COUNT, NULL, 0) <= PLACES_HEADERS_MAX)
        return true;
    return error_set(err, ERROR_LIMIT, "more than %u different headers cannot be looked up by",
        PLACES_HEADERS_MAX);
}

const struct stream_places *
places_of(const struct places *places, const struct stream *stream)
{
    const struct stream_places *by_name = NULL;
    for (size_t i = 0; i < places->count; i++) {
        if (strcmp(places->rows[i].stream, stream->label) == 0)
            return &places->rows[i];
        if (strcmp(places->rows[i].stream, stream->name) == 0)
            by_name = &places->rows[i];
    }
    return by_name;
}

/* Was the name met before row `row`, field `field`, among the wanted fields? */
static bool
is_repeated(const struct places *places, enum place_field wanted, size_t row, int field)
{
    const char *name = places->rows[row].header[field];
    for (size_t i = 0; i <= row; i++) {
        for (int k = 0; k < PLACE_COUNT && !(i == row && k == field); k++) {
            const char *other = places->rows[i].header[k];
            if (other != NULL && (wanted == PLACE_COUNT || (int)wanted == k) &&
                strcmp(other, name) == 0)
                return true;
        }
    }
    return false;
}

size_t
places_headers(
    const struct places *places, enum place_field field, const char **names, size_t limit)
{
    size_t count = 0;
    for (size_t i = 0; i < places->count; i++) {
        for (int k = 0; k < PLACE_COUNT; k++) {
            const char *name = places->rows[i].header[k];
            if (name == NULL || (field != PLACE_COUNT && (int)field != k) ||
                is_repeated(places, field, i, k))
                continue;
            if (count < limit)
                names[count] = name;
            count++;
        }
    }
    return count;
}

/* ---- the file ---- */

static bool
fail_broken(const char *path, int line, struct error *err)
{
    return error_set(err, ERROR_DAMAGED,
        "%s: line %d is not STREAM, FIELD, HEADER; id=, type= and correlation= may find too little "
        "until a recorder with the configuration writes it again, or it is removed",
        path, line);
}

/* STREAM tab FIELD tab HEADER; `line` is changed. */
static bool
take_line(struct places *places, char *line)
{
    struct error ignored;
    enum place_field field;
    char *name = strchr(line, '\t');
    char *header = name == NULL ? NULL : strchr(name + 1, '\t');
    if (header == NULL)
        return false;
    *name++ = '\0';
    *header++ = '\0';
    return place_field_parse(name, &field) && places_set(places, line, field, header, &ignored);
}

static bool
parse(struct places *places, const char *path, char *text, size_t length, struct error *err)
{
    int number = 0;
    for (char *at = text; at < text + length; number++) {
        char *end = memchr(at, '\n', (size_t)(text + length - at));
        if (end == NULL || memchr(at, '\0', (size_t)(end - at)) != NULL)
            return fail_broken(path, number + 1, err);
        *end = '\0';
        if (number == 0 ? strcmp(at, PLACES_HEAD) != 0 : !take_line(places, at))
            return fail_broken(path, number + 1, err);
        at = end + 1;
    }
    return number > 0 || fail_broken(path, 1, err);
}

bool
places_read(const char *directory, struct places *places, struct error *err)
{
    *places = (struct places){0};
    char *path = alloc_format("%s/places", directory);
    struct buffer text = {0};
    bool good = access(path, F_OK) == 0 || errno != ENOENT;
    if (good) {
        good = file_read_whole(path, PLACES_MAX_BYTES, &text, err) &&
               parse(places, path, (char *)text.data, text.length, err);
        if (!good)
            places_done(places);
    } else {
        good = true;
    }
    buffer_done(&text);
    free(path);
    return good;
}

static void
print(struct buffer *to, const struct places *places)
{
    buffer_append_text(to, PLACES_HEAD "\n");
    for (size_t i = 0; i < places->count; i++) {
        for (int k = 0; k < PLACE_COUNT; k++) {
            if (places->rows[i].header[k] != NULL)
                buffer_printf(to, "%s\t%s\t%s\n", places->rows[i].stream, field_texts[k],
                    places->rows[i].header[k]);
        }
    }
}

bool
places_write(const char *directory, const struct places *places, struct error *err)
{
    char *path = alloc_format("%s/places", directory);
    struct buffer text = {0};
    struct buffer there = {0};
    struct error ignored;
    print(&text, places);
    bool is_same =
        file_read_whole(path, PLACES_MAX_BYTES, &there, &ignored) &&
        bytes_equal(bytes_make(there.data, there.length), bytes_make(text.data, text.length));
    bool good = is_same || file_replace(path, text.data, text.length, err);
    buffer_done(&there);
    buffer_done(&text);
    free(path);
    return good;
}
