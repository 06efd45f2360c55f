/* sealer.h - the thread that turns finished journals into segments; another one, behind it, waits for the disk
 * (seal_finisher.h) and deletes what is too old.
 *
 * Takes the numbers of journals that nobody appends to any more, reads each back (it is still in the
 * page cache), packs it into a segment and hands that on. A journal that cannot be sealed now (the disk is
 * full) waits and is tried again, the smallest first, since each that is sealed makes room for a larger one; one that
 * is damaged stays a journal, so that nothing of what is known about the damage is lost. Readers notice nothing: for an
 * instant both files are there, with the same events.
 *
 * Threads: its own two. sealer_add(), _load(), _is_busy() and _trouble() may be called from any thread.
 */
#ifndef INDEX_SEALER_H
#define INDEX_SEALER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/block.h"
#include "index/retention.h"

struct error;
struct journal_spare;
struct sealer;

struct sealer_options {
    const char *directory;
    enum block_codec codec;
    struct retention retention;
    struct journal_spare
        *spare; /* is offered the files of journals that are sealed; NULL: they are removed */
};

struct sealer *sealer_start(const struct sealer_options *options, struct error *err);

/* Journal `id` is finished: nothing is appended to it any more. */
void sealer_add(struct sealer *sealer, uint64_t id);

/* Bytes of the largest journal that is not sealed, and of all. */
void sealer_load(struct sealer *sealer, uint64_t *largest, uint64_t *all);

/* True while it seals, or is about to; false when all is sealed, and while it waits to try again. */
bool sealer_is_busy(struct sealer *sealer);

/* End the thread; with `drain` everything that was added is sealed first, as far as the disk lets
 * it. Frees. NULL is allowed. */
void sealer_stop(struct sealer *sealer, bool drain);

/* Why the last try to seal a journal, to delete or to keep the catalogue failed, as a text of up to `size` bytes with
 * how many journals wait. False: it did not. */
bool sealer_trouble(struct sealer *sealer, char *text, size_t size);

/* For tests: seal one journal on the caller's thread and remove it. ERROR_DAMAGED: it stays as it is. */
bool sealer_seal_journal(
    const char *directory, uint64_t id, enum block_codec codec, struct error *err);

#endif
