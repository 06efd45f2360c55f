/* block_pool.h - decoded blocks that nobody of a tape uses just now, kept for their memory.
 *
 * Taking memory from the system and giving it back for each block costs as much as decoding it. While a
 * cursor is there, the pool keeps what its walks drop, up to BLOCK_CACHE_BYTES; when the last cursor is
 * gone, a few blocks of the usual size.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_BLOCK_POOL_H
#define INDEX_BLOCK_POOL_H

struct block;
struct block_pool;

struct block_pool *block_pool_new(void);

/* Every block taken from it was given back or freed. NULL is allowed. */
void block_pool_free(struct block_pool *pool);

/* A cursor begins; it has ended. */
void block_pool_enter(struct block_pool *pool);
void block_pool_leave(struct block_pool *pool);

/* An empty block, which the caller owns until it gives it back. It dies before the pool does. */
struct block *block_pool_take(struct block_pool *pool);
void block_pool_give(struct block_pool *pool, struct block *block); /* NULL is allowed */

#endif
