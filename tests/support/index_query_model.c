#include "tests/support/index_query_model.h"

#include <inttypes.h>

#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

#define MAX_NODES 64

static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

static unsigned
pick(unsigned below)
{
    return (unsigned)(test_random(&seed) >> 33) % below;
}

static struct model_text
text_of(const char *bytes, size_t length)
{
    struct model_text text = {.length = length};
    assert_true(length <= MODEL_TEXT_BYTES);
    memcpy(text.bytes, bytes, length);
    return text;
}

/* Few letters, so that values often meet. */
static struct model_text
random_text(void)
{
    static const char letters[] = "aab*9";
    struct model_text text = {.length = pick(5)};
    if (pick(12) == 0)
        return text_of("\xff\0\"\\", 4);
    for (size_t i = 0; i < text.length; i++)
        text.bytes[i] = letters[pick(5)];
    if (pick(4) == 0)
        text.length = (size_t)snprintf(text.bytes, MODEL_TEXT_BYTES, "%d", (int)pick(30) - 5);
    return text;
}

static struct model_text
random_text_or_null(void)
{
    if (pick(6) == 0)
        return (struct model_text){.is_null = true};
    return random_text();
}

struct bytes
model_view(const struct model_text *text)
{
    return text->is_null ? BYTES_NULL : bytes_make(text->bytes, text->length);
}

/* --- events --- */

static const char *const header_names[MODEL_NAMED] = {
    "x", "x", "y", "ce_id", "ce_type", "correlation-id", "x-tapedeck-replay"};

static struct model_json
random_json(void)
{
    struct model_json value = {.kind = (enum model_json_kind)pick(5)};
    value.number = (int64_t)pick(20) - 5;
    if (pick(3) == 0)
        value.number += INT64_C(1) << 60;
    (void)snprintf(value.text, sizeof(value.text), "%s", pick(2) == 0 ? "ab" : "7");
    return value;
}

static void
print_json(struct buffer *buffer, const struct model_json *value)
{
    switch (value->kind) {
    case JSON_IS_MISSING:
    case JSON_IS_NULL:
        buffer_append_text(buffer, "null");
        break;
    case JSON_IS_INT:
        buffer_printf(buffer, "%" PRId64, value->number);
        break;
    case JSON_IS_TEXT:
        buffer_printf(buffer, "\"%s\"", value->text);
        break;
    case JSON_IS_TRUE:
        buffer_append_text(buffer, "true");
        break;
    }
}

static void
make_json(struct model_sample *sample)
{
    struct buffer *json = &sample->json;
    sample->has_json = true;
    sample->member = random_json();
    sample->inner = random_json();
    buffer_append_text(json, "{\"z\": [] ");
    if (sample->member.kind != JSON_IS_MISSING) {
        buffer_append_text(json, pick(4) == 0 ? ", \"\\u006e\":" : ",\"n\":");
        print_json(json, &sample->member);
    }
    if (sample->inner.kind != JSON_IS_MISSING) {
        buffer_append_text(json, ",\"o\":{\"k l\":[0,");
        print_json(json, &sample->inner);
        buffer_append_text(json, "]}");
    }
    buffer_append_text(json, "}");
    sample->event.payload = bytes_make(json->data, json->length);
}

static void
make_headers(struct model_sample *sample)
{
    size_t count = 0;
    for (size_t i = 0; i < MODEL_NAMED; i++)
        count += sample->has_header[i] = pick(2) == 0;
    headers_begin(&sample->headers, count);
    for (size_t i = 0; i < MODEL_NAMED; i++) {
        if (!sample->has_header[i])
            continue;
        /* A null identity header is for event_identify() to decide, not for this test. */
        sample->header[i] = i < 3 ? random_text_or_null() : random_text();
        if (i >= 3 && sample->header[i].length == 0)
            sample->header[i] = text_of("a", 1);
        headers_add(&sample->headers, bytes_of(header_names[i]), model_view(&sample->header[i]));
    }
    sample->event.headers = bytes_make(sample->headers.data, sample->headers.length);
}

void
model_sample_make(struct model_sample *sample)
{
    static char taps[2][5] = {"shop", "lab"};
    static char names[2][7] = {"orders", "ord"};
    static char labels[2][2][12] = {{"shop/orders", "shop/ord"}, {"lab/orders", "lab/ord"}};
    unsigned tap = pick(2);
    unsigned name = pick(2);
    *sample = (struct model_sample){
        .stream = {tap * 2 + name, taps[tap], names[name], labels[tap][name], NULL}};
    sample->key = random_text_or_null();
    sample->payload = random_text_or_null();
    sample->event = (struct event){
        .seq = pick(8) == 0 ? UINT64_MAX - pick(2) : pick(10),
        .received_ns = MODEL_NOW - pick(10) * NS_PER_S,
        .time_ns = pick(4) == 0 ? CLOCK_NONE : MODEL_NOW - pick(10) * NS_PER_S,
        .offset = pick(8) == 0 ? INT64_MAX : (int64_t)pick(10),
        .stream = &sample->stream,
        .partition = (int32_t)pick(3),
        .key = model_view(&sample->key),
        .payload = model_view(&sample->payload),
    };
    make_headers(sample);
    if (pick(2) == 0)
        make_json(sample);
}

void
model_sample_done(struct model_sample *sample)
{
    buffer_done(&sample->headers);
    buffer_done(&sample->json);
}

/* --- expressions --- */

static const char *const field_names[FIELD_COUNT] = {"tap", "stream", "key", "payload", "id",
    "type", "correlation", "header.x", "header.\"y\"", "value.n", "value.o.\"k l\"[1]", "partition",
    "offset", "seq", "size", "time", "received", "replayed", ""};

static struct model_node nodes[MAX_NODES];
static size_t node_count;

static bool
is_plain(const struct model_text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        char c = text->bytes[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '/')
            return false;
    }
    return text->length > 0 && !text->is_null;
}

static void
fill_text_term(struct model_node *node)
{
    static const char *const streams[] = {"orders", "ord", "shop", "lab", "lab/ord", "shop/orders"};
    node->op = (enum model_op)pick(OP_COUNT);
    node->value = node->op == OP_EQ || node->op == OP_NE || node->op == OP_IN
                      ? random_text_or_null()
                      : random_text();
    node->other = random_text_or_null();
    if (node->field == FIELD_TAP || node->field == FIELD_STREAM) {
        const char *name = streams[pick(6)];
        node->value = text_of(name, strlen(name));
    }
    if (node->field == FIELD_PAYLOAD && node->op == OP_HAS && pick(2) == 0)
        node->value = text_of("\"o\":", 4);
    if (node->op == OP_GLOB && node->value.length < 3)
        node->value.bytes[node->value.length++] = '*';
    if (node->op == OP_REGEX) {
        static const char *const words[] = {"ab", "aa", "abb", "ord", "nulx"};
        const char *word = words[pick(5)];
        node->value = text_of(word, strlen(word));
        node->pattern = (__typeof__(node->pattern))pick(5);
    }
    node->is_bare = is_plain(&node->value) && pick(2) == 0;
}

static struct model_node *
random_term(void)
{
    struct model_node *node = &nodes[node_count++];
    assert_true(node_count <= MAX_NODES);
    *node = (struct model_node){.kind = NODE_TERM, .field = (enum model_field)pick(FIELD_COUNT)};
    if (pick(8) == 0)
        node->field = FIELD_PAYLOAD; /* has most to promise */
    if (node->field <= FIELD_VALUE_K) {
        fill_text_term(node);
        return node;
    }
    node->op = (enum model_op)pick(OP_HAS);
    node->low = pick(10);
    node->high = node->low + pick(5);
    if (node->field == FIELD_SEQ && pick(8) == 0)
        node->low = UINT64_MAX - pick(2);
    if (node->field == FIELD_OFFSET && pick(8) == 0)
        node->low = pick(2) == 0 ? (uint64_t)INT64_MAX : UINT64_MAX;
    if (node->field == FIELD_REPLAYED)
        node->op = (enum model_op)pick(2);
    return node;
}

static struct model_node *
random_expression(unsigned depth)
{
    unsigned kind = depth == 0 ? 0 : pick(5);
    if (kind <= 1)
        return random_term();
    struct model_node *node = &nodes[node_count++];
    assert_true(node_count <= MAX_NODES);
    *node = (struct model_node){.kind = kind == 2 ? NODE_NOT : kind == 3 ? NODE_AND : NODE_OR};
    node->left = random_expression(depth - 1);
    if (node->kind != NODE_NOT)
        node->right = random_expression(depth - 1);
    return node;
}

/* --- printing --- */

static void
print_text(struct buffer *out, const struct model_text *text, bool is_bare)
{
    if (text->is_null) {
        buffer_append_text(out, "null");
        return;
    }
    if (is_bare) {
        buffer_append(out, text->bytes, text->length);
        return;
    }
    buffer_append_text(out, "\"");
    for (size_t i = 0; i < text->length; i++) {
        unsigned char c = (unsigned char)text->bytes[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            buffer_printf(out, "\\x%02x", c);
        else
            buffer_append_byte(out, c);
    }
    buffer_append_text(out, "\"");
}

/* A glob: the value's stars are wild, its other bytes are not. */
static void
print_glob(struct buffer *out, const struct model_text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        if (text->bytes[i] == '"' || text->bytes[i] == '\\')
            buffer_append_text(out, "\\");
        buffer_append_byte(out, text->bytes[i] == '\0' ? '*' : (unsigned char)text->bytes[i]);
    }
}

static void
print_pattern(struct buffer *out, const struct model_node *node)
{
    const char *word = node->value.bytes;
    int length = (int)node->value.length;
    switch (node->pattern) {
    case PATTERN_HOLDS:
        buffer_printf(out, "/%.*s/", length, word);
        break;
    case PATTERN_STARTS:
        buffer_printf(out, "/^%.*s/", length, word);
        break;
    case PATTERN_ENDS:
        buffer_printf(out, "/%.*s\\z/", length, word);
        break;
    case PATTERN_GAP:
        buffer_printf(out, "/%.*s(?s:.)%.*s/", length, word, length, word);
        break;
    case PATTERN_LAST_MAYBE:
        buffer_printf(out, "/%.*s%s/", length, word, pick(2) == 0 ? "*" : "?");
        break;
    }
}

static const char *const op_texts[] = {"=", "!=", "<", "<=", ">", ">=", "~"};

static void
print_text_term(struct buffer *out, const struct model_node *node)
{
    buffer_append_text(out, field_names[node->field]);
    switch (node->op) {
    case OP_EXISTS:
        buffer_append_text(out, " exists");
        break;
    case OP_IN:
        buffer_append_text(out, " in (");
        print_text(out, &node->value, node->is_bare);
        buffer_append_text(out, ", ");
        print_text(out, &node->other, false);
        buffer_append_text(out, ")");
        break;
    case OP_GLOB:
        buffer_append_text(out, "=");
        print_glob(out, &node->value);
        break;
    case OP_REGEX:
        buffer_append_text(out, "~");
        print_pattern(out, node);
        break;
    default:
        buffer_append_text(out, pick(4) == 0 ? " " : "");
        buffer_append_text(out, op_texts[node->op]);
        print_text(out, &node->value, node->is_bare);
        break;
    }
}

static void
print_term(struct buffer *out, const struct model_node *node)
{
    if (node->field <= FIELD_VALUE_K) {
        print_text_term(out, node);
    } else if (node->field == FIELD_LANE) {
        buffer_printf(
            out, "ord*[%d]@%" PRIu64 "..%" PRIu64, (int)(node->low % 3), node->low, node->high);
    } else if (node->field == FIELD_REPLAYED) {
        buffer_printf(out, "replayed%s%s", op_texts[node->op], node->low % 2 ? "true" : "false");
    } else if (node->field == FIELD_TIME || node->field == FIELD_RECEIVED) {
        if (node->field == FIELD_TIME && (node->op == OP_LE || node->op == OP_GE))
            buffer_printf(
                out, "%s -%" PRIu64 "s", node->op == OP_LE ? "until" : "since", node->low);
        else
            buffer_printf(
                out, "%s%s-%" PRIu64 "s", field_names[node->field], op_texts[node->op], node->low);
    } else {
        buffer_printf(
            out, "%s %s %" PRIu64, field_names[node->field], op_texts[node->op], node->low);
    }
}

/* `level` binds tighter the higher it is: or, and, not. Superfluous parentheses come now and then. */
static void
print_node(struct buffer *out, const struct model_node *node, int level)
{
    int own = node->kind == NODE_OR ? 0 : node->kind == NODE_AND ? 1 : 2;
    bool wrapped = own < level || pick(8) == 0;
    if (wrapped)
        buffer_append_text(out, "(");
    switch (node->kind) {
    case NODE_TERM:
        print_term(out, node);
        break;
    case NODE_NOT:
        buffer_append_text(out, "not ");
        print_node(out, node->left, 2);
        break;
    case NODE_AND:
        print_node(out, node->left, 1);
        buffer_append_text(out, pick(2) == 0 ? " and " : "  ");
        print_node(out, node->right, 1);
        break;
    case NODE_OR:
        print_node(out, node->left, 0);
        buffer_append_text(out, " or ");
        print_node(out, node->right, 0);
        break;
    }
    if (wrapped)
        buffer_append_text(out, ")");
}

struct model_node *
model_expression(void)
{
    node_count = 0;
    return random_expression(pick(5));
}

void
model_print(struct buffer *out, const struct model_node *node)
{
    print_node(out, node, 0);
}
