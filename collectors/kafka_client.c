#include "collectors/kafka_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "collectors/kafka_conf.h"
#include "collectors/outlet.h"
#include "collectors/recorder.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"

#define IDLE_FETCH_MS   "500"
#define INTERCEPTOR     "tapedeck"
#define FIRST_MS        250
#define LEAST_BYTES     (UINT64_C(1024) * 1024)
#define DESTROY_NS      (5 * NS_PER_S)
#define DESTROY_LOOK_NS (5 * NS_PER_MS)
#define WAKE_MS         0 /* the answer is of no use: that it comes is */

/* What a tap may change. librdkafka 2.0.2 stops fetching for a whole second when its local queue
 * holds more than one of the two `queued` limits, and counts all partitions together: they are what
 * memory allows, and fetch_pause.h ends the pause. What one fetch brings comes on top of them, and all of it
 * is unpacked at once: fetch.max.bytes is small, at 50 ms to a broker still 40 MB/s from each of them.
 * fetch.wait.max.ms is how long an idle broker holds a fetch, and with it the news that a partition's
 * end is reached. */
static const struct recorder_property defaults[] = {
    {"client.id", "tapedeck"},
    {"isolation.level", "read_committed"},
    {"queued.min.messages", "100000"},
    {"queued.max.messages.kbytes", "32768"},
    {"fetch.wait.max.ms", "100"},
    {"fetch.error.backoff.ms", "100"},
    {"fetch.max.bytes", "2097152"},
    {"fetch.message.max.bytes", "1048576"},
    {"receive.message.max.bytes", "134217728"}, /* a record of 64 MiB, and what stands around it */
    {"reconnect.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "2000"},
    {"topic.metadata.refresh.fast.interval.ms", "250"},
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
};

/* The pause itself, where the library lets it be chosen (from 2.2 on): there, nothing ends it. */
static const struct recorder_property queue_pause = {"fetch.queue.backoff.ms", "20"};

/* What makes the client one that only looks, and what the source relies on. */
static const struct recorder_property fixed[] = {
    {"enable.partition.eof", "true"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"allow.auto.create.topics", "false"},
    {"auto.offset.reset", "error"},
};

/* What a member of a group has besides: partitions change hands one by one while the others go on, and
 * topics that an expression fits are soon found. */
static const struct recorder_property of_member[] = {
    {"partition.assignment.strategy", "cooperative-sticky"},
    {"topic.metadata.refresh.interval.ms", "10000"},
};

static const char *const reserved[] = {"bootstrap.servers", "metadata.broker.list", "group.id",
    "group.instance.id", "log.queue", "auto.commit.enable"};

static bool
is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (strcmp(name, fixed[i].name) == 0)
            return true;
    return false;
}

/* Remember a name, once; with too many of them that it may be any. */
static void
miss_topic(struct kafka_client *client, const char *name, size_t length)
{
    (void)pthread_mutex_lock(&client->miss_lock);
    unsigned count = atomic_load(&client->missed);
    bool is_there = false;
    for (unsigned i = 0; i < count; i++)
        is_there =
            is_there || client->missing[i][0] == '\0' ||
            (strncmp(client->missing[i], name, length) == 0 && client->missing[i][length] == '\0');
    if (!is_there) {
        bool is_last = count + 1 == KAFKA_MISSING_MAX;
        (void)snprintf(
            client->missing[count], KAFKA_TOPIC_MAX, "%.*s", is_last ? 0 : (int)length, name);
        atomic_store(&client->missed, count + 1);
    }
    (void)pthread_mutex_unlock(&client->miss_lock);
}

/* "TOPIC [PARTITION]: broker unavailable: fetch: Broker: Unknown topic or partition" */
static void
read_unavailable(struct kafka_client *client, const char *text)
{
    const char *end = strstr(text, " [");
    if (end != NULL && end - text < KAFKA_TOPIC_MAX &&
        strstr(end, rd_kafka_err2str(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)) != NULL)
        miss_topic(client, text, (size_t)(end - text));
}

/* What librdkafka logs is silent but for two things that it says nowhere else; the second from some version behind 2.0.2
 * on. Called on its threads. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)level;
    struct kafka_client *client = rk == NULL ? NULL : rd_kafka_opaque(rk);
    if (client == NULL)
        return;
    if (strcmp(facility, "BROKERUA") == 0)
        read_unavailable(client, text);
    else if (strcmp(facility, "FAIL") == 0 && strstr(text, "in state APIVERSION_QUERY") != NULL)
        atomic_store(&client->hangs_up, true);
}

bool
kafka_client_missing(struct kafka_client *client, char topic[KAFKA_TOPIC_MAX])
{
    if (atomic_load(&client->missed) == 0)
        return false;
    (void)pthread_mutex_lock(&client->miss_lock);
    unsigned last = atomic_load(&client->missed) - 1;
    memcpy(topic, client->missing[last], KAFKA_TOPIC_MAX);
    atomic_store(&client->missed, last);
    (void)pthread_mutex_unlock(&client->miss_lock);
    return true;
}

/* 0: it is no number. */
static size_t
get_number(const rd_kafka_conf_t *conf, const char *name)
{
    char text[32];
    size_t size = sizeof(text);
    if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
        return 0;
    return (size_t)strtoull(text, NULL, 10);
}

static bool
lower(rd_kafka_conf_t *conf, const char *name, uint64_t most, struct error *err)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)most);
    return most >= get_number(conf, name) || kafka_conf_set(conf, name, text, err);
}

/* With a budget the broker is not read ahead of for more than about two seconds of it: what is fetched
 * counts for the broker, whether we have taken it or not. Less than 1 MiB is of no use. */
static bool
set_read_ahead(rd_kafka_conf_t *conf, uint64_t bytes_per_second, struct error *err)
{
    uint64_t second = bytes_per_second < LEAST_BYTES ? LEAST_BYTES : bytes_per_second;
    uint64_t two = 2 * bytes_per_second < LEAST_BYTES ? LEAST_BYTES : 2 * bytes_per_second;
    return lower(conf, "queued.max.messages.kbytes", two / 1024, err) &&
           lower(conf, "fetch.max.bytes", second, err);
}

static bool
has_value(const rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[64];
    size_t size = sizeof(text);
    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK &&
           strcasecmp(text, value) == 0;
}

/* Without a source of tokens librdkafka waits for one that nobody brings, and says nothing. */
static bool
check_token(const rd_kafka_conf_t *conf, struct error *err)
{
    bool is_login = has_value(conf, "security.protocol", "sasl_ssl") ||
                    has_value(conf, "security.protocol", "sasl_plaintext");
    if (!is_login || !has_value(conf, "sasl.mechanism", "OAUTHBEARER") ||
        has_value(conf, "enable.sasl.oauthbearer.unsecure.jwt", "true") ||
        has_value(conf, "sasl.oauthbearer.method", "oidc"))
        return true;
    return error_set(err, ERROR_CONFIG,
        "OAUTHBEARER has nothing to make a token of: set kafka.sasl.oauthbearer.method to oidc, or "
        "kafka.enable.sasl.oauthbearer.unsecure.jwt to true");
}

static bool
set_all(rd_kafka_conf_t *conf, const struct source_config *config, struct error *err)
{
    if (!kafka_conf_set_all(conf, defaults, sizeof(defaults) / sizeof(defaults[0]), err))
        return false;
    if (get_number(conf, queue_pause.name) > 0 &&
        !kafka_conf_set(conf, queue_pause.name, queue_pause.value, err))
        return false;
    /* Nobody waits for an end: an idle fetch of thousands of partitions costs more than it brings. */
    if (config->until == UNTIL_STOPPED &&
        !kafka_conf_set(conf, "fetch.wait.max.ms", IDLE_FETCH_MS, err))
        return false;
    if (config->max_bytes_per_second > 0 &&
        !set_read_ahead(conf, config->max_bytes_per_second, err))
        return false;
    for (size_t i = 0; i < config->property_count; i++) {
        const struct recorder_property *property = &config->properties[i];
        if (is_reserved(property->name))
            return error_set(err, ERROR_CONFIG,
                "kafka property '%s' cannot be set: tapedeck only looks, joins no group and takes "
                "the brokers from the URL",
                property->name);
        if (!kafka_conf_set(conf, property->name, property->value, err))
            return false;
    }
    if (config->isolation != NULL &&
        !kafka_conf_set(conf, "isolation.level", config->isolation, err))
        return false;
    if (!kafka_conf_set_all(conf, fixed, sizeof(fixed) / sizeof(fixed[0]), err))
        return false;
    if (!check_token(conf, err))
        return false;
    /* For on_log(). */
    return kafka_conf_set(conf, "debug", "topic", err) &&
           kafka_conf_set(conf, "log.thread.name", "false", err) &&
           kafka_conf_set(conf, "bootstrap.servers", config->url->address, err);
}

/* Keep why a certificate is refused: librdkafka's own sentence has one guess for every cause. Called on
 * librdkafka's threads; what OpenSSL thinks of the certificate stays what counts. */
static int
on_certificate(rd_kafka_t *rk, const char *name, int32_t id, int *certificate_error, int depth,
    const char *certificate, size_t size, char *why, size_t why_size, void *opaque)
{
    (void)rk;
    (void)name;
    (void)id;
    (void)depth;
    (void)certificate;
    (void)size;
    struct kafka_client *client = opaque;
    if (*certificate_error == 0)
        return 1;
    atomic_store(&client->certificate_error, *certificate_error);
    (void)snprintf(why, why_size, "refused");
    return 0;
}

/* Every response, of every broker. Called on librdkafka's threads. */
static rd_kafka_resp_err_t
on_response(rd_kafka_t *rk, int fd, const char *name, int32_t id, int16_t key, int16_t version,
    int32_t correlation, size_t size, int64_t round_trip_us, rd_kafka_resp_err_t failed,
    void *opaque)
{
    (void)rk;
    (void)fd;
    (void)name;
    (void)id;
    (void)key;
    (void)version;
    (void)correlation;
    (void)round_trip_us;
    (void)failed;
    struct kafka_client *client = opaque;
    (void)atomic_fetch_add_explicit(&client->received, size, memory_order_relaxed);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Statistics would tell it too, but name each partition: 10 MB each time for a tap of 10 000. */
static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *why, size_t why_size)
{
    (void)conf;
    (void)why;
    (void)why_size;
    return rd_kafka_interceptor_add_on_response_received(rk, INTERCEPTOR, on_response, opaque);
}

uint64_t
kafka_client_received(struct kafka_client *client)
{
    return atomic_exchange_explicit(&client->received, 0, memory_order_relaxed);
}

static bool
set_member(rd_kafka_conf_t *conf, const char *group, struct error *err)
{
    if (!kafka_conf_set_all(conf, of_member, sizeof(of_member) / sizeof(of_member[0]), err))
        return false;
    return kafka_conf_set(conf, "group.id", group, err);
}

static rd_kafka_conf_t *
make_conf(const struct source_config *config, struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR);
    if (set_all(conf, config, err))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

bool
kafka_client_check(const struct source_config *config, struct error *err)
{
    rd_kafka_conf_t *conf = make_conf(config, err);
    if (conf == NULL)
        return false;
    rd_kafka_conf_destroy(conf);
    return true;
}

static void
begin(struct kafka_client *client, const struct source_config *config)
{
    *client = (struct kafka_client){.address = config->url->address};
    (void)pthread_mutex_init(&client->miss_lock, NULL);
}

/* NULL with ERROR_CONFIG, and the same in client->seen. */
static rd_kafka_t *
make_client(struct kafka_client *client, rd_kafka_conf_t *conf, struct error *err)
{
    char why[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (rk == NULL) {
        kafka_reason_read_setup(&client->seen, why);
        (void)error_set(err, ERROR_CONFIG, "%s; %s", client->seen.what, client->seen.fix);
    }
    return rk;
}

/* Whether a client can be made: files of keys and what a login needs are only looked at then. It is one
 * that nobody uses, and that asks no broker. */
static bool
try_out(struct kafka_client *client, const struct source_config *config, struct error *err)
{
    rd_kafka_conf_t *conf = make_conf(config, err);
    if (conf == NULL)
        return false;
    rd_kafka_t *rk = NULL;
    if (kafka_conf_set(conf, "bootstrap.servers", "", err))
        rk = make_client(client, conf, err);
    if (rk == NULL)
        rd_kafka_conf_destroy(conf);
    else
        rd_kafka_destroy(rk);
    return rk != NULL;
}

/* Takes `conf`. When rd_kafka_new() fails, librdkafka before 2.13 frees the interceptors of the configuration,
 * and rd_kafka_conf_destroy() would do it again: so it was tried out without them, and should it fail all
 * the same, the configuration is left behind. */
static bool
open_with(struct kafka_client *client, rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
    (void)rd_kafka_conf_interceptor_add_on_new(conf, INTERCEPTOR, on_new, client);
    client->rk = make_client(client, conf, err);
    if (client->rk == NULL)
        return false;
    client->events = rd_kafka_queue_get_main(client->rk);
    return true;
}

bool
kafka_client_open(
    struct kafka_client *client, const struct source_config *config, struct error *err)
{
    begin(client, config);
    rd_kafka_conf_t *conf = try_out(client, config, err) ? make_conf(config, err) : NULL;
    return conf != NULL && open_with(client, conf, err);
}

bool
kafka_client_open_member(struct kafka_client *client, const struct source_config *config,
    kafka_client_rebalance *on_rebalance, struct error *err)
{
    begin(client, config);
    rd_kafka_conf_t *conf = try_out(client, config, err) ? make_conf(config, err) : NULL;
    if (conf == NULL)
        return false;
    if (!set_member(conf, config->group, err)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    return open_with(client, conf, err);
}

static void *
destroy(void *rk)
{
    rd_kafka_destroy(rk);
    return NULL;
}

/* False: it took too long, and goes on alone. */
static bool
destroy_in_time(rd_kafka_t *rk)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, destroy, rk) != 0) {
        rd_kafka_destroy(rk);
        return true;
    }
    int64_t deadline_ns = clock_monotonic_ns() + DESTROY_NS;
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        int64_t now_ns = clock_monotonic_ns();
        if (now_ns >= deadline_ns) {
            (void)pthread_detach(thread);
            return false;
        }
        clock_sleep_until_ns(now_ns + DESTROY_LOOK_NS);
    }
    return true;
}

bool
kafka_client_close_in_time(struct kafka_client *client)
{
    rd_kafka_t *rk = client->rk;
    client->rk = NULL;
    if (client->events != NULL)
        rd_kafka_queue_destroy(client->events);
    client->events = NULL;
    if (rk != NULL && !destroy_in_time(rk))
        return false;
    kafka_client_close(client);
    return true;
}

void
kafka_client_close(struct kafka_client *client)
{
    if (client->events != NULL)
        rd_kafka_queue_destroy(client->events);
    if (client->rk != NULL)
        rd_kafka_destroy(client->rk);
    if (client->address != NULL)
        (void)pthread_mutex_destroy(&client->miss_lock);
    *client = (struct kafka_client){0};
}

/* A disconnection that follows a failure says less than the failure did. */
static void
take_reason(struct kafka_client *client, const char *text, bool is_login)
{
    struct kafka_reason seen;
    kafka_reason_read(&seen, text, is_login, atomic_load(&client->certificate_error));
    if (client->reason.code != ERROR_NONE && seen.fix[0] == '\0' && client->seen.fix[0] != '\0')
        return;
    client->seen = seen;
    kafka_reason_say(&seen, client->address, &client->reason);
}

static void
take_error(struct kafka_client *client, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        client->is_down = true;
    else
        take_reason(
            client, rd_kafka_event_error_string(event), code == RD_KAFKA_RESP_ERR__AUTHENTICATION);
}

struct fetch_limits
kafka_client_read_ahead(const struct kafka_client *client)
{
    const rd_kafka_conf_t *conf = rd_kafka_conf(client->rk);
    return (struct fetch_limits){
        .bytes = get_number(conf, "queued.max.messages.kbytes") * 1024,
        .messages = get_number(conf, "queued.min.messages"),
    };
}

void
kafka_client_wake(struct kafka_client *client)
{
    const rd_kafka_metadata_t *metadata = NULL;
    if (rd_kafka_metadata(client->rk, 0, NULL, &metadata, WAKE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

/* It ended the connection that was to ask what it speaks. */
static void
take_hang_up(struct kafka_client *client)
{
    char protocol[32];
    size_t size = sizeof(protocol);
    bool is_plain = rd_kafka_conf_get(rd_kafka_conf(client->rk), "security.protocol", protocol,
                        &size) == RD_KAFKA_CONF_OK &&
                    strstr(protocol, "ssl") == NULL;
    take_reason(
        client, is_plain ? "connecting to a SSL listener" : "it hangs up before an answer", false);
}

void
kafka_client_serve(struct kafka_client *client)
{
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(client->events, 0)) != NULL) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            take_error(client, event);
        rd_kafka_event_destroy(event);
    }
    if (atomic_exchange(&client->hangs_up, false) && client->reason.code == ERROR_NONE)
        take_hang_up(client);
}

bool
kafka_client_fail(struct kafka_client *client, rd_kafka_resp_err_t code, struct error *err)
{
    kafka_client_serve(client);
    if (client->reason.code != ERROR_NONE) {
        *err = client->reason;
        return false;
    }
    return error_set(err, ERROR_REMOTE, "cannot reach kafka at %s: %s", client->address,
        code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT
            ? "no answer"
            : rd_kafka_err2str(code));
}

const rd_kafka_metadata_t *
kafka_client_metadata(struct kafka_client *client, rd_kafka_topic_t *topic, bool all,
    int timeout_ms, struct error *err)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(client->rk, all ? 1 : 0, topic, &metadata, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)kafka_client_fail(client, code, err);
        return NULL;
    }
    kafka_client_serve(client);
    client->is_down = false;
    client->reason.code = ERROR_NONE;
    return metadata;
}

const rd_kafka_metadata_t *
kafka_client_first(struct kafka_client *client, struct outlet *outlet, rd_kafka_topic_t *topic,
    int64_t deadline_ns, struct error *err)
{
    int timeout_ms = FIRST_MS;
    error_set(err, ERROR_REMOTE, "cannot reach kafka at %s: no answer", client->address);
    while (!outlet_is_stopping(outlet)) {
        int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            break;
        const rd_kafka_metadata_t *metadata = kafka_client_metadata(
            client, topic, topic == NULL, left_ms < timeout_ms ? (int)left_ms : timeout_ms, err);
        if (metadata != NULL)
            outlet_mark_answer(outlet);
        if (metadata != NULL || err->code == ERROR_REFUSED)
            return metadata;
        timeout_ms *= 2;
    }
    return NULL;
}

const rd_kafka_metadata_topic_t *
kafka_client_answer(const rd_kafka_metadata_t *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return &metadata->topics[i];
    return NULL;
}
