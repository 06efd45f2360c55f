#include "replay/target_kafka.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "replay/kafka_settings.h"
#include "replay/target.h"

#define CONFIGS_TIMEOUT_MS 3000

/* ---- client ---------------------------------------------------------------------------------- */

/* What librdkafka's callbacks get. They run inside rd_kafka_poll(), so on the client's own thread.
 */
struct client_links {
    struct target_kafka client; /* first: a struct target_kafka * is also this */
    target_kafka_delivered *delivered;
    void *opaque;
};

/* What is left of "HOST:PORT/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in
 * state CONNECT)" when the parts are gone that are about the library: "Connect to ... refused". */
static void
copy_reason(char *to, size_t size, const char *text)
{
    /* The first four bytes of an HTTP answer, read as the length of one. */
    if (strstr(text, "Invalid response size 1213486160") != NULL)
        text = "an HTTP server answers there";
    size_t name = strcspn(text, " "); /* "HOST:PORT/bootstrap:" */
    if (name > 1 && text[name] == ' ' && text[name - 1] == ':' && memchr(text, '/', name) != NULL)
        text += name + 1;
    const char *end = strstr(text, " (after ");
    size_t length = end != NULL ? (size_t)(end - text) : strlen(text);
    if (length >= size)
        length = size - 1;
    memcpy(to, text, length);
    to[length] = '\0';
}

static void
keep_reason(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct client_links *links = opaque;
    (void)handle;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && links->client.reason[0] != '\0')
        return; /* the error of the single broker says more */
    copy_reason(links->client.reason, sizeof(links->client.reason), reason);
}

static void
drop_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

static void
report_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    const struct client_links *links = opaque;
    links->delivered(handle, message, links->opaque);
}

static bool
set_property(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return true;
    return error_set(err, ERROR_CONFIG, "librdkafka does not take %s: %s", name, text);
}

static bool
set_all(rd_kafka_conf_t *conf, const char *servers, const struct kafka_settings *settings,
    const struct kafka_setting *properties, size_t count, struct error *err)
{
    for (size_t i = 0; i < kafka_settings_count(settings); i++) {
        struct kafka_setting setting = kafka_settings_at(settings, i);
        if (!set_property(conf, setting.name, setting.value, err))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!set_property(conf, properties[i].name, properties[i].value, err))
            return false;
    return set_property(conf, "bootstrap.servers", servers, err);
}

static struct target_kafka *
client_new(
    rd_kafka_type_t type, struct client_links *links, rd_kafka_conf_t *conf, struct error *err)
{
    char text[256];
    rd_kafka_conf_set_opaque(conf, links);
    rd_kafka_conf_set_error_cb(conf, keep_reason);
    rd_kafka_conf_set_log_cb(conf, drop_log);
    if (links->delivered != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, report_delivery);

    links->client.handle = rd_kafka_new(type, conf, text, sizeof(text));
    if (links->client.handle != NULL)
        return &links->client;
    error_set(err, ERROR_CONFIG, "cannot make a Kafka client: %s", text);
    rd_kafka_conf_destroy(conf);
    free(links);
    return NULL;
}

struct target_kafka *
target_kafka_producer(const char *servers, const struct kafka_settings *settings,
    const struct kafka_setting *properties, size_t count, target_kafka_delivered *delivered,
    void *opaque, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set_all(conf, servers, settings, properties, count, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    struct client_links *links = alloc_zeroed(sizeof(*links));
    links->delivered = delivered;
    links->opaque = opaque;
    return client_new(RD_KAFKA_PRODUCER, links, conf, err);
}

struct target_kafka *
target_kafka_new(rd_kafka_type_t type, const char *servers, const struct kafka_settings *settings,
    const struct kafka_setting *properties, size_t count, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set_all(conf, servers, settings, properties, count, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return client_new(type, alloc_zeroed(sizeof(struct client_links)), conf, err);
}

void
target_kafka_free(struct target_kafka *client)
{
    if (client == NULL)
        return;
    rd_kafka_destroy(client->handle);
    free(client);
}

void
target_kafka_poll(struct target_kafka *client, int timeout_ms)
{
    rd_kafka_poll(client->handle, timeout_ms);
}

/* ---- topics ---------------------------------------------------------------------------------- */

static bool
remote_error(struct target_kafka *client, rd_kafka_resp_err_t code, struct error *err)
{
    target_kafka_poll(client, 0);
    enum error_code kind = ERROR_REMOTE;
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
        code == RD_KAFKA_RESP_ERR__AUTHENTICATION)
        kind = ERROR_REFUSED;
    bool is_silent = code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                     code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    const char *text = is_silent ? "no broker answers" : rd_kafka_err2str(code);
    if (client->reason[0] != '\0')
        return error_set(err, kind, "%s (%s)", text, client->reason);
    return error_set(err, kind, "%s", text);
}

/* One metadata request. *again: the answer may be another in a moment. */
static bool
ask_metadata(struct target_kafka *client, rd_kafka_topic_t *topic, int timeout_ms,
    int32_t *partitions, bool *again, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->handle, 0, topic, &metadata, timeout_ms);
    *again = code == RD_KAFKA_RESP_ERR__TRANSPORT;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return remote_error(client, code, err);

    const struct rd_kafka_metadata_topic *found = &metadata->topics[0];
    code = metadata->topic_cnt == 1 ? found->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    bool usable = code == RD_KAFKA_RESP_ERR_NO_ERROR && found->partition_cnt > 0;
    *again = code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
             (code == RD_KAFKA_RESP_ERR_NO_ERROR && found->partition_cnt == 0);
    if (usable)
        *partitions = found->partition_cnt;
    else if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
             code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        error_set(err, ERROR_REMOTE, "there is no such topic; make it first, a replay never does");
    else
        remote_error(client, code, err);
    rd_kafka_metadata_destroy(metadata);
    return usable;
}

static bool
ask_partitions(
    struct target_kafka *client, rd_kafka_topic_t *topic, int32_t *partitions, struct error *err)
{
    int64_t deadline = clock_monotonic_ns() + TARGET_KAFKA_TIMEOUT_MS * NS_PER_MS;
    while (true) {
        int64_t left = (deadline - clock_monotonic_ns()) / NS_PER_MS;
        bool again;
        if (ask_metadata(client, topic, left > 100 ? (int)left : 100, partitions, &again, err))
            return true;
        if (!again || clock_monotonic_ns() >= deadline)
            return false;
        target_kafka_poll(client, 100);
    }
}

static void
take_config(struct target_facts *facts, const char *name, const char *value)
{
    if (value == NULL)
        return;
    if (strcmp(name, "max.message.bytes") == 0)
        facts->max_message_bytes = strtoll(value, NULL, 10);
    else if (strcmp(name, "retention.ms") == 0)
        facts->retention_ms = strtoll(value, NULL, 10);
    else if (strcmp(name, "retention.bytes") == 0)
        facts->retention_bytes = strtoll(value, NULL, 10);
    else if (strcmp(name, "message.timestamp.type") == 0)
        facts->stamps_messages = strcasecmp(value, "LogAppendTime") == 0;
    else if (strcmp(name, "cleanup.policy") == 0)
        memcpy(facts->cleanup, value, strnlen(value, sizeof(facts->cleanup) - 1));
}

static void
take_configs(struct target_facts *facts, rd_kafka_event_t *event)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    if (result == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;

    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (count != 1 || rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;

    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[0], &count);
    for (size_t i = 0; i < count; i++)
        take_config(
            facts, rd_kafka_ConfigEntry_name(entries[i]), rd_kafka_ConfigEntry_value(entries[i]));
    facts->configured = facts->max_message_bytes > 0;
}

/* Whoever may not ask, or asks a broker that cannot answer, goes on without: "unknown" is an
 * answer. The request's own timeout is far away on purpose: librdkafka 2.0.2 uses freed memory when
 * it passes while no broker is there; we stop waiting ourselves, and the client is destroyed soon
 * after. */
static void
ask_configs(struct target_kafka *client, const char *topic, struct target_facts *facts)
{
    /* librdkafka's own mock cluster never answers this. */
    if (strncmp(facts->cluster, "mockCluster", 11) == 0)
        return;

    char text[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->handle);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client->handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    if (rd_kafka_AdminOptions_set_request_timeout(options, 600000, text, sizeof(text)) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_DescribeConfigs(client->handle, &resource, 1, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CONFIGS_TIMEOUT_MS);
        if (event != NULL) {
            take_configs(facts, event);
            rd_kafka_event_destroy(event);
        }
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
}

bool
target_kafka_describe(
    struct target_kafka *client, const char *topic, struct target_facts *facts, struct error *err)
{
    struct target_facts found = {0};
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client->handle, topic, NULL);
    bool known = ask_partitions(client, handle, &found.partitions, err);
    rd_kafka_topic_destroy(handle);
    if (!known)
        return false;

    char *cluster = rd_kafka_clusterid(client->handle, 1000);
    if (cluster != NULL) {
        memcpy(found.cluster, cluster, strnlen(cluster, sizeof(found.cluster) - 1));
        rd_kafka_mem_free(client->handle, cluster);
    }
    ask_configs(client, topic, &found);
    *facts = found;
    return true;
}

bool
target_kafka_ask(const struct target *target, const struct kafka_settings *settings,
    struct target_facts *facts, struct error *err)
{
    static const struct kafka_setting properties[] = {{"allow.auto.create.topics", "false"}};
    struct target_kafka *client =
        target_kafka_new(RD_KAFKA_CONSUMER, target->servers, settings, properties, 1, err);
    bool known = client != NULL && target_kafka_describe(client, target->name, facts, err);
    target_kafka_free(client);
    return known || error_wrap(err, "topic '%s' at %s", target->name, target->servers);
}

bool
target_kafka_offsets(struct target_kafka *client, const char *topic, int32_t partition,
    int64_t *first, int64_t *end, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        client->handle, topic, partition, first, end, TARGET_KAFKA_TIMEOUT_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    remote_error(client, code, err);
    return error_wrap(err, "offsets of '%s' partition %d", topic, (int)partition);
}
