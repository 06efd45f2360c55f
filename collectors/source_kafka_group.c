/* The Kafka source as a member of a consumer group: several recorders share the topics' partitions.
 *
 * The group is the user's own, for recorders only. Its committed offsets say what some tape has, so that
 * whoever gets a partition goes on where the last one's tape ends; nothing else changes at the broker. */

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
#include "collectors/kafka_member.h"
#include "collectors/kafka_mend.h"
#include "collectors/kafka_patterns.h"
#include "collectors/outlet.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "index/event.h"

#define GROUP_FIX "its owner must allow Read on the group (kafka-acls --add --group)"

/* `client` stands first: librdkafka hands it to the rebalance callback. `trouble` is what the group or
 * the broker said last, until a partition is read again. */
struct group {
    struct kafka_client client;
    struct kafka_member member;
    const struct source_config *config;
    struct outlet *outlet;
    struct error trouble;
    struct kafka_feed feed;
};

extern const struct source_ops source_kafka;

static bool
group_check(const struct source_config *config, struct error *err)
{
    return source_kafka.check(config, err);
}

/* ---- connecting ---- */

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t why, rd_kafka_topic_partition_list_t *partitions,
    void *opaque)
{
    (void)rk;
    struct group *group = opaque;
    kafka_member_rebalance(&group->member, why, partitions);
}

/* ---- messages ---- */

/* `goes_on`: the next message in the same poll is of the same lane. */
static enum outlet_step
record(struct group *group, struct member_lane *lane, struct event *event, bool goes_on)
{
    if (lane->end >= 0 && event->offset >= lane->end)
        return OUTLET_GO_ON;
    enum outlet_step step = outlet_event(group->outlet, lane->lane, event);
    if (step == OUTLET_GO_ON && !goes_on)
        kafka_proof_note(&lane->proof, event);
    return step;
}

static enum outlet_step
take_message(
    struct group *group, struct member_lane *lane, const rd_kafka_message_t *message, bool goes_on)
{
    struct event event;
    kafka_event_read(message, &group->feed.headers, &event);
    if (lane->proof.is_proving && !kafka_mend_prove(&group->member, lane, &event))
        return OUTLET_GO_ON;
    int64_t behind = message->offset + 1;
    enum outlet_step step = record(group, lane, &event, goes_on);
    if (step == OUTLET_GO_ON && behind > lane->position)
        lane->position = behind;
    return step;
}

/* What librdkafka says about the group, or about topics of which we have no lane. */
static void
take_trouble(struct group *group, const rd_kafka_message_t *message)
{
    const char *text = rd_kafka_message_errstr(message);
    const char *name = group->config->group;
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        error_set(&group->trouble, ERROR_REFUSED,
            "kafka at %s does not let us into group '%.100s'; %s", group->client.address, name,
            GROUP_FIX);
        break;
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
        error_set(&group->trouble, ERROR_REFUSED,
            "group '%.100s' has members that are no recorders; choose a name that nobody else uses",
            name);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        error_set(&group->trouble, ERROR_REFUSED, "kafka at %s: %.100s; %s", group->client.address,
            text, KAFKA_READ_FIX);
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return; /* the connection says more */
    default:
        error_set(&group->trouble, ERROR_REMOTE, "group '%.100s': %s", name, text);
        break;
    }
    kafka_feed_report(&group->feed, false, &group->trouble);
    kafka_feed_look_again(&group->feed);
}

static void
miss_topic(void *self, const char *topic)
{
    struct group *group = self;
    kafka_mend_doubt(&group->member, topic);
}

/* A message of a lane that is none: an end, or something that went wrong. */
static void
take_notice(struct group *group, struct member_lane *lane, const rd_kafka_message_t *message)
{
    switch (kafka_notice_read(message)) {
    case KAFKA_NOTICE_END:
        kafka_proof_end(&group->member.prover, &lane->proof);
        outlet_reach(group->outlet, lane->lane, message->offset);
        if (message->offset > lane->position)
            lane->position = message->offset;
        break;
    case KAFKA_NOTICE_MISPLACED:
    case KAFKA_NOTICE_MISSING:
        miss_topic(group, lane->topic->name);
        break;
    case KAFKA_NOTICE_REFUSED:
        lane->is_refused = true;
        group->feed.look_ns = 0;
        break;
    case KAFKA_NOTICE_CONNECTION:
        break;
    case KAFKA_NOTICE_LOST:
    case KAFKA_NOTICE_OTHER:
        kafka_feed_warn(&group->feed, lane->lane, lane->position, message);
        break;
    }
}

static enum outlet_step
take(void *self, const rd_kafka_message_t *message, bool goes_on)
{
    struct group *group = self;
    struct member_lane *lane = kafka_member_lane(&group->member, message);
    bool is_good = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (lane == NULL) { /* under way when the lane was taken back, or about the group */
        if (!is_good && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            take_trouble(group, message);
        return OUTLET_GO_ON;
    }
    if (is_good || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        group->trouble.code = ERROR_NONE;
        lane->is_refused = false;
    }
    if (lane->is_misplaced)
        return OUTLET_GO_ON;
    if (is_good)
        return take_message(group, lane, message, goes_on);
    take_notice(group, lane, message);
    return OUTLET_GO_ON;
}

/* ---- polling ---- */

/* Now and then: lost brokers, lanes that cannot be read. */
static void
look(struct group *group)
{
    struct error err;
    if (group->member.must_mend)
        group->feed.look_ns = 0;
    group->member.must_mend = false;
    if (!kafka_feed_must_look(&group->feed))
        return;
    size_t lanes = group->member.lane_count;
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(&group->client, NULL, false, answer_patience_ms(lanes), &err);
    if (metadata == NULL) {
        kafka_feed_unanswered(&group->feed, lanes, &err);
        return;
    }
    bool good = kafka_mend_lanes(&group->member, metadata, &err);
    rd_kafka_metadata_destroy(metadata);
    const char *refused = good ? kafka_member_refused(&group->member) : NULL;
    if (refused != NULL)
        good = error_set(&err, ERROR_REFUSED, "kafka at %s does not let us read topic '%.100s'; %s",
            group->client.address, refused, KAFKA_READ_FIX);
    if (good && group->trouble.code != ERROR_NONE) {
        err = group->trouble;
        good = false;
    }
    kafka_feed_report(&group->feed, good, &err);
    kafka_feed_answered(&group->feed, good);
}

static bool
is_at_end(void *self)
{
    struct group *group = self;
    if (group->config->until == UNTIL_TIME && !group->member.ends_known &&
        group->member.was_dealt && clock_now_ns() > group->config->until_ns) {
        struct error err;
        if (!kafka_member_take_ends(&group->member, &err))
            kafka_feed_report(&group->feed, false, &err);
    }
    return kafka_member_is_at_end(&group->member);
}

static const struct kafka_feed_ops feed_ops = {
    .take = take, .miss = miss_topic, .is_at_end = is_at_end};

static enum source_state
group_poll(void *self, int timeout_ms, struct error *err)
{
    struct group *group = self;
    look(group);
    enum outlet_step step = kafka_feed_poll(&group->feed, timeout_ms);
    kafka_member_tick(&group->member);
    if (group->member.failure.code != ERROR_NONE) {
        *err = group->member.failure;
        return SOURCE_LOST;
    }
    return step == OUTLET_DONE || is_at_end(group) ? SOURCE_ENDED : SOURCE_LIVE;
}

/* ---- opening and closing ---- */

static void
group_close(void *self)
{
    struct group *group = self;
    if (group->feed.queue != NULL)
        kafka_member_leave(&group->member);
    kafka_member_close(&group->member);
    kafka_feed_close(&group->feed);
    if (kafka_client_close_in_time(&group->client))
        free(group);
}

static bool
know_topic(
    struct group *group, const rd_kafka_metadata_t *metadata, const char *name, struct error *err)
{
    const rd_kafka_metadata_topic_t *answer = kafka_client_answer(metadata, name);
    const char *address = group->client.address;
    if (answer == NULL || answer->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return error_set(err, ERROR_REMOTE, "topic '%.100s' does not exist on %s", name, address);
    if (answer->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return error_set(err, ERROR_REFUSED, "kafka at %s does not let us read topic '%.100s'; %s",
            address, name, KAFKA_READ_FIX);
    kafka_member_know(&group->member, answer);
    return true;
}

/* The topics of the URL, by name and by expression. Those that are there now are known; what comes later
 * is wanted from its beginning. */
static bool
subscribe(struct group *group, const rd_kafka_metadata_t *metadata,
    rd_kafka_topic_partition_list_t *topics, struct error *err)
{
    struct kafka_patterns patterns;
    if (!kafka_patterns_make(&patterns, group->config->url->path, err))
        return false;
    bool good = true;
    char *name;
    for (size_t i = 0; good && (name = tap_url_item(group->config->url->path, i)) != NULL; i++) {
        rd_kafka_topic_partition_list_add(topics, name, RD_KAFKA_PARTITION_UA);
        good = kafka_pattern_is(name) || know_topic(group, metadata, name, err);
        free(name);
    }
    for (int i = 0; good && i < metadata->topic_cnt; i++)
        if (kafka_patterns_match(&patterns, metadata->topics[i].topic))
            kafka_member_know(&group->member, &metadata->topics[i]);
    kafka_patterns_done(&patterns);
    if (!good)
        return false;
    rd_kafka_resp_err_t code = rd_kafka_subscribe(group->client.rk, topics);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ||
           error_set(err, ERROR_REMOTE, "cannot join group '%.100s': %s", group->config->group,
               rd_kafka_err2str(code));
}

static enum source_state
connect_group(struct group *group, struct error *err)
{
    if (!kafka_client_open_member(&group->client, group->config, on_rebalance, err))
        return SOURCE_FAILED;
    group->member = (struct kafka_member){
        .config = group->config,
        .outlet = group->outlet,
        .client = &group->client,
        .prover = {.directory = group->config->tape},
    };
    kafka_member_open(&group->member);
    int64_t deadline_ns = clock_monotonic_ns() + KAFKA_CONNECT_NS;
    const rd_kafka_metadata_t *metadata =
        kafka_client_first(&group->client, group->outlet, NULL, deadline_ns, err);
    if (metadata == NULL)
        return err->code == ERROR_REFUSED ? SOURCE_FAILED : SOURCE_LOST;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(group->client.rk);
    if (!kafka_feed_open(&group->feed, &queue, err)) {
        rd_kafka_metadata_destroy(metadata);
        return SOURCE_LOST;
    }
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(4);
    bool good = subscribe(group, metadata, topics, err);
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_metadata_destroy(metadata);
    return good ? SOURCE_LIVE : SOURCE_FAILED;
}

static enum source_state
group_open(
    const struct source_config *config, struct outlet *outlet, void **self, struct error *err)
{
    struct group *group = alloc_zeroed(sizeof(*group));
    group->config = config;
    group->outlet = outlet;
    kafka_feed_begin(&group->feed, &feed_ops, group, config, &group->client, outlet);
    enum source_state state = connect_group(group, err);
    if (state != SOURCE_LIVE) {
        group_close(group);
        return state;
    }
    kafka_feed_report(&group->feed, true, NULL);
    kafka_feed_answered(&group->feed, true);
    *self = group;
    return SOURCE_LIVE;
}

const struct source_ops source_kafka_group = {
    .scheme = "kafka",
    .summary = "topics of a Kafka cluster, shared with other recorders of a consumer group",
    .example = "kafka://localhost:9092/orders,payments",
    .default_port = 9092,
    .can_wait = true,
    .check = group_check,
    .open = group_open,
    .poll = group_poll,
    .close = group_close,
    .test = kafka_check_run,
    .about = kafka_about,
};
