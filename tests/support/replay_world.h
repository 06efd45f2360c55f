/* replay_world.h - a tape with awkward events and a Kafka cluster in this process, for tests of
 * replay/. */
#ifndef TESTS_SUPPORT_REPLAY_WORLD_H
#define TESTS_SUPPORT_REPLAY_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "index/event.h"
#include "replay/planner.h"
#include "replay/runner.h"
#include "replay/verify.h"

struct tape_writer;

#define WORLD_PARTITIONS 3
#define WORLD_TIME_NS    (INT64_C(1795444171) * 1000000000) /* of the first event; then 1 ms apart */

struct replay_world {
    char *directory; /* of the tape */
    char *servers;
    struct tape_writer *writer;
    const struct stream *orders;
    int64_t offsets[WORLD_PARTITIONS];
    uint64_t events;
    void *host;    /* rd_kafka_t */
    void *cluster; /* rd_kafka_mock_cluster_t */
};

/* A header of a made event; a NULL value is a null value. */
struct world_header {
    const char *name;
    const char *value;
};

/* An empty tape with the stream shop/orders, and a cluster with the topics copy (WORLD_PARTITIONS
 * partitions), orders (the same) and narrow (2). Fails the test on errors. */
struct replay_world *world_new(void);
void world_free(struct replay_world *world);

/* Put an event on the tape: the next offset of its lane. Null views are null. */
void world_add(struct replay_world *world, int32_t partition, struct bytes key,
    struct bytes payload, const struct world_header *headers, size_t header_count);

/* `count` plain events over all partitions. */
void world_add_many(struct replay_world *world, uint64_t count);

/* Every kind of null, empty and binary part, in partition 0. Returns how many events. */
uint64_t world_add_awkward(struct replay_world *world);

/* Options of a plan of everything into `topic`. */
struct planner_options world_planner(
    const struct replay_world *world, char *url, size_t size, const char *topic);

/* A plan of everything into `topic`; fails the test when there is none. */
struct plan *world_plan(const struct replay_world *world, const char *topic);

/* Run to the end; fails the test unless it is DONE. */
void world_run(
    const struct replay_world *world, struct plan *plan, struct replay_progress *progress);

/* Verify; fails the test when it cannot be done. */
void world_verify(
    const struct replay_world *world, const struct plan *plan, struct verify_result *result);

/* Send a message by hand, with the provenance headers of `plan` for `index`. */
void world_produce(const struct replay_world *world, const struct plan *plan, const char *topic,
    int32_t partition, uint64_t index, const char *payload);

/* The end offset of a partition. */
int64_t world_end(const struct replay_world *world, const char *topic, int32_t partition);

#endif
