/* pacer.h - when each event of a replay is due.
 *
 * Arithmetic only: deadlines are absolute, counted from one anchor, so that late sends and slow
 * work never add up to a drift. One play-head for all lanes. The timeline of events never runs
 * backwards: an event that is older than one before it is due together with that one.
 *
 * Threads: one thread owns an instance.
 */
#ifndef REPLAY_PACER_H
#define REPLAY_PACER_H

#include <stdbool.h>
#include <stdint.h>

struct error;

enum pacing {
    PACING_FAST,  /* at once: as fast as the target acknowledges */
    PACING_SPEED, /* as the events happened, `value` millionths times as fast */
    PACING_RATE,  /* `value` millionths of an event per second */
};

struct pacing_settings {
    enum pacing pacing;
    uint64_t value; /* > 0 for SPEED and RATE */
    int64_t
        max_gap_ns; /* SPEED: no pause between two events of the timeline is longer; 0: no limit */
};

/* The largest factor, and the largest rate in events per second. */
#define PACER_MAX_VALUE UINT64_C(1000000000)

/* Read "2", "0.5", "2x", "1000/s": a decimal number above 0 with at most six decimals; a trailing
 * "x" or
 * "/s" is allowed. *millionths is exact. False with ERROR_ARGUMENT. */
bool pacer_parse(const char *text, uint64_t *millionths, struct error *err);

struct pacer {
    struct pacing_settings settings;
    int64_t anchor_ns;     /* monotonic moment at which the first event is due */
    int64_t last_event_ns; /* newest event time so far */
    int64_t timeline_ns;   /* from the first event to the newest, pauses shortened */
    uint64_t events;
};

/* The next event asked about is due at `now_ns` (monotonic). */
void pacer_start(struct pacer *pacer, const struct pacing_settings *settings, int64_t now_ns);

/* The monotonic moment at which the next event, which happened at `event_ns`, is due; never earlier
 * than the one before. Saturates at INT64_MAX. Call once per event. */
int64_t pacer_due(struct pacer *pacer, int64_t event_ns);

#endif
