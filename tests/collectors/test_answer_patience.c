#include "collectors/answer_patience.h"
#include "tests/support/unit.h"

static void
one_late_answer_says_nothing(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    assert_false(answer_patience_missed(&patience, 6, false));
    answer_patience_answered(&patience);
    assert_false(answer_patience_missed(&patience, 6, false));
}

static void
the_second_in_a_row_is_told(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    assert_false(answer_patience_missed(&patience, 6, false));
    assert_true(answer_patience_missed(&patience, 6, false));
    assert_true(answer_patience_missed(&patience, 6, false));
}

static void
a_lost_connection_is_told_at_once(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    assert_true(answer_patience_missed(&patience, 10000, true));
}

static void
many_partitions_are_given_more_time(void **state)
{
    (void)state;
    struct answer_patience patience = {0};
    for (int i = 0; i < 51; i++)
        assert_false(answer_patience_missed(&patience, 10000, false));
    assert_true(answer_patience_missed(&patience, 10000, false));
    assert_int_equal(answer_patience_ms(6), 900);
    assert_int_equal(answer_patience_ms(10000), 1900);
    assert_int_equal(answer_patience_ms(10000000), 2900);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_late_answer_says_nothing),
        cmocka_unit_test(the_second_in_a_row_is_told),
        cmocka_unit_test(a_lost_connection_is_told_at_once),
        cmocka_unit_test(many_partitions_are_given_more_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
