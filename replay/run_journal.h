/* run_journal.h - which events of a plan the target acknowledged, so that a killed run can go on.
 *
 * `journal` in the replay's directory: 8 bytes of magic, then records of 48 bytes (little-endian):
 *
 *     u32 CRC-32C of the other 44 bytes
 *     u32 kind: 1 start, 2 acknowledged, 3 end
 *     u32 target partition, u32 zero
 *     u64 start: the target's end offset before anything was sent
 *         acknowledged: how many of the events planned for this partition, from the first one on
 *         end: the target's end offset after the run
 *     u64 acknowledged: the offset of the last of them in the target
 *     u64 plan index of that event
 *     u64 when, wall clock in ns
 *
 * A record is only appended. Within one partition acknowledgements come in plan order, so that one
 * number per partition says it all. Reading stops at the first record that is torn or damaged: what
 * is not known to be acknowledged is looked for in the target itself.
 *
 * Threads: one thread owns an instance; a lock on the file keeps a second run out.
 */
#ifndef REPLAY_RUN_JOURNAL_H
#define REPLAY_RUN_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct run_journal;

struct run_lane {
    bool started;         /* start_offset is known */
    bool ended;           /* end_offset is known */
    int64_t start_offset; /* the target's end before the first run */
    int64_t end_offset;   /* the target's end after the last one */
    uint64_t acknowledged;
    int64_t last_offset; /* of the last acknowledged one; -1: none */
    uint64_t last_index;
};

/* Open or make the journal at `path` for a run over `lane_count` partitions.
 *
 * NULL with ERROR_REFUSED when another run holds it, ERROR_FORMAT when it is not a journal or
 * speaks of more partitions, ERROR_SYSTEM. */
struct run_journal *run_journal_open(const char *path, int32_t lane_count, struct error *err);

/* Read one that nobody need be able to write; same failures, but never refused. */
struct run_journal *run_journal_read(const char *path, int32_t lane_count, struct error *err);

/* NULL is allowed. What was not synced is given to the kernel first. */
void run_journal_close(struct run_journal *journal);

/* The state of all partitions, `lane_count` of them. */
const struct run_lane *run_journal_lanes(const struct run_journal *journal);

void run_journal_start(struct run_journal *journal, int32_t partition, int64_t offset);
void run_journal_end(struct run_journal *journal, int32_t partition, int64_t offset);

/* One more event of this partition, the next one in plan order, was acknowledged at `offset`. */
void run_journal_acknowledge(
    struct run_journal *journal, int32_t partition, uint64_t index, int64_t offset);

/* Write what changed since the last call and fdatasync it. Call every 100 ms. */
bool run_journal_sync(struct run_journal *journal, struct error *err);

#endif
