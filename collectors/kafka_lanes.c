#include "collectors/kafka_lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/answer_patience.h"
#include "collectors/kafka_feed.h"
#include "collectors/kafka_proof.h"
#include "collectors/kafka_start.h"
#include "collectors/kafka_topics.h"
#include "collectors/outlet.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"

#define OFFSETS_MS   2000
#define TOPICS_SHOWN 10

/* ---- opening ---- */

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a, b, c" of what is there, without Kafka's own topics. */
static void
list_topics(struct buffer *text, const rd_kafka_metadata_t *metadata)
{
    const char **names = alloc_array((size_t)metadata->topic_cnt + 1, sizeof(*names));
    size_t count = 0;
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strncmp(metadata->topics[i].topic, "__", 2) != 0)
            names[count++] = metadata->topics[i].topic;
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count && i < TOPICS_SHOWN; i++)
        buffer_printf(text, "%s%s", i == 0 ? "" : ", ", names[i]);
    if (count > TOPICS_SHOWN)
        buffer_printf(text, " and %zu more", count - TOPICS_SHOWN);
    free(names);
}

static bool
fail_missing(struct kafka_lanes *lanes, const struct kafka_topic *topic, struct error *err)
{
    const char *address = lanes->client->address;
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(lanes->client, NULL, true, OFFSETS_MS, err);
    if (metadata == NULL)
        return error_set(
            err, ERROR_REMOTE, "topic '%s' does not exist on %s", topic->name, address);
    struct buffer there = {0};
    list_topics(&there, metadata);
    rd_kafka_metadata_destroy(metadata);
    if (there.length == 0)
        error_set(err, ERROR_REMOTE, "topic '%s' does not exist on %s; there is none yet",
            topic->name, address);
    else
        error_set(err, ERROR_REMOTE, "topic '%s' does not exist on %s; topics there: %s",
            topic->name, address, buffer_text(&there));
    buffer_done(&there);
    return false;
}

/* What the broker says about a topic. *is_final: no use in asking again. */
static bool
judge_topic(struct kafka_lanes *lanes, const struct kafka_topic *topic,
    const rd_kafka_metadata_topic_t *answer, bool *is_final, struct error *err)
{
    *is_final = false;
    switch ((int)answer->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (answer->partition_cnt > 0)
            return true;
        return error_set(err, ERROR_REMOTE, "topic '%s' on %s has no partitions yet", topic->name,
            lanes->client->address);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        *is_final = true;
        return fail_missing(lanes, topic, err);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        *is_final = true;
        return error_set(err, ERROR_REFUSED,
            "kafka at %s does not let us read topic '%s'; " KAFKA_READ_FIX, lanes->client->address,
            topic->name);
    default:
        return error_set(err, ERROR_REMOTE, "topic '%s' on %s: %s", topic->name,
            lanes->client->address, rd_kafka_err2str(answer->err));
    }
}

static bool
open_topic(struct kafka_lanes *lanes, struct kafka_topic *topic, int64_t deadline_ns,
    bool *is_final, struct error *err)
{
    const rd_kafka_metadata_t *metadata =
        kafka_client_first(lanes->client, lanes->outlet, topic->rkt, deadline_ns, err);
    *is_final = metadata == NULL && err->code == ERROR_REFUSED;
    if (metadata == NULL)
        return false;
    bool good =
        metadata->topic_cnt == 1 && judge_topic(lanes, topic, &metadata->topics[0], is_final, err);
    if (good)
        kafka_topics_apply(lanes, topic, &metadata->topics[0]);
    rd_kafka_metadata_destroy(metadata);
    return good;
}

/* What the patterns fit now. On a tape that knows some of these topics, one that it does not know is
 * younger than the tape: it is wanted whole. */
static bool
open_patterns(struct kafka_lanes *lanes, int64_t deadline_ns, bool *is_final, struct error *err)
{
    if (lanes->patterns.count == 0)
        return true;
    const rd_kafka_metadata_t *metadata =
        kafka_client_first(lanes->client, lanes->outlet, NULL, deadline_ns, err);
    *is_final = metadata == NULL && err->code == ERROR_REFUSED;
    if (metadata == NULL)
        return false;
    size_t first = kafka_topics_match(lanes, metadata);
    bool is_known = false;
    for (size_t i = first; i < lanes->topic_count; i++)
        is_known = is_known || outlet_stream_is_known(lanes->outlet, lanes->topics[i]->log.stream);
    bool resumes = lanes->config->from == FROM_RESUME || lanes->config->from == FROM_OFFSETS;
    for (size_t i = first; i < lanes->topic_count; i++)
        lanes->topics[i]->is_whole =
            is_known && resumes &&
            !outlet_stream_is_known(lanes->outlet, lanes->topics[i]->log.stream);
    kafka_topics_apply_all(lanes, metadata);
    rd_kafka_metadata_destroy(metadata);
    if (lanes->topic_count == 0)
        error_set(&lanes->notice, ERROR_REMOTE, "no topic on %s fits '%s' yet",
            lanes->client->address, lanes->config->url->path);
    return true;
}

/* The partitions that `from` names must be there. A topic may come later, when an expression fits it. */
static bool
check_partitions(struct kafka_lanes *lanes, struct error *err)
{
    const struct start_offsets *offsets = &lanes->config->offsets;
    for (size_t i = 0; i < offsets->count; i++) {
        const struct start_offset *item = &offsets->items[i];
        const struct kafka_topic *topic =
            item->topic == NULL ? lanes->topics[0] : kafka_topics_find(lanes, item->topic);
        if (topic != NULL && item->partition >= topic->lane_count)
            return error_set(err, ERROR_ARGUMENT,
                "from names partition %d of topic '%s', which has partitions 0 to %d",
                item->partition, topic->name, topic->lane_count - 1);
    }
    return true;
}

bool
kafka_lanes_open(struct kafka_lanes *lanes, bool *is_final, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + KAFKA_CONNECT_NS;
    if (!kafka_patterns_make(&lanes->patterns, lanes->config->url->path, err)) {
        *is_final = true;
        return false;
    }
    kafka_topics_make(lanes);
    for (size_t i = 0; i < lanes->topic_count; i++)
        if (!open_topic(lanes, lanes->topics[i], deadline_ns, is_final, err))
            return false;
    if (!open_patterns(lanes, deadline_ns, is_final, err))
        return false;
    *is_final = true;
    return check_partitions(lanes, err);
}

void
kafka_lanes_close(struct kafka_lanes *lanes)
{
    for (size_t i = 0; i < lanes->topic_count; i++) {
        struct kafka_topic *topic = lanes->topics[i];
        for (int32_t p = 0; p < topic->lane_count; p++)
            if (topic->lanes[p].state == KAFKA_LANE_READING ||
                topic->lanes[p].state == KAFKA_LANE_REACHED)
                (void)rd_kafka_consume_stop(topic->rkt, p);
    }
    kafka_prover_close(&lanes->prover);
    kafka_topics_done(lanes);
    kafka_patterns_done(&lanes->patterns);
}

/* ---- while it runs ---- */

static bool
fail_topic(struct kafka_lanes *lanes, const struct kafka_topic *topic, rd_kafka_resp_err_t code,
    struct error *err)
{
    return error_set(err, ERROR_REMOTE, "topic '%s' on %s: %s", topic->name, lanes->client->address,
        rd_kafka_err2str(code));
}

static bool
is_refused(const struct kafka_topic *topic)
{
    for (int32_t p = 0; p < topic->lane_count; p++)
        if (topic->lanes[p].is_refused)
            return true;
    return false;
}

/* Put lanes that wait aside, or back. */
static void
move_lanes(struct kafka_lanes *lanes, struct kafka_topic *topic, enum kafka_lane_state from,
    enum kafka_lane_state to)
{
    for (int32_t p = 0; p < topic->lane_count; p++) {
        if (topic->lanes[p].state != from)
            continue;
        topic->lanes[p].state = to;
        lanes->waiting += to == KAFKA_LANE_WAITING;
        lanes->waiting -= from == KAFKA_LANE_WAITING;
    }
}

static void
tell_gone(struct kafka_lanes *lanes, const struct kafka_topic *topic)
{
    char others[64] = "";
    size_t count = 0;
    for (size_t i = 0; i < lanes->topic_count; i++)
        count += lanes->topics[i]->absence.is_gone;
    if (count > 1)
        (void)snprintf(others, sizeof(others), "; with it %zu topics are", count);
    error_set(&lanes->notice, ERROR_REMOTE, "topic '%.150s' is gone: deleted, or hidden from us%s",
        topic->name, others);
    outlet_tell(lanes->outlet, "topic", lanes->notice.text);
}

/* A topic of an expression is not there. One that is hidden because we may not read it is none that is gone. */
static void
miss_topic(struct kafka_lanes *lanes, struct kafka_topic *topic)
{
    if (is_refused(topic))
        return;
    if (!kafka_absence_miss(&topic->absence, clock_monotonic_ns())) {
        lanes->is_expecting = lanes->is_expecting || !topic->absence.is_gone;
        return;
    }
    kafka_lanes_doubt(lanes, topic);
    move_lanes(lanes, topic, KAFKA_LANE_WAITING, KAFKA_LANE_GONE);
    tell_gone(lanes, topic);
}

static void
see_topic(struct kafka_lanes *lanes, struct kafka_topic *topic)
{
    if (!kafka_absence_see(&topic->absence))
        return;
    move_lanes(lanes, topic, KAFKA_LANE_GONE, KAFKA_LANE_WAITING);
    error_set(&lanes->notice, ERROR_REMOTE, "topic '%.150s' is there again", topic->name);
    outlet_tell(lanes->outlet, "topic", lanes->notice.text);
}

/* A topic that is gone may come back as another one: then nothing of it may be read before that is known. */
static bool
lose_topic(struct kafka_lanes *lanes, struct kafka_topic *topic, struct error *err)
{
    if (topic->is_matched) {
        miss_topic(lanes, topic);
        return true;
    }
    kafka_lanes_doubt(lanes, topic);
    for (int32_t p = 0; p < topic->lane_count; p++)
        topic->lanes[p].leader = -1;
    return fail_topic(lanes, topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, err);
}

/* Partitions are never taken away from a topic: it is another one. */
static void
drop_partitions(struct kafka_lanes *lanes, struct kafka_topic *topic, int32_t left)
{
    kafka_start_anew(lanes, topic, "it has fewer partitions");
    lanes->waiting -= (size_t)(topic->lane_count - left);
    lanes->lane_count -= (size_t)(topic->lane_count - left);
    topic->lane_count = left;
}

static bool
look_at_answer(
    struct kafka_lanes *lanes, const rd_kafka_metadata_topic_t *answer, struct error *err)
{
    struct kafka_topic *topic = kafka_topics_find(lanes, answer->topic);
    if (topic == NULL)
        return true;
    topic->is_there = !kafka_absence_is(answer->err);
    if (!topic->is_there)
        return true; /* like one that is not in the answer */
    see_topic(lanes, topic);
    if (answer->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail_topic(lanes, topic, answer->err, err);
    if (answer->partition_cnt > 0 && answer->partition_cnt < topic->lane_count)
        drop_partitions(lanes, topic, answer->partition_cnt);
    kafka_topics_apply(lanes, topic, answer);
    return true;
}

bool
kafka_lanes_look(struct kafka_lanes *lanes, struct error *err)
{
    bool all = lanes->patterns.count > 0;
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(lanes->client, NULL, all, answer_patience_ms(lanes->lane_count), err);
    lanes->is_answered = metadata != NULL;
    lanes->is_expecting = false;
    if (metadata == NULL)
        return false;
    for (size_t i = 0; i < lanes->topic_count; i++)
        lanes->topics[i]->is_there = !all;
    for (size_t i = kafka_topics_match(lanes, metadata); i < lanes->topic_count; i++)
        lanes->topics[i]->is_whole = true;
    bool good = true;
    for (int i = 0; i < metadata->topic_cnt; i++)
        good = look_at_answer(lanes, &metadata->topics[i], err) && good;
    rd_kafka_metadata_destroy(metadata);
    for (size_t i = 0; i < lanes->topic_count; i++)
        if (!lanes->topics[i]->is_there)
            good = lose_topic(lanes, lanes->topics[i], err) && good;
    return good;
}

const char *
kafka_lanes_refused(const struct kafka_lanes *lanes)
{
    for (size_t i = 0; i < lanes->topic_count; i++)
        if (is_refused(lanes->topics[i]))
            return lanes->topics[i]->name;
    return NULL;
}

void
kafka_lane_advance(struct kafka_lanes *lanes, struct kafka_lane *lane, int64_t position)
{
    if (position > lane->position)
        lane->position = position;
    if (lane->end < 0 || lane->position < lane->end || lane->state != KAFKA_LANE_READING)
        return;
    outlet_reach(lanes->outlet, lane->lane, lane->end);
    lane->state = KAFKA_LANE_REACHED;
    lanes->reading--;
    lanes->reached++;
}

void
kafka_lanes_reset(struct kafka_lanes *lanes, struct kafka_topic *topic, struct kafka_lane *lane)
{
    if (lane->state != KAFKA_LANE_READING)
        return;
    (void)rd_kafka_consume_stop(topic->rkt, lane->lane->partition);
    kafka_proof_end(&lanes->prover, &lane->proof);
    lane->state = KAFKA_LANE_WAITING;
    lanes->reading--;
    lanes->waiting++;
}

void
kafka_lanes_doubt(struct kafka_lanes *lanes, struct kafka_topic *topic)
{
    for (int32_t p = 0; p < topic->lane_count; p++) {
        kafka_lanes_reset(lanes, topic, &topic->lanes[p]);
        kafka_proof_doubt(&lanes->prover, &topic->lanes[p].proof);
    }
}

void
kafka_lanes_stop_reached(struct kafka_lanes *lanes)
{
    for (size_t i = 0; i < lanes->topic_count && lanes->reached > 0; i++) {
        struct kafka_topic *topic = lanes->topics[i];
        for (int32_t p = 0; p < topic->lane_count; p++) {
            if (topic->lanes[p].state != KAFKA_LANE_REACHED)
                continue;
            (void)rd_kafka_consume_stop(topic->rkt, p);
            topic->lanes[p].state = KAFKA_LANE_DONE;
            lanes->reached--;
        }
    }
}
