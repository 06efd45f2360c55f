#include "index/header_pack.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/* Eight digits to four bytes; wrong for what is not a digit, which the way back shows. */
static uint32_t
bytes_of_digits(uint64_t digits)
{
    uint64_t nibbles = ((digits & EACH(15)) + (digits >> 6 & EACH(1)) * 9) & EACH(15);
    uint64_t pairs = (nibbles << 4 | nibbles >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    pairs = (pairs | pairs >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(pairs | pairs >> 16);
}

bool
hex_pack(const unsigned char *text, unsigned char *to, size_t bytes)
{
    uint64_t differs = 0;
    for (size_t i = 0; i < bytes; i += 4) {
        uint64_t digits;
        memcpy(&digits, text + 2 * i, sizeof(digits));
        digits = le64toh(digits);
        uint32_t packed = bytes_of_digits(digits);
        differs |= digits ^ digits_of(packed);
        packed = htole32(packed);
        memcpy(to + i, &packed, sizeof(packed));
    }
    return differs == 0;
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
    __m128i letters = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
    __m128i digits = _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')),
        _mm_and_si128(letters, _mm_set1_epi8('a' - '0' - 10)));
    _mm_storeu_si128((void *)text, digits);
}
#else
static void
unpack_eight(const unsigned char from[8], unsigned char text[16])
{
    for (size_t i = 0; i < 8; i += 4) {
        uint32_t packed;
        memcpy(&packed, from + i, sizeof(packed));
        uint64_t digits = htole64(digits_of(le32toh(packed)));
        memcpy(text + 2 * i, &digits, sizeof(digits));
    }
}
#endif

void
hex_unpack(const unsigned char *from, unsigned char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 8)
        unpack_eight(from + i, text + 2 * i);
}

bool
uuid_pack(const unsigned char text[UUID_TEXT], unsigned char to[16])
{
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
        return false;
    unsigned char digits[32];
    memcpy(digits, text, 8);
    memcpy(digits + 8, text + 9, 4);
    memcpy(digits + 12, text + 14, 4);
    memcpy(digits + 16, text + 19, 4);
    memcpy(digits + 20, text + 24, 12);
    return hex_pack(digits, to, 16);
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

/* Two digits stand for the flags: too short for hex_pack(), so six zeros are put behind them. */
bool
traceparent_pack(const unsigned char text[TRACEPARENT_TEXT], unsigned char to[TRACEPARENT_BYTES])
{
    unsigned char flags[8] = {text[53], text[54], '0', '0', '0', '0', '0', '0'};
    unsigned char packed[4];
    if (memcmp(text, "00-", 3) != 0 || text[35] != '-' || text[52] != '-' ||
        !hex_pack(text + 3, to, TRACE_BYTES) ||
        !hex_pack(text + 36, to + TRACE_BYTES, SPAN_BYTES) || !hex_pack(flags, packed, 4))
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
