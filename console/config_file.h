/* config_file.h - the sections and keys of a configuration file, with their places for messages.
 *
 * Parsed by libinih; checked against the table of known sections and keys while reading.
 * Threads: one at a time.
 */
#ifndef CONSOLE_CONFIG_FILE_H
#define CONSOLE_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct error;

enum config_kind {
    CONFIG_TAPE,
    CONFIG_TAP,
    CONFIG_STREAM,
    CONFIG_TARGET,
    CONFIG_MASK,
    CONFIG_METRICS,
    CONFIG_LAG,
};

struct config_value {
    char *key;
    char *text;
    int line;
    int key_column;
    int column; /* of the text */
};

struct config_section {
    enum config_kind kind;
    char *name; /* behind the dot; "" for [tape] and [metrics] */
    int line;
    struct config_value *values;
    size_t value_count;
    size_t value_capacity;
};

/* Read config->path into config->sections. */
bool config_file_read(struct config *config, struct error *err);

void config_section_done(struct config_section *section);

/* The value of `key`, or NULL. */
const struct config_value *config_section_find(
    const struct config_section *section, const char *key);

/* "tap", "stream" ... */
const char *config_kind_text(enum config_kind kind);

/* Set err to "FILE:LINE:COLUMN: text"; returns false. */
bool config_fail_at(const struct config *config, int line, int column, struct error *err,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same at a value that is not what its key takes: "KEY takes EXPECTED, not 'TEXT'". */
bool config_fail_value(const struct config *config, const struct config_value *value,
    struct error *err, const char *expected);

#endif
