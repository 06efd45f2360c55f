/* kafka_client.h - what the tests' own Kafka clients share.
 *
 * client_kafka (reads, topics, groups) and client_kafka_produce (writes) know nothing of tapedeck's
 * code: what one writes and the other reads back is the truth that a tape is compared with. A client
 * that cannot do what it was asked says why on stderr and ends with 1.
 *
 * K=V on a command line are librdkafka's properties.  Threads: one.
 */
#ifndef TESTS_E2E_KAFKA_CLIENT_H
#define TESTS_E2E_KAFKA_CLIENT_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#define WAIT_MS   60000
#define CLIENT_ID "e2e-client"

struct arguments {
    const char *brokers;
    int count; /* what follows the bootstrap address */
    char **values;
};

struct client {
    rd_kafka_t *handle;
    uint64_t acknowledged;
    uint64_t failed;
    char why[256]; /* of the first failure */
};

_Noreturn static inline void
die(const char *what, const char *why)
{
    fprintf(stderr, "kafka client: %s: %s\n", what, why);
    fflush(stdout);
    _exit(1); /* librdkafka's threads still run: nothing of theirs may be taken down */
}

static inline void
check(const char *what, rd_kafka_resp_err_t code)
{
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(what, rd_kafka_err2str(code));
}

static inline void
check_error(const char *what, rd_kafka_error_t *error)
{
    if (error != NULL)
        die(what, rd_kafka_error_string(error));
}

static inline int64_t
number(const char *text)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        die(text, "not a number");
    return value;
}

/* Split "name=value" in place; returns the value. */
static inline char *
split_property(char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL)
        die(text, "not NAME=VALUE");
    *equals = '\0';
    return equals + 1;
}

static inline void
set_property(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        die(name, why);
}

static inline void
on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct client *client = opaque;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        client->acknowledged++;
        return;
    }
    if (client->failed++ == 0)
        snprintf(client->why, sizeof(client->why), "%s", rd_kafka_err2str(message->err));
}

/* Make a client with the properties from values[first] on, over those of `preset` ("name", "value",
 * ..., NULL). */
static inline void
client_open(struct client *client, rd_kafka_type_t type, const struct arguments *arguments,
    int first, const char *const *preset)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_property(conf, "bootstrap.servers", arguments->brokers);
    set_property(conf, "client.id", CLIENT_ID);
    set_property(conf, "log_level", "2");
    for (; *preset != NULL; preset += 2)
        set_property(conf, preset[0], preset[1]);
    for (int i = first; i < arguments->count; i++) {
        char *value = split_property(arguments->values[i]);
        set_property(conf, arguments->values[i], value);
    }
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, client);

    char why[256];
    memset(client, 0, sizeof(*client));
    client->handle = rd_kafka_new(type, conf, why, sizeof(why));
    if (client->handle == NULL)
        die("cannot make a client", why);
}

static inline rd_kafka_topic_t *
topic_open(struct client *client, const char *name)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client->handle, name, NULL);
    if (topic == NULL)
        die(name, rd_kafka_err2str(rd_kafka_last_error()));

    /* Without its metadata librdkafka would first wait for a timer. */
    const struct rd_kafka_metadata *metadata;
    check(name, rd_kafka_metadata(client->handle, 0, topic, &metadata, WAIT_MS));
    rd_kafka_metadata_destroy(metadata);
    return topic;
}

static inline int32_t
partition_count(struct client *client, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata;
    check("metadata", rd_kafka_metadata(client->handle, 0, topic, &metadata, WAIT_MS));
    check("topic", metadata->topics[0].err);
    int32_t count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return count;
}

struct subcommand {
    const char *name;
    int arguments; /* at least */
    int (*run)(const struct arguments *arguments);
    const char *usage;
};

/* What main() does: run the subcommand that argv[1] names, or print all of them. */
static inline int
dispatch(const struct subcommand *commands, size_t count, int argc, char **argv)
{
    for (size_t i = 0; i < count; i++) {
        if (argc >= 3 + commands[i].arguments && strcmp(argv[1], commands[i].name) == 0) {
            struct arguments arguments = {argv[2], argc - 3, argv + 3};
            return commands[i].run(&arguments);
        }
    }
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s %s BROKERS %s\n", argv[0], commands[i].name, commands[i].usage);
    return 2;
}

#endif
