/* groups_given: partitions of groups that never committed, when nobody has them any more. */
#include "base/alloc.h"
#include "collectors/groups_given.h"
#include "collectors/groups_sample.h"
#include "tests/support/unit.h"

/* A group of one sample; `committed` below 0 and no member: without that lane. */
static void
add_group(struct groups_sample *sample, const char *name, enum group_phase phase, int32_t members)
{
    size_t capacity = sample->group_count;
    sample->groups =
        alloc_grow(sample->groups, sample->group_count, &capacity, sizeof(*sample->groups));
    sample->groups[sample->group_count++] =
        (struct group_state){.name = alloc_text(name), .phase = phase, .member_count = members};
}

static void
add_lane(struct groups_sample *sample, const char *topic, int32_t partition, int64_t committed,
    const char *member)
{
    struct group_state *group = &sample->groups[sample->group_count - 1];
    size_t capacity = group->lane_count;
    struct group_lane *lane = group_state_add(group, topic, partition, &capacity);
    lane->committed = committed;
    lane->member = member == NULL ? NULL : alloc_text(member);
}

/* The lanes that the sample's first group has in the end, as "orders:0 orders:2 "; the sample is done. */
static const char *
take(struct groups_given *given, struct groups_sample *sample)
{
    static char text[128];
    struct buffer seen = {0};
    groups_given_forget(given, sample);
    groups_given_take(given, sample);
    for (size_t i = 0; i < sample->groups[0].lane_count; i++)
        buffer_printf(&seen, "%s:%d ", sample->groups[0].lanes[i].topic,
            (int)sample->groups[0].lanes[i].partition);
    (void)snprintf(text, sizeof(text), "%s", buffer_text(&seen));
    buffer_done(&seen);
    groups_sample_done(sample);
    return text;
}

/* Group "new" has [0] and [2] of orders, and has committed on pay. */
static const char *
take_with_member(struct groups_given *given)
{
    struct groups_sample sample = {0};
    add_group(&sample, "new", GROUP_PHASE_STABLE, 1);
    add_lane(&sample, "orders", 0, -1, "a");
    add_lane(&sample, "orders", 2, -1, "a");
    add_lane(&sample, "pay", 0, 7, "a");
    add_lane(&sample, "pay", 1, -1, "a");
    return take(given, &sample);
}

static const char *
take_without(struct groups_given *given, enum group_phase phase, int32_t members)
{
    struct groups_sample sample = {0};
    add_group(&sample, "new", phase, members);
    add_lane(&sample, "pay", 0, 7, NULL);
    return take(given, &sample);
}

static void
gives_back_what_nobody_has_and_no_commit_tells(void **unused)
{
    (void)unused;
    struct groups_given given = {0};
    assert_string_equal(take_without(&given, GROUP_PHASE_EMPTY, 0), "pay:0 ");
    assert_string_equal(take_with_member(&given), "orders:0 orders:2 pay:0 pay:1 ");
    assert_string_equal(take_without(&given, GROUP_PHASE_EMPTY, 0), "orders:0 orders:2 pay:0 ");
    assert_string_equal(
        take_without(&given, GROUP_PHASE_REBALANCING, 2), "orders:0 orders:2 pay:0 ");
    assert_string_equal(take_with_member(&given), "orders:0 orders:2 pay:0 pay:1 ");
    groups_given_done(&given);
}

static void
forgets_it_when_members_have_others_or_the_group_is_gone(void **unused)
{
    (void)unused;
    struct groups_given given = {0};
    (void)take_with_member(&given);
    assert_string_equal(take_without(&given, GROUP_PHASE_STABLE, 1), "pay:0 ");
    assert_string_equal(take_without(&given, GROUP_PHASE_EMPTY, 0), "pay:0 ");

    (void)take_with_member(&given);
    struct groups_sample other = {0};
    add_group(&other, "other", GROUP_PHASE_EMPTY, 0);
    assert_string_equal(take(&given, &other), "");
    assert_string_equal(take_without(&given, GROUP_PHASE_EMPTY, 0), "pay:0 ");
    groups_given_done(&given);
}

static void
forgets_it_when_the_group_commits_there(void **unused)
{
    (void)unused;
    struct groups_given given = {0};
    (void)take_with_member(&given);
    struct groups_sample sample = {0};
    add_group(&sample, "new", GROUP_PHASE_EMPTY, 0);
    add_lane(&sample, "orders", 2, 5, NULL);
    assert_string_equal(take(&given, &sample), "orders:2 ");
    groups_given_done(&given);
}

/* Then it is not known whether it has committed meanwhile. */
static void
gives_nothing_back_while_commits_are_unknown(void **unused)
{
    (void)unused;
    struct groups_given given = {0};
    (void)take_with_member(&given);
    struct groups_sample sample = {0};
    add_group(&sample, "new", GROUP_PHASE_EMPTY, 0);
    sample.groups[0].commits_unknown = true;
    assert_string_equal(take(&given, &sample), "");
    assert_string_equal(take_without(&given, GROUP_PHASE_EMPTY, 0), "orders:0 orders:2 pay:0 ");
    groups_given_done(&given);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_nobody_has_and_no_commit_tells),
        cmocka_unit_test(forgets_it_when_members_have_others_or_the_group_is_gone),
        cmocka_unit_test(forgets_it_when_the_group_commits_there),
        cmocka_unit_test(gives_nothing_back_while_commits_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
