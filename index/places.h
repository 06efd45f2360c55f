/* places.h - where the events of a stream keep what people ask for: their id, type, correlation ...
 *
 * Common names of headers are known without being told (event_identify()). What is different in a
 * stream stands in the configuration; the recorder writes it beside the tape, in the file `places`, so
 * that every reader, also of a copy of the tape, finds the same things in the same places, and so that
 * the values of these headers are in the token index of new segments. docs/FORMAT.md, "Places".
 *
 * Threads: immutable once made; any number may read.
 */
#ifndef INDEX_PLACES_H
#define INDEX_PLACES_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct stream;

enum place_field {
    PLACE_ID,
    PLACE_TYPE,
    PLACE_SEQUENCE,
    PLACE_CORRELATION,
    PLACE_CAUSATION,
    PLACE_COUNT,
};

/* By its word in the configuration, "id", "type" ...; false when there is no such field. */
bool place_field_parse(const char *text, enum place_field *field);

/* Of one stream: the name of the header for each field, NULL where the known names are good enough. */
struct stream_places {
    char *stream; /* NAME, or TAP/NAME */
    char *header[PLACE_COUNT];
};

struct places {
    struct stream_places *rows;
    size_t count;
    size_t capacity;
};

/* More distinct headers could not all be in the token index of a segment. */
#define PLACES_HEADERS_MAX 64u
/* Longer names have no place in a token's kind. */
#define PLACES_NAME_MAX 63u

/* Say that `field` of `stream` is in header `name`, in place of what was said before. ERROR_ARGUMENT for
 * a name that is empty, longer than PLACES_NAME_MAX or has control characters, ERROR_LIMIT when there
 * would be more than PLACES_HEADERS_MAX names. */
bool places_set(struct places *places, const char *stream, enum place_field field, const char *name,
    struct error *err);
void places_done(struct places *places);

/* What is said of this stream: by its label, else by its name; NULL: nothing. Lives as long as `places`. */
const struct stream_places *places_of(const struct places *places, const struct stream *stream);

/* The distinct names of headers for one field (PLACE_COUNT: for any), at most `limit` of them, in
 * names[]; returns how many there are, which may be more. Views into `places`. */
size_t places_headers(
    const struct places *places, enum place_field field, const char **names, size_t limit);

/* Read what stands beside the tape in `directory`; nothing when there is no such file. ERROR_DAMAGED when
 * it is broken, ERROR_SYSTEM when it cannot be read; *places is empty then. */
bool places_read(const char *directory, struct places *places, struct error *err);

/* Write it there, unless it says the same already. */
bool places_write(const char *directory, const struct places *places, struct error *err);

#endif
