/* bloom.h - which values a segment, or a block of it, may hold: split-block Bloom filters.
 *
 * docs/FORMAT.md, "Filters". A filter says "no" (then the value is not there) or "perhaps" (wrong for
 * about one value in 200). Tokens are hashed with a seed from the tape's uuid, so that nobody who
 * chooses keys can fill the filters of a tape he does not know.
 *
 * Threads: any; one at a time may add.
 */
#ifndef INDEX_BLOOM_H
#define INDEX_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define BLOOM_UUID_BYTES  16
#define BLOOM_BLOCK_BYTES 32u

uint64_t bloom_tape_seed(const unsigned char uuid[BLOOM_UUID_BYTES]);
uint64_t bloom_kind_seed(uint64_t tape_seed, struct bytes kind);
uint64_t bloom_token(uint64_t kind_seed, struct bytes value);

/* How many blocks of 32 bytes a filter for so many different tokens has; at least 1. */
uint32_t bloom_blocks_for(size_t tokens);

/* The block of a filter that answers for a token. */
uint32_t bloom_block_of(uint32_t blocks, uint64_t token);

/* Add to, or ask, that block. */
void bloom_add(unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token);
bool bloom_may_hold(const unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token);

#endif
