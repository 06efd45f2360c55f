#include "collectors/groups_given.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void
groups_given_forget(struct groups_given *given, const struct groups_sample *listed)
{
    struct groups_sample *kept = &given->kept;
    struct groups_sample gone = {0};
    size_t count = 0;
    gone.groups = alloc_array(kept->group_count + 1, sizeof(*gone.groups));
    for (size_t i = 0; i < kept->group_count; i++) {
        if (groups_sample_find(listed, kept->groups[i].name) != NULL)
            kept->groups[count++] = kept->groups[i];
        else
            gone.groups[gone.group_count++] = kept->groups[i];
    }
    kept->group_count = count;
    groups_sample_done(&gone);
}

static bool
has_member(const struct group_state *group)
{
    for (size_t i = 0; i < group->lane_count; i++)
        if (group->lanes[i].member != NULL)
            return true;
    return false;
}

/* Where the next topic begins, behind the lanes from `at` on that have one. */
static size_t
topic_end(const struct group_state *group, size_t at)
{
    size_t end = at + 1;
    while (end < group->lane_count && strcmp(group->lanes[end].topic, group->lanes[at].topic) == 0)
        end++;
    return end;
}

/* Topics on which the group has no commit at all: the others are known by their commits. */
static struct group_state
uncommitted_of(const struct group_state *group)
{
    struct group_state found = {0};
    size_t capacity = 0;
    for (size_t at = 0, end = 0; at < group->lane_count; at = end) {
        bool is_committed = false;
        end = topic_end(group, at);
        for (size_t i = at; i < end; i++)
            is_committed = is_committed || group->lanes[i].committed >= 0;
        for (size_t i = at; i < end && !is_committed; i++)
            (void)group_state_add(
                &found, group->lanes[i].topic, group->lanes[i].partition, &capacity);
    }
    return found;
}

/* What is kept of the group becomes what it has now. One that is new goes to `added`. */
static void
keep(struct groups_given *given, const struct group_state *group, struct groups_sample *added,
    size_t *capacity)
{
    struct group_state *place = groups_sample_find(&given->kept, group->name);
    struct group_state now = uncommitted_of(group);
    if (place == NULL && now.lane_count == 0)
        return;
    now.name = alloc_text(group->name);
    if (place == NULL) {
        added->groups = alloc_grow(added->groups, added->group_count, capacity, sizeof(now));
        added->groups[added->group_count++] = now;
        return;
    }
    struct groups_sample old = {.groups = alloc_copy(place, sizeof(*place)), .group_count = 1};
    *place = now;
    groups_sample_done(&old);
}

static bool
has_topic(const struct group_state *group, size_t count, const char *topic)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(group->lanes[i].topic, topic) == 0)
            return true;
    return false;
}

static void
give_back(const struct groups_given *given, struct group_state *group)
{
    const struct group_state *place = groups_sample_find(&given->kept, group->name);
    size_t capacity = group->lane_count;
    size_t before = group->lane_count;
    for (size_t at = 0, end = 0; place != NULL && at < place->lane_count; at = end) {
        end = topic_end(place, at);
        if (has_topic(group, before, place->lanes[at].topic))
            continue;
        for (size_t i = at; i < end; i++)
            (void)group_state_add(
                group, place->lanes[i].topic, place->lanes[i].partition, &capacity);
    }
    group_state_sort(group);
}

static void
add_kept(struct groups_given *given, struct groups_sample *added)
{
    struct groups_sample *kept = &given->kept;
    if (added->group_count == 0)
        return;
    size_t count = kept->group_count + added->group_count;
    struct group_state *groups = alloc_array(count, sizeof(*groups));
    if (kept->group_count > 0)
        memcpy(groups, kept->groups, kept->group_count * sizeof(*groups));
    memcpy(groups + kept->group_count, added->groups, added->group_count * sizeof(*groups));
    free(kept->groups);
    free(added->groups);
    kept->groups = groups;
    kept->group_count = count;
    groups_sample_sort(kept);
}

void
groups_given_take(struct groups_given *given, struct groups_sample *sample)
{
    struct groups_sample added = {0};
    size_t capacity = 0;
    for (size_t i = 0; i < sample->group_count; i++) {
        struct group_state *group = &sample->groups[i];
        bool is_settled = group->phase == GROUP_PHASE_STABLE && group->member_count > 0;
        if (group->commits_unknown)
            continue;
        if (has_member(group) || is_settled)
            keep(given, group, &added, &capacity);
        else
            give_back(given, group);
    }
    add_kept(given, &added);
}

void
groups_given_done(struct groups_given *given)
{
    groups_sample_done(&given->kept);
}
