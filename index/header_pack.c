#include "index/header_pack.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/bytes.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight hex digits, first digit in the lowest byte, of four bytes, first byte in the lowest. */
static uint64_t
digits_of(uint32_t bytes)
{
    uint64_t spread = bytes;
    spread = (spread | spread << 16) & UINT64_C(0x0000ffff0000ffff);
    spread = (spread | spread << 8) & UINT64_C(0x00ff00ff00ff00ff);
    uint64_t nibbles =
        (spread >> 4 & UINT64_C(0x000f000f000f000f)) | (spread & UINT64_C(0x000f000f000f000f)) << 8;
    uint64_t is_letter = (nibbles + EACH(6)) >> 4 & EACH(1);
    return nibbles + EACH('0') + is_letter * ('a' - '0' - 10);
}

/* Sixteen digits, the first in the lowest byte of `first`, to eight bytes. What is not a digit is packed wrong,
 * which the way back shows. */
#if defined(__SSE2__)
static __m128i
digits_of_nibbles(__m128i nibbles)
{
    __m128i letters = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
    return _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')),
        _mm_and_si128(letters, _mm_set1_epi8('a' - '0' - 10)));
}

static bool
pack_eight(uint64_t first, uint64_t second, unsigned char to[8])
{
    __m128i low_bits = _mm_set1_epi8(15);
    __m128i digits = _mm_set_epi64x((int64_t)second, (int64_t)first);
    __m128i letters = _mm_cmpgt_epi8(digits, _mm_set1_epi8('9'));
    __m128i nibbles =
        _mm_and_si128(_mm_add_epi8(digits, _mm_and_si128(letters, _mm_set1_epi8(9))), low_bits);
    __m128i pairs = _mm_or_si128(_mm_slli_epi16(nibbles, 4), _mm_srli_epi16(nibbles, 8));
    pairs = _mm_and_si128(pairs, _mm_set1_epi16(0xff));
    _mm_storel_epi64((void *)to, _mm_packus_epi16(pairs, pairs));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(digits_of_nibbles(nibbles), digits)) == 0xffff;
}
#else
static bool
pack_four(uint64_t digits, unsigned char to[4])
{
    uint64_t nibbles = ((digits & EACH(15)) + (digits >> 6 & EACH(1)) * 9) & EACH(15);
    uint64_t pairs = (nibbles << 4 | nibbles >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    pairs = (pairs | pairs >> 8) & UINT64_C(0x0000ffff0000ffff);
    uint32_t packed = (uint32_t)(pairs | pairs >> 16);
    store_u32(to, packed);
    return digits == digits_of(packed);
}

static bool
pack_eight(uint64_t first, uint64_t second, unsigned char to[8])
{
    bool good = pack_four(first, to);
    return pack_four(second, to + 4) && good;
}
#endif

bool
hex_pack(const unsigned char *text, unsigned char *to, size_t bytes)
{
    bool good = true;
    for (size_t i = 0; i < bytes; i += 8)
        good = pack_eight(load_u64(text + 2 * i), load_u64(text + 2 * i + 8), to + i) && good;
    return good;
}

/* Eight bytes to sixteen digits: what readers of events spend most of their time on. */
#if defined(__SSE2__)
static void
unpack_eight(const unsigned char from[8], unsigned char text[16])
{
    __m128i low_bits = _mm_set1_epi8(15);
    __m128i bytes = _mm_loadl_epi64((const void *)from);
    __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), low_bits);
    __m128i nibbles = _mm_unpacklo_epi8(high, _mm_and_si128(bytes, low_bits));
    _mm_storeu_si128((void *)text, digits_of_nibbles(nibbles));
}
#else
static void
unpack_eight(const unsigned char from[8], unsigned char text[16])
{
    store_u64(text, digits_of(load_u32(from)));
    store_u64(text + 8, digits_of(load_u32(from + 4)));
}
#endif

void
hex_unpack(const unsigned char *from, unsigned char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 8)
        unpack_eight(from + i, text + 2 * i);
}

static uint64_t
both(uint32_t first, uint32_t second)
{
    return first | (uint64_t)second << 32;
}

bool
uuid_pack(const unsigned char text[UUID_TEXT], unsigned char to[16])
{
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
        return false;
    bool good = pack_eight(load_u64(text), both(load_u32(text + 9), load_u32(text + 14)), to);
    return pack_eight(
               both(load_u32(text + 19), load_u32(text + 24)), load_u64(text + 28), to + 8) &&
           good;
}

void
uuid_unpack(const unsigned char from[16], unsigned char text[UUID_TEXT])
{
    unsigned char digits[32];
    hex_unpack(from, digits, 16);
    memcpy(text, digits, 8);
    memcpy(text + 9, digits + 8, 4);
    memcpy(text + 14, digits + 12, 4);
    memcpy(text + 19, digits + 16, 4);
    memcpy(text + 24, digits + 20, 12);
    text[8] = text[13] = text[18] = text[23] = '-';
}

/* Two digits stand for the flags: zeros are put behind them. */
bool
traceparent_pack(const unsigned char text[TRACEPARENT_TEXT], unsigned char to[TRACEPARENT_BYTES])
{
    uint64_t flags = (EACH('0') & ~UINT64_C(0xffff)) | load_u16(text + 53);
    unsigned char packed[8];
    if (memcmp(text, "00-", 3) != 0 || text[35] != '-' || text[52] != '-' ||
        !hex_pack(text + 3, to, TRACE_BYTES) ||
        !hex_pack(text + 36, to + TRACE_BYTES, SPAN_BYTES) || !pack_eight(flags, EACH('0'), packed))
        return false;
    to[TRACE_BYTES + SPAN_BYTES] = packed[0];
    return true;
}

void
traceparent_unpack(const unsigned char trace[TRACE_BYTES], const unsigned char span[SPAN_BYTES],
    unsigned char flags, unsigned char text[TRACEPARENT_TEXT])
{
    uint64_t digits = digits_of(flags);
    text[0] = text[1] = '0';
    text[2] = '-';
    hex_unpack(trace, text + 3, TRACE_BYTES);
    text[35] = '-';
    hex_unpack(span, text + 36, SPAN_BYTES);
    text[52] = '-';
    text[53] = (unsigned char)digits;
    text[54] = (unsigned char)(digits >> 8);
}
