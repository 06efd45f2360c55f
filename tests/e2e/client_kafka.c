/* client_kafka.c - another Kafka client: topics, groups, and everything that a broker holds, as text.
 *
 * `dump` prints one line per committed event, sorted by partition and offset; canonical.py makes the
 * same lines from a tape. `state` prints all that watching must not change.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/bytes.h"
#include "tests/e2e/kafka_client.h"

#define AGAIN_MS   50
#define TOPICS_MAX 1000

/* fetch.wait.max.ms: the end of a partition is noticed at once, not after half a second. */
static const char *const consumer_preset[] = {"isolation.level", "read_committed",
    "enable.partition.eof", "true", "fetch.wait.max.ms", "10", NULL};

/* --- topic, commit ------------------------------------------------------------------------------ */

/* Brokers answer before all of them know a new topic. Wait until the one that we ask does. */
static void
await_topic(struct client *client, const char *name, int partitions)
{
    rd_kafka_topic_t *topic = topic_open(client, name);
    for (int tries = WAIT_MS / AGAIN_MS; tries > 0; tries--) {
        const struct rd_kafka_metadata *metadata;
        check("metadata", rd_kafka_metadata(client->handle, 0, topic, &metadata, WAIT_MS));
        const struct rd_kafka_metadata_topic *answer = &metadata->topics[0];
        int led = 0;
        for (int i = 0; i < answer->partition_cnt; i++)
            led += answer->partitions[i].leader >= 0;
        bool is_there = answer->err == RD_KAFKA_RESP_ERR_NO_ERROR && led == partitions;
        rd_kafka_metadata_destroy(metadata);
        if (is_there) {
            rd_kafka_topic_destroy(topic);
            return;
        }
        rd_kafka_poll(client->handle, AGAIN_MS);
    }
    die(name, "was made, but does not appear");
}

static rd_kafka_NewTopic_t *
new_topic(const char *name, int partitions)
{
    char why[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, -1, why, sizeof(why));
    if (topic == NULL)
        die(name, why);
    return topic;
}

/* Ask for all of them, and wait for the answer. */
static void
create(struct client *client, rd_kafka_NewTopic_t **topics, size_t count)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->handle);
    rd_kafka_CreateTopics(client->handle, topics, count, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL)
        die("topic", "no answer to CreateTopics");
    check("topic", rd_kafka_event_error(event));
    size_t made;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &made);
    for (size_t i = 0; i < made; i++)
        check(rd_kafka_topic_result_name(results[i]), rd_kafka_topic_result_error(results[i]));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, count);
}

static int
run_topic(const struct arguments *arguments)
{
    static const char *const preset[] = {NULL};
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, arguments->count, preset);
    int partitions = (int)number(arguments->values[1]);
    rd_kafka_NewTopic_t *topic = new_topic(arguments->values[0], partitions);
    for (int i = 2; i < arguments->count; i++) {
        char *value = split_property(arguments->values[i]);
        check(
            arguments->values[i], rd_kafka_NewTopic_set_config(topic, arguments->values[i], value));
    }
    create(&client, &topic, 1);
    await_topic(&client, arguments->values[0], partitions);
    rd_kafka_destroy(client.handle);
    return 0;
}

/* NAME-0, NAME-1 ... in one request. */
static int
run_topics(const struct arguments *arguments)
{
    static const char *const preset[] = {NULL};
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, arguments->count, preset);
    int64_t count = number(arguments->values[1]);
    int partitions = (int)number(arguments->values[2]);
    rd_kafka_NewTopic_t *topics[TOPICS_MAX];
    if (count > TOPICS_MAX)
        die("topics", "too many");
    char name[256];
    for (int64_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "%s-%" PRId64, arguments->values[0], i);
        topics[i] = new_topic(name, partitions);
    }
    create(&client, topics, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "%s-%" PRId64, arguments->values[0], i);
        await_topic(&client, name, partitions);
    }
    rd_kafka_destroy(client.handle);
    return 0;
}

static int
run_delete(const struct arguments *arguments)
{
    static const char *const preset[] = {NULL};
    struct client client;
    client_open(&client, RD_KAFKA_PRODUCER, arguments, arguments->count, preset);

    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(arguments->values[0]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client.handle);
    rd_kafka_DeleteTopics(client.handle, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL)
        die(arguments->values[0], "no answer");
    check(arguments->values[0], rd_kafka_event_error(event));
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    check(arguments->values[0], rd_kafka_topic_result_error(results[0]));

    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_destroy(client.handle);
    return 0;
}

/* What retention does, now: the log begins at the offset. */
static int
run_trim(const struct arguments *arguments)
{
    static const char *const preset[] = {NULL};
    struct client client;
    client_open(&client, RD_KAFKA_CONSUMER, arguments, arguments->count, preset);

    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(
        list, arguments->values[0], (int32_t)number(arguments->values[1]))
        ->offset = number(arguments->values[2]);
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client.handle);
    rd_kafka_DeleteRecords(client.handle, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL)
        die("trim", "no answer");
    check("trim", rd_kafka_event_error(event));
    check("trim", rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event))
                      ->elems[0]
                      .err);

    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client.handle);
    return 0;
}

static int
run_commit(const struct arguments *arguments)
{
    const char *preset[] = {"group.id", arguments->values[0], NULL};
    struct client client;
    client_open(&client, RD_KAFKA_CONSUMER, arguments, arguments->count, preset);

    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(
        list, arguments->values[1], (int32_t)number(arguments->values[2]))
        ->offset = number(arguments->values[3]);
    check("commit", rd_kafka_commit(client.handle, list, 0));
    check("commit", list->elems[0].err);

    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(client.handle);
    rd_kafka_destroy(client.handle);
    return 0;
}

/* What a group commits that nobody is a member of: PREFIX-N at offset N modulo 100. */
static void
ask_group_commit(const struct client *client, const char *const *values, int64_t group,
    rd_kafka_queue_t *answers)
{
    char name[300];
    (void)snprintf(name, sizeof(name), "%s-%" PRId64, values[0], group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, values[2], (int32_t)number(values[3]))->offset =
        group % 100;
    rd_kafka_AlterConsumerGroupOffsets_t *request =
        rd_kafka_AlterConsumerGroupOffsets_new(name, list);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client->handle, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    char why[128];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, WAIT_MS, why, sizeof(why));
    rd_kafka_AlterConsumerGroupOffsets(client->handle, &request, 1, options, answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_AlterConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

static int
run_groups(const struct arguments *arguments)
{
    static const char *const preset[] = {NULL};
    struct client client;
    client_open(&client, RD_KAFKA_CONSUMER, arguments, arguments->count, preset);
    rd_kafka_queue_t *answers = rd_kafka_queue_new(client.handle);
    int64_t count = number(arguments->values[1]);
    for (int64_t group = 0; group < count; group++)
        ask_group_commit(&client, (const char *const *)arguments->values, group, answers);
    for (int64_t group = 0; group < count; group++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(answers, WAIT_MS);
        if (event == NULL)
            die("groups", "no answer");
        check("groups", rd_kafka_event_error(event));
        size_t results;
        const rd_kafka_group_result_t **result = rd_kafka_AlterConsumerGroupOffsets_result_groups(
            rd_kafka_event_AlterConsumerGroupOffsets_result(event), &results);
        if (results != 1 || rd_kafka_group_result_error(result[0]) != NULL)
            die("groups", "a commit was refused");
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answers);
    rd_kafka_destroy(client.handle);
    return 0;
}

/* --- dump --------------------------------------------------------------------------------------- */

static void
print_blob(const void *data, size_t length)
{
    const unsigned char *bytes = data;

    if (bytes == NULL) {
        fputs("null", stdout);
        return;
    }
    putchar('x');
    for (size_t i = 0; i < length; i++) {
        putchar(hex_digit(bytes[i] >> 4));
        putchar(hex_digit(bytes[i]));
    }
}

static void
print_headers(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t length;

    putchar('[');
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &length) ==
                           RD_KAFKA_RESP_ERR_NO_ERROR;
             i++) {
            if (i > 0)
                putchar(',');
            print_blob(name, strlen(name));
            putchar('=');
            print_blob(value, length);
        }
    }
    putchar(']');
}

/* partition offset time type key headers payload; bytes as x and hex digits, or null. */
static void
print_message(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    int64_t time_ms = rd_kafka_message_timestamp(message, &type);
    printf("%" PRId32 " %" PRId64 " %" PRId64 " %s ", message->partition, message->offset, time_ms,
        type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "append" : "create");
    print_blob(message->key, message->key_len);
    putchar(' ');
    print_headers(message);
    putchar(' ');
    print_blob(message->payload, message->len);
    putchar('\n');
}

static void
dump_partition(rd_kafka_topic_t *topic, int32_t partition)
{
    if (rd_kafka_consume_start(topic, partition, RD_KAFKA_OFFSET_BEGINNING) != 0)
        check("consume", rd_kafka_last_error());
    for (bool at_end = false; !at_end;) {
        rd_kafka_message_t *message = rd_kafka_consume(topic, partition, WAIT_MS);
        if (message == NULL)
            die("consume", "nothing came");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            at_end = true;
        else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            die("consume", rd_kafka_message_errstr(message));
        else
            print_message(message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consume_stop(topic, partition);
}

static int
run_dump(const struct arguments *arguments)
{
    struct client client;
    client_open(&client, RD_KAFKA_CONSUMER, arguments, 1, consumer_preset);
    rd_kafka_topic_t *topic = topic_open(&client, arguments->values[0]);
    int32_t partitions = partition_count(&client, topic);
    for (int32_t i = 0; i < partitions; i++)
        dump_partition(topic, i);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client.handle);
    return 0;
}

/* --- state: everything that watching must not change -------------------------------------------- */

static void
print_topics(struct client *client, const struct rd_kafka_metadata *metadata)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        printf("topic %s %d\n", topic->topic, topic->partition_cnt);
        for (int p = 0; p < topic->partition_cnt; p++) {
            int64_t low, high;
            check(topic->topic, rd_kafka_query_watermark_offsets(client->handle, topic->topic,
                                    topic->partitions[p].id, &low, &high, WAIT_MS));
            printf("offsets %s %d %" PRId64 " %" PRId64 "\n", topic->topic, topic->partitions[p].id,
                low, high);
        }
    }
}

static void
print_committed(
    const struct arguments *arguments, const char *group, const struct rd_kafka_metadata *metadata)
{
    const char *preset[] = {"group.id", group, NULL};
    struct client client;
    client_open(&client, RD_KAFKA_CONSUMER, arguments, arguments->count, preset);

    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int i = 0; i < metadata->topic_cnt; i++)
        for (int p = 0; p < metadata->topics[i].partition_cnt; p++)
            rd_kafka_topic_partition_list_add(list, metadata->topics[i].topic, p);
    check(group, rd_kafka_committed(client.handle, list, WAIT_MS));
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset >= 0)
            printf("committed %s %s %d %" PRId64 "\n", group, list->elems[i].topic,
                list->elems[i].partition, list->elems[i].offset);

    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(client.handle);
    rd_kafka_destroy(client.handle);
}

/* The first group of a broker makes it load what it knows of groups: until that is done it answers none. */
static const struct rd_kafka_group_list *
list_groups(rd_kafka_t *handle)
{
    const struct rd_kafka_group_list *groups;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int tries = WAIT_MS / AGAIN_MS; tries > 0; tries--) {
        code = rd_kafka_list_groups(handle, NULL, &groups, WAIT_MS);
        if (code != RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
            break;
        rd_kafka_poll(handle, AGAIN_MS);
    }
    check("groups", code);
    return groups;
}

static int
run_state(const struct arguments *arguments)
{
    static const char *const preset[] = {NULL};
    struct client client;
    const struct rd_kafka_metadata *metadata;
    client_open(&client, RD_KAFKA_CONSUMER, arguments, 0, preset);
    check("metadata", rd_kafka_metadata(client.handle, 1, NULL, &metadata, WAIT_MS));
    const struct rd_kafka_group_list *groups = list_groups(client.handle);

    print_topics(&client, metadata);
    for (int i = 0; i < groups->group_cnt; i++) {
        printf("group %s %s %d\n", groups->groups[i].group, groups->groups[i].state,
            groups->groups[i].member_cnt);
        print_committed(arguments, groups->groups[i].group, metadata);
    }

    rd_kafka_group_list_destroy(groups);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(client.handle);
    return 0;
}

static const struct subcommand commands[] = {
    {"topic", 2, run_topic, "NAME PARTITIONS [K=V]..."},
    {"topics", 3, run_topics, "NAME COUNT PARTITIONS       NAME-0, NAME-1 ..."},
    {"delete", 1, run_delete, "NAME"},
    {"trim", 3, run_trim, "TOPIC PARTITION OFFSET"},
    {"commit", 4, run_commit, "GROUP TOPIC PARTITION OFFSET"},
    {"groups", 4, run_groups,
        "PREFIX COUNT TOPIC PARTITION groups without members, with a commit each"},
    {"dump", 1, run_dump, "TOPIC [K=V]...               one line per committed event"},
    {"state", 0, run_state, "                             topics, offsets, groups, commits"},
};

int
main(int argc, char **argv)
{
    return dispatch(commands, sizeof(commands) / sizeof(commands[0]), argc, argv);
}
