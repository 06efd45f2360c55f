/* kafka_event.h - a message of librdkafka as an event, or as what it says instead of one.
 *
 * Threads: any; nothing here keeps anything.
 */
#ifndef COLLECTORS_KAFKA_EVENT_H
#define COLLECTORS_KAFKA_EVENT_H

#include <librdkafka/rdkafka.h>

struct buffer;
struct event;

/* Fill offset, times, key, headers and payload. *event lives as long as the message does and `headers`,
 * which takes the encoded headers, is not used again. */
void kafka_event_read(
    const rd_kafka_message_t *message, struct buffer *headers, struct event *event);

/* What a message with message->err set means for its partition. */
enum kafka_notice {
    KAFKA_NOTICE_END,        /* everything before message->offset was seen */
    KAFKA_NOTICE_MISPLACED,  /* the broker does not have the offset that we asked for */
    KAFKA_NOTICE_MISSING,    /* it does not know the topic or the partition */
    KAFKA_NOTICE_REFUSED,    /* librdkafka goes on asking, and says no more until it may */
    KAFKA_NOTICE_CONNECTION, /* lost; the connection says more */
    KAFKA_NOTICE_LOST,       /* an event that is broken, or too large for the client */
    KAFKA_NOTICE_OTHER,
};
enum kafka_notice kafka_notice_read(const rd_kafka_message_t *message);

#endif
