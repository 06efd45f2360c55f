/* bytes.h - a view of bytes that someone else owns, and a buffer that grows.
 *
 * In a view, null is not empty: data == NULL means "there is none" (a null key, a tombstone),
 * length == 0 with data != NULL means "empty". Passed by value; its owner's header says how long
 * it lives.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const unsigned char *data;
    size_t length;
};

#define BYTES_NULL ((struct bytes){NULL, 0})

/* A view of a C string without its terminator; NULL gives the null view. */
struct bytes bytes_of(const char *text);

static inline struct bytes
bytes_make(const void *data, size_t length)
{
    return (struct bytes){(const unsigned char *)data, length};
}

/* True when both are null, or both are not and hold the same bytes. */
bool bytes_equal(struct bytes a, struct bytes b);

bool bytes_equal_text(struct bytes a, const char *text);

/* Order by content as memcmp does, shorter first when one is a prefix; null before empty. */
int bytes_compare(struct bytes a, struct bytes b);

/* True when `bytes` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms). Null is not. */
bool bytes_is_utf8(struct bytes bytes);

/* A growing array of bytes that its owner keeps; zero-initialise it, end it with buffer_done(). */
struct buffer {
    unsigned char *data;
    size_t length;
    size_t capacity;
};

void buffer_done(struct buffer *buffer);

/* What buffer_reserve() does when there is no room yet. */
unsigned char *buffer_grow(struct buffer *buffer, size_t more);

/* Make room for `more` bytes behind the present ones and return where they go. The length stays. Inline, with
 * the two below: every value of every event is appended to something. */
static inline unsigned char *
buffer_reserve(struct buffer *buffer, size_t more)
{
    if (more > buffer->capacity - buffer->length || buffer->data == NULL)
        return buffer_grow(buffer, more);
    return buffer->data + buffer->length;
}

/* Make room for `capacity` bytes in all, and for no more: what is large and whose size is known must
 * not take up to twice as much. */
void buffer_reserve_total(struct buffer *buffer, size_t capacity);

static inline void
buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    unsigned char *to = buffer_reserve(buffer, length);
    if (length > 0)
        memcpy(to, data, length);
    buffer->length += length;
}

static inline void
buffer_append_byte(struct buffer *buffer, unsigned char byte)
{
    *buffer_reserve(buffer, 1) = byte;
    buffer->length++;
}

void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The content as a C string: a terminator is put behind it, not counted. */
const char *buffer_text(struct buffer *buffer);

/* Little-endian integers at any address. Inline: readers of records call them millions of times. */
static inline uint16_t
load_u16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof(value));
    return le16toh(value);
}

static inline uint32_t
load_u32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return le32toh(value);
}

static inline uint64_t
load_u64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return le64toh(value);
}

static inline void
store_u16(void *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof(value));
}

static inline void
store_u32(void *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
}

static inline void
store_u64(void *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof(value));
}

/* LEB128 unsigned integers. varint_put writes at most VARINT_MAX bytes and returns how many;
 * varint_get moves *at forward and returns false when the bytes end too early or overflow. */
#define VARINT_MAX 10
static inline size_t
varint_put(unsigned char *to, uint64_t value)
{
    size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        to[length++] = (unsigned char)(value | 0x80);
    to[length++] = (unsigned char)value;
    return length;
}

bool varint_get(struct bytes from, size_t *at, uint64_t *value);

/* Append `bytes` as RFC 4648 base64 with padding. */
void base64_append(struct buffer *buffer, struct bytes bytes);

/* Decode base64 text and append what it says; false (nothing appended) when it is not base64. */
bool base64_decode(struct buffer *buffer, struct bytes text);

/* The digit of a value's last four bits, in lower case. */
static inline char
hex_digit(uint32_t value)
{
    return "0123456789abcdef"[value & 15];
}

/* What a digit stands for, in either case; -1 when it is none. */
int hex_value(char digit);

/* Write `bytes` as two digits each, without a terminator. */
void hex_put(char *to, struct bytes bytes);

#endif
