/* token_index.h - which blocks of a segment may hold a value: pages of a footer section.
 *
 * docs/FORMAT-segment.md, "Token index". The page that a token belongs to follows from the token, and can be
 * trusted alone: one read of 4 KiB answers for a whole segment. Like a filter it only excludes: a token that is
 * not there is found in some block once in about 400 times.
 *
 * Threads: any.
 */
#ifndef INDEX_TOKEN_INDEX_H
#define INDEX_TOKEN_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define TOKEN_PAGE_BYTES 4096u

/* One more than the last block that it can name. */
#define TOKEN_BLOCKS_MAX (UINT32_C(1) << 20)

#define TOKEN_PAGES_MAX (UINT32_C(1) << 20)

/* ---- sets of blocks: bit i % 64 of word i / 64 ---- */

static inline size_t
block_set_words(uint32_t block_count)
{
    return (size_t)block_count / 64 + 1;
}

static inline void
block_set_add(uint64_t *set, uint32_t block)
{
    set[block / 64] |= UINT64_C(1) << block % 64;
}

static inline bool
block_set_has(const uint64_t *set, uint32_t block)
{
    return (set[block / 64] >> block % 64 & 1) != 0;
}

/* ---- reading ---- */

/* The number of the page of the token, in an index of so many. */
uint32_t token_index_page(uint32_t pages, uint64_t token);

/* How many pages the index has that `page` is one of. */
uint32_t token_page_total(const unsigned char page[TOKEN_PAGE_BYTES]);

/* Is it, whole, page `number` of an index of `pages` pages? */
bool token_page_is_whole(
    const unsigned char page[TOKEN_PAGE_BYTES], uint32_t number, uint32_t pages);

/* False: surely no block holds the token, whose page it is, and which is whole. Else those that may are added to
 * `blocks`, a set for block_count blocks; NULL: only the answer is wanted. All of them when the page is not
 * understood. */
bool token_page_find(const unsigned char page[TOKEN_PAGE_BYTES], uint64_t token, uint64_t *blocks,
    uint32_t block_count);

/* ---- writing ---- */

/* What is written down of "block `block` holds `token`". */
static inline uint64_t
token_pair(uint64_t token, uint32_t block)
{
    return (token & ~(uint64_t)(TOKEN_BLOCKS_MAX - 1)) | block;
}

/* Append the pages of an index of `pairs`, each there once, in the order of their blocks; they are sorted, and
 * `room`, as many, is used too. Blocks are 0 .. block_count - 1, at most TOKEN_BLOCKS_MAX. */
void token_index_write(
    uint64_t *pairs, uint64_t *room, size_t count, uint32_t block_count, struct buffer *to);

#endif
