#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/index_query_model.h"

static bool
same_at(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

bool
model_holds(const char *all, size_t length, const char *part, size_t part_length)
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
pattern_holds(const struct model_node *node, const char *all, size_t length)
{
    const char *word = node->value.bytes;
    size_t word_length = node->value.length;
    switch (node->pattern) {
    case PATTERN_HOLDS:
        return model_holds(all, length, word, word_length);
    case PATTERN_STARTS:
        return length >= word_length && same_at(all, word, word_length);
    case PATTERN_ENDS:
        return length >= word_length && same_at(all + length - word_length, word, word_length);
    case PATTERN_GAP:
        for (size_t i = 0; i + 2 * word_length + 1 <= length; i++) {
            if (same_at(all + i, word, word_length) &&
                same_at(all + i + word_length + 1, word, word_length))
                return true;
        }
        return false;
    case PATTERN_LAST_MAYBE:
        return model_holds(all, length, word, word_length - 1);
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
order_holds(enum model_op op, int order)
{
    return op == OP_LT   ? order < 0
           : op == OP_LE ? order <= 0
           : op == OP_GT ? order > 0
           : op == OP_GE ? order >= 0
           : op == OP_EQ ? order == 0
                         : order != 0;
}

static int
text_order(const char *a, size_t a_length, const struct model_text *b)
{
    for (size_t i = 0; i < a_length && i < b->length; i++) {
        if (a[i] != b->bytes[i])
            return (unsigned char)a[i] < (unsigned char)b->bytes[i] ? -1 : 1;
    }
    return (a_length > b->length) - (a_length < b->length);
}

static bool
text_is(const char *bytes, size_t length, const struct model_text *other)
{
    if (bytes == NULL || other->is_null)
        return bytes == NULL && other->is_null;
    return length == other->length && same_at(bytes, other->bytes, length);
}

/* A positive test of one text; `untyped` says that texts of digits are numbers. */
static bool
text_holds(const struct model_node *node, const char *bytes, size_t length, bool untyped)
{
    long long a;
    long long b;
    if (node->op == OP_EQ || node->op == OP_NE)
        return text_is(bytes, length, &node->value);
    if (node->op == OP_IN)
        return text_is(bytes, length, &node->value) || text_is(bytes, length, &node->other);
    if (bytes == NULL)
        return false;
    switch (node->op) {
    case OP_HAS:
        return model_holds(bytes, length, node->value.bytes, node->value.length);
    case OP_GLOB:
        return glob_holds(node->value.bytes, node->value.length, bytes, length);
    case OP_REGEX:
        return pattern_holds(node, bytes, length);
    case OP_EXISTS:
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
header_holds(
    const struct model_node *node, const struct model_sample *sample, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        const struct model_text *value = &sample->header[i];
        if (sample->has_header[i] &&
            (node->op == OP_EXISTS ||
                text_holds(node, value->is_null ? NULL : value->bytes, value->length, true)))
            return true;
    }
    return false;
}

static bool
json_holds(const struct model_node *node, const struct model_sample *sample,
    const struct model_json *value)
{
    char digits[32];
    long long wanted;
    if (!sample->has_json || value->kind == JSON_IS_MISSING)
        return false;
    bool asks_null =
        (node->op == OP_EQ || node->op == OP_NE || node->op == OP_IN) && node->value.is_null;
    bool asks_other = node->op == OP_IN && node->other.is_null;
    if (node->op == OP_EXISTS)
        return true;
    if (value->kind == JSON_IS_NULL)
        return asks_null || asks_other;
    if (value->kind == JSON_IS_TRUE)
        return text_holds(node, "true", 4, false);
    if (value->kind == JSON_IS_TEXT)
        return text_holds(node, value->text, strlen(value->text), false);
    if (node->op <= OP_GE && node->is_bare &&
        read_int(node->value.bytes, node->value.length, &wanted))
        return order_holds(node->op == OP_NE ? OP_EQ : node->op,
            (value->number > wanted) - (value->number < wanted));
    (void)snprintf(digits, sizeof(digits), "%" PRId64, value->number);
    return text_holds(node, digits, strlen(digits), false);
}

static bool
identity_holds(const struct model_node *node, const struct model_sample *sample, size_t index)
{
    const struct model_text *value = &sample->header[index];
    return text_holds(node, sample->has_header[index] ? value->bytes : NULL, value->length, true);
}

static bool
view_holds(const struct model_node *node, struct bytes value)
{
    return text_holds(node, (const char *)value.data, value.length, true);
}

static bool
whole_holds(const struct model_node *node, uint64_t value)
{
    return order_holds(node->op, (value > node->low) - (value < node->low));
}

static bool
moment_holds(const struct model_node *node, int64_t value)
{
    int64_t wanted = MODEL_NOW - (int64_t)node->low * NS_PER_S;
    return order_holds(node->op, (value > wanted) - (value < wanted));
}

static uint64_t
naive_size(const struct model_sample *sample)
{
    uint64_t size = sample->event.headers.length;
    size += sample->key.is_null ? 0 : sample->key.length;
    return size + (sample->has_json             ? sample->json.length
                      : sample->payload.is_null ? 0
                                                : sample->payload.length);
}

static bool
stream_holds(const struct model_node *node, const struct stream *stream)
{
    return text_holds(node, stream->name, strlen(stream->name), true) ||
           text_holds(node, stream->label, strlen(stream->label), true);
}

/* != is judged as = here; judge() turns it round. */
static bool
term_holds(const struct model_node *node, const struct model_sample *sample)
{
    const struct event *event = &sample->event;
    switch (node->field) {
    case FIELD_TAP:
        return text_holds(node, event->stream->tap, strlen(event->stream->tap), true);
    case FIELD_STREAM:
        return stream_holds(node, event->stream);
    case FIELD_KEY:
        return view_holds(node, event->key);
    case FIELD_PAYLOAD:
        return view_holds(node, event->payload);
    case FIELD_ID:
        return identity_holds(node, sample, 3);
    case FIELD_TYPE:
        return identity_holds(node, sample, 4);
    case FIELD_CORRELATION:
        return identity_holds(node, sample, 5);
    case FIELD_HEADER_X:
        return header_holds(node, sample, 0, 1);
    case FIELD_HEADER_Y:
        return header_holds(node, sample, 2, 2);
    case FIELD_VALUE_N:
        return json_holds(node, sample, &sample->member);
    case FIELD_VALUE_K:
        return json_holds(node, sample, &sample->inner);
    case FIELD_PARTITION:
        return whole_holds(node, (uint64_t)event->partition);
    case FIELD_OFFSET:
        return whole_holds(node, (uint64_t)event->offset);
    case FIELD_SEQ:
        return whole_holds(node, event->seq);
    case FIELD_SIZE:
        return whole_holds(node, naive_size(sample));
    case FIELD_TIME:
        return moment_holds(
            node, event->time_ns == CLOCK_NONE ? event->received_ns : event->time_ns);
    case FIELD_RECEIVED:
        return moment_holds(node, event->received_ns);
    case FIELD_REPLAYED:
        return order_holds(node->op, sample->has_header[6] != (node->low % 2 == 1));
    case FIELD_LANE:
        return (uint64_t)event->partition == node->low % 3 &&
               (uint64_t)event->offset >= node->low && (uint64_t)event->offset <= node->high;
    case FIELD_COUNT:
        break;
    }
    return false;
}

bool
model_judge(const struct model_node *node, const struct model_sample *sample)
{
    switch (node->kind) {
    case NODE_NOT:
        return !model_judge(node->left, sample);
    case NODE_AND:
        return model_judge(node->left, sample) && model_judge(node->right, sample);
    case NODE_OR:
        return model_judge(node->left, sample) || model_judge(node->right, sample);
    case NODE_TERM:
        break;
    }
    bool is_text = node->field <= FIELD_VALUE_K;
    return term_holds(node, sample) != (is_text && node->op == OP_NE);
}
