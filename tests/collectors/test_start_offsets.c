#include "base/error.h"
#include "collectors/start_offsets.h"
#include "tests/support/unit.h"

static void
reads_topics_partitions_and_offsets(void **state)
{
    (void)state;
    struct start_offsets offsets = {0};
    struct error err;
    assert_ok(start_offsets_parse(
        &offsets, "orders[0]@1200 , pay.ments-x[3]@0,orders[1]@9223372036854775806", &err));
    assert_int_equal(offsets.count, 3);
    assert_int_equal(start_offsets_find(&offsets, "orders", 0), 1200);
    assert_int_equal(start_offsets_find(&offsets, "pay.ments-x", 3), 0);
    assert_int_equal(start_offsets_find(&offsets, "orders", 1), INT64_MAX - 1);
    assert_int_equal(start_offsets_find(&offsets, "orders", 3), -1);
    assert_int_equal(start_offsets_find(&offsets, "others", 0), -1);
    start_offsets_done(&offsets);
}

static void
reads_partitions_of_the_only_topic(void **state)
{
    (void)state;
    struct start_offsets offsets = {0};
    struct error err;
    assert_ok(start_offsets_parse(&offsets, "0=1200,3=77", &err));
    assert_int_equal(start_offsets_find(&offsets, "anything", 3), 77);
    assert_int_equal(start_offsets_find(&offsets, "anything", 1), -1);
    start_offsets_done(&offsets);
}

static void
tells_offsets_from_times_and_words(void **state)
{
    (void)state;
    assert_true(start_offsets_is("0=5"));
    assert_true(start_offsets_is("orders[0]"));
    assert_true(start_offsets_is("orders@5"));
    assert_false(start_offsets_is("resume"));
    assert_false(start_offsets_is("2026-11-23T14:29:31.102Z"));
    assert_false(start_offsets_is("-15m"));
}

static void
expect_refused(const char *text, const char *words)
{
    struct start_offsets offsets = {0};
    struct error err;
    assert_false(start_offsets_parse(&offsets, text, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in: %s", words, err.text);
    assert_int_equal(offsets.count, 0);
}

static void
says_which_item_is_wrong(void **state)
{
    (void)state;
    expect_refused("0=1,orders[1]", "'orders[1]' is not an offset to begin at; expected TOPIC[");
    expect_refused("0=", "'0='");
    expect_refused("=5", "'=5'");
    expect_refused("[0]@5", "'[0]@5'");
    expect_refused("orders[-1]@5", "'orders[-1]@5'");
    expect_refused("orders[0]@-5", "'orders[0]@-5'");
    expect_refused("orders[0]@5x", "'orders[0]@5x'");
    expect_refused("orders[2147483648]@5", "'orders[2147483648]@5'");
    expect_refused("0=9223372036854775807", "'0=9223372036854775807'");
    expect_refused("0=1,,1=2", "''");
    expect_refused("orders[0]@1,orders[0]@2", "'orders[0]@2' names a partition that has an offset");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_topics_partitions_and_offsets),
        cmocka_unit_test(reads_partitions_of_the_only_topic),
        cmocka_unit_test(tells_offsets_from_times_and_words),
        cmocka_unit_test(says_which_item_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
