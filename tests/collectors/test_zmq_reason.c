#include "collectors/zmq_endpoint.h"
#include "collectors/zmq_reason.h"
#include "tests/support/unit.h"

static const struct zmq_request plain = {.plain_username = "a", .plain_password = "b"};
static const struct zmq_request curve = {.curve_server_key = "key"};
static const struct zmq_request server = {.is_bound = true, .curve_secret_key = "key"};
static const struct zmq_request open_to_all = {.is_bound = true};

static void
assert_fix(const struct zmq_request *request, enum zmq_fault fault, const char *part)
{
    struct zmq_reason reason = zmq_reason_of(request, fault);
    if (strstr(reason.fix, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, reason.fix);
}

static void
says_what_to_do_about_a_publisher(void **state)
{
    (void)state;
    assert_fix(&curve, ZMQ_FAULT_KEYS, "correct zeromq.curve_server_key");
    assert_fix(&curve, ZMQ_FAULT_MECHANISM, "remove the zeromq.curve_... keys");
    assert_fix(&plain, ZMQ_FAULT_MECHANISM, "remove zeromq.plain_username");
    assert_fix(&plain, ZMQ_FAULT_LOGIN, "correct zeromq.plain_username");
}

/* Where they come to us, it is mostly they who must change. */
static void
says_what_to_do_about_who_comes_to_us(void **state)
{
    (void)state;
    assert_fix(&server, ZMQ_FAULT_KEYS, "the public key of zeromq.curve_secret_key");
    assert_fix(&server, ZMQ_FAULT_MECHANISM, "the public key of zeromq.curve_secret_key");
    assert_fix(&open_to_all, ZMQ_FAULT_MECHANISM, "set zeromq.curve_secret_key");
    assert_fix(&server, ZMQ_FAULT_HANG_UP, "the public key of zeromq.curve_secret_key");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_to_do_about_a_publisher),
        cmocka_unit_test(says_what_to_do_about_who_comes_to_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
