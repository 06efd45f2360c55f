/* sink_kafka.c - events to a Kafka topic, byte for byte.
 *
 * Idempotent producer, acks=all, the partition given with every message. Messages never time out in
 * the library: a single one that expired while its successors get through would break the order of
 * its lane. The runner decides when to give up, and then everything is given up at once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/event.h"
#include "replay/kafka_settings.h"
#include "replay/plan.h"
#include "replay/provenance.h"
#include "replay/sink.h"
#include "replay/target_kafka.h"

/* An event of the tape plus headers; librdkafka's own limit is 10^9. */
#define LARGEST_MESSAGE 100000000
#define BATCH_BYTES     1000000

extern const struct sink_ops sink_kafka;
extern const struct target_ops target_kafka_ops; /* target_reader_kafka.c */

struct kafka_sink {
    struct sink sink;
    struct sink_options options;
    struct target_kafka *client;
    rd_kafka_topic_t *topic;
    struct buffer origin;
};

/* Errors with which the broker says no, as opposed to not answering. */
static bool
is_refusal(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

/* Why a message was not taken. A refused batch ends an idempotent producer, and every message
 * behind it fails because of that: what ended it is the reason for all of them. */
static void
explain(rd_kafka_t *handle, rd_kafka_resp_err_t code, struct error *failure)
{
    char text[256] = "";
    if (rd_kafka_fatal_error(handle, text, sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR)
        error_set(failure, ERROR_REFUSED, "%s", text);
    else
        error_set(
            failure, is_refusal(code) ? ERROR_REFUSED : ERROR_REMOTE, "%s", rd_kafka_err2str(code));
}

static void
delivered(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    const struct kafka_sink *sink = opaque;
    struct error failure;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        sink->options.finished(sink->options.self, message->_private, message->offset, NULL);
        return;
    }
    explain(handle, message->err, &failure);
    sink->options.finished(sink->options.self, message->_private, -1, &failure);
}

static void kafka_close(struct sink *base);

static struct sink *
kafka_open(const struct sink_options *options, struct error *err)
{
    bool paced = options->plan->pacing.pacing != PACING_FAST;
    int64_t limit = options->max_message_bytes;
    if (limit < 1000 || limit > LARGEST_MESSAGE)
        limit = LARGEST_MESSAGE;
    char limit_text[32];
    char batch_text[32];
    snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    snprintf(batch_text, sizeof(batch_text), "%" PRId64, limit < BATCH_BYTES ? limit : BATCH_BYTES);

    const struct kafka_setting properties[] = {
        {"acks", "all"},
        {"enable.idempotence", "true"},
        {"enable.gapless.guarantee", "true"},
        {"message.timeout.ms", "0"},
        {"message.max.bytes", limit_text},
        {"batch.size", batch_text},
        {"queue.buffering.max.messages", "1000000"},
        {"queue.buffering.max.kbytes", "1048576"},
        {"linger.ms", paced ? "0" : "5"},
    };
    struct kafka_sink *sink = alloc_zeroed(sizeof(*sink));
    sink->sink.ops = &sink_kafka;
    sink->options = *options;
    sink->client = target_kafka_producer(options->plan->target.servers, options->settings,
        properties, sizeof(properties) / sizeof(properties[0]), delivered, sink, err);
    if (sink->client == NULL)
        goto fail;
    sink->topic = rd_kafka_topic_new(sink->client->handle, options->plan->target.name, NULL);

    /* Messages for a topic that the client knows nothing of yet wait for a timer; and
     * librdkafka 2.0.2 frees the headers of a message for a partition that is not there twice, so
     * it must know the partitions. */
    struct target_facts facts;
    if (!target_kafka_describe(sink->client, options->plan->target.name, &facts, err))
        goto fail;
    if (facts.partitions == options->plan->preflight.partitions)
        return &sink->sink;
    error_set(err, ERROR_REFUSED, "topic '%s' has %d partitions now, the plan was made for %d",
        options->plan->target.name, (int)facts.partitions,
        (int)options->plan->preflight.partitions);

fail:
    kafka_close(&sink->sink);
    return NULL;
}

static bool
add_header(rd_kafka_headers_t *headers, struct bytes name, struct bytes value)
{
    return rd_kafka_header_add(headers, (const char *)name.data, (ssize_t)name.length, value.data,
               (ssize_t)value.length) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool
add_text(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    return add_header(headers, bytes_of(name), bytes_of(value));
}

static bool
add_number(rd_kafka_headers_t *headers, const char *name, uint64_t value)
{
    char digits[PROVENANCE_DIGITS];
    size_t length = provenance_number(value, digits);
    return add_header(headers, bytes_of(name), bytes_make(digits, length));
}

static rd_kafka_headers_t *
make_headers(struct kafka_sink *sink, const struct sink_message *message, struct error *err)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(16);
    struct event_header header;
    bool good = true;

    for (size_t at = 0; good && event_next_header(message->event, &at, &header);)
        good = add_header(headers, header.name, header.value);
    sink->origin.length = 0;
    provenance_origin(message->event, &sink->origin);
    good = good && add_text(headers, PROVENANCE_REPLAY, sink->options.plan->id) &&
           add_number(headers, PROVENANCE_SEQ, message->index) &&
           add_header(headers, bytes_of(PROVENANCE_ORIG),
               bytes_make(sink->origin.data, sink->origin.length)) &&
           add_number(headers, PROVENANCE_HOPS, message->hops);
    if (good)
        return headers;
    rd_kafka_headers_destroy(headers);
    error_set(err, ERROR_LIMIT, "its headers do not fit into a Kafka message");
    return NULL;
}

/* librdkafka takes its message's parts as pointers to what it will not change. */
static void *
not_const(struct bytes bytes)
{
    union {
        const unsigned char *from;
        void *to;
    } pointer = {.from = bytes.data};
    return pointer.to;
}

static bool
kafka_send(struct sink *base, const struct sink_message *message, struct error *err)
{
    struct kafka_sink *sink = (struct kafka_sink *)base;
    const struct event *event = message->event;
    rd_kafka_headers_t *headers = make_headers(sink, message, err);
    if (headers == NULL)
        return false;

    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u = {.rkt = sink->topic}},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u = {.i32 = message->partition}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
            .u = {.mem = {.ptr = not_const(event->payload), .size = event->payload.length}}},
        {.vtype = RD_KAFKA_VTYPE_KEY,
            .u = {.mem = {.ptr = not_const(event->key), .size = event->key.length}}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u = {.i64 = message->time_ms}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u = {.headers = headers}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u = {.ptr = message->tag}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u = {.i = RD_KAFKA_MSG_F_COPY}},
    };
    rd_kafka_error_t *failure =
        rd_kafka_produceva(sink->client->handle, parts, sizeof(parts) / sizeof(parts[0]));
    if (failure == NULL)
        return true;

    explain(sink->client->handle, rd_kafka_error_code(failure), err);
    rd_kafka_error_destroy(failure);
    rd_kafka_headers_destroy(headers); /* a message that was not taken leaves them with us */
    return false;
}

static void
kafka_poll(struct sink *base, int timeout_ms)
{
    target_kafka_poll(((struct kafka_sink *)base)->client, timeout_ms);
}

static const char *
kafka_trouble(struct sink *base)
{
    return ((struct kafka_sink *)base)->client->reason;
}

static void
kafka_abandon(struct sink *base)
{
    const struct kafka_sink *sink = (struct kafka_sink *)base;
    if (sink->client == NULL)
        return;
    rd_kafka_purge(sink->client->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(sink->client->handle) > 0 &&
           rd_kafka_flush(sink->client->handle, 1000) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        rd_kafka_purge(sink->client->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

static void
kafka_close(struct sink *base)
{
    struct kafka_sink *sink = (struct kafka_sink *)base;
    kafka_abandon(base);
    if (sink->topic != NULL)
        rd_kafka_topic_destroy(sink->topic);
    target_kafka_free(sink->client);
    buffer_done(&sink->origin);
    free(sink);
}

const struct sink_ops sink_kafka = {
    .transport = "kafka",
    .target = &target_kafka_ops,
    .open = kafka_open,
    .send = kafka_send,
    .poll = kafka_poll,
    .trouble = kafka_trouble,
    .abandon = kafka_abandon,
    .close = kafka_close,
};
