/* demo_run.h - the shop, a recorder with two taps on it, and the sampling of its groups.
 *
 * Everything is in this process; the tape is in a directory of the caller's.
 *
 * Threads: one thread starts, watches and finishes.
 */
#ifndef DEMO_DEMO_RUN_H
#define DEMO_DEMO_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "demo/faults.h"

struct demo;
struct demo_report;
struct error;
struct groups_sample;
struct live_group;
struct recorder;
struct recorder_tap;

struct demo_options {
    const char *directory; /* for the tape; exists */
    uint64_t seed;
    uint32_t rate;         /* events per second, about */
    uint64_t budget_bytes; /* on the tape, about; 0: no limit */
    struct fault_plan faults;

    /* recorder_options.groups; NULL: rows without a verdict. */
    uint32_t (*groups)(void *self, struct live_group *rows, uint32_t limit);
    void *groups_self;
};

/* Open the shop and record it.
 *
 * NULL as shop_start(), groups_kafka_start() and recorder_start() say. */
struct demo *demo_start(const struct demo_options *options, struct error *err);

/* Take in how far the groups are. Call it a few times a second; stalls are judged from this. False
 * when recording cannot go on. */
bool demo_watch(struct demo *demo, struct error *err);

/* For whoever judges the groups and writes what it finds onto the tape: the recorder, the tap that the
 * groups read, and how far they are, as a broker would say it. Those that were handed out must not be
 * used after demo_finish() or demo_stop(); demo_sample_groups() may be called from any thread. */
struct recorder *demo_recorder(struct demo *demo);
const struct recorder_tap *demo_groups_tap(const struct demo *demo);
bool demo_sample_groups(void *demo, struct groups_sample *sample, struct error *err);

/* For tests: how often a fault has happened so far. */
uint64_t demo_fault_count(struct demo *demo, enum fault fault);

/* Close the shop's doors, record what is under way, stop everything, and look at the tape.
 *
 * Frees *demo and sets it to NULL in any case. The caller ends *report with demo_report_done(). False
 * when the tape could not be written or read. */
bool demo_finish(struct demo **demo, struct demo_report *report, struct error *err);

/* Stop everything without a look; free. NULL is allowed. */
void demo_stop(struct demo *demo);

#endif
