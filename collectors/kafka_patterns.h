/* kafka_patterns.h - topics by regular expression: the items of a URL's list that begin with '^'.
 *
 * POSIX extended expressions. Kafka's own topics ("__consumer_offsets") are only found by an expression
 * that begins with "^__". A comma ends an expression, as it ends a name.
 *
 * Threads: one owns them.
 */
#ifndef COLLECTORS_KAFKA_PATTERNS_H
#define COLLECTORS_KAFKA_PATTERNS_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

struct error;

struct kafka_pattern {
    regex_t regex;
    bool finds_internal;
};

struct kafka_patterns {
    struct kafka_pattern *items;
    size_t count;
    size_t capacity;
};

/* True when an item of the list is an expression and not a name. */
bool kafka_pattern_is(const char *item);

/* Compile those of `list`. False with ERROR_ARGUMENT that says what is wrong with which; then there is
 * nothing to give back. */
bool kafka_patterns_make(struct kafka_patterns *patterns, const char *list, struct error *err);
void kafka_patterns_done(struct kafka_patterns *patterns);

bool kafka_patterns_match(const struct kafka_patterns *patterns, const char *topic);

#endif
