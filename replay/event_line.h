/* event_line.h - an event as a line of JSON and back, byte for byte: what the file sink writes.
 *
 * The same fields as in tapedeck-json(7), so that `tapedeck import` takes such a file.  Threads: any.
 */
#ifndef REPLAY_EVENT_LINE_H
#define REPLAY_EVENT_LINE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "index/event.h"

/* Append the event with its line break. Its stream must be set. */
void event_line_append(struct buffer *to, const struct event *event);

/* What was parsed; a struct of zeros is empty. Ended with event_line_done(). */
struct event_line {
    struct buffer key;
    struct buffer headers;
    struct buffer payload;
};
void event_line_done(struct event_line *line);

/* Set time, key, headers and payload of *event from a line without its line break; the views live until
 * `line` is used again. False when it is no such line. */
bool event_line_parse(struct event_line *line, struct bytes text, struct event *event);

#endif
