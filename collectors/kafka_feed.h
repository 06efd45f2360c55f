/* kafka_feed.h - what both Kafka sources share: the messages of a tap as they come out of the library's one
 * queue, and how the tap is.
 *
 * Messages are taken in batches, as fast as the tap's budget allows (read_budget.h), and the library is woken where it
 * pauses for nothing (fetch_pause.h). Every so often the source has to look at the cluster: the feed says
 * when, has patience with a broker that is slow to answer (answer_patience.h), and tells the console when the tap
 * changes.
 *
 * Threads: the collector's only.
 */
#ifndef COLLECTORS_KAFKA_FEED_H
#define COLLECTORS_KAFKA_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/bytes.h"
#include "collectors/answer_patience.h"
#include "collectors/fetch_pause.h"
#include "collectors/outlet.h"
#include "collectors/read_budget.h"

struct error;
struct kafka_client;
struct source_config;

#define KAFKA_FEED_MESSAGES 1000 /* for one poll */

/* What to do about a topic whose owner does not let us read it. */
#define KAFKA_READ_FIX "its owner must allow Read and Describe (kafka-acls --add)"

struct kafka_feed_ops {
    /* A message, or what the library has to say instead of one (message->err). `goes_on`: the next one in the same
     * batch is an event of the same partition. */
    enum outlet_step (*take)(void *self, const rd_kafka_message_t *message, bool goes_on);

    /* A broker did not know this topic a moment ago; "": it may be any. Before the messages that come then. */
    void (*miss)(void *self, const char *topic);

    /* Everything that `until` asks for is read. */
    bool (*is_at_end)(void *self);
};

/* `wake` becomes readable when messages arrive in an empty queue: consume_batch_queue() itself would
 * wait until it has as many as it may take. */
struct kafka_feed {
    const struct kafka_feed_ops *ops;
    void *self;
    struct kafka_client *client;
    struct outlet *outlet;
    rd_kafka_queue_t *queue; /* NULL: not open */
    int wake;
    int64_t look_ns;   /* monotonic: when to look at the cluster again; 0: now */
    bool is_well;      /* what the console was told */
    uint64_t received; /* bytes from brokers */
    struct answer_patience patience;
    struct read_budget budget;
    struct fetch_pause pause;
    struct buffer headers; /* for kafka_event_read() */
    rd_kafka_message_t *messages[KAFKA_FEED_MESSAGES];
};

/* Fill in *feed, so that kafka_feed_close() may be called. `config`, `client` and `outlet` outlive the feed. */
void kafka_feed_begin(struct kafka_feed *feed, const struct kafka_feed_ops *ops, void *self,
    const struct source_config *config, struct kafka_client *client, struct outlet *outlet);

/* Open it on *queue, which it takes, also when it fails. `client` is open. */
bool kafka_feed_open(struct kafka_feed *feed, rd_kafka_queue_t **queue, struct error *err);

/* Before the client is closed. */
void kafka_feed_close(struct kafka_feed *feed);

/* Take what is there; when that is nothing, wait for it, timeout_ms or until the outlet is stopped. This is also where
 * librdkafka calls the rebalance callback of a member. */
enum outlet_step kafka_feed_poll(struct kafka_feed *feed, int timeout_ms);

/* Read what the library reported, and say whether the source must look at the cluster now. */
bool kafka_feed_must_look(struct kafka_feed *feed);

/* The broker answered. Next look in 10 s, or in 1 s when something is still missing. */
void kafka_feed_answered(struct kafka_feed *feed, bool is_complete);

/* No answer about `lanes` partitions, for the reason *err. */
void kafka_feed_unanswered(struct kafka_feed *feed, size_t lanes, const struct error *err);

/* Tell the console how the tap is, when that changes; *err says what is wrong. */
void kafka_feed_report(struct kafka_feed *feed, bool is_well, const struct error *err);

/* Look again in a second. */
void kafka_feed_look_again(struct kafka_feed *feed);

/* The library could not make an event of what came from this lane, or says something else about it: `position` is
 * where the lane is. What is broken or too large is counted as lost. */
void kafka_feed_warn(struct kafka_feed *feed, struct tap_lane *lane, int64_t position,
    const rd_kafka_message_t *message);

#endif
