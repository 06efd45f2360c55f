/* bench_lag.c - how long one sample of many consumer groups takes.
 *
 * usage: bench_lag HOST:PORT [GROUPS [PARTITIONS]]     a broker that may be filled: a topic and
 *                                                      500 groups with 50 commits each are made
 */
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "bench/figures.h"
#include "collectors/groups_broker.h"
#include "collectors/groups_sample.h"

#define COMMIT_NS (60 * NS_PER_S)
#define TOPIC     "bench-lag"
#define ROUNDS    5
#define BUDGET_MS 1000

static rd_kafka_t *
client_new(const char *address, const char *group)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", address, NULL, 0);
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    rd_kafka_conf_set(conf, "group.id", group, NULL, 0);
    return rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
}

static void
make_topic(const char *address, int partitions)
{
    char why[256];
    rd_kafka_t *client = client_new(address, "bench-lag-topic");
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(TOPIC, partitions, -1, why, sizeof(why));
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
}

static bool
make_group(const char *address, int number, int partitions)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "bench-%05d", number);
    rd_kafka_t *client = client_new(address, name);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, TOPIC, i)->offset = number % 100;
    /* The first one waits for the broker to make its topic of commits. */
    int64_t deadline_ns = clock_monotonic_ns() + COMMIT_NS;
    bool is_well;
    do {
        is_well = rd_kafka_commit(client, list, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;
    } while (!is_well && clock_monotonic_ns() < deadline_ns);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return is_well;
}

/* One sample; its milliseconds. Ends the process when the broker gave none, or not all of it. */
static double
take_sample(struct groups_broker *broker, size_t wanted)
{
    struct error err;
    struct groups_sample sample;
    int64_t start_ns = clock_monotonic_ns();
    if (!groups_broker_sample(broker, &sample, &err))
        figures_fail(&err);
    int64_t end_ns = clock_monotonic_ns();
    size_t known = 0;
    for (size_t g = 0; g < sample.group_count; g++)
        for (size_t i = 0; i < sample.groups[g].lane_count; i++)
            known += sample.groups[g].lanes[i].end >= 0 && sample.groups[g].lanes[i].committed >= 0;
    groups_sample_done(&sample);
    if (known < wanted) {
        (void)error_set(&err, ERROR_REMOTE, "%zu partitions are known, not all %zu", known, wanted);
        figures_fail(&err);
    }
    return (double)(end_ns - start_ns) / (double)NS_PER_MS;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_lag HOST:PORT [GROUPS [PARTITIONS]]\n"
                              "bench/lag.sh starts a broker for it\n");
        return 2;
    }
    int groups = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 500;
    int partitions = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 50;
    make_topic(argv[1], partitions);
    for (int i = 0; i < groups; i++) {
        if (!make_group(argv[1], i, partitions)) {
            (void)fprintf(stderr, "bench_lag: group %d cannot commit at %s\n", i, argv[1]);
            return 1;
        }
    }

    struct error err;
    char *url = alloc_format("kafka://%s", argv[1]);
    struct groups_broker *broker =
        groups_broker_open(&(struct groups_broker_options){.url = url, .want_times = true}, &err);
    if (broker == NULL)
        figures_fail(&err);
    double rounds[ROUNDS];
    size_t wanted = (size_t)groups * (size_t)partitions;
    double first_ms = take_sample(broker, wanted);
    for (size_t round = 0; round < ROUNDS; round++)
        rounds[round] = take_sample(broker, wanted);
    groups_broker_close(broker);
    free(url);

    printf("one look at %d groups with %d commits each\n", groups, partitions);
    figure_plain("lag sample, the first one, with connecting", first_ms, "ms");
    figure_at_most("lag sample", median(rounds, ROUNDS), BUDGET_MS, "ms");
    return figures_end();
}
