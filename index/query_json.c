/* jansson holds whole numbers of 63 bits and finite doubles, and refuses a document with any other.
 * Such a document is read a second time with each number that is too large written as a string: a
 * mark and its digits. Everything else in it stays exact. */
#include "index/query_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/query_internal.h"

/* Begins the text of a marked number. As JSON: "\u0000#...". */
#define MARK        "\0#"
#define MARK_LENGTH 2u
#define MARK_JSON   "\"\\u0000#"

/* Whole numbers of fewer digits and no exponent always fit. */
#define SAFE_DIGITS 18u

void
query_json_reset(struct query_json *json)
{
    if (json->root != NULL)
        json_decref(json->root);
    json->root = NULL;
    json->was_parsed = false;
    json->has_marks = false;
}

void
query_json_done(struct query_json *json)
{
    query_json_reset(json);
    buffer_done(&json->text);
    buffer_done(&json->marked);
}

/* A limit for what the parsed form takes: "{}" is three bytes with its comma, and a quarter of a
 * kilobyte as a table. */
static bool
is_affordable(struct bytes payload)
{
    size_t memory = payload.length;
    for (size_t i = 0; i < payload.length; i++) {
        switch (payload.data[i]) {
        case '{':
            memory += 256;
            break;
        case '[':
        case ',':
            memory += 128;
            break;
        default:
            break;
        }
    }
    return memory <= QUERY_JSON_MAX_MEMORY;
}

/* Does it begin as an object or a list does? */
static bool
may_have_members(struct bytes payload)
{
    size_t at = 0;
    while (at < payload.length && payload.data[at] != '\0' &&
           strchr(" \t\r\n", payload.data[at]) != NULL)
        at++;
    return at < payload.length && (payload.data[at] == '{' || payload.data[at] == '[');
}

static size_t
string_end(struct bytes payload, size_t at)
{
    for (at++; at < payload.length && payload.data[at] != '"'; at++)
        at += payload.data[at] == '\\';
    return at < payload.length ? at + 1 : payload.length;
}

static size_t
number_end(struct bytes payload, size_t at)
{
    while (at < payload.length && payload.data[at] != '\0' &&
           strchr("+-.0123456789eE", payload.data[at]) != NULL)
        at++;
    return at;
}

/* Copy `payload` with each number that may be too large as a marked string. */
static void
mark_large_numbers(struct bytes payload, struct buffer *marked)
{
    size_t at = 0;
    marked->length = 0;
    while (at < payload.length) {
        size_t from = at;
        unsigned char c = payload.data[at];
        bool is_number = c == '-' || (c >= '0' && c <= '9');
        if (c == '"')
            at = string_end(payload, at);
        else
            at = is_number ? number_end(payload, at) : at + 1;

        bool is_large = is_number && (at - from > SAFE_DIGITS ||
                                         memchr(payload.data + from, 'e', at - from) != NULL ||
                                         memchr(payload.data + from, 'E', at - from) != NULL);
        if (is_large)
            buffer_append_text(marked, MARK_JSON);
        buffer_append(marked, payload.data + from, at - from);
        if (is_large)
            buffer_append_byte(marked, '"');
    }
}

static json_t *
load(struct bytes payload, json_error_t *error)
{
    return json_loadb(
        (const char *)payload.data, payload.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
}

static void
parse(struct query_json *json, struct bytes payload)
{
    json_error_t error;
    json->was_parsed = true;
    if (!is_affordable(payload)) {
        json->gave_up += may_have_members(payload);
        return;
    }
    json->root = load(payload, &error);
    if (json->root == NULL && json_error_code(&error) == json_error_numeric_overflow) {
        mark_large_numbers(payload, &json->marked);
        json->has_marks = true;
        json->root = load(bytes_make(json->marked.data, json->marked.length), &error);
    }
    json->gave_up += json->root == NULL && json_error_code(&error) == json_error_stack_overflow;
}

/* A member's name stands in the payload as it is, between quotes, unless it is written with
 * escapes. */
static bool
may_have_member(struct bytes payload, struct bytes needle)
{
    return needle.data == NULL ||
           memmem(payload.data, payload.length, needle.data, needle.length) != NULL ||
           memchr(payload.data, '\\', payload.length) != NULL;
}

static const json_t *
step(const json_t *value, const char *path)
{
    if (path[0] == QUERY_JSON_MEMBER)
        return json_object_get(value, path + 1);
    return json_array_get(value, (size_t)strtoul(path + 1, NULL, 10));
}

const json_t *
query_json_find(struct query_json *json, const struct query_node *node, struct bytes payload)
{
    if (payload.length == 0)
        return NULL;
    if (json->root == NULL && (json->was_parsed || !may_have_member(payload, node->needle)))
        return NULL;
    if (!json->was_parsed)
        parse(json, payload);

    const json_t *value = json->root;
    const char *path = (const char *)node->name.data;
    const char *end = path + node->name.length;
    for (; path < end && value != NULL; path += strlen(path) + 1)
        value = step(value, path);
    return value;
}

/* The digits of a marked number; null when `value` is none. */
static struct bytes
marked_digits(const struct query_json *json, const json_t *value)
{
    if (!json->has_marks || !json_is_string(value) || json_string_length(value) < MARK_LENGTH ||
        memcmp(json_string_value(value), MARK, MARK_LENGTH) != 0)
        return BYTES_NULL;
    return bytes_make(
        json_string_value(value) + MARK_LENGTH, json_string_length(value) - MARK_LENGTH);
}

bool
query_json_number(const struct query_json *json, const json_t *value, locale_t locale,
    struct query_number *number)
{
    if (json_is_integer(value)) {
        *number = query_number_of_int(json_integer_value(value));
        return true;
    }
    if (json_is_real(value)) {
        *number = query_number_of_real(json_real_value(value));
        return true;
    }
    return query_number_parse(marked_digits(json, value), locale, number);
}

static struct bytes
dump(struct query_json *json, const json_t *value, size_t flags)
{
    flags |= JSON_ENCODE_ANY | JSON_COMPACT;
    size_t length = json_dumpb(value, NULL, 0, flags);
    json->text.length = 0;
    unsigned char *to = buffer_reserve(&json->text, length + 1);
    (void)json_dumpb(value, (char *)to, length, flags);
    json->text.length = length;
    return bytes_make(to, length);
}

/* The shorter of the two ways to write a double that reads back as the same. */
static struct bytes
dump_real(struct query_json *json, const json_t *value, locale_t locale)
{
    struct query_number number;
    struct bytes text = dump(json, value, JSON_REAL_PRECISION(15));
    if (query_number_parse(text, locale, &number) && !number.is_whole) {
        struct query_number real = query_number_of_real(json_real_value(value));
        if (query_number_compare(&number, &real) == 0)
            return text;
    }
    return dump(json, value, JSON_REAL_PRECISION(17));
}

struct bytes
query_json_text(struct query_json *json, const json_t *value, locale_t locale)
{
    struct bytes digits = marked_digits(json, value);
    if (digits.data != NULL)
        return digits;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return bytes_make(json_string_value(value), json_string_length(value));
    case JSON_REAL:
        return dump_real(json, value, locale);
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_INTEGER:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return dump(json, value, 0);
}
