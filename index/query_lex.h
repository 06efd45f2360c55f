/* query_lex.h - the words of a query text: keywords, bare and quoted values, and what went wrong where.
 *
 * For query_parse.c. Decoded values are put into the query's pool and live as long as the query.
 */
#ifndef INDEX_QUERY_LEX_H
#define INDEX_QUERY_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct error;
struct query;

struct query_lexer {
    struct query *query;
    const char *text;
    size_t length;
    size_t at; /* the next byte */
    size_t *column;
    struct error *err;
};

/* Fail: "column N: expected WHAT, found what stands at `at`". Returns false. */
bool query_lex_expected(struct query_lexer *lexer, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fail with a sentence of its own: "column N: TEXT". Returns false. */
bool query_lex_fail(struct query_lexer *lexer, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `length` bytes of the text from `at`, made fit for an error line. Returns `shown`. */
#define QUERY_LEX_SHOWN 64
char *query_lex_show(
    const struct query_lexer *lexer, size_t at, size_t length, char shown[QUERY_LEX_SHOWN]);

void query_lex_space(struct query_lexer *lexer);

/* The next byte, '\0' at the end. */
char query_lex_peek(const struct query_lexer *lexer);

/* True when the keyword `word`, in any case, stands here and ends here. Nothing is consumed. */
bool query_lex_is_word(const struct query_lexer *lexer, const char *word);
bool query_lex_take_word(struct query_lexer *lexer, const char *word);

/* True when '=', '!=', '<', '>' or '~' begins at `at`. */
bool query_lex_is_operator(const struct query_lexer *lexer, size_t at);

/* True for what ends a bare word: white space, a parenthesis, a quote, the end. */
bool query_lex_is_end(const struct query_lexer *lexer, size_t at);

/* Read a quoted text with its C escapes, the quote being at `at`. */
bool query_lex_quoted(struct query_lexer *lexer, struct bytes *value);

/* Decode text[from..to): a backslash makes the next byte literal; a '*' without one becomes a zero
 * byte and sets *has_star, unless has_star is NULL. */
struct bytes query_lex_unescape(struct query_lexer *lexer, size_t from, size_t to, bool *has_star);

/* Append to the pool. */
void query_lex_put(struct query_lexer *lexer, unsigned char byte);

#endif
