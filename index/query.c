#include "index/query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/query_internal.h"

/* What one byte of text can become in the pool: a JSON path has a tag and an end per step, and its
 * longest member is there a second time. */
#define POOL_PER_BYTE 4u
#define POOL_SPARE    16u

/* How much of a long text query_caret() shows. */
#define CARET_WIDTH 76u
#define CARET_CUT   "..."

/* One block: struct, nodes, text, pool. No term takes more nodes than it has bytes. */
static struct query *
query_new(const char *text, size_t length)
{
    size_t capacity = length + 8 < QUERY_MAX_NODES ? length + 8 : QUERY_MAX_NODES;
    size_t nodes_bytes = capacity * sizeof(struct query_node);
    size_t pool_capacity = POOL_PER_BYTE * length + POOL_SPARE;
    struct query *query = alloc_zeroed(sizeof(*query) + nodes_bytes + length + 1 + pool_capacity);

    unsigned char *behind = (unsigned char *)query + sizeof(*query) + nodes_bytes;
    query->text = (char *)behind;
    memcpy(query->text, text, length);
    query->pool = behind + length + 1;
    query->pool_capacity = pool_capacity;
    query->capacity = (uint32_t)capacity;
    query->root = QUERY_NONE;
    return query;
}

struct query *
query_compile(const char *text, int64_t now_ns, size_t *column, struct error *err)
{
    if (text == NULL)
        text = "";
    const size_t most = (size_t)QUERY_MAX_TEXT;
    size_t length = strnlen(text, most + 1);
    if (length > most) {
        if (column != NULL)
            *column = most + 1;
        error_set(err, ERROR_ARGUMENT,
            "column %zu: expected the end of the query, which may have %zu bytes, found more",
            most + 1, most);
        return NULL;
    }

    struct query *query = query_new(text, length);
    query->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert(query->locale != (locale_t)0); /* "C" is built in */
    if (query_parse(query, length, now_ns, column, err)) {
        query->names_internal = query_find_internal(query);
        return query;
    }
    query_free(query);
    return NULL;
}

void
query_free(struct query *query)
{
    if (query == NULL)
        return;
    for (uint32_t i = 0; i < query->count; i++)
        query_regex_done(&query->nodes[i].regex);
    freelocale(query->locale);
    free(query);
}

const char *
query_text(const struct query *query)
{
    return query->text;
}

struct bytes
query_character_at(const char *text, size_t at)
{
    size_t end = at + 1;
    while (((unsigned char)text[end] & 0xc0) == 0x80)
        end++;
    return bytes_make(text + at, end - at);
}

bool
query_is_fit(struct bytes character)
{
    const unsigned char *c = character.data;
    if (!bytes_is_utf8(character))
        return false;
    if (character.length == 1)
        return c[0] >= 0x20 && c[0] < 0x7f;
    if (character.length == 2)
        return c[0] != 0xc2 || c[1] >= 0xa0; /* not U+0080 to U+009F */
    if (character.length != 3)
        return true;
    unsigned point = (c[0] & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
    return !((point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
             (point >= 0x2060 && point <= 0x206f) || point == 0xfeff);
}

static size_t
count_characters(const char *text)
{
    size_t count = 0;
    for (size_t at = 0; text[at] != '\0'; at += query_character_at(text, at).length)
        count++;
    return count;
}

void
query_caret(struct buffer *buffer, const char *text, size_t column)
{
    size_t count = count_characters(text);
    size_t caret = column == 0 ? 0 : column - 1;
    if (caret > count)
        caret = count;
    size_t first = 0;
    if (count > CARET_WIDTH && caret > CARET_WIDTH / 2)
        first = caret - CARET_WIDTH / 2;
    size_t end = count - first > CARET_WIDTH ? first + CARET_WIDTH : count;

    if (first > 0)
        buffer_append_text(buffer, CARET_CUT);
    size_t index = 0;
    for (size_t at = 0; text[at] != '\0' && index < end; index++) {
        struct bytes character = query_character_at(text, at);
        at += character.length;
        if (index < first)
            continue;
        if (query_is_fit(character))
            buffer_append(buffer, character.data, character.length);
        else
            buffer_append_byte(buffer, '?');
    }
    if (end < count)
        buffer_append_text(buffer, CARET_CUT);

    size_t spaces = caret - first + (first > 0 ? strlen(CARET_CUT) : 0);
    buffer_append_byte(buffer, '\n');
    for (size_t i = 0; i < spaces; i++)
        buffer_append_byte(buffer, ' ');
    buffer_append_byte(buffer, '^');
}
