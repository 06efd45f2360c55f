/* target_reader_kafka.c - a topic read back with librdkafka's simple consumer: no group, no commits. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "replay/kafka_settings.h"
#include "replay/target.h"
#include "replay/target_kafka.h"
#include "replay/target_reader.h"

#define BATCH_MESSAGES 1000

struct range {
    bool reading;
    int64_t end;
};

/* messages[at .. count - 1] have been fetched and not handed out; messages[at - 1] is the caller's.
 */
struct kafka_reader {
    struct target_reader reader;
    struct target_kafka *client;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    struct range *ranges;
    int32_t open_ranges;
    rd_kafka_message_t *messages[BATCH_MESSAGES];
    size_t at;
    size_t count;
    int64_t last_progress_ns;
    struct stream stream;
    struct buffer headers;
};

static void kafka_reader_close(struct target_reader *base);

static struct target_reader *
kafka_reader_open(
    const struct target *target, const struct kafka_settings *settings, struct error *err)
{
    /* The short fetch wait keeps librdkafka from holding the end of each partition back for half a
     * second; the large queue from pausing a full second whenever it fills up. */
    static const struct kafka_setting properties[] = {
        {"allow.auto.create.topics", "false"},
        {"isolation.level", "read_committed"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "10"},
        {"queued.min.messages", "200000"},
        {"queued.max.messages.kbytes", "262144"},
    };
    struct kafka_reader *reader = alloc_zeroed(sizeof(*reader));

    reader->stream.tap = alloc_text("");
    reader->stream.name = alloc_text(target->name);
    reader->stream.label = alloc_text(target->name);
    reader->client = target_kafka_new(RD_KAFKA_CONSUMER, target->servers, settings, properties,
        sizeof(properties) / sizeof(properties[0]), err);
    if (reader->client == NULL)
        goto fail;
    reader->topic = rd_kafka_topic_new(reader->client->handle, target->name, NULL);
    if (!target_kafka_describe(reader->client, target->name, &reader->reader.facts, err)) {
        error_wrap(err, "topic '%s' at %s", target->name, target->servers);
        goto fail;
    }
    reader->queue = rd_kafka_queue_new(reader->client->handle);
    reader->ranges =
        alloc_zeroed((size_t)reader->reader.facts.partitions * sizeof(reader->ranges[0]));
    return &reader->reader;

fail:
    kafka_reader_close(&reader->reader);
    return NULL;
}

/* Give back what the caller had, or (all) everything that was fetched. */
static void
drop_messages(struct kafka_reader *reader, bool all)
{
    size_t from = reader->at > 0 ? reader->at - 1 : 0;
    size_t end = all ? reader->count : reader->at;
    for (size_t i = from; i < end; i++) {
        if (reader->messages[i] != NULL)
            rd_kafka_message_destroy(reader->messages[i]);
        reader->messages[i] = NULL;
    }
}

static void
kafka_reader_close(struct target_reader *base)
{
    struct kafka_reader *reader = (struct kafka_reader *)base;
    drop_messages(reader, true);
    for (int32_t i = 0; reader->ranges != NULL && i < reader->reader.facts.partitions; i++)
        if (reader->ranges[i].reading)
            rd_kafka_consume_stop(reader->topic, i);
    if (reader->queue != NULL)
        rd_kafka_queue_destroy(reader->queue);
    if (reader->topic != NULL)
        rd_kafka_topic_destroy(reader->topic);
    target_kafka_free(reader->client);
    buffer_done(&reader->headers);
    free(reader->ranges);
    free(reader->stream.tap);
    free(reader->stream.name);
    free(reader->stream.label);
    free(reader);
}

static bool
kafka_reader_offsets(
    struct target_reader *base, int32_t partition, int64_t *first, int64_t *end, struct error *err)
{
    const struct kafka_reader *reader = (struct kafka_reader *)base;
    return target_kafka_offsets(reader->client, reader->stream.name, partition, first, end, err);
}

static bool
kafka_reader_add(
    struct target_reader *base, int32_t partition, int64_t from, int64_t end, struct error *err)
{
    struct kafka_reader *reader = (struct kafka_reader *)base;
    assert(partition >= 0 && partition < reader->reader.facts.partitions);
    struct range *range = &reader->ranges[partition];
    assert(!range->reading);
    if (from >= end)
        return true;
    if (rd_kafka_consume_start_queue(reader->topic, partition, from, reader->queue) != 0)
        return error_set(err, ERROR_REMOTE, "cannot read '%s' partition %d: %s",
            reader->stream.name, (int)partition, rd_kafka_err2str(rd_kafka_last_error()));
    range->reading = true;
    range->end = end;
    reader->open_ranges++;
    reader->last_progress_ns = clock_monotonic_ns();
    return true;
}

/* The range is read up to `next`. */
static void
pass(struct kafka_reader *reader, int32_t partition, int64_t next)
{
    struct range *range = &reader->ranges[partition];
    if (!range->reading || next < range->end)
        return;
    rd_kafka_consume_stop(reader->topic, partition);
    range->reading = false;
    reader->open_ranges--;
}

static void
encode_headers(struct kafka_reader *reader, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t length;

    reader->headers.length = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    size_t count = rd_kafka_header_cnt(headers);
    headers_begin(&reader->headers, count);
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_header_get_all(headers, i, &name, &value, &length) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            value = NULL, name = "", length = 0; /* cannot be: i is below the count */
        headers_add(&reader->headers, bytes_of(name), bytes_make(value, length));
    }
}

static void
to_event(struct kafka_reader *reader, const rd_kafka_message_t *message, struct event *event)
{
    rd_kafka_timestamp_type_t type;
    int64_t time_ms = rd_kafka_message_timestamp(message, &type);

    encode_headers(reader, message);
    *event = (struct event){
        .received_ns = clock_now_ns(),
        .time_ns = CLOCK_NONE,
        .offset = message->offset,
        .stream = &reader->stream,
        .partition = message->partition,
        .time_type = TIME_NONE,
        .key = bytes_make(message->key, message->key != NULL ? message->key_len : 0),
        .headers = bytes_make(
            reader->headers.length > 0 ? reader->headers.data : NULL, reader->headers.length),
        .payload = bytes_make(message->payload, message->payload != NULL ? message->len : 0),
    };
    if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) {
        event->time_type = type == RD_KAFKA_TIMESTAMP_CREATE_TIME ? TIME_CREATE : TIME_APPEND;
        event->time_ns = time_ms * NS_PER_MS;
    }
}

static bool
fetch(struct kafka_reader *reader, int timeout_ms)
{
    drop_messages(reader, true);
    reader->at = 0;
    ssize_t got =
        rd_kafka_consume_batch_queue(reader->queue, timeout_ms, reader->messages, BATCH_MESSAGES);
    reader->count = got > 0 ? (size_t)got : 0;
    target_kafka_poll(reader->client, 0);
    if (reader->count > 0)
        reader->last_progress_ns = clock_monotonic_ns();
    return reader->count > 0;
}

static enum target_step
stalled(struct kafka_reader *reader, struct error *err)
{
    if (clock_monotonic_ns() - reader->last_progress_ns < TARGET_READER_STALL_MS * NS_PER_MS)
        return TARGET_IDLE;
    error_set(err, ERROR_REMOTE, "reading '%s' back: nothing came for %d s%s%s",
        reader->stream.name, TARGET_READER_STALL_MS / 1000,
        reader->client->reason[0] != '\0' ? ": " : "", reader->client->reason);
    return TARGET_FAILED;
}

static enum target_step
kafka_reader_next(
    struct target_reader *base, int timeout_ms, struct event *event, struct error *err)
{
    struct kafka_reader *reader = (struct kafka_reader *)base;
    while (reader->open_ranges > 0 || reader->at < reader->count) {
        if (reader->at == reader->count && !fetch(reader, timeout_ms))
            return stalled(reader, err);

        drop_messages(reader, false);
        const rd_kafka_message_t *message = reader->messages[reader->at++];
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            pass(reader, message->partition, message->offset);
        } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            error_set(err, ERROR_REMOTE, "reading '%s' partition %d back: %s", reader->stream.name,
                (int)message->partition, rd_kafka_message_errstr(message));
            return TARGET_FAILED;
        } else if (reader->ranges[message->partition].reading &&
                   message->offset < reader->ranges[message->partition].end) {
            to_event(reader, message, event);
            pass(reader, message->partition, message->offset + 1);
            return TARGET_EVENT;
        } else {
            pass(reader, message->partition, message->offset + 1);
        }
    }
    return TARGET_END;
}

const struct target_ops target_kafka_ops = {
    .ask = target_kafka_ask,
    .open = kafka_reader_open,
    .close = kafka_reader_close,
    .offsets = kafka_reader_offsets,
    .add = kafka_reader_add,
    .next = kafka_reader_next,
};
