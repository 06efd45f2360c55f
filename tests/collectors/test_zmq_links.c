/* The connections of a ZeroMQ tap, against real sockets on loopback, and `tap test` over them. */

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/recorder.h"
#include "collectors/source.h"
#include "collectors/tap_check.h"
#include "collectors/tap_url.h"
#include "collectors/zmq_endpoint.h"
#include "collectors/zmq_links.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (20 * NS_PER_S)

/* The other side's context and socket, a port of loopback, and our links to it. */
struct setting {
    void *context;
    void *other;
    int plain;     /* a TCP socket, else -1 */
    char *address; /* 127.0.0.1:PORT */
    char *url;
    struct tap_url parsed;
    struct source_config config;
    struct recorder_property properties[2];
    struct zmq_request request;
    void *own_context;
    void *socket;
    struct zmq_links *links;
};

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    setting->context = zmq_ctx_new();
    setting->own_context = zmq_ctx_new();
    setting->plain = -1;
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    zmq_links_free(setting->links);
    if (setting->socket != NULL)
        (void)zmq_close(setting->socket);
    if (setting->other != NULL)
        (void)zmq_close(setting->other);
    if (setting->plain >= 0)
        (void)close(setting->plain);
    (void)zmq_ctx_term(setting->own_context);
    (void)zmq_ctx_term(setting->context);
    tap_url_done(&setting->parsed);
    free(setting->address);
    free(setting->url);
    free(setting);
    return 0;
}

/* A socket of `type` on a port that is free, or on the same port as before. */
static void
open_other(struct setting *setting, int type, int option)
{
    int none = 0;
    char endpoint[64];
    size_t length = sizeof(endpoint);
    setting->other = zmq_socket(setting->context, type);
    assert_int_equal(zmq_setsockopt(setting->other, ZMQ_LINGER, &none, sizeof(none)), 0);
    if (option != 0)
        assert_int_equal(zmq_setsockopt(setting->other, option, &(int){1}, sizeof(int)), 0);
    char *wanted = setting->address == NULL ? alloc_text("tcp://127.0.0.1:*")
                                            : alloc_format("tcp://%s", setting->address);
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    while (zmq_bind(setting->other, wanted) != 0) /* the one before is closed in the background */
        if (clock_monotonic_ns() > deadline)
            fail_msg("cannot bind %s: %s", wanted, zmq_strerror(zmq_errno()));
    free(wanted);
    assert_int_equal(zmq_getsockopt(setting->other, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    free(setting->address);
    setting->address = alloc_text(endpoint + strlen("tcp://"));
}

static void
close_other(struct setting *setting)
{
    (void)zmq_close(setting->other);
    setting->other = NULL;
}

/* A TCP port that accepts and never says a word. */
static void
open_silent(struct setting *setting)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    setting->plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(setting->plain, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(setting->plain, 8), 0);
    assert_int_equal(getsockname(setting->plain, (struct sockaddr *)&address, &length), 0);
    setting->address = alloc_format("127.0.0.1:%d", ntohs(address.sin_port));
}

static void
use_url(struct setting *setting, const char *format)
{
    struct error err;
    char *at = strchr(format, '@');
    assert_non_null(at);
    setting->url = alloc_format("%.*s%s%s", (int)(at - format), format, setting->address, at + 1);
    assert_ok(tap_url_parse(setting->url, 0, &setting->parsed, &err));
    setting->config.url = &setting->parsed;
    setting->config.properties = setting->properties;
    while (setting->config.property_count < 2 &&
           setting->properties[setting->config.property_count].name != NULL)
        setting->config.property_count++;
    assert_ok(zmq_request_read(&setting->config, &setting->request, &err));
}

static void
attach(struct setting *setting, const char *format)
{
    struct error err;
    use_url(setting, format);
    setting->socket = zmq_socket(setting->own_context, zmq_request_socket_type(&setting->request));
    assert_true(zmq_request_set_options(&setting->request, setting->socket));
    setting->links =
        zmq_links_new(&setting->request, &setting->config, setting->own_context, setting->socket);
    assert_non_null(setting->links);
    assert_ok(zmq_links_attach(setting->links, NULL, &err));
}

/* Wait for the next change; `part` is in the reason when it is ZMQ_CHANGE_DOWN. */
static void
expect(struct setting *setting, enum zmq_change wanted, const char *part)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    zmq_pollitem_t item = {.socket = zmq_links_socket(setting->links), .events = ZMQ_POLLIN};
    while (clock_monotonic_ns() < deadline) {
        const char *endpoint;
        struct zmq_reason reason;
        enum zmq_change change = zmq_links_next(setting->links, &endpoint, &reason);
        if (change == wanted && (part == NULL || strstr(reason.what, part) != NULL))
            return;
        if (change == ZMQ_CHANGE_UP || change == ZMQ_CHANGE_LOST)
            fail_msg("change %d instead of %d", (int)change, (int)wanted);
        (void)zmq_poll(&item, 1, 20);
    }
    fail_msg("waited for change %d (%s)", (int)wanted, part == NULL ? "" : part);
}

static void
follows_a_publisher_that_goes_and_comes_back(void **state)
{
    struct setting *setting = *state;
    open_other(setting, ZMQ_PUB, 0);
    attach(setting, "zmq://@");
    expect(setting, ZMQ_CHANGE_UP, NULL);
    assert_true(zmq_links_all_up(setting->links));
    close_other(setting);
    expect(setting, ZMQ_CHANGE_LOST, NULL);
    assert_int_equal(zmq_links_up_count(setting->links), 0);
    expect(setting, ZMQ_CHANGE_DOWN, "no publisher answers");
    open_other(setting, ZMQ_PUB, 0);
    expect(setting, ZMQ_CHANGE_UP, NULL);
}

/* libzmq would never try again. */
static void
comes_in_when_the_way_of_authentication_was_put_right(void **state)
{
    struct setting *setting = *state;
    open_other(setting, ZMQ_PUB, ZMQ_PLAIN_SERVER);
    attach(setting, "zmq://@");
    expect(setting, ZMQ_CHANGE_DOWN, "it wants authentication and the tap has none");
    close_other(setting);
    open_other(setting, ZMQ_PUB, 0);
    expect(setting, ZMQ_CHANGE_UP, NULL);
}

/* Nor after this, of which it says nothing at all. */
static void
comes_in_when_the_socket_was_replaced_by_a_publisher(void **state)
{
    struct setting *setting = *state;
    open_other(setting, ZMQ_PUSH, 0);
    attach(setting, "zmq://@");
    expect(setting, ZMQ_CHANGE_DOWN, "it is a ZeroMQ socket that does not publish");
    close_other(setting);
    open_other(setting, ZMQ_PUB, 0);
    expect(setting, ZMQ_CHANGE_UP, NULL);
}

/* Take whoever comes to the silent port, and hang up. */
static int
hang_up(struct setting *setting)
{
    zmq_pollitem_t item = {.fd = setting->plain, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, 20) <= 0)
        return 0;
    int guest = accept(setting->plain, NULL, NULL);
    assert_true(guest >= 0);
    (void)close(guest);
    return 1;
}

/* What who wants another mechanism says may be lost with the connection; it is said again at the next one. */
static void
does_not_blame_the_first_hang_up(void **state)
{
    struct setting *setting = *state;
    const char *endpoint;
    struct zmq_reason reason;
    open_silent(setting);
    attach(setting, "zmq://@");
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    int count = 0;
    while (zmq_links_next(setting->links, &endpoint, &reason) != ZMQ_CHANGE_DOWN) {
        count += hang_up(setting);
        assert_true(clock_monotonic_ns() < deadline);
    }
    assert_string_equal(reason.what, "it hangs up in the greeting");
    assert_int_equal(count, 4);
}

static void
says_so_when_what_answers_keeps_silent(void **state)
{
    struct setting *setting = *state;
    open_silent(setting);
    attach(setting, "zmq://@");
    int64_t began_ns = clock_monotonic_ns();
    expect(setting, ZMQ_CHANGE_DOWN, "something answers that does not greet as ZeroMQ");
    assert_true(clock_monotonic_ns() - began_ns < 5 * NS_PER_S);
    assert_false(zmq_links_all_up(setting->links));
}

static void
says_that_a_host_has_no_address(void **state)
{
    struct setting *setting = *state;
    setting->address = alloc_text("nobody.invalid:5556");
    attach(setting, "zmq://@");
    expect(setting, ZMQ_CHANGE_DOWN, "the name of the host is not known");
}

/* The other address is up all the while. */
static void
knows_which_of_two_is_down(void **state)
{
    struct setting *setting = *state;
    struct zmq_address address;
    open_other(setting, ZMQ_PUB, 0);
    attach(setting, "zmq://@,127.0.0.1:1");
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    do {
        const char *endpoint;
        struct zmq_reason reason;
        while (zmq_links_next(setting->links, &endpoint, &reason) != ZMQ_CHANGE_NONE)
            continue;
        assert_true(zmq_links_address(setting->links, 1, &address));
        assert_true(clock_monotonic_ns() < deadline);
    } while (address.fault == ZMQ_FAULT_NONE || zmq_links_up_count(setting->links) == 0);
    assert_string_equal(address.endpoint, "tcp://127.0.0.1:1");
    assert_int_equal(address.fault, ZMQ_FAULT_NOBODY);
    assert_true(zmq_links_address(setting->links, 0, &address));
    assert_true(address.is_up);
    assert_false(zmq_links_all_up(setting->links));
    assert_false(zmq_links_address(setting->links, 2, &address));
}

static void
names_an_interface_that_is_not_there(void **state)
{
    struct setting *setting = *state;
    struct error err;
    setting->address = alloc_text("nobody.invalid:5556");
    use_url(setting, "zmq+bind://@");
    setting->socket = zmq_socket(setting->own_context, ZMQ_SUB);
    setting->links =
        zmq_links_new(&setting->request, &setting->config, setting->own_context, setting->socket);
    assert_false(zmq_links_attach(setting->links, NULL, &err));
    assert_non_null(strstr(err.text, "no address or network interface of this machine"));
}

/* ---- tap test ---- */

struct reported {
    int count;
    struct tap_check last;
    char text[512];
    char fix[512];
};

static void
take_report(void *self, const struct tap_check *check)
{
    struct reported *reported = self;
    reported->count++;
    reported->last = *check;
    (void)snprintf(reported->text, sizeof(reported->text), "%s", check->text);
    (void)snprintf(reported->fix, sizeof(reported->fix), "%s", check->fix);
}

static enum error_code
check_tap(struct setting *setting, const char *format, struct reported *reported)
{
    use_url(setting, format);
    struct recorder_tap tap = {.url = setting->url,
        .properties = setting->properties,
        .property_count = setting->config.property_count};
    *reported = (struct reported){0};
    return tap_check_run(&tap, take_report, reported);
}

static void
a_test_finds_a_publisher_that_has_nothing_to_say(void **state)
{
    struct setting *setting = *state;
    struct reported reported;
    open_other(setting, ZMQ_PUB, 0);
    assert_int_equal(check_tap(setting, "zmq://@/orders", &reported), ERROR_NONE);
    assert_int_equal(reported.count, 3);
    assert_string_equal(reported.last.name, "read");
    assert_int_equal(reported.last.verdict, TAP_VERDICT_SKIPPED);
}

static void
a_test_says_what_to_do_when_nobody_listens(void **state)
{
    struct setting *setting = *state;
    struct reported reported;
    setting->address = alloc_text("127.0.0.1:1");
    assert_int_equal(check_tap(setting, "zmq://@", &reported), ERROR_REMOTE);
    assert_string_equal(reported.last.name, "connect");
    assert_int_equal(reported.last.verdict, TAP_VERDICT_BAD);
    assert_string_equal(reported.text, "tcp://127.0.0.1:1: no publisher answers");
}

/* Who does not know our way of authentication says his own and closes, and the close may overtake it. On a busy machine that
 * may be so several times in a row, and then it is all that can be known: so it is asked more than once. */
static void
a_test_says_that_the_other_side_does_not_use_what_is_configured(void **state)
{
    struct setting *setting = *state;
    struct reported reported;
    enum error_code code = ERROR_NONE;
    setting->properties[0] = (struct recorder_property){"plain_username", "deck"};
    setting->properties[1] = (struct recorder_property){"plain_password", "s3cret"};
    open_other(setting, ZMQ_PUB, 0);
    for (int attempt = 0; attempt < 5 && code != ERROR_REFUSED; attempt++)
        code = check_tap(setting, "zmq://@", &reported);
    assert_int_equal(code, ERROR_REFUSED);
    assert_non_null(strstr(reported.text, "it does not use PLAIN"));
    assert_non_null(strstr(reported.fix, "remove zeromq.plain_username"));
}

/* Whoever is meant to pull gets it all. */
static void
a_test_of_a_pull_tap_takes_nothing(void **state)
{
    struct setting *setting = *state;
    struct reported reported;
    open_other(setting, ZMQ_PUSH, 0);
    assert_int_equal(check_tap(setting, "zmq+pull://@/shop", &reported), ERROR_NONE);
    assert_int_equal(reported.last.verdict, TAP_VERDICT_SKIPPED);
    assert_int_equal(zmq_send(setting->other, "x", 1, ZMQ_DONTWAIT), -1);
}

static void
a_test_of_a_bound_tap_finds_its_address_taken(void **state)
{
    struct setting *setting = *state;
    struct reported reported;
    open_other(setting, ZMQ_PUB, 0);
    assert_int_equal(check_tap(setting, "zmq+bind://@", &reported), ERROR_SYSTEM);
    assert_non_null(strstr(reported.text, "Address already in use"));
}

#define LINKS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LINKS_TEST(follows_a_publisher_that_goes_and_comes_back),
        LINKS_TEST(comes_in_when_the_way_of_authentication_was_put_right),
        LINKS_TEST(comes_in_when_the_socket_was_replaced_by_a_publisher),
        LINKS_TEST(does_not_blame_the_first_hang_up),
        LINKS_TEST(says_so_when_what_answers_keeps_silent),
        LINKS_TEST(says_that_a_host_has_no_address),
        LINKS_TEST(knows_which_of_two_is_down),
        LINKS_TEST(names_an_interface_that_is_not_there),
        LINKS_TEST(a_test_finds_a_publisher_that_has_nothing_to_say),
        LINKS_TEST(a_test_says_what_to_do_when_nobody_listens),
        LINKS_TEST(a_test_says_that_the_other_side_does_not_use_what_is_configured),
        LINKS_TEST(a_test_of_a_pull_tap_takes_nothing),
        LINKS_TEST(a_test_of_a_bound_tap_finds_its_address_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
