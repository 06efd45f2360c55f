#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/event.h"
#include "index/query.h"
#include "index/query_internal.h"
#include "index/query_json.h"

#define REPLAY_HEADER "x-tapedeck-replay"

struct query_matcher {
    const struct query *query;
    const struct event *event; /* set while query_matches() runs */
    struct event_identity identity;
    bool is_identified;
    struct query_json json;
    struct query_regex_matcher regex; /* zeros without regular expressions */
};

struct query_matcher *
query_matcher_new(const struct query *query)
{
    struct query_matcher *matcher = alloc_zeroed(sizeof(*matcher));
    matcher->query = query;
    if (query->regex_count > 0)
        query_regex_matcher_init(&matcher->regex);
    return matcher;
}

void
query_matcher_free(struct query_matcher *matcher)
{
    if (matcher == NULL)
        return;
    query_json_done(&matcher->json);
    query_regex_matcher_done(&matcher->regex);
    free(matcher);
}

static bool
starts_with(struct bytes value, struct bytes part)
{
    return part.length <= value.length && memcmp(value.data, part.data, part.length) == 0;
}

static struct bytes
drop(struct bytes value, size_t length)
{
    return bytes_make(value.data + length, value.length - length);
}

/* The part of a glob up to its next star. */
static struct bytes
next_part(struct bytes glob)
{
    const unsigned char *star = memchr(glob.data, '\0', glob.length);
    return star == NULL ? glob : bytes_make(glob.data, (size_t)(star - glob.data));
}

/* The first part must stand at the beginning and the last at the end; those between are looked for
 * from left to right, each at its first place, which leaves most room for the rest. */
static bool
glob_matches(struct bytes glob, struct bytes value)
{
    struct bytes part = next_part(glob);
    if (!starts_with(value, part))
        return false;
    value = drop(value, part.length);
    glob = drop(glob, part.length);
    while (glob.length > 0) {
        glob = drop(glob, 1); /* the star */
        part = next_part(glob);
        glob = drop(glob, part.length);
        if (glob.length == 0)
            return part.length <= value.length &&
                   memcmp(value.data + value.length - part.length, part.data, part.length) == 0;
        const unsigned char *found = memmem(value.data, value.length, part.data, part.length);
        if (found == NULL)
            return false;
        value = drop(value, (size_t)(found - value.data) + part.length);
    }
    return value.length == 0;
}

static bool
order_is(enum query_test test, int order)
{
    switch (test) {
    case QUERY_LESS:
        return order < 0;
    case QUERY_AT_MOST:
        return order <= 0;
    case QUERY_MORE:
        return order > 0;
    case QUERY_AT_LEAST:
        return order >= 0;
    case QUERY_EQUAL:
        return order == 0;
    case QUERY_EXISTS:
        return true;
    case QUERY_IS_NULL:
    case QUERY_GLOB:
    case QUERY_CONTAINS:
    case QUERY_REGEX:
        break;
    }
    return false;
}

/* All tests of a text but regular expressions, which need a matcher. */
bool
query_test_text(const struct query_node *node, struct bytes value)
{
    if (node->test == QUERY_IS_NULL)
        return value.data == NULL;
    if (value.data == NULL)
        return false;
    switch (node->test) {
    case QUERY_EQUAL:
        return bytes_equal(value, node->text);
    case QUERY_GLOB:
        return glob_matches(node->text, value);
    case QUERY_CONTAINS:
        return memmem(value.data, value.length, node->text.data, node->text.length) != NULL;
    case QUERY_LESS:
    case QUERY_AT_MOST:
    case QUERY_MORE:
    case QUERY_AT_LEAST:
        return order_is(node->test, bytes_compare(value, node->text));
    case QUERY_EXISTS:
        return true;
    case QUERY_IS_NULL:
    case QUERY_REGEX:
        break;
    }
    return false;
}

static bool
regex_matches(struct query_matcher *matcher, const struct query_node *node, struct bytes value)
{
    return value.data != NULL && query_regex_matches(&matcher->regex, &node->regex, value);
}

static bool
test_text(struct query_matcher *matcher, const struct query_node *node, struct bytes value)
{
    if (node->test == QUERY_REGEX)
        return regex_matches(matcher, node, value);
    /* Headers and keys have no types: what reads as a number is one, when a number is asked for. */
    struct query_number number;
    if (node->has_number && node->test != QUERY_EQUAL && node->test != QUERY_CONTAINS &&
        query_number_parse(value, matcher->query->locale, &number))
        return order_is(node->test, query_number_compare(&number, &node->number));
    return query_test_text(node, value);
}

static bool
test_stream(
    struct query_matcher *matcher, const struct query_node *node, const struct stream *stream)
{
    return test_text(matcher, node, bytes_of(stream->name)) ||
           test_text(matcher, node, bytes_of(stream->label));
}

bool
query_test_stream(const struct query_node *node, const struct stream *stream)
{
    return query_test_text(node, bytes_of(stream->name)) ||
           query_test_text(node, bytes_of(stream->label));
}

bool
query_test_whole(const struct query_node *node, uint64_t value)
{
    return order_is(node->test, (value > node->whole) - (value < node->whole));
}

static bool
test_moment(const struct query_node *node, int64_t value)
{
    return order_is(node->test, (value > node->moment_ns) - (value < node->moment_ns));
}

/* Any of the headers of that name will do. */
static bool
test_header(struct query_matcher *matcher, const struct query_node *node)
{
    size_t at = 0;
    struct event_header header;
    while (event_next_header(matcher->event, &at, &header)) {
        if (!bytes_equal(header.name, node->name))
            continue;
        if (node->test == QUERY_EXISTS || test_text(matcher, node, header.value))
            return true;
    }
    return false;
}

static bool
test_json(struct query_matcher *matcher, const struct query_node *node)
{
    locale_t locale = matcher->query->locale;
    const json_t *value = query_json_find(&matcher->json, node, matcher->event->payload);
    if (value == NULL)
        return false;
    if (node->test == QUERY_EXISTS)
        return true;
    if (json_is_null(value) || node->test == QUERY_IS_NULL)
        return json_is_null(value) && node->test == QUERY_IS_NULL;

    struct query_number number;
    if (node->has_number && node->test != QUERY_CONTAINS &&
        query_json_number(&matcher->json, value, locale, &number))
        return order_is(node->test, query_number_compare(&number, &node->number));
    struct bytes text = query_json_text(&matcher->json, value, locale);
    return node->test == QUERY_REGEX ? regex_matches(matcher, node, text)
                                     : query_test_text(node, text);
}

static const struct event_identity *
identify(struct query_matcher *matcher)
{
    if (!matcher->is_identified)
        event_identify(matcher->event, &matcher->identity);
    matcher->is_identified = true;
    return &matcher->identity;
}

static bool
test_term(struct query_matcher *matcher, const struct query_node *node)
{
    const struct event *event = matcher->event;
    struct bytes ignored;
    switch (node->field) {
    case QUERY_FIELD_TAP:
        return test_text(matcher, node, bytes_of(event->stream->tap));
    case QUERY_FIELD_STREAM:
        return test_stream(matcher, node, event->stream);
    case QUERY_FIELD_PARTITION:
        return query_test_whole(node, (uint64_t)event->partition);
    case QUERY_FIELD_OFFSET:
        return query_test_whole(node, (uint64_t)event->offset);
    case QUERY_FIELD_SEQ:
        return query_test_whole(node, event->seq);
    case QUERY_FIELD_SIZE:
        return query_test_whole(node, event_size(event));
    case QUERY_FIELD_KEY:
        return test_text(matcher, node, event->key);
    case QUERY_FIELD_TYPE:
        return test_text(matcher, node, identify(matcher)->type);
    case QUERY_FIELD_ID:
        return test_text(matcher, node, identify(matcher)->id);
    case QUERY_FIELD_TRACE:
        return test_text(matcher, node, identify(matcher)->trace);
    case QUERY_FIELD_CORRELATION:
        return test_text(matcher, node, identify(matcher)->correlation);
    case QUERY_FIELD_TIME:
        return node->test == QUERY_EXISTS ? event->time_ns != CLOCK_NONE
                                          : test_moment(node, event_time(event));
    case QUERY_FIELD_RECEIVED:
        return test_moment(node, event->received_ns);
    case QUERY_FIELD_PAYLOAD:
        return test_text(matcher, node, event->payload);
    case QUERY_FIELD_HEADER:
        return test_header(matcher, node);
    case QUERY_FIELD_VALUE:
        return test_json(matcher, node);
    case QUERY_FIELD_REPLAYED:
        return query_test_whole(node, event_find_header(event, REPLAY_HEADER, &ignored));
    case QUERY_FIELD_FINDING: /* the parser refuses it */
    case QUERY_FIELD_COUNT:
        break;
    }
    return false;
}

/* The recursion ends where parentheses do, QUERY_MAX_DEPTH. */
static bool
evaluate(struct query_matcher *matcher, uint32_t index)
{
    const struct query_node *nodes = matcher->query->nodes;
    const struct query_node *node = &nodes[index];
    switch (node->kind) {
    case QUERY_TERM:
        return test_term(matcher, node);
    case QUERY_NOT:
        return !evaluate(matcher, node->first);
    case QUERY_AND:
        for (uint32_t i = node->first; i != QUERY_NONE; i = nodes[i].next) {
            if (!evaluate(matcher, i))
                return false;
        }
        return true;
    case QUERY_OR:
        for (uint32_t i = node->first; i != QUERY_NONE; i = nodes[i].next) {
            if (evaluate(matcher, i))
                return true;
        }
        return false;
    }
    return false;
}

uint64_t
query_gave_up(const struct query_matcher *matcher)
{
    return matcher->regex.gave_up + matcher->json.gave_up;
}

uint64_t
query_effort(const struct query_matcher *matcher)
{
    return matcher->regex.effort;
}

void
query_matcher_stop_when(struct query_matcher *matcher, query_stop *must_stop, void *self)
{
    matcher->regex.must_stop = must_stop;
    matcher->regex.stop_self = self;
}

bool
query_matches(struct query_matcher *matcher, const struct event *event)
{
    if (stream_is_internal(event->stream) && !matcher->query->names_internal)
        return false;
    if (matcher->query->root == QUERY_NONE)
        return true;
    matcher->event = event;
    matcher->is_identified = false;
    bool matched = evaluate(matcher, matcher->query->root);
    if (matcher->json.was_parsed)
        query_json_reset(&matcher->json);
    matcher->event = NULL;
    return matched;
}
