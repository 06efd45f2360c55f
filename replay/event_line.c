#include "replay/event_line.h"

#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/error.h"

/* ---- writing ---- */

/* Written by hand, since it is on the way of every event; jansson reads it back. */

static void
append_string(struct buffer *to, struct bytes text)
{
    buffer_append_byte(to, '"');
    size_t plain = 0; /* begin of what needs no escape */
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        const char escape[] = {'\\', 'u', '0', '0', hex_digit(c >> 4), hex_digit(c)};
        buffer_append(to, text.data + plain, i - plain);
        buffer_append(to, escape, sizeof(escape));
        plain = i + 1;
    }
    buffer_append(to, text.data + plain, text.length - plain);
    buffer_append_byte(to, '"');
}

static void
append_encoded(struct buffer *to, struct bytes bytes)
{
    buffer_append_text(to, "{\"base64\":\"");
    base64_append(to, bytes);
    buffer_append_text(to, "\"}");
}

static void
append_bytes(struct buffer *to, struct bytes bytes)
{
    if (bytes.data == NULL) {
        buffer_append_text(to, "null");
    } else if (bytes_is_utf8(bytes)) {
        buffer_append_text(to, "{\"text\":");
        append_string(to, bytes);
        buffer_append_byte(to, '}');
    } else {
        append_encoded(to, bytes);
    }
}

/* A name is a string where it can be. */
static void
append_name(struct buffer *to, struct bytes name)
{
    if (bytes_is_utf8(name))
        append_string(to, name);
    else
        append_encoded(to, name);
}

static void
append_headers(struct buffer *to, const struct event *event)
{
    struct event_header header;
    const char *between = "[";
    buffer_append_byte(to, '[');
    for (size_t at = 0; event_next_header(event, &at, &header); between = ",[") {
        buffer_append_text(to, between);
        append_name(to, header.name);
        buffer_append_byte(to, ',');
        append_bytes(to, header.value);
        buffer_append_byte(to, ']');
    }
    buffer_append_byte(to, ']');
}

static void
append_time(struct buffer *to, const char *name, int64_t when_ns)
{
    char text[CLOCK_TEXT_MAX];
    if (when_ns == CLOCK_NONE)
        buffer_printf(to, ",\"%s\":null", name);
    else
        buffer_printf(to, ",\"%s\":\"%s\"", name, clock_format(when_ns, text));
}

static const char *
time_type_text(enum time_type type)
{
    return type == TIME_CREATE ? "create" : type == TIME_APPEND ? "append" : "none";
}

void
event_line_append(struct buffer *to, const struct event *event)
{
    buffer_printf(to, "{\"v\":1,\"seq\":\"%" PRIu64 "\",\"tap\":", event->seq);
    append_name(to, bytes_of(event->stream->tap));
    buffer_append_text(to, ",\"stream\":");
    append_name(to, bytes_of(event->stream->name));
    buffer_printf(
        to, ",\"partition\":%d,\"offset\":\"%" PRId64 "\"", (int)event->partition, event->offset);
    append_time(to, "time", event->time_ns);
    buffer_printf(to, ",\"time_type\":\"%s\"", time_type_text(event->time_type));
    append_time(to, "received", event->received_ns);
    buffer_append_text(to, ",\"key\":");
    append_bytes(to, event->key);
    buffer_append_text(to, ",\"headers\":");
    append_headers(to, event);
    buffer_append_text(to, ",\"payload\":");
    append_bytes(to, event->payload);
    buffer_printf(to, ",\"size\":%zu%s}\n", (size_t)event_size(event),
        event->offset_is_synthetic ? ",\"synthetic\":true" : "");
}

/* ---- reading ---- */

void
event_line_done(struct event_line *line)
{
    buffer_done(&line->key);
    buffer_done(&line->headers);
    buffer_done(&line->payload);
}

/* Append what a value means. False when it is neither bytes nor a string. *is_null says that it is
 * null. */
static bool
append_value(struct buffer *to, const json_t *value, bool *is_null)
{
    const json_t *text = json_is_string(value) ? value : json_object_get(value, "text");
    const json_t *encoded = json_object_get(value, "base64");
    *is_null = json_is_null(value);
    if (json_is_string(text))
        buffer_append(to, json_string_value(text), json_string_length(text));
    else if (json_is_string(encoded))
        return base64_decode(
            to, bytes_make(json_string_value(encoded), json_string_length(encoded)));
    else
        return *is_null;
    return true;
}

static bool
read_value(struct buffer *to, const json_t *value, struct bytes *bytes)
{
    bool is_null;
    to->length = 0;
    if (!append_value(to, value, &is_null))
        return false;
    *bytes = is_null ? bytes_make(NULL, 0) : bytes_make(buffer_text(to), to->length);
    return true;
}

static bool
read_headers(struct event_line *line, const json_t *list, struct event *event)
{
    size_t count = json_array_size(list);
    struct buffer name = {0};
    struct buffer value = {0};
    bool good = json_is_array(list);
    line->headers.length = 0;
    if (count > 0)
        headers_begin(&line->headers, count);
    for (size_t i = 0; good && i < count; i++) {
        const json_t *pair = json_array_get(list, i);
        struct bytes name_bytes;
        struct bytes value_bytes;
        good = json_array_size(pair) == 2 &&
               read_value(&name, json_array_get(pair, 0), &name_bytes) &&
               read_value(&value, json_array_get(pair, 1), &value_bytes);
        if (good)
            headers_add(&line->headers, name_bytes, value_bytes);
    }
    buffer_done(&name);
    buffer_done(&value);
    event->headers =
        bytes_make(line->headers.length > 0 ? line->headers.data : NULL, line->headers.length);
    return good;
}

static void
read_time(const json_t *object, struct event *event)
{
    struct error ignored;
    const json_t *time = json_object_get(object, "time");
    const char *type = json_string_value(json_object_get(object, "time_type"));
    event->time_ns = CLOCK_NONE;
    event->time_type = TIME_NONE;
    if (!json_is_string(time) || !clock_parse(json_string_value(time), json_string_length(time), 0,
                                     &event->time_ns, &ignored))
        return;
    event->time_type = type != NULL && strcmp(type, "append") == 0 ? TIME_APPEND : TIME_CREATE;
}

bool
event_line_parse(struct event_line *line, struct bytes text, struct event *event)
{
    json_t *object = json_loadb(
        (const char *)text.data, text.length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(object) &&
                read_value(&line->key, json_object_get(object, "key"), &event->key) &&
                read_value(&line->payload, json_object_get(object, "payload"), &event->payload) &&
                read_headers(line, json_object_get(object, "headers"), event);
    if (good)
        read_time(object, event);
    json_decref(object);
    return good;
}
