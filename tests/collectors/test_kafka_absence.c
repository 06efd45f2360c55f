#include "collectors/kafka_absence.h"
#include "tests/support/unit.h"

static void
takes_a_topic_for_gone_that_is_missing_again_and_again(void **state)
{
    (void)state;
    struct kafka_absence absence = {0};
    for (int64_t look = 0; look < 5; look++)
        assert_false(kafka_absence_miss(&absence, NS_PER_S * (100 + look)));
    assert_int_equal(absence.missed, KAFKA_ABSENCE_LOOKS);
    assert_true(kafka_absence_miss(&absence, NS_PER_S * 105));
    assert_true(absence.is_gone);
    assert_false(kafka_absence_miss(&absence, NS_PER_S * 106)); /* told once */
}

static void
needs_more_than_looks_that_are_close_together(void **state)
{
    (void)state;
    struct kafka_absence absence = {0};
    for (int64_t look = 0; look < 100; look++)
        assert_false(kafka_absence_miss(&absence, NS_PER_S + look * NS_PER_MS));
}

static void
needs_more_than_two_looks_that_are_far_apart(void **state)
{
    (void)state;
    struct kafka_absence absence = {0};
    assert_false(kafka_absence_miss(&absence, NS_PER_S));
    assert_false(kafka_absence_miss(&absence, NS_PER_S * 60));
}

static void
begins_again_when_it_was_seen(void **state)
{
    (void)state;
    struct kafka_absence absence = {0};
    for (int64_t look = 0; look < 5; look++)
        assert_false(kafka_absence_miss(&absence, NS_PER_S * (100 + look)));
    assert_false(kafka_absence_see(&absence));
    assert_int_equal(absence.missed, 0);
    assert_false(kafka_absence_miss(&absence, NS_PER_S * 105));
    for (int64_t look = 0; look < 4; look++)
        assert_false(kafka_absence_miss(&absence, NS_PER_S * (106 + look)));
    assert_true(kafka_absence_miss(&absence, NS_PER_S * 110));
    assert_true(kafka_absence_see(&absence));
    assert_false(absence.is_gone);
}

static void
forgives_a_leader_that_does_not_know_it_for_a_while(void **state)
{
    (void)state;
    struct kafka_absence absence = {0};
    for (int question = 0; question < KAFKA_ABSENCE_LOOKS; question++)
        assert_true(kafka_absence_forgive(&absence));
    assert_false(kafka_absence_forgive(&absence));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_topic_for_gone_that_is_missing_again_and_again),
        cmocka_unit_test(needs_more_than_looks_that_are_close_together),
        cmocka_unit_test(needs_more_than_two_looks_that_are_far_apart),
        cmocka_unit_test(begins_again_when_it_was_seen),
        cmocka_unit_test(forgives_a_leader_that_does_not_know_it_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
