#include "index/block_cache.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "index/block.h"
#include "index/block_pool.h"
#include "index/segment.h"

#define NOTHING UINT32_MAX

/* rows[number] is in the list of used ones (newer, older; by number) while it has a block. `parting`
 * is one that goes at the next call. */
struct row {
    struct block *block;
    uint32_t newer;
    uint32_t older;
};

struct block_cache {
    struct segment *segment;
    struct block_pool *pool;
    struct row *rows;
    uint32_t count;
    uint32_t newest;
    uint32_t oldest;
    uint32_t parting;
    uint64_t bytes;
};

struct block_cache *
block_cache_new(struct segment *segment, uint32_t block_count, struct block_pool *pool)
{
    struct block_cache *cache = alloc_zeroed(sizeof(*cache));
    cache->segment = segment;
    cache->pool = pool;
    cache->rows = alloc_array(block_count, sizeof(*cache->rows));
    cache->count = block_count;
    cache->newest = cache->oldest = cache->parting = NOTHING;
    return cache;
}

void
block_cache_free(struct block_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->newest != NOTHING)
        block_cache_drop(cache, cache->newest);
    free(cache->rows);
    free(cache);
}

static void
unlink_row(struct block_cache *cache, uint32_t number)
{
    struct row *row = &cache->rows[number];
    if (row->newer == NOTHING)
        cache->newest = row->older;
    else
        cache->rows[row->newer].older = row->older;
    if (row->older == NOTHING)
        cache->oldest = row->newer;
    else
        cache->rows[row->older].newer = row->newer;
}

static void
link_newest(struct block_cache *cache, uint32_t number)
{
    struct row *row = &cache->rows[number];
    row->newer = NOTHING;
    row->older = cache->newest;
    if (cache->newest != NOTHING)
        cache->rows[cache->newest].newer = number;
    else
        cache->oldest = number;
    cache->newest = number;
}

void
block_cache_drop(struct block_cache *cache, uint32_t number)
{
    struct row *row = &cache->rows[number];
    if (row->block == NULL)
        return;
    unlink_row(cache, number);
    cache->bytes -= segment_block(cache->segment, number)->record_bytes;
    block_pool_give(cache->pool, row->block);
    row->block = NULL;
}

void
block_cache_drop_later(struct block_cache *cache, uint32_t number)
{
    if (cache->parting != NOTHING && cache->parting != number)
        block_cache_drop(cache, cache->parting);
    cache->parting = number;
}

const struct block *
block_cache_get(const struct block_cache *cache, uint32_t number, unsigned wanted)
{
    const struct block *block = cache->rows[number].block;
    return block != NULL && (block->loaded & wanted) == wanted ? block : NULL;
}

static struct block *
room_for(struct block_cache *cache, uint64_t bytes)
{
    while (cache->oldest != NOTHING && cache->bytes + bytes > BLOCK_CACHE_BYTES)
        block_cache_drop(cache, cache->oldest);
    return block_pool_take(cache->pool);
}

/* The row of the block, with memory for it, as the one used last. */
static struct row *
use_row(struct block_cache *cache, uint32_t number)
{
    if (cache->parting != NOTHING && cache->parting != number) {
        block_cache_drop(cache, cache->parting);
        cache->parting = NOTHING;
    }
    struct row *row = &cache->rows[number];
    if (row->block == NULL) {
        uint64_t bytes = segment_block(cache->segment, number)->record_bytes;
        row->block = room_for(cache, bytes);
        cache->bytes += bytes;
        link_newest(cache, number);
    } else if (cache->newest != number) {
        unlink_row(cache, number);
        link_newest(cache, number);
    }
    return row;
}

const struct block *
block_cache_read(struct block_cache *cache, uint32_t number, unsigned wanted, struct error *err)
{
    struct row *row = use_row(cache, number);
    if (block_cache_get(cache, number, wanted) != NULL ||
        segment_read_block(cache->segment, number, wanted, row->block, err))
        return row->block;
    block_cache_drop(cache, number);
    return NULL;
}

const struct block *
block_cache_unpack(struct block_cache *cache, uint32_t number, unsigned wanted, struct error *err)
{
    struct row *row = use_row(cache, number);
    if (segment_unpack_block(cache->segment, number, wanted, row->block, err))
        return row->block;
    block_cache_drop(cache, number);
    return NULL;
}

bool
block_cache_event(struct block_cache *cache, uint32_t number, unsigned wanted, uint32_t index,
    struct event *event, struct error *err)
{
    struct row *row = use_row(cache, number);
    if (segment_read_event(cache->segment, number, wanted, index, row->block, event, err))
        return true;
    block_cache_drop(cache, number);
    return false;
}
