/* kafka_settings.h - librdkafka properties for the target, as the operator gives them.
 *
 * They may hold secrets and never become part of a plan.  Threads: one owns an instance; any may
 * read.
 */
#ifndef REPLAY_KAFKA_SETTINGS_H
#define REPLAY_KAFKA_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct kafka_settings;

/* A librdkafka property ("security.protocol") and its value. */
struct kafka_setting {
    const char *name;
    const char *value;
};

/* Read a file of NAME=VALUE lines, '#' begins a comment; `path` NULL gives none. NULL with
 * ERROR_CONFIG
 * ("FILE:LINE: ...") or ERROR_SYSTEM. A property on which the promises of a replay rest (acks,
 * enable.idempotence ...) may not be set. */
struct kafka_settings *kafka_settings_load(const char *path, struct error *err);
void kafka_settings_free(struct kafka_settings *settings);

/* Add one more property, which wins over the same one before. False with ERROR_CONFIG. */
bool kafka_settings_add(
    struct kafka_settings *settings, const char *name, const char *value, struct error *err);

/* All of them in order; NULL has none. Lives until something is added. */
size_t kafka_settings_count(const struct kafka_settings *settings);
struct kafka_setting kafka_settings_at(const struct kafka_settings *settings, size_t index);

#endif
