/* json_read.h - the other way round: a line of tapedeck-json(7) to the event that it was made of.
 *
 * Exact where json_event.h is: null, empty, header order and duplicates, names that are not UTF-8. A
 * line comes from a file or a pipe and is distrusted: what is missing, of another type or out of range is
 * refused, and the column says where. Keys that are not known are left alone.
 *
 * Threads: one owns a reader.
 */
#ifndef CONSOLE_JSON_READ_H
#define CONSOLE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/event.h"
#include "index/hole.h"

struct error;
struct json_reader;

/* A hole out of a done line; hole.stream_id is for the caller to fill. */
struct json_hole {
    const char *tap;
    const char *stream;
    struct hole hole;
};

/* What a line says; views into the reader that live until its next line. */
struct json_line {
    bool is_done;
    /* an event: */
    const char *tap;
    const char *stream;
    struct event event; /* stream and seq are for the caller to fill */
    /* the done line: */
    uint64_t matched;
    bool is_complete;
    const struct json_hole *holes;
    size_t hole_count;
};

struct json_reader *json_reader_new(void);
void json_reader_free(struct json_reader *reader);

/* Read one line (its line break may be missing). False with ERROR_FORMAT and in *column where in the
 * line, in characters from 1. */
bool json_reader_line(struct json_reader *reader, struct bytes text, struct json_line *line,
    size_t *column, struct error *err);

#endif
