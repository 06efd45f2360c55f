/* landed.h - which events of a plan are in the target beyond what the journal knows.
 *
 * A run that was killed leaves events in doubt: sent, landed perhaps, their acknowledgement lost.
 * They are found by reading the target's tail for x-tapedeck-replay and x-tapedeck-seq.  Threads:
 * one thread owns an instance.
 */
#ifndef REPLAY_LANDED_H
#define REPLAY_LANDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct plan;
struct run_journal;
struct target_reader;

struct landed;

/* Note the target's end for partitions where nothing was sent yet, and read the tail of the others.
 *
 * NULL with ERROR_REMOTE, or ERROR_REFUSED when the target has deleted what would have to be read,
 * or `is_stopped` (may be NULL) said so. */
struct landed *landed_scan(const struct plan *plan, struct run_journal *journal,
    struct target_reader *reader, bool (*is_stopped)(void *self), void *self, struct error *err);
void landed_free(struct landed *landed); /* NULL is allowed */

/* How many were found in a partition, all partitions together. */
uint64_t landed_count(const struct landed *landed, int32_t partition);
uint64_t landed_total(const struct landed *landed);

/* The target's offset of a plan index; -1 when it was not found. */
int64_t landed_find(const struct landed *landed, uint64_t index);

#endif
