/* A replay from tape to topic, against librdkafka's cluster in this process. */
#include <stdlib.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "replay/plan.h"
#include "replay/plan_store.h"
#include "replay/provenance.h"
#include "replay/target_reader.h"
#include "tests/support/replay_world.h"
#include "tests/support/unit.h"

#define PRODUCE_REQUEST 0 /* its ApiKey */

static int
set_up(void **state)
{
    *state = world_new();
    return 0;
}

static int
tear_down(void **state)
{
    world_free(*state);
    return 0;
}

/* Stops when it was asked `left` times. */
struct stopper {
    int left;
    enum runner_stop how;
};

static enum runner_stop
stop_after(void *self)
{
    struct stopper *stopper = self;
    return stopper->left-- > 0 ? RUNNER_GO_ON : stopper->how;
}

static void
run_and_stop(struct replay_world *world, struct plan *plan, int after, enum runner_stop how,
    struct replay_progress *progress)
{
    struct error err;
    struct stopper stopper = {.left = after, .how = how};
    struct runner_options options = {
        .plan = plan, .tape = world->directory, .stop = stop_after, .self = &stopper};
    assert_ok(runner_run(&options, progress, &err));
    assert_int_equal(progress->state, REPLAY_STOPPED);
    assert_in_range(progress->acknowledged + progress->already, 0, plan->events - 1);
}

static void
assert_matches(struct replay_world *world, struct plan *plan)
{
    struct verify_result result;
    world_verify(world, plan, &result);
    if (!result.matches)
        fail_msg("does not match: %s", result.differences[0]);
    assert_int_equal(result.landed, plan->events);
}

static void
assert_headers(const struct event *event, const struct world_header *expected, size_t count)
{
    size_t at = 0;
    struct event_header header;
    for (size_t i = 0; i < count; i++) {
        assert_true(event_next_header(event, &at, &header));
        assert_true(bytes_equal_text(header.name, expected[i].name));
        assert_true(bytes_equal(header.value, bytes_of(expected[i].value)));
    }
    assert_false(event_next_header(event, &at, &header));
}

/* Not by way of verify: what a consumer sees. */
static void
keeps_every_kind_of_null_and_empty(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err;
    uint64_t count = world_add_awkward(world);
    struct plan *plan = world_plan(world, "copy");
    world_run(world, plan, &progress);
    assert_int_equal(progress.acknowledged, count);

    struct target_reader *reader = target_reader_open(&plan->target, NULL, &err);
    assert_ok(reader != NULL);
    assert_ok(target_reader_add(reader, 0, 0, (int64_t)count, &err));
    static const unsigned char binary[] = {0, 255, 10, 0, 128};
    struct bytes bytes = {binary, sizeof(binary)};
    const struct bytes keys[] = {
        BYTES_NULL, bytes_of(""), bytes, bytes_of("tombstone"), bytes_of("empty"), BYTES_NULL};
    const struct bytes payloads[] = {
        bytes_of("null key"), bytes_of("empty key"), bytes, BYTES_NULL, bytes_of(""), BYTES_NULL};
    int64_t seen = 0;
    while (seen < (int64_t)count) {
        struct event event;
        enum target_step step = target_reader_next(reader, 5000, &event, &err);
        assert_int_equal(step, TARGET_EVENT);
        assert_int_equal(event.offset, seen);
        assert_true(bytes_equal(event.key, keys[seen]));
        assert_true(bytes_equal(event.payload, payloads[seen]));
        assert_int_equal(event.time_ns, WORLD_TIME_NS + seen * NS_PER_MS);
        if (seen == 2) {
            const struct world_header expected[] = {{"twice", "1"}, {"null", NULL}, {"twice", "2"},
                {"empty", ""}, {"", "no name"}, {PROVENANCE_REPLAY, plan->id},
                {PROVENANCE_SEQ, "2"}, {PROVENANCE_ORIG, "kafka/shop/orders/0/2"},
                {PROVENANCE_HOPS, "1"}};
            assert_headers(&event, expected, sizeof(expected) / sizeof(expected[0]));
        }
        seen++;
    }
    target_reader_close(reader);
    assert_matches(world, plan);
    plan_free(plan);
}

static void
lands_everything_in_its_partition_in_order(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    world_add_many(world, 10000);
    struct plan *plan = world_plan(world, "copy");
    world_run(world, plan, &progress);
    assert_int_equal(world_end(world, "copy", 0), 3334);
    assert_int_equal(world_end(world, "copy", 2), 3333);
    assert_matches(world, plan);
    plan_free(plan);
}

static void
does_not_run_a_finished_plan_again(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err = {0};
    world_add_many(world, 10);
    struct plan *plan = world_plan(world, "copy");
    world_run(world, plan, &progress);
    struct runner_options options = {.plan = plan, .tape = world->directory};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_matches(world, plan);
    plan_free(plan);
}

static void
goes_on_after_a_stop_without_loss_or_duplicate(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    world_add_many(world, 20000);
    struct plan *plan = world_plan(world, "copy");
    run_and_stop(world, plan, 30, RUNNER_DRAIN, &progress);
    assert_true(progress.acknowledged > 0);
    uint64_t first = progress.acknowledged;
    run_and_stop(world, plan, 60, RUNNER_AT_ONCE, &progress);
    assert_int_equal(progress.already, first);
    world_run(world, plan, &progress);
    assert_matches(world, plan);
    plan_free(plan);
}

static void
says_what_is_missing_after_a_stop(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct verify_result result;
    world_add_many(world, 20000);
    struct plan *plan = world_plan(world, "copy");
    run_and_stop(world, plan, 30, RUNNER_DRAIN, &progress);
    world_verify(world, plan, &result);
    assert_false(result.matches);
    assert_int_equal(result.landed, progress.acknowledged);
    assert_int_equal(result.missing, plan->events - progress.acknowledged);
    assert_true(result.difference_count > 0);
    plan_free(plan);
}

/* As if the run had been killed after everything had landed and before anything was journalled. */
static void
finds_in_the_target_what_the_journal_lost(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    world_add_many(world, 3000);
    struct plan *plan = world_plan(world, "copy");
    run_and_stop(world, plan, 20, RUNNER_DRAIN, &progress);
    uint64_t landed = progress.acknowledged;
    assert_true(landed > 0);
    char *path = plan_store_path(world->directory, plan->id, "journal");
    assert_int_equal(truncate(path, 8 + WORLD_PARTITIONS * 48), 0); /* the starts stay */
    free(path);

    world_run(world, plan, &progress);
    assert_int_equal(progress.in_doubt, landed);
    assert_int_equal(progress.acknowledged, plan->events - landed);
    assert_matches(world, plan);
    plan_free(plan);
}

/* A run that noted where it starts and sent nothing; then the second event of partition 0 lands
 * alone. */
static void
refuses_to_send_into_a_gap(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err = {0};
    world_add_many(world, 30);
    struct plan *plan = world_plan(world, "copy");
    run_and_stop(world, plan, 0, RUNNER_DRAIN, &progress);
    assert_int_equal(progress.acknowledged, 0);
    world_produce(world, plan, "copy", 0, 3, "x");

    struct runner_options options = {.plan = plan, .tape = world->directory};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "order cannot be kept"));
    assert_int_equal(world_end(world, "copy", 0), 1);
    plan_free(plan);
}

static void
sees_duplicates_strangers_and_changes(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct verify_result result;
    world_add_many(world, 30);
    struct plan *plan = world_plan(world, "copy");
    world_run(world, plan, &progress);
    world_produce(world, plan, "copy", 0, 3, "again");
    world_produce(world, plan, "copy", 1, 30, "beyond the plan");
    world_verify(world, plan, &result);
    assert_false(result.matches);
    assert_int_equal(result.duplicates, 1);
    assert_int_equal(result.unknown, 1);
    assert_int_equal(result.missing, 0);

    char *receipt = plan_store_path(world->directory, plan->id, "receipt.json");
    struct buffer content = {0};
    struct error err;
    assert_ok(file_read_whole(receipt, 1 << 20, &content, &err));
    assert_non_null(strstr(buffer_text(&content), "\"duplicates\": 1"));
    buffer_done(&content);
    free(receipt);
    plan_free(plan);
}

/* The first event of partition 0 arrives changed, behind the others and in another partition. */
static void
names_what_differs(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct verify_result result;
    world_add_many(world, 30);
    struct plan *plan = world_plan(world, "copy");
    run_and_stop(world, plan, 0, RUNNER_DRAIN, &progress);
    assert_int_equal(progress.acknowledged, 0);
    world_produce(world, plan, "copy", 1, 4, "second first");
    world_produce(world, plan, "copy", 1, 1, "first second");
    world_produce(world, plan, "copy", 2, 0, "in another partition");
    world_verify(world, plan, &result);
    assert_false(result.matches);
    assert_int_equal(result.different, 3);
    assert_int_equal(result.misplaced, 1);
    assert_int_equal(result.disordered, 1);
    assert_int_equal(result.missing, 27);
    assert_non_null(strstr(result.differences[0], "key"));
    assert_non_null(strstr(result.differences[0], "headers"));
    assert_non_null(strstr(result.differences[0], "payload"));
    assert_non_null(strstr(result.differences[0], "time"));
    plan_free(plan);
}

static void
names_the_event_that_is_refused_and_goes_on_later(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err = {0};
    world_add_many(world, 3000);
    struct plan *plan = world_plan(world, "copy");
    rd_kafka_mock_push_request_errors(
        world->cluster, PRODUCE_REQUEST, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    struct runner_options options = {.plan = plan, .tape = world->directory};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(progress.state, REPLAY_FAILED);
    if (err.code != ERROR_REFUSED || strstr(err.text, "shop/orders[") == NULL ||
        strstr(err.text, "authorization") == NULL)
        fail_msg("%s", err.text);
    assert_true(progress.acknowledged < plan->events);

    world_run(world, plan, &progress);
    assert_matches(world, plan);
    plan_free(plan);
}

static void
fails_when_nothing_is_acknowledged(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err = {0};
    world_add_many(world, 3000);
    struct plan *plan = world_plan(world, "copy");
    rd_kafka_mock_broker_set_rtt(world->cluster, 1, 0);
    for (int i = 0; i < 200; i++)
        rd_kafka_mock_push_request_errors(
            world->cluster, PRODUCE_REQUEST, 1, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    struct runner_options options = {.plan = plan, .tape = world->directory, .stall_ms = 600};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REMOTE);
    assert_int_equal(progress.acknowledged, 0);
    rd_kafka_mock_clear_request_errors(world->cluster, PRODUCE_REQUEST);
    world_run(world, plan, &progress);
    assert_matches(world, plan);
    plan_free(plan);
}

static void
says_so_when_no_broker_answers(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err = {0};
    world_add_many(world, 10);
    struct plan *plan = world_plan(world, "copy");
    rd_kafka_mock_broker_set_down(world->cluster, 1);
    int64_t before_ns = clock_monotonic_ns();
    struct runner_options options = {.plan = plan, .tape = world->directory};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REMOTE);
    assert_true(clock_monotonic_ns() - before_ns < 12 * NS_PER_S);
    plan_free(plan);
}

static void
notices_a_tape_with_other_content(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err = {0};
    world_add_many(world, 30);
    struct plan *plan = world_plan(world, "copy");
    plan->content[0] = plan->content[0] == 'a' ? 'b' : 'a';
    struct runner_options options = {.plan = plan, .tape = world->directory};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "not what was planned"));
    plan_free(plan);
}

static void
refuses_a_topic_that_is_not_as_planned(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err = {0};
    world_add_many(world, 30);
    struct plan *plan = world_plan(world, "copy");
    plan->preflight.partitions = 2;
    plan->landing[0] += plan->landing[2];
    struct runner_options options = {.plan = plan, .tape = world->directory};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_int_equal(world_end(world, "copy", 0), 0);
    plan_free(plan);
}

static void
keeps_the_pace(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err;
    char url[128];
    world_add_many(world, 301);
    struct planner_options planner = world_planner(world, url, sizeof(url), "copy");
    planner.pacing = (struct pacing_settings){.pacing = PACING_RATE, .value = 1000000000};
    struct plan *plan = planner_make(&planner, &err);
    assert_ok(plan != NULL);
    world_run(world, plan, &progress);
    assert_in_range(progress.elapsed_ns, 299 * NS_PER_MS, 20 * NS_PER_S);
    assert_true(progress.late_p99_ns >= progress.late_p50_ns);
    assert_matches(world, plan);
    plan_free(plan);
}

static void
verifies_merged_and_rekeyed_lanes(void **state)
{
    struct replay_world *world = *state;
    struct replay_progress progress;
    struct error err;
    char url[128];
    world_add_many(world, 3000);
    const enum partition_map maps[] = {PARTITION_MODULO, PARTITION_MURMUR2};
    for (size_t i = 0; i < 2; i++) {
        struct planner_options planner = world_planner(world, url, sizeof(url), "narrow");
        planner.partitions = maps[i];
        struct plan *plan = planner_make(&planner, &err);
        assert_ok(plan != NULL);
        world_run(world, plan, &progress);
        assert_matches(world, plan);
        plan_free(plan);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keeps_every_kind_of_null_and_empty),
        TEST(lands_everything_in_its_partition_in_order),
        TEST(does_not_run_a_finished_plan_again),
        TEST(goes_on_after_a_stop_without_loss_or_duplicate),
        TEST(says_what_is_missing_after_a_stop),
        TEST(finds_in_the_target_what_the_journal_lost),
        TEST(refuses_to_send_into_a_gap),
        TEST(sees_duplicates_strangers_and_changes),
        TEST(names_what_differs),
        TEST(names_the_event_that_is_refused_and_goes_on_later),
        TEST(fails_when_nothing_is_acknowledged),
        TEST(says_so_when_no_broker_answers),
        TEST(notices_a_tape_with_other_content),
        TEST(refuses_a_topic_that_is_not_as_planned),
        TEST(keeps_the_pace),
        TEST(verifies_merged_and_rekeyed_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
