/* kafka_event.h - a message of librdkafka as an event.
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

#endif
