/* The Kafka source: librdkafka's simple consumer, all partitions of a tap in one queue.
 *
 * It reads by explicit offsets, so there is no group on the broker and nothing to commit: where the
 * tape ends is where it goes on. Markers of transactions, aborted and compacted events take offsets
 * that no message has; an end is reached by position, not by the last message. */

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/answer_patience.h"
#include "collectors/fetch_pause.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_event.h"
#include "collectors/kafka_lanes.h"
#include "collectors/kafka_proof.h"
#include "collectors/kafka_start.h"
#include "collectors/outlet.h"
#include "collectors/read_budget.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "index/event.h"

#define MESSAGES       1000 /* for one poll */
#define FEW            16   /* the same with a budget, which is only looked at between two */
#define LOOK_NS        (10 * NS_PER_S)
#define LOOK_AGAIN_NS  NS_PER_S /* while something is missing */
#define TOPIC_NAME_MAX 249
#define ALLOW_FIX      "its owner must allow Read and Describe (kafka-acls --add)"

/* `wake` becomes readable when messages arrive in an empty queue: consume_batch_queue() itself would
 * wait until it has as many as it may take. */
struct kafka {
    const struct source_config *config;
    struct outlet *outlet;
    struct kafka_client client;
    struct kafka_lanes lanes;
    rd_kafka_queue_t *queue;
    int wake;
    int64_t look_ns; /* monotonic: when to ask for metadata again */
    struct answer_patience patience;
    bool is_well; /* what the console was told */
    struct read_budget budget;
    struct fetch_pause pause;
    struct buffer headers;
    rd_kafka_message_t *messages[MESSAGES];
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

/* ---- connecting ---- */

static void
on_messages(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    const int *wake = opaque;
    uint64_t one = 1;
    ssize_t written = write(*wake, &one, sizeof(one));
    (void)written; /* full is readable */
}

static void
kafka_close(void *self)
{
    struct kafka *kafka = self;
    kafka_lanes_close(&kafka->lanes);
    if (kafka->queue != NULL) {
        rd_kafka_queue_cb_event_enable(kafka->queue, NULL, NULL);
        rd_kafka_queue_destroy(kafka->queue);
    }
    outlet_count_wire(kafka->outlet, kafka_client_received(&kafka->client));
    kafka_client_close(&kafka->client);
    if (kafka->wake >= 0)
        (void)close(kafka->wake);
    buffer_done(&kafka->headers);
    free(kafka);
}

/* Tell the console when that changes. */
static void
report(struct kafka *kafka, bool is_well, const struct error *err)
{
    if (is_well && !kafka->is_well)
        outlet_set_state(kafka->outlet, TAP_LIVE, NULL);
    else if (!is_well && kafka->is_well)
        outlet_count_retry(kafka->outlet);
    if (!is_well)
        outlet_set_state(kafka->outlet, TAP_RETRYING, "%s", err->text);
    kafka->is_well = is_well;
}

/* Start what can be started. A part that cannot is tried again while the rest records. `trouble` is with
 * others; NULL: there is none. */
static void
start_lanes(struct kafka *kafka, const struct error *trouble)
{
    struct error err;
    bool good = kafka_start_lanes(&kafka->lanes, &err);
    const char *refused = good ? kafka_lanes_refused(&kafka->lanes) : NULL;
    if (refused != NULL)
        error_set(&err, ERROR_REFUSED, "kafka at %s does not let us read topic '%s'; " ALLOW_FIX,
            kafka->client.address, refused);
    if (good && refused == NULL && trouble != NULL)
        err = *trouble;
    good = good && trouble == NULL;
    report(kafka, good && refused == NULL, &err);
    if (good && kafka->lanes.notice.code != ERROR_NONE)
        outlet_warn(kafka->outlet, "%s", kafka->lanes.notice.text);
    if (good)
        kafka->lanes.notice.code = ERROR_NONE;
    kafka->look_ns = clock_monotonic_ns() + (good ? LOOK_NS : LOOK_AGAIN_NS);
}

static enum source_state
connect_kafka(struct kafka *kafka, struct error *err)
{
    if (!kafka_client_open(&kafka->client, kafka->config, err))
        return SOURCE_FAILED;
    kafka->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (kafka->wake < 0) {
        error_set_system(err, "cannot make an event descriptor");
        return SOURCE_LOST;
    }
    kafka->queue = rd_kafka_queue_new(kafka->client.rk);
    fetch_pause_set(&kafka->pause, kafka_client_read_ahead(&kafka->client));
    rd_kafka_queue_cb_event_enable(kafka->queue, on_messages, &kafka->wake);
    kafka->lanes = (struct kafka_lanes){
        .config = kafka->config,
        .outlet = kafka->outlet,
        .client = &kafka->client,
        .queue = kafka->queue,
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
    kafka->wake = -1;
    read_budget_set(&kafka->budget, config->max_bytes_per_second, clock_monotonic_ns());
    enum source_state state = connect_kafka(kafka, err);
    if (state != SOURCE_LIVE) {
        kafka_close(kafka);
        return state;
    }
    start_lanes(kafka, NULL);
    *self = kafka;
    return SOURCE_LIVE;
}

/* ---- messages ---- */

/* The first event of a lane that must be seen to be the old one. False: it is not, and all of the topic
 * begins anew. */
static bool
prove(struct kafka *kafka, struct kafka_topic *topic, struct kafka_lane *lane,
    const struct event *event)
{
    if (!kafka_proof_judge(&kafka->lanes, lane, event)) {
        kafka_start_anew(&kafka->lanes, topic, "it has other events than the tape");
        kafka->look_ns = 0;
        return false;
    }
    if (kafka_proof_is_far(lane)) {
        kafka_lanes_reset(&kafka->lanes, topic, lane);
        kafka->look_ns = 0;
    }
    kafka_lane_advance(&kafka->lanes, lane, lane->position);
    return lane->state == KAFKA_LANE_READING;
}

/* `goes_on`: the next message in the same poll is of the same lane. */
static enum outlet_step
take_message(struct kafka *kafka, struct kafka_topic *topic, struct kafka_lane *lane,
    const rd_kafka_message_t *message, bool goes_on)
{
    if (!lane->is_proving && lane->end >= 0 && message->offset >= lane->end) {
        kafka_lane_advance(&kafka->lanes, lane, message->offset);
        return OUTLET_GO_ON;
    }
    struct event event;
    kafka_event_read(message, &kafka->headers, &event);
    if (lane->is_proving && !prove(kafka, topic, lane, &event))
        return OUTLET_GO_ON;
    enum outlet_step step = outlet_event(kafka->outlet, lane->lane, &event);
    if (step != OUTLET_GO_ON)
        return step;
    if (!goes_on)
        kafka_proof_note(lane, &event);
    kafka_lane_advance(&kafka->lanes, lane, message->offset + 1);
    return step;
}

/* A message that is none: an end, or something that went wrong on one partition. */
static void
take_notice(struct kafka *kafka, struct kafka_topic *topic, struct kafka_lane *lane,
    const rd_kafka_message_t *message)
{
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        kafka_proof_end(&kafka->lanes, lane);
        kafka_lane_advance(&kafka->lanes, lane, message->offset);
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        kafka_lanes_doubt(&kafka->lanes, topic);
        kafka->look_ns = clock_monotonic_ns();
        return;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        kafka_lanes_doubt(&kafka->lanes, topic);
        kafka->look_ns = 0;
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        lane->is_refused = true; /* librdkafka goes on asking, and says no more until it may */
        kafka->look_ns = 0;
        return;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return; /* the connection says more */
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__UNDERFLOW:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        outlet_count_lost(kafka->outlet, lane->lane);
        break;
    default:
        break;
    }
    outlet_warn(kafka->outlet, "%s[%d] at offset %lld: %s", topic->name, message->partition,
        (long long)lane->position, rd_kafka_message_errstr(message));
}

static enum outlet_step
dispatch(struct kafka *kafka, const rd_kafka_message_t *message, bool goes_on)
{
    struct kafka_topic *topic = message->rkt == NULL ? NULL : rd_kafka_topic_opaque(message->rkt);
    if (topic == NULL || message->partition < 0 || message->partition >= topic->lane_count)
        return OUTLET_GO_ON;
    struct kafka_lane *lane = &topic->lanes[message->partition];
    if (lane->state != KAFKA_LANE_READING)
        return OUTLET_GO_ON; /* what was under way when it was stopped */
    if (lane->is_refused && (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                                message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)) {
        lane->is_refused = false;
        kafka->look_ns = 0;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return take_message(kafka, topic, lane, message, goes_on);
    take_notice(kafka, topic, lane, message);
    return OUTLET_GO_ON;
}

static bool
is_same_lane(const rd_kafka_message_t *one, const rd_kafka_message_t *other)
{
    return one->rkt == other->rkt && one->partition == other->partition &&
           other->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Topics that were away for a moment: what comes now may be of another log. */
static void
doubt_missing(struct kafka *kafka)
{
    char topic[KAFKA_TOPIC_MAX];
    while (kafka_client_missing(&kafka->client, topic)) {
        for (size_t i = 0; i < kafka->lanes.topic_count; i++)
            if (topic[0] == '\0' || strcmp(kafka->lanes.topics[i]->name, topic) == 0)
                kafka_lanes_doubt(&kafka->lanes, kafka->lanes.topics[i]);
        kafka->look_ns = 0;
    }
}

/* Take what is in the local queue. */
static ssize_t
drain(struct kafka *kafka, enum outlet_step *step)
{
    int64_t wait_ns = read_budget_wait(&kafka->budget, clock_monotonic_ns());
    if (wait_ns > 0)
        return 0;
    ssize_t count = rd_kafka_consume_batch_queue(
        kafka->queue, 0, kafka->messages, read_budget_is_set(&kafka->budget) ? FEW : MESSAGES);
    if (count > 0)
        outlet_mark_received(kafka->outlet);
    doubt_missing(kafka);
    size_t bytes = 0;
    for (ssize_t i = 0; i < count; i++) {
        bytes += kafka->messages[i]->len + kafka->messages[i]->key_len;
        if (*step == OUTLET_GO_ON)
            *step = dispatch(kafka, kafka->messages[i],
                i + 1 < count && is_same_lane(kafka->messages[i], kafka->messages[i + 1]));
        rd_kafka_message_destroy(kafka->messages[i]);
    }
    kafka_lanes_stop_reached(&kafka->lanes);
    if (count > 0) {
        read_budget_spend(&kafka->budget, bytes);
        fetch_pause_took(&kafka->pause, (size_t)count, bytes);
    }
    return count;
}

/* With a budget the library is meant to pause. */
static void
end_pause(struct kafka *kafka)
{
    if (!read_budget_is_set(&kafka->budget) &&
        fetch_pause_look(&kafka->pause, rd_kafka_queue_length(kafka->queue), clock_monotonic_ns()))
        kafka_client_wake(&kafka->client);
}

/* ---- polling ---- */

static void
wait_for_messages(struct kafka *kafka, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = outlet_stop_fd(kafka->outlet), .events = POLLIN},
        {.fd = kafka->wake, .events = POLLIN},
    };
    int64_t budget_ms = read_budget_wait(&kafka->budget, clock_monotonic_ns()) / NS_PER_MS + 1;
    if (budget_ms > 1) { /* messages may be there, but they must wait */
        (void)poll(fds, 1, budget_ms < timeout_ms ? (int)budget_ms : timeout_ms);
        return;
    }
    (void)poll(fds, 2, timeout_ms);
    uint64_t ignored;
    ssize_t got = read(kafka->wake, &ignored, sizeof(ignored));
    (void)got; /* nothing there is fine */
}

/* Now and then: new partitions, lost brokers, lanes that wait. */
static void
look(struct kafka *kafka)
{
    struct error err;
    kafka_client_serve(&kafka->client);
    outlet_count_wire(kafka->outlet, kafka_client_received(&kafka->client));
    if (kafka->client.is_down && kafka->is_well)
        kafka->look_ns = 0;
    if (clock_monotonic_ns() < kafka->look_ns)
        return;
    bool good = kafka_lanes_look(&kafka->lanes, &err);
    if (good || kafka->lanes.is_answered) {
        answer_patience_answered(&kafka->patience);
        start_lanes(kafka, good ? NULL : &err);
        return;
    }
    if (answer_patience_missed(
            &kafka->patience, kafka_lanes_count(&kafka->lanes), kafka->client.is_down))
        report(kafka, false, &err);
    kafka->look_ns = clock_monotonic_ns() + LOOK_AGAIN_NS;
}

static bool
is_at_end(struct kafka *kafka)
{
    if (kafka->config->until == UNTIL_TIME && !kafka->lanes.ends_known &&
        clock_now_ns() > kafka->config->until_ns) {
        struct error err;
        if (!kafka_start_take_ends(&kafka->lanes, &err))
            report(kafka, false, &err);
        kafka_lanes_stop_reached(&kafka->lanes);
    }
    bool has_ends = kafka->config->until == UNTIL_END || kafka->lanes.ends_known;
    return has_ends && kafka->lanes.waiting == 0 && kafka->lanes.reading == 0;
}

static enum source_state
kafka_poll(void *self, int timeout_ms, struct error *err)
{
    (void)err;
    struct kafka *kafka = self;
    enum outlet_step step = OUTLET_GO_ON;
    look(kafka);
    if (drain(kafka, &step) <= 0 && !is_at_end(kafka)) {
        wait_for_messages(kafka, timeout_ms);
        (void)drain(kafka, &step);
    }
    end_pause(kafka);
    return step == OUTLET_DONE || is_at_end(kafka) ? SOURCE_ENDED : SOURCE_LIVE;
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
    .in_group = &source_kafka_group,
};
