#include "replay/target.h"
#include "tests/support/unit.h"

static void
reads_servers_and_topic(void **state)
{
    (void)state;
    struct target target;
    struct error err;
    assert_ok(target_parse("kafka://one:9093,two,[::1],[::2]:1/orders.copy_2", &target, &err));
    assert_string_equal(target.transport, "kafka");
    assert_string_equal(target.servers, "one:9093,two:9092,[::1]:9092,[::2]:1");
    assert_string_equal(target.name, "orders.copy_2");
    target_done(&target);
}

static void
refuses_what_names_no_topic_or_no_server(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "orders", "kafka://", "kafka://host", "kafka://host/",
        "kafka:///orders", "kafka://a,,b/orders", "kafka://host/a/b", "kafka://host/a,b",
        "kafka://ho st/orders", "kafka://host/or\x1b[2Jders", "zmq://host:1/x"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct target target;
        struct error err = {0};
        if (target_parse(urls[i], &target, &err))
            fail_msg("'%s' was taken", urls[i]);
        assert_int_equal(err.code, ERROR_ARGUMENT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_servers_and_topic),
        cmocka_unit_test(refuses_what_names_no_topic_or_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
