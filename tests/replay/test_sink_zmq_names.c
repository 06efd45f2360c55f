/* Targets at a name that has an address of IPv4 and one of IPv6, as localhost mostly has. */

#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/error.h"
#include "replay/plan.h"
#include "tests/support/replay_world.h"
#include "tests/support/two_addresses.h"
#include "tests/support/unit.h"

#define EVENTS 20

/* Replay to a PULL socket at `host`, which is reached by its name. */
static void
replays_to(const char *host)
{
    char endpoint[64];
    size_t length = sizeof(endpoint);
    struct error err;
    struct replay_progress progress;
    struct replay_world *world = world_new();
    void *context = zmq_ctx_new();
    void *peer = zmq_socket(context, ZMQ_PULL);
    assert_int_equal(zmq_setsockopt(peer, ZMQ_IPV6, &(int){host[0] == '['}, sizeof(int)), 0);
    char *wanted = alloc_format("tcp://%s:*", host);
    assert_int_equal(zmq_bind(peer, wanted), 0);
    assert_int_equal(zmq_getsockopt(peer, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);

    world_add_many(world, EVENTS);
    char *url = alloc_format("zmq+push://both.test:%s", strrchr(endpoint, ':') + 1);
    struct planner_options options = {.tape = world->directory, .target = url, .max_hops = 1};
    struct plan *plan = planner_make(&options, &err);
    assert_ok(plan != NULL);
    world_run(world, plan, &progress);
    assert_int_equal(progress.acknowledged, EVENTS);
    plan_free(plan);
    (void)zmq_close(peer);
    (void)zmq_ctx_term(context);
    world_free(world);
    free(wanted);
    free(url);
}

static void
reaches_a_peer_at_the_address_of_ipv4(void **state)
{
    (void)state;
    replays_to("127.0.0.1");
}

static void
reaches_a_peer_at_the_address_of_ipv6(void **state)
{
    (void)state;
    if (!two_addresses_has_ipv6())
        unit_skip(__func__, "no IPv6 on this machine");
    replays_to("[::1]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reaches_a_peer_at_the_address_of_ipv4),
        cmocka_unit_test(reaches_a_peer_at_the_address_of_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
