#include "collectors/groups_reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"

/* Partitions that are read at the same time. */
#define LANES_AT_ONCE 1000

/* How often a run looks whether it is cancelled. */
#define CANCEL_LOOK_MS 100

/* Offsets that are read and dropped rather than to stop and start. */
#define READ_ON 2000

/* One partition and the wants that are still to be answered from it. */
struct reading {
    rd_kafka_topic_t *topic;
    struct groups_want *next;
    struct groups_want *behind;
    bool is_started;
};

struct reader {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct reading *readings; /* sorted as their wants are */
    size_t count;
    size_t started; /* readings before this one have been started at least once */
    size_t active;
    void (*take)(void *self, const struct event *event);
    void *self;
    struct buffer headers;
};

static int
compare_lanes(const struct groups_want *one, const struct groups_want *other)
{
    int order = strcmp(one->topic, other->topic);
    if (order == 0)
        order = (one->partition > other->partition) - (one->partition < other->partition);
    return order;
}

int
groups_want_compare(const void *a, const void *b)
{
    const struct groups_want *one = a;
    const struct groups_want *other = b;
    int order = compare_lanes(one, other);
    if (order == 0)
        order = (one->from > other->from) - (one->from < other->from);
    return order;
}

static void
plan(struct reader *reader, struct groups_want *wants, size_t count)
{
    reader->readings = alloc_array(count, sizeof(*reader->readings));
    for (size_t at = 0; at < count;) {
        size_t behind = at + 1;
        while (behind < count && compare_lanes(&wants[at], &wants[behind]) == 0)
            behind++;
        reader->readings[reader->count++] =
            (struct reading){.next = &wants[at], .behind = &wants[behind]};
        at = behind;
    }
}

static void
stop_reading(struct reader *reader, struct reading *reading)
{
    if (!reading->is_started)
        return;
    (void)rd_kafka_consume_stop(reading->topic, reading->next->partition);
    reading->is_started = false;
    reader->active--;
}

static void
start_reading(struct reader *reader, struct reading *reading)
{
    struct groups_want *want = reading->next;
    if (reading->topic == NULL)
        reading->topic = rd_kafka_topic_new(reader->client, want->topic, NULL);
    if (reading->topic == NULL || rd_kafka_consume_start_queue(reading->topic, want->partition,
                                      want->from, reader->queue) != 0)
        return; /* its wants stay open */
    reading->is_started = true;
    reader->active++;
}

static void
start_more(struct reader *reader)
{
    while (reader->started < reader->count && reader->active < LANES_AT_ONCE)
        start_reading(reader, &reader->readings[reader->started++]);
}

/* A reading without wants left is still found by its last one. */
static int
compare_reading(const void *wanted, const void *item)
{
    const struct reading *reading = item;
    return compare_lanes(
        wanted, reading->next < reading->behind ? reading->next : reading->behind - 1);
}

static struct reading *
find_reading(struct reader *reader, const rd_kafka_message_t *message)
{
    struct groups_want wanted = {
        .topic = rd_kafka_topic_name(message->rkt), .partition = message->partition};
    struct reading *reading = bsearch(
        &wanted, reader->readings, reader->started, sizeof(*reader->readings), compare_reading);
    return reading != NULL && reading->is_started ? reading : NULL;
}

static struct bytes
read_headers(struct reader *reader, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return BYTES_NULL;
    reader->headers.length = 0;
    size_t count = rd_kafka_header_cnt(headers);
    headers_begin(&reader->headers, count);
    for (size_t i = 0; i < count; i++) {
        const char *name = "";
        const void *value = NULL;
        size_t size = 0;
        (void)rd_kafka_header_get_all(headers, i, &name, &value, &size);
        headers_add(&reader->headers, bytes_of(name), bytes_make(value, size));
    }
    return bytes_make(reader->headers.data, reader->headers.length);
}

static int64_t
time_of(const rd_kafka_message_t *message, enum time_type *type)
{
    rd_kafka_timestamp_type_t kind;
    int64_t ms = rd_kafka_message_timestamp(message, &kind);
    *type = TIME_NONE;
    if (kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 || ms > INT64_MAX / NS_PER_MS)
        return CLOCK_NONE;
    *type = kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? TIME_APPEND : TIME_CREATE;
    return ms * NS_PER_MS;
}

static void
hand_over(struct reader *reader, const struct groups_want *want, const rd_kafka_message_t *message)
{
    if (reader->take == NULL)
        return;
    char *topic = alloc_text(want->topic);
    char none[1] = "";
    struct stream stream = {.tap = none, .name = topic, .label = topic};
    struct event event = {.received_ns = clock_now_ns(),
        .offset = message->offset,
        .stream = &stream,
        .partition = message->partition,
        .key = bytes_make(message->key, message->key_len),
        .headers = read_headers(reader, message),
        .payload = bytes_make(message->payload, message->len)};
    event.time_ns = time_of(message, &event.time_type);
    reader->take(reader->self, &event);
    free(topic);
}

/* The event answers the first want, and each further one that begins at or before it. When the next
 * one begins a little behind, reading on costs less than to stop and to start anew. */
static void
take_message(struct reader *reader, struct reading *reading, const rd_kafka_message_t *message)
{
    if (message->offset < reading->next->from)
        return;
    hand_over(reader, reading->next, message);
    if (message->offset < reading->next->until)
        return;
    enum time_type type;
    int64_t time_ns = time_of(message, &type);
    struct groups_want *answered = reading->next;
    while (answered < reading->behind && answered->until <= message->offset) {
        answered->state = GROUPS_WANT_FOUND;
        answered->time_ns = time_ns;
        answered->offset = message->offset;
        answered++;
    }
    bool goes_on = answered < reading->behind && answered->from - message->offset <= READ_ON;
    if (!goes_on)
        stop_reading(reader, reading);
    reading->next = answered;
    if (!goes_on && answered < reading->behind)
        start_reading(reader, reading);
}

static void
take(struct reader *reader, const rd_kafka_message_t *message)
{
    struct reading *reading = message->rkt == NULL ? NULL : find_reading(reader, message);
    if (reading == NULL)
        return; /* what was under way when its partition was stopped */
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        take_message(reader, reading, message);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        stop_reading(reader, reading);
        for (; reading->next < reading->behind; reading->next++)
            reading->next->state = GROUPS_WANT_END;
    } else if (message->err != RD_KAFKA_RESP_ERR__TRANSPORT &&
               message->err != RD_KAFKA_RESP_ERR__TIMED_OUT) {
        stop_reading(reader, reading); /* deleted below us, or refused: stays open */
        for (; reading->next < reading->behind; reading->next++)
            reading->next->refusal = message->err;
    }
}

void
groups_reader_run(rd_kafka_t *client, struct groups_want *wants, size_t count, int64_t deadline_ns,
    const atomic_bool *is_cancelled, void (*take_event)(void *self, const struct event *event),
    void *self)
{
    if (count == 0)
        return;
    struct reader reader = {
        .client = client, .queue = rd_kafka_queue_new(client), .take = take_event, .self = self};
    plan(&reader, wants, count);
    start_more(&reader);
    while (reader.active > 0) {
        int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0 || (is_cancelled != NULL && atomic_load(is_cancelled)))
            break;
        if (is_cancelled != NULL && left_ms > CANCEL_LOOK_MS)
            left_ms = CANCEL_LOOK_MS;
        rd_kafka_message_t *message = rd_kafka_consume_queue(reader.queue, (int)left_ms);
        if (message == NULL)
            continue;
        take(&reader, message);
        rd_kafka_message_destroy(message);
        start_more(&reader);
    }
    for (size_t i = 0; i < reader.count; i++) {
        if (reader.readings[i].next < reader.readings[i].behind)
            stop_reading(&reader, &reader.readings[i]);
        if (reader.readings[i].topic != NULL)
            rd_kafka_topic_destroy(reader.readings[i].topic);
    }
    rd_kafka_queue_destroy(reader.queue);
    free(reader.readings);
    buffer_done(&reader.headers);
}
