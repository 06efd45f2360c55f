/* lag_list.h - the flows of one answer about lag: those that ask for most attention first.
 *
 * Of a flow the verdicts are copied; its group and its lanes must outlive the list.  Threads: one owner.
 */
#ifndef CONSOLE_LAG_LIST_H
#define CONSOLE_LAG_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "console/lag_look.h"

struct buffer;

struct lag_list_row {
    struct lag_flow flow;
    struct lag_verdict *lane_verdicts; /* the flow's, owned */
};

/* All zero: empty. */
struct lag_list {
    struct lag_list_row *rows;
    size_t count;
    size_t capacity;
};

void lag_list_add(struct lag_list *list, const struct lag_flow *flow);
void lag_list_done(struct lag_list *list);

/* By state, the one that asks for most attention first; in a state what is furthest behind first, and what
 * is not known before what is; then by group and stream. */
void lag_list_sort(struct lag_list *list);

/* The sorted list as a table for people: a line for each flow; why it is so, unless it is well, and what to do
 * stand below, once for those in a row of which the same is said. `with_lanes`: a line for each partition too,
 * and why below each. An empty list is nothing. */
void lag_list_append(const struct lag_list *list, bool with_lanes, struct buffer *to);

#endif
