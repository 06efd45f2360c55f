/* seal_finisher.h - the thread behind the sealer, which waits for the disk so that the sealer need not.
 *
 * Takes segments that are complete under their temporary names, brings each to the disk, gives it its name,
 * removes the journal, lets the catalogue follow, and deletes what retention says.
 *
 * Invariant: a journal is removed only after its segment is on the disk under its name. What fails is given
 * back: the journal is as it was.
 *
 * Bounds: SEAL_FINISHER_FILES wait; who adds more waits with them.
 *
 * Threads: its own one; seal_finisher_add(), _is_busy() and _trouble() may be called from any.
 */
#ifndef INDEX_SEAL_FINISHER_H
#define INDEX_SEAL_FINISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/retention.h"
#include "index/seal.h"

#define SEAL_FINISHER_FILES 2

struct error;
struct journal_spare;
struct seal_finisher;

struct seal_finisher_options {
    const char *directory; /* of the caller, who keeps it */
    struct retention retention;
    struct journal_spare *spare; /* of the caller; NULL: none */
    /* Journal `id` is not sealed after all, and may be tried again later. Called from the thread, no lock held. */
    void (*failed)(void *self, uint64_t id);
    void *self;
};

struct seal_finisher *seal_finisher_start(
    const struct seal_finisher_options *options, struct error *err);

/* The segment of journal `id`; *file is used up. */
void seal_finisher_add(struct seal_finisher *finisher, uint64_t id, struct seal_file *file);

/* True while one that was added is not finished. */
bool seal_finisher_is_busy(struct seal_finisher *finisher);

/* Finish what was added, end the thread, free. NULL is allowed. */
void seal_finisher_stop(struct seal_finisher *finisher);

/* Why the last segment could not be finished, files not be deleted, or the catalogue not be kept, as a text of up to
 * `size` bytes. False: all went well. */
bool seal_finisher_trouble(struct seal_finisher *finisher, char *text, size_t size);

#endif
