/* lag_json.h - a group on one stream as a line of JSON: `tapedeck lag --json`, and events of @lag.
 *
 * tapedeck-json(7) has the shape.  Threads: any; nothing is shared.
 */
#ifndef CONSOLE_LAG_JSON_H
#define CONSOLE_LAG_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "collectors/groups_sample.h"
#include "console/lag_look.h"

struct buffer;

/* Append the object, without a line's end. `rebalanced` and the times are UTC. */
void lag_json_append(struct buffer *to, const struct lag_flow *flow);

/* A flow that was read back from its JSON; owns what its `flow` points to. `flow.group` points into the
 * struct itself: it must not be copied without setting that anew. */
struct lag_saved {
    struct lag_flow flow;
    struct group_state group; /* its lanes are the flow's */
    char *tap;
    struct lag_verdict *verdicts;
};

/* Read what lag_json_append() wrote, from a tape. False when it is something else; then *saved needs
 * no lag_saved_done(). */
bool lag_json_read(struct bytes text, struct lag_saved *saved);
void lag_saved_done(struct lag_saved *saved);

#endif
