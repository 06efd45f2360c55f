/* target_kafka.h - a librdkafka client for the target of a replay, and what it says about a topic.
 *
 * librdkafka's own log goes nowhere; its last error is kept, because "timed out" alone helps
 * nobody. Threads: one thread owns an instance; librdkafka's threads never touch it.
 */
#ifndef REPLAY_TARGET_KAFKA_H
#define REPLAY_TARGET_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "replay/target_facts.h"

struct error;
struct kafka_setting;
struct kafka_settings;
struct target;

/* How long a question to the cluster may take before it counts as not reachable. */
#define TARGET_KAFKA_TIMEOUT_MS 4000

struct target_kafka {
    rd_kafka_t *handle;
    char reason[256]; /* librdkafka's last error; "" when there was none */
};

/* Make a client for `servers` with the operator's settings (may be NULL) and `properties`, which
 * win. NULL with ERROR_CONFIG when a property is wrong. */
struct target_kafka *target_kafka_new(rd_kafka_type_t type, const char *servers,
    const struct kafka_settings *settings, const struct kafka_setting *properties, size_t count,
    struct error *err);

/* The same for a producer whose delivery reports go to `delivered` while rd_kafka_poll() runs. */
typedef void target_kafka_delivered(
    rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque);
struct target_kafka *target_kafka_producer(const char *servers,
    const struct kafka_settings *settings, const struct kafka_setting *properties, size_t count,
    target_kafka_delivered *delivered, void *opaque, struct error *err);

/* NULL is allowed. */
void target_kafka_free(struct target_kafka *client);

/* Serve librdkafka's callbacks; keeps the reason current. */
void target_kafka_poll(struct target_kafka *client, int timeout_ms);

/* Ask the cluster about `topic`. Never creates it (use a consumer client).
 *
 * False with ERROR_REMOTE: nothing answers, or there is no such topic; ERROR_REFUSED: not allowed.
 */
bool target_kafka_describe(
    struct target_kafka *client, const char *topic, struct target_facts *facts, struct error *err);

/* Describe the topic of `target` with a client made for it and freed again. */
bool target_kafka_ask(const struct target *target, const struct kafka_settings *settings,
    struct target_facts *facts, struct error *err);

/* First offset that is there and the one behind the last (committed) one. False with ERROR_REMOTE.
 */
bool target_kafka_offsets(struct target_kafka *client, const char *topic, int32_t partition,
    int64_t *first, int64_t *end, struct error *err);

#endif
