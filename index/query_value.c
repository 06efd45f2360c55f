/* The right side of a test: a value as its field's class wants it, and the node that both make. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "index/query_parse.h"

/* What follows a value must be set off from it: key=f(x) would otherwise mean key=f and (x). */
static bool
check_end(struct query_parser *parser, bool in_list)
{
    struct query_lexer *lexer = &parser->lexer;
    char c = query_lex_peek(lexer);
    if (!query_lex_is_end(lexer, lexer->at) && !(in_list && c == ','))
        return query_lex_expected(lexer, lexer->at, "a space after the value");
    if (c == '(' || c == '"')
        return query_lex_expected(
            lexer, lexer->at, "a space after the value (put text with parentheses in quotes)");
    return true;
}

/* /pattern/i: the lexer stands on the first slash. */
static bool
parse_pattern(struct query_parser *parser, struct query_literal *literal)
{
    struct query_lexer *lexer = &parser->lexer;
    size_t from = lexer->query->pool_length;
    lexer->at++;
    for (;; lexer->at++) {
        char c = query_lex_peek(lexer);
        if (lexer->at >= lexer->length)
            return query_lex_fail(lexer, literal->at,
                "expected a closing '/' for the regular expression that begins here, found the "
                "end");
        if (c == '/')
            break;
        if (c == '\\' && lexer->at + 1 < lexer->length) {
            lexer->at++;
            if (lexer->text[lexer->at] != '/')
                query_lex_put(lexer, '\\');
            c = lexer->text[lexer->at];
        }
        query_lex_put(lexer, (unsigned char)c);
    }
    literal->text = bytes_make(lexer->query->pool + from, lexer->query->pool_length - from);
    literal->is_regex = true;
    lexer->at++;
    while (query_lex_peek(lexer) == 'i') {
        literal->is_caseless = true;
        lexer->at++;
    }
    return true;
}

static bool
parse_bare(
    struct query_parser *parser, enum query_test test, bool in_list, struct query_literal *literal)
{
    struct query_lexer *lexer = &parser->lexer;
    size_t from = lexer->at;
    if (query_lex_is_operator(lexer, from))
        return query_lex_expected(lexer, from, "a value (in quotes if it begins with an operator)");
    while (!query_lex_is_end(lexer, lexer->at) && !(in_list && query_lex_peek(lexer) == ',')) {
        bool is_escape = query_lex_peek(lexer) == '\\' && lexer->at + 1 < lexer->length;
        lexer->at += is_escape ? 2 : 1;
    }
    if (lexer->at == from)
        return query_lex_expected(lexer, from, "a value");
    literal->text =
        query_lex_unescape(lexer, from, lexer->at, test == QUERY_EQUAL ? &literal->has_star : NULL);
    literal->is_null = lexer->at - from == 4 && memcmp(lexer->text + from, "null", 4) == 0;
    return true;
}

bool
query_parse_literal(
    struct query_parser *parser, enum query_test test, bool in_list, struct query_literal *literal)
{
    struct query_lexer *lexer = &parser->lexer;
    query_lex_space(lexer);
    *literal = (struct query_literal){.at = lexer->at};
    bool parsed;
    if (query_lex_peek(lexer) == '"') {
        literal->is_quoted = true;
        parsed = query_lex_quoted(lexer, &literal->text);
    } else if (test == QUERY_CONTAINS && query_lex_peek(lexer) == '/') {
        parsed = parse_pattern(parser, literal);
    } else {
        parsed = parse_bare(parser, test, in_list, literal);
    }
    literal->end = lexer->at;
    return parsed && check_end(parser, in_list);
}

static bool
is_order(enum query_test test)
{
    return test >= QUERY_LESS && test <= QUERY_AT_LEAST;
}

/* Where in the text PCRE2's `offset` into the pattern is: "\/" became one byte. */
static size_t
place_in_pattern(
    const struct query_parser *parser, const struct query_literal *literal, size_t offset)
{
    const char *text = parser->lexer.text;
    size_t at = literal->at + 1;
    for (size_t i = 0; i < offset && at + 1 < literal->end; i++)
        at += text[at] == '\\' && text[at + 1] == '/' ? 2 : 1;
    return at;
}

static bool
compile_regex(
    struct query_parser *parser, const struct query_literal *literal, struct query_regex *regex)
{
    struct query_lexer *lexer = &parser->lexer;
    if (lexer->query->regex_count >= QUERY_MAX_REGEXES)
        return query_lex_expected(lexer, literal->at,
            "no more than %u regular expressions in a query", QUERY_MAX_REGEXES);

    int code;
    size_t offset;
    if (!query_regex_compile(regex, literal->text, literal->is_caseless, &code, &offset)) {
        PCRE2_UCHAR reason[160] = "";
        (void)pcre2_get_error_message(code, reason, sizeof(reason));
        return query_lex_fail(lexer, place_in_pattern(parser, literal, offset),
            "expected a PCRE2 regular expression, found a fault here: %s", (char *)reason);
    }
    lexer->query->regex_count++;
    return true;
}

static bool
fill_text(struct query_parser *parser, const struct query_literal *literal, struct query_node *node)
{
    node->text = literal->text;
    if (literal->is_null && is_order(node->test))
        return query_lex_expected(&parser->lexer, literal->at,
            "a value: null goes with = and != (quote it to compare with the text)");
    if (literal->is_null && node->test == QUERY_EQUAL)
        node->test = QUERY_IS_NULL;
    else if (literal->has_star)
        node->test = QUERY_GLOB;
    else if (!literal->is_quoted && !literal->is_regex)
        node->has_number =
            query_number_parse(literal->text, parser->lexer.query->locale, &node->number);
    if (!literal->is_regex)
        return true;
    node->test = QUERY_REGEX;
    node->is_caseless = literal->is_caseless;
    node->cost += 30;
    return compile_regex(parser, literal, &node->regex);
}

static bool
fill_whole(
    struct query_parser *parser, const struct query_literal *literal, struct query_node *node)
{
    bool is_whole = literal->text.length > 0;
    for (size_t i = 0; i < literal->text.length && is_whole; i++) {
        unsigned char c = literal->text.data[i];
        is_whole = c >= '0' && c <= '9' &&
                   !__builtin_mul_overflow(node->whole, 10u, &node->whole) &&
                   !__builtin_add_overflow(node->whole, (uint64_t)(c - '0'), &node->whole);
    }
    if (is_whole)
        return true;
    return query_lex_expected(&parser->lexer, literal->at,
        "a whole number from 0 to 18446744073709551615 for '%s'", query_fields[node->field].name);
}

/* A time of day behind a date, as other programs write moments. It would be looked for in payloads. */
static bool
is_time_of_day(struct query_lexer ahead)
{
    static const char pattern[] = "00:00";
    query_lex_space(&ahead);
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        if (ahead.at >= ahead.length)
            return false;
        char c = ahead.text[ahead.at++];
        if (pattern[i] == '0' ? c < '0' || c > '9' : c != pattern[i])
            return false;
    }
    return true;
}

static bool
fill_moment(
    struct query_parser *parser, const struct query_literal *literal, struct query_node *node)
{
    struct query_lexer ahead = parser->lexer;
    if (!literal->is_quoted && is_time_of_day(ahead)) {
        query_lex_space(&ahead);
        return query_lex_expected(&parser->lexer, ahead.at,
            "a term (a time with a space in it needs quotes, or a T as in 2026-11-23T14:29)");
    }
    /* Its text does not know the column; ours says the same. */
    struct error ignored;
    if (clock_parse((const char *)literal->text.data, literal->text.length, parser->now_ns,
            &node->moment_ns, &ignored))
        return true;
    return query_lex_expected(&parser->lexer, literal->at,
        "a time (2026-11-23T14:29:31Z, 2026-11-23, 14:29:40, -15m or now)");
}

static bool
fill_flag(struct query_parser *parser, const struct query_literal *literal, struct query_node *node)
{
    node->whole = bytes_equal_text(literal->text, "true");
    if (node->whole == 1 || bytes_equal_text(literal->text, "false"))
        return true;
    return query_lex_expected(
        &parser->lexer, literal->at, "true or false for '%s'", query_fields[node->field].name);
}

static bool
fill(struct query_parser *parser, const struct query_literal *literal, struct query_node *node)
{
    switch (query_fields[node->field].class) {
    case QUERY_TEXT:
    case QUERY_HEADER:
    case QUERY_JSON:
        return fill_text(parser, literal, node);
    case QUERY_NUMBER:
        return fill_whole(parser, literal, node);
    case QUERY_MOMENT:
        return fill_moment(parser, literal, node);
    case QUERY_FLAG:
        return fill_flag(parser, literal, node);
    case QUERY_FUTURE:
        break;
    }
    return true;
}

bool
query_parse_test(struct query_parser *parser, const struct query_subject *subject,
    enum query_test test, const struct query_literal *literal, uint32_t *index)
{
    if (!query_parse_node(parser, QUERY_TERM, index))
        return false;
    struct query_node *node = &parser->lexer.query->nodes[*index];
    node->field = subject->field;
    node->test = test;
    node->cost = query_fields[subject->field].cost;
    node->name = subject->name;
    node->needle = subject->needle;
    return literal == NULL || fill(parser, literal, node);
}
