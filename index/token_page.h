/* token_page.h - how a page of a token index is laid out: shared by its reader and its writer.
 *
 *     0     entries in each of the 256 buckets, a byte each
 *     256   common tokens: u32 print, and a bit for each block
 *     ...   entries, bucket by bucket: print, then block, so many bits each, without gaps
 *     4076  what the page says of itself, and its checksum
 *
 * Threads: any.
 */
#ifndef INDEX_TOKEN_PAGE_H
#define INDEX_TOKEN_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "index/token_index.h"

#define PAGE_BUCKETS       256u
#define PAGE_AT_BLOCKS     4076u
#define PAGE_AT_COMMONS    4080u
#define PAGE_AT_PRINT_BITS 4082u
#define PAGE_AT_FLAGS      4083u
#define PAGE_AT_TOTAL      4084u
#define PAGE_AT_NUMBER     4088u
#define PAGE_AT_CRC        4092u
#define PAGE_ROOM          (PAGE_AT_BLOCKS - PAGE_BUCKETS) /* for common tokens and entries */
#define PAGE_IS_OVER       1u /* a flag: more belongs into it than it has room for; it excludes nothing */
#define PRINT_BITS         11u
#define PRINT_BITS_MAX     24u
#define COMMON_HEAD_BYTES  4u

#define TOKEN_BLOCK_BITS 20u /* of a pair, and not looked at in a token */
#define TOKEN_BITS       (64u - TOKEN_BLOCK_BITS)
#define BUCKET_BITS      8u

/* Where in its page a token belongs: the bits behind the point of its place among all pages. */
static inline uint64_t
token_place(uint32_t pages, uint64_t token)
{
    return (token >> TOKEN_BLOCK_BITS) * pages & ((UINT64_C(1) << TOKEN_BITS) - 1);
}

static inline uint32_t
token_bucket(uint64_t place)
{
    return (uint32_t)(place >> (TOKEN_BITS - BUCKET_BITS));
}

static inline uint64_t
token_print(uint64_t place, unsigned print_bits)
{
    return place >> (TOKEN_BITS - BUCKET_BITS - print_bits) & ((UINT64_C(1) << print_bits) - 1);
}

static inline uint32_t
token_common_print(uint64_t place)
{
    return (uint32_t)(place >> (TOKEN_BITS - 32));
}

/* Bits that number the blocks 0 .. block_count - 1. */
static inline unsigned
token_block_bits(uint32_t block_count)
{
    unsigned bits = 0;
    while (bits < TOKEN_BLOCK_BITS && UINT32_C(1) << bits < block_count)
        bits++;
    return bits;
}

static inline size_t
token_common_bytes(uint32_t block_count)
{
    return COMMON_HEAD_BYTES + ((size_t)block_count + 7) / 8;
}

#endif
