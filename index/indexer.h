/* indexer.h - the thread between the collectors and the tape.
 *
 * Pops batches from the bounded queue, appends each to the tape (that is the acknowledgement), keeps
 * the counters of the live page and publishes it. When the disk is full it keeps the batch, says so
 * in the live page, and tries again until there is room; collectors then wait or count.
 *
 * Threads: its own one, started and ended here. indexer_push() and indexer_hurry() may be called from any thread.
 */
#ifndef INDEX_INDEXER_H
#define INDEX_INDEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "index/live.h"

struct batch;
struct error;
struct indexer;
struct tape_writer;

struct indexer_options {
    size_t queue_bytes; /* 0: 32 MiB */

    /* Fill the parts of the live page that the indexer does not know (taps, groups). Called on the
     * indexer's thread before each publication, four times a second; may be NULL. */
    void (*describe)(void *self, struct live_status *status);
    void *describe_self;
};

/* Start the thread; it owns `writer`'s appending end until indexer_stop() returns. */
struct indexer *indexer_start(struct tape_writer *writer, const char *directory,
    const struct indexer_options *options, struct error *err);

/* Hand a batch over; waits up to timeout_ms for room (-1: for ever). On true the indexer owns *batch
 * and sets it to NULL; false: no room in time, or stopping. */
bool indexer_push(struct indexer *indexer, struct batch **batch, int timeout_ms);

/* For tests: events of taps acknowledged since the start. */
uint64_t indexer_acknowledged(const struct indexer *indexer);

/* False when the tape cannot be written for a reason other than a full disk: *err says why, the
 * recorder should stop. */
bool indexer_is_well(struct indexer *indexer, struct error *err);

/* The recorder is about to end: nobody waits for room on a full disk any more. What does not fit then fails the
 * indexer with ERROR_DISK_FULL, and whoever pushes is told at once. */
void indexer_hurry(struct indexer *indexer);

/* Drain what is queued, sync, publish a last time, end the thread and free. NULL is allowed.
 * False when something that was queued could not be written; *err says what. */
bool indexer_stop(struct indexer *indexer, struct error *err);

#endif
