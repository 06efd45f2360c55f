/* The query language as text: what it accepts, and what it says about what it does not. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "index/query.h"
#include "tests/support/unit.h"

#define NOW (INT64_C(1795530571) * NS_PER_S) /* 2026-11-24T14:29:31Z */

static void
accepts(const char *text)
{
    struct error err;
    struct query *query = query_compile(text, NOW, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", text, err.text);
    query_free(query);
}

/* The text must fail at `column` with exactly "column N: `message`". */
static void
refuses(const char *text, size_t column, const char *message)
{
    struct error err = {.code = ERROR_NONE};
    size_t found = 0;
    struct query *query = query_compile(text, NOW, &found, &err);
    if (query != NULL)
        fail_msg("'%s' was accepted", text);
    assert_int_equal(err.code, ERROR_ARGUMENT);
    char *wanted = alloc_format("column %zu: %s", column, message);
    assert_string_equal(err.text, wanted);
    assert_int_equal(found, column);
    free(wanted);
}

static void
shows_caret(const char *text, size_t column, const char *wanted)
{
    struct buffer buffer = {0};
    query_caret(&buffer, text, column);
    assert_string_equal(buffer_text(&buffer), wanted);
    buffer_done(&buffer);
}

static char *
repeat(const char *text, size_t count)
{
    struct buffer buffer = {0};
    for (size_t i = 0; i < count; i++)
        buffer_append_text(&buffer, text);
    char *result = alloc_text(buffer_text(&buffer));
    buffer_done(&buffer);
    return result;
}

static void
accepts_the_examples_of_the_design(void **state)
{
    (void)state;
    accepts(NULL);
    accepts("");
    accepts(" \t\n");
    accepts("stream=orders key=\"o-00417\" header.source!=test value.amount>100 "
            "payload~\"declined\" and not type=*.retry since -15m");
    accepts("orders[3]@42 or shop/orders[3]@42..99 or orders*[0]");
    accepts("partition in (0, 1,2) (key exists or not header.\"a name\" exists)");
    accepts("value.items[0].\"a.b\".c=1 value[2]=x");
    accepts("payload~/a\\/b[0-9]+/i");
    accepts("since 14:29:40 until \"2026-11-24 15:00:00\" time<now received>=2026-11-24");
}

static void
keeps_the_text_as_given(void **state)
{
    (void)state;
    struct error err;
    struct query *query = query_compile(" key = a ", NOW, NULL, &err);
    assert_non_null(query);
    assert_string_equal(query_text(query), " key = a ");
    query_free(query);
}

static void
names_the_nearest_field(void **state)
{
    (void)state;
    refuses("kye=1", 1, "expected a field, found 'kye' (did you mean 'key'?)");
    refuses("a partitoin>3", 3, "expected a field, found 'partitoin' (did you mean 'partition'?)");
    refuses("headers.x=1", 1, "expected a field, found 'headers.x' (did you mean 'header'?)");
    refuses("part=1", 1, "expected a field, found 'part' (did you mean 'partition'?)");
    refuses("topic=orders", 1, "expected a field, found 'topic' (did you mean 'stream'?)");
    refuses("kye exists", 1, "expected a field, found 'kye' (did you mean 'key'?)");
    refuses("kye in (a)", 1, "expected a field, found 'kye' (did you mean 'key'?)");
    refuses("zzzzzz=1", 1,
        "expected a field (tap stream partition offset seq key type id trace correlation size time "
        "received payload header value finding replayed), found 'zzzzzz'");
}

static void
says_what_is_missing(void **state)
{
    (void)state;
    refuses("key=", 5, "expected a value, found the end");
    refuses("key=a and", 10, "expected a term like key=o-417 or text to look for, found the end");
    refuses("or a", 1, "expected a term like key=o-417 or text to look for, found 'or'");
    refuses("not", 4, "expected a term like key=o-417 or text to look for, found the end");
    refuses("()", 2, "expected a term like key=o-417 or text to look for, found ')'");
    refuses("a )", 3, "expected 'and', 'or', another term or the end, found ')'");
    refuses("a (b", 3, "expected a ')' for the '(' that begins here, found the end");
    refuses("=x", 1, "expected a field before the operator, found '='");
    refuses("key==x", 5, "expected a value (in quotes if it begins with an operator), found '='");
    refuses(
        "key \"abc", 5, "expected a closing '\"' for the quote that begins here, found the end");
    refuses("key~/abc", 5,
        "expected a closing '/' for the regular expression that begins here, found the end");
    refuses("key in a", 8, "expected '(' after 'in', as in partition in (0, 1), found 'a'");
    refuses("key in (a b)", 11, "expected ',' or ')' in the list of 'in', found 'b'");
    refuses("key in ()", 9, "expected a value, found ')'");
    refuses("header=x", 7, "expected '.' and the header's name, as in header.source, found '='");
    refuses("value.=x", 7, "expected a member name, as in value.amount, found '='");
    refuses("value.a[x]=1", 9, "expected an index, as in value.items[0], found 'x]'");
    refuses("key.a=1", 4, "expected an operator after 'key', found '.a'");
}

static void
checks_values_by_their_field(void **state)
{
    (void)state;
    refuses("offset=abc", 8,
        "expected a whole number from 0 to 18446744073709551615 for 'offset', found 'abc'");
    refuses("seq>18446744073709551616", 5,
        "expected a whole number from 0 to 18446744073709551615 for 'seq', found "
        "'18446744073709551616'");
    refuses("size~3", 5, "expected one of = != < <= > >= in exists after 'size', found '~'");
    refuses("since tomorrow", 7,
        "expected a time (2026-11-23T14:29:31Z, 2026-11-23, 14:29:40, -15m or now), found "
        "'tomorrow'");
    refuses("since", 6,
        "expected a time after 'since' (2026-11-23T14:29:31Z, 2026-11-23, 14:29:40, -15m or now), "
        "found the end");
    refuses("replayed=maybe", 10, "expected true or false for 'replayed', found 'maybe'");
    refuses("replayed>true", 9, "expected = or != after 'replayed', found '>'");
    refuses("key<null", 5,
        "expected a value: null goes with = and != (quote it to compare with the text), found "
        "'null'");
    refuses("key~/(/", 7,
        "expected a PCRE2 regular expression, found a fault here: missing closing parenthesis");
    refuses("key=\"a\\qb\"", 7,
        "expected an escape as in C (\\n \\t \\\\ \\\" \\xNN \\NNN \\uNNNN) in quotes, found "
        "'\\qb'");
}

static void
wants_values_set_off_from_what_follows(void **state)
{
    (void)state;
    refuses("key=f(x)", 6,
        "expected a space after the value (put text with parentheses in quotes), found '('");
    refuses("key=\"a\"b", 8, "expected a space after the value, found 'b'");
    refuses("foo(bar)", 4,
        "expected a space after the value (put text with parentheses in quotes), found '('");
}

static void
reads_lanes(void **state)
{
    (void)state;
    refuses("orders[x]", 8,
        "expected a partition after '[' (put text with brackets in quotes), found 'x]'");
    refuses("orders[3", 9, "expected ']' after the partition, found the end");
    refuses("orders[3]@", 11, "expected an offset after '@', found the end");
    refuses("orders[3]@5..", 14, "expected an offset after '..', found the end");
    refuses("orders[3]@5..4", 14, "expected a last offset that is not below the first, found '4'");
    refuses("orders[3]x", 10,
        "expected a lane like orders[3], orders[3]@42 or orders[3]@42..99, found 'x'");
    refuses("orders[2147483648]", 8,
        "expected a partition after '[' (put text with brackets in quotes) of at most 2147483647, "
        "found '2147483648]'");
    refuses(
        "[3]", 1, "expected a stream before '[' (put text with brackets in quotes), found '[3]'");
}

static void
refuses_findings_for_now(void **state)
{
    (void)state;
    refuses("a finding=D", 3,
        "expected a field that can be asked now (nothing of 'finding' is on the tape yet), found "
        "'finding'");
    refuses("finding=", 9, "expected a value, found the end");
}

static void
counts_columns_in_characters(void **state)
{
    (void)state;
    refuses(
        "\"\xc3\xa9\xe2\x82\xac\" kye=1", 6, "expected a field, found 'kye' (did you mean 'key'?)");
}

static void
shows_nothing_raw_in_errors(void **state)
{
    (void)state;
    refuses("seq=\x1b[31m", 5,
        "expected a whole number from 0 to 18446744073709551615 for 'seq', found '?[31m'");
    refuses("seq=a\xff\xfe", 5,
        "expected a whole number from 0 to 18446744073709551615 for 'seq', found 'a?"
        "?'");
}

static void
draws_the_caret_under_the_column(void **state)
{
    (void)state;
    shows_caret("kye=1", 1, "kye=1\n^");
    shows_caret("key=", 5, "key=\n    ^");
    shows_caret("\xc3\xa9 b", 3, "\xc3\xa9 b\n  ^");
    shows_caret("a\x1b[0m\xff", 2, "a?[0m?\n ^");
    shows_caret("a", 99, "a\n ^");
    shows_caret("", 1, "\n^");
}

static void
cuts_a_long_text_around_the_caret(void **state)
{
    (void)state;
    char *text = repeat("abcdefghij", 30);
    shows_caret(text, 1,
        "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdef...\n^");
    shows_caret(text, 151,
        "...cdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefgh...\n"
        "                                         ^");
    shows_caret(text, 301,
        "...cdefghijabcdefghijabcdefghijabcdefghij\n"
        "                                         ^");
    free(text);
}

/* What other languages write, and would be looked for in payloads here, which finds nothing. */
static void
refuses_what_other_languages_write(void **state)
{
    (void)state;
    refuses("key=a && key=b", 7, "expected 'and' (or \"&&\"), found '&&'");
    refuses("key=a || key=b", 7, "expected 'or' (or \"||\"), found '||'");
    refuses("stream:orders", 7,
        "expected '=' and a value, or '~' and text in it (put text with a colon in quotes), found "
        "':orders'");
    refuses("value.amount:3", 13,
        "expected '=' and a value, or '~' and text in it (put text with a colon in quotes), found "
        "':3'");
    static const char *const behind_key[] = {
        "key is null", "key LIKE a", "key contains a", "key between 1", "key matches a"};
    static const char *const found[] = {"is", "LIKE", "contains", "between", "matches"};
    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        char *wanted = alloc_format(
            "expected an operator (= != < <= > >= ~ in exists, or = null) behind 'key' (put a word "
            "to look for in quotes), found '%s'",
            found[i]);
        refuses(behind_key[i], 5, wanted);
        free(wanted);
    }
    refuses("key not in (a, b)", 5,
        "expected an operator (= != < <= > >= ~ in exists, or = null) behind 'key' (put a word to "
        "look for in quotes), found 'not'");
    refuses("since 2026-11-18 12:00", 18,
        "expected a term (a time with a space in it needs quotes, or a T as in 2026-11-23T14:29), "
        "found '12:00'");
    refuses("time>=2026-11-18 12:00:30", 18,
        "expected a term (a time with a space in it needs quotes, or a T as in 2026-11-23T14:29), "
        "found '12:00:30'");
}

static void
takes_words_of_other_languages_as_text(void **state)
{
    (void)state;
    accepts("\"&&\" \"||\" \"stream:orders\" \"key\" is");
    accepts("this is like that");
    accepts("key not a");
    accepts("key not (a or b)");
    accepts("http://host:80 a:b |||");
    accepts("since \"2026-11-18 12:00\" until 14:00");
    accepts("since 2026-11-18 \"12:00\"");
}

static void
limits_depth_terms_and_length(void **state)
{
    (void)state;
    char *deep = repeat("(", 201);
    refuses(deep, 201, "expected no more than 200 parentheses and 'not' in each other, found '('");
    char *negations = repeat("not ", 201);
    refuses(negations, 801,
        "expected no more than 200 parentheses and 'not' in each other, found 'not'");
    char *many = repeat("a ", 16385);
    refuses(many, 32770, "expected no more than 16384 terms in a query, found another one");
    char *wide = repeat("a ", 16000);
    accepts(wide);
    char *regexes = repeat("key~/a/ ", 65);
    refuses(regexes, 517, "expected no more than 64 regular expressions in a query, found '/a/'");
    char *longest = repeat("a", (size_t)QUERY_MAX_TEXT);
    accepts(longest);
    char *longer = repeat("a", (size_t)QUERY_MAX_TEXT + 1);
    refuses(longer, 65537, "expected the end of the query, which may have 65536 bytes, found more");
    free(deep);
    free(negations);
    free(many);
    free(wide);
    free(regexes);
    free(longest);
    free(longer);
}

static char *
read_file(const char *path)
{
    struct buffer buffer = {0};
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    size_t got;
    while ((got = fread(buffer_reserve(&buffer, 4096), 1, 4096, file)) > 0)
        buffer.length += got;
    (void)fclose(file);
    char *text = alloc_text(buffer_text(&buffer));
    buffer_done(&buffer);
    return text;
}

/* Each row of the table must have its row in the page for users. */
static void
documents_every_field(void **state)
{
    (void)state;
    char *page = read_file(TEST_SOURCE_DIR "/docs/QUERY.md");
    static const char *const names[] = {
#define QUERY_FIELD(NAME, text, class, cost, about) text,
#include "index/query_fields.def"
#undef QUERY_FIELD
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *row = alloc_format("\n| `%s", names[i]);
        if (strstr(page, row) == NULL)
            fail_msg("docs/QUERY.md has no row for the field %s", names[i]);
        free(row);
    }
    free(page);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_examples_of_the_design),
        cmocka_unit_test(keeps_the_text_as_given),
        cmocka_unit_test(names_the_nearest_field),
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(checks_values_by_their_field),
        cmocka_unit_test(wants_values_set_off_from_what_follows),
        cmocka_unit_test(reads_lanes),
        cmocka_unit_test(refuses_findings_for_now),
        cmocka_unit_test(counts_columns_in_characters),
        cmocka_unit_test(shows_nothing_raw_in_errors),
        cmocka_unit_test(draws_the_caret_under_the_column),
        cmocka_unit_test(cuts_a_long_text_around_the_caret),
        cmocka_unit_test(refuses_what_other_languages_write),
        cmocka_unit_test(takes_words_of_other_languages_as_text),
        cmocka_unit_test(limits_depth_terms_and_length),
        cmocka_unit_test(documents_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
