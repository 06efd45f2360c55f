#include "ui/minute.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/tape.h"

#define STEP_NS  (3 * NS_PER_MS)
#define STEP_MIN 64u /* events between two looks at the clock */
/* A minute with more events is shown as far as it was counted. */
#define COUNT_MAX 3000000u

void
minute_begin(struct minute *minute, struct tape *tape, uint64_t end_seq)
{
    minute_done(minute);
    minute->end_ns = CLOCK_NONE;
    minute->is_done = end_seq == 0;
    minute->stream_count = tape_stream_count(tape);
    if (minute->stream_count > MINUTE_STREAMS)
        minute->stream_count = MINUTE_STREAMS;
    minute->streams = alloc_zeroed((minute->stream_count + 1) * sizeof(minute->streams[0]));
    struct cursor_options options = {
        .order = CURSOR_BY_SEQ, .newest_first = true, .unwanted = EVENT_BYTES};
    options.end_seq = end_seq;
    minute->cursor = minute->is_done ? NULL : cursor_new(tape, &options);
}

void
minute_done(struct minute *minute)
{
    cursor_free(minute->cursor);
    free(minute->streams);
    *minute = (struct minute){.is_done = true};
}

/* False when the event is older than the minute. */
static bool
count(struct minute *minute, const struct event *event)
{
    if (minute->end_ns == CLOCK_NONE)
        minute->end_ns = event->received_ns;
    int64_t age_ns = clock_between(event->received_ns, minute->end_ns);
    if (age_ns >= (int64_t)MINUTE_SECONDS * NS_PER_S)
        return false;
    if (age_ns < 0)
        age_ns = 0;
    minute->counted++;
    minute->oldest_ns = event->received_ns;
    if (event->stream->id >= minute->stream_count)
        return true;
    struct minute_stream *stream = &minute->streams[event->stream->id];
    stream->events[MINUTE_SECONDS - 1 - (size_t)(age_ns / NS_PER_S)]++;
    stream->bytes += event_size(event);
    if (event->received_ns > stream->last_ns)
        stream->last_ns = event->received_ns;
    return true;
}

bool
minute_step(struct minute *minute)
{
    int64_t deadline = clock_monotonic_ns() + STEP_NS;
    struct event event;
    struct error err = {0};
    uint64_t before = minute->counted;

    while (!minute->is_done) {
        for (unsigned i = 0; i < STEP_MIN && !minute->is_done; i++) {
            enum cursor_step step = cursor_next(minute->cursor, STEP_MIN, &event, &err);
            if (step == CURSOR_PAUSED)
                break;
            minute->is_done =
                step != CURSOR_EVENT || !count(minute, &event) || minute->counted >= COUNT_MAX;
        }
        if (clock_monotonic_ns() >= deadline)
            break;
    }
    return minute->counted != before;
}

unsigned
minute_covered(const struct minute *minute)
{
    if (minute->counted == 0)
        return 1;
    int64_t seconds = (minute->end_ns - minute->oldest_ns) / NS_PER_S + 1;
    if (seconds < 1)
        return 1;
    return seconds < (int64_t)MINUTE_SECONDS ? (unsigned)seconds : MINUTE_SECONDS;
}
