#include "console/json_event.h"

#include <string.h>

#include "base/clock.h"
#include "console/utf8.h"
#include "index/event.h"
#include "index/hole_times.h"
#include "index/tape.h"

/* The longest form of one character: a surrogate pair, "\udb40\udc01". */
#define ESCAPE_MAX 12

#define APPEND(to, literal) buffer_append((to), "" literal, sizeof(literal) - 1)

static bool
is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* Eight bytes at once: true when none of them needs a look. Each test sets the high bit of a byte
 * that fails it; a carry can only make a plain byte look suspicious, never the other way round. */
static bool
are_plain(const unsigned char *data)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t word = 0;
    memcpy(&word, data, sizeof(word));
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t bad =
        word | (word - ones * 0x20) | (quote - ones) | (backslash - ones) | (word + ones);
    return (bad & highs) == 0;
}

static size_t
plain_run(struct bytes from, size_t at)
{
    size_t end = at;
    while (from.length - end >= 8 && are_plain(from.data + end))
        end += 8;
    while (end < from.length && is_plain(from.data[end]))
        end++;
    return end - at;
}

static size_t
put_u_escape(unsigned char *to, uint32_t unit)
{
    to[0] = '\\';
    to[1] = 'u';
    for (unsigned i = 0; i < 4; i++)
        to[2 + i] = (unsigned char)hex_digit(unit >> (12 - 4 * i));
    return 6;
}

/* Write the escape of one character; returns its length. */
static size_t
put_escape(unsigned char *to, uint32_t character)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *known = character != 0 && character < 0x80 ? strchr(from, (int)character) : NULL;
    if (known != NULL) {
        to[0] = '\\';
        to[1] = (unsigned char)letters[known - from];
        return 2;
    }
    if (character < 0x10000)
        return put_u_escape(to, character);
    uint32_t rest = character - 0x10000;
    size_t length = put_u_escape(to, 0xD800 + (rest >> 10));
    return length + put_u_escape(to + length, 0xDC00 + (rest & 0x3FF));
}

/* Append the inside of a JSON string. With `replace`, a byte that is not UTF-8 becomes U+FFFD; without,
 * false is returned at the first one, with a part appended. */
static bool
append_content(struct buffer *to, struct bytes text, bool replace)
{
    size_t at = 0;
    while (at < text.length) {
        size_t run = plain_run(text, at);
        buffer_append(to, text.data + at, run);
        at += run;
        if (at == text.length)
            break;

        uint32_t character = 0;
        size_t length = utf8_decode(text, at, &character);
        if (length == 0) {
            if (!replace)
                return false;
            APPEND(to, "\xEF\xBF\xBD");
            at++;
        } else if (character == '"' || character == '\\' || utf8_is_unsafe(character)) {
            to->length += put_escape(buffer_reserve(to, ESCAPE_MAX), character);
            at += length;
        } else {
            buffer_append(to, text.data + at, length);
            at += length;
        }
    }
    return true;
}

void
json_append_string(struct buffer *to, struct bytes text)
{
    buffer_append_byte(to, '"');
    (void)append_content(to, text, true);
    buffer_append_byte(to, '"');
}

static void
append_base64(struct buffer *to, struct bytes bytes)
{
    APPEND(to, "{\"base64\":\"");
    base64_append(to, bytes);
    APPEND(to, "\"}");
}

void
json_append_bytes(struct buffer *to, struct bytes bytes)
{
    if (bytes.data == NULL) {
        APPEND(to, "null");
        return;
    }
    size_t begin = to->length;
    APPEND(to, "{\"text\":\"");
    if (append_content(to, bytes, false)) {
        APPEND(to, "\"}");
        return;
    }
    to->length = begin;
    append_base64(to, bytes);
}

static void
append_digits(struct buffer *to, uint64_t value)
{
    unsigned char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (unsigned char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append(to, digits + at, sizeof(digits) - at);
}

static void
append_number(struct buffer *to, int64_t value)
{
    if (value < 0)
        buffer_append_byte(to, '-');
    append_digits(to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
json_append_i64(struct buffer *to, int64_t value)
{
    buffer_append_byte(to, '"');
    append_number(to, value);
    buffer_append_byte(to, '"');
}

void
json_append_u64(struct buffer *to, uint64_t value)
{
    buffer_append_byte(to, '"');
    append_digits(to, value);
    buffer_append_byte(to, '"');
}

/* The date is worked out once per second of events, the fraction for each. */
static void
append_time(struct buffer *to, int64_t when_ns, struct json_second *cached)
{
    if (when_ns == CLOCK_NONE) {
        APPEND(to, "null");
        return;
    }
    int64_t second = when_ns / NS_PER_S;
    int64_t fraction = when_ns % NS_PER_S;
    if (fraction < 0) {
        fraction += NS_PER_S;
        second--;
    }
    if (cached->text[0] == '\0' || cached->second != second) {
        char text[CLOCK_TEXT_MAX];
        (void)clock_format(when_ns, text);
        memcpy(cached->text, text, 19);
        cached->text[19] = '\0';
        cached->second = second;
    }
    unsigned char *place = buffer_reserve(to, 32);
    place[0] = '"';
    memcpy(place + 1, cached->text, 19);
    place[20] = '.';
    for (size_t i = 29; i > 20; i--, fraction /= 10)
        place[i] = (unsigned char)('0' + fraction % 10);
    place[30] = 'Z';
    place[31] = '"';
    to->length += 32;
}

void
json_append_time(struct buffer *to, int64_t when_ns)
{
    struct json_second fresh = {0};
    append_time(to, when_ns, &fresh);
}

static const char *
time_type_text(enum time_type type)
{
    switch (type) {
    case TIME_NONE:
        return "none";
    case TIME_CREATE:
        return "create";
    case TIME_APPEND:
        return "append";
    }
    return "none";
}

/* A name is a string; one that is not UTF-8 is {"base64": ...}, so that it stays exact. */
static void
append_name(struct buffer *to, struct bytes name)
{
    size_t begin = to->length;
    buffer_append_byte(to, '"');
    if (append_content(to, name, false)) {
        buffer_append_byte(to, '"');
        return;
    }
    to->length = begin;
    append_base64(to, name);
}

static void
append_headers(struct buffer *to, const struct event *event)
{
    struct event_header header;
    size_t at = 0;
    bool is_first = true;
    buffer_append_byte(to, '[');
    while (event_next_header(event, &at, &header)) {
        buffer_append_text(to, is_first ? "[" : ",[");
        append_name(to, header.name);
        buffer_append_byte(to, ',');
        json_append_bytes(to, header.value);
        buffer_append_byte(to, ']');
        is_first = false;
    }
    buffer_append_byte(to, ']');
}

static void
append_names(struct buffer *to, const struct stream *stream)
{
    APPEND(to, "\"tap\":");
    append_name(to, bytes_of(stream->tap));
    APPEND(to, ",\"stream\":");
    append_name(to, bytes_of(stream->name));
}

void
json_append_event(struct buffer *to, const struct event *event, struct json_times *times)
{
    APPEND(to, "{\"v\":1,\"seq\":");
    json_append_u64(to, event->seq);
    buffer_append_byte(to, ',');
    append_names(to, event->stream);
    APPEND(to, ",\"partition\":");
    append_number(to, event->partition);
    APPEND(to, ",\"offset\":");
    json_append_i64(to, event->offset);
    APPEND(to, ",\"time\":");
    append_time(to, event->time_type == TIME_NONE ? CLOCK_NONE : event->time_ns, &times->event);
    APPEND(to, ",\"time_type\":\"");
    buffer_append_text(to, time_type_text(event->time_type));
    APPEND(to, "\",\"received\":");
    append_time(to, event->received_ns, &times->received);
    APPEND(to, ",\"key\":");
    json_append_bytes(to, event->key);
    APPEND(to, ",\"headers\":");
    append_headers(to, event);
    APPEND(to, ",\"payload\":");
    json_append_bytes(to, event->payload);
    APPEND(to, ",\"size\":");
    append_digits(to, event_size(event));
    if (event->offset_is_synthetic)
        APPEND(to, ",\"synthetic\":true");
    APPEND(to, "}\n");
}

void
json_append_deleted(struct buffer *to, const struct hole *hole)
{
    if (!hole->was_here) {
        APPEND(to, ",\"deleted\":null");
        return;
    }
    APPEND(to, ",\"deleted\":{\"first\":");
    json_append_time(to, hole->first_ns);
    APPEND(to, ",\"last\":");
    json_append_time(to, hole->last_ns);
    buffer_append_byte(to, '}');
}

static void
append_hole(struct buffer *to, const struct hole *hole, const struct hole_times *times)
{
    APPEND(to, "{\"from\":");
    json_append_i64(to, hole->from);
    APPEND(to, ",\"to\":");
    if (hole->to < 0)
        APPEND(to, "null");
    else
        json_append_i64(to, hole->to);
    APPEND(to, ",\"reason\":");
    json_append_string(to, bytes_of(hole_reason_text(hole->reason)));
    APPEND(to, ",\"noticed\":");
    json_append_time(to, hole->noticed_ns);
    APPEND(to, ",\"after\":");
    json_append_time(to, times == NULL ? CLOCK_NONE : times->after_ns);
    APPEND(to, ",\"before\":");
    json_append_time(to, times == NULL ? CLOCK_NONE : times->before_ns);
    json_append_deleted(to, hole);
    buffer_append_byte(to, '}');
}

static void
append_lane(struct buffer *to, const struct lane_summary *lane, const struct hole_times *times,
    bool with_names)
{
    buffer_append_byte(to, '{');
    if (with_names) {
        append_names(to, lane->stream);
        buffer_append_byte(to, ',');
    }
    APPEND(to, "\"partition\":");
    append_number(to, lane->partition);
    if (lane->events == 0) {
        APPEND(to, ",\"from\":null,\"to\":null");
    } else {
        APPEND(to, ",\"from\":");
        json_append_i64(to, lane->first_offset);
        APPEND(to, ",\"to\":");
        json_append_i64(to, lane->last_offset);
    }
    APPEND(to, ",\"events\":");
    json_append_u64(to, lane->events);
    APPEND(to, ",\"holes\":[");
    for (size_t i = 0; i < lane->hole_count; i++) {
        if (i > 0)
            buffer_append_byte(to, ',');
        append_hole(to, &lane->holes[i], times == NULL ? NULL : &times[i]);
    }
    APPEND(to, "],\"holes_not_kept\":");
    json_append_u64(to, lane->holes_not_kept);
    buffer_append_byte(to, '}');
}

void
json_append_coverage(struct buffer *to, const struct lane_summary *lanes, size_t count,
    const struct hole_times *times, bool with_names)
{
    buffer_append_byte(to, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_byte(to, ',');
        append_lane(to, &lanes[i], times, with_names);
        if (times != NULL)
            times += lanes[i].hole_count;
    }
    buffer_append_byte(to, ']');
}

void
json_append_stream(struct buffer *to, const struct json_stream *stream)
{
    APPEND(to, "{\"v\":1,");
    append_names(to, stream->stream);
    APPEND(to, ",\"partitions\":");
    append_digits(to, stream->count);
    APPEND(to, ",\"events\":");
    json_append_u64(to, stream->events);
    APPEND(to, ",\"bytes\":");
    json_append_u64(to, stream->bytes);
    APPEND(to, ",\"first\":");
    json_append_time(to, stream->events == 0 ? CLOCK_NONE : stream->first_ns);
    APPEND(to, ",\"last\":");
    json_append_time(to, stream->events == 0 ? CLOCK_NONE : stream->last_ns);
    APPEND(to, ",\"rate\":");
    if (stream->rate < 0)
        APPEND(to, "null");
    else
        buffer_printf(to, "%.1f", stream->rate);
    APPEND(to, ",\"coverage\":");
    json_append_coverage(to, stream->lanes, stream->count, stream->times, false);
    APPEND(to, "}\n");
}

static void
append_place(struct buffer *to, const struct tape_place *place)
{
    buffer_append_byte(to, '{');
    append_names(to, place->stream);
    APPEND(to, ",\"partition\":");
    append_number(to, place->partition);
    APPEND(to, ",\"offset\":");
    json_append_i64(to, place->offset);
    buffer_append_byte(to, '}');
}

void
json_append_damage(struct buffer *to, const struct tape_damage *damage)
{
    APPEND(to, "\"damage\":");
    json_append_string(to, bytes_of(damage->text));
    APPEND(to, ",\"first_seq\":");
    json_append_u64(to, damage->first_seq);
    APPEND(to, ",\"end_seq\":");
    json_append_u64(to, damage->end_seq);
    APPEND(to, ",\"events\":");
    if (damage->events == 0)
        APPEND(to, "null");
    else
        json_append_u64(to, damage->events);
    if (damage->first.stream == NULL)
        return;
    APPEND(to, ",\"first\":");
    append_place(to, &damage->first);
    APPEND(to, ",\"last\":");
    append_place(to, &damage->last);
}

void
json_append_damaged(struct buffer *to, const struct tape_damage *damage, size_t count)
{
    APPEND(to, ",\"damaged\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(to, i > 0 ? ",{" : "{");
        json_append_damage(to, &damage[i]);
        buffer_append_byte(to, '}');
    }
    buffer_append_byte(to, ']');
}

void
json_append_done(struct buffer *to, const struct json_done *done)
{
    APPEND(to, "{\"v\":1,\"done\":true,\"matched\":");
    json_append_u64(to, done->matched);
    APPEND(to, ",\"complete\":");
    buffer_append_text(to, done->is_complete ? "true" : "false");
    APPEND(to, ",\"coverage\":");
    buffer_append(to, done->coverage.data, done->coverage.length);
    if (!done->is_stable || done->damage_count > 0)
        json_append_damaged(to, done->damage, done->damage_count);
    if (!done->is_stable || done->gave_up > 0) {
        APPEND(to, ",\"gave_up\":");
        json_append_u64(to, done->gave_up);
    }
    if (!done->is_stable) {
        APPEND(to, ",\"scanned_blocks\":");
        json_append_u64(to, done->scanned_blocks);
        APPEND(to, ",\"pruned_blocks\":");
        json_append_u64(to, done->pruned_blocks);
        APPEND(to, ",\"ms\":");
        append_number(to, done->duration_ns / NS_PER_MS);
    }
    APPEND(to, "}\n");
}
