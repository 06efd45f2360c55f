#include <stdlib.h>

#include "base/alloc.h"
#include "collectors/lane_table.h"
#include "collectors/outlet.h"
#include "index/event.h"
#include "tests/support/unit.h"

enum {
    STREAMS = 100,
    PARTITIONS = 100,
};

static struct stream streams[STREAMS];

static struct tap_lane *
add(struct lane_table *table, uint32_t stream, int32_t partition)
{
    struct tap_lane *lane = alloc_zeroed(sizeof(*lane));
    streams[stream].id = stream;
    lane->stream = &streams[stream];
    lane->partition = partition;
    lane_table_add(table, lane);
    return lane;
}

static void
an_empty_table_has_nothing(void **state)
{
    (void)state;
    struct lane_table table = {0};
    assert_null(lane_table_find(&table, 0, 0));
    lane_table_done(&table);
}

static void
each_of_ten_thousand_is_found_where_it_stays(void **state)
{
    (void)state;
    struct lane_table table = {0};
    static struct tap_lane *wanted[STREAMS][PARTITIONS];
    for (uint32_t s = 0; s < STREAMS; s++)
        for (int32_t p = 0; p < PARTITIONS; p++)
            wanted[s][p] = add(&table, s, p);
    for (uint32_t s = 0; s < STREAMS; s++)
        for (int32_t p = 0; p < PARTITIONS; p++)
            assert_ptr_equal(lane_table_find(&table, s, p), wanted[s][p]);
    assert_int_equal(table.count, STREAMS * PARTITIONS);
    lane_table_done(&table);
}

static void
what_was_not_added_is_not_found(void **state)
{
    (void)state;
    struct lane_table table = {0};
    add(&table, 1, 0);
    add(&table, 0, 1);
    assert_null(lane_table_find(&table, 0, 0));
    assert_null(lane_table_find(&table, 1, 1));
    assert_null(lane_table_find(&table, 0, -1));
    lane_table_done(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(each_of_ten_thousand_is_found_where_it_stays),
        cmocka_unit_test(what_was_not_added_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
