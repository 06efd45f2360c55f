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
reads_files_and_zeromq_sockets(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        {"file:///tmp/copy.ndjson", "file", "this machine", "/tmp/copy.ndjson"},
        {"zmq+pub://host:5556", "zmq", "tcp://host:5556", "host:5556"},
        {"zmq+push+bind://*:5556", "zmq", "tcp://*:5556", "*:5556"},
        {"zmq+dealer+bind+ipc:///run/x", "zmq", "ipc:///run/x", "/run/x"},
        {"zmq+push://[::1]:5556", "zmq", "tcp://[::1]:5556", "[::1]:5556"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target target;
        struct error err;
        assert_ok(target_parse(rows[i][0], &target, &err));
        assert_string_equal(target.transport, rows[i][1]);
        assert_string_equal(target.servers, rows[i][2]);
        assert_string_equal(target.name, rows[i][3]);
        target_done(&target);
    }
}

static void
refuses_what_names_no_topic_or_no_server(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "orders", "kafka://", "kafka://host", "kafka://host/",
        "kafka:///orders", "kafka://a,,b/orders", "kafka://host/a/b", "kafka://host/a,b",
        "kafka://ho st/orders", "kafka://host/or\x1b[2Jders", "zmq://host:1/x", "zmq+push://host",
        "zmq+push://host:0", "zmq+push://:1", "zmq+push://ho st:1", "zmq+push+ipc://x",
        "zmq+pubs://h:1", "file://x", "file:///", "file:///a/", "file:///a b", "file:///a\x1b[2J",
        "kafka://host:0/x", "kafka://host:65536/x", "kafka://host:-1/x", "kafka://host:/x",
        "kafka://:9092/x", "kafka://host:9092x/x", "kafka://host:4295001388/x"};
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
        cmocka_unit_test(reads_files_and_zeromq_sockets),
        cmocka_unit_test(refuses_what_names_no_topic_or_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
