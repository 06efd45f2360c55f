/* The writer of header shapes; docs/FORMAT.md, "HDR". */
#include "index/header_shape.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/alloc.h"
#include "index/header_pack.h"

#define SHAPES_MAX       255u
#define SHAPE_SLOTS      1024u /* a power of two, well above SHAPES_MAX */
#define SHAPE_MAX_BYTES  4096u
#define DESCRIPTION_ROOM (SHAPE_MAX_BYTES + 2u * VARINT_MAX)

/* A shape's description is descriptions.data[start .. start + length), as it will be on disk. */
struct shape {
    uint32_t start;
    uint32_t length;
};

struct header_writer {
    struct buffer descriptions;
    struct shape shapes[SHAPES_MAX];
    unsigned shape_count;
    unsigned last; /* most events have the shape of the one before */
    uint16_t slots[SHAPE_SLOTS];
    struct buffer numbers; /* one per event */
    struct buffer streams[STREAM_COUNT];
    unsigned char description[DESCRIPTION_ROOM]; /* of the list being added */
};

struct header_writer *
header_writer_new(void)
{
    return alloc_zeroed(sizeof(struct header_writer));
}

void
header_writer_free(struct header_writer *writer)
{
    if (writer == NULL)
        return;
    buffer_done(&writer->descriptions);
    buffer_done(&writer->numbers);
    for (size_t i = 0; i < STREAM_COUNT; i++)
        buffer_done(&writer->streams[i]);
    free(writer);
}

/* A varint in its shortest form; a longer one could not be written back the same. */
static bool
take_long(struct bytes from, size_t *at, uint64_t *value)
{
    return varint_get(from, at, value) && from.data[*at - 1] != 0;
}

static inline bool
take_short(struct bytes from, size_t *at, uint64_t *value)
{
    if (*at >= from.length || from.data[*at] >= 0x80)
        return take_long(from, at, value);
    *value = from.data[(*at)++];
    return true;
}

static bool
take_header(struct bytes from, size_t *at, struct event_header *header)
{
    uint64_t length;
    if (!take_short(from, at, &length) || length > from.length - *at)
        return false;
    header->name = bytes_make(from.data + *at, (size_t)length);
    *at += (size_t)length;
    if (!take_short(from, at, &length))
        return false;
    header->value = BYTES_NULL;
    if (length == 0)
        return true;
    if (length - 1 > from.length - *at)
        return false;
    header->value = bytes_make(from.data + *at, (size_t)length - 1);
    *at += (size_t)length - 1;
    return true;
}

/* Understand a list; false when it is to be stored as it is. */
static bool
read_list(struct bytes headers, struct header_list *list)
{
    size_t at = 0;
    uint64_t count;
    if (!take_short(headers, &at, &count) || count == 0 || count > HEADER_SHAPE_HEADERS)
        return false;
    list->count = (size_t)count;
    size_t names = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!take_header(headers, &at, &list->headers[i]))
            return false;
        names += list->headers[i].name.length + VARINT_MAX + 1;
    }
    return at == headers.length && names <= SHAPE_MAX_BYTES;
}

static bool
put_packed(struct header_writer *writer, enum header_stream stream, const unsigned char *packed,
    size_t length)
{
    buffer_append(&writer->streams[stream], packed, length);
    return true;
}

/* Store a value that is of a packed form; PACKING_TEXT when it is none. */
static enum header_packing
put_if_packed(struct header_writer *writer, struct bytes value)
{
    unsigned char packed[TRACEPARENT_BYTES];
    if (value.length == TRACEPARENT_TEXT && traceparent_pack(value.data, packed)) {
        (void)put_packed(writer, STREAM_TRACE, packed, TRACE_BYTES);
        (void)put_packed(writer, STREAM_SPAN, packed + TRACE_BYTES, SPAN_BYTES);
        (void)put_packed(writer, STREAM_FLAGS, packed + TRACE_BYTES + SPAN_BYTES, 1);
        return PACKING_TRACEPARENT;
    }
    if (value.length == UUID_TEXT && uuid_pack(value.data, packed) &&
        put_packed(writer, STREAM_UUID, packed, 16))
        return PACKING_UUID;
    if (value.length == HEX16_TEXT && hex_pack(value.data, packed, 16) &&
        put_packed(writer, STREAM_HEX16, packed, 16))
        return PACKING_HEX16;
    if (value.length == HEX8_TEXT && hex_pack(value.data, packed, 8) &&
        put_packed(writer, STREAM_HEX8, packed, 8))
        return PACKING_HEX8;
    return PACKING_TEXT;
}

static enum header_packing
put_value(struct header_writer *writer, struct bytes value)
{
    if (value.data == NULL)
        return PACKING_NULL;
    enum header_packing packing = put_if_packed(writer, value);
    if (packing == PACKING_TEXT) {
        struct buffer *lengths = &writer->streams[STREAM_LENGTHS];
        lengths->length += varint_put(buffer_reserve(lengths, VARINT_MAX), value.length);
        buffer_append(&writer->streams[STREAM_TEXT], value.data, value.length);
    }
    return packing;
}

/* Store the values of a list and describe its shape. Returns the description's length. */
static size_t
put_values(struct header_writer *writer, const struct header_list *list)
{
    unsigned char *to = writer->description;
    to += varint_put(to, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct event_header *header = &list->headers[i];
        to += varint_put(to, header->name.length);
        if (header->name.length > 0)
            memcpy(to, header->name.data, header->name.length);
        to += header->name.length;
        *to++ = (unsigned char)put_value(writer, header->value);
    }
    return (size_t)(to - writer->description);
}

static bool
is_shape(const struct header_writer *writer, unsigned number, size_t length)
{
    const struct shape *shape = &writer->shapes[number - 1];
    return shape->length == length &&
           memcmp(writer->descriptions.data + shape->start, writer->description, length) == 0;
}

/* The number of the shape described in writer->description, made when it is new; 0 when there is no
 * room for another. */
static unsigned
shape_number(struct header_writer *writer, size_t length)
{
    if (writer->last != 0 && is_shape(writer, writer->last, length))
        return writer->last;
    size_t slot = XXH3_64bits(writer->description, length) & (SHAPE_SLOTS - 1);
    for (; writer->slots[slot] != 0; slot = (slot + 1) & (SHAPE_SLOTS - 1)) {
        if (is_shape(writer, writer->slots[slot], length))
            return writer->slots[slot];
    }
    if (writer->shape_count == SHAPES_MAX)
        return 0;
    writer->shapes[writer->shape_count++] =
        (struct shape){(uint32_t)writer->descriptions.length, (uint32_t)length};
    buffer_append(&writer->descriptions, writer->description, length);
    writer->slots[slot] = (uint16_t)writer->shape_count;
    return writer->shape_count;
}

/* The shape's number when the list could be stored by its shape, else 0 and nothing is stored. */
static unsigned
add_by_shape(struct header_writer *writer, struct bytes headers, struct header_list *list)
{
    if (!read_list(headers, list))
        return 0;
    size_t before[STREAM_COUNT];
    for (size_t i = 0; i < STREAM_COUNT; i++)
        before[i] = writer->streams[i].length;
    unsigned number = shape_number(writer, put_values(writer, list));
    if (number == 0) {
        for (size_t i = 0; i < STREAM_COUNT; i++)
            writer->streams[i].length = before[i];
    }
    return number;
}

unsigned
header_writer_add(struct header_writer *writer, struct bytes headers, struct header_list *list)
{
    unsigned number = headers.length == 0 ? 0 : add_by_shape(writer, headers, list);
    if (number == 0)
        buffer_append(&writer->streams[STREAM_TEXT], headers.data, headers.length);
    else
        writer->last = number;
    buffer_append_byte(&writer->numbers, (unsigned char)number);
    return number;
}

static void
append_varint(struct buffer *to, uint64_t value)
{
    to->length += varint_put(buffer_reserve(to, VARINT_MAX), value);
}

void
header_writer_finish(struct header_writer *writer, struct buffer *to)
{
    append_varint(to, writer->shape_count);
    if (writer->shape_count > 0) {
        buffer_append(to, writer->descriptions.data, writer->descriptions.length);
        buffer_append(to, writer->numbers.data, writer->numbers.length);
    }
    for (size_t i = 0; i < STREAM_COUNT; i++)
        append_varint(to, writer->streams[i].length);
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        buffer_append(to, writer->streams[i].data, writer->streams[i].length);
        writer->streams[i].length = 0;
    }
    writer->descriptions.length = 0;
    writer->numbers.length = 0;
    writer->shape_count = 0;
    writer->last = 0;
    memset(writer->slots, 0, sizeof(writer->slots));
}
