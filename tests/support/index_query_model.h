/* index_query_model.h - random events, random queries over them, and an evaluator that shares nothing with the real one:
 * expressions are made as trees, printed as text for query_compile(), and judged in the slowest and plainest way.
 */
#ifndef TESTS_SUPPORT_INDEX_QUERY_MODEL_H
#define TESTS_SUPPORT_INDEX_QUERY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"

/* When the queries are asked. */
#define MODEL_NOW        (INT64_C(1795530571) * NS_PER_S)
#define MODEL_TEXT_BYTES 24

/* A short value, or null. */
/* A short value, or null. */
struct model_text {
    bool is_null;
    size_t length;
    char bytes[MODEL_TEXT_BYTES];
};

enum model_json_kind { JSON_IS_MISSING, JSON_IS_NULL, JSON_IS_INT, JSON_IS_TEXT, JSON_IS_TRUE };

struct model_json {
    enum model_json_kind kind;
    int64_t number;
    char text[MODEL_TEXT_BYTES];
};

#define MODEL_NAMED 7

struct model_sample {
    struct event event;
    struct stream stream;
    struct model_text key;
    struct model_text payload;
    struct model_text header[MODEL_NAMED];
    struct model_json member; /* value.n */
    struct model_json inner;  /* value.o."k l"[1] */
    struct buffer headers;
    struct buffer json;
    bool has_header[MODEL_NAMED];
    bool has_json;
};

enum model_op {
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_HAS,
    OP_GLOB,
    OP_REGEX,
    OP_EXISTS,
    OP_IN,
    OP_COUNT
};

enum model_field {
    FIELD_TAP,
    FIELD_STREAM,
    FIELD_KEY,
    FIELD_PAYLOAD,
    FIELD_ID,
    FIELD_TYPE,
    FIELD_CORRELATION,
    FIELD_HEADER_X,
    FIELD_HEADER_Y, /* texts */
    FIELD_VALUE_N,
    FIELD_VALUE_K,
    FIELD_PARTITION,
    FIELD_OFFSET,
    FIELD_SEQ,
    FIELD_SIZE, /* numbers */
    FIELD_TIME,
    FIELD_RECEIVED,
    FIELD_REPLAYED,
    FIELD_LANE,
    FIELD_COUNT
};

struct model_node {
    enum { NODE_TERM, NODE_NOT, NODE_AND, NODE_OR } kind;
    struct model_node *left;
    struct model_node *right;
    enum model_field field;
    enum model_op op;
    struct model_text value;
    struct model_text other; /* second of IN */
    bool is_bare;            /* written without quotes: may be a number */
    enum { PATTERN_HOLDS, PATTERN_STARTS, PATTERN_ENDS, PATTERN_GAP, PATTERN_LAST_MAYBE } pattern;
    uint64_t low;
    uint64_t high;
};

/* An event; it points to its sample, which must not move. */
void model_sample_make(struct model_sample *sample);
void model_sample_done(struct model_sample *sample);

/* An expression, which lives until the next one is made, and its text. */
struct model_node *model_expression(void);
void model_print(struct buffer *out, const struct model_node *node);

bool model_judge(const struct model_node *node, const struct model_sample *sample);

/* True when the text has the part somewhere. */
bool model_holds(const char *text, size_t length, const char *part, size_t part_length);

struct bytes model_view(const struct model_text *text);

#endif
