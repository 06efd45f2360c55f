#include "index/column.h"

#include <string.h>

enum {
    AT_ENCODING = 0,
    AT_WIDTH = 1,
    AT_SCALE = 2,
    AT_BASE = 4,
    HEADER_BYTES = 12,
};

enum encoding {
    ENCODING_PLAIN = 0,
    ENCODING_STEPS = 1,
};

/* Times of most transports are whole milli- or microseconds: the zeros are left out. */
static const int64_t scales[] = {1, 1000, 1000000, 1000000000};

#define SCALE_COUNT (sizeof(scales) / sizeof(scales[0]))

static uint64_t
zigzag(int64_t value)
{
    uint64_t bits = (uint64_t)value;
    return bits << 1 ^ (UINT64_C(0) - (bits >> 63));
}

static uint64_t
unzigzag(uint64_t value)
{
    return value >> 1 ^ (UINT64_C(0) - (value & 1));
}

/* Append the numbers in as many planes as the largest needs. */
static void
put_planes(struct buffer *to, enum encoding encoding, unsigned scale, uint64_t base,
    const uint64_t *numbers, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all |= numbers[i];
    unsigned width = 0;
    for (; all != 0; all >>= 8)
        width++;

    unsigned char *at = buffer_reserve(to, HEADER_BYTES + width * count);
    at[AT_ENCODING] = (unsigned char)encoding;
    at[AT_WIDTH] = (unsigned char)width;
    at[AT_SCALE] = (unsigned char)scale;
    at[AT_SCALE + 1] = 0;
    store_u64(at + AT_BASE, base);
    at += HEADER_BYTES;
    for (unsigned plane = 0; plane < width; plane++, at += count) {
        for (size_t i = 0; i < count; i++)
            at[i] = (unsigned char)(numbers[i] >> (8 * plane));
    }
    to->length += HEADER_BYTES + width * count;
}

void
column_put_plain(struct buffer *to, uint64_t *values, size_t count)
{
    uint64_t minimum = values[0];
    for (size_t i = 1; i < count; i++)
        minimum = values[i] < minimum ? values[i] : minimum;
    for (size_t i = 0; i < count; i++)
        values[i] -= minimum;
    put_planes(to, ENCODING_PLAIN, 0, minimum, values, count);
}

/* The largest scale that divides all steps. */
static unsigned
common_scale(const uint64_t *steps, size_t count)
{
    unsigned scale = SCALE_COUNT - 1;
    for (size_t i = 0; i < count && scale > 0; i++) {
        while (scale > 0 && (int64_t)steps[i] % scales[scale] != 0)
            scale--;
    }
    return scale;
}

void
column_put_steps(struct buffer *to, uint64_t *values, size_t count)
{
    uint64_t first = values[0];
    uint64_t before = first;
    for (size_t i = 1; i < count; i++) {
        uint64_t value = values[i];
        values[i] = value - before;
        before = value;
    }
    uint64_t *steps = values + 1;
    unsigned scale = common_scale(steps, count - 1);
    for (size_t i = 0; i < count - 1; i++) {
        int64_t step = (int64_t)steps[i];
        steps[i] = zigzag(scale == 0 ? step : step / scales[scale]);
    }
    put_planes(to, ENCODING_STEPS, scale, first, steps, count - 1);
}

static void
get_planes(const unsigned char *from, unsigned width, uint64_t *numbers, size_t count)
{
    if (width == 0) {
        memset(numbers, 0, count * sizeof(*numbers));
        return;
    }
    for (size_t i = 0; i < count; i++)
        numbers[i] = from[i];
    for (unsigned plane = 1; plane < width; plane++) {
        const unsigned char *bytes = from + plane * count;
        for (size_t i = 0; i < count; i++)
            numbers[i] |= (uint64_t)bytes[i] << (8 * plane);
    }
}

bool
column_get(struct bytes from, size_t *at, uint64_t *values, size_t count)
{
    if (from.length - *at < HEADER_BYTES)
        return false;
    const unsigned char *head = from.data + *at;
    unsigned encoding = head[AT_ENCODING];
    unsigned width = head[AT_WIDTH];
    unsigned scale = head[AT_SCALE];
    uint64_t base = load_u64(head + AT_BASE);
    if (encoding > ENCODING_STEPS || width > 8 || scale >= SCALE_COUNT)
        return false;

    size_t stored = encoding == ENCODING_STEPS ? count - 1 : count;
    if (width > 0 && (from.length - *at - HEADER_BYTES) / width < stored)
        return false;
    *at += HEADER_BYTES + width * stored;
    get_planes(head + HEADER_BYTES, width, values + (count - stored), stored);
    if (encoding == ENCODING_PLAIN) {
        for (size_t i = 0; i < count; i++)
            values[i] += base;
        return true;
    }
    uint64_t unit = (uint64_t)scales[scale];
    values[0] = base;
    for (size_t i = 1; i < count; i++)
        values[i] = values[i - 1] + unzigzag(values[i]) * unit;
    return true;
}
