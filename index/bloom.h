/* bloom.h - tokens, and the filters of segments that have no token index: split-block Bloom filters.
 *
 * docs/FORMAT-segment.md, "Tokens" and "Filters". A filter says "no" (then the value is not there) or "perhaps"
 * (wrong for about one value in 200). Tokens are hashed with a seed from the tape's uuid, so that nobody who
 * chooses keys can make them meet in a tape he does not know.
 *
 * Threads: any.
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

/* The block of a filter that answers for a token. */
uint32_t bloom_block_of(uint32_t blocks, uint64_t token);

/* Ask that block. */
bool bloom_may_hold(const unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token);

/* The pages of SEGMENT_FILTER. */
#define FILTER_PAGE_BYTES  4096u
#define FILTER_PAGE_BLOCKS 127u
#define FILTER_PAGE_TOTAL  4084u /* where a page says how many blocks the filter has, */
#define FILTER_PAGE_NUMBER 4088u /* which page it is, */
#define FILTER_PAGE_CRC    4092u /* and its checksum */

#endif
