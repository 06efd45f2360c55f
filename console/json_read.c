#include "console/json_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

/* Longer names than this are nobody's: Kafka ends at 249 bytes, ZeroMQ prefixes at the URL. */
#define NAME_MAX_BYTES 4096u

/* The line's tree, and what had to be decoded out of it. `key` of the last failure names the value that
 * is wrong, so that its column can be found: jansson keeps no places. */
struct json_reader {
    json_t *root;
    const char *key;
    struct buffer event_key;
    struct buffer payload;
    struct buffer headers;
    struct buffer header_name;
    struct buffer header_value;
    struct buffer *names; /* decoded names of taps and streams that are not UTF-8 */
    size_t name_count;
    size_t name_capacity;
    struct json_hole *holes;
    size_t hole_count;
    size_t hole_capacity;
};

struct json_reader *
json_reader_new(void)
{
    return alloc_zeroed(sizeof(struct json_reader));
}

static void
forget(struct json_reader *reader)
{
    json_decref(reader->root);
    reader->root = NULL;
    for (size_t i = 0; i < reader->name_count; i++)
        buffer_done(&reader->names[i]);
    reader->name_count = 0;
    reader->hole_count = 0;
}

void
json_reader_free(struct json_reader *reader)
{
    if (reader == NULL)
        return;
    forget(reader);
    buffer_done(&reader->event_key);
    buffer_done(&reader->payload);
    buffer_done(&reader->headers);
    buffer_done(&reader->header_name);
    buffer_done(&reader->header_value);
    free(reader->names);
    free(reader->holes);
    free(reader);
}

/* ---- where something stands in the line ---- */

static size_t
count_characters(struct bytes line, size_t end)
{
    size_t count = 0;
    for (size_t i = 0; i < end && i < line.length; i++)
        count += (line.data[i] & 0xC0) != 0x80;
    return count;
}

/* Behind the string that begins at `at`. */
static size_t
skip_string(struct bytes line, size_t at)
{
    for (at++; at < line.length && line.data[at] != '"'; at++) {
        if (line.data[at] == '\\')
            at++;
    }
    return at + 1;
}

static size_t
skip_blanks(struct bytes line, size_t at)
{
    while (at < line.length && strchr(" \t\r\n", line.data[at]) != NULL && line.data[at] != '\0')
        at++;
    return at;
}

/* The column of the value of a key of the outermost object, 1 when it is not there. The line was
 * parsed already, so strings and brackets are closed. */
static size_t
column_of(struct bytes line, const char *key)
{
    size_t length = strlen(key);
    int depth = 0;
    for (size_t at = 0; at < line.length;) {
        if (line.data[at] != '"') {
            depth += line.data[at] == '{' || line.data[at] == '[';
            depth -= line.data[at] == '}' || line.data[at] == ']';
            at++;
            continue;
        }
        size_t begin = at + 1;
        at = skip_string(line, at);
        size_t colon = skip_blanks(line, at);
        if (depth == 1 && at - 1 - begin == length && colon < line.length &&
            line.data[colon] == ':' && memcmp(line.data + begin, key, length) == 0)
            return count_characters(line, skip_blanks(line, colon + 1)) + 1;
    }
    return 1;
}

/* ---- values ---- */

static bool
wrong(struct json_reader *reader, const char *key, const char *what, struct error *err)
{
    reader->key = key;
    return error_set(err, ERROR_FORMAT, "\"%s\" %s", key, what);
}

static bool
need(struct json_reader *reader, const char *key, json_t **value, struct error *err)
{
    *value = json_object_get(reader->root, key);
    return *value != NULL || wrong(reader, key, "is missing", err);
}

/* A whole number in a string, as 64-bit numbers are written. */
static bool
parse_digits(const json_t *value, uint64_t limit, uint64_t *number)
{
    const char *text = json_string_value(value);
    if (text == NULL || *text == '\0' || strspn(text, "0123456789") != json_string_length(value))
        return false;
    errno = 0;
    unsigned long long parsed = strtoull(text, NULL, 10);
    if (errno != 0 || parsed > limit)
        return false;
    *number = parsed;
    return true;
}

static bool
decode_base64(const json_t *value, struct buffer *to)
{
    to->length = 0;
    (void)buffer_reserve(to, 1); /* empty is not null */
    return base64_decode(to, bytes_make(json_string_value(value), json_string_length(value)));
}

/* null, {"text": ...} or {"base64": ...}. */
static bool
take_bytes(const json_t *value, struct buffer *decoded, struct bytes *bytes)
{
    if (json_is_null(value)) {
        *bytes = BYTES_NULL;
        return true;
    }
    const json_t *text = json_object_get(value, "text");
    const json_t *base64 = json_object_get(value, "base64");
    if (json_object_size(value) != 1)
        return false;
    if (json_is_string(text)) {
        *bytes = bytes_make(json_string_value(text), json_string_length(text));
        return true;
    }
    if (!json_is_string(base64) || !decode_base64(base64, decoded))
        return false;
    *bytes = bytes_make(decoded->data, decoded->length);
    return true;
}

static bool
read_bytes(struct json_reader *reader, const char *key, struct buffer *decoded, struct bytes *bytes,
    struct error *err)
{
    json_t *value;
    return need(reader, key, &value, err) &&
           (take_bytes(value, decoded, bytes) ||
               wrong(reader, key, "is not null, {\"text\": ...} or {\"base64\": ...}", err));
}

/* A header's name, or that of a tap or a stream: a string, or base64 when it is not UTF-8. */
static bool
take_name(const json_t *value, struct buffer *decoded, struct bytes *name)
{
    if (!json_is_string(value))
        return json_object_get(value, "base64") != NULL && take_bytes(value, decoded, name);
    *name = bytes_make(json_string_value(value), json_string_length(value));
    return true;
}

/* The name of a tap or a stream as a C string. */
static bool
take_label(struct json_reader *reader, const json_t *value, const char **label)
{
    struct buffer decoded = {0};
    struct bytes name;
    if (!take_name(value, &decoded, &name) || name.length == 0 || name.length > NAME_MAX_BYTES ||
        memchr(name.data, '\0', name.length) != NULL) {
        buffer_done(&decoded);
        return false;
    }
    if (decoded.data == NULL) {
        *label = json_string_value(value);
        return true;
    }
    *label = buffer_text(&decoded);
    reader->names =
        alloc_grow(reader->names, reader->name_count, &reader->name_capacity, sizeof(decoded));
    reader->names[reader->name_count++] = decoded;
    return true;
}

static bool
read_label(struct json_reader *reader, const char *key, const char **label, struct error *err)
{
    json_t *value;
    return need(reader, key, &value, err) &&
           (take_label(reader, value, label) || wrong(reader, key, "is not a name", err));
}

static bool
take_partition(const json_t *value, int32_t *partition)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > INT32_MAX)
        return false;
    *partition = (int32_t)number;
    return true;
}

static bool
take_offset(const json_t *value, int64_t *offset)
{
    uint64_t number;
    if (!parse_digits(value, INT64_MAX, &number))
        return false;
    *offset = (int64_t)number;
    return true;
}

/* `width` digits of `text` at *at. */
static bool
take_number(const char *text, size_t *at, size_t width, int *number)
{
    *number = 0;
    for (size_t i = 0; i < width; i++, (*at)++) {
        if (text[*at] < '0' || text[*at] > '9')
            return false;
        *number = *number * 10 + (text[*at] - '0');
    }
    return true;
}

static bool
take_mark(const char *text, size_t *at, char mark)
{
    return text[(*at)++] == mark;
}

/* ".102000000" or nothing. */
static bool
take_fraction(const char *text, size_t *at, int64_t *fraction)
{
    *fraction = 0;
    if (text[*at] != '.')
        return true;
    int64_t unit = NS_PER_S;
    for ((*at)++; text[*at] >= '0' && text[*at] <= '9' && unit > 1; (*at)++) {
        unit /= 10;
        *fraction += unit * (text[*at] - '0');
    }
    return unit < NS_PER_S;
}

/* The moment of a date that exists and that 64 bits of nanoseconds can hold. */
static bool
moment_of(const struct tm *date, int64_t fraction, int64_t *when_ns)
{
    struct tm same = *date;
    int64_t second = timegm(&same);
    if (same.tm_mday != date->tm_mday || same.tm_mon != date->tm_mon || date->tm_hour > 23 ||
        date->tm_min > 59 || date->tm_sec > 59)
        return false;
    if (second < 0) {
        /* Towards zero first: the earliest second begins before the earliest nanosecond. */
        second++;
        fraction -= NS_PER_S;
    }
    return !__builtin_mul_overflow(second, NS_PER_S, when_ns) &&
           !__builtin_add_overflow(*when_ns, fraction, when_ns) && *when_ns != CLOCK_NONE;
}

/* "2026-11-23T14:29:31.102000000Z"; a shorter fraction, or none, will do. */
static bool
parse_time(const char *text, size_t length, int64_t *when_ns)
{
    struct tm date = {0};
    size_t at = 0;
    int64_t fraction = 0;
    if (length < 20 || !take_number(text, &at, 4, &date.tm_year) || !take_mark(text, &at, '-') ||
        !take_number(text, &at, 2, &date.tm_mon) || !take_mark(text, &at, '-') ||
        !take_number(text, &at, 2, &date.tm_mday) || !take_mark(text, &at, 'T') ||
        !take_number(text, &at, 2, &date.tm_hour) || !take_mark(text, &at, ':') ||
        !take_number(text, &at, 2, &date.tm_min) || !take_mark(text, &at, ':') ||
        !take_number(text, &at, 2, &date.tm_sec) || !take_fraction(text, &at, &fraction) ||
        !take_mark(text, &at, 'Z') || at != length)
        return false;
    date.tm_year -= 1900;
    date.tm_mon -= 1;
    return moment_of(&date, fraction, when_ns);
}

static bool
read_time(struct json_reader *reader, const char *key, int64_t *when_ns, struct error *err)
{
    json_t *value;
    if (!need(reader, key, &value, err))
        return false;
    *when_ns = CLOCK_NONE;
    return json_is_null(value) ||
           (json_is_string(value) &&
               parse_time(json_string_value(value), json_string_length(value), when_ns)) ||
           wrong(reader, key, "is not null or a time like 2026-11-23T14:29:31.102000000Z", err);
}

static bool
read_time_type(struct json_reader *reader, enum time_type *type, struct error *err)
{
    json_t *value;
    if (!need(reader, "time_type", &value, err))
        return false;
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    if (strcmp(text, "create") == 0)
        *type = TIME_CREATE;
    else if (strcmp(text, "append") == 0)
        *type = TIME_APPEND;
    else if (strcmp(text, "none") == 0)
        *type = TIME_NONE;
    else
        return wrong(reader, "time_type", "is not create, append or none", err);
    return true;
}

static bool
read_headers(struct json_reader *reader, struct bytes *headers, struct error *err)
{
    json_t *list;
    if (!need(reader, "headers", &list, err))
        return false;
    if (!json_is_array(list))
        return wrong(reader, "headers", "is not a list", err);
    headers_begin(&reader->headers, json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *header = json_array_get(list, i);
        struct bytes name;
        struct bytes value;
        if (!json_is_array(header) || json_array_size(header) != 2 ||
            !take_name(json_array_get(header, 0), &reader->header_name, &name) ||
            !take_bytes(json_array_get(header, 1), &reader->header_value, &value))
            return wrong(reader, "headers", "holds something that is not [name, bytes]", err);
        headers_add(&reader->headers, name, value);
    }
    *headers = bytes_make(reader->headers.data, reader->headers.length);
    return true;
}

static bool
read_place(struct json_reader *reader, struct event *event, struct error *err)
{
    json_t *partition;
    json_t *offset;
    if (!need(reader, "partition", &partition, err) || !need(reader, "offset", &offset, err))
        return false;
    if (!take_partition(partition, &event->partition))
        return wrong(reader, "partition", "is not a number from 0 to 2147483647", err);
    if (!take_offset(offset, &event->offset))
        return wrong(reader, "offset", "is not a number of at most 63 bits in a string", err);
    const json_t *synthetic = json_object_get(reader->root, "synthetic");
    if (synthetic != NULL && !json_is_boolean(synthetic))
        return wrong(reader, "synthetic", "is not true or false", err);
    event->offset_is_synthetic = json_is_true(synthetic);
    return true;
}

static bool
read_event(struct json_reader *reader, struct json_line *line, struct error *err)
{
    struct event *event = &line->event;
    return read_label(reader, "tap", &line->tap, err) &&
           read_label(reader, "stream", &line->stream, err) && read_place(reader, event, err) &&
           read_time(reader, "time", &event->time_ns, err) &&
           read_time_type(reader, &event->time_type, err) &&
           read_time(reader, "received", &event->received_ns, err) &&
           read_bytes(reader, "key", &reader->event_key, &event->key, err) &&
           read_headers(reader, &event->headers, err) &&
           read_bytes(reader, "payload", &reader->payload, &event->payload, err);
}

/* ---- the done line ---- */

static bool
take_reason(const json_t *value, enum hole_reason *reason)
{
    const char *text = json_string_value(value);
    for (int i = HOLE_UNKNOWN; text != NULL && i < HOLE_REASON_COUNT; i++) {
        *reason = (enum hole_reason)i;
        if (strcmp(text, hole_reason_text(*reason)) == 0)
            return true;
    }
    return false;
}

/* Exports of older versions do not have it. */
static bool
take_noticed(const json_t *value, int64_t *when_ns)
{
    *when_ns = CLOCK_NONE;
    return value == NULL || json_is_null(value) ||
           (json_is_string(value) &&
               parse_time(json_string_value(value), json_string_length(value), when_ns));
}

static bool
take_hole(const json_t *value, struct hole *hole)
{
    const json_t *to = json_object_get(value, "to");
    hole->to = -1;
    return take_offset(json_object_get(value, "from"), &hole->from) &&
           (json_is_null(to) || (take_offset(to, &hole->to) && hole->to >= hole->from)) &&
           take_reason(json_object_get(value, "reason"), &hole->reason) &&
           take_noticed(json_object_get(value, "noticed"), &hole->noticed_ns);
}

static bool
take_lane(struct json_reader *reader, const json_t *lane)
{
    struct json_hole found = {0};
    const json_t *holes = json_object_get(lane, "holes");
    if (!take_label(reader, json_object_get(lane, "tap"), &found.tap) ||
        !take_label(reader, json_object_get(lane, "stream"), &found.stream) ||
        !take_partition(json_object_get(lane, "partition"), &found.hole.partition) ||
        !json_is_array(holes))
        return false;
    for (size_t i = 0; i < json_array_size(holes); i++) {
        if (!take_hole(json_array_get(holes, i), &found.hole))
            return false;
        reader->holes = alloc_grow(
            reader->holes, reader->hole_count, &reader->hole_capacity, sizeof(*reader->holes));
        reader->holes[reader->hole_count++] = found;
    }
    return true;
}

static bool
read_done(struct json_reader *reader, struct json_line *line, struct error *err)
{
    json_t *matched;
    json_t *complete;
    json_t *coverage;
    if (!need(reader, "matched", &matched, err) || !need(reader, "complete", &complete, err) ||
        !need(reader, "coverage", &coverage, err))
        return false;
    line->is_done = true;
    line->is_complete = json_is_true(complete);
    if (!parse_digits(matched, UINT64_MAX, &line->matched))
        return wrong(reader, "matched", "is not a number in a string", err);
    if (!json_is_array(coverage))
        return wrong(reader, "coverage", "is not a list", err);
    for (size_t i = 0; i < json_array_size(coverage); i++) {
        if (!take_lane(reader, json_array_get(coverage, i)))
            return wrong(reader, "coverage", "has a partition or a hole that makes no sense", err);
    }
    line->holes = reader->holes;
    line->hole_count = reader->hole_count;
    return true;
}

static bool
read_line(struct json_reader *reader, struct json_line *line, struct error *err)
{
    json_t *version;
    if (!need(reader, "v", &version, err))
        return false;
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return wrong(reader, "v", "is not 1, the version that this program reads", err);
    return json_is_true(json_object_get(reader->root, "done")) ? read_done(reader, line, err)
                                                               : read_event(reader, line, err);
}

bool
json_reader_line(struct json_reader *reader, struct bytes text, struct json_line *line,
    size_t *column, struct error *err)
{
    forget(reader);
    json_error_t failure;
    reader->root = json_loadb(
        (const char *)text.data, text.length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &failure);
    if (reader->root == NULL) {
        *column = failure.column > 0 ? (size_t)failure.column : 1;
        return error_set(err, ERROR_FORMAT, "not JSON: %s", failure.text);
    }
    if (!json_is_object(reader->root)) {
        *column = 1;
        return error_set(err, ERROR_FORMAT, "not an event: not an object");
    }
    struct json_line found = {0};
    if (!read_line(reader, &found, err)) {
        *column = column_of(text, reader->key);
        return false;
    }
    *line = found;
    return true;
}
