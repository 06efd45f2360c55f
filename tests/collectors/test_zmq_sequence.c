#include "base/error.h"
#include "collectors/zmq_sequence.h"
#include "tests/support/unit.h"

static struct zmq_place
place_of(const char *text)
{
    struct error err;
    struct zmq_place place = {0};
    assert_ok(zmq_place_parse(text, &place, &err));
    return place;
}

static uint64_t
number_in(const char *text, struct bytes frame, unsigned expected_bits)
{
    struct zmq_place place = place_of(text);
    uint64_t number = 0;
    unsigned bits = 0;
    assert_true(zmq_place_read(&place, frame, &number, &bits));
    assert_int_equal(bits, expected_bits);
    return number;
}

static void
refuse_number(const char *text, struct bytes frame)
{
    struct zmq_place place = place_of(text);
    uint64_t number = 0;
    unsigned bits = 0;
    assert_false(zmq_place_read(&place, frame, &number, &bits));
}

static void
refuse_place(const char *text)
{
    struct error err;
    struct zmq_place place;
    assert_false(zmq_place_parse(text, &place, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, text));
}

static void
assert_frames(const char *text, size_t count, size_t expected_first, size_t expected_end)
{
    size_t first = 99;
    size_t end = 99;
    struct zmq_place place = place_of(text);
    zmq_place_frames(&place, count, &first, &end);
    assert_int_equal(first, expected_first);
    assert_int_equal(end, expected_end);
}

static void
counts_frames_from_both_ends(void **state)
{
    (void)state;
    assert_frames("frame:1", 3, 1, 2);
    assert_frames("frame:1", 1, 0, 0);
    assert_frames("frame:-1:le", 3, 2, 3);
    assert_frames("frame:-3", 3, 0, 1);
    assert_frames("frame:-3", 2, 0, 0);
    assert_frames("header:n", 3, 0, 2);
    assert_frames("header:n", 1, 0, 0);
}

static void
reads_digits_only(void **state)
{
    (void)state;
    assert_int_equal(number_in("frame:0", bytes_of("0042"), 64), 42);
    assert_true(number_in("frame:0", bytes_of("18446744073709551615"), 64) == UINT64_MAX);
    refuse_number("frame:0", bytes_of("18446744073709551616"));
    refuse_number("frame:0", bytes_of(""));
    refuse_number("frame:0", bytes_of("-1"));
    refuse_number("frame:0", bytes_of("1 "));
}

static void
reads_bytes_of_a_known_width(void **state)
{
    (void)state;
    assert_int_equal(number_in("frame:0:le", bytes_make("\x01\x02\x00\x00", 4), 32), 513);
    assert_int_equal(number_in("frame:0:be", bytes_make("\x01\x02", 2), 16), 258);
    assert_int_equal(number_in("frame:0:be", bytes_make("\0\0\0\0\0\0\0\x07", 8), 64), 7);
    refuse_number("frame:0:le", bytes_make("\x01\x02\x03", 3));
    refuse_number("frame:0:le", bytes_make("", 0));
}

static void
reads_a_field_of_json(void **state)
{
    (void)state;
    assert_int_equal(number_in("value:$.seq", bytes_of("{\"seq\":5}"), 64), 5);
    assert_int_equal(number_in("value:$.a.b", bytes_of("{\"a\":{\"b\":\"17\"}}"), 64), 17);
    assert_int_equal(number_in("frame:1:$.seq", bytes_of("{\"seq\":6}"), 64), 6);
    refuse_number("value:$.seq", bytes_of("{\"seq\":-5}"));
    assert_int_equal(number_in("value:$.seq", bytes_of("{\"seq\":5.0}"), 64), 5);
    assert_int_equal(number_in("value:$.seq", bytes_of("{\"seq\":1.7e3}"), 64), 1700);
    refuse_number("value:$.seq", bytes_of("{\"seq\":1.5}"));
    refuse_number("value:$.seq", bytes_of("{\"seq\":-1.0}"));
    refuse_number("value:$.seq", bytes_of("{\"seq\":1e16}")); /* no longer exact */
    refuse_number("value:$.a.b", bytes_of("{\"a\":5}"));
    refuse_number("value:$.seq", bytes_of("[1]"));
    refuse_number("value:$.seq", bytes_of("{\"seq\":"));
    refuse_number("value:$.seq", bytes_of(""));
}

static void
reads_a_line_of_a_header(void **state)
{
    (void)state;
    assert_int_equal(number_in("header:seq", bytes_of("seq: 5"), 64), 5);
    assert_int_equal(number_in("header:seq", bytes_of("a=1\r\nSeq =6\nSEQ=7 \r\n"), 64), 7);
    assert_int_equal(number_in("header:X-Seq", bytes_of("x-seq:\t00000000000000000018\n"), 64), 18);
    refuse_number("header:seq", bytes_of(""));
    refuse_number("header:seq", bytes_of("seq"));
    refuse_number("header:seq", bytes_of("seq:"));
    refuse_number("header:seq", bytes_of("seq: \r\n"));
    refuse_number("header:seq", bytes_of("seq:-1"));
    refuse_number("header:seq", bytes_of("my-seq:1"));
    refuse_number("header:seq", bytes_make("seq:1\0", 6));
    refuse_number("header:seq", BYTES_NULL);
}

static void
names_the_forms_when_the_place_is_none(void **state)
{
    (void)state;
    refuse_place("value:$.items[0].n");
    refuse_place("frame:");
    refuse_place("frame:1x");
    refuse_place("frame: 1");
    refuse_place("frame:1:utf8");
    refuse_place("frame:99999999999999999999");
    refuse_place("value:$.");
    refuse_place("value:$.a..b");
    refuse_place("value:$.a.");
    refuse_place("value:x");
    refuse_place("frame:1:$.");
    refuse_place("frame:1:$.a..b");
    refuse_place("header:");
    refuse_place("header:a:b");
    refuse_place("");
}

static void
tells_a_gap_from_a_new_counter(void **state)
{
    (void)state;
    struct zmq_sequence sequence = {0};
    uint64_t missing = 0;
    assert_int_equal(zmq_sequence_next(&sequence, 10, 64, &missing), ZMQ_JUMP_FIRST);
    assert_int_equal(zmq_sequence_next(&sequence, 11, 64, &missing), ZMQ_JUMP_NEXT);
    assert_int_equal(zmq_sequence_next(&sequence, 11, 64, &missing), ZMQ_JUMP_NEXT);
    assert_int_equal(zmq_sequence_next(&sequence, 15, 64, &missing), ZMQ_JUMP_GAP);
    assert_int_equal(missing, 3);
    assert_int_equal(zmq_sequence_next(&sequence, 3, 64, &missing), ZMQ_JUMP_BACK);
    assert_int_equal(zmq_sequence_next(&sequence, 4, 64, &missing), ZMQ_JUMP_NEXT);
    assert_int_equal(
        zmq_sequence_next(&sequence, UINT64_C(1700000000000000000), 64, &missing), ZMQ_JUMP_BACK);
}

/* The number that was expected before a jump comes after it: somebody else counts too, or the order is not kept. */
static void
knows_a_second_counter_by_the_number_that_was_expected(void **state)
{
    (void)state;
    struct zmq_sequence sequence = {0};
    uint64_t missing = 0;
    assert_int_equal(zmq_sequence_next(&sequence, 5, 64, &missing), ZMQ_JUMP_FIRST);
    assert_int_equal(zmq_sequence_next(&sequence, 1000, 64, &missing), ZMQ_JUMP_GAP);
    assert_int_equal(zmq_sequence_next(&sequence, 1001, 64, &missing), ZMQ_JUMP_NEXT);
    assert_int_equal(zmq_sequence_next(&sequence, 6, 64, &missing), ZMQ_JUMP_OTHER);
    assert_int_equal(zmq_sequence_next(&sequence, 1002, 64, &missing), ZMQ_JUMP_OTHER);
    assert_int_equal(zmq_sequence_next(&sequence, 7, 64, &missing), ZMQ_JUMP_OTHER);
    assert_int_equal(zmq_sequence_next(&sequence, 0, 64, &missing), ZMQ_JUMP_BACK);
}

static void
goes_on_behind_the_end_of_a_narrow_counter(void **state)
{
    (void)state;
    struct zmq_sequence sequence = {0};
    uint64_t missing = 0;
    assert_int_equal(zmq_sequence_next(&sequence, 0xfffffffe, 32, &missing), ZMQ_JUMP_FIRST);
    assert_int_equal(zmq_sequence_next(&sequence, 0xffffffff, 32, &missing), ZMQ_JUMP_NEXT);
    assert_int_equal(zmq_sequence_next(&sequence, 0, 32, &missing), ZMQ_JUMP_NEXT);
    sequence.last = 0xffffffff;
    assert_int_equal(zmq_sequence_next(&sequence, 1, 32, &missing), ZMQ_JUMP_GAP);
    assert_int_equal(missing, 1);
    assert_int_equal(zmq_sequence_next(&sequence, 0xffffff00, 32, &missing), ZMQ_JUMP_BACK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_frames_from_both_ends),
        cmocka_unit_test(reads_digits_only),
        cmocka_unit_test(reads_bytes_of_a_known_width),
        cmocka_unit_test(reads_a_field_of_json),
        cmocka_unit_test(reads_a_line_of_a_header),
        cmocka_unit_test(names_the_forms_when_the_place_is_none),
        cmocka_unit_test(tells_a_gap_from_a_new_counter),
        cmocka_unit_test(knows_a_second_counter_by_the_number_that_was_expected),
        cmocka_unit_test(goes_on_behind_the_end_of_a_narrow_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
