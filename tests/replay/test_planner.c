#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "replay/plan.h"
#include "replay/provenance.h"
#include "tests/support/replay_world.h"
#include "tests/support/unit.h"

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

static struct plan *
try_plan(const struct replay_world *world, struct planner_options options, struct error *err)
{
    char url[128];
    struct planner_options base =
        world_planner(world, url, sizeof(url), options.target != NULL ? options.target : "copy");
    options.tape = base.tape;
    options.target = base.target;
    if (options.max_hops == 0)
        options.max_hops = 1;
    *err = (struct error){0};
    return planner_make(&options, err);
}

static void
counts_lanes_and_sends_nothing(void **state)
{
    struct replay_world *world = *state;
    world_add_many(world, 300);
    struct plan *plan = world_plan(world, "copy");
    assert_int_equal(plan->events, 300);
    assert_int_equal(plan->first_seq, 0);
    assert_int_equal(plan->end_seq, 300);
    assert_int_equal(plan->first_ns, WORLD_TIME_NS);
    assert_int_equal(plan->last_ns, WORLD_TIME_NS + 299 * NS_PER_MS);
    assert_int_equal(plan->lane_count, WORLD_PARTITIONS);
    assert_string_equal(plan->lanes[1].stream, "orders");
    assert_int_equal(plan->lanes[1].partition, 1);
    assert_int_equal(plan->lanes[1].target_partition, 1);
    assert_int_equal(plan->lanes[1].events, 100);
    assert_int_equal(plan->lanes[1].last_offset, 99);
    assert_int_equal(plan->landing[2], 100);
    assert_int_equal(plan->order.keys, 300);
    assert_int_equal(plan->order.moved_events, 0);
    assert_int_equal(plan->preflight.partitions, WORLD_PARTITIONS);
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++)
        assert_int_equal(world_end(world, "copy", i), 0);
    plan_free(plan);
}

static void
freezes_the_range_and_hashes_the_content(void **state)
{
    struct replay_world *world = *state;
    world_add_many(world, 30);
    struct plan *first = world_plan(world, "copy");
    struct plan *again = world_plan(world, "copy");
    assert_string_equal(first->content, again->content);
    assert_string_not_equal(first->id, again->id);
    world_add_many(world, 1);
    struct plan *more = world_plan(world, "copy");
    assert_string_not_equal(first->content, more->content);
    plan_free(first);
    plan_free(again);
    plan_free(more);
}

static void
takes_only_what_the_query_selects(void **state)
{
    struct replay_world *world = *state;
    struct error err;
    world_add_many(world, 90);
    struct plan *plan =
        try_plan(world, (struct planner_options){.query = "partition=1 and offset>=10"}, &err);
    assert_ok(plan != NULL);
    assert_int_equal(plan->events, 20);
    assert_int_equal(plan->lane_count, 1);
    assert_int_equal(plan->lanes[0].first_offset, 10);
    plan_free(plan);

    assert_null(try_plan(world, (struct planner_options){.query = "key=nobody"}, &err));
    assert_int_equal(error_exit_code(&err), 1);
    assert_non_null(strstr(err.text, "nothing to replay"));
    assert_null(try_plan(world, (struct planner_options){.query = "key="}, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
}

/* A pattern that explodes on one payload of many. */
static void
refuses_a_query_that_gives_up(void **state)
{
    struct replay_world *world = *state;
    struct error err;
    char text[2000];
    memset(text, 'a', sizeof(text));
    world_add_many(world, 30);
    world_add(world, 0, bytes_of("key"), bytes_make(text, sizeof(text)), NULL, 0);
    const char *query = "not payload~/^(?:(?:a|aa)+)+[bc]/";
    assert_null(try_plan(world, (struct planner_options){.query = query}, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "gave up on 1 value"));
    query = "size<1000 not payload~/^(?:(?:a|aa)+)+[bc]/";
    struct plan *plan = try_plan(world, (struct planner_options){.query = query}, &err);
    assert_ok(plan != NULL);
    assert_int_equal(plan->events, 30);
    plan_free(plan);
}

static void
refuses_partitions_that_the_target_has_not(void **state)
{
    struct replay_world *world = *state;
    struct error err;
    world_add_many(world, 30);
    assert_null(try_plan(world, (struct planner_options){.target = "narrow"}, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "--partitions modulo"));

    struct plan *plan = try_plan(
        world, (struct planner_options){.target = "narrow", .partitions = PARTITION_MODULO}, &err);
    assert_ok(plan != NULL);
    assert_int_equal(plan->landing[0], 20); /* partitions 0 and 2 */
    assert_int_equal(plan->landing[1], 10);
    assert_int_equal(plan->order.moved_events, 10);
    assert_int_equal(plan->order.moved_keys, 10);
    plan_free(plan);
}

static void
counts_what_cannot_be_kept(void **state)
{
    struct replay_world *world = *state;
    world_add_awkward(world);
    struct plan *plan = world_plan(world, "copy");
    assert_int_equal(plan->order.null_keys, 2);
    assert_int_equal(plan->order.keys, 4);
    assert_int_equal(plan->fidelity.timeless, 0);
    plan_free(plan);
}

static void
refuses_events_that_were_replayed_before(void **state)
{
    struct replay_world *world = *state;
    struct error err;
    const struct world_header headers[] = {{PROVENANCE_HOPS, "1"}};
    world_add(world, 0, bytes_of("k"), bytes_of("p"), headers, 1);
    assert_null(try_plan(world, (struct planner_options){0}, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "shop/orders[0]@0"));
    struct plan *plan = try_plan(world, (struct planner_options){.max_hops = 2}, &err);
    assert_ok(plan != NULL);
    plan_free(plan);
}

static void
refuses_a_target_with_the_name_of_its_source(void **state)
{
    struct replay_world *world = *state;
    struct error err;
    world_add(world, 0, bytes_of("k"), bytes_of("p"), NULL, 0);
    assert_null(try_plan(world, (struct planner_options){.target = "orders"}, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "--allow-source"));
    struct plan *plan =
        try_plan(world, (struct planner_options){.target = "orders", .allow_source = true}, &err);
    assert_ok(plan != NULL);
    plan_free(plan);
}

static bool
always(void *self)
{
    (void)self;
    return true;
}

static void
can_be_interrupted(void **state)
{
    struct replay_world *world = *state;
    struct error err;
    world_add_many(world, 5000);
    assert_null(try_plan(world, (struct planner_options){.is_cancelled = always}, &err));
    assert_non_null(strstr(err.text, "interrupted"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_lanes_and_sends_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            freezes_the_range_and_hashes_the_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_only_what_the_query_selects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_query_that_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            refuses_partitions_that_the_target_has_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_what_cannot_be_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            refuses_events_that_were_replayed_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            refuses_a_target_with_the_name_of_its_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(can_be_interrupted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
