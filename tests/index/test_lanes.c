/* lanes: the table by stream and partition. */
#include <time.h>

#include "index/lanes.h"
#include "tests/support/unit.h"

#define MANY 100000u

static double
cpu_seconds(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* CPU seconds to make MANY lanes and to find each of them again. */
static double
fill(uint32_t stream_step, int32_t partition_step)
{
    double started = cpu_seconds();
    struct lanes *lanes = lanes_new();
    for (uint32_t i = 0; i < MANY; i++)
        (void)lanes_get(lanes, i * stream_step, (int32_t)i * partition_step);
    for (uint32_t i = 0; i < MANY; i++) {
        const struct lane *lane = lanes_find(lanes, i * stream_step, (int32_t)i * partition_step);
        assert_non_null(lane);
        assert_int_equal(lane->stream_id, i * stream_step);
    }
    assert_int_equal(lanes_count(lanes), MANY);
    lanes_free(lanes);
    return cpu_seconds() - started;
}

/* A table that all streams share a few slots of takes minutes for so many; half a second would be slow
 * with sanitizers. */
static void
many_streams_of_one_partition_are_as_quick_as_many_partitions_of_one_stream(void **state)
{
    (void)state;
    assert_true(fill(0, 1) < 5.0);
    assert_true(fill(1, 0) < 5.0);
    assert_true(fill(1, 1) < 5.0);
}

static void
a_lane_that_nobody_made_is_not_found(void **state)
{
    (void)state;
    struct lanes *lanes = lanes_new();
    (void)lanes_get(lanes, 1, 2);

    assert_null(lanes_find(lanes, 2, 1));
    assert_null(lanes_find(lanes, 1, 3));
    lanes_free(lanes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            many_streams_of_one_partition_are_as_quick_as_many_partitions_of_one_stream),
        cmocka_unit_test(a_lane_that_nobody_made_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
