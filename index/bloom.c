#include "index/bloom.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WORDS 8

/* Of the Parquet format, "BloomFilter.md". */
static const uint32_t salts[WORDS] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
    0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

uint64_t
bloom_tape_seed(const unsigned char uuid[BLOOM_UUID_BYTES])
{
    return load_u64(uuid) ^ load_u64(uuid + 8);
}

uint64_t
bloom_kind_seed(uint64_t tape_seed, struct bytes kind)
{
    return XXH3_64bits_withSeed(kind.data, kind.length, tape_seed);
}

uint64_t
bloom_token(uint64_t kind_seed, struct bytes value)
{
    return XXH3_64bits_withSeed(value.data, value.length, kind_seed);
}

uint32_t
bloom_block_of(uint32_t blocks, uint64_t token)
{
    return (uint32_t)((token >> 32) * blocks >> 32);
}

static uint32_t
bit_of(uint64_t token, size_t word)
{
    return UINT32_C(1) << ((uint32_t)token * salts[word] >> 27);
}

bool
bloom_may_hold(const unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token)
{
    /* Most blocks that are asked do not hold the token, and half of their bits are set: the first or
     * second word says so. */
    for (size_t i = 0; i < WORDS; i++)
        if ((load_u32(block + i * sizeof(uint32_t)) & bit_of(token, i)) == 0)
            return false;
    return true;
}
