#include "base/crc32c.h"
#include "tests/support/unit.h"

static void
matches_the_published_values(void **state)
{
    (void)state;
    /* RFC 3720, appendix B.4, and the usual check value. */
    unsigned char bytes[32] = {0};
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aau);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43u);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
}

static void
is_the_same_with_and_without_the_instruction(void **state)
{
    (void)state;
    unsigned char bytes[9000];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(x >> 24);
    }
    for (size_t length = 0; length <= sizeof(bytes); length += 61)
        assert_int_equal(crc32c(7, bytes, length), crc32c_portable(7, bytes, length));
}

static void
goes_on_from_an_earlier_checksum(void **state)
{
    (void)state;
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), crc32c(0, "123456789", 9));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_the_published_values),
        cmocka_unit_test(is_the_same_with_and_without_the_instruction),
        cmocka_unit_test(goes_on_from_an_earlier_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
