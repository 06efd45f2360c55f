/* kafka_offsets.h - begins, ends and moments of logs, for as many partitions as have an answer.
 *
 * librdkafka asks the leaders of a list at once, and keeps all that they said to itself when one partition
 * is refused (its leader has just changed, its topic is being deleted) or one leader is silent. So what
 * failed is asked again: leader by leader where nobody answered in time, in halves where a broker refused,
 * until those remain that have no answer.
 *
 * Threads: the client's.
 */
#ifndef COLLECTORS_KAFKA_OFFSETS_H
#define COLLECTORS_KAFKA_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct error;
struct kafka_client;

/* The broker that leads the partition of an entry, by its opaque; -1 when nobody knows. */
typedef int32_t kafka_leader_of(const rd_kafka_topic_partition_t *entry);

/* Replace the times in the list by offsets: RD_KAFKA_OFFSET_BEGINNING and _END by log start and end
 * (the last stable one), milliseconds by the first offset at or after them, -1 when there is none. An entry of
 * RD_KAFKA_OFFSET_INVALID is not asked for, and one without an answer becomes that, with the reason in its
 * `err`. `leader_of` may be NULL.
 *
 * Begins no question after timeout_ms. False when something that was asked has no answer: *err names a
 * partition and says why. */
bool kafka_offsets_ask(struct kafka_client *client, rd_kafka_topic_partition_list_t *list,
    kafka_leader_of *leader_of, int timeout_ms, struct error *err);

#endif
