/* Random queries over random events, against the evaluator of index_query_model.h. For each match, what the query
 * promised about its matches must hold. */
#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"
#include "index/query.h"
#include "tests/support/index_query_model.h"
#include "tests/support/unit.h"

#define ROUNDS 4000
#define EVENTS 12

static bool
token_holds(const struct query_token *token, const struct model_sample *sample)
{
    static const char *const kinds[] = {
        "header:x", "header:x", "header:y", "id", "type", "correlation"};
    if (strcmp(token->kind, "key") == 0)
        return bytes_equal(token->value, sample->event.key);
    for (size_t i = 0; i < 6; i++) {
        if (strcmp(token->kind, kinds[i]) == 0 && sample->has_header[i] &&
            bytes_equal(token->value, model_view(&sample->header[i])))
            return true;
    }
    return false;
}

static bool
promises_hold(const struct query *query, const struct model_sample *sample)
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
        (literal.length < 3 ||
            !model_holds((const char *)event->payload.data, event->payload.length,
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
count_promises(const struct query *query, const struct model_sample *sample)
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
run_round(struct model_sample *samples)
{
    struct error err;
    struct buffer text = {0};
    const struct model_node *expression = model_expression();
    model_print(&text, expression);

    struct query *query = query_compile(buffer_text(&text), MODEL_NOW, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", buffer_text(&text), err.text);
    struct query_matcher *matcher = query_matcher_new(query);
    count_promises(query, &samples[0]);
    for (size_t i = 0; i < EVENTS; i++) {
        bool wanted = model_judge(expression, &samples[i]);
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
        struct model_sample samples[EVENTS];
        for (size_t i = 0; i < EVENTS; i++)
            model_sample_make(&samples[i]);
        /* Events point to their own sample, which does not move. */
        run_round(samples);
        for (size_t i = 0; i < EVENTS; i++)
            model_sample_done(&samples[i]);
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
