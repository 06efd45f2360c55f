/* record_told.h - what `tapedeck record` tells: changes of its taps, trouble and progress on stderr while it runs, and how
 * it ended, there and as one line of JSON.
 *
 * Data: what was told last, so that only changes are.
 *
 * Threads: one, that of the recorder's command.
 */
#ifndef CONSOLE_RECORD_TOLD_H
#define CONSOLE_RECORD_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "index/live.h"

struct error;
struct recorder;

/* Why recording ended. */
enum record_end {
    RECORD_STOPPED, /* by a signal */
    RECORD_FOR_OVER,
    RECORD_UNTIL_REACHED,
    RECORD_FAILED,
};

/* What was last told about a tap. */
struct tap_told {
    enum tap_state state;
    char error[sizeof(((struct live_tap *)NULL)->error)];
};

struct record_told {
    const char *directory; /* of the tape; the caller's */
    struct tap_told taps[LIVE_TAPS];
    bool was_full;
    char trouble[320];  /* of the tape */
    int64_t started_ns; /* monotonic, like the next */
    int64_t progress_ns;
    uint64_t progress_events;
};

/* Recording into `directory` begins now. */
void record_told_start(struct record_told *told, const char *directory);

/* The disk is full, or has room again. */
void record_told_disk(struct record_told *told, bool is_full);

/* What changed since the last call. */
void record_told_changes(struct record_told *told, const struct live_status *status);
void record_told_trouble(struct record_told *told, const struct recorder *recorder);

/* How far it is, every five seconds. */
void record_told_progress(struct record_told *told, const struct live_status *status);

/* The end: `status` is the last page, `is_to_the_end` whether it was `--until end`, `has_from` whether a --from was
 * given. */
void record_told_end(const struct record_told *told, const struct live_status *status,
    enum record_end end, bool is_to_the_end, bool has_from);

/* The same as one object on stdout. False when that cannot be written. */
bool record_told_json(const struct record_told *told, const struct live_status *status,
    enum record_end end, struct error *err);

#endif
