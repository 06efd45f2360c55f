#include "collectors/groups_sample.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

/* Problems that are kept; one broken broker can make one per topic. */
#define PROBLEMS_MAX 64

static void
free_group(struct group_state *group)
{
    for (size_t i = 0; i < group->lane_count; i++) {
        free(group->lanes[i].topic);
        free(group->lanes[i].member);
        free(group->lanes[i].member_id);
    }
    free(group->lanes);
    free(group->name);
}

void
groups_sample_done(struct groups_sample *sample)
{
    for (size_t i = 0; i < sample->group_count; i++)
        free_group(&sample->groups[i]);
    free(sample->groups);
    for (size_t i = 0; i < sample->problem_count; i++)
        free(sample->problems[i]);
    free(sample->problems);
    *sample = (struct groups_sample){0};
}

void
groups_sample_problem(struct groups_sample *sample, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    for (size_t i = 0; i < sample->problem_count; i++)
        if (strcmp(sample->problems[i], text) == 0)
            return;
    if (sample->problem_count == PROBLEMS_MAX)
        return;
    if (sample->problems == NULL)
        sample->problems = alloc_array(PROBLEMS_MAX, sizeof(*sample->problems));
    sample->problems[sample->problem_count++] = alloc_text(text);
}

static int
compare_groups(const void *a, const void *b)
{
    const struct group_state *one = a;
    const struct group_state *other = b;
    return strcmp(one->name, other->name);
}

static int
compare_lanes(const void *a, const void *b)
{
    const struct group_lane *one = a;
    const struct group_lane *other = b;
    int order = strcmp(one->topic, other->topic);
    return order != 0 ? order
                      : (one->partition > other->partition) - (one->partition < other->partition);
}

static int
compare_name(const void *name, const void *item)
{
    const struct group_state *group = item;
    return strcmp(name, group->name);
}

struct group_state *
groups_sample_find(const struct groups_sample *sample, const char *name)
{
    return sample->group_count == 0 ? NULL
                                    : bsearch(name, sample->groups, sample->group_count,
                                          sizeof(*sample->groups), compare_name);
}

struct group_lane *
group_state_add(struct group_state *group, const char *topic, int32_t partition, size_t *capacity)
{
    group->lanes = alloc_grow(group->lanes, group->lane_count, capacity, sizeof(*group->lanes));
    struct group_lane *lane = &group->lanes[group->lane_count++];
    *lane = (struct group_lane){.topic = alloc_text(topic),
        .partition = partition,
        .committed = -1,
        .log_start = -1,
        .end = -1,
        .stable = -1,
        .oldest_ns = CLOCK_NONE,
        .oldest_offset = -1};
    return lane;
}

struct lane_name {
    const char *topic;
    int32_t partition;
};

static int
compare_lane_name(const void *a, const void *b)
{
    const struct lane_name *wanted = a;
    const struct group_lane *lane = b;
    int order = strcmp(wanted->topic, lane->topic);
    return order != 0
               ? order
               : (wanted->partition > lane->partition) - (wanted->partition < lane->partition);
}

struct group_lane *
group_state_find(
    const struct group_state *group, size_t count, const char *topic, int32_t partition)
{
    const struct lane_name wanted = {topic, partition};
    return count == 0
               ? NULL
               : bsearch(&wanted, group->lanes, count, sizeof(*group->lanes), compare_lane_name);
}

void
group_state_sort(struct group_state *group)
{
    if (group->lane_count == 0)
        return;
    qsort(group->lanes, group->lane_count, sizeof(struct group_lane), compare_lanes);

    /* Members can claim the same partition twice while they change places. */
    size_t kept = 1;
    for (size_t i = 1; i < group->lane_count; i++) {
        if (compare_lanes(&group->lanes[kept - 1], &group->lanes[i]) == 0) {
            free(group->lanes[i].topic);
            free(group->lanes[i].member);
            free(group->lanes[i].member_id);
        } else {
            group->lanes[kept++] = group->lanes[i];
        }
    }
    group->lane_count = kept;
}

void
group_state_complete(struct group_state *group,
    int32_t (*count_of)(const void *self, const char *topic), const void *self)
{
    if (!group->hides_members || group->phase == GROUP_PHASE_EMPTY ||
        group->phase == GROUP_PHASE_DEAD)
        return;
    size_t known = group->lane_count;
    size_t capacity = known;
    for (size_t i = 0; i < known; i++) {
        const char *topic = group->lanes[i].topic; /* lives on when the lanes move */
        if (i > 0 && strcmp(group->lanes[i - 1].topic, topic) == 0)
            continue;
        int32_t count = count_of(self, topic);
        for (int32_t partition = 0; partition < count; partition++)
            if (group_state_find(group, known, topic, partition) == NULL)
                (void)group_state_add(group, topic, partition, &capacity);
    }
    group_state_sort(group);
}

void
groups_sample_sort(struct groups_sample *sample)
{
    if (sample->group_count > 0)
        qsort(sample->groups, sample->group_count, sizeof(struct group_state), compare_groups);
}

/* The coordinator's name of a member is its client.id, or its group.instance.id, and such a UUID. */
#define UUID_LENGTH 36
#define UUID_SHOWN  8
/* As members of groups of the new protocol name themselves (KIP-1082). */
#define UUID_BASE64_LENGTH 22

char *
group_member_text(const char *client_id, const char *host, const char *member_id)
{
    if (member_id == NULL)
        return alloc_format("%s%s", client_id, host);
    size_t length = strlen(member_id);
    if (length == UUID_LENGTH || length == UUID_BASE64_LENGTH)
        return alloc_format("%s-%.*s%s", client_id, UUID_SHOWN, member_id, host);
    if (length > UUID_LENGTH && member_id[length - UUID_LENGTH - 1] == '-')
        length -= UUID_LENGTH - UUID_SHOWN;
    return alloc_format("%.*s%s", (int)length, member_id, host);
}

/* --- ConsumerProtocolAssignment ----------------------------------------------------------------- */

/* Big-endian, as Kafka's protocol is; false behind the end. */
static bool
read_number(struct bytes from, size_t *at, size_t width, int32_t *value)
{
    if (from.length - *at < width)
        return false;
    uint32_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | from.data[*at + i];
    *at += width;
    if (width == 2 && number > INT16_MAX)
        *value = -1; /* a negative length is never meant */
    else
        *value = number > INT32_MAX ? -1 : (int32_t)number;
    return true;
}

static bool
read_topic(struct bytes from, size_t *at,
    void (*take)(void *self, struct bytes topic, int32_t partition), void *self)
{
    int32_t length;
    if (!read_number(from, at, 2, &length) || length < 1 || (size_t)length > from.length - *at)
        return false;
    struct bytes topic = bytes_make(from.data + *at, (size_t)length);
    *at += (size_t)length;

    int32_t partitions;
    if (!read_number(from, at, 4, &partitions) || partitions < 0)
        return false;
    for (int32_t i = 0; i < partitions; i++) {
        int32_t partition;
        if (!read_number(from, at, 4, &partition) || partition < 0)
            return false;
        take(self, topic, partition);
    }
    return true;
}

bool
group_assignment_read(struct bytes assignment,
    void (*take)(void *self, struct bytes topic, int32_t partition), void *self)
{
    size_t at = 0;
    int32_t version;
    int32_t topics;
    if (assignment.length == 0)
        return true; /* a member that has not been given anything yet */
    if (!read_number(assignment, &at, 2, &version) || version < 0 ||
        !read_number(assignment, &at, 4, &topics) || topics < 0)
        return false;
    for (int32_t i = 0; i < topics; i++)
        if (!read_topic(assignment, &at, take, self))
            return false;
    return true; /* what follows is the assignor's own data */
}
