#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_admin.h"
#include "collectors/groups_sample.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (60 * NS_PER_S)
#define RTT_MS      20

struct setting {
    struct kafka_mock mock;
    struct groups_admin admin;
    struct groups_sample sample;
};

static bool
wants_all(const void *self, const char *topic)
{
    (void)self;
    (void)topic;
    return true;
}

/* One broker, which is everybody's coordinator, and a sample of groups that it has never heard of. */
static void
set_up(struct setting *setting, size_t groups)
{
    struct error err;
    *setting = (struct setting){0};
    kafka_mock_start(&setting->mock, 1);
    setting->admin.options =
        (struct groups_admin_options){.address = setting->mock.bootstrap, .wants_topic = wants_all};
    assert_ok(groups_admin_open(&setting->admin, &err));
    setting->sample.groups = alloc_zeroed(groups * sizeof(setting->sample.groups[0]));
    setting->sample.group_count = groups;
    for (size_t i = 0; i < groups; i++)
        setting->sample.groups[i].name = alloc_format("group-%05zu", i);
}

static void
tear_down(struct setting *setting)
{
    groups_sample_done(&setting->sample);
    groups_admin_close(&setting->admin);
    kafka_mock_stop(&setting->mock);
}

static void
look(struct setting *setting, int64_t wait_ns, int64_t latest_ns)
{
    int64_t now_ns = clock_monotonic_ns();
    groups_admin_read_commits(
        &setting->admin, &setting->sample, now_ns + wait_ns, now_ns + latest_ns);
}

/* More than are handed to the library at a time. */
static void
asks_many_groups_to_the_end(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, 1500);
    look(&setting, PATIENCE_NS, PATIENCE_NS);
    assert_int_equal(setting.sample.problem_count, 0);
    for (size_t i = 0; i < setting.sample.group_count; i++)
        assert_string_equal(setting.sample.groups[i].problem, "");
    assert_false(setting.sample.groups[0].commits_unknown);
    assert_false(setting.sample.groups[0].has_commits);
    tear_down(&setting);
}

/* No answer is not the answer that there is no commit. */
static void
knows_that_it_got_no_answer(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, 1);
    look(&setting, 0, 0);
    assert_int_equal(setting.sample.problem_count, 1);
    assert_true(setting.sample.groups[0].commits_unknown);
    tear_down(&setting);
}

/* Each answer takes so long that it must be: two at a time would need half of it. */
static void
has_one_question_at_a_broker_at_a_time(void **state)
{
    (void)state;
    enum { groups = 20 };
    struct setting setting;
    set_up(&setting, groups);
    assert_int_equal(
        rd_kafka_mock_broker_set_rtt(setting.mock.cluster, 1, RTT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    int64_t began_ns = clock_monotonic_ns();
    look(&setting, PATIENCE_NS, PATIENCE_NS);
    int64_t took_ms = (clock_monotonic_ns() - began_ns) / NS_PER_MS;
    assert_int_equal(setting.sample.problem_count, 0);
    assert_true(took_ms >= (int64_t)groups * RTT_MS);
    tear_down(&setting);
}

/* As after an election of preferred leaders: it is there, and answers that it is none. The library would ask it again
 * for ever. */
static void
looks_again_for_a_coordinator_that_has_moved(void **state)
{
    (void)state;
    enum { OFFSET_FETCH = 9 };
    struct setting setting;
    struct error err;
    set_up(&setting, 1);
    rd_kafka_mock_push_request_errors(
        setting.mock.cluster, OFFSET_FETCH, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    look(&setting, PATIENCE_NS, PATIENCE_NS);
    assert_true(setting.sample.groups[0].commits_unknown);
    assert_int_equal(setting.sample.problem_count, 1);
    assert_non_null(strstr(setting.sample.problems[0], "commits of 1 group: "));
    assert_null(setting.admin.client);

    assert_ok(groups_admin_open(&setting.admin, &err));
    look(&setting, PATIENCE_NS, PATIENCE_NS);
    assert_string_equal(setting.sample.groups[0].problem, "");
    assert_false(setting.sample.groups[0].commits_unknown);
    tear_down(&setting);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_many_groups_to_the_end),
        cmocka_unit_test(knows_that_it_got_no_answer),
        cmocka_unit_test(has_one_question_at_a_broker_at_a_time),
        cmocka_unit_test(looks_again_for_a_coordinator_that_has_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
