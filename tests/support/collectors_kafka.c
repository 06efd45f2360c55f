#include "tests/support/collectors_kafka.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/unit.h"

#define PATIENCE_MS 20000

/* The offset of the last delivered message, or of the failed one -1; written by the callback, which
 * runs in rd_kafka_poll() on the test's own thread. */
static int64_t delivered_offset;
static int delivered_count;

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    delivered_offset = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? message->offset : -1;
    delivered_count++;
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        fail_msg("%s: %s", name, why);
}

void
kafka_mock_start(struct kafka_mock *mock, int brokers)
{
    char why[256];
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", brokers);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "test.mock.num.brokers", number);
    set(conf, "bootstrap.servers", "the mock sets it");
    set(conf, "linger.ms", "0");
    set(conf, "log_level", "0");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    mock->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (mock->producer == NULL)
        fail_msg("no mock cluster: %s", why);
    mock->cluster = rd_kafka_handle_mock_cluster(mock->producer);
    mock->bootstrap = alloc_text(rd_kafka_mock_cluster_bootstraps(mock->cluster));
}

void
kafka_mock_stop(struct kafka_mock *mock)
{
    rd_kafka_destroy(mock->producer);
    free(mock->bootstrap);
}

void
kafka_mock_topic(struct kafka_mock *mock, const char *topic, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1), 0);
}

/* librdkafka copies what it is given, but its argument is not const. */
static rd_kafka_vu_t
part(rd_kafka_vtype_t type, const void *data, size_t size)
{
    union {
        const void *view;
        void *argument;
    } pointer = {.view = data};
    return (rd_kafka_vu_t){.vtype = type, .u.mem = {pointer.argument, size}};
}

/* Takes headers (NULL: none). */
static void
produce(struct kafka_mock *mock, const char *topic, int32_t partition, rd_kafka_vu_t key,
    rd_kafka_vu_t payload, rd_kafka_headers_t *headers)
{
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        key,
        payload,
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *failed = rd_kafka_produceva(mock->producer, parts, headers == NULL ? 5 : 6);
    if (failed != NULL)
        fail_msg("cannot produce: %s", rd_kafka_error_string(failed));
}

int64_t
kafka_mock_send(struct kafka_mock *mock, const char *topic, int32_t partition, const void *key,
    size_t key_length, const void *payload, size_t length, rd_kafka_headers_t *headers)
{
    int before = delivered_count;
    produce(mock, topic, partition, part(RD_KAFKA_VTYPE_KEY, key, key_length),
        part(RD_KAFKA_VTYPE_VALUE, payload, length), headers);
    for (int waited = 0; delivered_count == before && waited < PATIENCE_MS; waited += 10)
        (void)rd_kafka_poll(mock->producer, 10);
    assert_int_equal(delivered_count, before + 1);
    assert_true(delivered_offset >= 0);
    return delivered_offset;
}

void
kafka_mock_send_many(
    struct kafka_mock *mock, const char *topic, int32_t partition, const char *prefix, int count)
{
    char text[64];
    for (int i = 0; i < count; i++) {
        int length = snprintf(text, sizeof(text), "%s%d", prefix, i);
        produce(mock, topic, partition, part(RD_KAFKA_VTYPE_KEY, NULL, 0),
            part(RD_KAFKA_VTYPE_VALUE, text, (size_t)length), NULL);
    }
    assert_int_equal(rd_kafka_flush(mock->producer, PATIENCE_MS), 0);
}

char *
kafka_mock_url(const struct kafka_mock *mock, const char *topics)
{
    return alloc_format("kafka://%s/%s", mock->bootstrap, topics);
}
