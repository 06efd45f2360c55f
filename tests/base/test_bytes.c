#include <stdlib.h>

#include "base/bytes.h"
#include "tests/support/unit.h"

static void
tells_null_from_empty(void **state)
{
    (void)state;
    assert_false(bytes_equal(BYTES_NULL, bytes_of("")));
    assert_true(bytes_equal(BYTES_NULL, bytes_of(NULL)));
    assert_true(bytes_compare(BYTES_NULL, bytes_of("")) < 0);
    assert_true(bytes_compare(bytes_of("a"), bytes_of("ab")) < 0);
}

static bool
is_utf8(const char *text, size_t length)
{
    return bytes_is_utf8(bytes_make(text, length));
}

static void
knows_valid_utf8(void **state)
{
    (void)state;
    assert_true(is_utf8("", 0));
    assert_true(is_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
    assert_true(is_utf8("\0", 1));
    assert_false(is_utf8("\x80", 1));
    assert_false(is_utf8("\xc0\xaf", 2));         /* overlong */
    assert_false(is_utf8("\xe0\x9f\xbf", 3));     /* overlong */
    assert_false(is_utf8("\xed\xa0\x80", 3));     /* surrogate */
    assert_false(is_utf8("\xf4\x90\x80\x80", 4)); /* above U+10FFFF */
    assert_false(is_utf8("\xf0\x9f\x98", 3));     /* cut */
    assert_false(bytes_is_utf8(BYTES_NULL));
}

static void
base64_goes_there_and_back(void **state)
{
    (void)state;
    unsigned char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    for (size_t length = 0; length <= sizeof(all); length++) {
        struct buffer text = {0};
        struct buffer back = {0};
        base64_append(&text, bytes_make(all, length));
        assert_true(base64_decode(&back, bytes_make(text.data, text.length)));
        assert_int_equal(back.length, length);
        assert_true(length == 0 || memcmp(back.data, all, length) == 0);
        buffer_done(&text);
        buffer_done(&back);
    }
}

static void
base64_matches_rfc_4648(void **state)
{
    (void)state;
    struct buffer text = {0};
    base64_append(&text, bytes_of("fooba"));
    assert_string_equal(buffer_text(&text), "Zm9vYmE=");
    assert_false(base64_decode(&text, bytes_of("Zm9vYmE")));
    assert_false(base64_decode(&text, bytes_of("Zm=vYmE=")));
    assert_false(base64_decode(&text, bytes_of("Zm9v!mE=")));
    assert_string_equal(buffer_text(&text), "Zm9vYmE=");
    buffer_done(&text);
}

static void
varints_go_there_and_back(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        unsigned char bytes[VARINT_MAX];
        size_t length = varint_put(bytes, values[i]);
        uint64_t back = 0;
        size_t at = 0;
        assert_true(varint_get(bytes_make(bytes, length), &at, &back));
        assert_true(back == values[i] && at == length);
        at = 0;
        assert_false(varint_get(bytes_make(bytes, length - 1), &at, &back));
    }
    size_t at = 0;
    uint64_t value;
    assert_false(varint_get(bytes_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), &at, &value));
}

static void
a_buffer_grows_by_printf(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        buffer_printf(&buffer, "%d,", i);
    assert_int_equal(buffer.length, 3890);
    buffer_done(&buffer);
}

static void
writes_two_hex_digits_for_a_byte(void **state)
{
    (void)state;
    char text[] = "......";
    hex_put(text, bytes_of("\x01\xfe"));
    assert_string_equal(text, "01fe..");
}

static void
room_of_a_known_size_is_not_doubled(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append_text(&buffer, "kept");
    buffer_reserve_total(&buffer, 100001);
    assert_int_equal(buffer.capacity, 100001);
    buffer_reserve_total(&buffer, 7);
    assert_int_equal(buffer.capacity, 100001);
    assert_ptr_equal(buffer_reserve(&buffer, 100001 - buffer.length), buffer.data + 4);
    assert_int_equal(buffer.capacity, 100001);
    assert_string_equal(buffer_text(&buffer), "kept");
    buffer_done(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_null_from_empty),
        cmocka_unit_test(knows_valid_utf8),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(base64_matches_rfc_4648),
        cmocka_unit_test(varints_go_there_and_back),
        cmocka_unit_test(a_buffer_grows_by_printf),
        cmocka_unit_test(writes_two_hex_digits_for_a_byte),
        cmocka_unit_test(room_of_a_known_size_is_not_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
