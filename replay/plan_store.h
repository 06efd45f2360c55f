/* plan_store.h - where plans and what came of them lie: TAPE/replays/ID/.
 *
 *     plan.json     the plan
 *     journal       what the target acknowledged (run_journal.h)
 *     receipt.json  what came of it (receipt.h)
 */
#ifndef REPLAY_PLAN_STORE_H
#define REPLAY_PLAN_STORE_H

#include <stdbool.h>

struct error;
struct plan;

/* TAPE/replays/ID/NAME; freed by the caller. */
char *plan_store_path(const char *tape, const char *id, const char *name);

/* Write plan.json and pin the plan's events (TAPE/pins/replay-ID), so that retention leaves them. False when it cannot be written, or another plan with this id is there. */
bool plan_store_write(const char *tape, struct plan *plan, struct error *err);

/* True when `plan` is among the plans of `tape`. The same seqs of another tape are other events, so a
 * plan may only be run on the tape that it was made from, or on a copy of it. False with
 * ERROR_REFUSED. */
bool plan_store_holds(const char *tape, const struct plan *plan, struct error *err);

/* Read the plan called `which`: an id, then from `tape`; else the path of a file. ERROR_ARGUMENT
 * when there is none, else as plan_from_json(). Freed with plan_free(). */
struct plan *plan_store_read(const char *tape, const char *which, struct error *err);

#endif
