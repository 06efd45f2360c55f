/* json_event.h - the JSON that commands print: tapedeck-json(7) has it field by field.
 *
 * Written by hand because it is on the way of every event: exact for any bytes, valid UTF-8, keys
 * always in the same order. Characters that could drive a terminal or hide text are escaped, so that
 * a line is harmless even where it is shown as it is.
 *
 * Threads: a struct json_times belongs to one thread; all else may be called from any.
 */
#ifndef CONSOLE_JSON_EVENT_H
#define CONSOLE_JSON_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct event;
struct hole;
struct hole_times;
struct lane_summary;
struct stream;
struct tape_damage;

/* The last second that was formatted, for the two times of an event. Zero-initialise. */
struct json_times {
    struct json_second {
        int64_t second;
        char text[24]; /* "2026-11-23T14:29:31" */
    } event, received;
};

/* A JSON string of `text`; each byte that is not part of a UTF-8 character becomes U+FFFD. */
void json_append_string(struct buffer *to, struct bytes text);

/* null, {"text": ...} for valid UTF-8, else {"base64": ...}. */
void json_append_bytes(struct buffer *to, struct bytes bytes);

/* RFC 3339 in UTC with nanoseconds as a string; null for CLOCK_NONE. */
void json_append_time(struct buffer *to, int64_t when_ns);

/* 64-bit numbers are strings: readers with doubles would round them. */
void json_append_i64(struct buffer *to, int64_t value);
void json_append_u64(struct buffer *to, uint64_t value);

/* The event as one line with its line break. */
void json_append_event(struct buffer *to, const struct event *event, struct json_times *times);

/* ,"deleted":{"first":T,"last":T}: the times of what the tape's own retention deleted there; else null. */
void json_append_deleted(struct buffer *to, const struct hole *hole);

/* Ranges and holes of `count` lanes as an array; `with_names`: tap and stream stand in front. */
void json_append_coverage(struct buffer *to, const struct lane_summary *lanes, size_t count,
    const struct hole_times *times, bool with_names);

/* A stream and its lanes (`count` of them, all of one stream) as one line. */
struct json_stream {
    const struct stream *stream;
    const struct lane_summary *lanes;
    size_t count;
    const struct hole_times *times; /* of the holes of all lanes, or NULL */
    uint64_t events;
    uint64_t bytes;
    int64_t first_ns;
    int64_t last_ns;
    double rate; /* events per second; negative: unknown */
};
void json_append_stream(struct buffer *to, const struct json_stream *stream);

/* The members of an object that names a damaged place, without its braces. */
void json_append_damage(struct buffer *to, const struct tape_damage *damage);

/* The member "damaged" with all of them, and a comma in front. */
void json_append_damaged(struct buffer *to, const struct tape_damage *damage, size_t count);

/* The line that says that nothing was cut off; the coverage is an array that was already made. */
struct json_done {
    uint64_t matched;
    bool is_complete;
    bool is_stable; /* nothing behind the coverage: the same tape gives the same line */
    struct bytes coverage;
    const struct tape_damage *damage; /* what was met and could not be read */
    size_t damage_count;
    uint64_t scanned_blocks;
    uint64_t pruned_blocks;
    uint64_t gave_up; /* values that could not be decided on: query_gave_up() */
    int64_t duration_ns;
};
void json_append_done(struct buffer *to, const struct json_done *done);

#endif
