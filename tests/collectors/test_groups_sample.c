#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "collectors/groups_sample.h"
#include "tests/support/unit.h"

/* What a member was given, as text: "orders:0 orders:2 ". */
static void
note(void *self, struct bytes topic, int32_t partition)
{
    buffer_printf(self, "%.*s:%d ", (int)topic.length, (const char *)topic.data, (int)partition);
}

static const unsigned char given[] = {0, 0,                                 /* version */
    0, 0, 0, 2,                                                             /* two topics */
    0, 6, 'o', 'r', 'd', 'e', 'r', 's', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, /* */
    0, 3, 'p', 'a', 'y', 0, 0, 0, 1, 0, 0, 0, 7,                            /* */
    0, 0, 0, 2, 0xca, 0xfe};                                                /* the assignor's own */

static void
reads_what_a_member_was_given(void **unused)
{
    (void)unused;
    struct buffer seen = {0};
    assert_true(group_assignment_read(bytes_make(given, sizeof(given)), note, &seen));
    assert_string_equal(buffer_text(&seen), "orders:0 orders:2 pay:7 ");
    buffer_done(&seen);
}

static void
takes_no_assignment_for_none(void **unused)
{
    (void)unused;
    struct buffer seen = {0};
    assert_true(group_assignment_read(BYTES_NULL, note, &seen));
    assert_int_equal(seen.length, 0);
    buffer_done(&seen);
}

/* Each copy ends where its memory ends, so that a sanitizer sees a byte read too far. */
static void
refuses_every_cut(void **unused)
{
    (void)unused;
    size_t needed = sizeof(given) - 6; /* what is the assignor's may be missing */
    for (size_t length = 1; length < needed; length++) {
        struct buffer seen = {0};
        unsigned char *copy = alloc_copy(given, length);
        if (group_assignment_read(bytes_make(copy, length), note, &seen))
            fail_msg("%zu bytes pass for an assignment", length);
        free(copy);
        buffer_done(&seen);
    }
}

static void
refuses_lengths_that_lie(void **unused)
{
    (void)unused;
    static const unsigned char topics[] = {0, 0, 0xff, 0xff, 0xff, 0xff};
    static const unsigned char name[] = {0, 0, 0, 0, 0, 1, 0x7f, 0xff, 'x'};
    static const unsigned char partitions[] = {
        0, 0, 0, 0, 0, 1, 0, 1, 'x', 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1};
    struct buffer seen = {0};
    assert_false(group_assignment_read(bytes_make(topics, sizeof(topics)), note, &seen));
    assert_false(group_assignment_read(bytes_make(name, sizeof(name)), note, &seen));
    assert_false(group_assignment_read(bytes_make(partitions, sizeof(partitions)), note, &seen));
    buffer_done(&seen);
}

static void
tells_members_of_one_name_on_one_host_apart(void **unused)
{
    (void)unused;
    char *alone = group_member_text("billing", "/10.0.0.7", NULL);
    char *one =
        group_member_text("billing", "/10.0.0.7", "billing-bd5edc82-ac34-4447-bb87-db378b9132e5");
    char *odd = group_member_text("billing", "/10.0.0.7", "member-17");
    char *own = group_member_text("billing", "/10.0.0.7", "EahzlMRQQ52NlZxQraaGmQ");
    assert_string_equal(alone, "billing/10.0.0.7");
    assert_string_equal(own, "billing-EahzlMRQ/10.0.0.7");
    assert_string_equal(one, "billing-bd5edc82/10.0.0.7");
    assert_string_equal(odd, "member-17/10.0.0.7");
    free(alone);
    free(one);
    free(odd);
    free(own);
}

static void
sorts_lanes_and_keeps_each_once(void **unused)
{
    (void)unused;
    struct groups_sample sample = {
        .groups = alloc_zeroed(sizeof(struct group_state)), .group_count = 1};
    struct group_state *group = sample.groups;
    group->name = alloc_text("g");
    size_t capacity = 0;
    (void)group_state_add(group, "pay", 1, &capacity);
    (void)group_state_add(group, "orders", 10, &capacity);
    (void)group_state_add(group, "orders", 9, &capacity);
    (void)group_state_add(group, "pay", 1, &capacity);
    group_state_sort(group);

    assert_int_equal(group->lane_count, 3);
    assert_int_equal(group->lanes[0].partition, 9);
    assert_int_equal(group->lanes[1].partition, 10);
    assert_ptr_equal(group_state_find(group, 3, "pay", 1), &group->lanes[2]);
    assert_null(group_state_find(group, 3, "pay", 0));
    assert_ptr_equal(groups_sample_find(&sample, "g"), group);
    assert_null(groups_sample_find(&sample, "h"));
    groups_sample_done(&sample);
}

/* `orders` has four partitions, others are not known. */
static int32_t
count_partitions(const void *self, const char *topic)
{
    (void)self;
    return strcmp(topic, "orders") == 0 ? 4 : 0;
}

static void
takes_all_of_a_topic_for_read_by_members_that_hide(void **unused)
{
    (void)unused;
    struct groups_sample sample = {
        .groups = alloc_zeroed(sizeof(struct group_state)), .group_count = 1};
    struct group_state *group = sample.groups;
    group->name = alloc_text("g");
    group->phase = GROUP_PHASE_STABLE;
    size_t capacity = 0;
    group_state_add(group, "orders", 1, &capacity)->committed = 7;
    group_state_add(group, "orders", 2, &capacity)->committed = 8;
    group_state_add(group, "pay", 5, &capacity)->committed = 9;
    group_state_complete(group, count_partitions, NULL);
    assert_int_equal(group->lane_count, 3); /* members that are seen tell what they have */

    group->hides_members = true;
    group->phase = GROUP_PHASE_EMPTY;
    group_state_complete(group, count_partitions, NULL);
    assert_int_equal(group->lane_count, 3);

    group->phase = GROUP_PHASE_STABLE;
    group_state_complete(group, count_partitions, NULL);
    assert_int_equal(group->lane_count, 5);
    assert_int_equal(group->lanes[0].partition, 0);
    assert_int_equal(group->lanes[0].committed, -1);
    assert_int_equal(group->lanes[1].committed, 7);
    assert_int_equal(group->lanes[3].partition, 3);
    assert_int_equal(group->lanes[3].committed, -1);
    assert_string_equal(group->lanes[4].topic, "pay");
    groups_sample_done(&sample);
}

static void
names_each_problem_once(void **unused)
{
    (void)unused;
    struct groups_sample sample = {0};
    groups_sample_problem(&sample, "broker %d", 1);
    groups_sample_problem(&sample, "broker %d", 2);
    groups_sample_problem(&sample, "broker %d", 1);
    assert_int_equal(sample.problem_count, 2);
    assert_string_equal(sample.problems[1], "broker 2");
    groups_sample_done(&sample);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_a_member_was_given),
        cmocka_unit_test(takes_no_assignment_for_none),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_lengths_that_lie),
        cmocka_unit_test(tells_members_of_one_name_on_one_host_apart),
        cmocka_unit_test(sorts_lanes_and_keeps_each_once),
        cmocka_unit_test(takes_all_of_a_topic_for_read_by_members_that_hide),
        cmocka_unit_test(names_each_problem_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
