#include "index/query_lex.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "index/query_internal.h"

/* Which character, counted from 1, stands at `at`. */
static size_t
column_of(const struct query_lexer *lexer, size_t at)
{
    size_t column = 1;
    for (size_t i = 0; i < at; i += query_character_at(lexer->text, i).length)
        column++;
    return column;
}

static bool
fail_at(struct query_lexer *lexer, size_t at, const char *text)
{
    size_t column = column_of(lexer, at);
    if (lexer->column != NULL)
        *lexer->column = column;
    return error_set(lexer->err, ERROR_ARGUMENT, "column %zu: %s", column, text);
}

bool
query_lex_fail(struct query_lexer *lexer, size_t at, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return fail_at(lexer, at, text);
}

char *
query_lex_show(
    const struct query_lexer *lexer, size_t at, size_t length, char shown[QUERY_LEX_SHOWN])
{
    size_t most = QUERY_LEX_SHOWN - 4; /* room for "..." */
    size_t used = 0;
    const char *text = lexer->text;
    size_t end = at + length;
    while (at < end) {
        struct bytes character = query_character_at(text, at);
        if (used + character.length > most)
            break;
        if (query_is_fit(character))
            memcpy(shown + used, character.data, character.length);
        else
            shown[used] = '?';
        used += query_is_fit(character) ? character.length : 1;
        at += character.length;
    }
    (void)snprintf(shown + used, QUERY_LEX_SHOWN - used, "%s", at < end ? "..." : "");
    return shown;
}

/* The length of what a reader takes for one thing at `at`. */
static size_t
length_of_thing(const struct query_lexer *lexer, size_t at)
{
    size_t end = at;
    if (query_lex_is_operator(lexer, at)) {
        while (end < lexer->length && strchr("=!<>~", lexer->text[end]) != NULL)
            end++;
        return end - at;
    }
    if (lexer->text[at] == '"') {
        for (end++; end < lexer->length && lexer->text[end] != '"'; end++) {
        }
        return end < lexer->length ? end + 1 - at : end - at;
    }
    while (!query_lex_is_end(lexer, end) && !query_lex_is_operator(lexer, end))
        end++;
    return end > at ? end - at : 1;
}

bool
query_lex_expected(struct query_lexer *lexer, size_t at, const char *format, ...)
{
    char text[400];
    char shown[QUERY_LEX_SHOWN];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    if (at >= lexer->length)
        return query_lex_fail(lexer, at, "expected %s, found the end", text);
    (void)query_lex_show(lexer, at, length_of_thing(lexer, at), shown);
    return query_lex_fail(lexer, at,
        shown[0] == '"' ? "expected %s, found %s" : "expected %s, found '%s'", text, shown);
}

/* Not isspace(), which means something else under some locales. */
static bool
is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void
query_lex_space(struct query_lexer *lexer)
{
    while (lexer->at < lexer->length && is_space(lexer->text[lexer->at]))
        lexer->at++;
}

char
query_lex_peek(const struct query_lexer *lexer)
{
    return lexer->text[lexer->at]; /* a zero byte ends the text */
}

bool
query_lex_is_end(const struct query_lexer *lexer, size_t at)
{
    if (at >= lexer->length)
        return true;
    char c = lexer->text[at];
    return is_space(c) || c == '(' || c == ')' || c == '"';
}

bool
query_lex_is_operator(const struct query_lexer *lexer, size_t at)
{
    if (at >= lexer->length)
        return false;
    char c = lexer->text[at];
    if (c == '!')
        return at + 1 < lexer->length && lexer->text[at + 1] == '=';
    return c == '=' || c == '<' || c == '>' || c == '~';
}

bool
query_lex_is_word(const struct query_lexer *lexer, const char *word)
{
    size_t length = strlen(word);
    return length <= lexer->length - lexer->at &&
           strncasecmp(lexer->text + lexer->at, word, length) == 0 &&
           query_lex_is_end(lexer, lexer->at + length);
}

bool
query_lex_take_word(struct query_lexer *lexer, const char *word)
{
    if (!query_lex_is_word(lexer, word))
        return false;
    lexer->at += strlen(word);
    return true;
}

void
query_lex_put(struct query_lexer *lexer, unsigned char byte)
{
    struct query *query = lexer->query;
    assert(query->pool_length < query->pool_capacity);
    query->pool[query->pool_length++] = byte;
}

/* Exactly `digits` hex digits, or -1. */
static long
take_hex(struct query_lexer *lexer, int digits)
{
    long value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = hex_value(query_lex_peek(lexer));
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
        lexer->at++;
    }
    return value;
}

static int
take_octal(struct query_lexer *lexer)
{
    int value = 0;
    for (int i = 0; i < 3; i++) {
        char c = query_lex_peek(lexer);
        if (c < '0' || c > '7')
            break;
        value = value * 8 + (c - '0');
        lexer->at++;
    }
    return value;
}

/* A character of the basic plane as UTF-8. */
static void
put_character(struct query_lexer *lexer, unsigned long character)
{
    if (character < 0x80) {
        query_lex_put(lexer, (unsigned char)character);
        return;
    }
    if (character < 0x800) {
        query_lex_put(lexer, (unsigned char)(0xc0 | character >> 6));
    } else {
        query_lex_put(lexer, (unsigned char)(0xe0 | character >> 12));
        query_lex_put(lexer, (unsigned char)(0x80 | (character >> 6 & 0x3f)));
    }
    query_lex_put(lexer, (unsigned char)(0x80 | (character & 0x3f)));
}

/* \xNN, \uNNNN and \NNN; false when the digits are missing or say too much. */
static bool
take_numeric_escape(struct query_lexer *lexer, char kind)
{
    if (kind >= '0' && kind <= '7') {
        lexer->at--;
        int value = take_octal(lexer);
        if (value > 255)
            return false;
        query_lex_put(lexer, (unsigned char)value);
        return true;
    }
    long value = take_hex(lexer, kind == 'x' ? 2 : 4);
    if (value < 0 || (value >= 0xd800 && value <= 0xdfff))
        return false;
    if (kind == 'x')
        query_lex_put(lexer, (unsigned char)value);
    else
        put_character(lexer, (unsigned long)value);
    return true;
}

/* What follows a backslash between quotes. */
static bool
take_escape(struct query_lexer *lexer)
{
    static const char letters[] = "abefnrtv\\\"'?*";
    static const char bytes[] = "\a\b\033\f\n\r\t\v\\\"'?*";
    size_t start = lexer->at - 1;
    char c = query_lex_peek(lexer);
    const char *found = c != '\0' ? strchr(letters, c) : NULL;
    if (c != '\0')
        lexer->at++;
    if (found != NULL) {
        query_lex_put(lexer, (unsigned char)bytes[found - letters]);
        return true;
    }
    if ((c == 'x' || c == 'u' || (c >= '0' && c <= '7')) && take_numeric_escape(lexer, c))
        return true;
    return query_lex_expected(
        lexer, start, "an escape as in C (\\n \\t \\\\ \\\" \\xNN \\NNN \\uNNNN) in quotes");
}

bool
query_lex_quoted(struct query_lexer *lexer, struct bytes *value)
{
    size_t start = lexer->at++;
    size_t from = lexer->query->pool_length;
    for (;;) {
        if (lexer->at >= lexer->length)
            return query_lex_fail(lexer, start,
                "expected a closing '\"' for the quote that begins here, found the end");
        char c = lexer->text[lexer->at++];
        if (c == '"')
            break;
        if (c != '\\')
            query_lex_put(lexer, (unsigned char)c);
        else if (!take_escape(lexer))
            return false;
    }
    *value = bytes_make(lexer->query->pool + from, lexer->query->pool_length - from);
    return true;
}

struct bytes
query_lex_unescape(struct query_lexer *lexer, size_t from, size_t to, bool *has_star)
{
    size_t start = lexer->query->pool_length;
    if (has_star != NULL)
        *has_star = false;
    for (size_t i = from; i < to; i++) {
        char c = lexer->text[i];
        if (c == '\\' && i + 1 < to) {
            c = lexer->text[++i];
        } else if (c == '*' && has_star != NULL) {
            *has_star = true;
            c = '\0';
        }
        query_lex_put(lexer, (unsigned char)c);
    }
    return bytes_make(lexer->query->pool + start, lexer->query->pool_length - start);
}
