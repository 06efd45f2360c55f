#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct bytes
bytes_of(const char *text)
{
    return (struct bytes){(const unsigned char *)text, text == NULL ? 0 : strlen(text)};
}

bool
bytes_equal(struct bytes a, struct bytes b)
{
    if (a.data == NULL || b.data == NULL)
        return a.data == NULL && b.data == NULL;
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

bool
bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of(text));
}

int
bytes_compare(struct bytes a, struct bytes b)
{
    if (a.data == NULL || b.data == NULL)
        return (a.data != NULL) - (b.data != NULL);

    size_t shared = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.data, b.data, shared);
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

/* How many continuation bytes follow the lead byte, or -1; *low and *high bound the first of them,
 * which is what rules out overlong forms, surrogates and code points above U+10FFFF. */
static int
utf8_tail(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead < 0x80)
        return 0;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef) {
        *low = lead == 0xe0 ? 0xa0 : 0x80;
        *high = lead == 0xed ? 0x9f : 0xbf;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *low = lead == 0xf0 ? 0x90 : 0x80;
        *high = lead == 0xf4 ? 0x8f : 0xbf;
        return 3;
    }
    return -1;
}

bool
bytes_is_utf8(struct bytes bytes)
{
    if (bytes.data == NULL)
        return false;

    size_t i = 0;
    while (i < bytes.length) {
        unsigned char low;
        unsigned char high;
        int tail = utf8_tail(bytes.data[i++], &low, &high);
        if (tail < 0 || bytes.length - i < (size_t)tail)
            return false;
        for (int k = 0; k < tail; k++, i++) {
            if (bytes.data[i] < low || bytes.data[i] > high)
                return false;
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}

void
buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

unsigned char *
buffer_grow(struct buffer *buffer, size_t more)
{
    size_t needed = buffer->length + more;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < needed)
        capacity *= 2;
    buffer->data = alloc_resize(buffer->data, capacity);
    buffer->capacity = capacity;
    return buffer->data + buffer->length;
}

void
buffer_reserve_total(struct buffer *buffer, size_t capacity)
{
    if (capacity <= buffer->capacity)
        return;
    buffer->data = alloc_resize(buffer->data, capacity);
    buffer->capacity = capacity;
}

void
buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0) {
        unsigned char *to = buffer_reserve(buffer, (size_t)length + 1);
        (void)vsnprintf((char *)to, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

const char *
buffer_text(struct buffer *buffer)
{
    *buffer_reserve(buffer, 1) = '\0';
    return (const char *)buffer->data;
}

bool
varint_get(struct bytes from, size_t *at, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (*at >= from.length)
            return false;
        unsigned char byte = from.data[(*at)++];
        if (shift == 63 && byte > 1)
            return false;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return false;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_append(struct buffer *buffer, struct bytes bytes)
{
    unsigned char *to = buffer_reserve(buffer, (bytes.length + 2) / 3 * 4);
    unsigned char *start = to;
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t rest = bytes.length - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        if (rest > 1)
            group |= (uint32_t)bytes.data[i + 1] << 8;
        if (rest > 2)
            group |= bytes.data[i + 2];
        *to++ = (unsigned char)base64_digits[group >> 18];
        *to++ = (unsigned char)base64_digits[group >> 12 & 63];
        *to++ = (unsigned char)(rest > 1 ? base64_digits[group >> 6 & 63] : '=');
        *to++ = (unsigned char)(rest > 2 ? base64_digits[group & 63] : '=');
    }
    buffer->length += (size_t)(to - start);
}

static int
base64_value(unsigned char digit)
{
    const char *found = digit == '\0' ? NULL : strchr(base64_digits, digit);
    return found == NULL ? -1 : (int)(found - base64_digits);
}

bool
base64_decode(struct buffer *buffer, struct bytes text)
{
    if (text.length % 4 != 0)
        return false;

    size_t before = buffer->length;
    for (size_t i = 0; i < text.length; i += 4) {
        const unsigned char *digits = text.data + i;
        bool last = i + 4 == text.length;
        int padding = last ? (digits[3] == '=') + (digits[3] == '=' && digits[2] == '=') : 0;
        uint32_t group = 0;
        for (int k = 0; k < 4; k++) {
            int value = k >= 4 - padding ? 0 : base64_value(digits[k]);
            if (value < 0) {
                buffer->length = before;
                return false;
            }
            group = group << 6 | (uint32_t)value;
        }
        unsigned char out[3] = {
            (unsigned char)(group >> 16), (unsigned char)(group >> 8), (unsigned char)group};
        buffer_append(buffer, out, (size_t)(3 - padding));
    }
    return true;
}

int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

void
hex_put(char *to, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        *to++ = hex_digit(bytes.data[i] >> 4);
        *to++ = hex_digit(bytes.data[i]);
    }
}
