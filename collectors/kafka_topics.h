/* kafka_topics.h - the topics of a Kafka tap: which there are, found by name, and how many partitions each has.
 *
 * struct kafka_lanes holds two lists of the same topics: in the order in which they came, and sorted by name. A
 * topic stays where it is until kafka_topics_done(), because librdkafka points to it; it gets more lanes here,
 * never fewer, and each new one waits.
 *
 * Part of the Kafka source: one thread. Nothing here waits for the broker, or can fail.
 */
#ifndef COLLECTORS_KAFKA_TOPICS_H
#define COLLECTORS_KAFKA_TOPICS_H

#include <stddef.h>

#include <librdkafka/rdkafka.h>

struct kafka_lanes;
struct kafka_topic;

/* Make those that the URL names in full. */
void kafka_topics_make(struct kafka_lanes *lanes);

/* The topic, or NULL. */
struct kafka_topic *kafka_topics_find(const struct kafka_lanes *lanes, const char *name);

/* Make those of the answer that a pattern fits and that we do not have yet. Returns the first new one's
 * place in lanes->topics; the others are behind it. */
size_t kafka_topics_match(struct kafka_lanes *lanes, const rd_kafka_metadata_t *metadata);

/* Take over a topic's partitions and leaders from an answer without an error. */
void kafka_topics_apply(
    struct kafka_lanes *lanes, struct kafka_topic *topic, const rd_kafka_metadata_topic_t *answer);

/* The same for each of ours that the answer has. */
void kafka_topics_apply_all(struct kafka_lanes *lanes, const rd_kafka_metadata_t *metadata);

/* Free all of them; none may be consumed any more. */
void kafka_topics_done(struct kafka_lanes *lanes);

#endif
