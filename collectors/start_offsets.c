#include "collectors/start_offsets.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "collectors/tap_url.h"

bool
start_offsets_is(const char *text)
{
    return strpbrk(text, "[=@") != NULL;
}

/* Digits only, no sign, up to `most`; *end is behind them. */
static bool
read_number(const char *text, int64_t most, int64_t *number, const char **end)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *behind;
    errno = 0;
    unsigned long long value = strtoull(text, &behind, 10);
    if (errno != 0 || value > (unsigned long long)most)
        return false;
    *number = (int64_t)value;
    *end = behind;
    return true;
}

/* "0=1200", or "orders[0]@1200". */
static bool
read_item(const char *text, struct start_offset *item)
{
    const char *bracket = strchr(text, '[');
    int64_t partition;
    const char *at;
    if (bracket == text ||
        !read_number(bracket == NULL ? text : bracket + 1, INT32_MAX, &partition, &at))
        return false;
    const char *sign = bracket == NULL ? "=" : "]@";
    size_t length = strlen(sign);
    if (strncmp(at, sign, length) != 0 ||
        !read_number(at + length, INT64_MAX - 1, &item->offset, &at) || *at != '\0')
        return false;
    item->partition = (int32_t)partition;
    item->topic = bracket == NULL ? NULL : alloc_text_of(text, (size_t)(bracket - text));
    return true;
}

static bool
is_same_topic(const char *one, const char *other)
{
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static bool
has_item(const struct start_offsets *offsets, const struct start_offset *item)
{
    for (size_t i = 0; i < offsets->count; i++)
        if (offsets->items[i].partition == item->partition &&
            is_same_topic(offsets->items[i].topic, item->topic))
            return true;
    return false;
}

/* Cut the blanks on both sides, in place. */
static char *
trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text;
}

static bool
add_item(struct start_offsets *offsets, const char *text, struct error *err)
{
    struct start_offset item = {0};
    if (!read_item(text, &item))
        return error_set(err, ERROR_ARGUMENT,
            "'%.80s' is not an offset to begin at; expected " START_OFFSETS_SHAPE, text);
    bool is_new = !has_item(offsets, &item);
    offsets->items =
        alloc_grow(offsets->items, offsets->count, &offsets->capacity, sizeof(struct start_offset));
    offsets->items[offsets->count++] = item;
    return is_new || error_set(err, ERROR_ARGUMENT,
                         "'%.80s' names a partition that has an offset already", text);
}

bool
start_offsets_parse(struct start_offsets *offsets, const char *text, struct error *err)
{
    struct start_offsets made = {0};
    char *item;
    for (size_t i = 0; (item = tap_url_item(text, i)) != NULL; i++) {
        bool good = add_item(&made, trimmed(item), err);
        free(item);
        if (!good) {
            start_offsets_done(&made);
            return false;
        }
    }
    *offsets = made;
    return true;
}

void
start_offsets_done(struct start_offsets *offsets)
{
    for (size_t i = 0; i < offsets->count; i++)
        free(offsets->items[i].topic);
    free(offsets->items);
    *offsets = (struct start_offsets){0};
}

int64_t
start_offsets_find(const struct start_offsets *offsets, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < offsets->count; i++) {
        const struct start_offset *item = &offsets->items[i];
        if (item->partition == partition &&
            (item->topic == NULL || strcmp(item->topic, topic) == 0))
            return item->offset;
    }
    return -1;
}
