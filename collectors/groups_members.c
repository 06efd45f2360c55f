#include "collectors/groups_members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "collectors/groups_admin.h"
#include "collectors/groups_sample.h"
#include "collectors/kafka_about.h"

/* Beyond this many groups the answer of the one question is too large. */
#define MEMBERS_MAX 5000

struct member {
    const char *client_id;
    const char *host;
    const char *id; /* what the coordinator calls it */
};

/* What the members of one group have. */
struct taking {
    const struct groups_admin *admin;
    struct group_state *group;
    size_t sorted; /* lanes with a commit */
    size_t capacity;
    struct member member;
    bool is_namesake; /* another one has the same client.id on the same host */
    bool is_idle;     /* it was not given any partition, of whatever topic */
};

static void
take_lane(struct taking *taking, const char *topic, int32_t partition)
{
    taking->is_idle = false;
    if (!taking->admin->options.wants_topic(taking->admin->options.self, topic))
        return;
    struct group_lane *lane = group_state_find(taking->group, taking->sorted, topic, partition);
    if (lane == NULL)
        lane = group_state_add(taking->group, topic, partition, &taking->capacity);
    if (lane->member != NULL)
        return;
    const struct member *member = &taking->member;
    lane->member =
        group_member_text(member->client_id, member->host, taking->is_namesake ? member->id : NULL);
    lane->member_id = alloc_text(member->id);
}

/* Instances of one program on one host, as a rule: only the coordinator's name tells them apart. */
static bool
has_namesake(const struct member *members, size_t count, size_t which)
{
    for (size_t i = 0; i < count; i++)
        if (i != which && strcmp(members[i].client_id, members[which].client_id) == 0 &&
            strcmp(members[i].host, members[which].host) == 0)
            return true;
    return false;
}

/* Take them all; `walk` calls take_lane() for what member `which` was given. */
static void
take_members(struct taking *taking, const struct member *members, size_t count, bool is_stable,
    bool (*walk)(const void *self, size_t which, struct taking *taking), const void *self)
{
    struct group_state *group = taking->group;
    group->member_count = (int32_t)count;
    taking->sorted = taking->capacity = group->lane_count;
    for (size_t i = 0; i < count; i++) {
        taking->member = members[i];
        taking->is_namesake = has_namesake(members, count, i);
        taking->is_idle = true;
        if (!walk(self, i, taking))
            (void)snprintf(group->problem, sizeof(group->problem),
                "member %.64s: its assignment cannot be read", members[i].client_id);
        else if (taking->is_idle && is_stable)
            group->idle_count++;
    }
    group_state_sort(group);
}

/* --- classic groups ----------------------------------------------------------------------------- */

static void
take_assigned(void *self, struct bytes topic, int32_t partition)
{
    char *name = alloc_text_of(topic.data, topic.length);
    take_lane(self, name, partition);
    free(name);
}

static bool
walk_classic(const void *self, size_t which, struct taking *taking)
{
    const struct rd_kafka_group_info *info = self;
    const struct rd_kafka_group_member_info *member = &info->members[which];
    return group_assignment_read(
        bytes_make(member->member_assignment, (size_t)member->member_assignment_size),
        take_assigned, taking);
}

static void
take_classic(const struct groups_admin *admin, struct group_state *group,
    const struct rd_kafka_group_info *info)
{
    if (info->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    /* "Dead" of a group that was just listed means that it speaks the new protocol. */
    group->hides_members = strcmp(info->state, "Dead") == 0;
    if (group->hides_members)
        return;
    size_t count = (size_t)info->member_cnt;
    struct member *members = alloc_array(count + 1, sizeof(*members));
    for (size_t i = 0; i < count; i++)
        members[i] = (struct member){.client_id = info->members[i].client_id,
            .host = info->members[i].client_host,
            .id = info->members[i].member_id};
    struct taking taking = {.admin = admin, .group = group};
    take_members(&taking, members, count, strcmp(info->state, "Stable") == 0, walk_classic, info);
    free(members);
}

static void
read_classic(rd_kafka_t *rk, const struct groups_admin *admin, const char *name,
    struct groups_sample *sample, int timeout_ms)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(rk, name, &list, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        groups_sample_problem(sample, "members of groups: %s", rd_kafka_err2str(code));
    if (list == NULL)
        return;
    for (int i = 0; i < list->group_cnt; i++) {
        struct group_state *group = groups_sample_find(sample, list->groups[i].group);
        if (group != NULL)
            take_classic(admin, group, &list->groups[i]);
    }
    rd_kafka_group_list_destroy(list);
}

/* --- groups of the new protocol ----------------------------------------------------------------- */

static void
send_describe(struct groups_admin *admin, const char *group, const rd_kafka_AdminOptions_t *options)
{
    rd_kafka_DescribeConsumerGroups(admin->client, &group, 1, options, admin->answers);
}

static bool
walk_described(const void *self, size_t which, struct taking *taking)
{
    const rd_kafka_ConsumerGroupDescription_t *description = self;
    const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(
        rd_kafka_ConsumerGroupDescription_member(description, which));
    const rd_kafka_topic_partition_list_t *list =
        assignment == NULL ? NULL : rd_kafka_MemberAssignment_partitions(assignment);
    for (int i = 0; list != NULL && i < list->cnt; i++)
        take_lane(taking, list->elems[i].topic, list->elems[i].partition);
    return true;
}

static void
take_described(const struct groups_admin *admin, struct group_state *group,
    const rd_kafka_ConsumerGroupDescription_t *description)
{
    size_t count = rd_kafka_ConsumerGroupDescription_member_count(description);
    struct member *members = alloc_array(count + 1, sizeof(*members));
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_MemberDescription_t *member =
            rd_kafka_ConsumerGroupDescription_member(description, i);
        members[i] = (struct member){.client_id = rd_kafka_MemberDescription_client_id(member),
            .host = rd_kafka_MemberDescription_host(member),
            .id = rd_kafka_MemberDescription_consumer_id(member)};
    }
    struct taking taking = {.admin = admin, .group = group};
    group->hides_members = false;
    take_members(&taking, members, count,
        rd_kafka_ConsumerGroupDescription_state(description) ==
            RD_KAFKA_CONSUMER_GROUP_STATE_STABLE,
        walk_described, description);
    free(members);
}

/* An error leaves the members hidden. */
static rd_kafka_resp_err_t
take_describe(struct groups_admin *admin, struct group_state *group, rd_kafka_event_t *event)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return rd_kafka_event_error(event);
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **descriptions =
        rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    if (count != 1)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(descriptions[0]);
    if (error != NULL)
        return rd_kafka_error_code(error);
    take_described(admin, group, descriptions[0]);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static const struct groups_question describe = {
    .op = RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
    .answer = RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT,
    .send = send_describe,
    .take = take_describe,
};

static void
read_hidden(struct groups_admin *admin, struct groups_sample *sample, int64_t deadline_ns)
{
    struct group_state **hidden =
        alloc_array(sample->group_count + 1, sizeof(struct group_state *));
    size_t count = 0;
    for (size_t i = 0; i < sample->group_count; i++)
        if (sample->groups[i].hides_members)
            hidden[count++] = &sample->groups[i];
    struct groups_answers answers = {0};
    if (count > 0)
        answers = groups_admin_ask(admin, &describe, hidden, count, deadline_ns, deadline_ns);
    if (answers.count < count)
        groups_sample_problem(sample, "members of %zu groups: their coordinator does not answer",
            count - answers.count);
    free(hidden);
}

void
groups_members_read(rd_kafka_t *rk, struct groups_admin *admin, const char *group,
    struct groups_sample *sample, int timeout_ms, int64_t deadline_ns)
{
    if (sample->group_count + sample->passed > MEMBERS_MAX) {
        groups_sample_problem(sample, "members of groups: %zu groups are more than can be asked",
            sample->group_count + sample->passed);
        return;
    }
    read_classic(rk, admin, group, sample, timeout_ms);
    if (admin->client != NULL && rd_kafka_version() >= KAFKA_ABOUT_MEMBERS)
        read_hidden(admin, sample, deadline_ns);
}
