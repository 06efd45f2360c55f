/* kafka_client.h - librdkafka as the Kafka source wants it: a client that only looks.
 *
 * It joins no group, commits nothing and creates no topic; only a member of a group that the user named
 * (kafka_client_open_member()) joins it, and commits there. What librdkafka would log or report on its
 * own threads is read here, and turned into one sentence for the console.
 *
 * Threads: one owns a client. It stays where it is from open to close: librdkafka's threads write
 * certificate_error, the names of missing topics and the count of what was received.
 */
#ifndef COLLECTORS_KAFKA_CLIENT_H
#define COLLECTORS_KAFKA_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/clock.h"
#include "base/error.h"
#include "collectors/fetch_pause.h"
#include "collectors/kafka_reason.h"

struct outlet;
struct source_config;

#define KAFKA_TOPIC_MAX   250 /* a name and its end */
#define KAFKA_MISSING_MAX 8

/* How long a source waits for the first answer. */
#define KAFKA_CONNECT_NS (4 * NS_PER_S)

struct kafka_client {
    rd_kafka_t *rk;
    rd_kafka_queue_t *events;
    const char *address;
    bool is_down;                  /* no broker is connected; `reason` says why */
    struct error reason;           /* of the last failure; ERROR_NONE when there was none */
    struct kafka_reason seen;      /* the same in parts; also why it could not be made */
    atomic_bool hangs_up;          /* set by librdkafka's threads */
    atomic_int certificate_error;  /* X509_V_ERR_..., set by librdkafka's threads */
    atomic_uint_fast64_t received; /* bytes, not yet taken by kafka_client_received() */
    atomic_uint missed;            /* how many of the names below are not taken yet */
    pthread_mutex_t miss_lock;     /* guards the names */
    char missing[KAFKA_MISSING_MAX][KAFKA_TOPIC_MAX];
    uint32_t rounds; /* of kafka_offsets_ask() */
};

/* See whether librdkafka takes the tap's properties. ERROR_CONFIG with its own sentence. */
bool kafka_client_check(const struct source_config *config, struct error *err);

/* Make the client; it connects when it is first asked something. */
bool kafka_client_open(
    struct kafka_client *client, const struct source_config *config, struct error *err);

/* The same as a member of config->group; config->group of all other clients is ignored. `on_rebalance`
 * is called by whoever polls the consumer's queue, with `client` as its opaque. */
typedef void kafka_client_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t why,
    rd_kafka_topic_partition_list_t *partitions, void *opaque);
bool kafka_client_open_member(struct kafka_client *client, const struct source_config *config,
    kafka_client_rebalance *on_rebalance, struct error *err);

void kafka_client_close(struct kafka_client *client);

/* The same for a client that reads topics. librdkafka 2.0.2 can lose count of who uses a partition whose topic was deleted while it was
 * assigned (its issues 4486 and 4674), and then waits for its own threads for ever. False: it does, after
 * 5 s; *client and everything in it must stay as they are until the process ends. */
bool kafka_client_close_in_time(struct kafka_client *client);

/* How much the library reads ahead before it pauses. */
struct fetch_limits kafka_client_read_ahead(const struct kafka_client *client);

/* How many bytes brokers sent since the last call: whole responses of any kind, as they came over the wire,
 * before decompression; of TLS and TCP only what they carry. */
uint64_t kafka_client_received(struct kafka_client *client);

/* Ask a broker something, for the sake of its answer's coming: see fetch_pause.h. Does not wait. */
void kafka_client_wake(struct kafka_client *client);

/* Read what librdkafka reported since the last call. */
void kafka_client_serve(struct kafka_client *client);

/* A topic that a broker did not know when it was asked for its events: it is being deleted, made again, or moved. The
 * library says so nowhere but in its debug log, and before any message of another log comes. False: none
 * since the last call. "" stands for any topic, when there were too many. */
bool kafka_client_missing(struct kafka_client *client, char topic[KAFKA_TOPIC_MAX]);

/* Why a request failed with `code`: what the connection said, or else what the request did. Returns false. */
bool kafka_client_fail(struct kafka_client *client, rd_kafka_resp_err_t code, struct error *err);

/* Ask for the metadata of `topic` (NULL: of all the client uses, or with `all` of every one there
 * is). The caller gives it to rd_kafka_metadata_destroy(). NULL with ERROR_REMOTE or ERROR_REFUSED
 * and the reason. */
const rd_kafka_metadata_t *kafka_client_metadata(struct kafka_client *client,
    rd_kafka_topic_t *topic, bool all, int timeout_ms, struct error *err);

/* The same for a client that has just been opened, of `topic` (NULL: of every one there is): asked with more patience
 * each time, since an answer that comes too late for one question is in time for the next. Not longer than until
 * `deadline_ns` (monotonic), or until the outlet is stopped. An answer is marked at the outlet. */
const rd_kafka_metadata_t *kafka_client_first(struct kafka_client *client, struct outlet *outlet,
    rd_kafka_topic_t *topic, int64_t deadline_ns, struct error *err);

/* What an answer says about a topic, or NULL. */
const rd_kafka_metadata_topic_t *kafka_client_answer(
    const rd_kafka_metadata_t *metadata, const char *topic);

#endif
