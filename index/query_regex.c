#include "index/query_regex.h"

#include <assert.h>

/* A pattern that needs more steps than these on one value does not match it: a bound against patterns
 * that would take hours. Going over the value a few times is always within it. */
#define REGEX_STEPS           500000u
#define REGEX_STEPS_PER_BYTE  4u
#define REGEX_DEPTH_LIMIT     100000u
#define REGEX_HEAP_LIMIT_KIB  65536u
#define REGEX_STACK_MIN_BYTES ((size_t)32 * 1024)
#define REGEX_STACK_MAX_BYTES ((size_t)1024 * 1024)

/* It is tried with this share of the steps first. */
#define FIRST_SHARE 8u

/* As many steps are as much work as to look at one event. */
#define STEPS_PER_EVENT 100u

bool
query_regex_compile(
    struct query_regex *regex, struct bytes pattern, bool is_caseless, int *fault, size_t *offset)
{
    /* Payloads are bytes: a pattern may not ask for UTF-8, which would fail on the first that is not. */
    uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
                       (is_caseless ? PCRE2_CASELESS : 0);
    regex->code = pcre2_compile(pattern.data, pattern.length, options, fault, offset, NULL);
    if (regex->code == NULL)
        return false;
    /* Where there is no JIT, matching interprets. */
    regex->is_machine_code = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
    regex->stoppable = pcre2_compile(
        pattern.data, pattern.length, options | PCRE2_AUTO_CALLOUT, fault, offset, NULL);
    return regex->stoppable != NULL;
}

void
query_regex_done(struct query_regex *regex)
{
    pcre2_code_free(regex->code);
    pcre2_code_free(regex->stoppable);
}

static bool
is_stopped(const struct query_regex_matcher *matcher)
{
    return matcher->must_stop != NULL && matcher->must_stop(matcher->stop_self);
}

static int
on_callout(pcre2_callout_block *block, void *self)
{
    (void)block;
    return is_stopped(self) ? PCRE2_ERROR_CALLOUT : 0;
}

void
query_regex_matcher_init(struct query_regex_matcher *matcher)
{
    matcher->match = pcre2_match_data_create(1, NULL);
    matcher->context = pcre2_match_context_create(NULL);
    matcher->stack = pcre2_jit_stack_create(REGEX_STACK_MIN_BYTES, REGEX_STACK_MAX_BYTES, NULL);
    /* A missing context or stack only means PCRE2's own limits; without a result nothing works. */
    assert(matcher->match != NULL);
    if (matcher->context == NULL)
        return;
    (void)pcre2_set_depth_limit(matcher->context, REGEX_DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(matcher->context, REGEX_HEAP_LIMIT_KIB);
    (void)pcre2_set_callout(matcher->context, on_callout, matcher);
    pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
}

void
query_regex_matcher_done(struct query_regex_matcher *matcher)
{
    pcre2_match_data_free(matcher->match);
    pcre2_match_context_free(matcher->context);
    pcre2_jit_stack_free(matcher->stack);
}

static int
interpret(struct query_regex_matcher *matcher, const struct query_regex *regex, struct bytes value)
{
    return pcre2_match(regex->stoppable, value.data, value.length, 0, PCRE2_NO_JIT, matcher->match,
        matcher->context);
}

static int
match_within(struct query_regex_matcher *matcher, const struct query_regex *regex,
    struct bytes value, size_t steps)
{
    if (matcher->context != NULL)
        (void)pcre2_set_match_limit(
            matcher->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    if (!regex->is_machine_code)
        return interpret(matcher, regex, value);
    int result =
        pcre2_match(regex->code, value.data, value.length, 0, 0, matcher->match, matcher->context);
    return result == PCRE2_ERROR_JIT_STACKLIMIT ? interpret(matcher, regex, value) : result;
}

bool
query_regex_matches(
    struct query_regex_matcher *matcher, const struct query_regex *regex, struct bytes value)
{
    size_t steps = REGEX_STEPS + REGEX_STEPS_PER_BYTE * value.length;
    int result = match_within(matcher, regex, value, steps / FIRST_SHARE);
    if (result == PCRE2_ERROR_MATCHLIMIT && !is_stopped(matcher)) {
        matcher->effort += steps / STEPS_PER_EVENT;
        result = match_within(matcher, regex, value, steps);
    }
    matcher->gave_up += result < 0 && result != PCRE2_ERROR_NOMATCH;
    return result >= 0;
}
