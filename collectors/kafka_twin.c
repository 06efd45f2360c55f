#include "collectors/kafka_twin.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/groups_reader.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_offsets.h"
#include "collectors/recorder.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "collectors/tape_witness.h"
#include "index/event.h"

#define CONNECT_NS  (4 * NS_PER_S)
#define METADATA_MS 2000
#define OFFSETS_MS  2000

/* The time there is, in parts: questions end with the 3rd, the readers with the 6th and the 9th, and the
 * question that only makes sense behind them has the last one. */
#define TIME_PARTS 10

/* What an event costs besides its key, headers and payload: so that empty ones are not free. */
#define EVENT_OVERHEAD 64

/* A fetch brings what lies behind a range too, and most ranges are short. */
static const struct recorder_property short_fetches = {"fetch.message.max.bytes", "131072"};

/* `lanes` are sorted by topic and partition. */
struct twin {
    struct source_config config;
    struct kafka_client committed;
    struct kafka_client all;
    struct kafka_twin_lane *lanes;
    size_t count;
    struct kafka_twin_cost *cost;
    uint64_t bytes_limit; /* of the pass */
    atomic_bool is_full;
    bool is_all; /* the second pass */
    int64_t duration_ns;
    int64_t questions_end_ns; /* what is asked by now is answered then, or is not known */
    struct kafka_twin_lane *last;
};

static int
compare_lanes(const void *a, const void *b)
{
    const struct kafka_twin_lane *one = a;
    const struct kafka_twin_lane *other = b;
    int order = strcmp(one->topic, other->topic);
    return order != 0 ? order
                      : (one->partition > other->partition) - (one->partition < other->partition);
}

/* ---- what there is to read ---- */

/* The broker's answer about one topic, for its lanes. */
static void
judge_topic(struct twin *twin, struct kafka_twin_lane *lane, const rd_kafka_metadata_topic_t *topic)
{
    const char *address = twin->all.address;
    if (topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        error_set(&lane->problem, ERROR_REMOTE, "topic '%s' does not exist on %s any more",
            lane->topic, address);
        return;
    }
    if (topic->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        error_set(&lane->problem, ERROR_REFUSED, "kafka at %s does not let us read topic '%s'",
            address, lane->topic);
        return;
    }
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        error_set(&lane->problem, ERROR_REMOTE, "topic '%s': %s", lane->topic,
            rd_kafka_err2str(topic->err));
        return;
    }
    for (int i = 0; i < topic->partition_cnt; i++) {
        if (topic->partitions[i].id != lane->partition)
            continue;
        if (topic->partitions[i].leader < 0)
            error_set(&lane->problem, ERROR_REMOTE, "no broker leads %s[%d]", lane->topic,
                (int)lane->partition);
        return;
    }
    error_set(&lane->problem, ERROR_REMOTE, "topic '%s' on %s has no partition %d any more",
        lane->topic, address, (int)lane->partition);
}

/* How long a question may take; false with the reason when there is no time left for one. */
static bool
question_time(const struct twin *twin, int longest_ms, int *timeout_ms, struct error *why)
{
    int64_t left_ms = (twin->questions_end_ns - clock_monotonic_ns()) / NS_PER_MS;
    *timeout_ms = left_ms < longest_ms ? (int)left_ms : longest_ms;
    return left_ms > 0 ||
           error_set(why, ERROR_REMOTE, "there was no time to ask within %g s; --wait allows more",
               (double)twin->duration_ns / NS_PER_S);
}

static const rd_kafka_metadata_t *
ask_topic(struct twin *twin, const char *name, struct error *why)
{
    int timeout_ms;
    if (!question_time(twin, METADATA_MS, &timeout_ms, why))
        return NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(twin->all.rk, name, NULL);
    if (topic == NULL) {
        error_set(why, ERROR_ARGUMENT, "'%s' cannot be the name of a topic", name);
        return NULL;
    }
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(&twin->all, topic, false, timeout_ms, why);
    rd_kafka_topic_destroy(topic);
    if (metadata != NULL && metadata->topic_cnt != 1) {
        error_set(why, ERROR_REMOTE, "%s said nothing of topic '%s'", twin->all.address, name);
        rd_kafka_metadata_destroy(metadata);
        return NULL;
    }
    return metadata;
}

/* See whether the topics are there; one question for each. */
static void
ask_topics(struct twin *twin)
{
    for (size_t at = 0; at < twin->count;) {
        const char *name = twin->lanes[at].topic;
        struct error why;
        const rd_kafka_metadata_t *metadata = ask_topic(twin, name, &why);
        for (; at < twin->count && strcmp(twin->lanes[at].topic, name) == 0; at++) {
            if (metadata != NULL)
                judge_topic(twin, &twin->lanes[at], &metadata->topics[0]);
            else
                twin->lanes[at].problem = why;
        }
        if (metadata != NULL)
            rd_kafka_metadata_destroy(metadata);
    }
}

/* Ask where all lanes begin or end; -1 for those that nothing was said of. */
static void
ask_offsets(struct twin *twin, struct kafka_client *client, int64_t which, size_t place)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)twin->count + 1);
    size_t *asked = alloc_array(twin->count + 1, sizeof(*asked));
    for (size_t i = 0; i < twin->count; i++) {
        if (twin->lanes[i].problem.code != ERROR_NONE)
            continue;
        asked[list->cnt] = i;
        rd_kafka_topic_partition_list_add(list, twin->lanes[i].topic, twin->lanes[i].partition)
            ->offset = which;
    }
    struct error why;
    int timeout_ms;
    bool is_well = list->cnt == 0 || (question_time(twin, OFFSETS_MS, &timeout_ms, &why) &&
                                         kafka_offsets_ask(client, list, NULL, timeout_ms, &why));
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_twin_lane *lane = &twin->lanes[asked[i]];
        int64_t offset = list->elems[i].offset;
        memcpy((char *)lane + place, &(int64_t){offset < 0 ? -1 : offset}, sizeof(offset));
        if (offset < 0 && !is_well)
            lane->problem = why;
    }
    free(asked);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- reading ---- */

static struct kafka_twin_range *
find_range(struct kafka_twin_lane *lane, int64_t offset)
{
    size_t low = 0;
    size_t high = lane->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lane->ranges[middle].to < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < lane->range_count && lane->ranges[low].from <= offset ? &lane->ranges[low] : NULL;
}

static struct kafka_twin_lane *
find_lane(struct twin *twin, const struct event *event)
{
    struct kafka_twin_lane key = {.topic = event->stream->name, .partition = event->partition};
    if (twin->last == NULL || compare_lanes(twin->last, &key) != 0)
        twin->last = bsearch(&key, twin->lanes, twin->count, sizeof(*twin->lanes), compare_lanes);
    return twin->last;
}

/* What was read, also where it lies in the range behind the one that is read. */
static void
take_event(void *self, const struct event *event)
{
    struct twin *twin = self;
    uint64_t size = event_size(event) + EVENT_OVERHEAD;
    twin->cost->events++;
    twin->cost->bytes += size;
    if (size >= twin->bytes_limit)
        atomic_store(&twin->is_full, true);
    else
        twin->bytes_limit -= size;

    struct kafka_twin_lane *lane = find_lane(twin, event);
    if (lane == NULL)
        return;
    if (twin->is_all && event->offset == lane->witness) {
        lane->has_witness = true;
        lane->witness_fingerprint = event_fingerprint(event);
    }
    struct kafka_twin_range *range = find_range(lane, event->offset);
    if (range == NULL)
        return;
    offset_ranges_add(twin->is_all ? &range->all : &range->committed, event->offset);
    *(twin->is_all ? &range->all_to : &range->committed_to) = event->offset;
}

static bool
is_readable(const struct kafka_twin_lane *lane)
{
    return lane->problem.code == ERROR_NONE && lane->log_start >= 0 && lane->end >= 0 &&
           lane->stable_end >= 0;
}

/* Where the second reader has to look: from the first offset to the last one that the first reader was
 * not given, as far as that came. */
static void
leave_out_committed(const struct kafka_twin_range *range, int64_t *from, int64_t *to)
{
    const struct offset_ranges *given = &range->committed;
    const struct offset_range *first = offset_ranges_from(given, *from);
    if (range->committed_to < *to)
        *to = range->committed_to;
    if (first != NULL && first->first <= *from)
        *from = first->last + 1;
    if (given->count > 0 && given->items[given->count - 1].last >= *to)
        *to = given->items[given->count - 1].first - 1;
}

/* What there can be at all; what is left out is looked at with that. */
static bool
make_want(struct twin *twin, struct kafka_twin_lane *lane, struct kafka_twin_range *range,
    struct groups_want *want)
{
    int64_t end = twin->is_all ? lane->end : lane->stable_end;
    int64_t from = range->from < lane->log_start ? lane->log_start : range->from;
    int64_t to = range->to < end ? range->to : end - 1;
    if (twin->is_all)
        leave_out_committed(range, &from, &to);
    *want = (struct groups_want){.topic = lane->topic,
        .partition = lane->partition,
        .from = from,
        .until = to,
        .context = range};
    return from <= to;
}

static size_t
make_wants(struct twin *twin, struct groups_want *wants)
{
    size_t count = 0;
    for (size_t i = 0; i < twin->count; i++) {
        struct kafka_twin_lane *lane = &twin->lanes[i];
        if (!is_readable(lane))
            continue;
        for (size_t k = 0; k < lane->range_count; k++) {
            struct kafka_twin_range *range = &lane->ranges[k];
            if (make_want(twin, lane, range, &wants[count]))
                count++;
            else if (!twin->is_all)
                range->committed_to = range->to;
            else if (range->committed_to == range->to)
                range->all_to = range->to;
        }
        if (twin->is_all && lane->witness >= lane->log_start && lane->witness < lane->end)
            wants[count++] = (struct groups_want){.topic = lane->topic,
                .partition = lane->partition,
                .from = lane->witness,
                .until = lane->witness};
    }
    qsort(wants, count, sizeof(*wants), groups_want_compare);
    return count;
}

static void
take_answer(struct twin *twin, const struct groups_want *want)
{
    struct kafka_twin_range *range = want->context;
    if (want->state == GROUPS_WANT_OPEN && want->refusal == RD_KAFKA_RESP_ERR_NO_ERROR &&
        !atomic_load(&twin->is_full))
        twin->cost->time_ended = true;
    if (want->refusal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        struct kafka_twin_lane key = {.topic = want->topic, .partition = want->partition};
        struct kafka_twin_lane *lane =
            bsearch(&key, twin->lanes, twin->count, sizeof(*twin->lanes), compare_lanes);
        error_set(&lane->problem, ERROR_REMOTE, "%s[%d] cannot be read: %s", want->topic,
            (int)want->partition, rd_kafka_err2str(want->refusal));
    }
    if (range == NULL || want->state == GROUPS_WANT_OPEN)
        return;
    if (!twin->is_all)
        range->committed_to = range->to;
    else
        range->all_to = range->committed_to;
}

static void
read_pass(struct twin *twin, bool is_all, uint64_t bytes, int64_t deadline_ns)
{
    size_t limit = twin->count;
    for (size_t i = 0; i < twin->count; i++)
        limit += twin->lanes[i].range_count;
    struct groups_want *wants = alloc_array(limit + 1, sizeof(*wants));
    twin->is_all = is_all;
    twin->bytes_limit = bytes;
    atomic_store(&twin->is_full, false);
    size_t count = make_wants(twin, wants);
    groups_reader_run(is_all ? twin->all.rk : twin->committed.rk, wants, count, deadline_ns,
        &twin->is_full, take_event, twin);
    for (size_t i = 0; i < count; i++)
        take_answer(twin, &wants[i]);
    twin->cost->bytes_ended = twin->cost->bytes_ended || atomic_load(&twin->is_full);
    free(wants);
}

/* ---- all of it ---- */

static bool
await_answer(struct kafka_client *client, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + CONNECT_NS;
    for (int timeout_ms = 250; clock_monotonic_ns() < deadline_ns; timeout_ms = 500) {
        const rd_kafka_metadata_t *metadata =
            kafka_client_metadata(client, NULL, false, timeout_ms, err);
        if (metadata != NULL) {
            rd_kafka_metadata_destroy(metadata);
            return true;
        }
        if (err->code == ERROR_REFUSED)
            return false;
    }
    return false;
}

static bool
open_clients(struct twin *twin, struct error *err)
{
    twin->config.isolation = "read_committed";
    if (!kafka_client_open(&twin->committed, &twin->config, err))
        return false;
    twin->config.isolation = "read_uncommitted";
    return kafka_client_open(&twin->all, &twin->config, err) &&
           await_answer(&twin->committed, err) && await_answer(&twin->all, err);
}

static void
look(struct twin *twin, const struct kafka_twin_limits *limits)
{
    int64_t began_ns = clock_monotonic_ns();
    int64_t part_ns = limits->duration_ns / TIME_PARTS;
    twin->duration_ns = limits->duration_ns;
    twin->questions_end_ns = began_ns + 3 * part_ns;
    ask_topics(twin);
    size_t log_start = offsetof(struct kafka_twin_lane, log_start);
    ask_offsets(
        twin, &twin->committed, RD_KAFKA_OFFSET_END, offsetof(struct kafka_twin_lane, stable_end));
    ask_offsets(twin, &twin->all, RD_KAFKA_OFFSET_END, offsetof(struct kafka_twin_lane, end));
    ask_offsets(twin, &twin->all, RD_KAFKA_OFFSET_BEGINNING, log_start);
    read_pass(twin, false, limits->bytes / 2, began_ns + 6 * part_ns);
    read_pass(twin, true, limits->bytes - limits->bytes / 2, began_ns + 9 * part_ns);
    twin->questions_end_ns = began_ns + TIME_PARTS * part_ns;
    ask_offsets(twin, &twin->all, RD_KAFKA_OFFSET_BEGINNING, log_start);
}

static void
begin_lanes(struct kafka_twin_lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct kafka_twin_lane *lane = &lanes[i];
        lane->log_start = lane->end = lane->stable_end = -1;
        lane->has_witness = false;
        lane->problem.code = ERROR_NONE;
        for (size_t k = 0; k < lane->range_count; k++)
            lane->ranges[k] = (struct kafka_twin_range){.from = lane->ranges[k].from,
                .to = lane->ranges[k].to,
                .committed_to = -1,
                .all_to = -1};
    }
    qsort(lanes, count, sizeof(*lanes), compare_lanes);
}

bool
kafka_twin_ask(const struct recorder_tap *tap, struct kafka_twin_lane *lanes, size_t count,
    const struct kafka_twin_limits *limits, struct kafka_twin_cost *cost, struct error *err)
{
    struct tap_url url = {0};
    *cost = (struct kafka_twin_cost){0};
    begin_lanes(lanes, count);
    if (!tap_url_parse(tap->url, 9092, &url, err))
        return false;
    /* The tap's own ones come behind ours, and win. */
    struct recorder_property *properties =
        alloc_array(tap->property_count + 1, sizeof(*properties));
    properties[0] = short_fetches;
    for (size_t i = 0; i < tap->property_count; i++)
        properties[i + 1] = tap->properties[i];
    struct twin twin = {.config = {.url = &url,
                            .until = UNTIL_END,
                            .properties = properties,
                            .property_count = tap->property_count + 1},
        .lanes = lanes,
        .count = count,
        .cost = cost};
    bool is_well = open_clients(&twin, err);
    if (is_well)
        look(&twin, limits);
    kafka_client_close(&twin.all);
    kafka_client_close(&twin.committed);
    free(properties);
    tap_url_done(&url);
    return is_well;
}

void
kafka_twin_lane_done(struct kafka_twin_lane *lane)
{
    for (size_t i = 0; i < lane->range_count; i++) {
        offset_ranges_done(&lane->ranges[i].committed);
        offset_ranges_done(&lane->ranges[i].all);
    }
}
