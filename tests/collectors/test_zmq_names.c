/* Names of hosts that have an address of IPv4 and one of IPv6, as localhost mostly has. */

#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/collectors_zmq.h"
#include "tests/support/two_addresses.h"
#include "tests/support/unit.h"

/* Bind the publisher to `host`, at the same port as before if there was one, and record it by its name. */
static void
bind_publisher(struct feed_setting *setting, const char *host)
{
    char endpoint[64];
    size_t length = sizeof(endpoint);
    char *port =
        alloc_text(strncmp(setting->url, "zmq://", 6) == 0 ? strrchr(setting->url, ':') + 1 : "*");
    free(setting->endpoint);
    setting->endpoint = alloc_format("tcp://%s:%s", host, port);
    feed_bind(setting);
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    feed_use_url(setting, alloc_format("zmq://both.test:%s", strrchr(endpoint, ':') + 1));
    free(port);
}

static void
record_one(struct feed_setting *setting)
{
    struct recorder *recorder = feed_start(setting);
    feed_publish(setting, "here");
    wait_for_events(recorder, 1);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop_recorder(recorder);
}

static void
reaches_a_publisher_at_the_address_of_ipv4(void **state)
{
    (void)zmq_close(((struct feed_setting *)*state)->publisher);
    bind_publisher(*state, "127.0.0.1");
    record_one(*state);
}

static void
reaches_a_publisher_at_the_address_of_ipv6(void **state)
{
    if (!two_addresses_has_ipv6())
        unit_skip(__func__, "no IPv6 on this machine");
    (void)zmq_close(((struct feed_setting *)*state)->publisher);
    bind_publisher(*state, "[::1]");
    record_one(*state);
}

static void
finds_a_publisher_that_comes_back_at_the_other_address(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "127.0.0.1"};
    struct feed_setting *setting = *state;
    if (!two_addresses_has_ipv6())
        unit_skip(__func__, "no IPv6 on this machine");
    (void)zmq_close(setting->publisher);
    bind_publisher(setting, hosts[0]);
    struct recorder *recorder = feed_start(setting);
    for (int i = 1; i < 3; i++) {
        (void)zmq_close(setting->publisher);
        wait_for_text(recorder, 0, "no publisher answers");
        bind_publisher(setting, hosts[i]);
        feed_wait_for_subscription(setting);
        wait_for_tap(recorder, 0, TAP_LIVE);
    }
    stop_recorder(recorder);
}

static void
says_that_nobody_is_at_either(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_url(setting, alloc_format("zmq://both.test:%d", feed_free_port()));
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    wait_for_text(recorder, 0, "no publisher answers");
    stop_recorder(recorder);
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, feed_set_up, feed_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(reaches_a_publisher_at_the_address_of_ipv4),
        ZMQ_TEST(reaches_a_publisher_at_the_address_of_ipv6),
        ZMQ_TEST(finds_a_publisher_that_comes_back_at_the_other_address),
        ZMQ_TEST(says_that_nobody_is_at_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
