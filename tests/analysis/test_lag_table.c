#include "analysis/lag_table.h"
#include "base/clock.h"
#include "tests/support/unit.h"

static void
add(struct lag_table *table, const char *group, int32_t partition, int64_t second)
{
    lag_table_add(table, group, "orders", partition,
        &(struct lag_point){.at_ns = second * NS_PER_S, .committed = second, .stable = -1});
}

static void
keeps_partitions_apart_in_whatever_order_they_come(void **unused)
{
    (void)unused;
    struct lag_table *table = lag_table_new();
    add(table, "b", 1, 1);
    add(table, "a", 7, 1);
    add(table, "b", 0, 1);
    add(table, "b", 1, 2);

    size_t count;
    const struct lag_point *points = lag_table_points(table, "b", "orders", 1, &count);
    assert_int_equal(count, 2);
    assert_int_equal(points[0].committed, 1);
    assert_int_equal(points[1].committed, 2);
    (void)lag_table_points(table, "b", "orders", 0, &count);
    assert_int_equal(count, 1);
    assert_null(lag_table_points(table, "b", "payments", 1, &count));
    assert_int_equal(count, 0);
    lag_table_free(table);
}

static void
drops_the_oldest_and_takes_no_moment_twice(void **unused)
{
    (void)unused;
    struct lag_table *table = lag_table_new();
    for (int64_t second = 1; second <= LAG_POINTS_MAX + 3; second++)
        add(table, "a", 0, second);
    add(table, "a", 0, LAG_POINTS_MAX + 3);
    add(table, "a", 0, 5);

    size_t count;
    const struct lag_point *points = lag_table_points(table, "a", "orders", 0, &count);
    assert_int_equal(count, LAG_POINTS_MAX);
    assert_int_equal(points[0].committed, 4);
    assert_int_equal(points[count - 1].committed, LAG_POINTS_MAX + 3);
    lag_table_free(table);
}

static void
leaves_out_what_is_between_two_that_say_the_same(void **unused)
{
    (void)unused;
    struct lag_table *table = lag_table_new();
    for (int64_t second = 1; second <= 1000; second++)
        lag_table_add(table, "a", "orders", 0,
            &(struct lag_point){
                .at_ns = second * NS_PER_S, .committed = second < 900 ? 5 : 6, .stable = -1});

    size_t count;
    const struct lag_point *points = lag_table_points(table, "a", "orders", 0, &count);
    assert_int_equal(count, 4);
    assert_int_equal(points[0].at_ns / NS_PER_S, 1);
    assert_int_equal(points[1].at_ns / NS_PER_S, 899);
    assert_int_equal(points[2].at_ns / NS_PER_S, 900);
    assert_int_equal(points[3].at_ns / NS_PER_S, 1000);
    lag_table_free(table);
}

static void
keeps_fewer_points_of_each_where_there_are_many(void **unused)
{
    (void)unused;
    struct lag_table *table = lag_table_new();
    for (int32_t partition = 0; partition < 10000; partition++)
        for (int64_t second = 1; second <= 60; second++)
            add(table, "a", partition, second);
    size_t count;
    const struct lag_point *points = lag_table_points(table, "a", "orders", 9999, &count);
    assert_int_equal(count, LAG_TABLE_POINTS / 10000);
    assert_int_equal(points[count - 1].committed, 60);
    lag_table_free(table);
}

static void
forgets_what_is_gone(void **unused)
{
    (void)unused;
    struct lag_table *table = lag_table_new();
    add(table, "a", 0, 1);
    add(table, "a", 1, 9);
    add(table, "b", 0, 2);
    lag_table_forget(table, 5 * NS_PER_S);
    size_t count;
    (void)lag_table_points(table, "a", "orders", 0, &count);
    assert_int_equal(count, 0);
    (void)lag_table_points(table, "a", "orders", 1, &count);
    assert_int_equal(count, 1);
    (void)lag_table_points(table, "b", "orders", 0, &count);
    assert_int_equal(count, 0);
    lag_table_free(table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_partitions_apart_in_whatever_order_they_come),
        cmocka_unit_test(drops_the_oldest_and_takes_no_moment_twice),
        cmocka_unit_test(leaves_out_what_is_between_two_that_say_the_same),
        cmocka_unit_test(keeps_fewer_points_of_each_where_there_are_many),
        cmocka_unit_test(forgets_what_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
