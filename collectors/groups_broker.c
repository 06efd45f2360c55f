#include "collectors/groups_broker.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_ends.h"
#include "collectors/groups_reader.h"
#include "collectors/groups_sample.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_patterns.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "index/event.h"

#define WAIT_MS         4000
#define FIRST_ANSWER_MS 3000 /* a broker that says nothing in this time is not there */
#define LIST_MS         2000

/* Where a sample can be cancelled: no wait inside the library is longer, and ours look this often. */
#define CANCEL_MS      900
#define CANCEL_LOOK_MS 100

/* Members are asked of all groups in one question; beyond this many groups its answer is too large. */
#define MEMBERS_MAX 5000

/* Far beyond any outage: a request that times out inside librdkafka 2.0.2 while its coordinator is
 * away leaves a callback behind that ends the process when the coordinator comes back. */
#define REQUEST_NEVER_ENDS_MS 600000

/* Requests handed to the library at a time; it sends them to each broker one behind the other. */
#define REQUESTS_AHEAD 512

/* Metadata of all topics is asked anew this often, or when an answer shows that it is out of date. */
#define METADATA_NS (INT64_C(30) * NS_PER_S)

/* Events that are looked up for their times in one sample. Groups that stand at the same place share
 * one; what is beyond is unknown. */
#define TIMES_MAX 200000

struct groups_broker {
    struct tap_url url;
    char **topics; /* of the URL; none: all */
    size_t topic_count;
    struct kafka_patterns patterns;       /* its expressions */
    struct recorder_property *properties; /* ours in front, then the caller's */
    size_t property_count;
    char **texts; /* what the properties point to: a name and a value each */
    char *group;
    char *pattern;
    size_t groups_at_a_time;
    char *turn; /* the last group that was asked; the next sample goes on behind it */
    const atomic_bool *is_cancelled;
    int wait_ms;
    bool want_times;
    bool (*known_time)(void *self, const char *topic, int32_t partition, int64_t from,
        int64_t *time_ns, int64_t *offset);
    void *known_self;
    struct kafka_client client; /* without a group: lists, ends, events */
    bool is_suspect;            /* a broker did not answer it: made anew before the next sample */
    rd_kafka_t *admin;          /* with a name of its own: commits; NULL: to be made */
    rd_kafka_queue_t *answers;
    const rd_kafka_metadata_t *metadata;
    int64_t metadata_ns;
    struct groups_want *times; /* what the last sample learnt, sorted */
    size_t time_count;
    char **time_topics; /* what their topics point to */
};

/* Before the caller's, so that only what a promise needs cannot be changed. Lag is counted up to the
 * high watermark, as other tools do; events are read one at a time. */
static const struct recorder_property defaults[] = {
    {"isolation.level", "read_uncommitted"},
    {"fetch.message.max.bytes", "65536"},
    {"fetch.wait.max.ms", "50"},
};

static void
copy_properties(struct groups_broker *broker, const struct groups_broker_options *options)
{
    size_t ours = sizeof(defaults) / sizeof(defaults[0]);
    size_t count = ours + options->property_count;
    broker->properties = alloc_array(count, sizeof(*broker->properties));
    broker->texts = alloc_array(2 * count, sizeof(*broker->texts));
    for (size_t i = 0; i < count; i++) {
        const struct recorder_property *from =
            i < ours ? &defaults[i] : &options->properties[i - ours];
        broker->texts[2 * i] = alloc_text(from->name);
        broker->texts[2 * i + 1] = alloc_text(from->value);
        broker->properties[i] = (struct recorder_property){
            .name = broker->texts[2 * i], .value = broker->texts[2 * i + 1]};
    }
    broker->property_count = count;
}

static void
copy_topics(struct groups_broker *broker)
{
    size_t capacity = 0;
    char *topic;
    for (size_t i = 0;
         broker->url.path[0] != '\0' && (topic = tap_url_item(broker->url.path, i)) != NULL; i++) {
        broker->topics = alloc_grow(broker->topics, broker->topic_count, &capacity, sizeof(char *));
        broker->topics[broker->topic_count++] = topic;
    }
}

static bool
open_client(struct groups_broker *broker, struct error *err)
{
    struct source_config config = {.url = &broker->url,
        .properties = broker->properties,
        .property_count = broker->property_count};
    return kafka_client_open(&broker->client, &config, err);
}

struct groups_broker *
groups_broker_open(const struct groups_broker_options *options, struct error *err)
{
    struct groups_broker *broker = alloc_zeroed(sizeof(*broker));
    if (!tap_url_parse(options->url, 9092, &broker->url, err)) {
        groups_broker_close(broker);
        return NULL;
    }
    if (strcmp(broker->url.transport, "kafka") != 0) {
        error_set(err, ERROR_ARGUMENT,
            "'%s': consumer groups are known of Kafka only; write kafka://host:9092", options->url);
        groups_broker_close(broker);
        return NULL;
    }
    copy_topics(broker);
    copy_properties(broker, options);
    broker->pattern = options->pattern == NULL ? NULL : alloc_text(options->pattern);
    broker->groups_at_a_time = options->groups_at_a_time;
    broker->is_cancelled = options->is_cancelled;
    broker->group = options->group == NULL ? NULL : alloc_text(options->group);
    broker->wait_ms = options->wait_ms > 0 ? options->wait_ms : WAIT_MS;
    broker->want_times = options->want_times;
    broker->known_time = options->known_time;
    broker->known_self = options->known_self;

    if (!kafka_patterns_make(&broker->patterns, broker->url.path, err)) {
        groups_broker_close(broker);
        return NULL;
    }
    if (!open_client(broker, err)) {
        groups_broker_close(broker);
        return NULL;
    }
    return broker;
}

/* --- the client that asks for commits ----------------------------------------------------------- */

static void
log_nothing(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    (void)level;
    (void)facility;
    (void)text;
}

static bool
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
        return true;
    return error_set(err, ERROR_CONFIG, "kafka property '%s': %s", name, why);
}

/* The name is needed, and never appears on the broker: librdkafka 2.0.2 without one dereferences
 * NULL when a coordinator answers that it is none any more. */
static bool
open_admin(struct groups_broker *broker, struct error *err)
{
    if (broker->admin != NULL)
        return true;
    char name[64];
    (void)snprintf(name, sizeof(name), "tapedeck-lag-%ld", (long)getpid());
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, log_nothing);
    bool is_well = set(conf, "client.id", "tapedeck", err);
    for (size_t i = 0; is_well && i < broker->property_count; i++)
        is_well = set(conf, broker->properties[i].name, broker->properties[i].value, err);
    is_well = is_well && set(conf, "bootstrap.servers", broker->url.address, err) &&
              set(conf, "group.id", name, err) && set(conf, "enable.auto.commit", "false", err) &&
              set(conf, "allow.auto.create.topics", "false", err) &&
              set(conf, "max.in.flight.requests.per.connection", "1", err);
    if (!is_well) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    char why[256];
    broker->admin = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (broker->admin == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERROR_CONFIG, "cannot make a kafka client: %s", why);
    }
    broker->answers = rd_kafka_queue_new(broker->admin);
    return true;
}

/* Throw the client away, with every request that has no answer yet. */
static void
close_admin(struct groups_broker *broker)
{
    if (broker->admin == NULL)
        return;
    rd_kafka_queue_destroy(broker->answers);
    rd_kafka_destroy_flags(broker->admin, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    broker->admin = NULL;
    broker->answers = NULL;
}

static void
forget_metadata(struct groups_broker *broker)
{
    if (broker->metadata != NULL)
        rd_kafka_metadata_destroy(broker->metadata);
    broker->metadata = NULL;
}

static void
forget_times(struct groups_broker *broker)
{
    for (size_t i = 0; i < broker->time_count; i++)
        free(broker->time_topics[i]);
    free(broker->time_topics);
    free(broker->times);
    broker->time_topics = NULL;
    broker->times = NULL;
    broker->time_count = 0;
}

void
groups_broker_close(struct groups_broker *broker)
{
    if (broker == NULL)
        return;
    close_admin(broker);
    forget_metadata(broker);
    forget_times(broker);
    kafka_client_close(&broker->client);
    kafka_patterns_done(&broker->patterns);
    for (size_t i = 0; i < broker->topic_count; i++)
        free(broker->topics[i]);
    free(broker->topics);
    for (size_t i = 0; i < 2 * broker->property_count; i++)
        free(broker->texts[i]);
    free(broker->texts);
    free(broker->properties);
    free(broker->group);
    free(broker->pattern);
    free(broker->turn);
    tap_url_done(&broker->url);
    free(broker);
}

/* --- which groups there are --------------------------------------------------------------------- */

static bool
is_cancelled(const struct groups_broker *broker)
{
    return broker->is_cancelled != NULL && atomic_load(broker->is_cancelled);
}

/* How long one call into the library may wait. */
static int
call_ms(const struct groups_broker *broker, int limit_ms)
{
    return broker->is_cancelled != NULL && limit_ms > CANCEL_MS ? CANCEL_MS : limit_ms;
}

static int64_t
left_ms(int64_t deadline_ns, int64_t limit_ms)
{
    int64_t left = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
    if (left < 1)
        left = 1; /* the library takes 0 for "for ever" in places */
    return left < limit_ms ? left : limit_ms;
}

static enum group_phase
phase_of(rd_kafka_consumer_group_state_t state)
{
    switch (state) {
    case RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE:
    case RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE:
        return GROUP_PHASE_REBALANCING;
    case RD_KAFKA_CONSUMER_GROUP_STATE_STABLE:
        return GROUP_PHASE_STABLE;
    case RD_KAFKA_CONSUMER_GROUP_STATE_DEAD:
        return GROUP_PHASE_DEAD;
    case RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY:
        return GROUP_PHASE_EMPTY;
    case RD_KAFKA_CONSUMER_GROUP_STATE_UNKNOWN:
    case RD_KAFKA_CONSUMER_GROUP_STATE__CNT:
        break;
    }
    return GROUP_PHASE_UNKNOWN;
}

static void
take_listing(struct groups_broker *broker, struct groups_sample *sample, rd_kafka_event_t *event)
{
    const rd_kafka_ListConsumerGroups_result_t *result =
        rd_kafka_event_ListConsumerGroups_result(event);
    size_t error_count = 0;
    const rd_kafka_error_t **errors =
        rd_kafka_ListConsumerGroups_result_errors(result, &error_count);
    for (size_t i = 0; i < error_count; i++)
        groups_sample_problem(sample, "list of groups: %s", rd_kafka_error_string(errors[i]));

    size_t count = 0;
    const rd_kafka_ConsumerGroupListing_t **listings =
        rd_kafka_ListConsumerGroups_result_valid(result, &count);
    size_t capacity = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConsumerGroupListing_group_id(listings[i]);
        if ((broker->group != NULL && strcmp(broker->group, name) != 0) ||
            (broker->pattern != NULL && fnmatch(broker->pattern, name, 0) != 0))
            continue;
        sample->groups =
            alloc_grow(sample->groups, sample->group_count, &capacity, sizeof(*sample->groups));
        sample->groups[sample->group_count++] = (struct group_state){.name = alloc_text(name),
            .phase = phase_of(rd_kafka_ConsumerGroupListing_state(listings[i])),
            .is_simple = rd_kafka_ConsumerGroupListing_is_simple_consumer_group(listings[i]) != 0,
            .member_count = -1};
    }
    groups_sample_sort(sample);
}

/* Wait for an event, but not when the sample is cancelled. NULL: none came. */
static rd_kafka_event_t *
wait_for_event(const struct groups_broker *broker, rd_kafka_queue_t *queue, int64_t deadline_ns)
{
    while (!is_cancelled(broker)) {
        int64_t slice_ms = broker->is_cancelled != NULL ? CANCEL_LOOK_MS : 1000;
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)left_ms(deadline_ns, slice_ms));
        if (event != NULL || clock_monotonic_ns() >= deadline_ns)
            return event;
    }
    return NULL;
}

static void
list_groups(struct groups_broker *broker, struct groups_sample *sample, int64_t deadline_ns)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(broker->client.rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(broker->client.rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    char why[128];
    (void)rd_kafka_AdminOptions_set_request_timeout(
        options, (int)left_ms(deadline_ns, LIST_MS), why, sizeof(why));
    rd_kafka_ListConsumerGroups(broker->client.rk, options, queue);
    rd_kafka_AdminOptions_destroy(options);

    rd_kafka_event_t *event = wait_for_event(
        broker, queue, clock_monotonic_ns() + left_ms(deadline_ns, LIST_MS + 500) * NS_PER_MS);
    if (event == NULL)
        groups_sample_problem(sample, "list of groups: no answer");
    else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        groups_sample_problem(sample, "list of groups: %s", rd_kafka_event_error_string(event));
    else
        take_listing(broker, sample, event);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

/* Leave the groups whose turn it is; the listing is sorted by name. */
static void
take_turn(struct groups_broker *broker, struct groups_sample *sample)
{
    size_t limit = broker->groups_at_a_time;
    size_t count = sample->group_count;
    if (limit == 0 || count <= limit)
        return;
    size_t first = 0;
    while (broker->turn != NULL && first < count &&
           strcmp(sample->groups[first].name, broker->turn) <= 0)
        first++;
    struct group_state *chosen = alloc_array(limit, sizeof(*chosen));
    for (size_t i = 0; i < count; i++) {
        struct group_state *group = &sample->groups[(first + i) % count];
        if (i < limit)
            chosen[i] = *group;
        else
            free(group->name);
    }
    free(broker->turn);
    broker->turn = alloc_text(chosen[limit - 1].name);
    free(sample->groups);
    sample->groups = chosen;
    sample->group_count = limit;
    sample->passed = count - limit;
    groups_sample_sort(sample);
}

/* --- commits ------------------------------------------------------------------------------------ */

static bool
wants_topic(const struct groups_broker *broker, const char *topic)
{
    for (size_t i = 0; i < broker->topic_count; i++)
        if (strcmp(broker->topics[i], topic) == 0)
            return true;
    return broker->topic_count == 0 || kafka_patterns_match(&broker->patterns, topic);
}

static void
ask_commits(struct groups_broker *broker, struct group_state *group)
{
    char why[128];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(broker->admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    (void)rd_kafka_AdminOptions_set_request_timeout(
        options, REQUEST_NEVER_ENDS_MS, why, sizeof(why));
    rd_kafka_AdminOptions_set_opaque(options, group);
    rd_kafka_ListConsumerGroupOffsets_t *question =
        rd_kafka_ListConsumerGroupOffsets_new(group->name, NULL);
    rd_kafka_ListConsumerGroupOffsets(broker->admin, &question, 1, options, broker->answers);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    rd_kafka_AdminOptions_destroy(options);
}

static void
take_commits(
    struct groups_broker *broker, struct group_state *group, const rd_kafka_group_result_t *result)
{
    const rd_kafka_error_t *error = rd_kafka_group_result_error(result);
    if (error != NULL) {
        (void)snprintf(
            group->problem, sizeof(group->problem), "commits: %s", rd_kafka_error_string(error));
        return;
    }
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(result);
    size_t capacity = 0;
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        if (!wants_topic(broker, entry->topic))
            continue;
        if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            (void)snprintf(group->problem, sizeof(group->problem), "commits on %s[%d]: %s",
                entry->topic, (int)entry->partition, rd_kafka_err2str(entry->err));
        struct group_lane *lane = group_state_add(group, entry->topic, entry->partition, &capacity);
        if (entry->err == RD_KAFKA_RESP_ERR_NO_ERROR && entry->offset >= 0)
            lane->committed = entry->offset;
    }
    group_state_sort(group);
}

static void
take_answer(struct groups_broker *broker, rd_kafka_event_t *event)
{
    struct group_state *group = rd_kafka_event_opaque(event);
    group->problem[0] = '\0';
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)snprintf(group->problem, sizeof(group->problem), "commits: %s",
            rd_kafka_event_error_string(event));
        return;
    }
    size_t count = 0;
    const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (count == 1)
        take_commits(broker, group, results[0]);
}

static void
read_commits(struct groups_broker *broker, struct groups_sample *sample, int64_t deadline_ns)
{
    for (size_t i = 0; i < sample->group_count; i++)
        (void)snprintf(
            sample->groups[i].problem, sizeof(sample->groups[i].problem), "commits: no answer");
    size_t asked = 0;
    size_t answered = 0;
    while (answered < sample->group_count && clock_monotonic_ns() < deadline_ns &&
           !is_cancelled(broker)) {
        while (asked < sample->group_count && asked - answered < REQUESTS_AHEAD)
            ask_commits(broker, &sample->groups[asked++]);
        rd_kafka_event_t *event = wait_for_event(broker, broker->answers, deadline_ns);
        if (event == NULL)
            continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT) {
            take_answer(broker, event);
            answered++;
        }
        rd_kafka_event_destroy(event);
    }
    if (answered < asked)
        close_admin(broker); /* late answers must not meet the next sample */
    if (answered < sample->group_count)
        groups_sample_problem(sample, "commits of %zu groups: their coordinator does not answer",
            sample->group_count - answered);
}

/* --- members ------------------------------------------------------------------------------------ */

struct assignment {
    const struct groups_broker *broker;
    struct group_state *group;
    size_t sorted; /* lanes with a commit */
    size_t capacity;
    const struct rd_kafka_group_member_info *member;
};

static void
take_assigned(void *self, struct bytes topic, int32_t partition)
{
    struct assignment *assignment = self;
    char *name = alloc_text_of(topic.data, topic.length);
    if (wants_topic(assignment->broker, name)) {
        struct group_lane *lane =
            group_state_find(assignment->group, assignment->sorted, name, partition);
        if (lane == NULL)
            lane = group_state_add(assignment->group, name, partition, &assignment->capacity);
        if (lane->member == NULL)
            lane->member = alloc_format(
                "%s%s", assignment->member->client_id, assignment->member->client_host);
    }
    free(name);
}

static void
take_members(const struct groups_broker *broker, struct group_state *group,
    const struct rd_kafka_group_info *info)
{
    /* "Dead" of a group that was just listed means that it speaks the new protocol. */
    if (info->err != RD_KAFKA_RESP_ERR_NO_ERROR || strcmp(info->state, "Dead") == 0)
        return;
    group->member_count = info->member_cnt;
    struct assignment assignment = {.broker = broker,
        .group = group,
        .sorted = group->lane_count,
        .capacity = group->lane_count};
    for (int i = 0; i < info->member_cnt; i++) {
        assignment.member = &info->members[i];
        if (!group_assignment_read(bytes_make(assignment.member->member_assignment,
                                       (size_t)assignment.member->member_assignment_size),
                take_assigned, &assignment))
            (void)snprintf(group->problem, sizeof(group->problem),
                "member %.64s: its assignment cannot be read", assignment.member->client_id);
    }
    group_state_sort(group);
}

static void
read_members(struct groups_broker *broker, struct groups_sample *sample, int64_t deadline_ns)
{
    const struct rd_kafka_group_list *list = NULL;
    if (sample->group_count + sample->passed > MEMBERS_MAX) {
        groups_sample_problem(sample, "members of groups: %zu groups are more than can be asked",
            sample->group_count + sample->passed);
        return;
    }
    if (is_cancelled(broker))
        return;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(broker->client.rk, broker->group, &list,
        call_ms(broker, (int)left_ms(deadline_ns, LIST_MS)));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        groups_sample_problem(sample, "members of groups: %s", rd_kafka_err2str(code));
    if (list == NULL)
        return;
    for (int i = 0; i < list->group_cnt; i++) {
        struct group_state *group = groups_sample_find(sample, list->groups[i].group);
        if (group != NULL)
            take_members(broker, group, &list->groups[i]);
    }
    rd_kafka_group_list_destroy(list);
}

/* --- the time of the oldest event that waits ---------------------------------------------------- */

static bool
has_waiting(const struct group_lane *lane)
{
    return lane->committed >= 0 && lane->end > lane->committed;
}

/* Fill the lane from the last sample or from the caller's knowledge. */
static bool
is_known(struct groups_broker *broker, struct group_lane *lane)
{
    struct groups_want key = {
        .topic = lane->topic, .partition = lane->partition, .from = lane->committed};
    const struct groups_want *known = broker->time_count == 0
                                          ? NULL
                                          : bsearch(&key, broker->times, broker->time_count,
                                                sizeof(*broker->times), groups_want_compare);
    if (known == NULL)
        return broker->known_time != NULL &&
               broker->known_time(broker->known_self, lane->topic, lane->partition, lane->committed,
                   &lane->oldest_ns, &lane->oldest_offset);
    lane->oldest_ns = known->time_ns;
    lane->oldest_offset = known->offset;
    return true;
}

static void
use_answers(const struct groups_want *wants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct group_lane *lane = wants[i].context;
        lane->nothing_waits = wants[i].state == GROUPS_WANT_END;
        if (wants[i].state == GROUPS_WANT_FOUND) {
            lane->oldest_ns = wants[i].time_ns;
            lane->oldest_offset = wants[i].offset;
        }
    }
}

/* Remember what was learnt for the next sample: most groups that stand still stand where they stood. */
static void
remember(struct groups_broker *broker, const struct groups_sample *sample)
{
    size_t limit = 0;
    for (size_t g = 0; g < sample->group_count; g++)
        limit += sample->groups[g].lane_count;
    struct groups_want *times = alloc_array(limit + 1, sizeof(*times));
    char **topics = alloc_array(limit + 1, sizeof(*topics));
    size_t count = 0;
    for (size_t g = 0; g < sample->group_count; g++) {
        for (size_t i = 0; i < sample->groups[g].lane_count; i++) {
            const struct group_lane *lane = &sample->groups[g].lanes[i];
            if (lane->oldest_offset < 0)
                continue;
            topics[count] = alloc_text(lane->topic);
            times[count] = (struct groups_want){.topic = topics[count],
                .partition = lane->partition,
                .from = lane->committed,
                .time_ns = lane->oldest_ns,
                .offset = lane->oldest_offset};
            count++;
        }
    }
    forget_times(broker);
    qsort(times, count, sizeof(*times), groups_want_compare);
    broker->times = times;
    broker->time_topics = topics;
    broker->time_count = count;
}

static void
read_times(struct groups_broker *broker, struct groups_sample *sample, int64_t deadline_ns)
{
    struct groups_want *wants = alloc_array(TIMES_MAX, sizeof(*wants));
    size_t count = 0;
    for (size_t g = 0; g < sample->group_count; g++) {
        for (size_t i = 0; i < sample->groups[g].lane_count; i++) {
            struct group_lane *lane = &sample->groups[g].lanes[i];
            if (!has_waiting(lane) || is_known(broker, lane) || count == TIMES_MAX)
                continue;
            /* What retention deleted cannot be read: the oldest there is stands at the log start. */
            int64_t from = lane->committed < lane->log_start ? lane->log_start : lane->committed;
            wants[count++] = (struct groups_want){.topic = lane->topic,
                .partition = lane->partition,
                .from = from,
                .until = from,
                .context = lane,
                .time_ns = CLOCK_NONE,
                .offset = -1};
        }
    }
    qsort(wants, count, sizeof(*wants), groups_want_compare);
    groups_reader_run(
        broker->client.rk, wants, count, deadline_ns, broker->is_cancelled, NULL, NULL);
    use_answers(wants, count);
    free(wants);
    remember(broker, sample);
}

/* --- a sample ----------------------------------------------------------------------------------- */

/* After an outage librdkafka 2.0.2 goes on answering some questions with the failure of a connection
 * that has long been made again; a new client asks anew. */
static bool
renew_client(struct groups_broker *broker, struct error *err)
{
    if (!broker->is_suspect)
        return true;
    kafka_client_close(&broker->client);
    if (!open_client(broker, err))
        return false;
    broker->is_suspect = false;
    broker->metadata_ns = INT64_MIN / 2;
    return true;
}

static const rd_kafka_metadata_t *
ask_metadata(struct groups_broker *broker, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + FIRST_ANSWER_MS * NS_PER_MS;
    const rd_kafka_metadata_t *metadata;
    do {
        metadata = kafka_client_metadata(&broker->client, NULL, true,
            call_ms(broker, (int)left_ms(deadline_ns, FIRST_ANSWER_MS)), err);
    } while (metadata == NULL && err->code == ERROR_REMOTE && !is_cancelled(broker) &&
             clock_monotonic_ns() < deadline_ns);
    return metadata;
}

static bool
refresh_metadata(struct groups_broker *broker, struct error *err)
{
    int64_t now_ns = clock_monotonic_ns();
    if (broker->metadata != NULL && now_ns - broker->metadata_ns < METADATA_NS)
        return true;
    const rd_kafka_metadata_t *metadata = ask_metadata(broker, err);
    if (metadata == NULL)
        return false;
    forget_metadata(broker);
    broker->metadata = metadata;
    broker->metadata_ns = now_ns;
    return true;
}

bool
groups_broker_sample(struct groups_broker *broker, struct groups_sample *sample, struct error *err)
{
    if (!renew_client(broker, err))
        return false;
    kafka_client_serve(&broker->client);
    broker->is_suspect = true;
    if (!refresh_metadata(broker, err))
        return false;
    int64_t deadline_ns = clock_monotonic_ns() + broker->wait_ms * NS_PER_MS;
    *sample = (struct groups_sample){0};
    list_groups(broker, sample, deadline_ns);
    take_turn(broker, sample);
    /* Without a group there is nothing to ask a coordinator, and the first such question would make
     * the broker create its topic for commits. */
    if (sample->group_count > 0) {
        if (!open_admin(broker, err)) {
            groups_sample_done(sample);
            return false;
        }
        read_commits(broker, sample, deadline_ns);
        read_members(broker, sample, deadline_ns);
    }
    broker->is_suspect = sample->problem_count > 0;
    sample->sampled_ns = clock_now_ns();
    if (!is_cancelled(broker) &&
        !groups_ends_ask(broker->client.rk, broker->metadata, sample, deadline_ns))
        broker->metadata_ns = INT64_MIN / 2; /* a leader moved, or a topic is new */
    if (broker->want_times && !is_cancelled(broker))
        read_times(broker, sample, deadline_ns);
    return true;
}

bool
groups_broker_read(struct groups_broker *broker, const char *topic, int32_t partition, int64_t from,
    int64_t until, void (*take)(void *self, const struct event *event), void *self,
    struct error *err)
{
    struct groups_want want = {
        .topic = topic, .partition = partition, .from = from, .until = until};
    groups_reader_run(broker->client.rk, &want, 1,
        clock_monotonic_ns() + broker->wait_ms * NS_PER_MS, broker->is_cancelled, take, self);
    if (want.state != GROUPS_WANT_OPEN)
        return true;
    return error_set(err, ERROR_REMOTE, "cannot read %s[%d] from offset %lld at %s: no answer",
        topic, (int)partition, (long long)from, broker->url.address);
}
