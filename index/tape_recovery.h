/* tape_recovery.h - what a writer finds on a tape, once it has put right what a crash left there.
 *
 * Files that never became whole go, and so do journals whose segment is there; what is torn behind the last whole frame
 * of the newest journal is cut. Then the tape is read as any reader does it, so that what cannot be read is known and kept
 * out of the way, and the catalogue is brought up to date.
 *
 * Where the newest segments of the catalogue are gone, what comes goes on behind their seqs and file numbers: no bookmark
 * finds another event, and the files fit when they are put back. Offsets are asked for again from where the files end,
 * but those that a recorder gave itself go on behind the gone ones.
 *
 * Threads: one, which holds the tape's lock (tape_lock.h).
 */
#ifndef INDEX_TAPE_RECOVERY_H
#define INDEX_TAPE_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/journal.h"
#include "index/part_file.h"
#include "index/places.h"
#include "index/stream_table.h"

struct error;
struct lanes;

/* Zero-initialise. A lane's checkpoint is its last_offset when it has events: the newest offset that need not be asked
 * for again. */
struct tape_recovery {
    unsigned char uuid[TAPE_UUID_BYTES]; /* a new one where no file says any */
    uint64_t next_id;                    /* above those of all files */
    uint64_t end_seq;
    struct part_ids journals; /* that are not sealed yet, the oldest first */
    struct places places;
    struct stream_table streams; /* theirs are views into `places` */
    struct lanes *checkpoints;   /* NULL where the tape could not be read */
    int32_t *last_partitions;    /* by stream id: the highest with a checkpoint, or -1 */
    size_t last_count;
    char *repairs; /* what was put right and what is still wrong, as one sentence; NULL: nothing */
};

/* Recover the tape in `directory`, which is there but may be empty. `given`, when it is not NULL and not empty, is
 * written beside the tape as its places.
 *
 * False with ERROR_SYSTEM, ERROR_DISK_FULL, or ERROR_DAMAGED when a file has an unknown newer format version; *found
 * needs tape_recovery_done() then as well. */
bool tape_recover(const char *directory, const struct places *given, struct tape_recovery *found,
    struct error *err);

/* Free what is in it. */
void tape_recovery_done(struct tape_recovery *found);

#endif
