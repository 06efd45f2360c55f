/* plan_missing.h - what of the ranges that a plan selects from is not on the tape, and why.
 *
 * A plan has what could be read. What else its query is about, by lane, offset and time, is a hole; and where the tape
 * is damaged, it may be more than its holes say.
 * Threads: that of the tape.
 */
#ifndef REPLAY_PLAN_MISSING_H
#define REPLAY_PLAN_MISSING_H

#include <stdbool.h>

struct error;
struct plan;
struct query;
struct tape;

/* Fill in plan->holes and plan->damage, once all that is selected was read from `tape`. */
bool plan_missing_find(
    struct plan *plan, struct tape *tape, const struct query *query, struct error *err);

#endif
