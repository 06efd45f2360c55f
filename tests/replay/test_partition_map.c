#include "replay/partition_map.h"
#include "tests/support/unit.h"

static void
hashes_as_the_java_client_does(void **state)
{
    (void)state;
    /* The values of the Java client's own unit test. */
    assert_int_equal((int32_t)murmur2(bytes_of("21")), -973932308);
    assert_int_equal((int32_t)murmur2(bytes_of("foobar")), -790332482);
    assert_int_equal((int32_t)murmur2(bytes_of("a-little-bit-long-string")), -985981536);
    assert_int_equal((int32_t)murmur2(bytes_of("a-little-bit-longer-string")), -1486304829);
    assert_int_equal(
        (int32_t)murmur2(bytes_of("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")), -58897971);
    assert_int_equal((int32_t)murmur2(bytes_of("abc")), 479470107);
}

static void
keeps_the_number_or_says_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(partition_map_apply(PARTITION_SAME, bytes_of("k"), 3, 4), 3);
    assert_int_equal(partition_map_apply(PARTITION_SAME, bytes_of("k"), 4, 4), -1);
}

static void
folds_lanes_by_modulo(void **state)
{
    (void)state;
    assert_int_equal(partition_map_apply(PARTITION_MODULO, bytes_of("k"), 3, 4), 3);
    assert_int_equal(partition_map_apply(PARTITION_MODULO, bytes_of("k"), 7, 4), 3);
}

static void
goes_by_key_and_leaves_null_keys_in_their_lane(void **state)
{
    (void)state;
    /* toPositive(-790332482) % 12 and toPositive(479470107) % 12 */
    assert_int_equal(partition_map_apply(PARTITION_MURMUR2, bytes_of("foobar"), 0, 12),
        (int32_t)(((uint32_t)-790332482 & 0x7fffffffu) % 12));
    assert_int_equal(
        partition_map_apply(PARTITION_MURMUR2, bytes_of("abc"), 0, 12), 479470107 % 12);
    assert_int_equal(partition_map_apply(PARTITION_MURMUR2, BYTES_NULL, 14, 12), 2);
}

static void
treats_an_empty_key_as_a_key(void **state)
{
    (void)state;
    int32_t empty = partition_map_apply(PARTITION_MURMUR2, bytes_of(""), 5, 12);
    assert_int_equal(empty, partition_map_apply(PARTITION_MURMUR2, bytes_of(""), 6, 12));
}

static void
reads_its_own_names(void **state)
{
    (void)state;
    enum partition_map map;
    for (int i = PARTITION_SAME; i <= PARTITION_MURMUR2; i++) {
        assert_true(partition_map_parse(partition_map_text((enum partition_map)i), &map));
        assert_int_equal(map, i);
    }
    assert_false(partition_map_parse("random", &map));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_as_the_java_client_does),
        cmocka_unit_test(keeps_the_number_or_says_there_is_none),
        cmocka_unit_test(folds_lanes_by_modulo),
        cmocka_unit_test(goes_by_key_and_leaves_null_keys_in_their_lane),
        cmocka_unit_test(treats_an_empty_key_as_a_key),
        cmocka_unit_test(reads_its_own_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
