#include "base/host_name.h"
#include "tests/support/unit.h"

static void
tells_a_name_from_numbers(void **state)
{
    (void)state;
    assert_true(endpoint_has_host_name("tcp://localhost:5556"));
    assert_true(endpoint_has_host_name("tcp://1and1.example:5556"));
    assert_false(endpoint_has_host_name("tcp://127.0.0.1:5556"));
    assert_false(endpoint_has_host_name("tcp://[::1]:5556"));
    assert_false(endpoint_has_host_name("tcp://[fe80::1%eth0]:5556"));
    assert_false(endpoint_has_host_name("ipc:///run/a:1"));
    assert_false(endpoint_has_host_name("tcp://:5556"));
    assert_false(endpoint_has_host_name("tcp://localhost"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tells_a_name_from_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
