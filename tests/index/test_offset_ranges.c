#include "index/offset_ranges.h"
#include "tests/support/unit.h"

static void
joins_offsets_that_follow_each_other(void **unused)
{
    (void)unused;
    struct offset_ranges ranges = {0};
    for (int64_t offset = 3; offset < 1000; offset++)
        offset_ranges_add(&ranges, offset);
    offset_ranges_add(&ranges, 1001);
    assert_int_equal(ranges.count, 2);
    assert_int_equal(ranges.items[0].first, 3);
    assert_int_equal(ranges.items[0].last, 999);
    assert_int_equal(ranges.items[1].first, 1001);
    assert_int_equal(ranges.items[1].last, 1001);
    offset_ranges_done(&ranges);
}

static bool
have(const struct offset_ranges *ranges, int64_t offset)
{
    const struct offset_range *range = offset_ranges_from(ranges, offset);
    return range != NULL && range->first <= offset;
}

static void
knows_what_it_has(void **unused)
{
    (void)unused;
    struct offset_ranges ranges = {0};
    assert_false(have(&ranges, 0));
    assert_null(offset_ranges_from(&ranges, 0));
    for (int64_t offset = 0; offset < 100; offset += 2)
        offset_ranges_add(&ranges, offset);
    assert_int_equal(ranges.count, 50);
    assert_true(have(&ranges, 0));
    assert_false(have(&ranges, 1));
    assert_true(have(&ranges, 98));
    assert_false(have(&ranges, 99));
    assert_int_equal(offset_ranges_from(&ranges, 51)->first, 52);
    assert_null(offset_ranges_from(&ranges, 99));
    offset_ranges_done(&ranges);
}

static void
is_not_changed_by_an_offset_that_comes_again(void **unused)
{
    (void)unused;
    struct offset_ranges ranges = {0};
    offset_ranges_add(&ranges, 7);
    offset_ranges_add(&ranges, 8);
    offset_ranges_add(&ranges, 7);
    offset_ranges_add(&ranges, 5);
    assert_int_equal(ranges.count, 1);
    assert_int_equal(ranges.items[0].first, 7);
    assert_int_equal(ranges.items[0].last, 8);
    offset_ranges_done(&ranges);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_offsets_that_follow_each_other),
        cmocka_unit_test(knows_what_it_has),
        cmocka_unit_test(is_not_changed_by_an_offset_that_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
