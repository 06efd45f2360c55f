/* runner.h - executes a plan: reads its events from the tape and sends them, exactly those, once.
 *
 *     selection ─► pacer ─► sink ─► the target's acknowledgements ─► run journal
 *
 * What was acknowledged is in the journal within RUNNER_SYNC_MS; a run that is stopped, fails or is
 * killed goes on where it was when the plan is run again, and looks in the target for what was in
 * doubt.
 *
 * Threads: runs on the caller's thread until it is over; the callbacks come on it too.
 */
#ifndef REPLAY_RUNNER_H
#define REPLAY_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/progress.h"

struct error;
struct kafka_settings;
struct plan;

#define RUNNER_SYNC_MS   100
#define RUNNER_REPORT_MS 200

/* How long the target may acknowledge nothing before the run fails. */
#define RUNNER_STALL_MS 60000

enum runner_stop {
    RUNNER_GO_ON,
    RUNNER_DRAIN, /* send nothing more, wait for what is in flight */
    RUNNER_AT_ONCE,
};

struct runner_options {
    struct plan *plan;
    const char *tape; /* directory of the tape and of replays/ID */
    const struct kafka_settings *settings;
    int64_t stall_ms;                     /* 0: RUNNER_STALL_MS */
    enum runner_stop (*stop)(void *self); /* may be NULL */
    void (*report)(
        void *self, const struct replay_progress *progress, const char *trouble); /* may be NULL */
    void *self;
};

/* Run. The state in *progress is DONE (true), STOPPED (true) or FAILED (false); the receipt was
 * written unless the run failed before anything could be sent.
 *
 * False with ERROR_REFUSED (finished already, being run elsewhere, the target or the tape is not
 * what was planned, a message was refused), ERROR_REMOTE (not reachable), or the errors of the
 * tape. */
bool runner_run(
    const struct runner_options *options, struct replay_progress *progress, struct error *err);

#endif
