/* block_cache.h - the decoded blocks that one walk through a segment is using.
 *
 * They are in the memory of the tape's pool, where the block that was used longest ago makes room for others.
 * What the last call returned stays until the next one on this cache.  Threads: the walk's.
 */
#ifndef INDEX_BLOCK_CACHE_H
#define INDEX_BLOCK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct block;
struct block_cache;
struct block_pool;
struct error;
struct event;
struct segment;

/* Blocks come from `pool`, which outlives it. */
struct block_cache *block_cache_new(
    struct segment *segment, uint32_t block_count, struct block_pool *pool);
void block_cache_free(struct block_cache *cache);

/* Block number `number` with the wanted sections (BLOCK_BIT of each). NULL as segment_read_block(). */
const struct block *block_cache_read(
    struct block_cache *cache, uint32_t number, unsigned wanted, struct error *err);

/* The same, unpacked only: segment_unpack_block(). */
const struct block *block_cache_unpack(
    struct block_cache *cache, uint32_t number, unsigned wanted, struct error *err);

/* Event `index` of the block: segment_read_event(). */
bool block_cache_event(struct block_cache *cache, uint32_t number, unsigned wanted, uint32_t index,
    struct event *event, struct error *err);

/* The block if it is at hand with the wanted sections, else NULL. It makes room as early as it would have. */
const struct block *block_cache_get(struct block_cache *cache, uint32_t number, unsigned wanted);

/* The same, and what the last call returned stays instead of it. */
const struct block *block_cache_peek(
    const struct block_cache *cache, uint32_t number, unsigned wanted);

/* Nobody will ask for it again: now, or once something else was read. */
void block_cache_drop(struct block_cache *cache, uint32_t number);
void block_cache_drop_later(struct block_cache *cache, uint32_t number);

#endif
