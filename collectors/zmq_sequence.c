#include "collectors/zmq_sequence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/error.h"

/* A jump over more than this is no loss but another counter: a publisher that starts with the time,
 * for example. */
#define MISSING_MAX  (UINT64_C(1) << 40)
#define DIGITS_MAX   20
#define PATH_MAX_KEY 256
#define REAL_MAX     9007199254740992.0 /* 2^53: beyond it not each integer is one */

static bool
fail_place(const char *text, struct error *err)
{
    return error_set(err, ERROR_CONFIG,
        "sequence takes frame:N, frame:N:le, frame:N:be, frame:N:$.PATH, value:$.PATH or "
        "header:NAME, with the names of members in PATH and no elements of arrays, not '%.60s'",
        text);
}

/* What stands behind "$." in "$.a.b"; NULL when that is no path. */
static const char *
parse_path(const char *text)
{
    size_t length = strlen(text);
    if (strncmp(text, "$.", 2) != 0 || length < 3 || text[2] == '.' || text[length - 1] == '.' ||
        strstr(text, "..") != NULL || strpbrk(text, "[]") != NULL)
        return NULL;
    return text + 2;
}

static bool
parse_frame(const char *text, struct zmq_place *place, struct error *err)
{
    const char *number = text + strlen("frame:");
    char *end = NULL;
    errno = 0;
    place->frame = strtol(number, &end, 10);
    if (end == number || errno != 0 || strchr("-0123456789", number[0]) == NULL)
        return fail_place(text, err);
    if (strcmp(end, "") == 0)
        place->kind = ZMQ_PLACE_TEXT;
    else if (strcmp(end, ":le") == 0)
        place->kind = ZMQ_PLACE_LITTLE;
    else if (strcmp(end, ":be") == 0)
        place->kind = ZMQ_PLACE_BIG;
    else if (end[0] == ':' && (place->path = parse_path(end + 1)) != NULL)
        place->kind = ZMQ_PLACE_JSON;
    else
        return fail_place(text, err);
    return true;
}

bool
zmq_place_parse(const char *text, struct zmq_place *place, struct error *err)
{
    struct zmq_place parsed = {.kind = ZMQ_PLACE_NONE};
    if (strncmp(text, "frame:", 6) == 0) {
        if (!parse_frame(text, &parsed, err))
            return false;
    } else if (strncmp(text, "value:", 6) == 0 && (parsed.path = parse_path(text + 6)) != NULL) {
        parsed.kind = ZMQ_PLACE_JSON;
        parsed.frame = -1;
    } else if (strncmp(text, "header:", 7) == 0 && text[7] != '\0' &&
               strpbrk(text + 7, ":=\r\n") == NULL) {
        parsed.kind = ZMQ_PLACE_HEADER;
        parsed.path = text + 7;
    } else {
        return fail_place(text, err);
    }
    *place = parsed;
    return true;
}

void
zmq_place_frames(const struct zmq_place *place, size_t count, size_t *first, size_t *end)
{
    bool is_from_end = place->frame < 0;
    size_t distance = is_from_end ? (size_t) - (place->frame + 1) : (size_t)place->frame;
    *first = *end = 0;
    if (place->kind == ZMQ_PLACE_HEADER) {
        *end = count > 0 ? count - 1 : 0;
    } else if (distance < count) {
        *first = is_from_end ? count - 1 - distance : distance;
        *end = *first + 1;
    }
}

static bool
read_digits(const char *text, size_t length, uint64_t *number)
{
    uint64_t value = 0;
    if (length == 0 || length > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

static bool
read_binary(struct bytes frame, bool is_little, uint64_t *number, unsigned *bits)
{
    size_t length = frame.length;
    if (length != 1 && length != 2 && length != 4 && length != 8)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++)
        value = value << 8 | frame.data[is_little ? length - 1 - i : i];
    *number = value;
    *bits = (unsigned)length * 8;
    return true;
}

/* What "a.b" leads to in `value`; NULL when it leads nowhere. */
static const json_t *
follow(const json_t *value, const char *path)
{
    while (value != NULL && path[0] != '\0') {
        char key[PATH_MAX_KEY];
        size_t length = strcspn(path, ".");
        if (length >= sizeof(key))
            return NULL;
        memcpy(key, path, length);
        key[length] = '\0';
        value = json_object_get(value, key);
        path += length + (path[length] == '.' ? 1 : 0);
    }
    return value;
}

/* 5.0 is as much an integer as 5. */
static bool
read_real(double value, uint64_t *number)
{
    if (!(value >= 0 && value <= REAL_MAX))
        return false;
    uint64_t whole = (uint64_t)value;
    *number = whole;
    return (double)whole == value;
}

static bool
read_json(struct bytes frame, const char *path, uint64_t *number)
{
    json_t *root = json_loadb((const char *)frame.data, frame.length, JSON_ALLOW_NUL, NULL);
    const json_t *found = follow(root, path);
    bool good = false;
    if (json_is_integer(found) && json_integer_value(found) >= 0) {
        *number = (uint64_t)json_integer_value(found);
        good = true;
    } else if (json_is_real(found)) {
        good = read_real(json_real_value(found), number);
    } else if (json_is_string(found)) {
        good = read_digits(json_string_value(found), json_string_length(found), number);
    }
    json_decref(root);
    return good;
}

/* "name: 17" or "name=17" in one of the lines; ends of lines and blanks around the number are not of it. */
static bool
read_header(struct bytes frame, const char *name, uint64_t *number)
{
    if (frame.length == 0)
        return false;
    size_t length = strlen(name);
    const char *text = (const char *)frame.data;
    const char *end = text + frame.length;
    for (const char *next; text < end; text = next) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        next = stop != NULL ? stop + 1 : end;
        stop = stop != NULL ? stop : end;
        if ((size_t)(stop - text) <= length || strncasecmp(text, name, length) != 0 ||
            (text[length] != ':' && text[length] != '='))
            continue;
        text += length + 1;
        while (text < stop && (*text == ' ' || *text == '\t'))
            text++;
        while (text < stop && strchr(" \t\r", stop[-1]) != NULL && stop[-1] != '\0')
            stop--;
        return read_digits(text, (size_t)(stop - text), number);
    }
    return false;
}

bool
zmq_place_read(const struct zmq_place *place, struct bytes frame, uint64_t *number, unsigned *bits)
{
    *bits = 64;
    switch (place->kind) {
    case ZMQ_PLACE_NONE:
        break;
    case ZMQ_PLACE_TEXT:
        return read_digits((const char *)frame.data, frame.length, number);
    case ZMQ_PLACE_LITTLE:
        return read_binary(frame, true, number, bits);
    case ZMQ_PLACE_BIG:
        return read_binary(frame, false, number, bits);
    case ZMQ_PLACE_JSON:
        return read_json(frame, place->path, number);
    case ZMQ_PLACE_HEADER:
        return read_header(frame, place->path, number);
    }
    return false;
}

enum zmq_jump
zmq_sequence_next(struct zmq_sequence *sequence, uint64_t number, unsigned bits, uint64_t *missing)
{
    if (!sequence->has_last) {
        *sequence = (struct zmq_sequence){.has_last = true, .last = number};
        return ZMQ_JUMP_FIRST;
    }
    uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    uint64_t step = (number - sequence->last) & mask;
    uint64_t expected = (sequence->last + 1) & mask;
    sequence->last = number;
    if (step <= 1)
        return ZMQ_JUMP_NEXT;
    bool is_other = sequence->has_jumped && number == sequence->expected;
    sequence->has_jumped = true;
    sequence->expected = expected;
    if (is_other)
        return ZMQ_JUMP_OTHER;
    if (step > mask / 2 || step > MISSING_MAX)
        return ZMQ_JUMP_BACK;
    *missing = step - 1;
    return ZMQ_JUMP_GAP;
}
