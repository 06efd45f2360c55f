/* ledger.h - what was planned, sent and verified, noted in the tape's notes.db.
 *
 * One entry per deed, written when it is over; `tapedeck replay log` lists them. A deed counts whether
 * it could be noted or not: callers say that it could not, and go on.
 *
 * Threads: any.
 */
#ifndef REPLAY_LEDGER_H
#define REPLAY_LEDGER_H

#include <stdbool.h>

struct error;
struct plan;
struct replay_progress;
struct verify_result;

/* A plan was made and stored. */
bool ledger_note_plan(const char *tape, const struct plan *plan, struct error *err);

/* A run ended; `failure` is why when it failed, else NULL. */
bool ledger_note_run(const char *tape, const struct plan *plan,
    const struct replay_progress *progress, const struct error *failure, struct error *err);

/* The target was read back; `result` NULL: it could not be, for the reason in `failure`. */
bool ledger_note_verify(const char *tape, const struct plan *plan,
    const struct verify_result *result, const struct error *failure, struct error *err);

#endif
