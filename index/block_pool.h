/* block_pool.h - the memory for the decoded blocks of a tape: those in use, and some that nobody uses just now.
 *
 * Taking memory from the system and giving it back for each block costs as much as decoding it. The pool keeps
 * what walks have read and dropped, up to its limit, for the next one; when none comes, a few blocks of
 * the usual size. To give it back takes ms, which is why that is not done by the cursor that ends: it may
 * be a search that somebody stops.
 *
 * All walks of a tape share the limit, which is in bytes of memory: the block that was used longest ago makes room,
 * whoever has it. What each user looks at stays in any case, so there may be more than the limit says.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_BLOCK_POOL_H
#define INDEX_BLOCK_POOL_H

#include <stdint.h>

struct block;
struct block_hold;
struct block_pool;

/* Who uses blocks, by their numbers. The pool sets rows[number] to NULL when that block makes room, which
 * rows[current] never does. */
struct block_user {
    struct block_hold **rows;
    uint32_t current;
};

/* A block in use. The user reads `block`, the rest is the pool's. */
struct block_hold {
    struct block *block;
    struct block_user *user;
    uint32_t number;
    uint64_t bytes; /* of memory, as the pool has counted it */
    struct block_hold *newer;
    struct block_hold *older;
};

struct block_pool *block_pool_new(void);

/* Every block taken from it was given back. NULL is allowed. */
void block_pool_free(struct block_pool *pool);

/* At first it is TAPE_BLOCK_BYTES. */
void block_pool_set_limit(struct block_pool *pool, uint64_t bytes);

/* For tests: memory of all blocks, in use or not, as last counted. */
uint64_t block_pool_bytes(const struct block_pool *pool);

/* A cursor begins; it has ended. */
void block_pool_enter(struct block_pool *pool);
void block_pool_leave(struct block_pool *pool);

/* Called now and then: when there was no cursor since the last call, what is kept for one goes. */
void block_pool_rest(struct block_pool *pool);

/* An empty block, for about `bytes` of content. It becomes the user's rows[number] and the one used last. */
struct block_hold *block_pool_take(
    struct block_pool *pool, struct block_user *user, uint32_t number, uint64_t bytes);

/* It is used again. */
void block_pool_use(struct block_pool *pool, struct block_hold *hold);

/* Something was read into it: count its memory, and let others make room for what there is too much. */
void block_pool_settle(struct block_pool *pool, struct block_hold *hold);

/* It is not used any more; its user's row becomes NULL. NULL is allowed. */
void block_pool_give(struct block_pool *pool, struct block_hold *hold);

#endif
