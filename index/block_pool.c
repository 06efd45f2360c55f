#include "index/block_pool.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "index/block.h"
#include "index/tape.h"

/* So much is given back to the system too: the program may be idle for days. */
#define RETURNED_BYTES ((uint64_t)4 * 1024 * 1024)

/* What is kept when there is no cursor. */
#define IDLE_BYTES ((uint64_t)1024 * 1024)

/* A block that has this share of the limit in memory is not kept for that: large events would leave no room. */
#define LARGE_SHARE 8u

/* Blocks in use are in a list from `newest` to `oldest`; those that nobody uses are behind `spares`, by `older`.
 * `bytes` is the sum over both; cursors counts who has entered, `is_resting`: nobody since the last
 * block_pool_rest(). */
struct block_pool {
    struct block_scratch *scratch;
    struct block_hold *newest;
    struct block_hold *oldest;
    struct block_hold *spares;
    uint64_t limit;
    uint64_t bytes;
    unsigned cursors;
    bool is_resting;
};

struct block_pool *
block_pool_new(void)
{
    struct block_pool *pool = alloc_zeroed(sizeof(*pool));
    pool->scratch = block_scratch_new();
    pool->limit = TAPE_BLOCK_BYTES;
    return pool;
}

static void
unlink_hold(struct block_pool *pool, struct block_hold *hold)
{
    if (hold->newer == NULL)
        pool->newest = hold->older;
    else
        hold->newer->older = hold->older;
    if (hold->older == NULL)
        pool->oldest = hold->newer;
    else
        hold->older->newer = hold->newer;
}

static void
link_newest(struct block_pool *pool, struct block_hold *hold)
{
    hold->newer = NULL;
    hold->older = pool->newest;
    if (pool->newest == NULL)
        pool->oldest = hold;
    else
        pool->newest->newer = hold;
    pool->newest = hold;
}

static struct block_hold *
pop_spare(struct block_pool *pool)
{
    struct block_hold *hold = pool->spares;
    if (hold != NULL)
        pool->spares = hold->older;
    return hold;
}

static void
free_hold(struct block_pool *pool, struct block_hold *hold)
{
    pool->bytes -= hold->bytes;
    block_free(hold->block);
    free(hold);
}

/* Take a block away from its user. */
static void
retire(struct block_pool *pool, struct block_hold *hold)
{
    hold->user->rows[hold->number] = NULL;
    unlink_hold(pool, hold);
    block_clear(hold->block);
}

static bool
is_large(const struct block_pool *pool, const struct block_hold *hold)
{
    return hold->bytes > pool->limit / LARGE_SHARE;
}

/* Keep the memory of a block that nobody uses, unless there is too much of it. */
static void
put_away(struct block_pool *pool, struct block_hold *hold)
{
    if (pool->bytes > pool->limit || is_large(pool, hold)) {
        free_hold(pool, hold);
        return;
    }
    hold->older = pool->spares;
    pool->spares = hold;
}

/* Nobody looks at it just now. */
static bool
may_go(const struct block_hold *hold)
{
    return hold->user->current != hold->number;
}

/* Free what there is too much of: spares, then what was used longest ago. */
static void
shrink(struct block_pool *pool)
{
    struct block_hold *hold;
    struct block_hold *newer;
    while (pool->bytes > pool->limit && (hold = pop_spare(pool)) != NULL)
        free_hold(pool, hold);
    for (hold = pool->oldest; hold != NULL && pool->bytes > pool->limit; hold = newer) {
        newer = hold->newer;
        if (!may_go(hold))
            continue;
        retire(pool, hold);
        free_hold(pool, hold);
    }
}

void
block_pool_free(struct block_pool *pool)
{
    if (pool == NULL)
        return;
    struct block_hold *hold;
    while ((hold = pop_spare(pool)) != NULL)
        free_hold(pool, hold);
    block_scratch_free(pool->scratch);
    free(pool);
}

void
block_pool_set_limit(struct block_pool *pool, uint64_t bytes)
{
    pool->limit = bytes;
    shrink(pool);
}

uint64_t
block_pool_bytes(const struct block_pool *pool)
{
    return pool->bytes;
}

void
block_pool_enter(struct block_pool *pool)
{
    pool->cursors++;
    pool->is_resting = false;
}

void
block_pool_leave(struct block_pool *pool)
{
    pool->cursors--;
}

void
block_pool_rest(struct block_pool *pool)
{
    struct block_hold *hold;
    uint64_t before = pool->bytes;
    bool was_resting = pool->is_resting;
    pool->is_resting = pool->cursors == 0;
    if (!was_resting)
        return;
    while (pool->bytes > IDLE_BYTES && (hold = pop_spare(pool)) != NULL)
        free_hold(pool, hold);
    if (before - pool->bytes >= RETURNED_BYTES)
        (void)malloc_trim(0);
}

/* A block whose memory is there already: of the spares, or, when there is no room for another one, of those in use. */
static struct block_hold *
find_used_memory(struct block_pool *pool, uint64_t bytes)
{
    struct block_hold *hold = pop_spare(pool);
    if (hold != NULL || pool->bytes + bytes <= pool->limit)
        return hold;
    for (hold = pool->oldest; hold != NULL && !may_go(hold);)
        hold = hold->newer;
    if (hold == NULL)
        return NULL;
    retire(pool, hold);
    if (!is_large(pool, hold))
        return hold;
    free_hold(pool, hold);
    return NULL;
}

struct block_hold *
block_pool_take(struct block_pool *pool, struct block_user *user, uint32_t number, uint64_t bytes)
{
    struct block_hold *hold = find_used_memory(pool, bytes);
    if (hold == NULL) {
        hold = alloc_zeroed(sizeof(*hold));
        hold->block = block_new_sharing(pool->scratch);
    }
    hold->user = user;
    hold->number = number;
    user->rows[number] = hold;
    user->current = number;
    link_newest(pool, hold);
    return hold;
}

void
block_pool_use(struct block_pool *pool, struct block_hold *hold)
{
    hold->user->current = hold->number;
    if (pool->newest == hold)
        return;
    unlink_hold(pool, hold);
    link_newest(pool, hold);
}

void
block_pool_settle(struct block_pool *pool, struct block_hold *hold)
{
    uint64_t bytes = block_memory_bytes(hold->block);
    pool->bytes += bytes - hold->bytes;
    hold->bytes = bytes;
    shrink(pool);
}

void
block_pool_give(struct block_pool *pool, struct block_hold *hold)
{
    if (hold == NULL)
        return;
    retire(pool, hold);
    put_away(pool, hold);
}
