/* collectors_kafka.h - librdkafka's mock cluster in this process, and a producer for it. */
#ifndef TESTS_SUPPORT_COLLECTORS_KAFKA_H
#define TESTS_SUPPORT_COLLECTORS_KAFKA_H

#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct kafka_mock {
    rd_kafka_t *producer; /* owns the cluster */
    rd_kafka_mock_cluster_t *cluster;
    char *bootstrap;
};

void kafka_mock_start(struct kafka_mock *mock, int brokers);
void kafka_mock_stop(struct kafka_mock *mock);

void kafka_mock_topic(struct kafka_mock *mock, const char *topic, int partitions);

/* Send one message and wait until it is stored; its offset is the return value. NULL key or payload:
 * null. `headers` may be NULL; taken. */
int64_t kafka_mock_send(struct kafka_mock *mock, const char *topic, int32_t partition,
    const void *key, size_t key_length, const void *payload, size_t length,
    rd_kafka_headers_t *headers);

/* Send `count` messages "PREFIX0", "PREFIX1" ... */
void kafka_mock_send_many(
    struct kafka_mock *mock, const char *topic, int32_t partition, const char *prefix, int count);

/* "kafka://BOOTSTRAP/TOPICS", for the caller to free. */
char *kafka_mock_url(const struct kafka_mock *mock, const char *topics);

#endif
