/* receipt.h - what came of a replay, as JSON in its directory: written after each run and each
 * verify.
 *
 * {"v":1,"id":..,"plan_sha256":..,"target":..,"run":{..}|null,"verify":{..}|null}; a new run
 * replaces "run" and takes "verify" away, a verify replaces "verify".
 */
#ifndef REPLAY_RECEIPT_H
#define REPLAY_RECEIPT_H

#include <stdbool.h>

#include <jansson.h>

struct error;
struct plan;
struct replay_progress;
struct run_lane;

/* Put `part` (taken) under `name`, "run" or "verify", and write the file. */
bool receipt_write(
    const char *tape, const struct plan *plan, const char *name, json_t *part, struct error *err);

/* The part "run": how far it came, and why it ended when `reason` is not NULL. */
bool receipt_write_run(const char *tape, const struct plan *plan, const struct run_lane *lanes,
    const struct replay_progress *progress, const char *reason, struct error *err);

#endif
