/* The reader of header shapes. It trusts nothing: every length is checked against what is there and
 * against the room that the caller has. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/header_pack.h"
#include "index/header_shape.h"

/* A step of rebuilding a list: literal bytes (what does not change from event to event, which is the
 * name and the length of a packed value), then a value. */
struct step {
    uint32_t literal;
    uint32_t literal_length;
    enum header_packing packing;
};

struct shape_steps {
    uint32_t first;
    uint32_t count;
};

struct header_reader {
    struct buffer literals;
    struct step *steps;
    size_t step_count;
    size_t step_capacity;
    struct shape_steps shapes[256];
    const unsigned char *numbers; /* NULL: every list is stored as it is */
    uint32_t next;
    uint32_t count;
    struct bytes streams[STREAM_COUNT]; /* what is left of each */
};

struct header_reader *
header_reader_new(void)
{
    return alloc_zeroed(sizeof(struct header_reader));
}

void
header_reader_free(struct header_reader *reader)
{
    if (reader == NULL)
        return;
    buffer_done(&reader->literals);
    free(reader->steps);
    free(reader);
}

/* What the length field of a packed value says: its length plus one; 0 for none. */
static const unsigned char packed_length[PACKING_COUNT] = {
    [PACKING_TRACEPARENT] = TRACEPARENT_TEXT + 1,
    [PACKING_UUID] = UUID_TEXT + 1,
    [PACKING_HEX16] = HEX16_TEXT + 1,
    [PACKING_HEX8] = HEX8_TEXT + 1,
};

static void
append_varint(struct buffer *to, uint64_t value)
{
    to->length += varint_put(buffer_reserve(to, VARINT_MAX), value);
}

static bool
read_header(struct header_reader *reader, struct bytes section, size_t *at, size_t literal)
{
    uint64_t length;
    if (!varint_get(section, at, &length) || section.length - *at < 1 ||
        length > section.length - *at - 1)
        return false;
    append_varint(&reader->literals, length);
    buffer_append(&reader->literals, section.data + *at, (size_t)length);
    *at += (size_t)length;
    unsigned packing = section.data[(*at)++];
    if (packing >= PACKING_COUNT)
        return false;
    if (packing != PACKING_TEXT)
        buffer_append_byte(&reader->literals, packed_length[packing]);

    reader->steps = alloc_grow(
        reader->steps, reader->step_count, &reader->step_capacity, sizeof(*reader->steps));
    reader->steps[reader->step_count++] = (struct step){
        .literal = (uint32_t)literal,
        .literal_length = (uint32_t)(reader->literals.length - literal),
        .packing = (enum header_packing)packing,
    };
    return true;
}

static bool
read_shape(
    struct header_reader *reader, struct bytes section, size_t *at, struct shape_steps *shape)
{
    uint64_t count;
    if (!varint_get(section, at, &count) || count == 0 || count > HEADER_SHAPE_HEADERS)
        return false;
    shape->first = (uint32_t)reader->step_count;
    shape->count = (uint32_t)count;
    size_t literal = reader->literals.length;
    append_varint(&reader->literals, count);
    for (uint64_t i = 0; i < count; i++) {
        if (!read_header(reader, section, at, literal))
            return false;
        literal = reader->literals.length;
    }
    return true;
}

static bool
read_shapes(struct header_reader *reader, struct bytes section, size_t *at, uint32_t count)
{
    uint64_t shapes;
    if (!varint_get(section, at, &shapes) || shapes > 255)
        return false;
    for (uint64_t i = 0; i < shapes; i++) {
        if (!read_shape(reader, section, at, &reader->shapes[i + 1]))
            return false;
    }
    if (shapes == 0)
        return true;
    if (section.length - *at < count)
        return false;
    reader->numbers = section.data + *at;
    *at += count;
    for (uint32_t i = 0; i < count; i++) {
        if (reader->numbers[i] > shapes)
            return false;
    }
    return true;
}

bool
header_reader_begin(struct header_reader *reader, struct bytes section, uint32_t count)
{
    reader->literals.length = 0;
    reader->step_count = 0;
    reader->numbers = NULL;
    reader->next = 0;
    reader->count = count;

    size_t at = 0;
    if (!read_shapes(reader, section, &at, count))
        return false;
    uint64_t lengths[STREAM_COUNT];
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        if (!varint_get(section, &at, &lengths[i]))
            return false;
    }
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        if (lengths[i] > section.length - at)
            return false;
        reader->streams[i] = bytes_make(section.data + at, (size_t)lengths[i]);
        at += (size_t)lengths[i];
    }
    return at == section.length;
}

/* The next `length` bytes of a stream, or NULL. */
static const unsigned char *
take(struct header_reader *reader, enum header_stream stream, size_t length)
{
    struct bytes *left = &reader->streams[stream];
    if (left->length < length)
        return NULL;
    const unsigned char *taken = left->data;
    left->data += length;
    left->length -= length;
    return taken;
}

/* Write a value of any bytes with its length in front; how many bytes that took, 0 on failure. */
static size_t
write_text(struct header_reader *reader, unsigned char *to, size_t room)
{
    size_t at = 0;
    uint64_t length;
    struct bytes *lengths = &reader->streams[STREAM_LENGTHS];
    if (!varint_get(*lengths, &at, &length))
        return 0;
    (void)take(reader, STREAM_LENGTHS, at);
    if (length >= room)
        return 0;
    unsigned char head[VARINT_MAX];
    size_t head_length = varint_put(head, length + 1);
    const unsigned char *text = take(reader, STREAM_TEXT, (size_t)length);
    if (text == NULL || head_length + length > room)
        return 0;
    memcpy(to, head, head_length);
    memcpy(to + head_length, text, (size_t)length);
    return head_length + (size_t)length;
}

/* Write a packed value, for which there is room. */
static bool
write_packed(struct header_reader *reader, enum header_packing packing, unsigned char *to)
{
    const unsigned char *from;
    switch (packing) {
    case PACKING_TRACEPARENT: {
        from = take(reader, STREAM_TRACE, TRACE_BYTES);
        const unsigned char *span = take(reader, STREAM_SPAN, SPAN_BYTES);
        const unsigned char *flags = take(reader, STREAM_FLAGS, 1);
        if (from == NULL || span == NULL || flags == NULL)
            return false;
        traceparent_unpack(from, span, *flags, to);
        return true;
    }
    case PACKING_UUID:
        from = take(reader, STREAM_UUID, 16);
        if (from != NULL)
            uuid_unpack(from, to);
        return from != NULL;
    case PACKING_HEX16:
        from = take(reader, STREAM_HEX16, 16);
        if (from != NULL)
            hex_unpack(from, to, 16);
        return from != NULL;
    case PACKING_HEX8:
        from = take(reader, STREAM_HEX8, 8);
        if (from != NULL)
            hex_unpack(from, to, 8);
        return from != NULL;
    default:
        return packing == PACKING_NULL;
    }
}

static bool
write_by_shape(
    struct header_reader *reader, const struct shape_steps *shape, unsigned char *to, size_t length)
{
    const struct step *step = &reader->steps[shape->first];
    for (const struct step *end = step + shape->count; step < end; step++) {
        if (step->literal_length > length)
            return false;
        memcpy(to, reader->literals.data + step->literal, step->literal_length);
        to += step->literal_length;
        length -= step->literal_length;

        size_t value = 0;
        if (step->packing == PACKING_TEXT) {
            value = write_text(reader, to, length);
            if (value == 0)
                return false;
        } else {
            value = packed_length[step->packing] == 0 ? 0 : packed_length[step->packing] - 1u;
            if (value > length || !write_packed(reader, step->packing, to))
                return false;
        }
        to += value;
        length -= value;
    }
    return length == 0;
}

/* Past a value of any bytes. */
static bool
skip_text(struct header_reader *reader)
{
    size_t at = 0;
    uint64_t length;
    return varint_get(reader->streams[STREAM_LENGTHS], &at, &length) &&
           take(reader, STREAM_LENGTHS, at) != NULL && length <= SIZE_MAX &&
           take(reader, STREAM_TEXT, (size_t)length) != NULL;
}

static bool
skip_value(struct header_reader *reader, enum header_packing packing)
{
    switch (packing) {
    case PACKING_TEXT:
        return skip_text(reader);
    case PACKING_TRACEPARENT:
        return take(reader, STREAM_TRACE, TRACE_BYTES) != NULL &&
               take(reader, STREAM_SPAN, SPAN_BYTES) != NULL &&
               take(reader, STREAM_FLAGS, 1) != NULL;
    case PACKING_UUID:
        return take(reader, STREAM_UUID, 16) != NULL;
    case PACKING_HEX16:
        return take(reader, STREAM_HEX16, 16) != NULL;
    case PACKING_HEX8:
        return take(reader, STREAM_HEX8, 8) != NULL;
    default:
        return packing == PACKING_NULL;
    }
}

bool
header_reader_skip(struct header_reader *reader, size_t length)
{
    if (reader->next >= reader->count)
        return false;
    unsigned number = reader->numbers == NULL ? 0 : reader->numbers[reader->next];
    reader->next++;
    if (number == 0)
        return take(reader, STREAM_TEXT, length) != NULL;
    const struct shape_steps *shape = &reader->shapes[number];
    for (uint32_t i = 0; i < shape->count; i++) {
        if (!skip_value(reader, reader->steps[shape->first + i].packing))
            return false;
    }
    return true;
}

bool
header_reader_next(struct header_reader *reader, unsigned char *to, size_t length)
{
    if (reader->next >= reader->count)
        return false;
    unsigned number = reader->numbers == NULL ? 0 : reader->numbers[reader->next];
    reader->next++;
    if (number != 0)
        return write_by_shape(reader, &reader->shapes[number], to, length);
    const unsigned char *list = take(reader, STREAM_TEXT, length);
    if (list == NULL)
        return false;
    if (length > 0)
        memcpy(to, list, length);
    return true;
}

bool
header_reader_at_end(const struct header_reader *reader)
{
    if (reader->next != reader->count)
        return false;
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        if (reader->streams[i].length > 0)
            return false;
    }
    return true;
}

/* What a value can be in the streams, and where in one of them it is next; NULL: no more. */
struct form {
    enum header_stream stream;
    size_t length;
    const unsigned char *bytes;
    const unsigned char *next;
};

#define FORMS_MAX 3u

static void
find_next(const struct header_reader *reader, struct form *form)
{
    struct bytes left = reader->streams[form->stream];
    form->next = left.length < form->length
                     ? NULL
                     : memmem(left.data, left.length, form->bytes, form->length);
}

/* All forms of a value, the binary ones made in `packed`. Returns how many. */
static size_t
forms_of(struct bytes value, unsigned char packed[TRACEPARENT_BYTES], struct form forms[FORMS_MAX])
{
    size_t count = 0;
    forms[count++] = (struct form){STREAM_TEXT, value.length, value.data, NULL};
    if (value.length == TRACEPARENT_TEXT && traceparent_pack(value.data, packed)) {
        forms[count++] = (struct form){STREAM_TRACE, TRACE_BYTES, packed, NULL};
    } else if (value.length == UUID_TEXT && uuid_pack(value.data, packed)) {
        forms[count++] = (struct form){STREAM_UUID, 16, packed, NULL};
    } else if (value.length == HEX16_TEXT && hex_pack(value.data, packed, 16)) {
        forms[count++] = (struct form){STREAM_TRACE, TRACE_BYTES, packed, NULL};
        forms[count++] = (struct form){STREAM_HEX16, 16, packed, NULL};
    } else if (value.length == HEX8_TEXT && hex_pack(value.data, packed, 8)) {
        forms[count++] = (struct form){STREAM_HEX8, 8, packed, NULL};
    }
    return count;
}

bool
header_section_may_hold(
    struct header_reader *reader, struct bytes section, uint32_t count, struct bytes value)
{
    unsigned char packed[TRACEPARENT_BYTES];
    struct form forms[FORMS_MAX];
    if (value.length == 0 || !header_reader_begin(reader, section, count))
        return true;
    size_t form_count = forms_of(value, packed, forms);
    for (size_t i = 0; i < form_count; i++) {
        find_next(reader, &forms[i]);
        if (forms[i].next != NULL)
            return true;
    }
    return false;
}

/* Does a form begin in what was passed over last? */
static bool
was_passed(const struct header_reader *reader, struct form *forms, size_t count)
{
    bool was = false;
    for (size_t i = 0; i < count; i++) {
        if (forms[i].next == NULL || forms[i].next >= reader->streams[forms[i].stream].data)
            continue;
        was = true;
        find_next(reader, &forms[i]);
    }
    return was;
}

uint32_t
header_section_find(struct header_reader *reader, struct bytes section, const uint32_t *places,
    uint32_t count, struct bytes value, uint32_t *found)
{
    unsigned char packed[TRACEPARENT_BYTES];
    struct form forms[FORMS_MAX];
    if (!header_reader_begin(reader, section, count))
        return UINT32_MAX;
    size_t form_count = forms_of(value, packed, forms);
    for (size_t i = 0; i < form_count; i++)
        find_next(reader, &forms[i]);
    uint32_t found_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!header_reader_skip(reader, places[i + 1] - places[i]))
            return UINT32_MAX;
        if (was_passed(reader, forms, form_count))
            found[found_count++] = i;
    }
    return found_count;
}
