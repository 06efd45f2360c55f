#include "collectors/kafka_mend.h"

#include <string.h>

#include "base/error.h"
#include "collectors/kafka_member.h"
#include "collectors/kafka_offsets.h"
#include "collectors/outlet.h"
#include "collectors/source.h"

#define OFFSETS_MS 2000
#define BEHIND_PATIENCE \
    3 /* an end before our place may be that of a leader that has just changed */

/* Nothing of the lane is recorded or committed before it is mended. */
static void
misplace(struct kafka_member *member, struct member_lane *lane)
{
    kafka_proof_doubt(&member->prover, &lane->proof);
    lane->is_misplaced = member->must_mend = true;
    lane->safe = -1;
    lane->marked = -1;
}

void
kafka_mend_doubt(struct kafka_member *member, const char *name)
{
    for (size_t i = 0; i < member->topic_count; i++) {
        struct member_topic *topic = member->topics[i];
        if (name[0] != '\0' && strcmp(topic->name, name) != 0)
            continue;
        for (int32_t p = 0; p < topic->lane_count; p++)
            if (topic->lanes[p].is_ours)
                misplace(member, &topic->lanes[p]);
    }
}

/* Another log than the one that the tape has. What we have of the topic is read from its beginning as a
 * stream of its own. */
static void
start_anew(struct kafka_member *member, struct member_topic *topic, const char *why)
{
    kafka_generation_advance(&topic->log, topic->name);
    for (int32_t p = 0; p < topic->lane_count; p++) {
        struct member_lane *lane = &topic->lanes[p];
        kafka_proof_end(&member->prover, &lane->proof);
        lane->proof = (struct kafka_proof){0};
        if (!lane->is_ours)
            continue;
        if (lane->lane->next >= 0)
            outlet_hole(member->outlet, lane->lane, lane->lane->next, -1, HOLE_RECREATED);
        *lane = (struct member_lane){
            .topic = topic,
            .lane = outlet_lane(member->outlet, topic->log.stream, p),
            .is_ours = true,
            .end = -1,
            .committed = -1,
        };
        misplace(member, lane);
    }
    outlet_warn(member->outlet, "topic '%s' was made anew or cut: %s; going on as stream '%s'",
        topic->name, why, topic->log.stream);
}

bool
kafka_mend_prove(struct kafka_member *member, struct member_lane *lane, const struct event *event)
{
    if (!kafka_proof_judge(&member->prover, &lane->proof, lane->lane, event)) {
        start_anew(member, lane->topic, "it has other events than the tape");
        return false;
    }
    if (kafka_proof_is_far(&lane->proof, lane->position))
        lane->is_misplaced = member->must_mend = true;
    return true;
}

/* ---- mending ---- */

/* Where the logs of the misplaced lanes begin and end; the lists are parallel. */
struct bounds {
    rd_kafka_topic_partition_list_t *begin;
    rd_kafka_topic_partition_list_t *end;
};

static int32_t
leader_in(const rd_kafka_metadata_topic_t *answer, int32_t partition)
{
    for (int i = 0; answer != NULL && i < answer->partition_cnt; i++)
        if (answer->partitions[i].id == partition)
            return answer->partitions[i].leader;
    return -1;
}

static int32_t
leader_of(const rd_kafka_topic_partition_t *entry)
{
    const struct member_lane *lane = entry->opaque;
    return lane->leader;
}

/* The misplaced lanes that have a leader. False when there are others. */
static bool
list_misplaced(const struct kafka_member *member, const rd_kafka_metadata_t *metadata,
    rd_kafka_topic_partition_list_t *list, struct error *err)
{
    bool all = true;
    for (size_t i = 0; i < member->topic_count; i++) {
        struct member_topic *topic = member->topics[i];
        const rd_kafka_metadata_topic_t *answer = NULL;
        for (int32_t p = 0; p < topic->lane_count; p++) {
            if (!topic->lanes[p].is_ours || !topic->lanes[p].is_misplaced)
                continue;
            if (answer == NULL)
                answer = kafka_client_answer(metadata, topic->name);
            topic->lanes[p].leader = leader_in(answer, p);
            if (topic->lanes[p].leader >= 0)
                rd_kafka_topic_partition_list_add(list, topic->name, p)->opaque = &topic->lanes[p];
            else
                all = error_set(err, ERROR_REMOTE, "%s[%d] on %s is not there, or has no leader",
                    topic->name, p, member->client->address);
        }
    }
    return all;
}

/* False when it must wait. */
static bool
mend_lane(struct kafka_member *member, struct member_lane *lane, int64_t begin, int64_t end,
    struct error *err)
{
    struct tap_lane *tape = lane->lane;
    lane->behind = tape->next > end ? lane->behind + 1 : 0;
    if (lane->behind >= BEHIND_PATIENCE) {
        start_anew(member, lane->topic, "it ends before what the tape has");
        return true;
    }
    if (lane->behind > 0)
        return error_set(err, ERROR_REMOTE, "%s[%d] ends at %lld, before offset %lld where we are",
            lane->topic->name, tape->partition, (long long)end, (long long)tape->next);
    lane->is_misplaced = false;
    if (tape->next < 0)
        outlet_begin_at(member->outlet, tape, begin);
    outlet_skip_to(member->outlet, tape, begin, HOLE_RETENTION);
    lane->position = tape->next;
    if (member->config->until == UNTIL_END || member->ends_known)
        lane->end = end;
    kafka_member_fetch(member, lane, kafka_proof_begin(&member->prover, &lane->proof, tape, begin));
    return true;
}

static bool
mend_listed(struct kafka_member *member, const struct bounds *bounds, struct error *err)
{
    bool good = true;
    for (int i = 0; i < bounds->begin->cnt; i++) {
        int64_t begin = bounds->begin->elems[i].offset;
        int64_t end = bounds->end->elems[i].offset;
        struct member_lane *lane = bounds->begin->elems[i].opaque;
        if (begin >= 0 && end >= 0)
            good = mend_lane(member, lane, begin, end, err) && good;
    }
    return good;
}

static void
set_offsets(rd_kafka_topic_partition_list_t *list, int64_t offset)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = offset;
}

bool
kafka_mend_lanes(
    struct kafka_member *member, const rd_kafka_metadata_t *metadata, struct error *err)
{
    struct bounds bounds = {.begin = rd_kafka_topic_partition_list_new(4)};
    bool good = list_misplaced(member, metadata, bounds.begin, err);
    bounds.end = rd_kafka_topic_partition_list_copy(bounds.begin);
    if (bounds.begin->cnt > 0) {
        set_offsets(bounds.begin, RD_KAFKA_OFFSET_BEGINNING);
        set_offsets(bounds.end, RD_KAFKA_OFFSET_END);
        good = kafka_offsets_ask(member->client, bounds.begin, leader_of, OFFSETS_MS, err) && good;
        good = kafka_offsets_ask(member->client, bounds.end, leader_of, OFFSETS_MS, err) && good;
        good = mend_listed(member, &bounds, err) && good;
    }
    rd_kafka_topic_partition_list_destroy(bounds.begin);
    rd_kafka_topic_partition_list_destroy(bounds.end);
    return good;
}
