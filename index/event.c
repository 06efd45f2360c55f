#include "index/event.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "index/places.h"

int64_t
event_time(const struct event *event)
{
    return event->time_ns == CLOCK_NONE ? event->received_ns : event->time_ns;
}

size_t
event_size(const struct event *event)
{
    return event->key.length + event->headers.length + event->payload.length;
}

/* A length-prefixed view at *at; `minus` 1 where the length is stored plus one and 0 means null. */
static bool
take_view(struct bytes from, size_t *at, uint64_t minus, struct bytes *view)
{
    uint64_t length;
    if (!varint_get(from, at, &length))
        return false;
    if (minus == 1 && length == 0) {
        *view = BYTES_NULL;
        return true;
    }
    length -= minus;
    if (length > from.length - *at)
        return false;
    *view = bytes_make(from.data + *at, (size_t)length);
    *at += (size_t)length;
    return true;
}

bool
event_next_header(const struct event *event, size_t *at, struct event_header *header)
{
    struct bytes headers = event->headers;
    uint64_t count;
    if (headers.length == 0)
        return false;
    if (*at == 0 && !varint_get(headers, at, &count))
        return false;
    return *at < headers.length && take_view(headers, at, 0, &header->name) &&
           take_view(headers, at, 1, &header->value);
}

bool
event_find_header(const struct event *event, const char *name, struct bytes *value)
{
    struct event_header header;
    size_t at = 0;
    size_t length = strlen(name);
    while (event_next_header(event, &at, &header)) {
        if (bytes_equal(header.name, bytes_make(name, length))) {
            *value = header.value;
            return true;
        }
    }
    return false;
}

void
headers_begin(struct buffer *buffer, size_t count)
{
    buffer->length = 0;
    if (count > 0)
        buffer->length = varint_put(buffer_reserve(buffer, VARINT_MAX), count);
}

void
headers_add(struct buffer *buffer, struct bytes name, struct bytes value)
{
    unsigned char *to = buffer_reserve(buffer, name.length + value.length + 2 * (size_t)VARINT_MAX);
    size_t at = varint_put(to, name.length);
    if (name.length > 0)
        memcpy(to + at, name.data, name.length);
    at += name.length;
    at += varint_put(to + at, value.data == NULL ? 0 : (uint64_t)value.length + 1);
    if (value.data != NULL && value.length > 0)
        memcpy(to + at, value.data, value.length);
    buffer->length += at + value.length;
}

bool
headers_check(struct bytes headers)
{
    if (headers.length == 0)
        return true;

    size_t at = 0;
    uint64_t count;
    struct bytes view;
    if (!varint_get(headers, &at, &count) || count == 0)
        return false;
    for (; count > 0; count--) {
        if (!take_view(headers, &at, 0, &view) || !take_view(headers, &at, 1, &view))
            return false;
    }
    return at == headers.length;
}

enum meaning {
    MEANING_NONE,
    MEANING_ID,
    MEANING_TYPE,
    MEANING_CORRELATION,
    MEANING_TRACEPARENT,
    MEANING_TRACE,
};

/* Header names by what they say, after the CloudEvents prefix is taken off. Compared without case. */
static const struct known_name {
    const char *name;
    enum meaning meaning;
    bool only_prefixed; /* too common a word to mean this without the CloudEvents prefix */
} known_names[] = {
    {"id", MEANING_ID, true},
    {"type", MEANING_TYPE, false},
    {"correlationid", MEANING_CORRELATION, false},
    {"traceparent", MEANING_TRACEPARENT, false},
    {"message-id", MEANING_ID, false},
    {"message_id", MEANING_ID, false},
    {"messageid", MEANING_ID, false},
    {"event-id", MEANING_ID, false},
    {"event_id", MEANING_ID, false},
    {"eventid", MEANING_ID, false},
    {"event-type", MEANING_TYPE, false},
    {"event_type", MEANING_TYPE, false},
    {"eventtype", MEANING_TYPE, false},
    {"message-type", MEANING_TYPE, false},
    {"__typeid__", MEANING_TYPE, false},
    {"correlation-id", MEANING_CORRELATION, false},
    {"correlation_id", MEANING_CORRELATION, false},
    {"x-correlation-id", MEANING_CORRELATION, false},
    {"kafka_correlationid", MEANING_CORRELATION, false},
    {"x-request-id", MEANING_CORRELATION, false},
    {"trace-id", MEANING_TRACE, false},
    {"trace_id", MEANING_TRACE, false},
    {"traceid", MEANING_TRACE, false},
    {"x-b3-traceid", MEANING_TRACE, false},
};

#define LONGEST_KNOWN_NAME 19

static bool
take_prefix(struct bytes *name, const char *prefix)
{
    size_t length = strlen(prefix);
    if (name->length <= length || strncasecmp((const char *)name->data, prefix, length) != 0)
        return false;
    name->data += length;
    name->length -= length;
    return true;
}

static enum meaning
meaning_of(struct bytes name)
{
    bool prefixed = take_prefix(&name, "ce_") || take_prefix(&name, "ce-") ||
                    take_prefix(&name, "cloudEvents:") || take_prefix(&name, "cloudEvents_");
    if (name.length < 2 || name.length > LONGEST_KNOWN_NAME)
        return MEANING_NONE;
    for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++) {
        const struct known_name *known = &known_names[i];
        if (known->only_prefixed && !prefixed)
            continue;
        if (known->name[0] == tolower(name.data[0]) && strlen(known->name) == name.length &&
            strncasecmp(known->name, (const char *)name.data, name.length) == 0)
            return known->meaning;
    }
    return MEANING_NONE;
}

/* W3C Trace Context 3.2: version "-" trace-id (32 hex digits) "-" parent-id "-" flags. */
static struct bytes
trace_of_traceparent(struct bytes value)
{
    if (value.data == NULL || value.length < 55 || value.data[2] != '-' || value.data[35] != '-')
        return BYTES_NULL;
    for (size_t i = 3; i < 35; i++) {
        if (!isxdigit(value.data[i]))
            return BYTES_NULL;
    }
    return bytes_make(value.data + 3, 32);
}

static void
set_once(struct bytes *field, struct bytes value)
{
    if (field->data == NULL)
        *field = value;
}

/* What a header of that name says, when there is one with a value. */
static void
set_from_place(struct bytes *field, const struct event *event, const char *name)
{
    struct event_header header;
    size_t at = 0;
    while (name != NULL && event_next_header(event, &at, &header)) {
        if (header.value.data != NULL && bytes_equal_text(header.name, name)) {
            *field = header.value;
            return;
        }
    }
}

void
event_identify(const struct event *event, struct event_identity *identity)
{
    *identity = (struct event_identity){BYTES_NULL, BYTES_NULL, BYTES_NULL, BYTES_NULL};
    struct bytes plain_trace = BYTES_NULL;
    struct event_header header;
    size_t at = 0;
    while (event_next_header(event, &at, &header)) {
        switch (meaning_of(header.name)) {
        case MEANING_NONE:
            break;
        case MEANING_ID:
            set_once(&identity->id, header.value);
            break;
        case MEANING_TYPE:
            set_once(&identity->type, header.value);
            break;
        case MEANING_CORRELATION:
            set_once(&identity->correlation, header.value);
            break;
        case MEANING_TRACEPARENT:
            set_once(&identity->trace, trace_of_traceparent(header.value));
            break;
        case MEANING_TRACE:
            set_once(&plain_trace, header.value);
            break;
        }
    }
    set_once(&identity->trace, plain_trace);
    if (event->stream == NULL || event->stream->places == NULL)
        return;
    const struct stream_places *places = event->stream->places;
    set_from_place(&identity->id, event, places->header[PLACE_ID]);
    set_from_place(&identity->type, event, places->header[PLACE_TYPE]);
    set_from_place(&identity->correlation, event, places->header[PLACE_CORRELATION]);
}
