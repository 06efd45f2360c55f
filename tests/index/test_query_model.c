/* Random queries over random events, against an evaluator that shares nothing with the real one:
 * expressions are made as trees, printed as text for query_compile(), and judged here in the slowest
 * and plainest way. For each match, what the query promised about its matches must hold. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"
#include "index/query.h"
#include "tests/support/unit.h"

#define NOW        (INT64_C(1795530571) * NS_PER_S)
#define ROUNDS     4000
#define EVENTS     12
#define MAX_NODES  64
#define TEXT_BYTES 24

static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

/* xorshift64*: the same numbers on each run. */
static unsigned
pick(unsigned below)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (unsigned)((seed * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

/* A short value, or null. */
struct text {
    bool is_null;
    size_t length;
    char bytes[TEXT_BYTES];
};

static struct text
text_of(const char *bytes, size_t length)
{
    struct text text = {.length = length};
    assert_true(length <= TEXT_BYTES);
    memcpy(text.bytes, bytes, length);
    return text;
}

/* Few letters, so that values often meet. */
static struct text
random_text(void)
{
    static const char letters[] = "aab*9";
    struct text text = {.length = pick(5)};
    if (pick(12) == 0)
        return text_of("\xff\0\"\\", 4);
    for (size_t i = 0; i < text.length; i++)
        text.bytes[i] = letters[pick(5)];
    if (pick(4) == 0)
        text.length = (size_t)snprintf(text.bytes, TEXT_BYTES, "%d", (int)pick(30) - 5);
    return text;
}

static struct text
random_text_or_null(void)
{
    if (pick(6) == 0)
        return (struct text){.is_null = true};
    return random_text();
}

static struct bytes
view(const struct text *text)
{
    return text->is_null ? BYTES_NULL : bytes_make(text->bytes, text->length);
}

/* --- events --- */

enum json_kind { JSON_IS_MISSING, JSON_IS_NULL, JSON_IS_INT, JSON_IS_TEXT, JSON_IS_TRUE };

struct json_value {
    enum json_kind kind;
    int64_t number;
    char text[TEXT_BYTES];
};

#define NAMED 7
static const char *const header_names[NAMED] = {
    "x", "x", "y", "ce_id", "ce_type", "correlation-id", "x-tapedeck-replay"};

struct sample {
    struct event event;
    struct stream stream;
    struct text key;
    struct text payload;
    struct text header[NAMED];
    struct json_value member; /* value.n */
    struct json_value inner;  /* value.o."k l"[1] */
    struct buffer headers;
    struct buffer json;
    bool has_header[NAMED];
    bool has_json;
};

static struct json_value
random_json(void)
{
    struct json_value value = {.kind = (enum json_kind)pick(5)};
    value.number = (int64_t)pick(20) - 5;
    if (pick(3) == 0)
        value.number += INT64_C(1) << 60;
    (void)snprintf(value.text, sizeof(value.text), "%s", pick(2) == 0 ? "ab" : "7");
    return value;
}

static void
print_json(struct buffer *buffer, const struct json_value *value)
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
make_json(struct sample *sample)
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
make_headers(struct sample *sample)
{
    size_t count = 0;
    for (size_t i = 0; i < NAMED; i++)
        count += sample->has_header[i] = pick(2) == 0;
    headers_begin(&sample->headers, count);
    for (size_t i = 0; i < NAMED; i++) {
        if (!sample->has_header[i])
            continue;
        /* A null identity header is for event_identify() to decide, not for this test. */
        sample->header[i] = i < 3 ? random_text_or_null() : random_text();
        if (i >= 3 && sample->header[i].length == 0)
            sample->header[i] = text_of("a", 1);
        headers_add(&sample->headers, bytes_of(header_names[i]), view(&sample->header[i]));
    }
    sample->event.headers = bytes_make(sample->headers.data, sample->headers.length);
}

static void
make_sample(struct sample *sample)
{
    static char taps[2][5] = {"shop", "lab"};
    static char names[2][7] = {"orders", "ord"};
    static char labels[2][2][12] = {{"shop/orders", "shop/ord"}, {"lab/orders", "lab/ord"}};
    unsigned tap = pick(2);
    unsigned name = pick(2);
    *sample = (struct sample){
        .stream = {tap * 2 + name, taps[tap], names[name], labels[tap][name], NULL}};
    sample->key = random_text_or_null();
    sample->payload = random_text_or_null();
    sample->event = (struct event){
        .seq = pick(8) == 0 ? UINT64_MAX - pick(2) : pick(10),
        .received_ns = NOW - pick(10) * NS_PER_S,
        .time_ns = pick(4) == 0 ? CLOCK_NONE : NOW - pick(10) * NS_PER_S,
        .offset = pick(8) == 0 ? INT64_MAX : (int64_t)pick(10),
        .stream = &sample->stream,
        .partition = (int32_t)pick(3),
        .key = view(&sample->key),
        .payload = view(&sample->payload),
    };
    make_headers(sample);
    if (pick(2) == 0)
        make_json(sample);
}

static void
drop_sample(struct sample *sample)
{
    buffer_done(&sample->headers);
    buffer_done(&sample->json);
}

/* --- expressions --- */

enum op { EQ, NE, LT, LE, GT, GE, HAS, GLOB, REGEX, EXISTS, IN, OP_COUNT };

enum field {
    TAP,
    STREAM,
    KEY,
    PAYLOAD,
    ID,
    TYPE,
    CORRELATION,
    HEADER_X,
    HEADER_Y, /* texts */
    VALUE_N,
    VALUE_K,
    PARTITION,
    OFFSET,
    SEQ,
    SIZE, /* numbers */
    TIME,
    RECEIVED,
    REPLAYED,
    LANE,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {"tap", "stream", "key", "payload", "id",
    "type", "correlation", "header.x", "header.\"y\"", "value.n", "value.o.\"k l\"[1]", "partition",
    "offset", "seq", "size", "time", "received", "replayed", ""};

struct node {
    enum { TERM, NOT, AND, OR } kind;
    struct node *left;
    struct node *right;
    enum field field;
    enum op op;
    struct text value;
    struct text other; /* second of IN */
    bool is_bare;      /* written without quotes: may be a number */
    enum { HOLDS, STARTS, ENDS, GAP, LAST_MAYBE } pattern;
    uint64_t low;
    uint64_t high;
};

static struct node nodes[MAX_NODES];
static size_t node_count;

static bool
is_plain(const struct text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        char c = text->bytes[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '/')
            return false;
    }
    return text->length > 0 && !text->is_null;
}

static void
fill_text_term(struct node *node)
{
    static const char *const streams[] = {"orders", "ord", "shop", "lab", "lab/ord", "shop/orders"};
    node->op = (enum op)pick(OP_COUNT);
    node->value =
        node->op == EQ || node->op == NE || node->op == IN ? random_text_or_null() : random_text();
    node->other = random_text_or_null();
    if (node->field == TAP || node->field == STREAM) {
        const char *name = streams[pick(6)];
        node->value = text_of(name, strlen(name));
    }
    if (node->field == PAYLOAD && node->op == HAS && pick(2) == 0)
        node->value = text_of("\"o\":", 4);
    if (node->op == GLOB && node->value.length < 3)
        node->value.bytes[node->value.length++] = '*';
    if (node->op == REGEX) {
        static const char *const words[] = {"ab", "aa", "abb", "ord", "nulx"};
        const char *word = words[pick(5)];
        node->value = text_of(word, strlen(word));
        node->pattern = (__typeof__(node->pattern))pick(5);
    }
    node->is_bare = is_plain(&node->value) && pick(2) == 0;
}

static struct node *
random_term(void)
{
    struct node *node = &nodes[node_count++];
    assert_true(node_count <= MAX_NODES);
    *node = (struct node){.kind = TERM, .field = (enum field)pick(FIELD_COUNT)};
    if (pick(8) == 0)
        node->field = PAYLOAD; /* has most to promise */
    if (node->field <= VALUE_K) {
        fill_text_term(node);
        return node;
    }
    node->op = (enum op)pick(HAS);
    node->low = pick(10);
    node->high = node->low + pick(5);
    if (node->field == SEQ && pick(8) == 0)
        node->low = UINT64_MAX - pick(2);
    if (node->field == OFFSET && pick(8) == 0)
        node->low = pick(2) == 0 ? (uint64_t)INT64_MAX : UINT64_MAX;
    if (node->field == REPLAYED)
        node->op = (enum op)pick(2);
    return node;
}

static struct node *
random_expression(unsigned depth)
{
    unsigned kind = depth == 0 ? 0 : pick(5);
    if (kind <= 1)
        return random_term();
    struct node *node = &nodes[node_count++];
    assert_true(node_count <= MAX_NODES);
    *node = (struct node){.kind = kind == 2 ? NOT : kind == 3 ? AND : OR};
    node->left = random_expression(depth - 1);
    if (node->kind != NOT)
        node->right = random_expression(depth - 1);
    return node;
}

/* --- printing --- */

static void
print_text(struct buffer *out, const struct text *text, bool is_bare)
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
print_glob(struct buffer *out, const struct text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        if (text->bytes[i] == '"' || text->bytes[i] == '\\')
            buffer_append_text(out, "\\");
        buffer_append_byte(out, text->bytes[i] == '\0' ? '*' : (unsigned char)text->bytes[i]);
    }
}

static void
print_pattern(struct buffer *out, const struct node *node)
{
    const char *word = node->value.bytes;
    int length = (int)node->value.length;
    switch (node->pattern) {
    case HOLDS:
        buffer_printf(out, "/%.*s/", length, word);
        break;
    case STARTS:
        buffer_printf(out, "/^%.*s/", length, word);
        break;
    case ENDS:
        buffer_printf(out, "/%.*s\\z/", length, word);
        break;
    case GAP:
        buffer_printf(out, "/%.*s(?s:.)%.*s/", length, word, length, word);
        break;
    case LAST_MAYBE:
        buffer_printf(out, "/%.*s%s/", length, word, pick(2) == 0 ? "*" : "?");
        break;
    }
}

static const char *const op_texts[] = {"=", "!=", "<", "<=", ">", ">=", "~"};

static void
print_text_term(struct buffer *out, const struct node *node)
{
    buffer_append_text(out, field_names[node->field]);
    switch (node->op) {
    case EXISTS:
        buffer_append_text(out, " exists");
        break;
    case IN:
        buffer_append_text(out, " in (");
        print_text(out, &node->value, node->is_bare);
        buffer_append_text(out, ", ");
        print_text(out, &node->other, false);
        buffer_append_text(out, ")");
        break;
    case GLOB:
        buffer_append_text(out, "=");
        print_glob(out, &node->value);
        break;
    case REGEX:
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
print_term(struct buffer *out, const struct node *node)
{
    if (node->field <= VALUE_K) {
        print_text_term(out, node);
    } else if (node->field == LANE) {
        buffer_printf(
            out, "ord*[%d]@%" PRIu64 "..%" PRIu64, (int)(node->low % 3), node->low, node->high);
    } else if (node->field == REPLAYED) {
        buffer_printf(out, "replayed%s%s", op_texts[node->op], node->low % 2 ? "true" : "false");
    } else if (node->field == TIME || node->field == RECEIVED) {
        if (node->field == TIME && (node->op == LE || node->op == GE))
            buffer_printf(out, "%s -%" PRIu64 "s", node->op == LE ? "until" : "since", node->low);
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
print_node(struct buffer *out, const struct node *node, int level)
{
    int own = node->kind == OR ? 0 : node->kind == AND ? 1 : 2;
    bool wrapped = own < level || pick(8) == 0;
    if (wrapped)
        buffer_append_text(out, "(");
    switch (node->kind) {
    case TERM:
        print_term(out, node);
        break;
    case NOT:
        buffer_append_text(out, "not ");
        print_node(out, node->left, 2);
        break;
    case AND:
        print_node(out, node->left, 1);
        buffer_append_text(out, pick(2) == 0 ? " and " : "  ");
        print_node(out, node->right, 1);
        break;
    case OR:
        print_node(out, node->left, 0);
        buffer_append_text(out, " or ");
        print_node(out, node->right, 0);
        break;
    }
    if (wrapped)
        buffer_append_text(out, ")");
}

/* --- judging --- */

static bool
same_at(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

static bool
holds(const char *all, size_t length, const char *part, size_t part_length)
{
    for (size_t i = 0; i + part_length <= length; i++) {
        if (same_at(all + i, part, part_length))
            return true;
    }
    return false;
}

/* '*' and zero are both wild, as print_glob() prints them. */
static bool
glob_holds(const char *glob, size_t glob_length, const char *all, size_t length)
{
    if (glob_length == 0)
        return length == 0;
    if (*glob == '*' || *glob == '\0') {
        for (size_t i = 0; i <= length; i++) {
            if (glob_holds(glob + 1, glob_length - 1, all + i, length - i))
                return true;
        }
        return false;
    }
    return length > 0 && *glob == *all &&
           glob_holds(glob + 1, glob_length - 1, all + 1, length - 1);
}

static bool
pattern_holds(const struct node *node, const char *all, size_t length)
{
    const char *word = node->value.bytes;
    size_t word_length = node->value.length;
    switch (node->pattern) {
    case HOLDS:
        return holds(all, length, word, word_length);
    case STARTS:
        return length >= word_length && same_at(all, word, word_length);
    case ENDS:
        return length >= word_length && same_at(all + length - word_length, word, word_length);
    case GAP:
        for (size_t i = 0; i + 2 * word_length + 1 <= length; i++) {
            if (same_at(all + i, word, word_length) &&
                same_at(all + i + word_length + 1, word, word_length))
                return true;
        }
        return false;
    case LAST_MAYBE:
        return holds(all, length, word, word_length - 1);
    }
    return false;
}

static bool
read_int(const char *text, size_t length, long long *value)
{
    char copy[64];
    char *end;
    if (length == 0 || length >= sizeof(copy))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if ((copy[0] < '0' || copy[0] > '9') && (copy[0] != '-' || copy[1] < '0' || copy[1] > '9'))
        return false;
    *value = strtoll(copy, &end, 10);
    return end == copy + length;
}

static bool
order_holds(enum op op, int order)
{
    return op == LT   ? order < 0
           : op == LE ? order <= 0
           : op == GT ? order > 0
           : op == GE ? order >= 0
           : op == EQ ? order == 0
                      : order != 0;
}

static int
text_order(const char *a, size_t a_length, const struct text *b)
{
    for (size_t i = 0; i < a_length && i < b->length; i++) {
        if (a[i] != b->bytes[i])
            return (unsigned char)a[i] < (unsigned char)b->bytes[i] ? -1 : 1;
    }
    return (a_length > b->length) - (a_length < b->length);
}

static bool
text_is(const char *bytes, size_t length, const struct text *other)
{
    if (bytes == NULL || other->is_null)
        return bytes == NULL && other->is_null;
    return length == other->length && same_at(bytes, other->bytes, length);
}

/* A positive test of one text; `untyped` says that texts of digits are numbers. */
static bool
text_holds(const struct node *node, const char *bytes, size_t length, bool untyped)
{
    long long a;
    long long b;
    if (node->op == EQ || node->op == NE)
        return text_is(bytes, length, &node->value);
    if (node->op == IN)
        return text_is(bytes, length, &node->value) || text_is(bytes, length, &node->other);
    if (bytes == NULL)
        return false;
    switch (node->op) {
    case HAS:
        return holds(bytes, length, node->value.bytes, node->value.length);
    case GLOB:
        return glob_holds(node->value.bytes, node->value.length, bytes, length);
    case REGEX:
        return pattern_holds(node, bytes, length);
    case EXISTS:
        return true;
    default:
        break;
    }
    if (untyped && node->is_bare && read_int(node->value.bytes, node->value.length, &b) &&
        read_int(bytes, length, &a))
        return order_holds(node->op, (a > b) - (a < b));
    return order_holds(node->op, text_order(bytes, length, &node->value));
}

static bool
header_holds(const struct node *node, const struct sample *sample, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        const struct text *value = &sample->header[i];
        if (sample->has_header[i] &&
            (node->op == EXISTS ||
                text_holds(node, value->is_null ? NULL : value->bytes, value->length, true)))
            return true;
    }
    return false;
}

static bool
json_holds(const struct node *node, const struct sample *sample, const struct json_value *value)
{
    char digits[32];
    long long wanted;
    if (!sample->has_json || value->kind == JSON_IS_MISSING)
        return false;
    bool asks_null = (node->op == EQ || node->op == NE || node->op == IN) && node->value.is_null;
    bool asks_other = node->op == IN && node->other.is_null;
    if (node->op == EXISTS)
        return true;
    if (value->kind == JSON_IS_NULL)
        return asks_null || asks_other;
    if (value->kind == JSON_IS_TRUE)
        return text_holds(node, "true", 4, false);
    if (value->kind == JSON_IS_TEXT)
        return text_holds(node, value->text, strlen(value->text), false);
    if (node->op <= GE && node->is_bare && read_int(node->value.bytes, node->value.length, &wanted))
        return order_holds(
            node->op == NE ? EQ : node->op, (value->number > wanted) - (value->number < wanted));
    (void)snprintf(digits, sizeof(digits), "%" PRId64, value->number);
    return text_holds(node, digits, strlen(digits), false);
}

static bool
identity_holds(const struct node *node, const struct sample *sample, size_t index)
{
    const struct text *value = &sample->header[index];
    return text_holds(node, sample->has_header[index] ? value->bytes : NULL, value->length, true);
}

static bool
view_holds(const struct node *node, struct bytes value)
{
    return text_holds(node, (const char *)value.data, value.length, true);
}

static bool
whole_holds(const struct node *node, uint64_t value)
{
    return order_holds(node->op, (value > node->low) - (value < node->low));
}

static bool
moment_holds(const struct node *node, int64_t value)
{
    int64_t wanted = NOW - (int64_t)node->low * NS_PER_S;
    return order_holds(node->op, (value > wanted) - (value < wanted));
}

static uint64_t
naive_size(const struct sample *sample)
{
    uint64_t size = sample->event.headers.length;
    size += sample->key.is_null ? 0 : sample->key.length;
    return size + (sample->has_json             ? sample->json.length
                      : sample->payload.is_null ? 0
                                                : sample->payload.length);
}

static bool
stream_holds(const struct node *node, const struct stream *stream)
{
    return text_holds(node, stream->name, strlen(stream->name), true) ||
           text_holds(node, stream->label, strlen(stream->label), true);
}

/* != is judged as = here; judge() turns it round. */
static bool
term_holds(const struct node *node, const struct sample *sample)
{
    const struct event *event = &sample->event;
    switch (node->field) {
    case TAP:
        return text_holds(node, event->stream->tap, strlen(event->stream->tap), true);
    case STREAM:
        return stream_holds(node, event->stream);
    case KEY:
        return view_holds(node, event->key);
    case PAYLOAD:
        return view_holds(node, event->payload);
    case ID:
        return identity_holds(node, sample, 3);
    case TYPE:
        return identity_holds(node, sample, 4);
    case CORRELATION:
        return identity_holds(node, sample, 5);
    case HEADER_X:
        return header_holds(node, sample, 0, 1);
    case HEADER_Y:
        return header_holds(node, sample, 2, 2);
    case VALUE_N:
        return json_holds(node, sample, &sample->member);
    case VALUE_K:
        return json_holds(node, sample, &sample->inner);
    case PARTITION:
        return whole_holds(node, (uint64_t)event->partition);
    case OFFSET:
        return whole_holds(node, (uint64_t)event->offset);
    case SEQ:
        return whole_holds(node, event->seq);
    case SIZE:
        return whole_holds(node, naive_size(sample));
    case TIME:
        return moment_holds(
            node, event->time_ns == CLOCK_NONE ? event->received_ns : event->time_ns);
    case RECEIVED:
        return moment_holds(node, event->received_ns);
    case REPLAYED:
        return order_holds(node->op, sample->has_header[6] != (node->low % 2 == 1));
    case LANE:
        return (uint64_t)event->partition == node->low % 3 &&
               (uint64_t)event->offset >= node->low && (uint64_t)event->offset <= node->high;
    case FIELD_COUNT:
        break;
    }
    return false;
}

static bool
judge(const struct node *node, const struct sample *sample)
{
    switch (node->kind) {
    case NOT:
        return !judge(node->left, sample);
    case AND:
        return judge(node->left, sample) && judge(node->right, sample);
    case OR:
        return judge(node->left, sample) || judge(node->right, sample);
    case TERM:
        break;
    }
    bool is_text = node->field <= VALUE_K;
    return term_holds(node, sample) != (is_text && node->op == NE);
}

/* --- promises --- */

static bool
token_holds(const struct query_token *token, const struct sample *sample)
{
    static const char *const kinds[] = {
        "header:x", "header:x", "header:y", "id", "type", "correlation"};
    if (strcmp(token->kind, "key") == 0)
        return bytes_equal(token->value, sample->event.key);
    for (size_t i = 0; i < 6; i++) {
        if (strcmp(token->kind, kinds[i]) == 0 && sample->has_header[i] &&
            bytes_equal(token->value, view(&sample->header[i])))
            return true;
    }
    return false;
}

static bool
promises_hold(const struct query *query, const struct sample *sample)
{
    const struct event *event = &sample->event;
    int64_t time = event->time_ns == CLOCK_NONE ? event->received_ns : event->time_ns;
    struct query_bounds bounds;
    query_bounds(query, &bounds);
    if (time < bounds.from_ns || time > bounds.until_ns ||
        event->received_ns < bounds.received_from_ns ||
        event->received_ns > bounds.received_until_ns || event->seq < bounds.first_seq ||
        event->seq > bounds.last_seq || event->offset < bounds.first_offset ||
        event->offset > bounds.last_offset)
        return false;

    struct query_token tokens[8];
    size_t count = query_required_tokens(query, tokens, 8);
    for (size_t i = 0; i < count; i++) {
        if (!token_holds(&tokens[i], sample))
            return false;
    }
    struct bytes literal = query_required_literal(query);
    if (literal.data != NULL &&
        (literal.length < 3 || !holds((const char *)event->payload.data, event->payload.length,
                                   (const char *)literal.data, literal.length)))
        return false;
    return query_may_match_lane(query, event->stream, event->partition) &&
           query_may_match_lane(query, event->stream, -1) &&
           query_may_match_lanes(query, event->stream, event->partition, event->partition + 1) &&
           query_may_match_lanes(query, event->stream, 0, event->partition);
}

/* What came up in all rounds, so that the test cannot become hollow unnoticed. */
static struct {
    unsigned matched;
    unsigned missed;
    unsigned bounded;
    unsigned with_token;
    unsigned with_literal;
    unsigned lanes_ruled_out;
} seen;

static void
count_promises(const struct query *query, const struct sample *sample)
{
    struct query_bounds bounds;
    struct query_token token;
    query_bounds(query, &bounds);
    seen.bounded += bounds.from_ns != INT64_MIN || bounds.last_seq != UINT64_MAX;
    seen.with_token += query_required_tokens(query, &token, 1) > 0;
    seen.with_literal += query_required_literal(query).data != NULL;
    seen.lanes_ruled_out +=
        !query_may_match_lane(query, sample->event.stream, sample->event.partition);
}

static void
run_round(struct sample *samples)
{
    struct error err;
    struct buffer text = {0};
    node_count = 0;
    struct node *expression = random_expression(pick(5));
    print_node(&text, expression, 0);

    struct query *query = query_compile(buffer_text(&text), NOW, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", buffer_text(&text), err.text);
    struct query_matcher *matcher = query_matcher_new(query);
    count_promises(query, &samples[0]);
    for (size_t i = 0; i < EVENTS; i++) {
        bool wanted = judge(expression, &samples[i]);
        if (query_matches(matcher, &samples[i].event) != wanted)
            fail_msg("event %zu should%s match: %s", i, wanted ? "" : " not", buffer_text(&text));
        if (wanted && !promises_hold(query, &samples[i]))
            fail_msg("event %zu matches and would have been skipped: %s", i, buffer_text(&text));
        seen.matched += wanted;
        seen.missed += !wanted;
    }
    query_matcher_free(matcher);
    query_free(query);
    buffer_done(&text);
}

static void
agrees_with_the_plain_evaluator(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct sample samples[EVENTS];
        for (size_t i = 0; i < EVENTS; i++)
            make_sample(&samples[i]);
        /* Events point to their own sample, which does not move. */
        run_round(samples);
        for (size_t i = 0; i < EVENTS; i++)
            drop_sample(&samples[i]);
    }
    print_message("%u matched, %u not; %u bounded, %u tokens, %u literals, %u lanes ruled out\n",
        seen.matched, seen.missed, seen.bounded, seen.with_token, seen.with_literal,
        seen.lanes_ruled_out);
    assert_true(seen.matched > ROUNDS && seen.missed > ROUNDS);
    assert_true(seen.bounded > ROUNDS / 40 && seen.with_token > ROUNDS / 100);
    assert_true(seen.with_literal > ROUNDS / 200 && seen.lanes_ruled_out > ROUNDS / 50);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_plain_evaluator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
