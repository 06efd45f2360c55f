/* The grammar:
 *
 *     query  = [ or ]
 *     or     = and { "or" and }
 *     and    = unary { [ "and" ] unary }
 *     unary  = "not" unary | "(" or ")" | term
 *
 * It recurses only through unary, which counts how deep it is. Terms are in query_term.c. */
#include "index/query_parse.h"

#include <assert.h>

#define COST_MAX 255u

bool
query_parse_node(struct query_parser *parser, enum query_kind kind, uint32_t *index)
{
    struct query *query = parser->lexer.query;
    if (query->count >= QUERY_MAX_NODES)
        return query_lex_fail(&parser->lexer, parser->lexer.at,
            "expected no more than %u terms in a query, found another one", QUERY_MAX_NODES);
    assert(query->count < query->capacity);
    *index = query->count++;
    query->nodes[*index] =
        (struct query_node){.kind = kind, .first = QUERY_NONE, .next = QUERY_NONE};
    return true;
}

void
query_parse_link(struct query_parser *parser, struct query_chain *chain, uint32_t index)
{
    struct query_node *nodes = parser->lexer.query->nodes;
    if (chain->first == QUERY_NONE)
        chain->first = index;
    else
        nodes[chain->last].next = index;
    chain->last = index;
    chain->count++;
}

/* Sort by cost, keeping the order of equals: one list per cost, put behind each other. Meaning does
 * not change, because a test has no effects. Returns the sum of the costs. */
static uint32_t
order_by_cost(struct query_parser *parser, struct query_chain *chain)
{
    struct query_node *nodes = parser->lexer.query->nodes;
    struct query_chain lists[COST_MAX + 1];
    for (uint32_t cost = 0; cost <= COST_MAX; cost++)
        lists[cost] = QUERY_CHAIN_EMPTY;

    uint32_t next;
    uint32_t total = 0;
    for (uint32_t i = chain->first; i != QUERY_NONE; i = next) {
        next = nodes[i].next;
        nodes[i].next = QUERY_NONE;
        query_parse_link(parser, &lists[nodes[i].cost], i);
        total += nodes[i].cost;
    }

    *chain = QUERY_CHAIN_EMPTY;
    for (uint32_t cost = 0; cost <= COST_MAX; cost++) {
        if (lists[cost].first == QUERY_NONE)
            continue;
        query_parse_link(parser, chain, lists[cost].first);
        chain->last = lists[cost].last;
    }
    return total;
}

bool
query_parse_group(struct query_parser *parser, const struct query_chain *chain,
    enum query_kind kind, uint32_t *index)
{
    if (chain->count == 1) {
        *index = chain->first;
        return true;
    }
    struct query_chain ordered = *chain;
    uint32_t total = order_by_cost(parser, &ordered);
    if (!query_parse_node(parser, kind, index))
        return false;
    struct query_node *group = &parser->lexer.query->nodes[*index];
    group->first = ordered.first;
    group->cost = total < COST_MAX ? total : COST_MAX;
    return true;
}

bool
query_parse_negate(struct query_parser *parser, uint32_t *index)
{
    struct query_node *nodes = parser->lexer.query->nodes;
    uint32_t child = *index;
    if (nodes[child].kind == QUERY_NOT) {
        *index = nodes[child].first;
        return true;
    }
    if (!query_parse_node(parser, QUERY_NOT, index))
        return false;
    nodes[*index].first = child;
    nodes[*index].cost = nodes[child].cost;
    return true;
}

static bool parse_or(struct query_parser *parser, uint32_t *index);

static bool
parse_parentheses(struct query_parser *parser, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    size_t opened = lexer->at++;
    if (!parse_or(parser, index))
        return false;
    query_lex_space(lexer);
    if (query_lex_peek(lexer) == ')') {
        lexer->at++;
        return true;
    }
    return query_lex_fail(
        lexer, opened, "expected a ')' for the '(' that begins here, found the end");
}

static bool
parse_unary(struct query_parser *parser, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    query_lex_space(lexer);
    bool is_not = query_lex_is_word(lexer, "not");
    if (!is_not && query_lex_peek(lexer) != '(')
        return query_parse_term(parser, index);

    if (parser->depth >= QUERY_MAX_DEPTH)
        return query_lex_expected(lexer, lexer->at,
            "no more than %u parentheses and 'not' in each other", QUERY_MAX_DEPTH);
    parser->depth++;
    bool parsed;
    if (is_not) {
        (void)query_lex_take_word(lexer, "not");
        parsed = parse_unary(parser, index) && query_parse_negate(parser, index);
    } else {
        parsed = parse_parentheses(parser, index);
    }
    parser->depth--;
    return parsed;
}

static bool
parse_and(struct query_parser *parser, uint32_t *index)
{
    struct query_lexer *lexer = &parser->lexer;
    struct query_chain chain = QUERY_CHAIN_EMPTY;
    for (;;) {
        uint32_t child = QUERY_NONE;
        if (!parse_unary(parser, &child))
            return false;
        query_parse_link(parser, &chain, child);

        query_lex_space(lexer);
        if (query_lex_take_word(lexer, "and"))
            continue;
        if (lexer->at == lexer->length || query_lex_peek(lexer) == ')' ||
            query_lex_is_word(lexer, "or"))
            break;
    }
    return query_parse_group(parser, &chain, QUERY_AND, index);
}

static bool
parse_or(struct query_parser *parser, uint32_t *index)
{
    struct query_chain chain = QUERY_CHAIN_EMPTY;
    do {
        uint32_t child = QUERY_NONE;
        if (!parse_and(parser, &child))
            return false;
        query_parse_link(parser, &chain, child);
        query_lex_space(&parser->lexer);
    } while (query_lex_take_word(&parser->lexer, "or"));
    return query_parse_group(parser, &chain, QUERY_OR, index);
}

bool
query_parse(struct query *query, size_t length, int64_t now_ns, size_t *column, struct error *err)
{
    struct query_parser parser = {
        .lexer =
            {.query = query, .text = query->text, .length = length, .column = column, .err = err},
        .now_ns = now_ns,
    };
    query->root = QUERY_NONE;
    query_lex_space(&parser.lexer);
    if (parser.lexer.at == length)
        return true;

    uint32_t root = QUERY_NONE;
    if (!parse_or(&parser, &root))
        return false;
    if (parser.lexer.at < length)
        return query_lex_expected(
            &parser.lexer, parser.lexer.at, "'and', 'or', another term or the end");
    query->root = root;
    return true;
}
