#include "collectors/kafka_topics.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sorted.h"
#include "collectors/kafka_generation.h"
#include "collectors/kafka_lanes.h"
#include "collectors/kafka_patterns.h"
#include "collectors/outlet.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"

static int
compare_name(const void *name, const void *item)
{
    const struct kafka_topic *const *topic = item;
    return strcmp(name, (*topic)->name);
}

/* Where the topic is in by_name, or would be. */
static bool
find_name(const struct kafka_lanes *lanes, const char *name, size_t *place)
{
    return sorted_find(name, lanes->by_name, lanes->topic_count, sizeof(struct kafka_topic *),
        compare_name, place);
}

/* The lists hold it from now on. */
static void
list_topic(struct kafka_lanes *lanes, struct kafka_topic *topic)
{
    size_t place;
    (void)find_name(lanes, topic->name, &place);
    size_t count = lanes->topic_count;
    lanes->by_name =
        alloc_grow(lanes->by_name, count, &lanes->by_name_capacity, sizeof(struct kafka_topic *));
    memmove(&lanes->by_name[place + 1], &lanes->by_name[place],
        (count - place) * sizeof(struct kafka_topic *));
    lanes->by_name[place] = topic;
    lanes->topics =
        alloc_grow(lanes->topics, count, &lanes->topic_capacity, sizeof(struct kafka_topic *));
    lanes->topics[lanes->topic_count++] = topic;
}

static struct kafka_topic *
add_topic(struct kafka_lanes *lanes, const char *name)
{
    struct kafka_topic *topic = alloc_zeroed(sizeof(*topic));
    topic->name = alloc_text(name);
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(lanes->client->rk);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->rkt = rd_kafka_topic_new(lanes->client->rk, topic->name, conf);
    topic->log = kafka_generation_newest(lanes->outlet, topic->name);
    list_topic(lanes, topic);
    return topic;
}

void
kafka_topics_make(struct kafka_lanes *lanes)
{
    const char *list = lanes->config->url->path;
    char *name;
    for (size_t i = 0; (name = tap_url_item(list, i)) != NULL; i++) {
        if (!kafka_pattern_is(name))
            (void)add_topic(lanes, name);
        free(name);
    }
}

struct kafka_topic *
kafka_topics_find(const struct kafka_lanes *lanes, const char *name)
{
    size_t place;
    return find_name(lanes, name, &place) ? lanes->by_name[place] : NULL;
}

size_t
kafka_topics_match(struct kafka_lanes *lanes, const rd_kafka_metadata_t *metadata)
{
    size_t first = lanes->topic_count;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            kafka_patterns_match(&lanes->patterns, name) && kafka_topics_find(lanes, name) == NULL)
            add_topic(lanes, name)->is_matched = true;
    }
    return first;
}

void
kafka_topics_apply(
    struct kafka_lanes *lanes, struct kafka_topic *topic, const rd_kafka_metadata_topic_t *answer)
{
    if (answer->partition_cnt > topic->lane_count) {
        bool is_late = topic->lane_count > 0;
        bool is_whole = is_late || topic->is_whole;
        topic->lanes =
            alloc_resize(topic->lanes, (size_t)answer->partition_cnt * sizeof(struct kafka_lane));
        for (int32_t p = topic->lane_count; p < answer->partition_cnt; p++)
            topic->lanes[p] = (struct kafka_lane){
                .lane = outlet_lane(lanes->outlet, topic->log.stream, p),
                .end = -1,
                .leader = -1,
                .is_whole = is_whole,
                .is_late = is_late,
            };
        lanes->waiting += (size_t)(answer->partition_cnt - topic->lane_count);
        lanes->lane_count += (size_t)(answer->partition_cnt - topic->lane_count);
        topic->lane_count = answer->partition_cnt;
    }
    for (int i = 0; i < answer->partition_cnt; i++) {
        int32_t id = answer->partitions[i].id;
        if (id >= 0 && id < topic->lane_count)
            topic->lanes[id].leader = answer->partitions[i].leader;
    }
}

void
kafka_topics_apply_all(struct kafka_lanes *lanes, const rd_kafka_metadata_t *metadata)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        struct kafka_topic *topic = kafka_topics_find(lanes, metadata->topics[i].topic);
        if (topic != NULL && metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            kafka_topics_apply(lanes, topic, &metadata->topics[i]);
    }
}

void
kafka_topics_done(struct kafka_lanes *lanes)
{
    for (size_t i = 0; i < lanes->topic_count; i++) {
        struct kafka_topic *topic = lanes->topics[i];
        rd_kafka_topic_destroy(topic->rkt);
        free(topic->name);
        kafka_generation_done(&topic->log);
        free(topic->lanes);
        free(topic);
    }
    free(lanes->topics);
    free(lanes->by_name);
    lanes->topics = NULL;
    lanes->by_name = NULL;
    lanes->topic_count = 0;
}
