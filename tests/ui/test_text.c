#include <locale.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "tests/support/unit.h"
#include "ui/canvas.h"
#include "ui/glyph.h"
#include "ui/text.h"

static struct canvas *
canvas_of(const void *data, size_t length, int columns, struct text_result *result)
{
    struct canvas *canvas = canvas_new(1, columns);
    struct place place = {.width = columns, .role = ROLE_TEXT};
    *result = text_put(canvas, place, bytes_make(data, length));
    return canvas;
}

/* The row as text, in a static buffer. */
static const char *
drawn(const void *data, size_t length, int columns)
{
    static struct buffer text;
    struct text_result result;
    struct canvas *canvas = canvas_of(data, length, columns, &result);
    text.length = 0;
    canvas_to_text(canvas, false, &text);
    canvas_free(canvas);
    if (text.length > 0)
        text.length--; /* the newline */
    return buffer_text(&text);
}

/* Every cell must be drawable: no control, no C1, no direction mark, widths that add up. */
static void
assert_harmless(const struct canvas *canvas)
{
    for (int column = 0; column < canvas->columns; column++) {
        const struct cell *cell = canvas_cell(canvas, 0, column);
        if (cell->code == 0) {
            assert_true(column > 0);
            assert_int_equal(glyph_width(canvas_cell(canvas, 0, column - 1)->code), 2);
            continue;
        }
        assert_int_equal(glyph_classify(cell->code), GLYPH_PLAIN);
        if (glyph_width(cell->code) == 2) {
            assert_true(column + 1 < canvas->columns);
            assert_int_equal(canvas_cell(canvas, 0, column + 1)->code, 0);
        }
        for (int i = 0; i < 2 && cell->marks[i] != 0; i++)
            assert_int_equal(glyph_classify(cell->marks[i]), GLYPH_MARK);
    }
}

static void
assert_drawn(const char *input, const char *expected)
{
    assert_string_equal(drawn(input, strlen(input), 40), expected);
}

static void
shows_plain_text_as_it_is(void **state)
{
    (void)state;
    assert_drawn("{\"total\":129.50}", "{\"total\":129.50}");
    assert_drawn("gr\303\274n \346\274\242\345\255\227", "gr\303\274n \346\274\242\345\255\227");
}

static void
shows_control_bytes_as_pictures(void **state)
{
    (void)state;
    assert_drawn("a\033[2Jb", "a\342\220\233[2Jb");
    assert_drawn("\a\t\r\n\177", "\342\220\207\342\220\211\342\220\215\342\220\212\342\220\241");
}

static void
shows_c1_and_broken_utf8_as_hex(void **state)
{
    (void)state;
    assert_drawn("a\302\233b", "a\\x9bb");
    assert_drawn("a\233b", "a\\x9bb");
    assert_drawn("\300\257", "\\xc0\\xaf");          /* overlong */
    assert_drawn("\355\240\200", "\\xed\\xa0\\x80"); /* surrogate */
    assert_drawn("\342\202", "\\xe2\\x82");          /* truncated */
}

static void
names_direction_marks(void **state)
{
    (void)state;
    assert_drawn("a\342\200\256b", "a<RLO>b");
    assert_drawn("a\342\201\246b", "a<LRI>b");
}

static void
leaves_out_what_is_invisible_and_counts_it(void **state)
{
    (void)state;
    struct text_result result;
    struct canvas *canvas = canvas_of("a\342\200\213b\342\200\215c", 9, 40, &result);
    assert_int_equal(result.columns, 3);
    assert_int_equal(result.hidden, 2);
    canvas_free(canvas);
}

static void
names_the_invisible_in_a_detail(void **state)
{
    (void)state;
    struct canvas *canvas = canvas_new(1, 40);
    struct place place = {.width = 40, .in_detail = true};
    struct text_result result = text_put(canvas, place, bytes_of("a\342\200\213b"));
    assert_int_equal(result.columns, 8);
    assert_int_equal(canvas_cell(canvas, 0, 1)->code, '<');
    canvas_free(canvas);
}

static void
keeps_two_combining_marks(void **state)
{
    (void)state;
    struct text_result result;
    struct canvas *canvas = canvas_of("e\314\201\314\202\314\203x", 8, 40, &result);
    assert_int_equal(result.columns, 2);
    assert_int_equal(result.hidden, 1);
    assert_int_equal(canvas_cell(canvas, 0, 0)->marks[1], 0x302);
    canvas_free(canvas);
}

static void
replaces_what_has_no_agreed_width(void **state)
{
    (void)state;
    assert_drawn("\356\200\200", "\357\277\275");       /* private use */
    assert_drawn("\360\237\253\250x", "\357\277\275x"); /* newer than the tables */
}

static void
cuts_with_an_ellipsis(void **state)
{
    (void)state;
    assert_string_equal(drawn("abcdefgh", 8, 8), "abcdefgh");
    assert_string_equal(drawn("abcdefghi", 9, 8), "abcdefg\342\200\246");
}

static void
never_splits_a_wide_character(void **state)
{
    (void)state;
    struct text_result result;
    struct canvas *canvas = canvas_of("abc\346\274\242", 6, 4, &result);
    assert_harmless(canvas);
    assert_true(result.is_cut);
    canvas_free(canvas);
    canvas = canvas_new(1, 4);
    assert_int_equal(canvas_set(canvas, 0, 3, ROLE_TEXT, 0x6f22), 1);
    assert_int_equal(canvas_cell(canvas, 0, 3)->code, '>');
    canvas_free(canvas);
}

static void
draws_every_single_byte_harmlessly(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        unsigned char data[3] = {'a', (unsigned char)byte, 'b'};
        struct text_result result;
        struct canvas *canvas = canvas_of(data, sizeof(data), 12, &result);
        assert_harmless(canvas);
        assert_true(result.columns >= 3);
        canvas_free(canvas);
    }
}

static void
draws_every_code_point_harmlessly(void **state)
{
    (void)state;
    struct canvas *canvas = canvas_new(1, 12);
    for (uint32_t code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 7) {
        char utf8[8] = "a";
        size_t length = 1 + glyph_encode(code, utf8 + 1);
        utf8[length++] = 'b';
        canvas_clear(canvas);
        struct place place = {.width = 12};
        text_put(canvas, place, bytes_make(utf8, length));
        assert_harmless(canvas);
    }
    canvas_free(canvas);
}

static void
draws_random_bytes_harmlessly(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 10000; round++) {
        unsigned char data[64];
        for (size_t i = 0; i < sizeof(data); i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            data[i] = (unsigned char)random;
        }
        struct text_result result;
        struct canvas *canvas = canvas_of(data, sizeof(data), 1 + round % 50, &result);
        assert_harmless(canvas);
        assert_true(result.columns <= 1 + round % 50);
        canvas_free(canvas);
    }
}

static void
looks_at_no_more_of_a_huge_value_than_it_draws(void **state)
{
    (void)state;
    size_t length = (size_t)1024 * 1024;
    char *zero_width = alloc_array(length, 1);
    for (size_t i = 0; i < length; i++)
        zero_width[i] = "\342\200\215"[i % 3];

    int64_t begun_ns = clock_monotonic_ns();
    for (int i = 0; i < 100; i++) {
        struct text_result result;
        struct canvas *canvas = canvas_of(zero_width, length, 100, &result);
        assert_int_equal(result.columns, 0);
        assert_true(result.hidden < 5000);
        canvas_free(canvas);
    }
    assert_true(clock_monotonic_ns() - begun_ns < 5 * NS_PER_S);
    free(zero_width);
}

static void
overwriting_half_a_wide_character_blanks_the_other(void **state)
{
    (void)state;
    struct canvas *canvas = canvas_new(1, 6);
    canvas_set(canvas, 0, 1, ROLE_TEXT, 0x6f22);
    canvas_set(canvas, 0, 2, ROLE_TEXT, 'x');
    assert_int_equal(canvas_cell(canvas, 0, 1)->code, ' ');
    assert_harmless(canvas);
    canvas_free(canvas);
}

static void
every_own_glyph_has_an_ascii_stand_in(void **state)
{
    (void)state;
    for (uint32_t code = 0x80; code < 0x3000; code++) {
        unsigned char ascii = glyph_ascii(code);
        assert_true(ascii >= 0x20 && ascii < 0x7f);
    }
}

static void
fits_bytes_by_what_they_are_drawn_as(void **state)
{
    (void)state;
    assert_int_equal(text_fit(bytes_of("abcdef"), 4), 4);
    assert_int_equal(text_fit(bytes_of("a\233bc"), 5), 2);
    assert_int_equal(text_fit(bytes_of("\233"), 2), 1);
}

/* A name in `width` columns, as text. */
static void
assert_name(const char *name, int width, const char *expected)
{
    struct buffer text = {0};
    struct canvas *canvas = canvas_new(1, width);
    text_print_name(canvas, 0, 0, width, ROLE_TEXT, name);
    assert_harmless(canvas);
    canvas_to_text(canvas, false, &text);
    text.length--; /* the newline */
    assert_string_equal(buffer_text(&text), expected);
    buffer_done(&text);
    canvas_free(canvas);
}

static void
cuts_a_name_in_the_middle(void **state)
{
    (void)state;
    assert_name("orders", 12, "orders");
    assert_name("orders.events", 13, "orders.events");
    assert_name("orders.events.eu-1", 12, "order…s.eu-1");
    assert_name("orders.events.eu-2", 12, "order…s.eu-2");
}

static void
cuts_a_name_between_characters(void **state)
{
    (void)state;
    assert_name("漢字漢字漢字漢字", 10, "漢字…漢字");
    assert_name("aaaaaaaaaaaaaaa\xff\xff", 10, "aaaa…\\xff");
    assert_name("\033[2J\033[2J\033[2J\033[2J", 10, "␛[2J…J␛[2J");
}

static void
breaks_lines_at_blanks(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct canvas *canvas = canvas_new(3, 12);
    assert_int_equal(
        text_print_wrapped(canvas, 0, 3, 0, 10, ROLE_TEXT, "one two three four-and-a-half"), 3);
    canvas_to_text(canvas, false, &text);
    assert_string_equal(buffer_text(&text), "one two\nthree\nfour-and-…\n");
    assert_int_equal(text_print_wrapped(canvas, 0, 3, 0, 10, ROLE_TEXT, ""), 0);
    buffer_done(&text);
    canvas_free(canvas);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_a_name_in_the_middle),
        cmocka_unit_test(cuts_a_name_between_characters),
        cmocka_unit_test(breaks_lines_at_blanks),
        cmocka_unit_test(shows_plain_text_as_it_is),
        cmocka_unit_test(shows_control_bytes_as_pictures),
        cmocka_unit_test(shows_c1_and_broken_utf8_as_hex),
        cmocka_unit_test(names_direction_marks),
        cmocka_unit_test(leaves_out_what_is_invisible_and_counts_it),
        cmocka_unit_test(names_the_invisible_in_a_detail),
        cmocka_unit_test(keeps_two_combining_marks),
        cmocka_unit_test(replaces_what_has_no_agreed_width),
        cmocka_unit_test(cuts_with_an_ellipsis),
        cmocka_unit_test(never_splits_a_wide_character),
        cmocka_unit_test(draws_every_single_byte_harmlessly),
        cmocka_unit_test(draws_every_code_point_harmlessly),
        cmocka_unit_test(draws_random_bytes_harmlessly),
        cmocka_unit_test(looks_at_no_more_of_a_huge_value_than_it_draws),
        cmocka_unit_test(overwriting_half_a_wide_character_blanks_the_other),
        cmocka_unit_test(every_own_glyph_has_an_ascii_stand_in),
        cmocka_unit_test(fits_bytes_by_what_they_are_drawn_as),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
