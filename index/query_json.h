/* query_json.h - the JSON payload of the event that is being matched, parsed at most once.
 *
 * A path is stored as steps: QUERY_JSON_MEMBER and a name, or QUERY_JSON_INDEX and decimal digits,
 * each ended by a zero byte.
 */
#ifndef INDEX_QUERY_JSON_H
#define INDEX_QUERY_JSON_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/bytes.h"

struct query_node;
struct query_number;

#define QUERY_JSON_MEMBER       'm'
#define QUERY_JSON_INDEX        'i'
#define QUERY_JSON_INDEX_DIGITS 9u

/* A payload whose parsed form might take more memory than this is not looked into,
 * nor one that is nested deeper than jansson goes. */
#define QUERY_JSON_MAX_MEMORY ((size_t)256 * 1024 * 1024)

struct query_json {
    json_t *root; /* NULL: not JSON, or not parsed yet */
    bool was_parsed;
    uint64_t gave_up;     /* payloads that may have members and were not looked into */
    bool has_marks;       /* numbers that jansson cannot hold are marked strings */
    struct buffer text;   /* for text forms */
    struct buffer marked; /* for the payload with marks */
};

/* Forget the payload, keep the buffers. */
void query_json_reset(struct query_json *json);
void query_json_done(struct query_json *json);

/* What the node's path leads to in `payload`, or NULL. Lives until query_json_reset(). */
const json_t *query_json_find(
    struct query_json *json, const struct query_node *node, struct bytes payload);

/* False when `value` is not a number. */
bool query_json_number(const struct query_json *json, const json_t *value, locale_t locale,
    struct query_number *number);

/* A string's content, true and false as words, numbers in decimal, arrays and objects as compact
 * JSON. Lives until the next call. */
struct bytes query_json_text(struct query_json *json, const json_t *value, locale_t locale);

#endif
