/* seal_pack.h - blocks of a segment on their way from columns to compressed bytes; who has nothing to do may help.
 *
 * One thread seals a segment: it fills block after block and has each packed. Alone it does that itself. While
 * other threads have joined, full blocks are laid out for all, and each takes the next one; the blocks come back in
 * their order, so that the file is the same whoever packed what.
 *
 * Data: a packer has SEAL_PACK_SLOTS blocks, in a ring; each is free, being filled, waiting, being packed, or
 * packed. Invariant: a block waits or is packed only while its packer's thread is in a call of this part or fills a
 * later one; nothing waits for a helper that did not take it.
 *
 * Threads: a packer belongs to the thread that seals; a seal_help to all of them.
 */
#ifndef INDEX_SEAL_PACK_H
#define INDEX_SEAL_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/block.h"

#define SEAL_PACK_SLOTS 4

struct error;
struct seal_help;
struct seal_packer;

/* ---- helping ---- */

struct seal_help *seal_help_new(void);
void seal_help_free(struct seal_help *help); /* NULL is allowed; nobody may be using it */

/* How often seal_help_wake() was called. */
uint64_t seal_help_wakes(struct seal_help *help);

/* Pack blocks of others until seal_help_wakes() is not `wakes` any more. */
void seal_help_join(struct seal_help *help, uint64_t wakes);

/* Have all who joined come back. */
void seal_help_wake(struct seal_help *help);

/* ---- packing ---- */

/* Where packed blocks go. */
struct seal_pack_target {
    struct buffer *out;      /* they are appended, in their order */
    const uint64_t *written; /* bytes of the file before `out` */
    bool (*packed)(void *self, const struct block_info *info, struct error *err); /* after each */
    void *self;
};

/* `help` may be NULL. It and what the target points to must outlive the packer. */
struct seal_packer *seal_packer_new(
    enum block_codec codec, struct seal_help *help, const struct seal_pack_target *target);

/* What was not appended is dropped. NULL is allowed. */
void seal_packer_free(struct seal_packer *packer);

/* The block that is filled now; another one after each seal_packer_end_block(). */
struct block_writer *seal_packer_block(struct seal_packer *packer);

/* The block is full. False: the target's packed() failed. */
bool seal_packer_end_block(struct seal_packer *packer, struct error *err);

/* Append everything that was ended. */
bool seal_packer_drain(struct seal_packer *packer, struct error *err);

#endif
