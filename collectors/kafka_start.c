#include "collectors/kafka_start.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/kafka_lanes.h"
#include "collectors/kafka_offsets.h"
#include "collectors/kafka_proof.h"
#include "collectors/outlet.h"
#include "collectors/source.h"

#define OFFSETS_MS      2000
#define BEHIND_PATIENCE 3

/* What the broker says about the lanes that wait; the three lists are parallel. */
struct bounds {
    rd_kafka_topic_partition_list_t *begin;
    rd_kafka_topic_partition_list_t *end;
    rd_kafka_topic_partition_list_t *at_time; /* NULL: nobody asked for a time */
};

/* Lanes in `state` of partitions that have a leader. Those of a topic that is missing wait. */
static rd_kafka_topic_partition_list_t *
list_lanes(const struct kafka_lanes *lanes, enum kafka_lane_state state)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (size_t i = 0; i < lanes->topic_count; i++) {
        struct kafka_topic *topic = lanes->topics[i];
        for (int32_t p = 0; p < topic->lane_count; p++)
            if (topic->lanes[p].state == state && topic->lanes[p].leader >= 0 &&
                (state != KAFKA_LANE_WAITING || topic->absence.missed == 0))
                rd_kafka_topic_partition_list_add(list, topic->name, p)->opaque = topic;
    }
    return list;
}

static int32_t
leader_of(const rd_kafka_topic_partition_t *entry)
{
    const struct kafka_topic *topic = entry->opaque;
    return topic->lanes[entry->partition].leader;
}

/* Ask `when` of the lanes that were answered what `before` asked; NULL: of all. */
static bool
ask_one(struct kafka_lanes *lanes, rd_kafka_topic_partition_list_t *list,
    const rd_kafka_topic_partition_list_t *before, int64_t when, struct error *err)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = before != NULL && before->elems[i].offset == RD_KAFKA_OFFSET_INVALID
                                    ? RD_KAFKA_OFFSET_INVALID
                                    : when;
    return kafka_offsets_ask(lanes->client, list, leader_of, OFFSETS_MS, err);
}

/* Ask for begins and ends. False with the reason when some lanes were not answered: then something of theirs
 * is RD_KAFKA_OFFSET_INVALID, and the others can start. */
static bool
ask_bounds(struct kafka_lanes *lanes, struct bounds *bounds, struct error *err)
{
    bounds->end = rd_kafka_topic_partition_list_copy(bounds->begin);
    bool good = ask_one(lanes, bounds->begin, NULL, RD_KAFKA_OFFSET_BEGINNING, err);
    good = ask_one(lanes, bounds->end, bounds->begin, RD_KAFKA_OFFSET_END, err) && good;
    if (lanes->config->from != FROM_TIME)
        return good;
    int64_t ms = lanes->config->from_ns / NS_PER_MS;
    if (ms * NS_PER_MS < lanes->config->from_ns)
        ms++; /* Kafka counts milliseconds: nothing before the moment */
    bounds->at_time = rd_kafka_topic_partition_list_copy(bounds->begin);
    return ask_one(lanes, bounds->at_time, bounds->end, ms < 0 ? 0 : ms, err) && good;
}

static bool
is_answered(const struct bounds *bounds, int i)
{
    return bounds->end->elems[i].offset != RD_KAFKA_OFFSET_INVALID &&
           (bounds->at_time == NULL || bounds->at_time->elems[i].offset != RD_KAFKA_OFFSET_INVALID);
}

/* Why the lane is not answered. */
static rd_kafka_resp_err_t
reason(const struct bounds *bounds, int i)
{
    if (bounds->begin->elems[i].offset == RD_KAFKA_OFFSET_INVALID)
        return bounds->begin->elems[i].err;
    if (bounds->end->elems[i].offset == RD_KAFKA_OFFSET_INVALID)
        return bounds->end->elems[i].err;
    return bounds->at_time->elems[i].err;
}

/* The offset that `from` names for a lane, or -1. */
static int64_t
named_start(
    const struct kafka_lanes *lanes, const struct kafka_topic *topic, const struct kafka_lane *lane)
{
    return topic->is_anew
               ? -1
               : start_offsets_find(&lanes->config->offsets, topic->name, lane->lane->partition);
}

/* Where the user wants a lane to begin. */
static int64_t
wanted_start(const struct kafka_lanes *lanes, const struct kafka_topic *topic,
    const struct kafka_lane *lane, const struct bounds *bounds, int i)
{
    int64_t begin = bounds->begin->elems[i].offset;
    int64_t end = bounds->end->elems[i].offset;
    int64_t named = named_start(lanes, topic, lane);
    if (named >= 0)
        return named > begin ? named : begin;
    if (lane->is_whole)
        return begin;
    switch (lanes->config->from) {
    case FROM_RESUME:
    case FROM_OFFSETS:
        /* A lane without an event on a tape that has others of its stream is younger than the
         * tape, or was empty: where it was not, the hole before its first start is on the tape. */
        return outlet_stream_is_known(lanes->outlet, topic->log.stream) ? begin : end;
    case FROM_BEGINNING:
        return begin;
    case FROM_END:
        return end;
    case FROM_TIME:
        break;
    }
    int64_t at_time = bounds->at_time->elems[i].offset;
    return at_time < 0 || at_time > end ? end : at_time;
}

void
kafka_start_anew(struct kafka_lanes *lanes, struct kafka_topic *topic, const char *why)
{
    kafka_generation_advance(&topic->log, topic->name);
    topic->is_anew = true;
    for (int32_t p = 0; p < topic->lane_count; p++) {
        struct kafka_lane *lane = &topic->lanes[p];
        kafka_proof_end(&lanes->prover, &lane->proof);
        if (lane->lane->next >= 0)
            outlet_hole(lanes->outlet, lane->lane, lane->lane->next, -1, HOLE_RECREATED);
        if (lane->state == KAFKA_LANE_READING || lane->state == KAFKA_LANE_REACHED) {
            (void)rd_kafka_consume_stop(topic->rkt, p);
            lanes->reading -= lane->state == KAFKA_LANE_READING;
            lanes->reached -= lane->state == KAFKA_LANE_REACHED;
        }
        if (lane->state != KAFKA_LANE_WAITING)
            lanes->waiting++;
        *lane = (struct kafka_lane){
            .lane = outlet_lane(lanes->outlet, topic->log.stream, p),
            .end = -1,
            .is_whole = true,
            .leader = lane->leader,
        };
    }
    error_set(&lanes->notice, ERROR_REMOTE,
        "topic '%s' was made anew or cut: %s; going on as stream '%s'", topic->name, why,
        topic->log.stream);
}

/* True when the log ends before the place where we are, or where `from` wants to be. */
static bool
ends_too_early(const struct kafka_lanes *lanes, const struct kafka_topic *topic,
    struct kafka_lane *lane, int64_t end, struct error *err)
{
    int64_t next = lane->lane->next;
    int64_t named = lane->was_placed ? -1 : named_start(lanes, topic, lane);
    lane->behind = next > end ? lane->behind + 1 : 0;
    if (next > end)
        error_set(err, ERROR_REMOTE, "%s[%d] ends at %lld, before offset %lld where we are",
            topic->name, lane->lane->partition, (long long)end, (long long)next);
    else if (named > end)
        error_set(err, ERROR_REMOTE,
            "%s[%d] ends at %lld, before offset %lld that from names; waiting for it", topic->name,
            lane->lane->partition, (long long)end, (long long)named);
    return next > end || named > end;
}

/* A lane that the tape does not know: where it begins on the tape. What was asked for by its offset and is
 * deleted already, is missing. */
static void
begin_lane(struct kafka_lanes *lanes, const struct kafka_topic *topic, struct kafka_lane *lane,
    int64_t begin)
{
    int64_t named = named_start(lanes, topic, lane);
    bool is_deleted = named >= 0 && named < begin;
    outlet_begin_at(lanes->outlet, lane->lane, is_deleted ? named : begin);
    if (is_deleted)
        outlet_skip_to(lanes->outlet, lane->lane, begin, HOLE_RETENTION);
}

/* Where the tape ends is where a lane goes on, unless a later place was asked for by name. */
static bool
is_asked_for(
    const struct kafka_lanes *lanes, const struct kafka_topic *topic, const struct kafka_lane *lane)
{
    if (lanes->config->from == FROM_OFFSETS)
        return named_start(lanes, topic, lane) >= 0;
    return lanes->config->from != FROM_RESUME;
}

/* Put the lane where it goes on. False with the reason when it must wait. */
static bool
place(struct kafka_lanes *lanes, struct kafka_topic *topic, struct kafka_lane *lane,
    const struct bounds *bounds, int i, struct error *err)
{
    int64_t begin = bounds->begin->elems[i].offset;
    int64_t end = bounds->end->elems[i].offset;
    struct tap_lane *tape = lane->lane;
    if (ends_too_early(lanes, topic, lane, end, err))
        return false;

    if (tape->next >= 0 && tape->next < begin)
        outlet_skip_to(lanes->outlet, tape, begin, HOLE_RETENTION);
    if (!lane->was_placed) {
        int64_t start = wanted_start(lanes, topic, lane, bounds, i);
        bool is_known = tape->next >= 0;
        if (!is_known)
            begin_lane(lanes, topic, lane, begin);
        if (!is_known || is_asked_for(lanes, topic, lane))
            outlet_skip_to(lanes->outlet, tape, start, HOLE_NOT_RECORDED);
        if (lanes->config->until == UNTIL_END)
            lane->end = lane->is_late ? tape->next : end;
        lane->was_placed = true;
    }
    if (lanes->ends_known && lane->end < 0)
        lane->end = end;
    return true;
}

/* Begin to fetch; a lane with nothing to fetch is done at once. */
static bool
start_lane(struct kafka_lanes *lanes, struct kafka_topic *topic, int32_t partition, int64_t begin,
    struct error *err)
{
    struct kafka_lane *lane = &topic->lanes[partition];
    topic->absence.unknown = 0;
    lane->position = lane->lane->next;
    int64_t from = kafka_proof_begin(&lanes->prover, &lane->proof, lane->lane, begin);
    if (lane->end >= 0 && from >= lane->end) {
        lane->state = KAFKA_LANE_DONE;
        lanes->waiting--;
        return true;
    }
    if (rd_kafka_consume_start_queue(topic->rkt, partition, from, lanes->queue) != 0)
        return error_set(err, ERROR_REMOTE, "cannot read %s[%d]: %s", topic->name, partition,
            rd_kafka_err2str(rd_kafka_last_error()));
    lane->state = KAFKA_LANE_READING;
    lanes->waiting--;
    lanes->reading++;
    return true;
}

static bool
start_listed(struct kafka_lanes *lanes, const struct bounds *bounds, struct error *err)
{
    bool all = true;
    for (int i = 0; i < bounds->begin->cnt; i++) {
        const rd_kafka_topic_partition_t *asked = &bounds->begin->elems[i];
        struct kafka_topic *topic = asked->opaque;
        struct kafka_lane *lane = &topic->lanes[asked->partition];
        if (lane->state != KAFKA_LANE_WAITING)
            continue;
        if (!is_answered(bounds, i))
            continue; /* ask_bounds() said why */
        if (place(lanes, topic, lane, bounds, i, err)) {
            all = start_lane(lanes, topic, asked->partition, asked->offset, err) && all;
            continue;
        }
        all = false;
        if (lane->behind >= BEHIND_PATIENCE)
            kafka_start_anew(lanes, topic, "it ends before what the tape has");
    }
    return all;
}

/* False: partitions wait for a leader. The first one's name is told, and how many there are besides. */
static bool
all_have_leaders(const struct kafka_lanes *lanes, struct error *err)
{
    const struct kafka_topic *first = NULL;
    int32_t partition = 0;
    size_t count = 0;
    for (size_t i = 0; i < lanes->topic_count; i++) {
        const struct kafka_topic *topic = lanes->topics[i];
        for (int32_t p = 0; p < topic->lane_count && topic->absence.missed == 0; p++) {
            if (topic->lanes[p].state != KAFKA_LANE_WAITING || topic->lanes[p].leader >= 0)
                continue;
            if (count++ == 0) {
                first = topic;
                partition = p;
            }
        }
    }
    const char *address = lanes->client->address;
    if (count == 0)
        return true;
    if (count == 1)
        return error_set(err, ERROR_REMOTE, "%s[%d] on %s has no leader; it is waited for",
            first->name, partition, address);
    return error_set(err, ERROR_REMOTE,
        "%s[%d] and %zu more on %s have no leader; they are waited for", first->name, partition,
        count - 1, address);
}

/* True when whatever has no answer is of topics that may be going away: a look will tell. */
static bool
is_forgiven(struct kafka_lanes *lanes, const struct bounds *bounds)
{
    const struct kafka_topic *last = NULL;
    for (int i = 0; i < bounds->begin->cnt; i++) {
        struct kafka_topic *topic = bounds->begin->elems[i].opaque;
        if (is_answered(bounds, i))
            continue;
        if (!topic->is_matched || !kafka_absence_is(reason(bounds, i)) ||
            (topic != last && !kafka_absence_forgive(&topic->absence)))
            return false;
        last = topic;
    }
    lanes->is_expecting = true;
    return true;
}

bool
kafka_start_lanes(struct kafka_lanes *lanes, struct error *err)
{
    if (lanes->waiting == 0)
        return true;
    struct bounds bounds = {.begin = list_lanes(lanes, KAFKA_LANE_WAITING)};
    bool good =
        bounds.begin->cnt == 0 || ask_bounds(lanes, &bounds, err) || is_forgiven(lanes, &bounds);
    good = start_listed(lanes, &bounds, err) && good;
    good = good && all_have_leaders(lanes, err);
    rd_kafka_topic_partition_list_destroy(bounds.begin);
    if (bounds.end != NULL)
        rd_kafka_topic_partition_list_destroy(bounds.end);
    if (bounds.at_time != NULL)
        rd_kafka_topic_partition_list_destroy(bounds.at_time);
    return good;
}

bool
kafka_start_take_ends(struct kafka_lanes *lanes, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = list_lanes(lanes, KAFKA_LANE_READING);
    lanes->ends_known = ask_one(lanes, list, NULL, RD_KAFKA_OFFSET_END, err);
    for (int i = 0; lanes->ends_known && i < list->cnt; i++) {
        struct kafka_topic *topic = list->elems[i].opaque;
        struct kafka_lane *lane = &topic->lanes[list->elems[i].partition];
        lane->end = list->elems[i].offset;
        kafka_lane_advance(lanes, lane, lane->position);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return lanes->ends_known;
}
