#include "index/block_cache.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "index/block.h"
#include "index/block_pool.h"
#include "index/segment.h"

#define NOTHING UINT32_MAX

/* user.rows[number] is the block while it is here. `parting` is one that goes at the next call. */
struct block_cache {
    struct segment *segment;
    struct block_pool *pool;
    struct block_user user;
    uint32_t count;
    uint32_t parting;
};

struct block_cache *
block_cache_new(struct segment *segment, uint32_t block_count, struct block_pool *pool)
{
    struct block_cache *cache = alloc_zeroed(sizeof(*cache));
    cache->segment = segment;
    cache->pool = pool;
    cache->user.rows = alloc_array(block_count, sizeof(struct block_hold *));
    cache->user.current = cache->parting = NOTHING;
    cache->count = block_count;
    return cache;
}

void
block_cache_free(struct block_cache *cache)
{
    if (cache == NULL)
        return;
    for (uint32_t number = 0; number < cache->count; number++)
        block_cache_drop(cache, number);
    free(cache->user.rows);
    free(cache);
}

void
block_cache_drop(struct block_cache *cache, uint32_t number)
{
    block_pool_give(cache->pool, cache->user.rows[number]);
}

void
block_cache_drop_later(struct block_cache *cache, uint32_t number)
{
    if (cache->parting != NOTHING && cache->parting != number)
        block_cache_drop(cache, cache->parting);
    cache->parting = number;
}

const struct block *
block_cache_peek(const struct block_cache *cache, uint32_t number, unsigned wanted)
{
    const struct block_hold *hold = cache->user.rows[number];
    return hold != NULL && (hold->block->loaded & wanted) == wanted ? hold->block : NULL;
}

const struct block *
block_cache_get(struct block_cache *cache, uint32_t number, unsigned wanted)
{
    const struct block *block = block_cache_peek(cache, number, wanted);
    if (block != NULL)
        cache->user.current = number;
    return block;
}

/* The block, with memory for it, as the one used last. */
static struct block_hold *
use_row(struct block_cache *cache, uint32_t number)
{
    if (cache->parting != NOTHING && cache->parting != number) {
        block_cache_drop(cache, cache->parting);
        cache->parting = NOTHING;
    }
    struct block_hold *hold = cache->user.rows[number];
    cache->user.current = NOTHING; /* what was looked at until now may make room */
    if (hold == NULL)
        return block_pool_take(
            cache->pool, &cache->user, number, segment_block(cache->segment, number)->record_bytes);
    block_pool_use(cache->pool, hold);
    return hold;
}

/* What was read into it stays, or, when it could not be read, it goes. */
static const struct block *
settle(struct block_cache *cache, struct block_hold *hold, bool was_read)
{
    block_pool_settle(cache->pool, hold);
    if (was_read)
        return hold->block;
    block_pool_give(cache->pool, hold);
    return NULL;
}

const struct block *
block_cache_read(struct block_cache *cache, uint32_t number, unsigned wanted, struct error *err)
{
    struct block_hold *hold = use_row(cache, number);
    if (block_cache_peek(cache, number, wanted) != NULL)
        return hold->block;
    return settle(
        cache, hold, segment_read_block(cache->segment, number, wanted, hold->block, err));
}

const struct block *
block_cache_unpack(struct block_cache *cache, uint32_t number, unsigned wanted, struct error *err)
{
    struct block_hold *hold = use_row(cache, number);
    return settle(
        cache, hold, segment_unpack_block(cache->segment, number, wanted, hold->block, err));
}

bool
block_cache_event(struct block_cache *cache, uint32_t number, unsigned wanted, uint32_t index,
    struct event *event, struct error *err)
{
    struct block_hold *hold = use_row(cache, number);
    bool was_read =
        segment_read_event(cache->segment, number, wanted, index, hold->block, event, err);
    return settle(cache, hold, was_read) != NULL;
}
