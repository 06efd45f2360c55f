#include "console/nearest.h"
#include "tests/support/unit.h"

static void
expect_distance(const char *word, const char *candidate, size_t distance)
{
    struct nearest nearest = {.word = word};
    nearest_offer(&nearest, candidate);
    assert_int_equal(nearest.distance, distance);
    assert_string_equal(nearest.best, candidate);
}

static void
counts_typing_errors(void **state)
{
    (void)state;
    expect_distance("", "", 0);
    expect_distance("", "abc", 3);
    expect_distance("abc", "", 3);
    expect_distance("events", "events", 0);
    expect_distance("evnts", "events", 1);
    expect_distance("eevents", "events", 1);
    expect_distance("ebents", "events", 1);
    expect_distance("evnets", "events", 1);
    expect_distance("kitten", "sitting", 3);
}

static void
keeps_the_first_of_equals(void **state)
{
    (void)state;
    struct nearest nearest = {.word = "ab"};
    nearest_offer(&nearest, "ax");
    nearest_offer(&nearest, "xb");
    assert_string_equal(nearest.best, "ax");
    nearest_offer(&nearest, "ab");
    assert_string_equal(nearest.best, "ab");
}

static void
finds_the_nearest_choice(void **state)
{
    (void)state;
    struct nearest nearest = {.word = "tmie"};
    nearest_offer_choices(&nearest, "seq|time|offset");
    assert_int_equal(nearest_choice_length(nearest.best), 4);
    assert_memory_equal(nearest.best, "time", 4);
}

static void
bears_words_of_any_length(void **state)
{
    (void)state;
    char word[5000];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    struct nearest nearest = {.word = word};
    nearest_offer(&nearest, word);
    assert_int_equal(nearest.distance, 0);
    nearest_offer(&nearest, "events");
    assert_ptr_equal(nearest.best, word);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_typing_errors),
        cmocka_unit_test(keeps_the_first_of_equals),
        cmocka_unit_test(finds_the_nearest_choice),
        cmocka_unit_test(bears_words_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
