/* Any bytes as query text: it compiles or says why not; what compiled is asked about fixed events, and
 * what it promised about matches must hold for them. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/event.h"
#include "index/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (INT64_C(1795530571) * NS_PER_S)

static char tap_name[] = "shop";
static char stream_name[] = "orders";
static char stream_label[] = "shop/orders";
static const struct stream stream = {
    .id = 0, .tap = tap_name, .name = stream_name, .label = stream_label};

static struct event
json_event(struct buffer *headers)
{
    headers_begin(headers, 4);
    headers_add(headers, bytes_of("source"), bytes_of("test"));
    headers_add(headers, bytes_of("ce_id"), bytes_of("e-1"));
    headers_add(headers, bytes_of("none"), BYTES_NULL);
    headers_add(headers, bytes_of("source"), bytes_of("9"));
    return (struct event){
        .seq = 5,
        .received_ns = NOW - NS_PER_S,
        .time_ns = NOW - 2 * NS_PER_S,
        .offset = 42,
        .stream = &stream,
        .partition = 3,
        .key = bytes_of("o-417"),
        .headers = bytes_make(headers->data, headers->length),
        .payload =
            bytes_of("{\"a\":[1,18446744073709551615,\"x\"],\"b\":{\"c\":1.5e3},\"n\":null}"),
    };
}

static struct event
bare_event(void)
{
    return (struct event){.received_ns = NOW,
        .time_ns = CLOCK_NONE,
        .stream = &stream,
        .key = BYTES_NULL,
        .payload = bytes_make("\xff\x00{[aaaaaaaa", 12)};
}

static void
check_promises(const struct query *query, const struct event *event)
{
    struct query_bounds bounds;
    query_bounds(query, &bounds);
    assert(event_time(event) >= bounds.from_ns && event_time(event) <= bounds.until_ns);
    assert(event->received_ns >= bounds.received_from_ns);
    assert(event->received_ns <= bounds.received_until_ns);
    assert(event->seq >= bounds.first_seq && event->seq <= bounds.last_seq);
    assert(event->offset >= bounds.first_offset && event->offset <= bounds.last_offset);
    assert(query_may_match_lane(query, event->stream, event->partition));
    assert(query_may_match_lane(query, event->stream, -1));
    assert(query_may_match_lanes(query, event->stream, 0, event->partition));

    struct bytes literal = query_required_literal(query);
    assert(literal.data == NULL || memmem(event->payload.data, event->payload.length, literal.data,
                                       literal.length) != NULL);
    struct query_token tokens[8];
    size_t count = query_required_tokens(query, tokens, 8);
    for (size_t i = 0; i < count; i++)
        assert(strcmp(tokens[i].kind, "key") != 0 || bytes_equal(tokens[i].value, event->key));
}

static void
ask(const struct query *query, const struct event *event)
{
    struct query_matcher *matcher = query_matcher_new(query);
    if (query_matches(matcher, event))
        check_promises(query, event);
    query_matcher_free(matcher);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = alloc_text_of(data, size);
    struct error err;
    size_t column = 0;
    struct query *query = query_compile(text, NOW, &column, &err);
    struct buffer buffer = {0};
    if (query == NULL) {
        assert(err.code == ERROR_ARGUMENT && column > 0);
        query_caret(&buffer, text, column);
    } else {
        struct event event = json_event(&buffer);
        ask(query, &event);
        event = bare_event();
        ask(query, &event);
    }
    query_free(query);
    buffer_done(&buffer);
    free(text);
    return 0;
}
