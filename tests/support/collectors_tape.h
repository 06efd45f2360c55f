/* collectors_tape.h - what is on a tape, for tests of what was recorded, and waiting for it. */
#ifndef TESTS_SUPPORT_COLLECTORS_TAPE_H
#define TESTS_SUPPORT_COLLECTORS_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/live.h"

struct recorder;

/* Every event of a tape in the order of seq, in memory of its own. */
struct taped {
    struct event *events;
    char **labels; /* of the streams */
    size_t count;
    size_t capacity;
    size_t label_capacity;
};

/* Read the whole tape; fails the test when it cannot. */
void taped_read(struct taped *taped, const char *directory);
void taped_done(struct taped *taped);

/* Events of one lane. */
size_t taped_count(const struct taped *taped, const char *label, int32_t partition);

/* The event at an offset of a lane; fails the test when it is not there exactly once. */
const struct event *taped_at(
    const struct taped *taped, const char *label, int32_t partition, int64_t offset);

/* Copy the holes of a lane, at most `limit`; returns how many there are. */
size_t taped_holes(
    const char *directory, const char *label, int32_t partition, struct hole *holes, size_t limit);

/* Wait until the recorder has acknowledged `events`; fails after 20 s and says how many it had. */
void wait_for_events(struct recorder *recorder, uint64_t events);

/* Wait until a tap is in a state; fails after 20 s and says in which it was. */
void wait_for_tap(struct recorder *recorder, uint32_t tap, enum tap_state state);

/* Wait until a tap's text has `part`; fails after 20 s and says what it had. */
void wait_for_text(struct recorder *recorder, uint32_t tap, const char *part);

/* Wait until the recorder is finished; fails after 20 s. */
void wait_for_finish(struct recorder *recorder);

/* Stop it; fails the test when something was not written. */
void stop_recorder(struct recorder *recorder);

/* The row of a tap, now. */
struct live_tap tap_now(struct recorder *recorder, uint32_t tap);

#endif
