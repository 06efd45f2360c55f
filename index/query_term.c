/* One term: FIELD OP VALUE, FIELD in (...), FIELD exists, since T, until T, STREAM[P]@A..B, or text to
 * look for in payloads. */
#include <stdint.h>
#include <string.h>

#include "index/query_parse.h"

/* Where the word that begins here ends. Behind a dot of header.NAME and value.PATH a quoted part
 * belongs to it. */
static size_t
find_word_end(const struct query_lexer *lexer)
{
    const char *text = lexer->text;
    size_t end = lexer->at;
    bool takes_quotes =
        strncmp(text + end, "header.", 7) == 0 || strncmp(text + end, "value", 5) == 0;
    while (end < lexer->length) {
        if (takes_quotes && end > lexer->at && text[end] == '"' && text[end - 1] == '.') {
            for (end++; end < lexer->length && text[end] != '"'; end++)
                end += text[end] == '\\' && end + 1 < lexer->length;
            end += end < lexer->length;
            continue;
        }
        if (query_lex_is_end(lexer, end) || query_lex_is_operator(lexer, end))
            break;
        end += text[end] == '\\' && end + 1 < lexer->length ? 2 : 1;
    }
    return end;
}

/* What an operator asks for. */
struct operation {
    enum query_test test;
    bool is_negated;
};

static struct operation
take_operator(struct query_lexer *lexer)
{
    char c = lexer->text[lexer->at++];
    bool or_equal = (c == '<' || c == '>') && query_lex_peek(lexer) == '=';
    lexer->at += or_equal || c == '!';
    switch (c) {
    case '<':
        return (struct operation){or_equal ? QUERY_AT_MOST : QUERY_LESS, false};
    case '>':
        return (struct operation){or_equal ? QUERY_AT_LEAST : QUERY_MORE, false};
    case '~':
        return (struct operation){QUERY_CONTAINS, false};
    default:
        return (struct operation){QUERY_EQUAL, c == '!'};
    }
}

static bool
check_operator(struct query_parser *parser, size_t at, enum query_field field, enum query_test test)
{
    enum query_class class = query_fields[field].class;
    const char *name = query_fields[field].name;
    if (class == QUERY_FLAG && test != QUERY_EQUAL)
        return query_lex_expected(&parser->lexer, at, "= or != after '%s'", name);
    if ((class == QUERY_NUMBER || class == QUERY_MOMENT) && test == QUERY_CONTAINS)
        return query_lex_expected(
            &parser->lexer, at, "one of = != < <= > >= in exists after '%s'", name);
    return true;
}

static bool
parse_comparison(struct query_parser *parser, const struct query_subject *subject, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    struct query_literal literal;
    size_t at = lexer->at;
    struct operation operation = take_operator(lexer);
    return check_operator(parser, at, subject->field, operation.test) &&
           query_parse_literal(parser, operation.test, false, &literal) &&
           query_parse_test(parser, subject, operation.test, &literal, index) &&
           (!operation.is_negated || query_parse_negate(parser, index));
}

/* "(a, b)" behind FIELD in. */
static bool
parse_list(struct query_parser *parser, const struct query_subject *subject, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    struct query_chain chain = QUERY_CHAIN_EMPTY;
    query_lex_space(lexer);
    if (query_lex_peek(lexer) != '(')
        return query_lex_expected(lexer, lexer->at, "'(' after 'in', as in partition in (0, 1)");
    do {
        uint32_t child;
        struct query_literal literal;
        lexer->at++;
        if (!query_parse_literal(parser, QUERY_EQUAL, true, &literal) ||
            !query_parse_test(parser, subject, QUERY_EQUAL, &literal, &child))
            return false;
        query_parse_link(parser, &chain, child);
        query_lex_space(lexer);
    } while (query_lex_peek(lexer) == ',');
    if (query_lex_peek(lexer) != ')')
        return query_lex_expected(lexer, lexer->at, "',' or ')' in the list of 'in'");
    lexer->at++;
    return query_parse_group(parser, &chain, QUERY_OR, index);
}

/* Nothing is said about events yet that a finding could be asked for; the term is read all the same,
 * so that a fault in it is what the user is told first. */
static bool
refuse_future(struct query_parser *parser, size_t from, enum query_field field)
{
    if (query_fields[field].class != QUERY_FUTURE)
        return true;
    return query_lex_expected(&parser->lexer, from,
        "a field that can be asked now (nothing of '%s' is on the tape yet)",
        query_fields[field].name);
}

/* text[from..to) is the subject, an operator follows behind spaces. */
static bool
parse_field_term(struct query_parser *parser, size_t from, size_t to, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    struct query_subject subject;
    if (!query_parse_subject(parser, from, to, &subject))
        return false;
    lexer->at = to;
    query_lex_space(lexer);
    size_t at = lexer->at;
    bool parsed;
    if (query_lex_take_word(lexer, "exists"))
        parsed = check_operator(parser, at, subject.field, QUERY_EXISTS) &&
                 query_parse_test(parser, &subject, QUERY_EXISTS, NULL, index);
    else if (query_lex_take_word(lexer, "in"))
        parsed = parse_list(parser, &subject, index);
    else
        parsed = parse_comparison(parser, &subject, index);
    return parsed && refuse_future(parser, from, subject.field);
}

static bool
parse_bound(struct query_parser *parser, enum query_test test, uint32_t *index)
{
    struct query_literal literal;
    struct query_subject subject = {.field = QUERY_FIELD_TIME};
    query_lex_space(&parser->lexer);
    if (parser->lexer.at == parser->lexer.length)
        return query_lex_expected(&parser->lexer, parser->lexer.at,
            "a time after '%s' (2026-11-23T14:29:31Z, 2026-11-23, 14:29:40, -15m or now)",
            test == QUERY_AT_LEAST ? "since" : "until");
    return query_parse_literal(parser, test, false, &literal) &&
           query_parse_test(parser, &subject, test, &literal, index);
}

/* A number of a lane, at most `most`. */
static bool
take_number(
    struct query_parser *parser, size_t to, uint64_t most, const char *what, uint64_t *value)
{
    struct query_lexer *lexer = &parser->lexer;
    size_t from = lexer->at;
    *value = 0;
    for (; lexer->at < to && lexer->text[lexer->at] >= '0' && lexer->text[lexer->at] <= '9';
         lexer->at++) {
        if (__builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(lexer->text[lexer->at] - '0'), value) ||
            *value > most)
            return query_lex_expected(
                lexer, from, "%s of at most %llu", what, (unsigned long long)most);
    }
    if (lexer->at == from)
        return query_lex_expected(lexer, from, "%s", what);
    return true;
}

/* Consume `mark`, which must not reach over `to`. */
static bool
take_mark(struct query_lexer *lexer, size_t to, const char *mark)
{
    size_t length = strlen(mark);
    if (to - lexer->at < length || strncmp(lexer->text + lexer->at, mark, length) != 0)
        return false;
    lexer->at += length;
    return true;
}

/* Add FIELD TEST whole number to a chain. */
static bool
link_whole(struct query_parser *parser, struct query_chain *chain, enum query_field field,
    enum query_test test, uint64_t whole)
{
    uint32_t index;
    struct query_subject subject = {.field = field};
    if (!query_parse_test(parser, &subject, test, NULL, &index))
        return false;
    parser->lexer.query->nodes[index].whole = whole;
    query_parse_link(parser, chain, index);
    return true;
}

/* "@5" or "@5..9" behind a lane. */
static bool
parse_offsets(struct query_parser *parser, size_t to, struct query_chain *chain)
{
    struct query_lexer *lexer = &parser->lexer;
    uint64_t first;
    uint64_t last;
    if (!take_number(parser, to, INT64_MAX, "an offset after '@'", &first))
        return false;
    if (!take_mark(lexer, to, ".."))
        return link_whole(parser, chain, QUERY_FIELD_OFFSET, QUERY_EQUAL, first);
    size_t at = lexer->at;
    if (!take_number(parser, to, INT64_MAX, "an offset after '..'", &last))
        return false;
    if (last < first)
        return query_lex_expected(lexer, at, "a last offset that is not below the first");
    return link_whole(parser, chain, QUERY_FIELD_OFFSET, QUERY_AT_LEAST, first) &&
           link_whole(parser, chain, QUERY_FIELD_OFFSET, QUERY_AT_MOST, last);
}

/* STREAM[P], STREAM[P]@A, STREAM[P]@A..B, with the bracket at `bracket`. */
static bool
parse_lane(struct query_parser *parser, size_t bracket, size_t to, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    struct query_chain chain = QUERY_CHAIN_EMPTY;
    struct query_subject subject = {.field = QUERY_FIELD_STREAM};
    struct query_literal literal = {.at = lexer->at, .end = bracket, .is_quoted = true};
    uint64_t partition;
    uint32_t stream;
    if (bracket == lexer->at)
        return query_lex_expected(
            lexer, bracket, "a stream before '[' (put text with brackets in quotes)");
    literal.text = query_lex_unescape(lexer, lexer->at, bracket, &literal.has_star);
    if (!query_parse_test(parser, &subject, QUERY_EQUAL, &literal, &stream))
        return false;
    query_parse_link(parser, &chain, stream);

    lexer->at = bracket + 1;
    if (!take_number(parser, to, INT32_MAX,
            "a partition after '[' (put text with brackets in quotes)", &partition) ||
        !link_whole(parser, &chain, QUERY_FIELD_PARTITION, QUERY_EQUAL, partition))
        return false;
    if (!take_mark(lexer, to, "]"))
        return query_lex_expected(lexer, lexer->at, "']' after the partition");
    if (take_mark(lexer, to, "@") && !parse_offsets(parser, to, &chain))
        return false;
    if (lexer->at != to)
        return query_lex_expected(
            lexer, lexer->at, "a lane like orders[3], orders[3]@42 or orders[3]@42..99");
    return query_parse_group(parser, &chain, QUERY_AND, index);
}

/* Where an unescaped '[' stands in text[at..to), or `to`. */
static size_t
find_bracket(const struct query_lexer *lexer, size_t to)
{
    size_t at = lexer->at;
    while (at < to && lexer->text[at] != '[')
        at += lexer->text[at] == '\\' && at + 1 < to ? 2 : 1;
    return at < to ? at : to;
}

static bool
parse_payload_text(struct query_parser *parser, uint32_t *index)
{
    struct query_literal literal;
    struct query_subject subject = {.field = QUERY_FIELD_PAYLOAD};
    /* Read like the value of '<', which has no stars and no regular expressions. */
    return query_parse_literal(parser, QUERY_LESS, false, &literal) &&
           query_parse_test(parser, &subject, QUERY_CONTAINS, &literal, index);
}

static bool
is_field_name(const struct query_lexer *lexer, size_t to)
{
    size_t length = 0;
    const char *word = lexer->text + lexer->at;
    while (lexer->at + length < to && word[length] != '.' && word[length] != '[')
        length++;
    for (size_t i = 0; i < QUERY_FIELD_COUNT; i++) {
        if (strlen(query_fields[i].name) == length &&
            memcmp(query_fields[i].name, word, length) == 0)
            return true;
    }
    return false;
}

static bool
is_any_word(const struct query_lexer *lexer, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (query_lex_is_word(lexer, *words))
            return true;
    }
    return false;
}

/* "not in (", behind a field. */
static bool
is_not_in(struct query_lexer ahead)
{
    if (!query_lex_take_word(&ahead, "not"))
        return false;
    query_lex_space(&ahead);
    if (!query_lex_take_word(&ahead, "in"))
        return false;
    query_lex_space(&ahead);
    return query_lex_peek(&ahead) == '(';
}

/* text[lexer->at..to) is a bare word. Is it what other languages have for a term of this one? To look for that in
 * payloads would find nothing and say no more. */
static bool
refuse_foreign(struct query_lexer *lexer, size_t to)
{
    static const char *const words[] = {"is", "like", "contains", "between", "matches", NULL};
    size_t length = to - lexer->at;
    const char *text = lexer->text + lexer->at;
    if (length == 2 && (memcmp(text, "&&", 2) == 0 || memcmp(text, "||", 2) == 0))
        return query_lex_expected(
            lexer, lexer->at, text[0] == '&' ? "'and' (or \"&&\")" : "'or' (or \"||\")");

    const char *colon = memchr(text, ':', length);
    size_t name_end = colon == NULL ? to : lexer->at + (size_t)(colon - text);
    if (!is_field_name(lexer, name_end))
        return true;
    if (colon != NULL)
        return query_lex_expected(lexer, name_end,
            "'=' and a value, or '~' and text in it (put text with a colon in quotes)");
    struct query_lexer ahead = *lexer;
    ahead.at = to;
    query_lex_space(&ahead);
    if (is_any_word(&ahead, words) || is_not_in(ahead))
        return query_lex_expected(lexer, ahead.at,
            "an operator (= != < <= > >= ~ in exists, or = null) behind '%.*s' (put a word to look "
            "for in quotes)",
            (int)(length < 60 ? length : 60), text);
    return true;
}

/* True when an operator, "exists", or "in" in front of a list comes behind `to`. "in" alone is a
 * forgotten list behind a field, and just a word behind other words. */
static bool
is_subject(struct query_lexer ahead, size_t to)
{
    bool is_field = is_field_name(&ahead, to);
    ahead.at = to;
    query_lex_space(&ahead);
    if (query_lex_is_operator(&ahead, ahead.at) || query_lex_is_word(&ahead, "exists"))
        return true;
    if (!query_lex_take_word(&ahead, "in"))
        return false;
    query_lex_space(&ahead);
    return is_field || query_lex_peek(&ahead) == '(';
}

bool
query_parse_term(struct query_parser *parser, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    if (query_lex_is_operator(lexer, lexer->at))
        return query_lex_expected(lexer, lexer->at, "a field before the operator");
    if (query_lex_peek(lexer) == '"')
        return parse_payload_text(parser, index);
    if (lexer->at == lexer->length || query_lex_peek(lexer) == ')' ||
        query_lex_is_word(lexer, "and") || query_lex_is_word(lexer, "or") ||
        query_lex_is_word(lexer, "exists"))
        return query_lex_expected(lexer, lexer->at, "a term like key=o-417 or text to look for");

    size_t from = lexer->at;
    size_t to = find_word_end(lexer);
    if (is_subject(*lexer, to))
        return parse_field_term(parser, from, to, index);
    if (query_lex_take_word(lexer, "since"))
        return parse_bound(parser, QUERY_AT_LEAST, index);
    if (query_lex_take_word(lexer, "until"))
        return parse_bound(parser, QUERY_AT_MOST, index);
    size_t bracket = find_bracket(lexer, to);
    if (bracket < to)
        return parse_lane(parser, bracket, to, index);
    return refuse_foreign(lexer, to) && parse_payload_text(parser, index);
}
