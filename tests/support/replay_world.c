#include "tests/support/replay_world.h"

#include <inttypes.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/batch.h"
#include "index/tape_writer.h"
#include "replay/provenance.h"
#include "replay/target_reader.h"
#include "tests/support/unit.h"

static void
drop_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

static rd_kafka_t *
new_client(const char *servers)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, drop_log);
    if (servers != NULL)
        assert_int_equal(
            rd_kafka_conf_set(conf, "bootstrap.servers", servers, text, sizeof(text)), 0);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (handle == NULL)
        fail_msg("no Kafka client: %s", text);
    return handle;
}

struct replay_world *
world_new(void)
{
    struct replay_world *world = alloc_zeroed(sizeof(*world));
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1.0};
    struct error err;

    world->directory = temp_directory_new();
    world->writer = tape_writer_open(world->directory, &options, &err);
    assert_ok(world->writer != NULL);
    world->orders = tape_writer_stream(world->writer, "shop", "orders");
    world->host = new_client(NULL);
    world->cluster = rd_kafka_mock_cluster_new(world->host, 1);
    assert_non_null(world->cluster);
    rd_kafka_mock_topic_create(world->cluster, "copy", WORLD_PARTITIONS, 1);
    rd_kafka_mock_topic_create(world->cluster, "narrow", 2, 1);
    rd_kafka_mock_topic_create(world->cluster, "orders", WORLD_PARTITIONS, 1);
    world->servers = alloc_text(rd_kafka_mock_cluster_bootstraps(world->cluster));
    return world;
}

void
world_free(struct replay_world *world)
{
    tape_writer_close(world->writer);
    rd_kafka_mock_cluster_destroy(world->cluster);
    rd_kafka_destroy(world->host);
    temp_directory_remove(world->directory);
    free(world->servers);
    free(world);
}

static void
add_to_batch(struct replay_world *world, struct batch *batch, int32_t partition, struct bytes key,
    struct bytes payload, const struct world_header *headers, size_t header_count)
{
    struct error err;
    struct buffer encoded = {0};
    if (header_count > 0)
        headers_begin(&encoded, header_count);
    for (size_t i = 0; i < header_count; i++)
        headers_add(&encoded, bytes_of(headers[i].name), bytes_of(headers[i].value));
    struct event event = {
        .received_ns = WORLD_TIME_NS,
        .time_ns = WORLD_TIME_NS + (int64_t)world->events * NS_PER_MS,
        .offset = world->offsets[partition]++,
        .stream = world->orders,
        .partition = partition,
        .time_type = TIME_CREATE,
        .key = key,
        .headers = {encoded.data, encoded.length},
        .payload = payload,
    };
    assert_ok(batch_add(batch, &event, &err));
    world->events++;
    buffer_done(&encoded);
}

void
world_add(struct replay_world *world, int32_t partition, struct bytes key, struct bytes payload,
    const struct world_header *headers, size_t header_count)
{
    struct error err;
    struct batch *batch = batch_new();
    add_to_batch(world, batch, partition, key, payload, headers, header_count);
    assert_ok(tape_writer_append(world->writer, batch, &err));
    batch_release(batch);
}

void
world_add_many(struct replay_world *world, uint64_t count)
{
    static const struct world_header headers[] = {{"ce_type", "order.placed"}};
    struct error err;
    while (count > 0) {
        struct batch *batch = batch_new();
        for (; count > 0 && !batch_is_full(batch); count--) {
            char key[32];
            char payload[64];
            snprintf(key, sizeof(key), "o-%" PRIu64, world->events % 500);
            snprintf(payload, sizeof(payload), "{\"n\":%" PRIu64 "}", world->events);
            add_to_batch(world, batch, (int32_t)(world->events % WORLD_PARTITIONS), bytes_of(key),
                bytes_of(payload), headers, 1);
        }
        assert_ok(tape_writer_append(world->writer, batch, &err));
        batch_release(batch);
    }
}

uint64_t
world_add_awkward(struct replay_world *world)
{
    static const struct world_header headers[] = {
        {"twice", "1"}, {"null", NULL}, {"twice", "2"}, {"empty", ""}, {"", "no name"}};
    static const unsigned char binary[] = {0, 255, 10, 0, 128};
    uint64_t before = world->events;
    struct bytes bytes = {binary, sizeof(binary)};
    world_add(world, 0, BYTES_NULL, bytes_of("null key"), NULL, 0);
    world_add(world, 0, bytes_of(""), bytes_of("empty key"), NULL, 0);
    world_add(world, 0, bytes, bytes, headers, 5);
    world_add(world, 0, bytes_of("tombstone"), BYTES_NULL, headers, 1);
    world_add(world, 0, bytes_of("empty"), bytes_of(""), headers + 1, 1);
    world_add(world, 0, BYTES_NULL, BYTES_NULL, headers + 3, 1);
    return world->events - before;
}

struct planner_options
world_planner(const struct replay_world *world, char *url, size_t size, const char *topic)
{
    snprintf(url, size, "kafka://%s/%s", world->servers, topic);
    return (struct planner_options){.tape = world->directory, .target = url, .max_hops = 1};
}

struct plan *
world_plan(const struct replay_world *world, const char *topic)
{
    char url[128];
    struct error err;
    struct planner_options options = world_planner(world, url, sizeof(url), topic);
    struct plan *plan = planner_make(&options, &err);
    assert_ok(plan != NULL);
    return plan;
}

void
world_run(const struct replay_world *world, struct plan *plan, struct replay_progress *progress)
{
    struct error err;
    struct runner_options options = {.plan = plan, .tape = world->directory};
    assert_ok(runner_run(&options, progress, &err));
    assert_int_equal(progress->state, REPLAY_DONE);
}

void
world_verify(
    const struct replay_world *world, const struct plan *plan, struct verify_result *result)
{
    struct error err;
    struct verify_options options = {.plan = plan, .tape = world->directory};
    assert_ok(verify_replay(&options, result, &err));
}

void
world_produce(const struct replay_world *world, const struct plan *plan, const char *topic,
    int32_t partition, uint64_t index, const char *payload)
{
    char number[32];
    snprintf(number, sizeof(number), "%" PRIu64, index);
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", payload);
    rd_kafka_t *handle = new_client(world->servers);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    rd_kafka_header_add(headers, PROVENANCE_REPLAY, -1, plan->id, -1);
    rd_kafka_header_add(headers, PROVENANCE_SEQ, -1, number, -1);
    rd_kafka_header_add(headers, PROVENANCE_ORIG, -1, "kafka/by/hand/0/0", -1);
    rd_kafka_header_add(headers, PROVENANCE_HOPS, -1, "1", -1);
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u = {.cstr = topic}},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u = {.i32 = partition}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u = {.mem = {.ptr = copy, .size = strlen(copy)}}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u = {.headers = headers}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u = {.i = RD_KAFKA_MSG_F_COPY}},
    };
    assert_null(rd_kafka_produceva(handle, parts, sizeof(parts) / sizeof(parts[0])));
    assert_int_equal(rd_kafka_flush(handle, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(handle);
}

int64_t
world_end(const struct replay_world *world, const char *topic, int32_t partition)
{
    int64_t first;
    int64_t end;
    rd_kafka_t *handle = new_client(world->servers);
    assert_int_equal(
        rd_kafka_query_watermark_offsets(handle, topic, partition, &first, &end, 10000), 0);
    rd_kafka_destroy(handle);
    return end;
}
