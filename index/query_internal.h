/* query_internal.h - a compiled query, for the files query*.c only.
 *
 * A query is one block: the struct, its nodes, a copy of the text, and a pool of decoded values that
 * the nodes point into. Nodes refer to each other by index; a group has a list of children linked by
 * `next`, so that depth is bounded by the parentheses that were written and not by the
 * number of terms. `a != b` is stored as NOT(a = b), `x in (a, b)` as OR(x = a, x = b), a lane
 * as AND(stream, partition, offset ...): what remains are few kinds of tests.
 */
#ifndef INDEX_QUERY_INTERNAL_H
#define INDEX_QUERY_INTERNAL_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/query.h"
#include "index/query_number.h"
#include "index/query_regex.h"

struct event;
struct error;
struct stream;

enum query_class {
    QUERY_TEXT,   /* bytes or null; every operator */
    QUERY_NUMBER, /* a whole number, never missing */
    QUERY_MOMENT, /* nanoseconds */
    QUERY_FLAG,   /* true or false */
    QUERY_HEADER, /* needs a name; any header of that name */
    QUERY_JSON,   /* needs a path into the payload */
    QUERY_FUTURE, /* known, but nothing on the tape answers it */
};

enum query_field {
#define QUERY_FIELD(NAME, text, class, cost, about) QUERY_FIELD_##NAME,
#include "index/query_fields.def"
#undef QUERY_FIELD
    QUERY_FIELD_COUNT
};

struct query_field_row {
    const char *name;
    enum query_class class;
    uint8_t cost;
    const char *about;
};
extern const struct query_field_row query_fields[QUERY_FIELD_COUNT];

enum query_kind {
    QUERY_AND,
    QUERY_OR,
    QUERY_NOT,
    QUERY_TERM,
};

enum query_test {
    QUERY_EXISTS,
    QUERY_IS_NULL,
    QUERY_EQUAL,
    QUERY_GLOB, /* a zero byte in `text` stands for each '*' */
    QUERY_LESS,
    QUERY_AT_MOST,
    QUERY_MORE,
    QUERY_AT_LEAST,
    QUERY_CONTAINS,
    QUERY_REGEX,
};

#define QUERY_NONE UINT32_MAX /* no node */

struct query_node {
    enum query_kind kind;
    enum query_field field;
    enum query_test test;
    uint32_t first; /* first child of a group */
    uint32_t next;  /* next child of the same group */
    uint32_t cost;
    bool has_number;     /* the value was an unquoted number, also in `number` */
    bool is_caseless;    /* a regex with the flag i */
    struct bytes name;   /* a header's name; a JSON path, see query_json.h */
    struct bytes text;   /* value, glob or pattern */
    struct bytes needle; /* what a JSON payload must contain when it has no escapes */
    struct query_number number;
    uint64_t whole;    /* value of QUERY_NUMBER and QUERY_FLAG fields */
    int64_t moment_ns; /* value of QUERY_MOMENT fields */
    struct query_regex regex;
};

/* Limits that keep a hostile text from costing more than its length suggests. */
#define QUERY_MAX_NODES   16384u
#define QUERY_MAX_DEPTH   200u
#define QUERY_MAX_REGEXES 64u

struct query {
    char *text;
    locale_t locale; /* "C": numbers read the same under every locale of the program */
    uint32_t root;   /* QUERY_NONE: every event */
    bool names_internal;
    uint32_t count;
    uint32_t capacity;
    uint32_t regex_count;
    unsigned char *pool;
    size_t pool_length;
    size_t pool_capacity;
    struct query_node nodes[];
};

/* query.c: the bytes of the character at `at`: those that continue UTF-8 belong to the one before, so
 * that columns mean the same everywhere. */
struct bytes query_character_at(const char *text, size_t at);

/* query.c: false for what is not UTF-8, moves the cursor, has no width, or turns the direction of
 * writing: a terminal must not get it. */
bool query_is_fit(struct bytes character);

/* query_parse.c: fill `query` from its text. */
bool query_parse(
    struct query *query, size_t length, int64_t now_ns, size_t *column, struct error *err);

/* query_plan.c: whether a term, not behind `not`, asks for a stream or tap whose name begins with '@'. */
bool query_find_internal(const struct query *query);

/* query_match.c: tests that need no matcher; false for a regular expression. An ordering against an
 * unquoted number is by bytes here. */
bool query_test_text(const struct query_node *node, struct bytes value);
bool query_test_stream(const struct query_node *node, const struct stream *stream);
bool query_test_whole(const struct query_node *node, uint64_t value);

#endif
