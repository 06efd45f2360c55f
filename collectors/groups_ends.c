#include "collectors/groups_ends.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/groups_sample.h"

/* Partitions in one question: the library looks through the list once per answer. */
#define LANES_PER_REQUEST 2000

/* What waits for less than this says nothing: clients commit every 5 s unless told otherwise. */
#define WAITS_LONG_NS (INT64_C(5) * NS_PER_S)

/* A broker that is gone may not use up the time of the others. */
#define REQUEST_MS 900

/* A partition that some group reads; groups point to it by being equal. */
struct place {
    const char *topic;
    int32_t partition;
    int32_t leader; /* -1: there is none */
    int64_t log_start;
    int64_t end; /* of committed events, where the client reads those */
};

static int
compare_places(const void *a, const void *b)
{
    const struct place *one = a;
    const struct place *other = b;
    int order = strcmp(one->topic, other->topic);
    return order != 0 ? order
                      : (one->partition > other->partition) - (one->partition < other->partition);
}

static int
compare_leaders(const void *a, const void *b)
{
    const struct place *one = *(struct place *const *)a;
    const struct place *other = *(struct place *const *)b;
    if (one->leader != other->leader)
        return one->leader < other->leader ? -1 : 1;
    return (one > other) - (one < other);
}

static int
compare_topics(const void *a, const void *b)
{
    const struct rd_kafka_metadata_topic *one = *(const struct rd_kafka_metadata_topic *const *)a;
    const struct rd_kafka_metadata_topic *other = *(const struct rd_kafka_metadata_topic *const *)b;
    return strcmp(one->topic, other->topic);
}

static bool
is_any(const struct groups_sample *sample, const struct group_lane *lane)
{
    (void)sample;
    (void)lane;
    return true;
}

static bool
waits_long(const struct groups_sample *sample, const struct group_lane *lane)
{
    return lane->committed >= 0 && lane->committed < lane->end && lane->oldest_ns != CLOCK_NONE &&
           sample->sampled_ns - lane->oldest_ns > WAITS_LONG_NS;
}

/* Every partition of the sample that is wanted, once; the caller frees. */
static struct place *
collect(const struct groups_sample *sample,
    bool (*wants)(const struct groups_sample *sample, const struct group_lane *lane), size_t *count)
{
    size_t total = 0;
    for (size_t g = 0; g < sample->group_count; g++)
        total += sample->groups[g].lane_count;
    struct place *places = alloc_array(total + 1, sizeof(*places));
    size_t at = 0;
    for (size_t g = 0; g < sample->group_count; g++)
        for (size_t i = 0; i < sample->groups[g].lane_count; i++)
            if (wants(sample, &sample->groups[g].lanes[i]))
                places[at++] = (struct place){.topic = sample->groups[g].lanes[i].topic,
                    .partition = sample->groups[g].lanes[i].partition,
                    .leader = -1,
                    .log_start = -1,
                    .end = -1};
    qsort(places, at, sizeof(*places), compare_places);

    *count = 0;
    for (size_t i = 0; i < at; i++)
        if (i == 0 || compare_places(&places[*count - 1], &places[i]) != 0)
            places[(*count)++] = places[i];
    return places;
}

static int32_t
leader_in(const struct rd_kafka_metadata_topic *topic, int32_t partition)
{
    /* Brokers list them in order, as a rule. */
    if (partition >= 0 && partition < topic->partition_cnt &&
        topic->partitions[partition].id == partition)
        return topic->partitions[partition].leader;
    for (int i = 0; i < topic->partition_cnt; i++)
        if (topic->partitions[i].id == partition)
            return topic->partitions[i].leader;
    return -1;
}

static void
find_leaders(const rd_kafka_metadata_t *metadata, struct place *places, size_t count,
    struct groups_sample *sample)
{
    size_t topic_count = metadata->topic_cnt < 0 ? 0 : (size_t)metadata->topic_cnt;
    const struct rd_kafka_metadata_topic **topics =
        alloc_array(topic_count + 1, sizeof(struct rd_kafka_metadata_topic *));
    for (size_t i = 0; i < topic_count; i++)
        topics[i] = &metadata->topics[i];
    qsort(topics, topic_count, sizeof(struct rd_kafka_metadata_topic *), compare_topics);

    for (size_t i = 0; i < count; i++) {
        char *name = alloc_text(places[i].topic);
        struct rd_kafka_metadata_topic wanted = {.topic = name};
        const struct rd_kafka_metadata_topic *key = &wanted;
        const struct rd_kafka_metadata_topic **found = bsearch(
            &key, topics, topic_count, sizeof(struct rd_kafka_metadata_topic *), compare_topics);
        free(name);
        if (found == NULL) {
            groups_sample_problem(sample,
                "topic %s: groups have commits on it, and it is not there any more",
                places[i].topic);
            continue;
        }
        places[i].leader = leader_in(*found, places[i].partition);
        if (places[i].leader < 0)
            groups_sample_problem(sample, "topic %s: partition %d has no leader", places[i].topic,
                (int)places[i].partition);
    }
    free(topics);
}

/* Ask one broker about some of its partitions. */
static rd_kafka_resp_err_t
ask(rd_kafka_t *client, struct place *const *places, size_t count, int64_t which, int timeout_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, places[i]->topic, places[i]->partition)->offset =
            which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client, list, timeout_ms);
    int answers = code == RD_KAFKA_RESP_ERR_NO_ERROR ? list->cnt : 0;
    for (int i = 0; i < answers; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        struct place *place = places[i];
        if (place->partition != entry->partition || strcmp(place->topic, entry->topic) != 0)
            continue; /* the library keeps the order; if it ever does not, unknown is right */
        if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            code = entry->err;
        else if (entry->offset >= 0)
            *(which == RD_KAFKA_OFFSET_END ? &place->end : &place->log_start) = entry->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* Both questions about partitions of one leader. A leader that did not say where they end is not
 * asked where they begin: each question that it does not answer costs the whole time. */
static rd_kafka_resp_err_t
ask_leader(rd_kafka_t *client, struct place *const *places, size_t count, bool only_ends,
    int64_t deadline_ns)
{
    for (size_t at = 0; at < count; at += LANES_PER_REQUEST) {
        size_t some = count - at < LANES_PER_REQUEST ? count - at : LANES_PER_REQUEST;
        static const int64_t questions[] = {RD_KAFKA_OFFSET_END, RD_KAFKA_OFFSET_BEGINNING};
        for (size_t q = 0; q < (only_ends ? 1U : 2U); q++) {
            int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
            if (left_ms <= 0)
                return RD_KAFKA_RESP_ERR__TIMED_OUT;
            rd_kafka_resp_err_t code = ask(client, places + at, some, questions[q],
                left_ms < REQUEST_MS ? (int)left_ms : REQUEST_MS);
            if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
                return code;
        }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool
ask_all(rd_kafka_t *client, struct place *places, size_t count, bool only_ends,
    struct groups_sample *sample, int64_t deadline_ns)
{
    struct place **order = alloc_array(count + 1, sizeof(struct place *));
    for (size_t i = 0; i < count; i++)
        order[i] = &places[i];
    qsort(order, count, sizeof(struct place *), compare_leaders);

    bool is_well = true;
    for (size_t at = 0; at < count;) {
        size_t behind = at + 1;
        while (behind < count && order[behind]->leader == order[at]->leader)
            behind++;
        if (order[at]->leader < 0) {
            is_well = false;
        } else {
            rd_kafka_resp_err_t code =
                ask_leader(client, order + at, behind - at, only_ends, deadline_ns);
            if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
                if (!only_ends)
                    groups_sample_problem(sample, "broker %d: ends of %zu partitions: %s",
                        (int)order[at]->leader, behind - at, rd_kafka_err2str(code));
                is_well = false;
            }
        }
        at = behind;
    }
    free(order);
    return is_well;
}

/* What is known of a lane's partition, or NULL. */
static const struct place *
find_place(const struct place *places, size_t count, const struct group_lane *lane)
{
    struct place key = {.topic = lane->topic, .partition = lane->partition};
    return count == 0 ? NULL : bsearch(&key, places, count, sizeof(*places), compare_places);
}

bool
groups_ends_ask(rd_kafka_t *client, const rd_kafka_metadata_t *metadata,
    struct groups_sample *sample, int64_t deadline_ns)
{
    size_t count;
    struct place *places = collect(sample, is_any, &count);
    find_leaders(metadata, places, count, sample);
    bool is_well = ask_all(client, places, count, false, sample, deadline_ns);

    for (size_t g = 0; g < sample->group_count; g++) {
        struct group_state *group = &sample->groups[g];
        for (size_t i = 0; i < group->lane_count; i++) {
            const struct place *place = find_place(places, count, &group->lanes[i]);
            if (place == NULL)
                continue; /* collect() took every lane */
            group->lanes[i].log_start = place->log_start;
            group->lanes[i].end = place->end;
        }
    }
    free(places);
    return is_well;
}

bool
groups_ends_want_stable(const struct groups_sample *sample)
{
    for (size_t g = 0; g < sample->group_count; g++)
        for (size_t i = 0; i < sample->groups[g].lane_count; i++)
            if (waits_long(sample, &sample->groups[g].lanes[i]))
                return true;
    return false;
}

void
groups_ends_ask_stable(rd_kafka_t *client, const rd_kafka_metadata_t *metadata,
    struct groups_sample *sample, int64_t deadline_ns)
{
    size_t count;
    struct place *places = collect(sample, waits_long, &count);
    find_leaders(metadata, places, count, sample);
    (void)ask_all(client, places, count, true, sample, deadline_ns);
    for (size_t g = 0; g < sample->group_count; g++) {
        for (size_t i = 0; i < sample->groups[g].lane_count; i++) {
            struct group_lane *lane = &sample->groups[g].lanes[i];
            const struct place *place = find_place(places, count, lane);
            if (place != NULL)
                lane->stable = place->end;
        }
    }
    free(places);
}
