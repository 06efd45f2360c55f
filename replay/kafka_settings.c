#include "replay/kafka_settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"

#define SETTINGS_MAX_BYTES ((size_t)64 * 1024)

struct row {
    char *name;
    char *value;
};

struct kafka_settings {
    struct row *rows;
    size_t count;
    size_t capacity;
};

/* What a replay promises rests on these; a file that changes them is a mistake. */
static const char *const fixed_names[] = {
    "acks",
    "request.required.acks",
    "allow.auto.create.topics",
    "bootstrap.servers",
    "metadata.broker.list",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "group.id",
    "isolation.level",
    "transactional.id",
};

static bool
is_fixed(const char *name)
{
    for (size_t i = 0; i < sizeof(fixed_names) / sizeof(fixed_names[0]); i++)
        if (strcmp(name, fixed_names[i]) == 0)
            return true;
    return false;
}

static char *
trimmed(const char *from, const char *end)
{
    while (from < end && strchr(" \t\r", *from) != NULL)
        from++;
    while (end > from && strchr(" \t\r", end[-1]) != NULL)
        end--;
    return alloc_text_of(from, (size_t)(end - from));
}

bool
kafka_settings_add(
    struct kafka_settings *settings, const char *name, const char *value, struct error *err)
{
    if (is_fixed(name))
        return error_set(
            err, ERROR_CONFIG, "'%s' is decided by the replay and may not be set", name);
    settings->rows =
        alloc_grow(settings->rows, settings->count, &settings->capacity, sizeof(settings->rows[0]));
    struct row *row = &settings->rows[settings->count++];
    row->name = alloc_text(name);
    row->value = alloc_text(value);
    return true;
}

static bool
add_line(struct kafka_settings *settings, const char *from, const char *end, struct error *err)
{
    char *line = trimmed(from, end);
    char *equals = strchr(line, '=');
    bool added = line[0] == '\0' || line[0] == '#';

    if (!added && (equals == NULL || equals == line)) {
        error_set(err, ERROR_CONFIG, "expected NAME=VALUE");
    } else if (!added) {
        char *name = trimmed(line, equals);
        char *value = trimmed(equals + 1, line + strlen(line));
        added = kafka_settings_add(settings, name, value, err);
        free(name);
        free(value);
    }
    free(line);
    return added;
}

struct kafka_settings *
kafka_settings_load(const char *path, struct error *err)
{
    struct kafka_settings *settings = alloc_zeroed(sizeof(*settings));
    struct buffer content = {0};

    if (path == NULL)
        return settings;
    if (!file_read_whole(path, SETTINGS_MAX_BYTES, &content, err))
        goto fail;

    const char *at = buffer_text(&content);
    const char *end = at + content.length;
    for (int line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (!add_line(settings, at, stop, err)) {
            error_wrap(err, "%s:%d", path, line);
            goto fail;
        }
        at = stop + 1;
    }
    buffer_done(&content);
    return settings;

fail:
    buffer_done(&content);
    kafka_settings_free(settings);
    return NULL;
}

void
kafka_settings_free(struct kafka_settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < settings->count; i++) {
        free(settings->rows[i].name);
        free(settings->rows[i].value);
    }
    free(settings->rows);
    free(settings);
}

size_t
kafka_settings_count(const struct kafka_settings *settings)
{
    return settings != NULL ? settings->count : 0;
}

struct kafka_setting
kafka_settings_at(const struct kafka_settings *settings, size_t index)
{
    assert(index < settings->count);
    return (struct kafka_setting){settings->rows[index].name, settings->rows[index].value};
}
