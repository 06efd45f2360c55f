/* client_kafka_acl.c - another Kafka client: allows a user what a broker with an authorizer refuses.
 *
 * The broker must take the client itself as a super user.
 */
#include <stdio.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "tests/e2e/kafka_client.h"

static rd_kafka_AclOperation_t
operation(const char *name)
{
    for (int i = RD_KAFKA_ACL_OPERATION_ANY; i < RD_KAFKA_ACL_OPERATION__CNT; i++)
        if (strcmp(rd_kafka_AclOperation_name((rd_kafka_AclOperation_t)i), name) == 0)
            return (rd_kafka_AclOperation_t)i;
    die(name, "not an operation such as READ or DESCRIBE");
}

static int
allow(const struct arguments *arguments, rd_kafka_ResourceType_t type)
{
    static const char *const preset[] = {NULL};
    struct client client;
    char why[256];
    client_open(&client, RD_KAFKA_PRODUCER, arguments, arguments->count, preset);
    rd_kafka_AclBinding_t *acl = rd_kafka_AclBinding_new(type, arguments->values[0],
        RD_KAFKA_RESOURCE_PATTERN_LITERAL, arguments->values[1], "*",
        operation(arguments->values[2]), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, why, sizeof(why));
    if (acl == NULL)
        die("acl", why);

    rd_kafka_queue_t *queue = rd_kafka_queue_new(client.handle);
    rd_kafka_CreateAcls(client.handle, &acl, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL)
        die("acl", "no answer to CreateAcls");
    check("acl", rd_kafka_event_error(event));
    size_t count;
    const rd_kafka_acl_result_t **results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
    const rd_kafka_error_t *error = rd_kafka_acl_result_error(results[0]);
    if (error != NULL)
        die("acl", rd_kafka_error_string(error));

    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AclBinding_destroy(acl);
    rd_kafka_destroy(client.handle);
    return 0;
}

static int
run_allow(const struct arguments *arguments)
{
    return allow(arguments, RD_KAFKA_RESOURCE_TOPIC);
}

static int
run_allow_group(const struct arguments *arguments)
{
    return allow(arguments, RD_KAFKA_RESOURCE_GROUP);
}

int
main(int argc, char **argv)
{
    static const struct subcommand commands[] = {
        {"allow", 3, run_allow, "TOPIC User:NAME READ|DESCRIBE"},
        {"allow-group", 3, run_allow_group, "GROUP User:NAME READ"},
    };
    return dispatch(commands, sizeof(commands) / sizeof(commands[0]), argc, argv);
}
