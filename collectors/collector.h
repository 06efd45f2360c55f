/* collector.h - the thread around a source: opens it, polls it, opens it again when it is lost.
 *
 * Written once, for all transports. What the source pours out goes through the outlet to the indexer.
 *
 * Threads: one of its own, which takes no signals. All functions are for the thread that started it,
 * except collector_describe(), which any may call.
 */
#ifndef COLLECTORS_COLLECTOR_H
#define COLLECTORS_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/outlet.h"
#include "collectors/source.h"

struct collector;
struct error;
struct live_tap;

/* Start the thread. `ops`, `config` and what they point to must outlive it, and so must `ended_fd`, an event descriptor
 * that is written to when the collector has ended or failed for good.
 * NULL with ERROR_SYSTEM when there is no thread to be had. */
struct collector *collector_start(const struct source_ops *ops, const struct source_config *config,
    const struct outlet_options *options, int ended_fd, struct error *err);

/* The state, and the reason for it (or a warning beside it) in *why; its code is ERROR_NONE while the
 * tap never failed. */
enum tap_state collector_state(struct collector *collector, struct error *why);

/* True when the other side has answered at least once. */
bool collector_has_answer(const struct collector *collector);

/* Fill a row of the live page. */
void collector_describe(struct collector *collector, struct live_tap *tap);
uint64_t collector_refused(const struct collector *collector);

/* Tell it to stop; returns at once. */
void collector_stop(struct collector *collector);

/* Wait until it has ended: the source is closed, what was received was handed to the indexer. False
 * when the queue stayed full and events of a transport that cannot repeat them were lost. */
bool collector_join(struct collector *collector);

/* Free it after collector_join(). NULL is allowed. */
void collector_free(struct collector *collector);

#endif
