/* seal_journal.h - turn one finished journal into a segment, in two steps.
 *
 * Reading and packing needs a processor, bringing to the disk needs the disk: whoever seals one journal after
 * another leaves the second step to somebody else.
 *
 * Threads: any; a call touches nothing but its arguments and the two files.
 */
#ifndef INDEX_SEAL_JOURNAL_H
#define INDEX_SEAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "index/block.h"
#include "index/seal.h"

struct error;
struct journal_spare;

/* Seal DIRECTORY/ID.jnl, to which nobody appends any more, as far as *file. The journal stays. What `options` say of
 * headers comes from the tape.
 *
 * False with ERROR_DAMAGED or ERROR_FORMAT when it can never be sealed, ERROR_SYSTEM or ERROR_DISK_FULL when it
 * may be tried again. */
bool seal_journal(const char *directory, uint64_t id, const struct seal_options *options,
    struct seal_file *file, struct error *err);

/* Put the segment in the journal's place; `spare` (NULL: nobody) is offered its file. *file is used up, also on failure;
 * then the journal stays, with the errors of seal_commit(). */
bool seal_journal_commit(const char *directory, uint64_t id, struct seal_file *file,
    struct journal_spare *spare, struct error *err);

#endif
