/* batch.h - events on their way from a collector to the tape: one block of encoded records.
 *
 * A collector encodes events straight into a batch and pushes it when it is full (BATCH_TARGET_BYTES)
 * or old (20 ms). From then on nobody changes it: the indexer writes it onto the tape and releases it.
 *
 * Threads: one thread fills a batch and hands it over; the other one releases it.
 */
#ifndef INDEX_BATCH_H
#define INDEX_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;
struct event;
struct hole;

/* A batch is handed over when it holds this much; one event that is larger gets a batch alone. */
#define BATCH_TARGET_BYTES 131072u

struct batch;

struct batch *batch_new(void);

/* Free it, or keep its memory for the next batch_new(). NULL is allowed. */
void batch_release(struct batch *batch);

/* Copy the event in. event->stream must come from the tape_writer this batch is for; event->seq is
 * ignored. False with ERROR_LIMIT when it is larger than RECORD_MAX_BYTES (nothing was added). */
bool batch_add(struct batch *batch, const struct event *event, struct error *err);

/* Tell the tape about offsets that will never come. */
void batch_add_hole(struct batch *batch, const struct hole *hole);

/* The events of this batch are the recorder's own words: on the tape, but not counted as received. */
void batch_set_internal(struct batch *batch);
bool batch_is_internal(const struct batch *batch);

/* Whoever fills the batch wants to know when it is on the tape: batch_acknowledge() stores `number` into
 * *receipt, which must live until the batch is released or acknowledged. */
void batch_set_receipt(struct batch *batch, atomic_uint_fast64_t *receipt, uint64_t number);

/* The batch is on the tape: tell whoever asked for a receipt (with release order). */
void batch_acknowledge(const struct batch *batch);

/* True when the next event should go into a new batch. */
bool batch_is_full(const struct batch *batch);

uint32_t batch_event_count(const struct batch *batch); /* events only */
size_t batch_bytes(const struct batch *batch);         /* what the queue counts */

/* The encoded event records, and the encoded hole records. Valid until it is released. */
struct bytes batch_records(const struct batch *batch);
struct bytes batch_holes(const struct batch *batch);
uint32_t batch_hole_count(const struct batch *batch);

#endif
