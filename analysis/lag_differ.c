#include "analysis/lag_differ.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/event.h"

/* JSON is compared this deep; what is nested deeper rarely decides whether an event can be read. */
#define DEPTH_MAX 4

/* A payload this many times larger or smaller than the one before is worth a word. */
#define SIZE_FACTOR 8

/* More than this is not parsed: a hint is not worth the memory. */
#define JSON_MAX ((size_t)8 * 1024 * 1024)

/* What the Confluent serialisers put in front: a zero byte and the number of a schema. */
#define SCHEMA_BYTES 5

struct teller {
    void (*take)(void *self, const char *sentence);
    void *self;
    unsigned told;
};

static void tell(struct teller *teller, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
tell(struct teller *teller, const char *format, ...)
{
    if (++teller->told > LAG_DIFFERENCES_MAX)
        return;
    char sentence[320];
    if (teller->told == LAG_DIFFERENCES_MAX) {
        teller->take(teller->self, "and more");
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    teller->take(teller->self, sentence);
}

static const char *
presence(struct bytes bytes)
{
    if (bytes.data == NULL)
        return "null";
    return bytes.length == 0 ? "empty" : "there";
}

static void
compare_keys(struct teller *teller, const struct event *good, const struct event *at)
{
    const char *now = presence(at->key);
    const char *before = presence(good->key);
    if (strcmp(now, before) != 0)
        tell(teller, "the key is %s, it was %s", now, before);
    else if (at->key.length > 0 && bytes_is_utf8(at->key) != bytes_is_utf8(good->key))
        tell(teller, "the key is %s, it was %s", bytes_is_utf8(at->key) ? "text" : "binary",
            bytes_is_utf8(good->key) ? "text" : "binary");
}

/* --- headers ------------------------------------------------------------------------------------ */

static bool
has_header(const struct event *event, struct bytes name)
{
    size_t at = 0;
    struct event_header header;
    while (event_next_header(event, &at, &header))
        if (bytes_equal(header.name, name))
            return true;
    return false;
}

static void
tell_missing(struct teller *teller, const struct event *in, const struct event *from, bool is_new)
{
    size_t at = 0;
    struct event_header header;
    while (event_next_header(from, &at, &header))
        if (!has_header(in, header.name))
            tell(teller, "header %.*s is %s",
                (int)(header.name.length < 80 ? header.name.length : 80),
                (const char *)header.name.data, is_new ? "new" : "missing");
}

/* Only what names a kind is compared by value: ids and times differ from event to event. */
static void
compare_kind(
    struct teller *teller, const struct event *good, const struct event *at, const char *name)
{
    struct bytes before;
    struct bytes now;
    if (event_find_header(good, name, &before) && event_find_header(at, name, &now) &&
        !bytes_equal(before, now))
        tell(teller, "header %s is '%.*s', it was '%.*s'", name,
            (int)(now.length < 80 ? now.length : 80),
            now.data == NULL ? "" : (const char *)now.data,
            (int)(before.length < 80 ? before.length : 80),
            before.data == NULL ? "" : (const char *)before.data);
}

static void
compare_headers(struct teller *teller, const struct event *good, const struct event *at)
{
    tell_missing(teller, at, good, false);
    tell_missing(teller, good, at, true);
    static const char *const kinds[] = {"ce_type", "ce_specversion", "ce_dataschema",
        "content-type", "datacontenttype", "type", "version", "schema"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        compare_kind(teller, good, at, kinds[i]);
}

/* --- payload ------------------------------------------------------------------------------------ */

static bool
schema_of(struct bytes payload, uint32_t *schema)
{
    if (payload.length < SCHEMA_BYTES || payload.data[0] != 0)
        return false;
    *schema = (uint32_t)payload.data[1] << 24 | (uint32_t)payload.data[2] << 16 |
              (uint32_t)payload.data[3] << 8 | payload.data[4];
    return true;
}

static json_t *
parse(struct bytes payload, json_error_t *why)
{
    if (payload.length == 0 || payload.length > JSON_MAX)
        return NULL;
    return json_loadb(
        (const char *)payload.data, payload.length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, why);
}

static const char *
kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return json_string_length(value) == 0 ? "an empty text" : "text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "?";
}

static void compare_json(
    struct teller *teller, const char *path, json_t *good, json_t *at, int depth);

static void
compare_fields(struct teller *teller, const char *path, json_t *good, json_t *at, int depth)
{
    const char *name;
    json_t *value;
    char inner[160];
    json_object_foreach(good, name, value)
    {
        (void)snprintf(inner, sizeof(inner), "%s.%s", path, name);
        json_t *now = json_object_get(at, name);
        if (now == NULL)
            tell(teller, "value%s is missing; it was %s", inner, kind_of(value));
        else
            compare_json(teller, inner, value, now, depth + 1);
    }
    json_object_foreach(at, name, value) if (json_object_get(good, name) == NULL)
        tell(teller, "value%s.%s is new: %s", path, name, kind_of(value));
}

static void
compare_json(struct teller *teller, const char *path, json_t *good, json_t *at, int depth)
{
    if (json_is_object(good) && json_is_object(at)) {
        if (depth < DEPTH_MAX)
            compare_fields(teller, path, good, at, depth);
        return;
    }
    if (strcmp(kind_of(good), kind_of(at)) != 0)
        tell(teller, "value%s is %s, it was %s", path, kind_of(at), kind_of(good));
    else if (json_is_number(at) && json_number_value(at) < 0 && json_number_value(good) >= 0)
        tell(teller, "value%s is negative, it was not", path);
    else if (json_is_array(at) && json_array_size(at) == 0 && json_array_size(good) > 0)
        tell(teller, "value%s is an empty list, it had %zu", path, json_array_size(good));
}

/* Bytes that a consumer may choke on whatever the one before was. */
static void
look_at_payload(struct teller *teller, const struct event *good, const struct event *at)
{
    json_error_t why;
    json_t *before = good == NULL ? NULL : parse(good->payload, &why);
    json_t *now = parse(at->payload, &why);
    bool is_there = at->payload.data != NULL && at->payload.length > 0;
    unsigned char first = is_there ? at->payload.data[0] : 0;
    if (now == NULL && at->payload.length > 0 && at->payload.length <= JSON_MAX &&
        (before != NULL || first == '{' || first == '['))
        tell(teller, "the payload is not valid JSON: byte %d: %s", why.position, why.text);
    if (now != NULL && before != NULL)
        compare_json(teller, "", before, now, 0);
    else if (now != NULL && good != NULL && good->payload.length > 0)
        tell(teller, "the payload is JSON, it was not");
    json_decref(now);
    json_decref(before);
}

static void
compare_payloads(struct teller *teller, const struct event *good, const struct event *at)
{
    const char *now = presence(at->payload);
    const char *before = presence(good->payload);
    if (strcmp(now, before) != 0)
        tell(teller, "the payload is %s%s, it was %s", now,
            at->payload.data == NULL ? " (a tombstone)" : "", before);
    size_t size = at->payload.length;
    size_t size_before = good->payload.length;
    if (size > 0 && size_before > 0 &&
        (size / SIZE_FACTOR > size_before || size_before / SIZE_FACTOR > size))
        tell(teller, "the payload has %zu bytes, it had %zu", size, size_before);
    if (size > 0 && size_before > 0 && bytes_is_utf8(at->payload) != bytes_is_utf8(good->payload))
        tell(teller, "the payload is %s, it was %s",
            bytes_is_utf8(at->payload) ? "text" : "binary or broken UTF-8",
            bytes_is_utf8(good->payload) ? "text" : "binary");
    uint32_t schema;
    uint32_t schema_before;
    if (schema_of(at->payload, &schema) && schema_of(good->payload, &schema_before) &&
        schema != schema_before)
        tell(teller, "it is written with schema %" PRIu32 ", the one before with %" PRIu32, schema,
            schema_before);
}

void
lag_differ(const struct event *good, const struct event *at,
    void (*take)(void *self, const char *sentence), void *self)
{
    struct teller teller = {.take = take, .self = self};
    if (good == NULL) {
        if (at->payload.data == NULL)
            tell(&teller, "the payload is null (a tombstone)");
        look_at_payload(&teller, NULL, at);
        return;
    }
    compare_keys(&teller, good, at);
    compare_headers(&teller, good, at);
    compare_payloads(&teller, good, at);
    look_at_payload(&teller, good, at);
    if (at->time_ns != CLOCK_NONE && good->time_ns != CLOCK_NONE &&
        good->time_ns - at->time_ns > 3600 * NS_PER_S) {
        char text[CLOCK_TEXT_MAX];
        tell(&teller, "its time is %s before that of the one before",
            clock_format_duration(good->time_ns - at->time_ns, text));
    }
}
