#include "demo/broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define KNOCK_NS (2 * NS_PER_MS)

struct broker {
    rd_kafka_t *owner; /* a client that only carries the cluster */
    rd_kafka_mock_cluster_t *cluster;
    struct sockaddr_in address;
};

/* The cluster's thread sleeps in poll() for up to a second and, about every other time, is not woken
 * by a request of its owner: making topics and ending it would take that second. A connection always
 * wakes it, so somebody knocks until the owner's call is back. */
struct knocking {
    struct sockaddr_in address;
    atomic_bool is_over;
    pthread_t thread;
    bool has_thread;
};

static void *
knock(void *self)
{
    struct knocking *knocking = self;
    while (!atomic_load(&knocking->is_over)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0) {
            (void)connect(
                fd, (const struct sockaddr *)&knocking->address, sizeof(knocking->address));
            close(fd);
        }
        clock_sleep_until_ns(clock_monotonic_ns() + KNOCK_NS);
    }
    return NULL;
}

/* Without a thread it only takes longer. */
static void
knocking_start(struct knocking *knocking, const struct broker *broker)
{
    knocking->address = broker->address;
    atomic_init(&knocking->is_over, false);
    knocking->has_thread = pthread_create(&knocking->thread, NULL, knock, knocking) == 0;
}

static void
knocking_stop(struct knocking *knocking)
{
    atomic_store(&knocking->is_over, true);
    if (knocking->has_thread)
        pthread_join(knocking->thread, NULL);
}

static bool
start_cluster(struct broker *broker, struct error *err)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    broker->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    if (broker->owner == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERROR_SYSTEM, "cannot start the demo's broker: %s", reason);
    }
    broker->cluster = rd_kafka_mock_cluster_new(broker->owner, 1);
    if (broker->cluster == NULL)
        return error_set(err, ERROR_SYSTEM,
            "cannot start the demo's broker: nothing can listen on the loopback address");
    return true;
}

struct broker *
broker_open(struct error *err)
{
    struct broker *broker = alloc_zeroed(sizeof(*broker));
    if (!start_cluster(broker, err)) {
        broker_close(broker);
        return NULL;
    }
    const char *port = strrchr(broker_bootstrap(broker), ':');
    broker->address.sin_family = AF_INET;
    broker->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (port != NULL)
        broker->address.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
    return broker;
}

const char *
broker_bootstrap(const struct broker *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

bool
broker_add_topic(struct broker *broker, const char *name, int partitions, struct error *err)
{
    struct knocking knocking;
    knocking_start(&knocking, broker);
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(broker->cluster, name, partitions, 1);
    knocking_stop(&knocking);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    return error_set(
        err, ERROR_SYSTEM, "cannot make the demo's topic %s: %s", name, rd_kafka_err2str(code));
}

void
broker_close(struct broker *broker)
{
    if (broker == NULL)
        return;
    if (broker->cluster != NULL) {
        struct knocking knocking;
        knocking_start(&knocking, broker);
        rd_kafka_mock_cluster_destroy(broker->cluster);
        knocking_stop(&knocking);
    }
    if (broker->owner != NULL)
        rd_kafka_destroy(broker->owner);
    free(broker);
}
