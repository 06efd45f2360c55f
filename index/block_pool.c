#include "index/block_pool.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "index/block.h"
#include "index/block_cache.h"

/* So much is given back to the system too: the program may be idle for days. */
#define RETURNED_BYTES ((uint64_t)8 * 1024 * 1024)

/* What is kept when there is no cursor. */
#define IDLE_BYTES ((uint64_t)1024 * 1024)

/* `bytes` is the memory of spares[]; cursors counts who has entered. */
struct block_pool {
    struct block_scratch *scratch;
    struct block **spares;
    size_t count;
    size_t capacity;
    uint64_t bytes;
    unsigned cursors;
};

struct block_pool *
block_pool_new(void)
{
    struct block_pool *pool = alloc_zeroed(sizeof(*pool));
    pool->scratch = block_scratch_new();
    return pool;
}

static struct block *
pop(struct block_pool *pool)
{
    struct block *block = pool->spares[--pool->count];
    pool->bytes -= block_memory_bytes(block);
    return block;
}

static void
trim(struct block_pool *pool, uint64_t most)
{
    uint64_t before = pool->bytes;
    while (pool->bytes > most)
        block_free(pop(pool));
    if (before - pool->bytes >= RETURNED_BYTES)
        (void)malloc_trim(0);
}

void
block_pool_free(struct block_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->count > 0)
        block_free(pop(pool));
    free(pool->spares);
    block_scratch_free(pool->scratch);
    free(pool);
}

void
block_pool_enter(struct block_pool *pool)
{
    pool->cursors++;
}

void
block_pool_leave(struct block_pool *pool)
{
    if (--pool->cursors == 0)
        trim(pool, IDLE_BYTES);
}

struct block *
block_pool_take(struct block_pool *pool)
{
    return pool->count > 0 ? pop(pool) : block_new_sharing(pool->scratch);
}

void
block_pool_give(struct block_pool *pool, struct block *block)
{
    if (block == NULL)
        return;
    block_clear(block);
    pool->spares = alloc_grow(pool->spares, pool->count, &pool->capacity, sizeof(struct block *));
    pool->spares[pool->count++] = block;
    pool->bytes += block_memory_bytes(block);
    trim(pool, pool->cursors > 0 ? BLOCK_CACHE_BYTES : IDLE_BYTES);
}
