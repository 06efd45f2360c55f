/* event.h - one recorded message, the only thing that flows through tapedeck.
 *
 * A struct event is a view: it owns nothing. What it points to lives in a batch, in a cursor's chunk
 * or in a client library's own message, and dies with that; the function that hands one out says
 * when. Null is not empty: key.data == NULL is a null key, payload.data == NULL a tombstone.
 */
#ifndef INDEX_EVENT_H
#define INDEX_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"

struct buffer;
struct error;
struct stream_places;

/* A stream of the tape: a topic, a queue, a ZeroMQ topic prefix, named TAP/STREAM. Lives as long as
 * the tape (or the writer) that handed it out, and keeps its id and names. */
struct stream {
    uint32_t id;                        /* 0, 1, 2 ... within one tape */
    char *tap;                          /* "shop" */
    char *name;                         /* "orders" */
    char *label;                        /* "shop/orders" */
    const struct stream_places *places; /* where its events have what (places.h); NULL: as usual */
};

/* True for the streams that the recorder writes about itself and what it sees ("@lag", "@taps"). A
 * query looks at them only when it names one. */
static inline bool
stream_is_internal(const struct stream *stream)
{
    return stream->name[0] == '@';
}

enum time_type {
    TIME_NONE,   /* the transport has no time: time_ns is CLOCK_NONE */
    TIME_CREATE, /* the producer stamped it */
    TIME_APPEND, /* the broker stamped it */
};

struct event {
    uint64_t seq;                /* position on the tape: 0, 1, 2 ... without gaps */
    int64_t received_ns;         /* when the recorder had it, wall clock */
    int64_t time_ns;             /* by time_type, or CLOCK_NONE */
    int64_t offset;              /* position in the lane, 0 or more */
    const struct stream *stream; /* with partition: the lane */
    int32_t partition;           /* Kafka partition; 0 where the transport has none */
    enum time_type time_type;
    bool offset_is_synthetic; /* the recorder counted; the transport has no offsets */
    struct bytes key;
    struct bytes headers; /* encoded; walk with event_next_header(); length 0: none */
    struct bytes payload;
};

/* The parts of an event that are bytes, as a set. */
enum event_bytes {
    EVENT_KEY = 1,
    EVENT_HEADERS = 2,
    EVENT_PAYLOAD = 4,
    EVENT_BYTES = 7,
};

struct event_header {
    struct bytes name; /* never null */
    struct bytes value;
};

/* The time to order and filter by: time_ns, or received_ns where the transport has no time. */
int64_t event_time(const struct event *event);

/* Key, headers and payload together, in bytes: what `size` means everywhere. */
size_t event_size(const struct event *event);

/* Step through event->headers in their original order, duplicates included. Start with *at = 0;
 * false when there are no more. The headers of an event that came from the tape were checked when
 * it was decoded. */
bool event_next_header(const struct event *event, size_t *at, struct event_header *header);

/* The value of the first header called `name`; false when there is none. */
bool event_find_header(const struct event *event, const char *name, struct bytes *value);

/* Encoding of a header list: varint count, then per header varint name length, name, varint value
 * length + 1 (0: null), value. Build one by headers_begin, headers_add ..., then the bytes
 * are buffer->data[0..length). `count` must be the number of headers_add calls that follow. */
void headers_begin(struct buffer *buffer, size_t count);
void headers_add(struct buffer *buffer, struct bytes name, struct bytes value);

/* For tests: whether counts and lengths of an encoded list fill it exactly. Readers need not ask, since
 * event_next_header() goes by no length that it has not looked at. */
bool headers_check(struct bytes headers);

/* What is known about an event from its headers, by names that people use without configuring
 * anything: CloudEvents (ce_id, ce_type, ce_correlationid, also with the prefix "cloudEvents:" or
 * "ce-"), W3C traceparent, and the common spellings of message-id, correlation-id and type. A header
 * that the event's stream has for it by its `places` goes first. Null views where nothing is found. Views
 * into the event; its stream may be NULL. */
struct event_identity {
    struct bytes id;
    struct bytes type;
    struct bytes trace; /* 32 hex digits out of traceparent, else a trace-id header as it is */
    struct bytes correlation;
};

void event_identify(const struct event *event, struct event_identity *identity);

#endif
