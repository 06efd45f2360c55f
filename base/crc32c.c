#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* table[k][b]: the checksum of byte b followed by k zero bytes ("slicing by eight"). */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void
fill_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t byte = 0; byte < 256; byte++)
            table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 0xff];
    }
}

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t length)
{
    (void)pthread_once(&table_once, fill_table);
    const unsigned char *at = data;
    crc = ~crc;
    for (; length >= 8; at += 8, length -= 8) {
        crc ^=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^
              table[4][crc >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^
              table[0][at[7]];
    }
    for (; length > 0; at++, length--)
        crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
/* Bytes per lane of the three-way version: the instruction takes three cycles and can start each
 * cycle, so three independent checksums run for the price of one. */
#define LANE ((size_t)1024)

/* lane_shift[k][b]: what byte k (value b) of a checksum becomes when LANE zero bytes follow. */
static uint32_t lane_shift[4][256];
static pthread_once_t lane_once = PTHREAD_ONCE_INIT;

static void
fill_lane_shift(void)
{
    static const unsigned char zeros[LANE];
    for (unsigned k = 0; k < 4; k++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            /* Undo the final and initial inversions, which crc32c_portable applies. */
            uint32_t state = byte << (8 * k);
            lane_shift[k][byte] = ~crc32c_portable(~state, zeros, LANE);
        }
    }
}

static uint32_t
shift_lane(uint32_t crc)
{
    return lane_shift[0][crc & 0xff] ^ lane_shift[1][crc >> 8 & 0xff] ^
           lane_shift[2][crc >> 16 & 0xff] ^ lane_shift[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint64_t
step(uint64_t crc, const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return _mm_crc32_u64(crc, word);
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const unsigned char *at, size_t length)
{
    (void)pthread_once(&lane_once, fill_lane_shift);
    uint64_t state = ~crc;
    for (; length >= 3 * LANE; at += 3 * LANE, length -= 3 * LANE) {
        uint64_t b = 0;
        uint64_t c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            state = step(state, at + i);
            b = step(b, at + LANE + i);
            c = step(c, at + 2 * LANE + i);
        }
        state = shift_lane((uint32_t)state) ^ (uint32_t)b;
        state = shift_lane((uint32_t)state) ^ (uint32_t)c;
    }
    for (; length >= 8; at += 8, length -= 8)
        state = step(state, at);
    for (; length > 0; at++, length--)
        state = _mm_crc32_u8((uint32_t)state, *at);
    return ~(uint32_t)state;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t length)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42(crc, data, length);
#endif
    return crc32c_portable(crc, data, length);
}
