/* Targets at a name that has an address of IPv4 and one of IPv6, as localhost mostly has. */

/* The next definition of a function. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/error.h"
#include "replay/plan.h"
#include "tests/support/replay_world.h"
#include "tests/support/unit.h"

#define EVENTS 20

typedef int resolve(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found);

/* libzmq asks us instead of the system. As there the address of IPv6 comes first, where both are asked for. */
int
getaddrinfo(/* NOLINT(readability-inconsistent-declaration-parameter-name): libc's are reserved */
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    resolve *next;
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node != NULL && strcmp(node, "both.test") == 0)
        node = hints->ai_family == AF_INET ? "127.0.0.1" : "::1";
    return next(node, service, hints, found);
}

static bool
has_ipv6(void)
{
    const struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_there;
}

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
    if (!has_ipv6())
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
