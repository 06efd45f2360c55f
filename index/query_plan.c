/* What is known about every match before any event is looked at. All of it may say too little and
 * never too much: a bound that excluded a match would lose events. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "index/event.h"
#include "index/query.h"
#include "index/query_internal.h"

static const struct query_bounds bounds_open = {
    .from_ns = INT64_MIN,
    .until_ns = INT64_MAX,
    .received_from_ns = INT64_MIN,
    .received_until_ns = INT64_MAX,
    .first_seq = 0,
    .last_seq = UINT64_MAX,
    .first_offset = 0,
    .last_offset = INT64_MAX,
};

/* Nothing matches. The seqs are what tells. */
static const struct query_bounds bounds_none = {
    .from_ns = INT64_MAX,
    .until_ns = INT64_MIN,
    .received_from_ns = INT64_MAX,
    .received_until_ns = INT64_MIN,
    .first_seq = UINT64_MAX,
    .last_seq = 0,
    .first_offset = INT64_MAX,
    .last_offset = 0,
};

static bool
is_empty(const struct query_bounds *bounds)
{
    return bounds->from_ns > bounds->until_ns ||
           bounds->received_from_ns > bounds->received_until_ns ||
           bounds->first_seq > bounds->last_seq || bounds->first_offset > bounds->last_offset;
}

static int64_t
lower(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
higher(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct query_bounds
intersect(const struct query_bounds *a, const struct query_bounds *b)
{
    return (struct query_bounds){
        .from_ns = higher(a->from_ns, b->from_ns),
        .until_ns = lower(a->until_ns, b->until_ns),
        .received_from_ns = higher(a->received_from_ns, b->received_from_ns),
        .received_until_ns = lower(a->received_until_ns, b->received_until_ns),
        .first_seq = a->first_seq > b->first_seq ? a->first_seq : b->first_seq,
        .last_seq = a->last_seq < b->last_seq ? a->last_seq : b->last_seq,
        .first_offset = higher(a->first_offset, b->first_offset),
        .last_offset = lower(a->last_offset, b->last_offset),
    };
}

/* The smallest bounds around both. */
static struct query_bounds
enclose(const struct query_bounds *a, const struct query_bounds *b)
{
    if (is_empty(a) || is_empty(b))
        return is_empty(a) ? *b : *a;
    return (struct query_bounds){
        .from_ns = lower(a->from_ns, b->from_ns),
        .until_ns = higher(a->until_ns, b->until_ns),
        .received_from_ns = lower(a->received_from_ns, b->received_from_ns),
        .received_until_ns = higher(a->received_until_ns, b->received_until_ns),
        .first_seq = a->first_seq < b->first_seq ? a->first_seq : b->first_seq,
        .last_seq = a->last_seq > b->last_seq ? a->last_seq : b->last_seq,
        .first_offset = lower(a->first_offset, b->first_offset),
        .last_offset = higher(a->last_offset, b->last_offset),
    };
}

/* The test that is true when this one is false, for values that are never missing. */
static bool
opposite(enum query_test test, enum query_test *other)
{
    static const enum query_test opposites[] = {
        [QUERY_LESS] = QUERY_AT_LEAST,
        [QUERY_AT_MOST] = QUERY_MORE,
        [QUERY_MORE] = QUERY_AT_MOST,
        [QUERY_AT_LEAST] = QUERY_LESS,
    };
    if (test < QUERY_LESS || test > QUERY_AT_LEAST)
        return false;
    *other = opposites[test];
    return true;
}

/* Narrow low..high to `value` under `test`; false when nothing is left. */
static bool
narrow_moment(enum query_test test, int64_t value, int64_t *low, int64_t *high)
{
    if ((test == QUERY_LESS && value == INT64_MIN) || (test == QUERY_MORE && value == INT64_MAX))
        return false;
    if (test == QUERY_LESS || test == QUERY_AT_MOST || test == QUERY_EQUAL)
        *high = test == QUERY_LESS ? value - 1 : value;
    if (test == QUERY_MORE || test == QUERY_AT_LEAST || test == QUERY_EQUAL)
        *low = test == QUERY_MORE ? value + 1 : value;
    return true;
}

static bool
narrow_whole(enum query_test test, uint64_t value, uint64_t *low, uint64_t *high)
{
    if ((test == QUERY_LESS && value == 0) || (test == QUERY_MORE && value == UINT64_MAX))
        return false;
    if (test == QUERY_LESS || test == QUERY_AT_MOST || test == QUERY_EQUAL)
        *high = test == QUERY_LESS ? value - 1 : value;
    if (test == QUERY_MORE || test == QUERY_AT_LEAST || test == QUERY_EQUAL)
        *low = test == QUERY_MORE ? value + 1 : value;
    return true;
}

static bool
narrow_offset(enum query_test test, uint64_t value, struct query_bounds *bounds)
{
    uint64_t low = 0;
    uint64_t high = INT64_MAX;
    if (!narrow_whole(test, value, &low, &high) || low > INT64_MAX)
        return false;
    bounds->first_offset = (int64_t)low;
    bounds->last_offset = high > INT64_MAX ? INT64_MAX : (int64_t)high;
    return true;
}

static struct query_bounds
bounds_of_term(const struct query_node *node, bool is_negated)
{
    struct query_bounds bounds = bounds_open;
    enum query_test test = node->test;
    if (is_negated && !opposite(node->test, &test))
        return bounds;
    bool is_possible = true;
    if (node->field == QUERY_FIELD_TIME)
        is_possible = narrow_moment(test, node->moment_ns, &bounds.from_ns, &bounds.until_ns);
    else if (node->field == QUERY_FIELD_RECEIVED)
        is_possible = narrow_moment(
            test, node->moment_ns, &bounds.received_from_ns, &bounds.received_until_ns);
    else if (node->field == QUERY_FIELD_SEQ)
        is_possible = narrow_whole(test, node->whole, &bounds.first_seq, &bounds.last_seq);
    else if (node->field == QUERY_FIELD_OFFSET)
        is_possible = narrow_offset(test, node->whole, &bounds);
    return is_possible ? bounds : bounds_none;
}

/* By de Morgan, a negated group is the other group of negated children. */
static bool
is_conjunction(const struct query_node *node, bool is_negated)
{
    return node->kind == (is_negated ? QUERY_OR : QUERY_AND);
}

static struct query_bounds
bounds_of(const struct query *query, uint32_t index, bool is_negated)
{
    const struct query_node *node = &query->nodes[index];
    if (node->kind == QUERY_TERM)
        return bounds_of_term(node, is_negated);
    if (node->kind == QUERY_NOT)
        return bounds_of(query, node->first, !is_negated);

    bool is_and = is_conjunction(node, is_negated);
    struct query_bounds bounds = is_and ? bounds_open : bounds_none;
    for (uint32_t i = node->first; i != QUERY_NONE; i = query->nodes[i].next) {
        struct query_bounds child = bounds_of(query, i, is_negated);
        bounds = is_and ? intersect(&bounds, &child) : enclose(&bounds, &child);
    }
    return is_empty(&bounds) ? bounds_none : bounds;
}

void
query_bounds(const struct query *query, struct query_bounds *bounds)
{
    *bounds = query->root == QUERY_NONE ? bounds_open : bounds_of(query, query->root, false);
}

/* What lanes alone say about a query: for none, for some or for all of their events it is true. */
enum verdict {
    VERDICT_NO,
    VERDICT_MAYBE,
    VERDICT_YES,
};

/* Lanes of one stream that stand side by side; those of a negative partition are not compared. */
struct lane_range {
    const struct stream *stream;
    int32_t first_partition;
    int32_t last_partition;
};

/* Only `=` can be true between two partitions at which it is not. */
static enum verdict
partition_verdict(const struct query_node *node, const struct lane_range *lanes)
{
    if (lanes->first_partition < 0 || lanes->last_partition < lanes->first_partition)
        return VERDICT_MAYBE;
    uint64_t first = (uint64_t)lanes->first_partition;
    uint64_t last = (uint64_t)lanes->last_partition;
    bool at_first = query_test_whole(node, first);
    if (first == last)
        return at_first ? VERDICT_YES : VERDICT_NO;
    if (node->test == QUERY_EQUAL)
        return node->whole < first || node->whole > last ? VERDICT_NO : VERDICT_MAYBE;
    if (at_first != query_test_whole(node, last))
        return VERDICT_MAYBE;
    return at_first ? VERDICT_YES : VERDICT_NO;
}

static enum verdict
lane_verdict_of_term(const struct query_node *node, const struct lane_range *lanes)
{
    bool is_true;
    bool by_number = node->has_number && node->test >= QUERY_LESS && node->test <= QUERY_AT_LEAST;
    if (node->test == QUERY_REGEX || by_number)
        return VERDICT_MAYBE;
    if (node->field == QUERY_FIELD_TAP)
        is_true = query_test_text(node, bytes_of(lanes->stream->tap));
    else if (node->field == QUERY_FIELD_STREAM)
        is_true = query_test_stream(node, lanes->stream);
    else if (node->field == QUERY_FIELD_PARTITION)
        return partition_verdict(node, lanes);
    else
        return VERDICT_MAYBE;
    return is_true ? VERDICT_YES : VERDICT_NO;
}

static enum verdict
lane_verdict(const struct query *query, uint32_t index, const struct lane_range *lanes)
{
    const struct query_node *node = &query->nodes[index];
    if (node->kind == QUERY_TERM)
        return lane_verdict_of_term(node, lanes);
    if (node->kind == QUERY_NOT)
        return VERDICT_YES - lane_verdict(query, node->first, lanes);

    bool is_and = node->kind == QUERY_AND;
    enum verdict verdict = is_and ? VERDICT_YES : VERDICT_NO;
    for (uint32_t i = node->first; i != QUERY_NONE; i = query->nodes[i].next) {
        enum verdict child = lane_verdict(query, i, lanes);
        if (is_and ? child < verdict : child > verdict)
            verdict = child;
    }
    return verdict;
}

bool
query_may_match_lanes(const struct query *query, const struct stream *stream,
    int32_t first_partition, int32_t last_partition)
{
    if (stream_is_internal(stream) && !query->names_internal)
        return false;
    struct lane_range lanes = {stream, first_partition, last_partition};
    return query->root == QUERY_NONE || lane_verdict(query, query->root, &lanes) != VERDICT_NO;
}

bool
query_may_match_lane(const struct query *query, const struct stream *stream, int32_t partition)
{
    return query_may_match_lanes(query, stream, partition, partition);
}

/* "@lag", "@*", "@lag*"; of a stream also "shop/@lag". */
static bool
term_names_internal(const struct query_node *node)
{
    if (node->test != QUERY_EQUAL && node->test != QUERY_GLOB && node->test != QUERY_CONTAINS)
        return false;
    if (node->field != QUERY_FIELD_STREAM && node->field != QUERY_FIELD_TAP)
        return false;
    if (node->text.length > 0 && node->text.data[0] == '@')
        return true;
    return node->field == QUERY_FIELD_STREAM && node->text.length > 0 &&
           memmem(node->text.data, node->text.length, "/@", 2) != NULL;
}

static bool
finds_internal(const struct query *query, uint32_t index, bool is_negated)
{
    const struct query_node *node = &query->nodes[index];
    if (node->kind == QUERY_TERM)
        return !is_negated && term_names_internal(node);
    bool is_inside = node->kind == QUERY_NOT ? !is_negated : is_negated;
    for (uint32_t i = node->first; i != QUERY_NONE; i = query->nodes[i].next)
        if (finds_internal(query, i, is_inside))
            return true;
    return false;
}

bool
query_find_internal(const struct query *query)
{
    return query->root != QUERY_NONE && finds_internal(query, query->root, false);
}

/* Call `visit` with each test that every match must pass. */
static void
visit_required(const struct query *query, uint32_t index, bool is_negated,
    void (*visit)(const struct query_node *node, void *context), void *context)
{
    const struct query_node *node = &query->nodes[index];
    if (node->kind == QUERY_NOT) {
        visit_required(query, node->first, !is_negated, visit, context);
    } else if (node->kind == QUERY_TERM) {
        if (!is_negated)
            visit(node, context);
    } else if (is_conjunction(node, is_negated)) {
        for (uint32_t i = node->first; i != QUERY_NONE; i = query->nodes[i].next)
            visit_required(query, i, is_negated, visit, context);
    }
}

struct token_list {
    struct query_token *tokens;
    size_t limit;
    size_t count;
};

static void
collect_token(const struct query_node *node, void *context)
{
    struct token_list *list = context;
    if (node->test != QUERY_EQUAL || list->count == list->limit)
        return;
    struct query_token *token = &list->tokens[list->count];
    switch (node->field) {
    case QUERY_FIELD_KEY:
    case QUERY_FIELD_ID:
    case QUERY_FIELD_TRACE:
    case QUERY_FIELD_CORRELATION:
        (void)snprintf(token->kind, sizeof(token->kind), "%s", query_fields[node->field].name);
        break;
    case QUERY_FIELD_HEADER:
        /* A name that does not fit, or that a C string cannot hold, has no token. */
        if (node->name.length >= sizeof(token->kind) - strlen("header:") ||
            memchr(node->name.data, '\0', node->name.length) != NULL)
            return;
        (void)snprintf(token->kind, sizeof(token->kind), "header:%.*s", (int)node->name.length,
            (const char *)node->name.data);
        break;
    default:
        return;
    }
    token->value = node->text;
    list->count++;
}

size_t
query_required_tokens(const struct query *query, struct query_token *tokens, size_t limit)
{
    struct token_list list = {tokens, limit, 0};
    if (query->root != QUERY_NONE)
        visit_required(query, query->root, false, collect_token, &list);
    return list.count;
}

static void
keep_longer(struct bytes *best, const unsigned char *from, const unsigned char *to)
{
    if ((size_t)(to - from) > best->length)
        *best = bytes_make(from, (size_t)(to - from));
}

static struct bytes
literal_of_glob(struct bytes glob)
{
    struct bytes best = BYTES_NULL;
    const unsigned char *end = glob.data + glob.length;
    for (const unsigned char *from = glob.data; from < end; from++) {
        const unsigned char *star = memchr(from, '\0', (size_t)(end - from));
        keep_longer(&best, from, star == NULL ? end : star);
        if (star == NULL)
            break;
        from = star;
    }
    return best;
}

/* The longest run of plain bytes that a match of the pattern must contain. Gives up at anything that
 * could make a part of it optional or mean something else. */
static struct bytes
literal_of_pattern(struct bytes pattern)
{
    struct bytes best = BYTES_NULL;
    const unsigned char *end = pattern.data + pattern.length;
    const unsigned char *run = pattern.data;
    for (const unsigned char *at = pattern.data; at < end; at++) {
        if (*at == '\0' || strchr("|()[]{}", *at) != NULL)
            return BYTES_NULL;
        if (strchr("\\.*+?^$", *at) == NULL)
            continue;
        /* '*' and '?' take the byte before them back. */
        bool takes_back = (*at == '*' || *at == '?') && at > run;
        keep_longer(&best, run, takes_back ? at - 1 : at);
        if (*at == '\\') {
            at++; /* one byte or class of bytes; \Q, \x and the like are more than that */
            if (at == end ||
                ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z' && strchr("dDwWsSbB", *at) == NULL) ||
                (*at >= '0' && *at <= '9'))
                return BYTES_NULL;
        }
        run = at + 1;
    }
    keep_longer(&best, run, end);
    return best;
}

static void
collect_literal(const struct query_node *node, void *context)
{
    struct bytes *best = context;
    struct bytes literal = BYTES_NULL;
    if (node->field != QUERY_FIELD_PAYLOAD)
        return;
    if (node->test == QUERY_EQUAL || node->test == QUERY_CONTAINS)
        literal = node->text;
    else if (node->test == QUERY_GLOB)
        literal = literal_of_glob(node->text);
    else if (node->test == QUERY_REGEX && !node->is_caseless)
        literal = literal_of_pattern(node->text);
    if (literal.length >= 3 && literal.length > best->length)
        *best = literal;
}

struct bytes
query_required_literal(const struct query *query)
{
    struct bytes best = BYTES_NULL;
    if (query->root != QUERY_NONE)
        visit_required(query, query->root, false, collect_literal, &best);
    return best;
}

static unsigned
bytes_of_field(enum query_field field)
{
    switch (field) {
    case QUERY_FIELD_KEY:
        return EVENT_KEY;
    case QUERY_FIELD_TYPE:
    case QUERY_FIELD_ID:
    case QUERY_FIELD_TRACE:
    case QUERY_FIELD_CORRELATION:
    case QUERY_FIELD_HEADER:
    case QUERY_FIELD_REPLAYED:
        return EVENT_HEADERS;
    case QUERY_FIELD_PAYLOAD:
    case QUERY_FIELD_VALUE:
        return EVENT_PAYLOAD;
    case QUERY_FIELD_TAP:
    case QUERY_FIELD_STREAM:
    case QUERY_FIELD_PARTITION:
    case QUERY_FIELD_OFFSET:
    case QUERY_FIELD_SEQ:
    case QUERY_FIELD_SIZE:
    case QUERY_FIELD_TIME:
    case QUERY_FIELD_RECEIVED:
        return 0;
    case QUERY_FIELD_FINDING:
    case QUERY_FIELD_COUNT:
        break;
    }
    return EVENT_BYTES;
}

unsigned
query_bytes(const struct query *query)
{
    unsigned bytes = 0;
    for (uint32_t i = 0; i < query->count; i++) {
        if (query->nodes[i].kind == QUERY_TERM)
            bytes |= bytes_of_field(query->nodes[i].field);
    }
    return bytes;
}
