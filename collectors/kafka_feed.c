#include "collectors/kafka_feed.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_event.h"
#include "collectors/source.h"

#define FEW           16 /* messages for one poll with a budget, which is only looked at between two */
#define MANY_BYTES    ((size_t)4 * 1024 * 1024) /* about, in the messages of one poll */
#define LOOK_NS       (10 * NS_PER_S)
#define LOOK_AGAIN_NS NS_PER_S /* while something is missing */

static void
on_messages(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    const int *wake = opaque;
    uint64_t one = 1;
    ssize_t written = write(*wake, &one, sizeof(one));
    (void)written; /* full is readable */
}

void
kafka_feed_begin(struct kafka_feed *feed, const struct kafka_feed_ops *ops, void *self,
    const struct source_config *config, struct kafka_client *client, struct outlet *outlet)
{
    *feed = (struct kafka_feed){
        .ops = ops, .self = self, .client = client, .outlet = outlet, .wake = -1};
    read_budget_set(&feed->budget, config->max_bytes_per_second, clock_monotonic_ns());
}

bool
kafka_feed_open(struct kafka_feed *feed, rd_kafka_queue_t **queue, struct error *err)
{
    feed->queue = *queue;
    *queue = NULL;
    feed->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (feed->wake < 0)
        return error_set_system(err, "cannot make an event descriptor");
    fetch_pause_set(&feed->pause, kafka_client_read_ahead(feed->client));
    rd_kafka_queue_cb_event_enable(feed->queue, on_messages, &feed->wake);
    return true;
}

/* What brokers sent: told to the console, and paid from the budget. */
static void
count_wire(struct kafka_feed *feed)
{
    uint64_t bytes = kafka_client_received(feed->client);
    feed->received += bytes;
    outlet_count_wire(feed->outlet, bytes);
    read_budget_spend(&feed->budget, 0, bytes);
}

void
kafka_feed_close(struct kafka_feed *feed)
{
    count_wire(feed);
    if (feed->queue != NULL) {
        rd_kafka_queue_cb_event_enable(feed->queue, NULL, NULL);
        rd_kafka_queue_destroy(feed->queue);
    }
    if (feed->wake >= 0)
        (void)close(feed->wake);
    buffer_done(&feed->headers);
}

/* ---- messages ---- */

static bool
is_same_lane(const rd_kafka_message_t *one, const rd_kafka_message_t *other)
{
    return one->rkt == other->rkt && one->partition == other->partition &&
           other->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Topics that were away for a moment: what comes now may be of another log. */
static void
tell_missing(struct kafka_feed *feed)
{
    char topic[KAFKA_TOPIC_MAX];
    while (kafka_client_missing(feed->client, topic))
        feed->ops->miss(feed->self, topic);
}

/* Messages for one poll. What is taken out does not count as read ahead any more, and the library fetches again: of
 * large ones only so many, or they are twice in memory. */
static size_t
poll_count(const struct kafka_feed *feed)
{
    if (read_budget_is_set(&feed->budget))
        return FEW;
    double count = (double)MANY_BYTES / (feed->pause.message_bytes + 1);
    return count < 1 ? 1 : count > KAFKA_FEED_MESSAGES ? KAFKA_FEED_MESSAGES : (size_t)count;
}

/* Take what is in the local queue. */
static ssize_t
drain(struct kafka_feed *feed, enum outlet_step *step)
{
    if (read_budget_wait(&feed->budget, clock_monotonic_ns()) > 0)
        return 0;
    rd_kafka_message_t **messages = feed->messages;
    ssize_t count = rd_kafka_consume_batch_queue(feed->queue, 0, messages, poll_count(feed));
    if (count > 0)
        outlet_mark_received(feed->outlet);
    tell_missing(feed);
    size_t bytes = 0;
    for (ssize_t i = 0; i < count; i++) {
        bytes += messages[i]->len + messages[i]->key_len;
        if (*step == OUTLET_GO_ON)
            *step = feed->ops->take(feed->self, messages[i],
                i + 1 < count && is_same_lane(messages[i], messages[i + 1]));
        rd_kafka_message_destroy(messages[i]);
    }
    if (count > 0) {
        read_budget_spend(&feed->budget, bytes, 0);
        fetch_pause_took(&feed->pause, (size_t)count, bytes);
    }
    return count;
}

static void
wait_for_messages(struct kafka_feed *feed, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = outlet_stop_fd(feed->outlet), .events = POLLIN},
        {.fd = feed->wake, .events = POLLIN},
    };
    int64_t budget_ms = read_budget_wait(&feed->budget, clock_monotonic_ns()) / NS_PER_MS + 1;
    if (budget_ms > 1) { /* messages may be there, but they must wait */
        (void)poll(fds, 1, budget_ms < timeout_ms ? (int)budget_ms : timeout_ms);
        return;
    }
    (void)poll(fds, 2, timeout_ms);
    uint64_t ignored;
    ssize_t got = read(feed->wake, &ignored, sizeof(ignored));
    (void)got; /* nothing there is fine */
}

/* With a budget the library is meant to pause. */
static void
end_pause(struct kafka_feed *feed)
{
    if (!read_budget_is_set(&feed->budget) &&
        fetch_pause_look(&feed->pause, rd_kafka_queue_length(feed->queue), clock_monotonic_ns()))
        kafka_client_wake(feed->client);
}

enum outlet_step
kafka_feed_poll(struct kafka_feed *feed, int timeout_ms)
{
    enum outlet_step step = OUTLET_GO_ON;
    if (drain(feed, &step) <= 0 && !feed->ops->is_at_end(feed->self)) {
        wait_for_messages(feed, timeout_ms);
        (void)drain(feed, &step);
    }
    end_pause(feed);
    return step;
}

void
kafka_feed_warn(struct kafka_feed *feed, struct tap_lane *lane, int64_t position,
    const rd_kafka_message_t *message)
{
    if (kafka_notice_read(message) == KAFKA_NOTICE_LOST)
        outlet_count_lost(feed->outlet, lane);
    outlet_warn(feed->outlet, "%s[%d] at offset %lld: %s", rd_kafka_topic_name(message->rkt),
        message->partition, (long long)position, rd_kafka_message_errstr(message));
}

/* ---- how the tap is ---- */

bool
kafka_feed_must_look(struct kafka_feed *feed)
{
    kafka_client_serve(feed->client);
    count_wire(feed);
    if (feed->client->is_down && feed->is_well)
        feed->look_ns = 0;
    return clock_monotonic_ns() >= feed->look_ns;
}

void
kafka_feed_look_again(struct kafka_feed *feed)
{
    feed->look_ns = clock_monotonic_ns() + LOOK_AGAIN_NS;
}

void
kafka_feed_report(struct kafka_feed *feed, bool is_well, const struct error *err)
{
    if (is_well && !feed->is_well)
        outlet_set_state(feed->outlet, TAP_LIVE, NULL);
    else if (!is_well && feed->is_well)
        outlet_count_retry(feed->outlet);
    if (!is_well)
        outlet_set_trouble(feed->outlet, err->code, "%s", err->text);
    feed->is_well = is_well;
}

void
kafka_feed_answered(struct kafka_feed *feed, bool is_complete)
{
    answer_patience_answered(&feed->patience, feed->received);
    feed->look_ns = clock_monotonic_ns() + (is_complete ? LOOK_NS : LOOK_AGAIN_NS);
}

void
kafka_feed_unanswered(struct kafka_feed *feed, size_t lanes, const struct error *err)
{
    count_wire(feed);
    if (answer_patience_missed(&feed->patience, lanes, feed->received, feed->client->is_down))
        kafka_feed_report(feed, false, err);
    kafka_feed_look_again(feed);
}
