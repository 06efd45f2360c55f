/* selection.h - the events a plan means, one after the other, in plan order (by seq).
 *
 * Streams of tapedeck's own (their names begin with '@') are never selected. A selection that is
 * opened with the same query, moment and range on the same tape gives the same events, whatever was
 * recorded since.
 *
 * Threads: one thread owns an instance.
 */
#ifndef REPLAY_SELECTION_H
#define REPLAY_SELECTION_H

#include <stdint.h>

#include "index/cursor.h"

struct error;
struct plan;
struct query;
struct selection;
struct tape;

/* Open the tape and select. `end_seq` 0: all that is there now.
 *
 * NULL with the errors of tape_open() and query_compile(). */
struct selection *selection_open(const char *tape, const char *query, int64_t now_ns,
    uint64_t first_seq, uint64_t end_seq, struct error *err);

/* The selection of `plan` on `tape`. NULL also with ERROR_REFUSED when the tape does not hold the
 * whole range any more. */
struct selection *selection_of_plan(const struct plan *plan, const char *tape, struct error *err);

void selection_close(struct selection *selection); /* NULL is allowed */

/* The next event, as cursor_next(). Looks at a few thousand events at most before CURSOR_PAUSED. */
enum cursor_step selection_next(
    struct selection *selection, struct event *event, struct error *err);

/* query_gave_up(): on so many values so far it is not known whether the events are meant. */
uint64_t selection_gave_up(const struct selection *selection);

struct tape *selection_tape(const struct selection *selection);
const struct query *selection_query(const struct selection *selection);

#endif
