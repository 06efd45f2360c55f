/* The Kafka source: librdkafka's simple consumer, all partitions of a tap in one queue.
 *
 * It reads by explicit offsets, so there is no group on the broker and nothing to commit: where the
 * tape ends is where it goes on. Markers of transactions, aborted and compacted events take offsets
 * that no message has; an end is reached by position, not by the last message. */

#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/kafka_about.h"
#include "collectors/kafka_check.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_event.h"
#include "collectors/kafka_feed.h"
#include "collectors/kafka_lanes.h"
#include "collectors/kafka_proof.h"
#include "collectors/kafka_start.h"
#include "collectors/outlet.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "index/event.h"

#define TOPIC_NAME_MAX 249

struct kafka {
    const struct source_config *config;
    struct outlet *outlet;
    struct kafka_client client;
    struct kafka_lanes lanes;
    struct kafka_feed feed;
};

/* ---- before connecting ---- */

static bool
topic_is_legal(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return length > 0 && length <= TOPIC_NAME_MAX && name[length] == '\0' &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool
check_topic(const struct tap_url *url, const char *name, size_t index, struct error *err)
{
    if (!kafka_pattern_is(name) && !topic_is_legal(name))
        return error_set(err, ERROR_ARGUMENT,
            "'%s': '%.80s' cannot be a topic; topics have letters, digits, '.', '_' and '-'",
            url->text, name);
    for (size_t i = 0; i < index; i++) {
        char *other = tap_url_item(url->path, i);
        bool same = strcmp(other, name) == 0;
        free(other);
        if (same)
            return error_set(err, ERROR_ARGUMENT, "'%s' names topic '%s' twice", url->text, name);
    }
    return true;
}

static bool
url_names(const struct tap_url *url, const char *topic)
{
    bool is_named = false;
    char *name;
    for (size_t i = 0; !is_named && (name = tap_url_item(url->path, i)) != NULL; i++) {
        is_named = strcmp(name, topic) == 0;
        free(name);
    }
    return is_named;
}

/* Offsets to begin at must be those of topics that the tap records. */
static bool
check_offsets(
    const struct source_config *config, const struct kafka_patterns *patterns, struct error *err)
{
    const struct tap_url *url = config->url;
    bool is_one = strchr(url->path, ',') == NULL && patterns->count == 0;
    for (size_t i = 0; i < config->offsets.count; i++) {
        const struct start_offset *item = &config->offsets.items[i];
        if (item->topic == NULL && !is_one)
            return error_set(err, ERROR_ARGUMENT,
                "from '%d=%lld': '%s' may be several topics; write TOPIC[%d]@%lld", item->partition,
                (long long)item->offset, url->text, item->partition, (long long)item->offset);
        if (item->topic != NULL && !url_names(url, item->topic) &&
            !kafka_patterns_match(patterns, item->topic))
            return error_set(err, ERROR_ARGUMENT, "from '%.80s[%d]@%lld': '%s' has no such topic",
                item->topic, item->partition, (long long)item->offset, url->text);
    }
    return true;
}

static bool
kafka_check(const struct source_config *config, struct error *err)
{
    const struct tap_url *url = config->url;
    if (strcmp(url->transport, "kafka") != 0)
        return error_set(err, ERROR_ARGUMENT, "'%s': Kafka is reached by kafka:// only", url->text);
    if (url->path[0] == '\0')
        return error_set(err, ERROR_ARGUMENT,
            "'%s' names no topic; write kafka://%s/TOPIC or kafka://%s/TOPIC,TOPIC", url->text,
            url->address, url->address);
    char *name;
    for (size_t i = 0; (name = tap_url_item(url->path, i)) != NULL; i++) {
        bool good = check_topic(url, name, i, err);
        free(name);
        if (!good)
            return false;
    }
    struct kafka_patterns patterns;
    if (!kafka_patterns_make(&patterns, url->path, err))
        return false;
    bool good = check_offsets(config, &patterns, err);
    kafka_patterns_done(&patterns);
    return good && kafka_client_check(config, err);
}

/* ---- lanes ---- */

/* Start what can be started. A part that cannot is tried again while the rest records. `trouble` is with
 * others; NULL: there is none. */
static void
start_lanes(struct kafka *kafka, const struct error *trouble)
{
    struct error err;
    bool good = kafka_start_lanes(&kafka->lanes, &err);
    const char *refused = good ? kafka_lanes_refused(&kafka->lanes) : NULL;
    if (refused != NULL)
        error_set(&err, ERROR_REFUSED,
            "kafka at %s does not let us read topic '%s'; " KAFKA_READ_FIX, kafka->client.address,
            refused);
    if (good && refused == NULL && trouble != NULL)
        err = *trouble;
    good = good && trouble == NULL;
    kafka_feed_report(&kafka->feed, good && refused == NULL, &err);
    kafka_feed_answered(&kafka->feed, good && !kafka->lanes.is_expecting);
    if (good && kafka->lanes.notice.code != ERROR_NONE)
        outlet_warn(kafka->outlet, "%s", kafka->lanes.notice.text);
    if (good)
        kafka->lanes.notice.code = ERROR_NONE;
}

/* ---- messages ---- */

/* The first event of a lane that must be seen to be the old one. False: it is not, and all of the topic
 * begins anew. */
static bool
prove(struct kafka *kafka, struct kafka_topic *topic, struct kafka_lane *lane,
    const struct event *event)
{
    if (!kafka_proof_judge(&kafka->lanes.prover, &lane->proof, lane->lane, event)) {
        kafka_start_anew(&kafka->lanes, topic, "it has other events than the tape");
        kafka->feed.look_ns = 0;
        return false;
    }
    if (kafka_proof_is_far(&lane->proof, lane->position)) {
        kafka_lanes_reset(&kafka->lanes, topic, lane);
        kafka->feed.look_ns = 0;
    }
    kafka_lane_advance(&kafka->lanes, lane, lane->position);
    return lane->state == KAFKA_LANE_READING;
}

/* `goes_on`: the next message in the same poll is of the same lane. */
static enum outlet_step
take_message(struct kafka *kafka, struct kafka_topic *topic, struct kafka_lane *lane,
    const rd_kafka_message_t *message, bool goes_on)
{
    if (!lane->proof.is_proving && lane->end >= 0 && message->offset >= lane->end) {
        kafka_lane_advance(&kafka->lanes, lane, message->offset);
        return OUTLET_GO_ON;
    }
    struct event event;
    kafka_event_read(message, &kafka->feed.headers, &event);
    if (lane->proof.is_proving && !prove(kafka, topic, lane, &event))
        return OUTLET_GO_ON;
    enum outlet_step step = outlet_event(kafka->outlet, lane->lane, &event);
    if (step != OUTLET_GO_ON)
        return step;
    if (!goes_on)
        kafka_proof_note(&lane->proof, &event);
    kafka_lane_advance(&kafka->lanes, lane, message->offset + 1);
    return step;
}

/* A message that is none: an end, or something that went wrong on one partition. */
static void
take_notice(struct kafka *kafka, struct kafka_topic *topic, struct kafka_lane *lane,
    const rd_kafka_message_t *message)
{
    switch (kafka_notice_read(message)) {
    case KAFKA_NOTICE_END:
        kafka_proof_end(&kafka->lanes.prover, &lane->proof);
        outlet_reach(kafka->outlet, lane->lane, message->offset);
        kafka_lane_advance(&kafka->lanes, lane, message->offset);
        break;
    case KAFKA_NOTICE_MISPLACED:
    case KAFKA_NOTICE_MISSING:
        kafka_lanes_doubt(&kafka->lanes, topic);
        kafka->feed.look_ns = 0;
        break;
    case KAFKA_NOTICE_REFUSED:
        lane->is_refused = true;
        kafka->feed.look_ns = 0;
        break;
    case KAFKA_NOTICE_CONNECTION:
        break;
    case KAFKA_NOTICE_LOST:
    case KAFKA_NOTICE_OTHER:
        kafka_feed_warn(&kafka->feed, lane->lane, lane->position, message);
        break;
    }
}

static enum outlet_step
take(void *self, const rd_kafka_message_t *message, bool goes_on)
{
    struct kafka *kafka = self;
    struct kafka_topic *topic = message->rkt == NULL ? NULL : rd_kafka_topic_opaque(message->rkt);
    if (topic == NULL || message->partition < 0 || message->partition >= topic->lane_count)
        return OUTLET_GO_ON;
    struct kafka_lane *lane = &topic->lanes[message->partition];
    if (lane->state != KAFKA_LANE_READING)
        return OUTLET_GO_ON; /* what was under way when it was stopped */
    if (lane->is_refused && (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                                message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)) {
        lane->is_refused = false;
        kafka->feed.look_ns = 0;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return take_message(kafka, topic, lane, message, goes_on);
    take_notice(kafka, topic, lane, message);
    return OUTLET_GO_ON;
}

static void
miss_topic(void *self, const char *topic)
{
    struct kafka *kafka = self;
    for (size_t i = 0; i < kafka->lanes.topic_count; i++)
        if (topic[0] == '\0' || strcmp(kafka->lanes.topics[i]->name, topic) == 0)
            kafka_lanes_doubt(&kafka->lanes, kafka->lanes.topics[i]);
    kafka->feed.look_ns = 0;
}

/* ---- polling ---- */

/* Now and then: new partitions, lost brokers, lanes that wait. */
static void
look(struct kafka *kafka)
{
    struct error err;
    if (!kafka_feed_must_look(&kafka->feed))
        return;
    bool good = kafka_lanes_look(&kafka->lanes, &err);
    if (good || kafka->lanes.is_answered)
        start_lanes(kafka, good ? NULL : &err);
    else
        kafka_feed_unanswered(&kafka->feed, kafka_lanes_count(&kafka->lanes), &err);
}

static bool
is_at_end(void *self)
{
    struct kafka *kafka = self;
    if (kafka->config->until == UNTIL_TIME && !kafka->lanes.ends_known &&
        clock_now_ns() > kafka->config->until_ns) {
        struct error err;
        if (!kafka_start_take_ends(&kafka->lanes, &err))
            kafka_feed_report(&kafka->feed, false, &err);
        kafka_lanes_stop_reached(&kafka->lanes);
    }
    bool has_ends = kafka->config->until == UNTIL_END || kafka->lanes.ends_known;
    return has_ends && kafka->lanes.waiting == 0 && kafka->lanes.reading == 0;
}

static const struct kafka_feed_ops feed_ops = {
    .take = take, .miss = miss_topic, .is_at_end = is_at_end};

static enum source_state
kafka_poll(void *self, int timeout_ms, struct error *err)
{
    (void)err;
    struct kafka *kafka = self;
    look(kafka);
    enum outlet_step step = kafka_feed_poll(&kafka->feed, timeout_ms);
    kafka_lanes_stop_reached(&kafka->lanes);
    return step == OUTLET_DONE || is_at_end(kafka) ? SOURCE_ENDED : SOURCE_LIVE;
}

/* ---- opening and closing ---- */

static void
kafka_close(void *self)
{
    struct kafka *kafka = self;
    kafka_lanes_close(&kafka->lanes);
    kafka_feed_close(&kafka->feed);
    if (kafka_client_close_in_time(&kafka->client))
        free(kafka);
}

static enum source_state
connect_kafka(struct kafka *kafka, struct error *err)
{
    if (!kafka_client_open(&kafka->client, kafka->config, err))
        return SOURCE_FAILED;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->client.rk);
    if (!kafka_feed_open(&kafka->feed, &queue, err))
        return SOURCE_LOST;
    kafka->lanes = (struct kafka_lanes){
        .config = kafka->config,
        .outlet = kafka->outlet,
        .client = &kafka->client,
        .queue = kafka->feed.queue,
        .prover = {.directory = kafka->config->tape},
    };
    bool is_final = false;
    if (kafka_lanes_open(&kafka->lanes, &is_final, err))
        return SOURCE_LIVE;
    return is_final ? SOURCE_FAILED : SOURCE_LOST;
}

static enum source_state
kafka_open(
    const struct source_config *config, struct outlet *outlet, void **self, struct error *err)
{
    struct kafka *kafka = alloc_zeroed(sizeof(*kafka));
    kafka->config = config;
    kafka->outlet = outlet;
    kafka_feed_begin(&kafka->feed, &feed_ops, kafka, config, &kafka->client, outlet);
    enum source_state state = connect_kafka(kafka, err);
    if (state != SOURCE_LIVE) {
        kafka_close(kafka);
        return state;
    }
    start_lanes(kafka, NULL);
    *self = kafka;
    return SOURCE_LIVE;
}

extern const struct source_ops source_kafka_group;

const struct source_ops source_kafka = {
    .scheme = "kafka",
    .summary = "topics of a Kafka cluster, without a consumer group",
    .example = "kafka://localhost:9092/orders,payments",
    .default_port = 9092,
    .can_wait = true,
    .has_offsets = true,
    .check = kafka_check,
    .open = kafka_open,
    .poll = kafka_poll,
    .close = kafka_close,
    .test = kafka_check_run,
    .about = kafka_about,
    .in_group = &source_kafka_group,
};
