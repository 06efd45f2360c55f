#include "console/facets.h"
#include "console/sizes.h"
#include "tests/support/unit.h"

static void
counts_and_sorts(void **state)
{
    (void)state;
    struct facets *facets = facets_new();
    facets_count(facets, bytes_of("b"));
    facets_count(facets, bytes_of("a"));
    facets_count(facets, bytes_of(""));
    facets_count(facets, bytes_of("b"));
    size_t count = 0;
    const struct facet *sorted = facets_sorted(facets, &count);
    assert_int_equal(count, 3);
    assert_true(bytes_equal_text(sorted[0].value, "b"));
    assert_true(sorted[0].count == 2);
    assert_true(bytes_equal_text(sorted[1].value, ""));
    assert_true(bytes_equal_text(sorted[2].value, "a"));
    assert_true(facets_other(facets) == 0);
    facets_free(facets);
}

static void
counts_together_what_does_not_fit(void **state)
{
    (void)state;
    struct facets *facets = facets_new();
    unsigned char value[4];
    for (uint32_t i = 0; i < FACETS_MAX + 10; i++) {
        store_u32(value, i);
        facets_count(facets, bytes_make(value, sizeof(value)));
    }
    store_u32(value, 5);
    facets_count(facets, bytes_make(value, sizeof(value)));
    size_t count = 0;
    const struct facet *sorted = facets_sorted(facets, &count);
    assert_int_equal(count, FACETS_MAX);
    assert_true(facets_other(facets) == 10);
    assert_true(sorted[0].count == 2);
    assert_true(load_u32(sorted[0].value.data) == 5);
    facets_free(facets);
}

static void
is_empty_at_first(void **state)
{
    (void)state;
    struct facets *facets = facets_new();
    size_t count = 1;
    (void)facets_sorted(facets, &count);
    assert_int_equal(count, 0);
    facets_free(facets);
}

static void
writes_sizes_for_people(void **state)
{
    (void)state;
    char text[SIZES_TEXT_MAX];
    assert_string_equal(sizes_format(0, text), "0 B");
    assert_string_equal(sizes_format(999, text), "999 B");
    assert_string_equal(sizes_format(1000, text), "1.0 kB");
    assert_string_equal(sizes_format(999949, text), "999.9 kB");
    assert_string_equal(sizes_format(999950, text), "1.0 MB");
    assert_string_equal(sizes_format(UINT64_MAX, text), "18.4 EB");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_sorts),
        cmocka_unit_test(counts_together_what_does_not_fit),
        cmocka_unit_test(is_empty_at_first),
        cmocka_unit_test(writes_sizes_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
