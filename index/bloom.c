#include "index/bloom.h"

#include <endian.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

#define BITS_PER_TOKEN UINT64_C(12)
#define WORDS          8

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
bloom_blocks_for(size_t tokens)
{
    uint64_t bits_per_block = (uint64_t)BLOOM_BLOCK_BYTES * 8;
    uint64_t blocks = (tokens * BITS_PER_TOKEN + bits_per_block - 1) / bits_per_block;
    return blocks == 0 ? 1 : (uint32_t)blocks;
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

static void
add_portable(unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token)
{
    uint32_t words[WORDS];
    memcpy(words, block, sizeof(words));
    for (size_t i = 0; i < WORDS; i++)
        words[i] |= htole32(bit_of(token, i));
    memcpy(block, words, sizeof(words));
}

#if defined(__x86_64__)
/* All eight words at once. */
__attribute__((target("avx2"))) static void
add_avx2(unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token)
{
    __m256i words = _mm256_loadu_si256((const void *)block);
    __m256i places = _mm256_srli_epi32(_mm256_mullo_epi32(_mm256_set1_epi32((int)(uint32_t)token),
                                           _mm256_loadu_si256((const void *)salts)),
        27);
    __m256i bits = _mm256_sllv_epi32(_mm256_set1_epi32(1), places);
    _mm256_storeu_si256((void *)block, _mm256_or_si256(words, bits));
}
#endif

void
bloom_add(unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_avx2(block, token);
        return;
    }
#endif
    add_portable(block, token);
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
