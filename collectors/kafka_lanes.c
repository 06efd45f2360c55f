#include "collectors/kafka_lanes.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/outlet.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"

#define CONNECT_NS      (4 * NS_PER_S)
#define OFFSETS_MS      2000
#define LOOK_MS         500
#define BEHIND_PATIENCE 3
#define TOPICS_SHOWN    10

/* ---- topics ---- */

/* The newest log that the tape knows behind this name. */
static void
choose_generation(struct kafka_lanes *lanes, struct kafka_topic *topic)
{
    topic->generation = 1;
    topic->stream = alloc_text(topic->name);
    for (;;) {
        char *next = alloc_format("%s#%d", topic->name, topic->generation + 1);
        if (!outlet_has_stream(lanes->outlet, next)) {
            free(next);
            return;
        }
        free(topic->stream);
        topic->stream = next;
        topic->generation++;
    }
}

static struct kafka_topic *
add_topic(struct kafka_lanes *lanes, const char *name)
{
    struct kafka_topic *topic = alloc_zeroed(sizeof(*topic));
    topic->name = alloc_text(name);
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(lanes->client->rk);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->rkt = rd_kafka_topic_new(lanes->client->rk, topic->name, conf);
    choose_generation(lanes, topic);
    lanes->topics = alloc_grow(
        lanes->topics, lanes->topic_count, &lanes->topic_capacity, sizeof(struct kafka_topic *));
    lanes->topics[lanes->topic_count++] = topic;
    return topic;
}

/* The topics of the URL that are named in full. */
static void
make_topics(struct kafka_lanes *lanes)
{
    const char *list = lanes->config->url->path;
    char *name;
    for (size_t i = 0; (name = tap_url_item(list, i)) != NULL; i++) {
        if (!kafka_pattern_is(name))
            (void)add_topic(lanes, name);
        free(name);
    }
}

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
        return error_set(err, ERROR_REFUSED, "kafka at %s does not let us read topic '%s'",
            lanes->client->address, topic->name);
    default:
        return error_set(err, ERROR_REMOTE, "topic '%s' on %s: %s", topic->name,
            lanes->client->address, rd_kafka_err2str(answer->err));
    }
}

/* Take over partitions and leaders. */
static void
apply_metadata(
    struct kafka_lanes *lanes, struct kafka_topic *topic, const rd_kafka_metadata_topic_t *answer)
{
    if (answer->partition_cnt > topic->lane_count) {
        bool is_late = topic->lane_count > 0;
        bool is_whole = is_late || topic->is_whole;
        topic->lanes =
            alloc_resize(topic->lanes, (size_t)answer->partition_cnt * sizeof(struct kafka_lane));
        for (int32_t p = topic->lane_count; p < answer->partition_cnt; p++)
            topic->lanes[p] = (struct kafka_lane){
                .lane = outlet_lane(lanes->outlet, topic->stream, p),
                .end = -1,
                .is_whole = is_whole,
                .is_late = is_late,
            };
        lanes->waiting += (size_t)(answer->partition_cnt - topic->lane_count);
        topic->lane_count = answer->partition_cnt;
    }
    for (int i = 0; i < answer->partition_cnt; i++) {
        int32_t id = answer->partitions[i].id;
        if (id >= 0 && id < topic->lane_count)
            topic->lanes[id].has_leader = answer->partitions[i].leader >= 0;
    }
}

/* Ask for a topic (NULL: all) until there is an answer, with more patience each time: an answer that comes too late for one
 * question is in time for the next. */
static const rd_kafka_metadata_t *
ask_first(
    struct kafka_lanes *lanes, struct kafka_topic *topic, int64_t deadline_ns, struct error *err)
{
    int timeout_ms = 250;
    while (!outlet_is_stopping(lanes->outlet)) {
        int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            break;
        const rd_kafka_metadata_t *metadata =
            kafka_client_metadata(lanes->client, topic == NULL ? NULL : topic->rkt, topic == NULL,
                left_ms < timeout_ms ? (int)left_ms : timeout_ms, err);
        if (metadata != NULL || err->code == ERROR_REFUSED)
            return metadata;
        timeout_ms = timeout_ms * 2;
    }
    return NULL;
}

static bool
open_topic(struct kafka_lanes *lanes, struct kafka_topic *topic, int64_t deadline_ns,
    bool *is_final, struct error *err)
{
    error_set(err, ERROR_REMOTE, "cannot reach kafka at %s: no answer", lanes->client->address);
    const rd_kafka_metadata_t *metadata = ask_first(lanes, topic, deadline_ns, err);
    *is_final = metadata == NULL && err->code == ERROR_REFUSED;
    if (metadata == NULL)
        return false;
    bool good =
        metadata->topic_cnt == 1 && judge_topic(lanes, topic, &metadata->topics[0], is_final, err);
    if (good)
        apply_metadata(lanes, topic, &metadata->topics[0]);
    rd_kafka_metadata_destroy(metadata);
    return good;
}

static struct kafka_topic *
find_topic(struct kafka_lanes *lanes, const char *name)
{
    for (size_t i = 0; i < lanes->topic_count; i++)
        if (strcmp(lanes->topics[i]->name, name) == 0)
            return lanes->topics[i];
    return NULL;
}

/* Topics that a pattern fits and that we do not have yet. Returns the first new one's place. */
static size_t
match_topics(struct kafka_lanes *lanes, const rd_kafka_metadata_t *metadata)
{
    size_t first = lanes->topic_count;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            kafka_patterns_match(&lanes->patterns, name) && find_topic(lanes, name) == NULL)
            add_topic(lanes, name)->is_matched = true;
    }
    return first;
}

static void
apply_all(struct kafka_lanes *lanes, const rd_kafka_metadata_t *metadata)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        struct kafka_topic *topic = find_topic(lanes, metadata->topics[i].topic);
        if (topic != NULL && metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            apply_metadata(lanes, topic, &metadata->topics[i]);
    }
}

/* What the patterns fit now. On a tape that knows some of these topics, one that it does not know is
 * younger than the tape: it is wanted whole. */
static bool
open_patterns(struct kafka_lanes *lanes, int64_t deadline_ns, bool *is_final, struct error *err)
{
    if (lanes->patterns.count == 0)
        return true;
    error_set(err, ERROR_REMOTE, "cannot reach kafka at %s: no answer", lanes->client->address);
    const rd_kafka_metadata_t *metadata = ask_first(lanes, NULL, deadline_ns, err);
    *is_final = metadata == NULL && err->code == ERROR_REFUSED;
    if (metadata == NULL)
        return false;
    size_t first = match_topics(lanes, metadata);
    bool is_known = false;
    for (size_t i = first; i < lanes->topic_count; i++)
        is_known = is_known || outlet_stream_is_known(lanes->outlet, lanes->topics[i]->stream);
    for (size_t i = first; i < lanes->topic_count; i++)
        lanes->topics[i]->is_whole =
            is_known && lanes->config->from == FROM_RESUME &&
            !outlet_stream_is_known(lanes->outlet, lanes->topics[i]->stream);
    apply_all(lanes, metadata);
    rd_kafka_metadata_destroy(metadata);
    if (lanes->topic_count == 0)
        error_set(&lanes->notice, ERROR_REMOTE, "no topic on %s fits '%s' yet",
            lanes->client->address, lanes->config->url->path);
    return true;
}

bool
kafka_lanes_open(struct kafka_lanes *lanes, bool *is_final, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + CONNECT_NS;
    if (!kafka_patterns_make(&lanes->patterns, lanes->config->url->path, err)) {
        *is_final = true;
        return false;
    }
    make_topics(lanes);
    for (size_t i = 0; i < lanes->topic_count; i++)
        if (!open_topic(lanes, lanes->topics[i], deadline_ns, is_final, err))
            return false;
    return open_patterns(lanes, deadline_ns, is_final, err);
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
        rd_kafka_topic_destroy(topic->rkt);
        free(topic->name);
        free(topic->stream);
        free(topic->lanes);
        free(topic);
    }
    free(lanes->topics);
    lanes->topics = NULL;
    lanes->topic_count = 0;
    kafka_patterns_done(&lanes->patterns);
}

/* ---- where lanes start ---- */

/* What the broker says about the lanes that wait; the three lists are parallel. */
struct bounds {
    rd_kafka_topic_partition_list_t *begin;
    rd_kafka_topic_partition_list_t *end;
    rd_kafka_topic_partition_list_t *at_time; /* NULL: nobody asked for a time */
};

static void
set_offsets(rd_kafka_topic_partition_list_t *list, int64_t offset)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = offset;
}

/* Lanes in `state` of partitions that have a leader: one without would hold up the answer for all. */
static rd_kafka_topic_partition_list_t *
list_lanes(const struct kafka_lanes *lanes, enum kafka_lane_state state)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (size_t i = 0; i < lanes->topic_count; i++) {
        struct kafka_topic *topic = lanes->topics[i];
        for (int32_t p = 0; p < topic->lane_count; p++)
            if (topic->lanes[p].state == state && topic->lanes[p].has_leader)
                rd_kafka_topic_partition_list_add(list, topic->name, p)->opaque = topic;
    }
    return list;
}

static bool
ask_bounds(struct kafka_lanes *lanes, struct bounds *bounds, struct error *err)
{
    bounds->end = rd_kafka_topic_partition_list_copy(bounds->begin);
    set_offsets(bounds->begin, RD_KAFKA_OFFSET_BEGINNING);
    set_offsets(bounds->end, RD_KAFKA_OFFSET_END);
    if (!kafka_client_offsets(lanes->client, bounds->begin, OFFSETS_MS, err) ||
        !kafka_client_offsets(lanes->client, bounds->end, OFFSETS_MS, err))
        return false;
    if (lanes->config->from != FROM_TIME)
        return true;
    int64_t ms = lanes->config->from_ns / NS_PER_MS;
    if (ms * NS_PER_MS < lanes->config->from_ns)
        ms++; /* Kafka counts milliseconds: nothing before the moment */
    bounds->at_time = rd_kafka_topic_partition_list_copy(bounds->begin);
    set_offsets(bounds->at_time, ms < 0 ? 0 : ms);
    return kafka_client_offsets(lanes->client, bounds->at_time, OFFSETS_MS, err);
}

/* Where the user wants a lane to begin. */
static int64_t
wanted_start(const struct kafka_lanes *lanes, const struct kafka_topic *topic,
    const struct kafka_lane *lane, const struct bounds *bounds, int i)
{
    int64_t begin = bounds->begin->elems[i].offset;
    int64_t end = bounds->end->elems[i].offset;
    if (lane->is_whole)
        return begin;
    switch (lanes->config->from) {
    case FROM_RESUME:
        /* A lane without an event on a tape that has others of its stream is younger than the
         * tape, or was empty: where it was not, the hole before its first start is on the tape. */
        return outlet_stream_is_known(lanes->outlet, topic->stream) ? begin : end;
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

/* The tape has offsets that the log does not: it is another log. Everything of the topic is read from
 * its beginning as a stream of its own. */
static void
begin_generation(struct kafka_lanes *lanes, struct kafka_topic *topic)
{
    free(topic->stream);
    topic->generation++;
    topic->stream = alloc_format("%s#%d", topic->name, topic->generation);
    for (int32_t p = 0; p < topic->lane_count; p++) {
        struct kafka_lane *lane = &topic->lanes[p];
        if (lane->lane->next >= 0)
            outlet_hole(lanes->outlet, lane->lane, lane->lane->next, -1, HOLE_UNKNOWN);
        if (lane->state == KAFKA_LANE_READING || lane->state == KAFKA_LANE_REACHED) {
            (void)rd_kafka_consume_stop(topic->rkt, p);
            lanes->reading -= lane->state == KAFKA_LANE_READING;
            lanes->reached -= lane->state == KAFKA_LANE_REACHED;
        }
        if (lane->state != KAFKA_LANE_WAITING)
            lanes->waiting++;
        *lane = (struct kafka_lane){
            .lane = outlet_lane(lanes->outlet, topic->stream, p),
            .end = -1,
            .is_whole = true,
            .has_leader = lane->has_leader,
        };
    }
    error_set(&lanes->notice, ERROR_REMOTE,
        "topic '%s' was made anew or cut: it ends before what the tape has; going on as stream "
        "'%s'",
        topic->name, topic->stream);
}

/* Put the lane where it goes on; false when it must wait. */
static bool
place(struct kafka_lanes *lanes, struct kafka_topic *topic, struct kafka_lane *lane,
    const struct bounds *bounds, int i)
{
    int64_t begin = bounds->begin->elems[i].offset;
    int64_t end = bounds->end->elems[i].offset;
    struct tap_lane *tape = lane->lane;
    if (tape->next > end) {
        lane->behind++;
        return false;
    }
    lane->behind = 0;

    if (tape->next >= 0 && tape->next < begin)
        outlet_skip_to(lanes->outlet, tape, begin, HOLE_RETENTION);
    if (!lane->was_placed) {
        int64_t start = wanted_start(lanes, topic, lane, bounds, i);
        bool is_known = tape->next >= 0;
        if (!is_known)
            outlet_begin_at(lanes->outlet, tape, begin);
        /* Where the tape ends is where it goes on, unless a later moment was asked for by name. */
        if (!is_known || lanes->config->from != FROM_RESUME)
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
start_lane(
    struct kafka_lanes *lanes, struct kafka_topic *topic, int32_t partition, struct error *err)
{
    struct kafka_lane *lane = &topic->lanes[partition];
    lane->position = lane->lane->next;
    if (lane->end >= 0 && lane->position >= lane->end) {
        lane->state = KAFKA_LANE_DONE;
        lanes->waiting--;
        return true;
    }
    if (rd_kafka_consume_start_queue(topic->rkt, partition, lane->position, lanes->queue) != 0)
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
        if (place(lanes, topic, lane, bounds, i)) {
            all = start_lane(lanes, topic, asked->partition, err) && all;
            continue;
        }
        all = error_set(err, ERROR_REMOTE, "%s[%d] ends at %lld, before offset %lld where we are",
            topic->name, asked->partition, (long long)bounds->end->elems[i].offset,
            (long long)lane->lane->next);
        if (lane->behind >= BEHIND_PATIENCE)
            begin_generation(lanes, topic);
    }
    return all;
}

bool
kafka_lanes_start(struct kafka_lanes *lanes, struct error *err)
{
    if (lanes->waiting == 0)
        return true;
    struct bounds bounds = {.begin = list_lanes(lanes, KAFKA_LANE_WAITING)};
    size_t listed = (size_t)bounds.begin->cnt;
    size_t waiting = lanes->waiting;
    bool good =
        listed == 0 || (ask_bounds(lanes, &bounds, err) && start_listed(lanes, &bounds, err));
    if (good && listed < waiting)
        good = error_set(err, ERROR_REMOTE, "%zu of the partitions on %s have no leader",
            waiting - listed, lanes->client->address);
    rd_kafka_topic_partition_list_destroy(bounds.begin);
    if (bounds.end != NULL)
        rd_kafka_topic_partition_list_destroy(bounds.end);
    if (bounds.at_time != NULL)
        rd_kafka_topic_partition_list_destroy(bounds.at_time);
    return good;
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
look_at_answer(
    struct kafka_lanes *lanes, const rd_kafka_metadata_topic_t *answer, struct error *err)
{
    struct kafka_topic *topic = find_topic(lanes, answer->topic);
    if (topic == NULL)
        return true;
    topic->is_there = true;
    if (answer->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        apply_metadata(lanes, topic, answer);
    else
        return fail_topic(lanes, topic, answer->err, err);
    return true;
}

bool
kafka_lanes_look(struct kafka_lanes *lanes, struct error *err)
{
    bool all = lanes->patterns.count > 0;
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(lanes->client, NULL, all, LOOK_MS, err);
    if (metadata == NULL)
        return false;
    for (size_t i = 0; i < lanes->topic_count; i++)
        lanes->topics[i]->is_there = !all || lanes->topics[i]->is_matched;
    for (size_t i = match_topics(lanes, metadata); i < lanes->topic_count; i++)
        lanes->topics[i]->is_whole = true;
    bool good = true;
    for (int i = 0; i < metadata->topic_cnt; i++)
        good = look_at_answer(lanes, &metadata->topics[i], err) && good;
    rd_kafka_metadata_destroy(metadata);
    for (size_t i = 0; i < lanes->topic_count; i++)
        if (!lanes->topics[i]->is_there)
            good =
                fail_topic(lanes, lanes->topics[i], RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, err);
    return good;
}

const char *
kafka_lanes_refused(const struct kafka_lanes *lanes)
{
    for (size_t i = 0; i < lanes->topic_count; i++)
        for (int32_t p = 0; p < lanes->topics[i]->lane_count; p++)
            if (lanes->topics[i]->lanes[p].is_refused)
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
    /* Up to the end there is nothing more. Events that came too late for UNTIL_TIME are no hole: the
     * next recording may want them. */
    if (lane->lane->gap != HOLE_NOT_RECORDED)
        outlet_skip_to(lanes->outlet, lane->lane, lane->end, lane->lane->gap);
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
    lane->state = KAFKA_LANE_WAITING;
    lanes->reading--;
    lanes->waiting++;
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

bool
kafka_lanes_take_ends(struct kafka_lanes *lanes, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = list_lanes(lanes, KAFKA_LANE_READING);
    set_offsets(list, RD_KAFKA_OFFSET_END);
    lanes->ends_known =
        list->cnt == 0 || kafka_client_offsets(lanes->client, list, OFFSETS_MS, err);
    for (int i = 0; lanes->ends_known && i < list->cnt; i++) {
        struct kafka_topic *topic = list->elems[i].opaque;
        struct kafka_lane *lane = &topic->lanes[list->elems[i].partition];
        lane->end = list->elems[i].offset;
        kafka_lane_advance(lanes, lane, lane->position);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return lanes->ends_known;
}
