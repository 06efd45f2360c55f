/* query_parse.h - the pieces that the grammar is put together from: fields, values, single tests.
 *
 * For query_parse.c, which knows the order of terms, and query_term.c, which knows one term.
 */
#ifndef INDEX_QUERY_PARSE_H
#define INDEX_QUERY_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "index/query_internal.h"
#include "index/query_lex.h"

struct query_parser {
    struct query_lexer lexer;
    int64_t now_ns;
    unsigned depth; /* of parentheses and "not" */
};

/* A group in the making. */
struct query_chain {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};
#define QUERY_CHAIN_EMPTY ((struct query_chain){QUERY_NONE, QUERY_NONE, 0})

/* Make a node without children; fails when there are too many. */
bool query_parse_node(struct query_parser *parser, enum query_kind kind, uint32_t *index);

void query_parse_link(struct query_parser *parser, struct query_chain *chain, uint32_t index);

/* The chain as one node: its only link, or a group whose children are ordered by cost. */
bool query_parse_group(struct query_parser *parser, const struct query_chain *chain,
    enum query_kind kind, uint32_t *index);

/* Put NOT over *index. */
bool query_parse_negate(struct query_parser *parser, uint32_t *index);

/* query_term.c: one term, which begins at the lexer's place. */
bool query_parse_term(struct query_parser *parser, uint32_t *index);

/* What stands left of an operator. */
struct query_subject {
    enum query_field field;
    struct bytes name;
    struct bytes needle;
};

/* What stands right of it. */
struct query_literal {
    size_t at; /* where it begins */
    size_t end;
    struct bytes text;
    bool is_quoted;
    bool is_null; /* the bare word null */
    bool is_regex;
    bool is_caseless;
    bool has_star;
};

/* query_subject.c: the field that text[from..to) names. */
bool query_parse_subject(
    struct query_parser *parser, size_t from, size_t to, struct query_subject *subject);

/* query_value.c: read a value; `test` says whether stars and /regex/ mean something. */
bool query_parse_literal(
    struct query_parser *parser, enum query_test test, bool in_list, struct query_literal *literal);

/* query_value.c: the node for SUBJECT TEST LITERAL, after checking that this goes together. */
bool query_parse_test(struct query_parser *parser, const struct query_subject *subject,
    enum query_test test, const struct query_literal *literal, uint32_t *index);

#endif
