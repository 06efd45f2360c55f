#include "collectors/answer_patience.h"
#include "tests/support/unit.h"

static void
one_late_answer_says_nothing(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    assert_false(answer_patience_missed(&patience, 6, 0, false));
    answer_patience_answered(&patience, 0);
    assert_false(answer_patience_missed(&patience, 6, 0, false));
}

static void
the_second_in_a_row_is_told(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    assert_false(answer_patience_missed(&patience, 6, 0, false));
    assert_true(answer_patience_missed(&patience, 6, 0, false));
    assert_true(answer_patience_missed(&patience, 6, 0, false));
}

static void
a_lost_connection_is_told_at_once(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    assert_true(answer_patience_missed(&patience, 10000, 0, true));
}

static void
many_partitions_are_given_more_time(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    for (int i = 0; i < 51; i++)
        assert_false(answer_patience_missed(&patience, 10000, 0, false));
    assert_true(answer_patience_missed(&patience, 10000, 0, false));
    assert_int_equal(answer_patience_ms(6), 900);
    assert_int_equal(answer_patience_ms(10000), 1900);
    assert_int_equal(answer_patience_ms(10000000), 2900);
}

static void
a_start_that_goes_on_is_waited_for(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    for (uint64_t received = 100; received <= 20000; received += 100)
        assert_false(answer_patience_missed(&patience, 10000, received, false));
    for (int i = 0; i < 51; i++)
        assert_false(answer_patience_missed(&patience, 10000, 20000, false));
    assert_true(answer_patience_missed(&patience, 10000, 20000, false));
}

/* One of several brokers does not answer, and others send. */
static void
few_partitions_have_no_slow_start(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    assert_false(answer_patience_missed(&patience, 6, 100, false));
    assert_true(answer_patience_missed(&patience, 6, 200, false));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_late_answer_says_nothing),
        cmocka_unit_test(the_second_in_a_row_is_told),
        cmocka_unit_test(a_lost_connection_is_told_at_once),
        cmocka_unit_test(many_partitions_are_given_more_time),
        cmocka_unit_test(a_start_that_goes_on_is_waited_for),
        cmocka_unit_test(few_partitions_have_no_slow_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
