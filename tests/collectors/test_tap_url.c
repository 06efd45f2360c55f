#include <stdlib.h>

#include "collectors/tap_url.h"
#include "tests/support/unit.h"

static void
check(const char *text, const char *transport, const char *address, const char *path)
{
    struct tap_url url;
    struct error err;
    assert_ok(tap_url_parse(text, 9092, &url, &err));
    assert_string_equal(url.text, text);
    assert_string_equal(url.transport, transport);
    assert_string_equal(url.address, address);
    assert_string_equal(url.path, path);
    tap_url_done(&url);
}

static void
refuse(const char *text, uint16_t default_port, const char *expected)
{
    struct tap_url url;
    struct error err;
    assert_false(tap_url_parse(text, default_port, &url, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    if (strstr(err.text, expected) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, expected);
}

static void
takes_host_port_and_path_apart(void **state)
{
    (void)state;
    check("kafka://localhost:9093/orders", "kafka", "localhost:9093", "orders");
}

static void
adds_the_default_port_to_each_host(void **state)
{
    (void)state;
    check("kafka://a,b:1,c/x,y", "kafka", "a:9092,b:1,c:9092", "x,y");
}

static void
reads_ipv6_in_brackets(void **state)
{
    (void)state;
    check("kafka://[::1]:9093/x", "kafka", "[::1]:9093", "x");
    check("kafka://[fe80::1]/x", "kafka", "[fe80::1]:9092", "x");
}

static void
needs_no_path(void **state)
{
    (void)state;
    check("zmq://h:5556", "zmq", "h:5556", "");
    check("zmq://h:5556/", "zmq", "h:5556", "");
}

static void
decodes_percent_in_the_path(void **state)
{
    (void)state;
    check("zmq://h:5556/a%20b%2Fc%25", "zmq", "h:5556", "a b/c%");
}

static void
reads_a_socket_file_and_its_prefix(void **state)
{
    (void)state;
    check("zmq+ipc:///run/a%23b.sock#or%64ers", "zmq+ipc", "/run/a#b.sock", "orders");
    check("zmq+ipc:///run/a.sock", "zmq+ipc", "/run/a.sock", "");
}

static void
refuses_what_is_no_url(void **state)
{
    (void)state;
    refuse("", 1, "is not a URL");
    refuse("orders", 1, "is not a URL");
    refuse("://h/x", 1, "is not a URL");
    refuse("kafka://a b/x", 1, "blank or a control character at byte 10");
    refuse("kafka://a\033[2J/x", 1, "control character");
}

static void
refuses_a_missing_host(void **state)
{
    (void)state;
    refuse("kafka:///x", 1, "a host is missing");
    refuse("kafka://a,,b/x", 1, "a host is missing");
    refuse("kafka://:9092/x", 1, "a host is missing");
    refuse("zmq+ipc://", 1, "file is missing");
    refuse("zmq+ipc:///#x", 1, "file is missing");
}

static void
refuses_a_bad_port(void **state)
{
    (void)state;
    refuse("kafka://a:0/x", 1, "port '0'");
    refuse("kafka://a:65536/x", 1, "port '65536'");
    refuse("kafka://a:/x", 1, "port ''");
    refuse("kafka://a:9o92/x", 1, "port '9o92'");
    refuse("kafka://[::1]:x/x", 1, "port 'x'");
    refuse("zmq://a/x", 0, "the port of 'a' is missing");
}

static void
refuses_ipv6_that_is_not_in_brackets(void **state)
{
    (void)state;
    refuse("kafka://::1/x", 1, "[::1]");
    refuse("kafka://[::1/x", 1, "not an IPv6 address in brackets");
    refuse("kafka://[::1]9092/x", 1, "not an IPv6 address in brackets");
}

static void
refuses_a_password_without_repeating_it(void **state)
{
    (void)state;
    struct tap_url url;
    struct error err;
    assert_false(tap_url_parse("kafka://me:secret@h/x", 1, &url, &err));
    assert_null(strstr(err.text, "secret"));
    assert_non_null(strstr(err.text, "properties"));
}

static void
refuses_broken_percents_and_zero_bytes(void **state)
{
    (void)state;
    refuse("zmq://h:1/a%", 1, "hex digits");
    refuse("zmq://h:1/a%2", 1, "hex digits");
    refuse("zmq://h:1/a%zz", 1, "hex digits");
    refuse("zmq://h:1/a%00b", 1, "hex digits");
}

static void
steps_through_a_list(void **state)
{
    (void)state;
    char *first = tap_url_item("a,,c", 0);
    char *second = tap_url_item("a,,c", 1);
    char *third = tap_url_item("a,,c", 2);
    assert_string_equal(first, "a");
    assert_string_equal(second, "");
    assert_string_equal(third, "c");
    assert_null(tap_url_item("a,,c", 3));
    free(first);
    free(second);
    free(third);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_host_port_and_path_apart),
        cmocka_unit_test(adds_the_default_port_to_each_host),
        cmocka_unit_test(reads_ipv6_in_brackets),
        cmocka_unit_test(needs_no_path),
        cmocka_unit_test(decodes_percent_in_the_path),
        cmocka_unit_test(reads_a_socket_file_and_its_prefix),
        cmocka_unit_test(refuses_what_is_no_url),
        cmocka_unit_test(refuses_a_missing_host),
        cmocka_unit_test(refuses_a_bad_port),
        cmocka_unit_test(refuses_ipv6_that_is_not_in_brackets),
        cmocka_unit_test(refuses_a_password_without_repeating_it),
        cmocka_unit_test(refuses_broken_percents_and_zero_bytes),
        cmocka_unit_test(steps_through_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
