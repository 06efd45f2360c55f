#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "replay/plan.h"
#include "tests/support/replay_world.h"
#include "tests/support/unit.h"

#define EVENTS 200

/* A world, and the other side's socket at a file in the directory of its tape. */
struct setting {
    struct replay_world *world;
    void *context;
    void *peer;
    char *endpoint;
};

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    setting->world = world_new();
    setting->context = zmq_ctx_new();
    setting->endpoint = alloc_format("ipc://%s/peer", setting->world->directory);
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    if (setting->peer != NULL)
        (void)zmq_close(setting->peer);
    (void)zmq_ctx_term(setting->context);
    world_free(setting->world);
    free(setting->endpoint);
    free(setting);
    return 0;
}

static void
open_peer(struct setting *setting, int type, bool is_bound)
{
    int none = 0;
    int patience_ms = 20000;
    setting->peer = zmq_socket(setting->context, type);
    assert_int_equal(zmq_setsockopt(setting->peer, ZMQ_LINGER, &none, sizeof(none)), 0);
    assert_int_equal(
        zmq_setsockopt(setting->peer, ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms)), 0);
    if (type == ZMQ_SUB)
        assert_int_equal(zmq_setsockopt(setting->peer, ZMQ_SUBSCRIBE, "", 0), 0);
    assert_int_equal(is_bound ? zmq_bind(setting->peer, setting->endpoint)
                              : zmq_connect(setting->peer, setting->endpoint),
        0);
}

static struct plan *
make_plan(const struct setting *setting, const char *scheme)
{
    struct error err;
    char *url = alloc_format("%s://%s", scheme, setting->endpoint + strlen("ipc://"));
    struct planner_options options = {
        .tape = setting->world->directory, .target = url, .max_hops = 1};
    struct plan *plan = planner_make(&options, &err);
    assert_ok(plan != NULL);
    free(url);
    return plan;
}

static void
expect_frame(const struct setting *setting, struct bytes wanted, bool has_more)
{
    unsigned char frame[256];
    int more;
    size_t size = sizeof(more);
    int length = zmq_recv(setting->peer, frame, sizeof(frame), 0);
    assert_int_equal(length, (int)wanted.length);
    assert_memory_equal(frame, wanted.data, wanted.length);
    assert_int_equal(zmq_getsockopt(setting->peer, ZMQ_RCVMORE, &more, &size), 0);
    assert_int_equal(more, has_more);
}

/* As a ZeroMQ tap has them on the tape. */
static void
sends_each_message_with_the_frames_that_it_had(void **state)
{
    struct setting *setting = *state;
    struct replay_progress progress;
    static const struct world_header frames[] = {{"zmq.frame", "one"}, {"zmq.frame", ""}};
    const struct bytes binary = bytes_make("\0\xff", 2);
    world_add(setting->world, 0, BYTES_NULL, bytes_of("alone"), NULL, 0);
    world_add(setting->world, 0, bytes_of(""), bytes_of(""), NULL, 0);
    world_add(setting->world, 1, bytes_of("topic"), binary, frames, 2);
    struct plan *plan = make_plan(setting, "zmq+push+ipc");
    open_peer(setting, ZMQ_PULL, true);
    world_run(setting->world, plan, &progress);
    assert_int_equal(progress.acknowledged, 3);
    expect_frame(setting, bytes_of("alone"), false);
    expect_frame(setting, bytes_of(""), true);
    expect_frame(setting, bytes_of(""), false);
    expect_frame(setting, bytes_of("topic"), true);
    expect_frame(setting, bytes_of("one"), true);
    expect_frame(setting, bytes_of(""), true);
    expect_frame(setting, binary, false);
    plan_free(plan);
}

static void
receives_everything(struct setting *setting, const char *scheme, int type, bool is_bound)
{
    struct replay_progress progress;
    char payload[64];
    world_add_many(setting->world, EVENTS);
    struct plan *plan = make_plan(setting, scheme);
    open_peer(setting, type, is_bound);
    world_run(setting->world, plan, &progress);
    for (int i = 0; i < EVENTS; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "o-%d", i);
        (void)snprintf(payload, sizeof(payload), "{\"n\":%d}", i);
        if (type == ZMQ_ROUTER) {
            unsigned char identity[256];
            assert_true(zmq_recv(setting->peer, identity, sizeof(identity), 0) > 0);
        }
        expect_frame(setting, bytes_of(key), true);
        expect_frame(setting, bytes_of(payload), false);
    }
    plan_free(plan);
}

static void
a_publisher_waits_for_its_subscriber_and_drops_nothing(void **state)
{
    receives_everything(*state, "zmq+pub+bind+ipc", ZMQ_SUB, false);
}

static void
a_dealer_talks_to_a_router(void **state)
{
    receives_everything(*state, "zmq+dealer+ipc", ZMQ_ROUTER, true);
}

static void
fails_for_want(struct setting *setting, const char *scheme, const char *part)
{
    struct replay_progress progress;
    struct error err;
    struct plan *plan = make_plan(setting, scheme);
    struct runner_options options = {
        .plan = plan, .tape = setting->world->directory, .stall_ms = 300};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REMOTE);
    if (strstr(err.text, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, err.text);
    assert_int_equal(progress.acknowledged, 0);
    plan_free(plan);
}

/* Nothing counts as sent while nobody is there to take it. */
static void
says_for_whom_it_waits(void **state)
{
    struct setting *setting = *state;
    world_add_many(setting->world, 3);
    fails_for_want(setting, "zmq+push+ipc", "waiting for a peer that takes more");
    fails_for_want(setting, "zmq+pub+bind+ipc", "waiting for a subscriber");
}

/* libzmq would take the file from the one who listens there. */
static void
leaves_a_socket_to_who_listens_at_it(void **state)
{
    struct setting *setting = *state;
    world_add_many(setting->world, 3);
    open_peer(setting, ZMQ_PULL, true);
    fails_for_want(setting, "zmq+pub+bind+ipc", "Address already in use");
}

static void
says_that_it_cannot_be_verified(void **state)
{
    struct setting *setting = *state;
    struct verify_result result;
    struct error err;
    world_add_many(setting->world, 3);
    struct plan *plan = make_plan(setting, "zmq+push+ipc");
    struct verify_options options = {.plan = plan, .tape = setting->world->directory};
    assert_false(verify_replay(&options, &result, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "a ZeroMQ socket tells nobody what arrived"));
    plan_free(plan);
}

static void
a_plan_counts_what_frames_cannot_carry(void **state)
{
    struct setting *setting = *state;
    struct error err;
    world_add_many(setting->world, 3); /* with times, and headers */
    struct plan *plan = make_plan(setting, "zmq+push+ipc");
    assert_int_equal(plan->fidelity.left_out, 3);
    char *text = plan_to_json(plan, true);
    struct plan *again = plan_from_json(text, strlen(text), &err);
    assert_ok(again != NULL);
    assert_int_equal(again->fidelity.left_out, 3);
    plan_free(again);
    free(text);
    plan_free(plan);
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(sends_each_message_with_the_frames_that_it_had),
        ZMQ_TEST(a_publisher_waits_for_its_subscriber_and_drops_nothing),
        ZMQ_TEST(a_dealer_talks_to_a_router),
        ZMQ_TEST(says_for_whom_it_waits),
        ZMQ_TEST(says_that_it_cannot_be_verified),
        ZMQ_TEST(leaves_a_socket_to_who_listens_at_it),
        ZMQ_TEST(a_plan_counts_what_frames_cannot_carry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
