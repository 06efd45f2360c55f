/* The left side of a test: a field, for some with a header's name or a JSON path behind it. */
#include <stdio.h>
#include <string.h>

#include "index/query_json.h"
#include "index/query_parse.h"

const struct query_field_row query_fields[QUERY_FIELD_COUNT] = {
#define QUERY_FIELD(NAME, text, class, cost, about) {text, QUERY_##class, cost, about},
#include "index/query_fields.def"
#undef QUERY_FIELD
};

/* What other tools call our fields. Only for hints. */
static const struct {
    const char *said;
    const char *meant;
} other_names[] = {
    {"topic", "stream"},
    {"queue", "stream"},
    {"body", "payload"},
    {"message", "payload"},
    {"timestamp", "time"},
    {"ts", "time"},
    {"json", "value.PATH"},
    {"traceid", "trace"},
};

#define NAME_MAX_LENGTH 24u

/* Levenshtein's distance; `word` is no longer than NAME_MAX_LENGTH. */
static size_t
distance(const char *word, size_t length, const char *name)
{
    size_t row[NAME_MAX_LENGTH + 1];
    for (size_t i = 0; i <= length; i++)
        row[i] = i;
    for (size_t j = 1; name[j - 1] != '\0'; j++) {
        size_t diagonal = row[0];
        row[0] = j;
        for (size_t i = 1; i <= length; i++) {
            size_t best = diagonal + (word[i - 1] != name[j - 1]);
            diagonal = row[i];
            if (row[i] + 1 < best)
                best = row[i] + 1;
            if (row[i - 1] + 1 < best)
                best = row[i - 1] + 1;
            row[i] = best;
        }
    }
    return row[length];
}

/* The field that was probably meant, or NULL. */
static const char *
nearest_name(const char *word, size_t length)
{
    if (length > NAME_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++) {
        if (strlen(other_names[i].said) == length &&
            strncasecmp(other_names[i].said, word, length) == 0)
            return other_names[i].meant;
    }
    const char *best = NULL;
    size_t least = 3; /* two slips at most, and not more than half of the word */
    for (size_t i = 0; i < QUERY_FIELD_COUNT; i++) {
        const char *name = query_fields[i].name;
        bool is_start = length >= 3 && strncasecmp(name, word, length) == 0;
        size_t far = is_start ? 0 : distance(word, length, name);
        if (far < least && far * 2 <= length + 1) {
            least = far;
            best = name;
        }
    }
    return best;
}

static bool
unknown_field(struct query_parser *parser, size_t from, size_t base, size_t to)
{
    char shown[QUERY_LEX_SHOWN];
    (void)query_lex_show(&parser->lexer, from, to - from, shown);
    const char *nearest = nearest_name(parser->lexer.text + from, base);
    if (nearest != NULL)
        return query_lex_fail(&parser->lexer, from,
            "expected a field, found '%s' (did you mean '%s'?)", shown, nearest);

    char names[256];
    size_t used = 0;
    for (size_t i = 0; i < QUERY_FIELD_COUNT && used < sizeof(names); i++)
        used += (size_t)snprintf(
            names + used, sizeof(names) - used, "%s%s", i > 0 ? " " : "", query_fields[i].name);
    return query_lex_fail(&parser->lexer, from, "expected a field (%s), found '%s'", names, shown);
}

/* header.NAME, header."a name": `at` is behind the word header. */
static bool
parse_header_name(struct query_parser *parser, size_t at, size_t to, struct bytes *name)
{
    struct query_lexer *lexer = &parser->lexer;
    if (at >= to || lexer->text[at] != '.' || at + 1 >= to)
        return query_lex_expected(lexer, at, "'.' and the header's name, as in header.source");
    if (lexer->text[at + 1] != '"') {
        *name = query_lex_unescape(lexer, at + 1, to, NULL);
        return true;
    }
    lexer->at = at + 1;
    if (!query_lex_quoted(lexer, name))
        return false;
    if (lexer->at != to)
        return query_lex_expected(lexer, lexer->at, "an operator after the header's name");
    return true;
}

/* One ".member" of a path into the pool. */
static bool
parse_member(struct query_parser *parser, size_t *at, size_t to, struct bytes *member)
{
    struct query_lexer *lexer = &parser->lexer;
    size_t from = ++*at;
    if (from < to && lexer->text[from] == '"') {
        lexer->at = from;
        if (!query_lex_quoted(lexer, member))
            return false;
        *at = lexer->at;
        if (memchr(member->data, '\0', member->length) != NULL)
            return query_lex_expected(lexer, from, "a member name without a zero byte");
        return true;
    }
    while (*at < to && lexer->text[*at] != '.' && lexer->text[*at] != '[')
        *at += lexer->text[*at] == '\\' && *at + 1 < to ? 2 : 1;
    if (*at == from)
        return query_lex_expected(lexer, from, "a member name, as in value.amount");
    *member = query_lex_unescape(lexer, from, *at, NULL);
    return true;
}

/* One "[index]" of a path into the pool. */
static bool
parse_index(struct query_parser *parser, size_t *at, size_t to)
{
    struct query_lexer *lexer = &parser->lexer;
    size_t from = ++*at;
    while (*at < to && lexer->text[*at] >= '0' && lexer->text[*at] <= '9')
        query_lex_put(lexer, (unsigned char)lexer->text[(*at)++]);
    if (*at == from || *at - from > QUERY_JSON_INDEX_DIGITS)
        return query_lex_expected(lexer, from, "an index, as in value.items[0]");
    if (*at == to || lexer->text[*at] != ']')
        return query_lex_expected(lexer, *at, "']' after the index");
    (*at)++;
    return true;
}

static void
put_needle(struct query_parser *parser, struct bytes member, struct bytes *needle)
{
    struct query *query = parser->lexer.query;
    size_t from = query->pool_length;
    query_lex_put(&parser->lexer, '"');
    for (size_t i = 0; i < member.length; i++)
        query_lex_put(&parser->lexer, member.data[i]);
    query_lex_put(&parser->lexer, '"');
    *needle = bytes_make(query->pool + from, query->pool_length - from);
}

/* value.a.b[0]."x y": `at` is behind the word value. The encoding is in query_json.h. */
static bool
parse_path(struct query_parser *parser, size_t at, size_t to, struct query_subject *subject)
{
    struct query_lexer *lexer = &parser->lexer;
    struct query *query = lexer->query;
    struct bytes longest = BYTES_NULL;
    size_t from = query->pool_length;
    do {
        char c = lexer->text[at];
        struct bytes member = BYTES_NULL;
        if (at == to || (c != '.' && c != '['))
            return query_lex_expected(lexer, at, "'.' and a member, as in value.amount");
        query_lex_put(lexer, c == '.' ? QUERY_JSON_MEMBER : QUERY_JSON_INDEX);
        if (!(c == '.' ? parse_member(parser, &at, to, &member) : parse_index(parser, &at, to)))
            return false;
        query_lex_put(lexer, '\0');
        if (member.data != NULL && (longest.data == NULL || member.length > longest.length))
            longest = member;
    } while (at < to);
    subject->name = bytes_make(query->pool + from, query->pool_length - from);
    if (longest.data != NULL)
        put_needle(parser, longest, &subject->needle);
    return true;
}

bool
query_parse_subject(
    struct query_parser *parser, size_t from, size_t to, struct query_subject *subject)
{
    const char *text = parser->lexer.text;
    size_t base = from;
    while (base < to && text[base] != '.' && text[base] != '[')
        base++;

    size_t field = 0;
    while (field < QUERY_FIELD_COUNT &&
           (strlen(query_fields[field].name) != base - from ||
               memcmp(query_fields[field].name, text + from, base - from) != 0))
        field++;
    if (field == QUERY_FIELD_COUNT)
        return unknown_field(parser, from, base - from, to);

    *subject = (struct query_subject){.field = (enum query_field)field};
    if (query_fields[field].class == QUERY_HEADER)
        return parse_header_name(parser, base, to, &subject->name);
    if (query_fields[field].class == QUERY_JSON)
        return parse_path(parser, base, to, subject);
    if (base < to)
        return query_lex_expected(
            &parser->lexer, base, "an operator after '%s'", query_fields[field].name);
    return true;
}
