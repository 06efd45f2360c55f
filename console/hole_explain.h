/* hole_explain.h - asks the brokers that holes of a tape come from what is at their offsets.
 *
 * Nothing changes there (collectors/kafka_twin.h), nor on the tape. Before a log is believed, the last
 * event on the tape must be the one at its offset in the log: a topic that was made anew has the same
 * name and other events.
 *
 * Threads: that of the tape; it waits for the brokers.
 */
#ifndef CONSOLE_HOLE_EXPLAIN_H
#define CONSOLE_HOLE_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "collectors/kafka_twin.h"

struct hole_rows;
struct invocation;
struct tape;

struct hole_explain_options {
    const char *url; /* the broker of all holes; NULL: those of the configured taps */
    struct kafka_twin_limits limits; /* for each broker; 0: the defaults */
};

#define HOLE_EXPLAIN_BYTES (UINT64_C(64) * 1024 * 1024)
#define HOLE_EXPLAIN_NS    (INT64_C(10) * 1000 * 1000 * 1000)

struct hole_explain_result {
    struct kafka_twin_cost cost; /* of all brokers */
    struct error failure;        /* of the first broker that could not be asked; ERROR_NONE */
};

/* Give each row its explanation. False with ERROR_CONFIG, or ERROR_ARGUMENT when nobody knows a broker of
 * any row: then there is none. A broker that cannot be reached makes its rows unknown. */
bool hole_explain(struct tape *tape, struct hole_rows *rows, const struct invocation *invocation,
    const struct hole_explain_options *options, struct hole_explain_result *result,
    struct error *err);

#endif
