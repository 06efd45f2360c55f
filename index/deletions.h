/* deletions.h - what retention deleted from a tape: the file `deletions`, docs/FORMAT.md, "Deletions".
 *
 * Threads: one owner. Who changes the file holds deletions.lock meanwhile; readers need nothing.
 */
#ifndef INDEX_DELETIONS_H
#define INDEX_DELETIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/journal.h"
#include "index/stream_table.h"

struct error;
struct lanes;
struct segment;

/* More runs than these are not kept apart. */
#define DELETIONS_RUNS_MAX 256u

/* Seqs first_seq .. end_seq - 1, of which no file is left. */
struct deletion_run {
    uint64_t first_seq;
    uint64_t end_seq;
    int64_t deleted_ns;  /* the last of them */
    struct lanes *lanes; /* without holes */
};

/* runs[] is in order, and no two of them touch. Zero-initialise. */
struct deletions {
    unsigned char uuid[TAPE_UUID_BYTES]; /* meaningless while there is no run */
    struct stream_table streams;
    struct deletion_run *runs;
    size_t count;
    size_t capacity;
};

/* Read DIRECTORY/deletions; nothing when there is no such file. False, and nothing read, with ERROR_DAMAGED when
 * it is broken, ERROR_FORMAT when it is of a newer version, ERROR_SYSTEM, ERROR_LIMIT. */
bool deletions_read(const char *directory, struct deletions *deletions, struct error *err);
void deletions_done(struct deletions *deletions);

/* The same from the bytes of the file at `path`. */
bool deletions_decode(
    struct deletions *deletions, const char *path, struct bytes file, struct error *err);

/* Replace the file; after this it survives a power loss. */
bool deletions_write(const char *directory, const struct deletions *deletions, struct error *err);

/* Add what the segment stands for, and its streams. */
void deletions_add(struct deletions *deletions, const struct segment *segment, int64_t now_ns);

/* The same of a run that is known; takes its lanes. Runs that touch become one, and the two oldest beyond
 * DELETIONS_RUNS_MAX. */
void deletions_add_run(struct deletions *deletions, const struct deletion_run *run);

/* Everything before `end_seq`, which one run has at its end, is gone: one run from seq 0 on. */
void deletions_close_front(struct deletions *deletions, uint64_t end_seq);

/* Take from *first_seq .. *end_seq - 1 what the runs have at either end; what is left is not explained by
 * them. False: nothing is left. */
bool deletions_leave(const struct deletions *deletions, uint64_t *first_seq, uint64_t *end_seq);

/* The seq behind the last run; 0 when there is none. */
uint64_t deletions_end_seq(const struct deletions *deletions);

#endif
