/* planner.h - makes a plan: reads the selection once, asks the target, sends nothing.
 *
 * No producer exists while planning: the target is asked by a client that can only read.
 * Threads: any, one plan at a time each.
 */
#ifndef REPLAY_PLANNER_H
#define REPLAY_PLANNER_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/pacer.h"
#include "replay/partition_map.h"
#include "replay/plan.h"

struct error;
struct kafka_settings;

struct planner_options {
    const char *tape;        /* directory */
    const char *query;       /* NULL or "": everything */
    const char *target;      /* URL */
    const char *target_name; /* of the configuration's target it came from; NULL: none */
    enum partition_map partitions;
    enum plan_timestamps timestamps;
    struct pacing_settings pacing;
    uint64_t max_hops; /* an event that was replayed this often is refused */
    bool allow_source; /* the target's topic may have the name of a selected stream */
    const struct kafka_settings *settings;
    bool (*is_cancelled)(void *self); /* asked now and then; may be NULL */
    void *self;
};

/* Make a plan; nothing is written anywhere. Of a tape that is damaged it has what could be read, and plan->damage. The caller frees it with plan_free().
 *
 * NULL with ERROR_ARGUMENT (query, URL, tape), ERROR_REMOTE (target not reachable, no such topic),
 * ERROR_REFUSED (a rule says no; the text says which and what to do), ERROR_DAMAGED (tape;
 * also when nothing that can be read matches), ERROR_SYSTEM when nothing matches or it was cancelled. */
struct plan *planner_make(const struct planner_options *options, struct error *err);

#endif
