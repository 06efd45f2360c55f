/* verify.h - reads the target back and compares it with the plan and the tape, event by event.
 *
 * Everything in the target that carries x-tapedeck-replay of this plan, from where the target ended
 * before the first run to where it ends now, must be: every planned event, once, in its partition,
 * with its key, headers, payload and time, and in plan order within each partition. The tape must
 * still give the content the plan was hashed over.
 *
 * Holds 40 bytes per planned event.  Threads: any, one verification at a time each.
 */
#ifndef REPLAY_VERIFY_H
#define REPLAY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct kafka_settings;
struct plan;

#define VERIFY_MAX_EVENTS      UINT64_C(50000000)
#define VERIFY_MAX_DIFFERENCES 10

struct verify_options {
    const struct plan *plan;
    const char *tape;
    const struct kafka_settings *settings;
    bool (*is_cancelled)(void *self); /* may be NULL */
    void *self;
};

/* What was found. All is well when `matches`. */
struct verify_result {
    bool matches;
    bool tape_matches; /* the tape still has the plan's content */
    uint64_t planned;
    uint64_t landed; /* messages of this replay in the target, duplicates included */
    uint64_t missing;
    uint64_t duplicates;
    uint64_t different;          /* another key, header, payload, time or partition than planned */
    uint64_t misplaced;          /* in another partition; counted in `different` too */
    uint64_t disordered;         /* behind a later event of the plan in the same partition */
    uint64_t unknown;            /* of this replay by its id, but not an event of the plan */
    uint64_t times_not_compared; /* the target, or the plan, gave them their time */
    uint64_t others;             /* other messages in the same ranges; they mean nothing */
    char differences[VERIFY_MAX_DIFFERENCES][200]; /* the first ones, one line each */
    size_t difference_count;
};

/* Verify and write the receipt. False when it could not be done (then nothing is known):
 * ERROR_ARGUMENT when the plan was never run, ERROR_REMOTE, ERROR_REFUSED (the tape lost the range,
 * the target deleted its beginning). */
bool verify_replay(
    const struct verify_options *options, struct verify_result *result, struct error *err);

#endif
