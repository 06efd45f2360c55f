#include "collectors/groups_broker.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_admin.h"
#include "collectors/groups_ends.h"
#include "collectors/groups_given.h"
#include "collectors/groups_members.h"
#include "collectors/groups_reader.h"
#include "collectors/groups_sample.h"
#include "collectors/groups_times.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_patterns.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "index/event.h"

#define WAIT_MS         4000
#define FIRST_ANSWER_MS 3000 /* a broker that says nothing in this time is not there */
#define LIST_MS         2000

/* Who asks for all groups at once waits for them, while coordinators answer. */
#define COMMITS_NS (INT64_C(60) * NS_PER_S)

/* Where a sample can be cancelled: no wait inside the library is longer. */
#define CANCEL_MS 900

/* Metadata of all topics is asked anew this often, or when an answer shows that it is out of date. */
#define METADATA_NS (INT64_C(30) * NS_PER_S)

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
    struct kafka_client client; /* without a group: lists, ends, events */
    bool is_suspect;            /* a broker did not answer it: made anew before the next sample */
    struct kafka_client
        stable; /* reads committed events; not there before something waits for long */
    struct groups_admin admin; /* with a name of its own: commits */
    const rd_kafka_metadata_t *metadata;
    int64_t metadata_ns;
    struct groups_given given;
    struct groups_times times;
};

/* Before the caller's, so that only what a promise needs cannot be changed. Lag is counted up to the
 * high watermark, as other tools do; events are read one at a time. */
static const struct recorder_property defaults[] = {
    {"isolation.level", "read_uncommitted"},
    {"fetch.message.max.bytes", "65536"},
    {"fetch.wait.max.ms", "50"},
};

/* Who asks for commits points to them. */
static void
set_properties(
    struct groups_broker *broker, const struct recorder_property *properties, size_t property_count)
{
    size_t ours = sizeof(defaults) / sizeof(defaults[0]);
    size_t count = ours + property_count;
    broker->properties = alloc_array(count, sizeof(*broker->properties));
    broker->texts = alloc_array(2 * count, sizeof(*broker->texts));
    for (size_t i = 0; i < count; i++) {
        const struct recorder_property *from = i < ours ? &defaults[i] : &properties[i - ours];
        broker->texts[2 * i] = alloc_text(from->name);
        broker->texts[2 * i + 1] = alloc_text(from->value);
        broker->properties[i] = (struct recorder_property){
            .name = broker->texts[2 * i], .value = broker->texts[2 * i + 1]};
    }
    broker->property_count = count;
    broker->admin.options.properties = broker->properties;
    broker->admin.options.property_count = broker->property_count;
}

/* One of them may be a password. */
static void
forget_properties(struct groups_broker *broker)
{
    for (size_t i = 0; i < 2 * broker->property_count; i++) {
        explicit_bzero(broker->texts[i], strlen(broker->texts[i]));
        free(broker->texts[i]);
    }
    free(broker->texts);
    free(broker->properties);
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
wants_topic(const void *self, const char *topic)
{
    const struct groups_broker *broker = self;
    for (size_t i = 0; i < broker->topic_count; i++)
        if (strcmp(broker->topics[i], topic) == 0)
            return true;
    return broker->topic_count == 0 || kafka_patterns_match(&broker->patterns, topic);
}

static bool
open_client(const struct groups_broker *broker, struct kafka_client *client, const char *isolation,
    struct error *err)
{
    struct source_config config = {.url = &broker->url,
        .isolation = isolation,
        .properties = broker->properties,
        .property_count = broker->property_count};
    return kafka_client_open(client, &config, err);
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
    broker->pattern = options->pattern == NULL ? NULL : alloc_text(options->pattern);
    broker->groups_at_a_time = options->groups_at_a_time;
    broker->is_cancelled = options->is_cancelled;
    broker->group = options->group == NULL ? NULL : alloc_text(options->group);
    broker->wait_ms = options->wait_ms > 0 ? options->wait_ms : WAIT_MS;
    broker->want_times = options->want_times;
    broker->times.known_time = options->known_time;
    broker->times.known_self = options->known_self;
    broker->admin.options = (struct groups_admin_options){.address = broker->url.address,
        .wants_topic = wants_topic,
        .self = broker,
        .is_cancelled = broker->is_cancelled};
    set_properties(broker, options->properties, options->property_count);

    if (!kafka_patterns_make(&broker->patterns, broker->url.path, err)) {
        groups_broker_close(broker);
        return NULL;
    }
    if (!open_client(broker, &broker->client, NULL, err)) {
        groups_broker_close(broker);
        return NULL;
    }
    return broker;
}

static void
forget_metadata(struct groups_broker *broker)
{
    if (broker->metadata != NULL)
        rd_kafka_metadata_destroy(broker->metadata);
    broker->metadata = NULL;
}

void
groups_broker_close(struct groups_broker *broker)
{
    if (broker == NULL)
        return;
    groups_admin_close(&broker->admin);
    forget_metadata(broker);
    groups_given_done(&broker->given);
    groups_times_done(&broker->times);
    kafka_client_close(&broker->client);
    kafka_client_close(&broker->stable);
    kafka_patterns_done(&broker->patterns);
    for (size_t i = 0; i < broker->topic_count; i++)
        free(broker->topics[i]);
    free(broker->topics);
    forget_properties(broker);
    free(broker->group);
    free(broker->pattern);
    free(broker->turn);
    tap_url_done(&broker->url);
    free(broker);
}

void
groups_broker_renew(
    struct groups_broker *broker, const struct recorder_property *properties, size_t property_count)
{
    groups_admin_close(&broker->admin);
    forget_properties(broker);
    set_properties(broker, properties, property_count);
    broker->is_suspect = true;
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

static void
list_groups(struct groups_broker *broker, struct groups_sample *sample, int64_t deadline_ns)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(broker->client.rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(broker->client.rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    char why[128];
    (void)rd_kafka_AdminOptions_set_request_timeout(
        options, (int)groups_left_ms(deadline_ns, LIST_MS), why, sizeof(why));
    rd_kafka_ListConsumerGroups(broker->client.rk, options, queue);
    rd_kafka_AdminOptions_destroy(options);

    int64_t until_ns =
        clock_monotonic_ns() + groups_left_ms(deadline_ns, LIST_MS + 500) * NS_PER_MS;
    rd_kafka_event_t *event = groups_wait_for_event(queue, until_ns, broker->is_cancelled);
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

static int32_t
count_partitions(const void *self, const char *topic)
{
    const rd_kafka_metadata_t *metadata = self;
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return metadata->topics[i].partition_cnt;
    return 0;
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
    kafka_client_close(&broker->stable);
    if (!open_client(broker, &broker->client, NULL, err))
        return false;
    broker->is_suspect = false;
    broker->metadata_ns = INT64_MIN / 2;
    return true;
}

static const rd_kafka_metadata_t *
ask_metadata(struct groups_broker *broker, struct error *err)
{
    int first_ms = broker->wait_ms < FIRST_ANSWER_MS ? broker->wait_ms : FIRST_ANSWER_MS;
    int64_t deadline_ns = clock_monotonic_ns() + first_ms * NS_PER_MS;
    const rd_kafka_metadata_t *metadata;
    do {
        metadata = kafka_client_metadata(&broker->client, NULL, true,
            call_ms(broker, (int)groups_left_ms(deadline_ns, FIRST_ANSWER_MS)), err);
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

/* Without an answer it is not known, and nothing is said. */
static void
ask_stable(struct groups_broker *broker, struct groups_sample *sample, int64_t deadline_ns)
{
    struct error ignored;
    if (!groups_ends_want_stable(sample) ||
        (broker->stable.rk == NULL &&
            !open_client(broker, &broker->stable, "read_committed", &ignored)))
        return;
    kafka_client_serve(&broker->stable);
    groups_ends_ask_stable(broker->stable.rk, broker->metadata, sample, deadline_ns);
}

static bool
is_told_of(const rd_kafka_metadata_t *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return true;
    return false;
}

const char *
groups_broker_absent_topic(const struct groups_broker *broker)
{
    for (size_t i = 0; i < broker->topic_count && broker->metadata != NULL; i++)
        if (broker->topics[i][0] != '^' && !is_told_of(broker->metadata, broker->topics[i]))
            return broker->topics[i];
    return NULL;
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
    if (sample->problem_count == 0)
        groups_given_forget(&broker->given, sample);
    take_turn(broker, sample);
    /* Without a group there is nothing to ask a coordinator, and the first such question would make
     * the broker create its topic for commits. */
    if (sample->group_count > 0) {
        if (!groups_admin_open(&broker->admin, err)) {
            groups_sample_done(sample);
            return false;
        }
        groups_admin_read_commits(&broker->admin, sample, deadline_ns,
            broker->groups_at_a_time > 0 ? deadline_ns : deadline_ns + COMMITS_NS);
        /* However long that took: a commit without the end of its partition says nothing. */
        if (deadline_ns < clock_monotonic_ns() + broker->wait_ms * NS_PER_MS / 2)
            deadline_ns = clock_monotonic_ns() + broker->wait_ms * NS_PER_MS / 2;
        if (!is_cancelled(broker))
            groups_members_read(broker->client.rk, &broker->admin, broker->group, sample,
                call_ms(broker, (int)groups_left_ms(deadline_ns, LIST_MS)), deadline_ns);
        for (size_t i = 0; i < sample->group_count; i++)
            group_state_complete(&sample->groups[i], count_partitions, broker->metadata);
        groups_given_take(&broker->given, sample);
    }
    broker->is_suspect = sample->problem_count > 0;
    sample->sampled_ns = clock_now_ns();
    if (!is_cancelled(broker) &&
        !groups_ends_ask(broker->client.rk, broker->metadata, sample, deadline_ns))
        broker->metadata_ns = INT64_MIN / 2; /* a leader moved, or a topic is new */
    if (broker->want_times && !is_cancelled(broker))
        groups_times_read(
            &broker->times, broker->client.rk, sample, deadline_ns, broker->is_cancelled);
    if (broker->want_times && !is_cancelled(broker))
        ask_stable(broker, sample, deadline_ns);
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
