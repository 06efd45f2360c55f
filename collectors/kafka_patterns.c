#include "collectors/kafka_patterns.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "collectors/tap_url.h"

bool
kafka_pattern_is(const char *item)
{
    return item[0] == '^';
}

static bool
add_pattern(struct kafka_patterns *patterns, const char *text, struct error *err)
{
    patterns->items = alloc_grow(
        patterns->items, patterns->count, &patterns->capacity, sizeof(struct kafka_pattern));
    struct kafka_pattern *pattern = &patterns->items[patterns->count];
    pattern->finds_internal = strncmp(text, "^__", 3) == 0;
    int failed = regcomp(&pattern->regex, text, REG_EXTENDED | REG_NOSUB);
    if (failed != 0) {
        char why[128];
        (void)regerror(failed, &pattern->regex, why, sizeof(why));
        return error_set(
            err, ERROR_ARGUMENT, "'%.80s' is not a regular expression for topics: %s", text, why);
    }
    patterns->count++;
    return true;
}

bool
kafka_patterns_make(struct kafka_patterns *patterns, const char *list, struct error *err)
{
    *patterns = (struct kafka_patterns){0};
    char *item;
    for (size_t i = 0; (item = tap_url_item(list, i)) != NULL; i++) {
        bool good = !kafka_pattern_is(item) || add_pattern(patterns, item, err);
        free(item);
        if (!good) {
            kafka_patterns_done(patterns);
            return false;
        }
    }
    return true;
}

void
kafka_patterns_done(struct kafka_patterns *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        regfree(&patterns->items[i].regex);
    free(patterns->items);
    *patterns = (struct kafka_patterns){0};
}

bool
kafka_patterns_match(const struct kafka_patterns *patterns, const char *topic)
{
    bool is_internal = strncmp(topic, "__", 2) == 0;
    for (size_t i = 0; i < patterns->count; i++)
        if ((patterns->items[i].finds_internal || !is_internal) &&
            regexec(&patterns->items[i].regex, topic, 0, NULL, 0) == 0)
            return true;
    return false;
}
