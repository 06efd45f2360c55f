#include <string.h>

#include "index/header_pack.h"
#include "tests/support/unit.h"

static void
takes_lower_case_digits_and_nothing_else(void **state)
{
    (void)state;
    for (size_t at = 0; at < 32; at++) {
        for (int byte = 0; byte < 256; byte++) {
            unsigned char text[33] = "0123456789abcdef9f8e7d6c5b4a3021";
            unsigned char packed[16];
            text[at] = (unsigned char)byte;
            bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            assert_int_equal(hex_pack(text, packed, 16), is_digit);
        }
    }
}

static void
hex_goes_there_and_back(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        unsigned char packed[16];
        unsigned char text[32];
        unsigned char back[16];
        for (unsigned i = 0; i < 16; i++)
            packed[i] = (unsigned char)(first + 17 * i);
        hex_unpack(packed, text, 16);
        assert_true(hex_pack(text, back, 16));
        assert_memory_equal(back, packed, 16);
    }
    unsigned char packed[8];
    assert_true(hex_pack((const unsigned char *)"0123456789abcdef", packed, 8));
    assert_memory_equal(packed, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
}

static void
a_traceparent_goes_there_and_back(void **state)
{
    (void)state;
    static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0f";
    unsigned char text[TRACEPARENT_TEXT];
    unsigned char packed[TRACEPARENT_BYTES];
    unsigned char back[TRACEPARENT_TEXT];
    memcpy(text, good, sizeof(text));
    assert_true(traceparent_pack(text, packed));
    assert_int_equal(packed[TRACEPARENT_BYTES - 1], 0x0f);
    traceparent_unpack(packed, packed + TRACE_BYTES, packed[TRACEPARENT_BYTES - 1], back);
    assert_memory_equal(back, good, sizeof(back));
    for (size_t at = 0; at < TRACEPARENT_TEXT; at++) {
        memcpy(text, good, sizeof(text));
        text[at] = 'A';
        assert_false(traceparent_pack(text, packed));
    }
}

static void
a_uuid_goes_there_and_back(void **state)
{
    (void)state;
    static const char good[] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    unsigned char text[UUID_TEXT];
    unsigned char packed[16];
    unsigned char back[UUID_TEXT];
    memcpy(text, good, sizeof(text));
    assert_true(uuid_pack(text, packed));
    uuid_unpack(packed, back);
    assert_memory_equal(back, good, sizeof(back));
    for (size_t at = 0; at < UUID_TEXT; at++) {
        memcpy(text, good, sizeof(text));
        text[at] = 'A';
        assert_false(uuid_pack(text, packed));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_lower_case_digits_and_nothing_else),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(a_traceparent_goes_there_and_back),
        cmocka_unit_test(a_uuid_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
