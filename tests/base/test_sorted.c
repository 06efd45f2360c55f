#include <stdint.h>

#include "base/sorted.h"
#include "tests/support/unit.h"

static int
compare(const void *key, const void *item)
{
    const int *a = key;
    const int *b = item;
    return (*a > *b) - (*a < *b);
}

static void
expect(const int *items, size_t count, int key, bool is_there, size_t at)
{
    size_t found = SIZE_MAX;
    assert_int_equal(
        sorted_find(&key, items, count, sizeof(*items), compare, &found), (int)is_there);
    assert_int_equal(found, at);
}

static void
a_key_is_found_or_its_place(void **state)
{
    (void)state;
    static const int items[] = {1, 3, 5, 7, 9};
    for (size_t count = 0; count <= 5; count++) {
        for (int key = 0; key <= 10; key++) {
            size_t at = (size_t)key / 2;
            bool is_there = key % 2 == 1 && at < count;
            expect(items, count, key, is_there, at < count ? at : count);
        }
    }
    expect(NULL, 0, 3, false, 0);
}

static void
of_several_the_first_is_found(void **state)
{
    (void)state;
    static const int items[] = {1, 4, 4, 4, 4, 8};
    expect(items, 6, 4, true, 1);
    expect(items, 6, 5, false, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_or_its_place),
        cmocka_unit_test(of_several_the_first_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
