/* client_kafka_produce.c - another Kafka producer: a corpus of every kind of event, and load.
 *
 * Event number N of the corpus is always the same, so that runs can be repeated and continued.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "tests/e2e/kafka_client.h"

#define BASE_TIME_MS  INT64_C(1700000000000) /* events of the corpus are stamped from here on */
#define PAYLOAD_BYTES 300
#define TOPICS_MAX    1000

/* One request at a time: of a topic that was made a moment ago, a broker may refuse the first one and take the second
 * as the log's first; the first one, sent again, is then out of order, and librdkafka 2.0.2 tells its messages as
 * acknowledged, though the log never gets them. */
static const char *const producer_preset[] = {"enable.idempotence", "true",
    "max.in.flight.requests.per.connection", "1", "linger.ms", "5", "message.max.bytes", "8000000",
    "delivery.timeout.ms", "120000", NULL};

/* --- the corpus --------------------------------------------------------------------------------- */

struct blob {
    const void *data; /* NULL: null */
    size_t length;
};

/* One event of the corpus. Every number always makes the same event. */
struct sample {
    char key_text[32];
    unsigned char key_bytes[256];
    unsigned char payload_bytes[PAYLOAD_BYTES];
    struct blob key;
    struct blob payload;
    int64_t time_ms;
    rd_kafka_headers_t *headers; /* NULL: none */
};

/* A small generator, so that payloads differ and compress like text. */
static uint64_t
mixed(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static void
fill_with_all_bytes(unsigned char *to, size_t length, uint64_t first)
{
    for (size_t i = 0; i < length; i++)
        to[i] = (unsigned char)(first + i);
}

static struct blob
sample_json(struct sample *sample, uint64_t index)
{
    static const char *const words[] = {"order ", "payment ", "refund ", "shipped ", "pending ",
        "customer ", "basket ", "checkout "};
    char *text = (char *)sample->payload_bytes;
    size_t length = (size_t)snprintf(text, PAYLOAD_BYTES,
        "{\"n\":%" PRIu64 ",\"id\":\"%016" PRIx64 "\",\"amount\":%" PRIu64 ".50,\"note\":\"", index,
        mixed(index), mixed(index) % 5000);
    for (uint64_t i = index; length < PAYLOAD_BYTES - 16; i = mixed(i))
        length += (size_t)snprintf(text + length, PAYLOAD_BYTES - length, "%s", words[i % 8]);
    length += (size_t)snprintf(text + length, PAYLOAD_BYTES - length, "\"}");
    return (struct blob){text, length};
}

static void
sample_key(struct sample *sample, uint64_t index)
{
    switch (index % 7) {
    case 0:
        sample->key = (struct blob){NULL, 0};
        break;
    case 1:
        sample->key = (struct blob){"", 0};
        break;
    case 2: /* in turn every length and every byte value */
        fill_with_all_bytes(sample->key_bytes, sizeof(sample->key_bytes), index);
        sample->key = (struct blob){sample->key_bytes, index % 257};
        break;
    default:
        snprintf(
            sample->key_text, sizeof(sample->key_text), "kundin-\xc3\xa4-%05" PRIu64, index % 1000);
        sample->key = (struct blob){sample->key_text, strlen(sample->key_text)};
    }
}

static void
sample_payload(struct sample *sample, uint64_t index)
{
    static const char hostile[] = "\x1b]0;owned\x07\x1b[2J\r\n\t\"quoted\\ \x7f \xe2\x80\xae end";
    switch (index % 11) {
    case 0: /* a tombstone */
        sample->payload = (struct blob){NULL, 0};
        break;
    case 1:
        sample->payload = (struct blob){"", 0};
        break;
    case 2:
        fill_with_all_bytes(sample->payload_bytes, PAYLOAD_BYTES, index);
        sample->payload = (struct blob){sample->payload_bytes, index % PAYLOAD_BYTES};
        break;
    case 3:
        sample->payload = (struct blob){hostile, sizeof(hostile) - 1};
        break;
    case 4: /* a terminator in valid UTF-8 */
        sample->payload = (struct blob){"a\0b", 3};
        break;
    default:
        sample->payload = sample_json(sample, index);
    }
}

static void
header(struct sample *sample, const char *name, const void *value, size_t length)
{
    check("header",
        rd_kafka_header_add(sample->headers, name, (ssize_t)strlen(name), value, (ssize_t)length));
}

static void
sample_headers(struct sample *sample, uint64_t index)
{
    char text[64];

    sample->headers = index % 5 == 0 ? NULL : rd_kafka_headers_new(4);
    switch (index % 5) {
    case 1: /* twice the same name, null and empty */
        header(sample, "retry", "1", 1);
        header(sample, "none", NULL, 0);
        header(sample, "retry", "2", 1);
        header(sample, "empty", "", 0);
        header(sample, "retry", "1", 1);
        break;
    case 2:
        fill_with_all_bytes(sample->key_bytes, sizeof(sample->key_bytes), index);
        header(sample, "binary", sample->key_bytes, index % 257);
        break;
    case 3:
        snprintf(text, sizeof(text), "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01",
            mixed(index), mixed(index + 1), mixed(index + 2));
        header(sample, "traceparent", text, strlen(text));
        snprintf(text, sizeof(text), "%08x-%04x-4%03x-a%03x-%012" PRIx64, (unsigned)index,
            (unsigned)(mixed(index) & 0xffff), (unsigned)(index & 0xfff),
            (unsigned)(index >> 3 & 0xfff), mixed(index) & UINT64_C(0xffffffffffff));
        header(sample, "ce_id", text, strlen(text));
        break;
    case 4:
        for (uint64_t i = 0; i < 20; i++) {
            snprintf(text, sizeof(text), "\xe2\x82\xac-%" PRIu64, i % 3);
            header(sample, text, &i, (size_t)(i % 9));
        }
        break;
    default:
        break;
    }
}

static void
sample_make(struct sample *sample, uint64_t index)
{
    sample_key(sample, index);
    sample_payload(sample, index);
    /* Headers borrow the key's buffer for their bytes; librdkafka has copied them by then, so that
     * the key is made again behind them. */
    sample_headers(sample, index);
    sample_key(sample, index);

    sample->time_ms = BASE_TIME_MS + (int64_t)index * 37;
    if (index % 100 == 99)
        sample->time_ms -= INT64_C(3600000); /* a producer whose clock is an hour behind */
    if (index % 1000 == 500)
        sample->time_ms = 1;
}

/* librdkafka takes a pointer that is not const, and only reads from it. */
static void *
borrowed(struct blob blob)
{
    void *data;
    memcpy(&data, &blob.data, sizeof(data));
    return data;
}

/* Send one message, waiting while librdkafka's queue is full. Takes `headers`. */
static void
send_message(
    struct client *client, rd_kafka_topic_t *topic, int32_t partition, const struct sample *sample)
{
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = sample->time_ms},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {borrowed(sample->key), sample->key.length}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
            .u.mem = {borrowed(sample->payload), sample->payload.length}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = sample->headers},
    };
    size_t count = sizeof(arguments) / sizeof(arguments[0]) - (sample->headers == NULL ? 1 : 0);

    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(client->handle, arguments, count);
        if (error == NULL)
            break;
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            check_error("produce", error);
        rd_kafka_error_destroy(error);
        rd_kafka_poll(client->handle, 10);
    }
    rd_kafka_poll(client->handle, 0);
}

/* Wait for every acknowledgement and say how many there were. */
static int
finish_sending(struct client *client, rd_kafka_topic_t *topic)
{
    rd_kafka_flush(client->handle, 2 * WAIT_MS);
    int pending = rd_kafka_outq_len(client->handle);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client->handle);
    printf("acknowledged %" PRIu64 "\n", client->acknowledged);
    if (client->failed > 0)
        die("not delivered", client->why);
    if (pending > 0)
        die("not delivered", "messages are still waiting");
    return 0;
}

static void
send_samples(struct client *client, rd_kafka_topic_t *topic, int64_t first, int64_t count)
{
    struct sample sample;
    int32_t partitions = partition_count(client, topic);
    for (int64_t i = first; i < first + count; i++) {
        sample_make(&sample, (uint64_t)i);
        send_message(client, topic, (int32_t)(i % partitions), &sample);
    }
}

static int
run_produce(const struct arguments *arguments)
{
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, 3, producer_preset);
    rd_kafka_topic_t *topic = topic_open(&client, arguments->values[0]);
    send_samples(&client, topic, number(arguments->values[1]), number(arguments->values[2]));
    return finish_sending(&client, topic);
}

/* Event i of the corpus goes to topic NAME-(i % TOPICS), there from one partition to the next. */
static int
run_spread(const struct arguments *arguments)
{
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, 4, producer_preset);
    int64_t topic_count = number(arguments->values[1]);
    int64_t first = number(arguments->values[2]);
    int64_t count = number(arguments->values[3]);
    if (topic_count < 1 || topic_count > TOPICS_MAX)
        die("spread", "that many topics are not possible");
    rd_kafka_topic_t *topics[TOPICS_MAX];
    for (int64_t i = 0; i < topic_count; i++) {
        char name[256];
        (void)snprintf(name, sizeof(name), "%s-%" PRId64, arguments->values[0], i);
        topics[i] = topic_open(&client, name);
    }
    int32_t partitions = partition_count(&client, topics[0]);
    for (int64_t i = first; i < first + count; i++) {
        struct sample sample;
        sample_make(&sample, (uint64_t)i);
        send_message(
            &client, topics[i % topic_count], (int32_t)(i / topic_count % partitions), &sample);
    }
    rd_kafka_flush(client.handle, 2 * WAIT_MS); /* before their topics go */
    if (client.acknowledged != (uint64_t)count)
        die("spread", "not every message was acknowledged");
    for (int64_t i = 1; i < topic_count; i++)
        rd_kafka_topic_destroy(topics[i]);
    return finish_sending(&client, topics[0]);
}

/* The same inside one transaction, which then is committed, aborted, or left open: until the broker's patience
 * ends, or the next one under that name begins. */
static int
run_transact(const struct arguments *arguments)
{
    const char *preset[] = {"transactional.id", "e2e-transaction", "linger.ms", "5", NULL};
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, 4, preset);
    check_error("transaction", rd_kafka_init_transactions(client.handle, WAIT_MS));
    check_error("transaction", rd_kafka_begin_transaction(client.handle));
    rd_kafka_topic_t *topic = topic_open(&client, arguments->values[0]);
    send_samples(&client, topic, number(arguments->values[1]), number(arguments->values[2]));
    rd_kafka_flush(
        client.handle, WAIT_MS); /* also what is aborted lies in the log, with its offsets */
    if (strcmp(arguments->values[3], "commit") == 0)
        check_error("commit", rd_kafka_commit_transaction(client.handle, WAIT_MS));
    else if (strcmp(arguments->values[3], "abort") == 0)
        check_error("abort", rd_kafka_abort_transaction(client.handle, WAIT_MS));
    return finish_sending(&client, topic);
}

static int
run_big(const struct arguments *arguments)
{
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, 2, producer_preset);
    rd_kafka_topic_t *topic = topic_open(&client, arguments->values[0]);

    size_t length = (size_t)number(arguments->values[1]);
    unsigned char *payload = malloc(length);
    if (payload == NULL)
        die("big", "out of memory");
    for (size_t i = 0; i < length; i++)
        payload[i] = (unsigned char)mixed(i);
    struct sample sample = {
        .key = {"big", 3}, .payload = {payload, length}, .time_ms = BASE_TIME_MS};
    send_message(&client, topic, 0, &sample);
    int code = finish_sending(&client, topic);
    free(payload);
    return code;
}

/* --- numbered events at a pace ------------------------------------------------------------------ */

static int64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static volatile sig_atomic_t is_asked_to_end;

static void
end_soon(int number)
{
    (void)number;
    is_asked_to_end = 1;
}

/* Sends event i not before start + i / rate, and answers librdkafka meanwhile. SIGINT ends it as if the
 * last event had been sent. */
static int
run_stream(const struct arguments *arguments)
{
    struct sigaction action = {.sa_handler = end_soon};
    (void)sigaction(SIGINT, &action, NULL);
    struct client client;
    struct sample sample = {.time_ms = BASE_TIME_MS};
    client_open(&client, RD_KAFKA_PRODUCER, arguments, 3, producer_preset);
    rd_kafka_topic_t *topic = topic_open(&client, arguments->values[0]);
    int32_t partitions = partition_count(&client, topic);
    int64_t rate = number(arguments->values[1]);
    int64_t count = number(arguments->values[2]);

    int64_t start_ns = now_ns();
    for (int64_t i = 0; i < count && !is_asked_to_end; i++) {
        int64_t due_ns = start_ns + i * 1000000000 / rate;
        for (int64_t left_ns = due_ns - now_ns(); left_ns > 0; left_ns = due_ns - now_ns())
            rd_kafka_poll(client.handle, left_ns > 1000000 ? (int)(left_ns / 1000000) : 0);
        sample.time_ms = BASE_TIME_MS + i;
        sample.payload = sample_json(&sample, (uint64_t)i);
        send_message(&client, topic, (int32_t)(i % partitions), &sample);
    }
    return finish_sending(&client, topic);
}

/* --- load for benches --------------------------------------------------------------------------- */

/* Events as they are in the wild: 16 bytes of key, about 300 of JSON, a trace and an id. */
static int
run_load(const struct arguments *arguments)
{
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, 3, producer_preset);
    rd_kafka_topic_t *topic = topic_open(&client, arguments->values[0]);
    int32_t partitions = partition_count(&client, topic);
    int64_t count = number(arguments->values[1]);
    uint64_t keys = (uint64_t)number(arguments->values[2]);

    struct sample sample;
    for (int64_t i = 0; i < count; i++) {
        sample_headers(&sample, (uint64_t)i * 5 + 3); /* the kind with traceparent and ce_id */
        snprintf(sample.key_text, sizeof(sample.key_text), "cust-%011" PRIu64,
            mixed((uint64_t)i) % keys);
        sample.key = (struct blob){sample.key_text, 16};
        sample.payload = sample_json(&sample, (uint64_t)i);
        sample.time_ms = BASE_TIME_MS + i;
        send_message(&client, topic, (int32_t)(i % partitions), &sample);
    }
    return finish_sending(&client, topic);
}

/* Events that are little more than what the client library keeps of each. */
static int
run_small(const struct arguments *arguments)
{
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, 2, producer_preset);
    rd_kafka_topic_t *topic = topic_open(&client, arguments->values[0]);
    int32_t partitions = partition_count(&client, topic);
    int64_t count = number(arguments->values[1]);

    for (int64_t i = 0; i < count; i++) {
        struct sample sample = {.time_ms = BASE_TIME_MS + i};
        int length = snprintf(sample.key_text, sizeof(sample.key_text), "%" PRId64, i);
        sample.payload = (struct blob){sample.key_text, (size_t)length};
        send_message(&client, topic, (int32_t)(i % partitions), &sample);
    }
    return finish_sending(&client, topic);
}

static const struct subcommand commands[] = {
    {"produce", 3, run_produce, "TOPIC FIRST COUNT [K=V]...   events of the corpus"},
    {"spread", 4, run_spread,
        "NAME TOPICS FIRST COUNT      events of the corpus, to NAME-0, NAME-1 ..."},
    {"transact", 4, run_transact, "TOPIC FIRST COUNT commit|abort|open [K=V]..."},
    {"big", 2, run_big, "TOPIC BYTES [K=V]...         one large event"},
    {"stream", 3, run_stream, "TOPIC PER-SECOND COUNT [K=V]..."},
    {"load", 3, run_load, "TOPIC COUNT KEYS [K=V]...    events for a bench"},
    {"small", 2, run_small, "TOPIC COUNT [K=V]...        events of a few bytes"},
};

int
main(int argc, char **argv)
{
    return dispatch(commands, sizeof(commands) / sizeof(commands[0]), argc, argv);
}
