/* broker.h - the shop's Kafka: librdkafka's mock cluster with one broker, on a loopback port that the
 * system chooses.
 *
 * It keeps about 5 MB per partition and forgets what is older.  Threads: one owner; the broker has its
 * own.
 */
#ifndef DEMO_BROKER_H
#define DEMO_BROKER_H

#include <stdbool.h>

struct broker;
struct error;

/* NULL with ERROR_SYSTEM when it cannot listen. */
struct broker *broker_open(struct error *err);

/* "127.0.0.1:40123"; lives as long as the broker. */
const char *broker_bootstrap(const struct broker *broker);

bool broker_add_topic(struct broker *broker, const char *name, int partitions, struct error *err);

/* Its clients should be gone before. NULL is allowed. */
void broker_close(struct broker *broker);

#endif
