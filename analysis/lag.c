#include "analysis/lag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

const struct lag_rules lag_rules_default = {
    .stall_ns = 15 * NS_PER_S, /* clients commit every 5 s unless told otherwise */
    .idle_ns = 10 * NS_PER_S,
    .shown_ns = 60 * NS_PER_S,
    .warn_ns = 30 * NS_PER_S,
    .slow_ns = 60 * NS_PER_S,
    .retention_ns = 600 * NS_PER_S,
    .rate_ns = 60 * NS_PER_S,
};

static const char *const state_texts[] = {
    [LAG_IDLE] = "IDLE",
    [LAG_OK] = "OK",
    [LAG_UNKNOWN] = "UNKNOWN",
    [LAG_WARN] = "WARN",
    [LAG_SLOW] = "SLOW",
    [LAG_REBALANCING] = "REBALANCING",
    [LAG_STALL] = "STALL",
    [LAG_STOP] = "STOP",
    [LAG_JUMP] = "JUMP",
    [LAG_REWIND] = "REWIND",
};

_Static_assert(sizeof(state_texts) / sizeof(state_texts[0]) == LAG_STATE_COUNT, "one text each");

const char *
lag_state_text(enum lag_state state)
{
    return state_texts[state];
}

bool
lag_state_parse(const char *text, size_t length, enum lag_state *state)
{
    for (int i = 0; i < LAG_STATE_COUNT; i++) {
        if (strlen(state_texts[i]) == length && strncasecmp(state_texts[i], text, length) == 0) {
            *state = (enum lag_state)i;
            return true;
        }
    }
    return false;
}

int64_t
lag_point_events(const struct lag_point *point)
{
    if (point->committed < 0 || point->end < 0)
        return -1;
    int64_t lag = point->end - point->committed - point->not_events;
    return lag < 0 ? 0 : lag;
}

bool
lag_point_waits(const struct lag_point *point)
{
    return lag_point_events(point) > 0 && !point->nothing_waits;
}

void
lag_verdict_say(struct lag_verdict *verdict, enum lag_state state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->reason, sizeof(verdict->reason), format, arguments);
    va_end(arguments);
    verdict->state = state;
}

void
lag_verdict_advise(struct lag_verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->next, sizeof(verdict->next), format, arguments);
    va_end(arguments);
}
