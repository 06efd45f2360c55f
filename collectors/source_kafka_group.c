/* The Kafka source as a member of a consumer group: several recorders share the topics' partitions.
 *
 * The group is the user's own, for recorders only. Its committed offsets say what some tape has, so that
 * whoever gets a partition goes on where the last one's tape ends; nothing else changes at the broker. */

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
#include "collectors/fetch_pause.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_event.h"
#include "collectors/kafka_member.h"
#include "collectors/kafka_patterns.h"
#include "collectors/outlet.h"
#include "collectors/read_budget.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "index/event.h"

#define MESSAGES      1000 /* for one poll */
#define FEW           16   /* the same with a budget, which is only looked at between two */
#define CONNECT_NS    (4 * NS_PER_S)
#define LOOK_NS       (10 * NS_PER_S)
#define LOOK_AGAIN_NS NS_PER_S /* while something is missing */
#define LOOK_MS       500
#define READ_FIX      "its owner must allow Read and Describe (kafka-acls --add)"
#define GROUP_FIX     "its owner must allow Read on the group (kafka-acls --add --group)"

/* `client` stands first: librdkafka hands it to the rebalance callback. `trouble` is what the group or
 * the broker said last, until a partition is read again. */
struct group {
    struct kafka_client client;
    struct kafka_member member;
    const struct source_config *config;
    struct outlet *outlet;
    rd_kafka_queue_t *queue;
    int wake; /* readable when something is in an empty queue */
    int64_t look_ns;
    bool is_well; /* what the console was told */
    struct error trouble;
    struct read_budget budget;
    struct fetch_pause pause;
    struct buffer headers;
    rd_kafka_message_t *messages[MESSAGES];
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
group_close(void *self)
{
    struct group *group = self;
    if (group->queue != NULL) {
        rd_kafka_queue_cb_event_enable(group->queue, NULL, NULL);
        kafka_member_leave(&group->member);
        rd_kafka_queue_destroy(group->queue);
    }
    kafka_member_close(&group->member);
    outlet_count_wire(group->outlet, kafka_client_received(&group->client));
    kafka_client_close(&group->client);
    if (group->wake >= 0)
        (void)close(group->wake);
    buffer_done(&group->headers);
    free(group);
}

/* Tell the console when that changes. */
static void
report(struct group *group, bool is_well, const struct error *err)
{
    if (is_well && !group->is_well)
        outlet_set_state(group->outlet, TAP_LIVE, NULL);
    else if (!is_well && group->is_well)
        outlet_count_retry(group->outlet);
    if (!is_well)
        outlet_set_trouble(group->outlet, err->code, "%s", err->text);
    group->is_well = is_well;
}

/* Everything that is there, asked with more patience each time, as in the first connection of any tap. */
static const rd_kafka_metadata_t *
ask_first(struct group *group, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + CONNECT_NS;
    int timeout_ms = 250;
    error_set(err, ERROR_REMOTE, "cannot reach kafka at %s: no answer", group->client.address);
    while (!outlet_is_stopping(group->outlet)) {
        int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            break;
        const rd_kafka_metadata_t *metadata = kafka_client_metadata(
            &group->client, NULL, true, left_ms < timeout_ms ? (int)left_ms : timeout_ms, err);
        if (metadata != NULL || err->code == ERROR_REFUSED)
            return metadata;
        timeout_ms *= 2;
    }
    return NULL;
}

static const rd_kafka_metadata_topic_t *
find_answer(const rd_kafka_metadata_t *metadata, const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, name) == 0)
            return &metadata->topics[i];
    return NULL;
}

static bool
know_topic(
    struct group *group, const rd_kafka_metadata_t *metadata, const char *name, struct error *err)
{
    const rd_kafka_metadata_topic_t *answer = find_answer(metadata, name);
    const char *address = group->client.address;
    if (answer == NULL || answer->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return error_set(err, ERROR_REMOTE, "topic '%.100s' does not exist on %s", name, address);
    if (answer->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return error_set(err, ERROR_REFUSED, "kafka at %s does not let us read topic '%.100s'; %s",
            address, name, READ_FIX);
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
        .config = group->config, .outlet = group->outlet, .client = &group->client};
    kafka_member_open(&group->member);
    group->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (group->wake < 0) {
        error_set_system(err, "cannot make an event descriptor");
        return SOURCE_LOST;
    }
    const rd_kafka_metadata_t *metadata = ask_first(group, err);
    if (metadata == NULL)
        return err->code == ERROR_REFUSED ? SOURCE_FAILED : SOURCE_LOST;
    fetch_pause_set(&group->pause, kafka_client_read_ahead(&group->client));
    group->queue = rd_kafka_queue_get_consumer(group->client.rk);
    rd_kafka_queue_cb_event_enable(group->queue, on_messages, &group->wake);
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
    group->wake = -1;
    read_budget_set(&group->budget, config->max_bytes_per_second, clock_monotonic_ns());
    enum source_state state = connect_group(group, err);
    if (state != SOURCE_LIVE) {
        group_close(group);
        return state;
    }
    report(group, true, NULL);
    group->look_ns = clock_monotonic_ns() + LOOK_NS;
    *self = group;
    return SOURCE_LIVE;
}

/* ---- messages ---- */

static enum outlet_step
take_message(struct group *group, struct member_lane *lane, const rd_kafka_message_t *message)
{
    int64_t behind = message->offset + 1;
    enum outlet_step step = OUTLET_GO_ON;
    if (lane->end < 0 || message->offset < lane->end) {
        struct event event;
        kafka_event_read(message, &group->headers, &event);
        step = outlet_event(group->outlet, lane->lane, &event);
    }
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
            text, READ_FIX);
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return; /* the connection says more */
    default:
        error_set(&group->trouble, ERROR_REMOTE, "group '%.100s': %s", name, text);
        break;
    }
    report(group, false, &group->trouble);
    group->look_ns = clock_monotonic_ns() + LOOK_AGAIN_NS;
}

/* A message of a lane that is none: an end, or something that went wrong. */
static void
take_notice(struct group *group, struct member_lane *lane, const rd_kafka_message_t *message)
{
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (message->offset > lane->position)
            lane->position = message->offset;
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        lane->is_misplaced = true;
        group->look_ns = 0;
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        lane->is_refused = true;
        group->look_ns = 0;
        return;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return; /* the connection says more */
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__UNDERFLOW:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        outlet_count_lost(group->outlet, lane->lane);
        break;
    default:
        break;
    }
    outlet_warn(group->outlet, "%s[%d] at offset %lld: %s", rd_kafka_topic_name(message->rkt),
        message->partition, (long long)lane->position, rd_kafka_message_errstr(message));
}

static enum outlet_step
dispatch(struct group *group, const rd_kafka_message_t *message)
{
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
        return take_message(group, lane, message);
    take_notice(group, lane, message);
    return OUTLET_GO_ON;
}

/* Take what is in the local queue; this is also where librdkafka calls on_rebalance(). */
static ssize_t
drain(struct group *group, enum outlet_step *step)
{
    if (read_budget_wait(&group->budget, clock_monotonic_ns()) > 0)
        return 0;
    ssize_t count = rd_kafka_consume_batch_queue(
        group->queue, 0, group->messages, read_budget_is_set(&group->budget) ? FEW : MESSAGES);
    if (count > 0)
        outlet_mark_received(group->outlet);
    size_t bytes = 0;
    for (ssize_t i = 0; i < count; i++) {
        bytes += group->messages[i]->len + group->messages[i]->key_len;
        if (*step == OUTLET_GO_ON)
            *step = dispatch(group, group->messages[i]);
        rd_kafka_message_destroy(group->messages[i]);
    }
    if (count > 0) {
        read_budget_spend(&group->budget, bytes);
        fetch_pause_took(&group->pause, (size_t)count, bytes);
    }
    return count;
}

/* ---- polling ---- */

static void
wait_for_messages(struct group *group, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = outlet_stop_fd(group->outlet), .events = POLLIN},
        {.fd = group->wake, .events = POLLIN},
    };
    int64_t budget_ms = read_budget_wait(&group->budget, clock_monotonic_ns()) / NS_PER_MS + 1;
    if (budget_ms > 1) { /* messages may be there, but they must wait */
        (void)poll(fds, 1, budget_ms < timeout_ms ? (int)budget_ms : timeout_ms);
        return;
    }
    (void)poll(fds, 2, timeout_ms);
    uint64_t ignored;
    ssize_t got = read(group->wake, &ignored, sizeof(ignored));
    (void)got; /* nothing there is fine */
}

/* Now and then: lost brokers, lanes that cannot be read. */
static void
look(struct group *group)
{
    struct error err;
    kafka_client_serve(&group->client);
    outlet_count_wire(group->outlet, kafka_client_received(&group->client));
    if (group->client.is_down && group->is_well)
        group->look_ns = 0;
    if (clock_monotonic_ns() < group->look_ns)
        return;
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(&group->client, NULL, false, LOOK_MS, &err);
    bool good = metadata != NULL;
    if (good)
        rd_kafka_metadata_destroy(metadata);
    good = good && kafka_member_mend(&group->member, &err);
    const char *refused = good ? kafka_member_refused(&group->member) : NULL;
    if (refused != NULL)
        good = error_set(&err, ERROR_REFUSED, "kafka at %s does not let us read topic '%.100s'; %s",
            group->client.address, refused, READ_FIX);
    if (good && group->trouble.code != ERROR_NONE) {
        err = group->trouble;
        good = false;
    }
    report(group, good, &err);
    group->look_ns = clock_monotonic_ns() + (good ? LOOK_NS : LOOK_AGAIN_NS);
}

/* With a budget the library is meant to pause. */
static void
end_pause(struct group *group)
{
    if (!read_budget_is_set(&group->budget) &&
        fetch_pause_look(&group->pause, rd_kafka_queue_length(group->queue), clock_monotonic_ns()))
        kafka_client_wake(&group->client);
}

static bool
is_at_end(struct group *group)
{
    if (group->config->until == UNTIL_TIME && !group->member.ends_known &&
        group->member.was_dealt && clock_now_ns() > group->config->until_ns) {
        struct error err;
        if (!kafka_member_take_ends(&group->member, &err))
            report(group, false, &err);
    }
    return kafka_member_is_at_end(&group->member);
}

static enum source_state
group_poll(void *self, int timeout_ms, struct error *err)
{
    struct group *group = self;
    enum outlet_step step = OUTLET_GO_ON;
    look(group);
    if (drain(group, &step) <= 0 && !is_at_end(group)) {
        wait_for_messages(group, timeout_ms);
        (void)drain(group, &step);
    }
    end_pause(group);
    kafka_member_tick(&group->member);
    if (group->member.failure.code != ERROR_NONE) {
        *err = group->member.failure;
        return SOURCE_LOST;
    }
    return step == OUTLET_DONE || is_at_end(group) ? SOURCE_ENDED : SOURCE_LIVE;
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
};
