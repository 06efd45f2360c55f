/* unpack.h - what the libraries that compress need alone for the segments of a tape: what no search can be faster than.
 *
 * Threads: any.
 */
#ifndef BENCH_UNPACK_H
#define BENCH_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

struct unpacked {
    uint64_t blocks;
    uint64_t events;
    uint64_t payload_bytes; /* as they are in the blocks */
    double
        seconds; /* of the processor's time, in ZSTD_decompressDCtx() and LZ4_decompress_safe() */
};

/* Decompress each section of each block in `directory`, or with `only_payloads` those of the payloads. What cannot be
 * read ends the process. */
struct unpacked unpack_tape(const char *directory, bool only_payloads);

#endif
