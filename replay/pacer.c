#include "replay/pacer.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"

#define MILLION UINT64_C(1000000)

/* ns * 1e6 of a long replay, or a count of events * 1e15, does not fit into 64 bits. */
__extension__ typedef __int128 wide;

bool
pacer_parse(const char *text, uint64_t *millionths, struct error *err)
{
    uint64_t value = 0;
    int digits = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9' && value <= PACER_MAX_VALUE; at++, digits++)
        value = value * 10 + (uint64_t)(*at - '0');
    value *= MILLION;
    if (*at == '.') {
        uint64_t unit = MILLION / 10;
        for (at++; *at >= '0' && *at <= '9' && unit > 0; at++, digits++, unit /= 10)
            value += (uint64_t)(*at - '0') * unit;
    }
    if (strcmp(at, "x") == 0 || strcmp(at, "/s") == 0)
        at = "";
    if (*at != '\0' || digits == 0 || value == 0 || value > PACER_MAX_VALUE * MILLION)
        return error_set(err, ERROR_ARGUMENT,
            "'%s' is not a number above 0, at most 1000000000, with at most six decimals", text);
    *millionths = value;
    return true;
}

void
pacer_start(struct pacer *pacer, const struct pacing_settings *settings, int64_t now_ns)
{
    *pacer = (struct pacer){.settings = *settings, .anchor_ns = now_ns};
}

/* Move the timeline to an event: forward only, and by no more than the longest pause allowed. */
static void
advance(struct pacer *pacer, int64_t event_ns)
{
    if (pacer->events == 0 || event_ns <= pacer->last_event_ns) {
        if (pacer->events == 0)
            pacer->last_event_ns = event_ns;
        return;
    }
    int64_t gap;
    if (__builtin_sub_overflow(event_ns, pacer->last_event_ns, &gap))
        gap = INT64_MAX;
    if (pacer->settings.max_gap_ns > 0 && gap > pacer->settings.max_gap_ns)
        gap = pacer->settings.max_gap_ns;
    if (__builtin_add_overflow(pacer->timeline_ns, gap, &pacer->timeline_ns))
        pacer->timeline_ns = INT64_MAX;
    pacer->last_event_ns = event_ns;
}

int64_t
pacer_due(struct pacer *pacer, int64_t event_ns)
{
    wide since_anchor = 0;

    switch (pacer->settings.pacing) {
    case PACING_FAST:
        break;
    case PACING_SPEED:
        advance(pacer, event_ns);
        since_anchor = (wide)pacer->timeline_ns * (wide)MILLION / (wide)pacer->settings.value;
        break;
    case PACING_RATE:
        since_anchor = (wide)pacer->events * NS_PER_S * (wide)MILLION / (wide)pacer->settings.value;
        break;
    }
    pacer->events++;
    wide due = since_anchor + pacer->anchor_ns;
    return due > INT64_MAX ? INT64_MAX : (int64_t)due;
}
