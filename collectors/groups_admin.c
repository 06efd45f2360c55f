#include "collectors/groups_admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_sample.h"
#include "collectors/kafka_conf.h"
#include "collectors/recorder.h"

#define CANCEL_LOOK_MS 100

/* Far beyond any outage: see the header. */
#define REQUEST_NEVER_ENDS_MS 600000

/* Requests handed to the library at a time; it sends them to each broker one behind the other. */
#define REQUESTS_AHEAD 512

/* A coordinator that answers says the next thing within this. */
#define QUIET_NS (INT64_C(2) * NS_PER_S)

/* --- waiting ------------------------------------------------------------------------------------ */

int64_t
groups_left_ms(int64_t deadline_ns, int64_t limit_ms)
{
    int64_t left = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
    if (left < 1)
        left = 1;
    return left < limit_ms ? left : limit_ms;
}

rd_kafka_event_t *
groups_wait_for_event(rd_kafka_queue_t *queue, int64_t deadline_ns, const atomic_bool *is_cancelled)
{
    int64_t slice_ms = is_cancelled != NULL ? CANCEL_LOOK_MS : 1000;
    while (is_cancelled == NULL || !atomic_load(is_cancelled)) {
        rd_kafka_event_t *event =
            rd_kafka_queue_poll(queue, (int)groups_left_ms(deadline_ns, slice_ms));
        if (event != NULL || clock_monotonic_ns() >= deadline_ns)
            return event;
    }
    return NULL;
}

/* --- the client --------------------------------------------------------------------------------- */

bool
groups_admin_open(struct groups_admin *admin, struct error *err)
{
    const struct groups_admin_options *options = &admin->options;
    if (admin->client != NULL)
        return true;
    char name[64];
    (void)snprintf(name, sizeof(name), "tapedeck-lag-%ld", (long)getpid());
    rd_kafka_conf_t *conf = kafka_conf_new();
    /* Behind the caller's own, because these are promises. */
    const struct recorder_property fixed[] = {
        {"bootstrap.servers", options->address},
        {"group.id", name},
        {"enable.auto.commit", "false"},
        {"allow.auto.create.topics", "false"},
        {"max.in.flight.requests.per.connection", "1"},
    };
    if (!kafka_conf_set(conf, "client.id", "tapedeck", err) ||
        !kafka_conf_set_all(conf, options->properties, options->property_count, err) ||
        !kafka_conf_set_all(conf, fixed, sizeof(fixed) / sizeof(fixed[0]), err)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    admin->client = kafka_conf_client(&conf, RD_KAFKA_CONSUMER, err);
    if (admin->client == NULL)
        return false;
    admin->answers = rd_kafka_queue_new(admin->client);
    return true;
}

void
groups_admin_close(struct groups_admin *admin)
{
    if (admin->client == NULL)
        return;
    rd_kafka_queue_destroy(admin->answers);
    rd_kafka_destroy_flags(admin->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    admin->client = NULL;
    admin->answers = NULL;
}

/* --- asking ------------------------------------------------------------------------------------- */

/* The library keeps the coordinator that it found for a group, also when that one answers that it is none any
 * more: only another client looks for it again. */
static bool
is_wrong_coordinator(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
}

/* How long the next answer is waited for when one came. */
static int64_t
next_deadline(int64_t deadline_ns, int64_t latest_ns)
{
    int64_t until_ns = clock_monotonic_ns() + QUIET_NS;
    if (until_ns > latest_ns)
        until_ns = latest_ns;
    return until_ns > deadline_ns ? until_ns : deadline_ns;
}

static void
send_one(
    struct groups_admin *admin, const struct groups_question *question, struct group_state *group)
{
    char why[128];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->client, question->op);
    (void)rd_kafka_AdminOptions_set_request_timeout(
        options, REQUEST_NEVER_ENDS_MS, why, sizeof(why));
    rd_kafka_AdminOptions_set_opaque(options, group);
    question->send(admin, group->name, options);
    rd_kafka_AdminOptions_destroy(options);
}

struct groups_answers
groups_admin_ask(struct groups_admin *admin, const struct groups_question *question,
    struct group_state **groups, size_t count, int64_t deadline_ns, int64_t latest_ns)
{
    const atomic_bool *is_cancelled = admin->options.is_cancelled;
    struct groups_answers answers = {0};
    size_t asked = 0;
    while (answers.count < count && clock_monotonic_ns() < deadline_ns &&
           (is_cancelled == NULL || !atomic_load(is_cancelled))) {
        while (asked < count && asked - answers.count < REQUESTS_AHEAD)
            send_one(admin, question, groups[asked++]);
        rd_kafka_event_t *event = groups_wait_for_event(admin->answers, deadline_ns, is_cancelled);
        if (event == NULL)
            continue;
        if (rd_kafka_event_type(event) == question->answer) {
            struct group_state *group = rd_kafka_event_opaque(event);
            answers.lost += is_wrong_coordinator(question->take(admin, group, event)) ? 1 : 0;
            answers.count++;
            deadline_ns = next_deadline(deadline_ns, latest_ns);
        }
        rd_kafka_event_destroy(event);
    }
    if (answers.count < asked || answers.lost > 0)
        groups_admin_close(admin); /* late answers must not meet the next question */
    return answers;
}

/* --- commits ------------------------------------------------------------------------------------ */

static void
send_commits(struct groups_admin *admin, const char *group, const rd_kafka_AdminOptions_t *options)
{
    rd_kafka_ListConsumerGroupOffsets_t *question =
        rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_ListConsumerGroupOffsets(admin->client, &question, 1, options, admin->answers);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
}

static rd_kafka_resp_err_t
take_commits(
    struct groups_admin *admin, struct group_state *group, const rd_kafka_group_result_t *result)
{
    const rd_kafka_error_t *error = rd_kafka_group_result_error(result);
    if (error != NULL) {
        (void)snprintf(
            group->problem, sizeof(group->problem), "commits: %s", rd_kafka_error_string(error));
        return rd_kafka_error_code(error);
    }
    group->commits_unknown = false;
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(result);
    size_t capacity = 0;
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        group->has_commits = true;
        if (!admin->options.wants_topic(admin->options.self, entry->topic))
            continue;
        if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            (void)snprintf(group->problem, sizeof(group->problem), "commits on %s[%d]: %s",
                entry->topic, (int)entry->partition, rd_kafka_err2str(entry->err));
        struct group_lane *lane = group_state_add(group, entry->topic, entry->partition, &capacity);
        if (entry->err == RD_KAFKA_RESP_ERR_NO_ERROR && entry->offset >= 0)
            lane->committed = entry->offset;
    }
    group_state_sort(group);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
take_answer(struct groups_admin *admin, struct group_state *group, rd_kafka_event_t *event)
{
    group->problem[0] = '\0';
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)snprintf(group->problem, sizeof(group->problem), "commits: %s",
            rd_kafka_event_error_string(event));
        return rd_kafka_event_error(event);
    }
    size_t count = 0;
    const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    return count == 1 ? take_commits(admin, group, results[0]) : RD_KAFKA_RESP_ERR_NO_ERROR;
}

static const struct groups_question commits = {
    .op = RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
    .answer = RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT,
    .send = send_commits,
    .take = take_answer,
};

void
groups_admin_read_commits(struct groups_admin *admin, struct groups_sample *sample,
    int64_t deadline_ns, int64_t latest_ns)
{
    size_t count = sample->group_count;
    struct group_state **groups = alloc_array(count + 1, sizeof(struct group_state *));
    for (size_t i = 0; i < count; i++) {
        groups[i] = &sample->groups[i];
        groups[i]->commits_unknown = true;
        (void)snprintf(groups[i]->problem, sizeof(groups[i]->problem), "commits: no answer");
    }
    struct groups_answers answers =
        groups_admin_ask(admin, &commits, groups, count, deadline_ns, latest_ns);
    free(groups);
    if (answers.count < count)
        groups_sample_problem(sample, "commits of %zu groups: their coordinator does not answer",
            count - answers.count);
    if (answers.lost > 0)
        groups_sample_problem(sample, "commits of %zu group%s: the coordinator has moved",
            answers.lost, answers.lost == 1 ? "" : "s");
}
