#include "collectors/kafka_event.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"

static void
read_time(const rd_kafka_message_t *message, struct event *event)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(message, &type);
    event->time_type = TIME_NONE;
    event->time_ns = CLOCK_NONE;
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 || ms > INT64_MAX / NS_PER_MS)
        return;
    event->time_type = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? TIME_APPEND : TIME_CREATE;
    event->time_ns = ms * NS_PER_MS;
}

static struct bytes
read_headers(const rd_kafka_message_t *message, struct buffer *to)
{
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return BYTES_NULL;
    to->length = 0;
    size_t count = rd_kafka_header_cnt(headers);
    headers_begin(to, count);
    for (size_t i = 0; i < count; i++) {
        const char *name = "";
        const void *value = NULL;
        size_t size = 0;
        (void)rd_kafka_header_get_all(headers, i, &name, &value, &size);
        headers_add(to, bytes_of(name), bytes_make(value, size));
    }
    return bytes_make(to->data, to->length);
}

void
kafka_event_read(const rd_kafka_message_t *message, struct buffer *headers, struct event *event)
{
    *event = (struct event){
        .offset = message->offset,
        .key = bytes_make(message->key, message->key_len),
        .headers = read_headers(message, headers),
        .payload = bytes_make(message->payload, message->len),
    };
    read_time(message, event);
}

enum kafka_notice
kafka_notice_read(const rd_kafka_message_t *message)
{
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        return KAFKA_NOTICE_END;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return KAFKA_NOTICE_MISPLACED;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return KAFKA_NOTICE_MISSING;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return KAFKA_NOTICE_REFUSED;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return KAFKA_NOTICE_CONNECTION;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__UNDERFLOW:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return KAFKA_NOTICE_LOST;
    default:
        return KAFKA_NOTICE_OTHER;
    }
}
