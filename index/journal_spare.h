/* journal_spare.h - the file of a journal that is sealed, kept for the next journal.
 *
 * To write over pages that are in the page cache, and over blocks that are the file's, costs the processor much less than
 * new ones, which must be given back too; PostgreSQL and SQLite use their logs again for the same reason.
 *
 * Data: at most one file, DIRECTORY/NNNNNNNN.old, N being the journal that it was; a recorder that was killed leaves it, the
 * next one removes it (tape_recovery.h).
 *
 * Invariant: a file is used again only when nobody else has it open or has another name for it. Readers keep a journal that
 * is removed open for as long as they need it, and would see other events in it. So the kernel is asked for a lease, which
 * it gives for a file that is open nowhere else (fcntl(2), F_SETLEASE), and its name was gone before.
 *
 * Threads: any; what gives is the one behind the sealer, what takes the one that appends.
 */
#ifndef INDEX_JOURNAL_SPARE_H
#define INDEX_JOURNAL_SPARE_H

#include <stdbool.h>
#include <stdint.h>

struct journal_spare;

/* `directory` is the tape's. */
struct journal_spare *journal_spare_new(const char *directory);

/* Journal `id` is sealed. False: it is still under its name, because there is a spare file already, or no more are
 * wanted. NULL is allowed, and wants none. */
bool journal_spare_give(struct journal_spare *spare, uint64_t id);

/* A file of *size bytes for a new journal, open for writing at its begin, under the name `path`. -1: there is none, or somebody
 * reads it; then it is removed. NULL is allowed, and has none. */
int journal_spare_take(struct journal_spare *spare, const char *path, uint64_t *size);

/* Remove the file, if there is one: the disk is full. */
void journal_spare_drop(struct journal_spare *spare);

/* The same, and want no more. */
void journal_spare_close(struct journal_spare *spare);

/* Free it, closed. NULL is allowed. */
void journal_spare_free(struct journal_spare *spare);

#endif
