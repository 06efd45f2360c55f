#include "demo/client.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/kafka_conf.h"
#include "collectors/recorder.h"
#include "demo/shop_state.h"

#define CLOSE_MS  1000
#define COMMIT_NS (INT64_C(250) * NS_PER_MS)

#define KAFKA_STREAM_COUNT 3 /* SHOP_ORDERS, SHOP_PAYMENTS, SHOP_SHIPMENTS come first */

struct producer {
    struct shop_state *state;
    rd_kafka_t *client;
    rd_kafka_topic_t *topics[KAFKA_STREAM_COUNT];
};

struct member {
    struct shop_state *state;
    rd_kafka_t *client;
    int64_t commit_due_ns;
    int64_t first_commit_ns; /* monotonic; 0: none yet */
    bool has_taken;          /* since the last commit */
};

static rd_kafka_conf_t *
make_conf(const struct shop_state *state, const char *name,
    const struct recorder_property *properties, size_t count, struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new();
    const struct recorder_property common[] = {
        {"bootstrap.servers", state->bootstrap},
        {"client.id", name},
        {"broker.address.family", "v4"},
    };
    if (kafka_conf_set_all(conf, common, 3, err) &&
        kafka_conf_set_all(conf, properties, count, err))
        return conf;
    rd_kafka_conf_destroy(conf);
    (void)error_wrap(err, "%s", name);
    return NULL;
}

static rd_kafka_t *
make_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *name, struct error *err)
{
    rd_kafka_t *client = kafka_conf_client(&conf, type, err);
    if (client == NULL)
        (void)error_wrap(err, "%s", name);
    return client;
}

/* The message's private pointer is the producer's counter of its stream. */
static void
on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct producer *producer = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_fetch_add(&producer->state->undelivered, 1);
        return;
    }
    atomic_uint_fast64_t *produced = message->_private;
    atomic_fetch_add(produced, 1);
}

struct producer *
producer_open(struct shop_state *state, const char *service, struct error *err)
{
    static const struct recorder_property properties[] = {{"linger.ms", "5"}, {"acks", "all"}};
    rd_kafka_conf_t *conf = make_conf(state, service, properties, 2, err);
    if (conf == NULL)
        return NULL;
    struct producer *producer = alloc_zeroed(sizeof(*producer));
    producer->state = state;
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer->client = make_client(RD_KAFKA_PRODUCER, conf, service, err);
    if (producer->client == NULL) {
        free(producer);
        return NULL;
    }
    for (enum shop_stream stream = SHOP_ORDERS; stream < KAFKA_STREAM_COUNT; stream++)
        producer->topics[stream] =
            rd_kafka_topic_new(producer->client, shop_stream_name(stream), NULL);
    return producer;
}

int32_t
producer_partition(struct producer *producer, enum shop_stream stream, const char *key)
{
    return rd_kafka_msg_partitioner_consistent(producer->topics[stream], key, strlen(key),
        (int32_t)shop_stream_partitions(stream), NULL, NULL);
}

static rd_kafka_headers_t *
make_headers(const struct publication *publication, const char *source)
{
    const struct recorder_property fields[] = {
        {"ce_specversion", "1.0"},
        {"ce_id", publication->id},
        {"ce_source", source},
        {"ce_type", publication->type},
        {"traceparent", publication->traceparent},
        {"correlation-id", publication->correlation},
        {"causation-id", publication->causation},
    };
    size_t count = sizeof(fields) / sizeof(fields[0]);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count; i++)
        if (fields[i].value != NULL)
            rd_kafka_header_add(headers, fields[i].name, -1, fields[i].value, -1);
    return headers;
}

void
producer_publish(struct producer *producer, const struct publication *publication)
{
    char source[64];
    snprintf(source, sizeof(source), "/shop/%s", shop_stream_name(publication->stream));
    rd_kafka_headers_t *headers = make_headers(publication, source);
    size_t key_length = strlen(publication->key);

    /* The client takes void pointers although it copies. */
    union {
        const void *in;
        void *out;
    } key = {publication->key}, payload = {publication->payload};
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = producer->topics[publication->stream]},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = publication->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key.out, key_length}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {payload.out, publication->payload_length}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = &producer->state->produced[publication->stream]},
    };
    rd_kafka_error_t *refused =
        rd_kafka_produceva(producer->client, parts, sizeof(parts) / sizeof(parts[0]));
    if (refused != NULL) {
        rd_kafka_error_destroy(refused);
        rd_kafka_headers_destroy(headers);
        atomic_fetch_add(&producer->state->undelivered, 1);
        return;
    }
    state_count_bytes(producer->state, key_length + publication->payload_length + 256);
}

bool
producer_poll(struct producer *producer)
{
    rd_kafka_poll(producer->client, 0);
    return rd_kafka_outq_len(producer->client) > 0;
}

void
producer_finish(struct producer *producer)
{
    rd_kafka_flush(producer->client, CLOSE_MS);
}

void
producer_close(struct producer *producer)
{
    if (producer == NULL)
        return;
    rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer->client, 0);
    for (enum shop_stream stream = SHOP_ORDERS; stream < KAFKA_STREAM_COUNT; stream++)
        rd_kafka_topic_destroy(producer->topics[stream]);
    rd_kafka_destroy(producer->client);
    free(producer);
}

static void
on_commit(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *offsets,
    void *opaque)
{
    (void)client;
    (void)offsets;
    struct member *member = opaque;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && member->first_commit_ns == 0)
        member->first_commit_ns = clock_monotonic_ns();
}

static bool
subscribe(struct member *member, const char *group, const char *topic, struct error *err)
{
    rd_kafka_poll_set_consumer(member->client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(member->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    return error_set(err, ERROR_REMOTE, "group %s cannot subscribe to %s: %s", group, topic,
        rd_kafka_err2str(code));
}

struct member *
member_open(struct shop_state *state, const char *group, enum shop_stream stream, struct error *err)
{
    /* The mock answers an empty fetch after the whole fetch.wait.max.ms. */
    const struct recorder_property properties[] = {
        {"group.id", group},
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "earliest"},
        {"fetch.wait.max.ms", "50"},
        {"session.timeout.ms", "6000"},
        {"heartbeat.interval.ms", "500"},
    };
    rd_kafka_conf_t *conf =
        make_conf(state, group, properties, sizeof(properties) / sizeof(properties[0]), err);
    if (conf == NULL)
        return NULL;
    struct member *member = alloc_zeroed(sizeof(*member));
    member->state = state;
    rd_kafka_conf_set_opaque(conf, member);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    member->client = make_client(RD_KAFKA_CONSUMER, conf, group, err);
    if (member->client == NULL) {
        free(member);
        return NULL;
    }
    if (!subscribe(member, group, shop_stream_name(stream), err)) {
        member_close(member);
        return NULL;
    }
    return member;
}

/* Copy the last header called `name`, cut to fit; "" when there is none. */
static void
copy_header(const rd_kafka_message_t *message, const char *name, char *to, size_t size)
{
    to[0] = '\0';
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t length = 0;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        value != NULL)
        snprintf(to, size, "%.*s", (int)length, (const char *)value);
}

static void
read_payload(const rd_kafka_message_t *message, struct delivery *delivery)
{
    json_error_t reason;
    json_t *json = json_loadb(message->payload, message->len, 0, &reason);
    delivery->is_readable = json_is_object(json);
    json_t *amount = json_object_get(json, "total");
    delivery->amount = json_number_value(amount != NULL ? amount : json_object_get(json, "amount"));
    json_decref(json);
}

static void
commit_if_due(struct member *member)
{
    int64_t now_ns = clock_monotonic_ns();
    if (!member->has_taken || now_ns < member->commit_due_ns)
        return;
    rd_kafka_commit(member->client, NULL, 1);
    member->commit_due_ns = now_ns + COMMIT_NS;
    member->has_taken = false;
}

bool
member_take(struct member *member, int timeout_ms, struct delivery *delivery)
{
    commit_if_due(member);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(member->client, timeout_ms);
    if (message == NULL)
        return false;
    bool is_event = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (is_event) {
        snprintf(delivery->key, sizeof(delivery->key), "%.*s", (int)message->key_len,
            message->key != NULL ? (const char *)message->key : "");
        copy_header(message, "ce_id", delivery->id, sizeof(delivery->id));
        copy_header(message, "ce_type", delivery->type, sizeof(delivery->type));
        copy_header(message, "traceparent", delivery->traceparent, sizeof(delivery->traceparent));
        copy_header(
            message, "correlation-id", delivery->correlation, sizeof(delivery->correlation));
        read_payload(message, delivery);
        member->has_taken = true;
    }
    rd_kafka_message_destroy(message);
    return is_event;
}

int64_t
member_committing_for_ns(const struct member *member)
{
    return member->first_commit_ns == 0 ? -1 : clock_monotonic_ns() - member->first_commit_ns;
}

/* rd_kafka_consumer_close() has no time limit: against a broker that is gone it can wait for ever. */
static void
leave_group(rd_kafka_t *client)
{
    int64_t deadline_ns = clock_monotonic_ns() + CLOSE_MS * NS_PER_MS;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_error_t *refused = rd_kafka_consumer_close_queue(client, queue);
    while (refused == NULL && !rd_kafka_consumer_closed(client) &&
           clock_monotonic_ns() < deadline_ns) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20);
        if (event != NULL && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rd_kafka_assign(client, NULL);
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
    if (refused != NULL)
        rd_kafka_error_destroy(refused);
    rd_kafka_queue_destroy(queue);
}

void
member_close(struct member *member)
{
    if (member == NULL)
        return;
    if (member->has_taken)
        rd_kafka_commit(member->client, NULL, 1);
    leave_group(member->client);
    rd_kafka_destroy_flags(member->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(member);
}

void
traceparent_make(char text[TRACEPARENT_MAX], const char *parent, uint64_t random_a,
    uint64_t random_b, uint64_t span)
{
    if (parent != NULL && strlen(parent) == 55)
        snprintf(text, TRACEPARENT_MAX, "%.36s%016" PRIx64 "-01", parent, span);
    else
        snprintf(text, TRACEPARENT_MAX, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01",
            random_a, random_b, span);
}
