#include "console/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/config_file.h"
#include "console/config_taps.h"
#include "console/sizes.h"

#define LAG_INTERVAL_MIN_NS NS_PER_S
#define LAG_INTERVAL_MAX_NS (3600 * NS_PER_S)

/* [tape] */

static bool
read_directory(struct config *config, struct config_value *value, struct error *err)
{
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe) */
    if (strncmp(value->text, "~/", 2) == 0 && home != NULL) {
        char *expanded = alloc_format("%s/%s", home, value->text + 2);
        free(value->text);
        value->text = expanded;
    }
    if (value->text[0] != '/')
        return config_fail_value(config, value, err, "an absolute path or one that begins with ~/");
    config->tape.directory = value->text;
    return true;
}

static bool
read_durability(struct config *config, const struct config_value *value, struct error *err)
{
    static const struct {
        const char *text;
        enum durability durability;
    } known[] = {
        {"kernel", DURABILITY_KERNEL},
        {"interval", DURABILITY_INTERVAL},
        {"each", DURABILITY_EACH},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(value->text, known[i].text) == 0) {
            config->tape.writer.durability = known[i].durability;
            return true;
        }
    }
    return config_fail_value(config, value, err, "kernel, interval or each");
}

static bool
read_journal_bytes(const struct config *config, const struct config_value *value, uint64_t *bytes,
    struct error *err)
{
    return (sizes_parse(value->text, UINT64_C(1) << 20, bytes) && *bytes <= TAPE_JOURNAL_MAX) ||
           config_fail_value(config, value, err, "a size from 1M to 32G, like 64M");
}

static bool
read_keep_bytes(const struct config *config, const struct config_value *value, uint64_t *bytes,
    struct error *err)
{
    return sizes_parse(value->text, UINT64_C(1) << 20, bytes) ||
           config_fail_value(config, value, err, "a size from 1M to 1024T, like 64M");
}

static bool
read_keep_age(struct config *config, const struct config_value *value, struct error *err)
{
    int64_t age_ns = 0;
    struct error unclear;
    if (!clock_parse_duration(value->text, strlen(value->text), &age_ns, &unclear) ||
        age_ns < 60 * NS_PER_S)
        return config_fail_value(config, value, err, "a length of time from 1m on, like 7d");
    config->tape.writer.retention.keep_age_ns = age_ns;
    return true;
}

static bool
read_compression(struct config *config, const struct config_value *value, struct error *err)
{
    if (strcmp(value->text, "zstd") == 0)
        config->tape.writer.codec = BLOCK_ZSTD;
    else if (strcmp(value->text, "lz4") == 0)
        config->tape.writer.codec = BLOCK_LZ4;
    else
        return config_fail_value(config, value, err, "zstd or lz4");
    return true;
}

static bool
read_min_free(struct config *config, const struct config_value *value, struct error *err)
{
    char *end = NULL;
    double percent = strtod(value->text, &end);
    if (!isdigit((unsigned char)value->text[0]) || strcmp(end, "%") != 0 || percent > 90.0)
        return config_fail_value(config, value, err, "a share of the disk from 0% to 90%, like 2%");
    /* 0 means the default to the writer; "0%" means no check. */
    config->tape.writer.min_free = percent > 0.0 ? percent / 100.0 : -1.0;
    return true;
}

static bool
read_tape_value(struct config *config, struct config_value *value, struct error *err)
{
    struct tape_writer_options *writer = &config->tape.writer;
    if (strcmp(value->key, "directory") == 0)
        return read_directory(config, value, err);
    if (strcmp(value->key, "durability") == 0)
        return read_durability(config, value, err);
    if (strcmp(value->key, "journal_bytes") == 0)
        return read_journal_bytes(config, value, &writer->journal_bytes, err);
    if (strcmp(value->key, "keep_bytes") == 0)
        return read_keep_bytes(config, value, &writer->retention.keep_bytes, err);
    if (strcmp(value->key, "keep_age") == 0)
        return read_keep_age(config, value, err);
    if (strcmp(value->key, "compression") == 0)
        return read_compression(config, value, err);
    return read_min_free(config, value, err);
}

static bool
read_tape(struct config *config, struct config_section *section, struct error *err)
{
    for (size_t i = 0; i < section->value_count; i++) {
        if (!read_tape_value(config, &section->values[i], err))
            return false;
    }
    return true;
}

/* [stream.NAME] */

static bool
read_stream(struct config *config, const struct config_section *section, struct error *err)
{
    for (size_t i = 0; i < section->value_count; i++) {
        const struct config_value *value = &section->values[i];
        enum place_field field;
        struct error why;
        if (strncmp(value->text, "value:", 6) == 0)
            return config_fail_at(config, value->line, value->column, err,
                "%s cannot be looked up in payloads in this version; name a header (header:NAME), "
                "and ask for members of the payload with value.PATH=",
                value->key);
        if (!place_field_parse(value->key, &field))
            return config_fail_at(config, value->line, value->key_column, err,
                "'%s' cannot be taken from an event in this version: events have the time of the "
                "transport, else when they were received",
                value->key);
        if (strncmp(value->text, "header:", 7) != 0 || value->text[7] == '\0')
            return config_fail_value(config, value, err, "header:NAME");
        if (!places_set(&config->tape.places, section->name, field, value->text + 7, &why))
            return config_fail_at(
                config, value->line, value->column, err, "%s: %.200s", value->key, why.text);
    }
    return true;
}

/* [lag] */

static bool
read_lag(struct config *config, const struct config_section *section, struct error *err)
{
    for (size_t i = 0; i < section->value_count; i++) {
        const struct config_value *value = &section->values[i];
        struct error unclear;
        if (strcmp(value->key, "groups") == 0) {
            config->lag.off = strcmp(value->text, "off") == 0;
            config->lag.groups = config->lag.off ? NULL : value->text;
        } else if (!clock_parse_duration(
                       value->text, strlen(value->text), &config->lag.interval_ns, &unclear) ||
                   config->lag.interval_ns < LAG_INTERVAL_MIN_NS ||
                   config->lag.interval_ns > LAG_INTERVAL_MAX_NS) {
            return config_fail_value(config, value, err, "a time from 1s to 1h");
        }
    }
    return true;
}

static bool
check_section(struct config *config, struct config_section *section, struct error *err)
{
    switch (section->kind) {
    case CONFIG_TAPE:
        return read_tape(config, section, err);
    case CONFIG_TAP:
    case CONFIG_TARGET:
        return config_taps_check(config, section, err);
    case CONFIG_STREAM:
        return read_stream(config, section, err);
    case CONFIG_METRICS:
        for (size_t i = 0; i < section->value_count; i++)
            config->metrics_listen = section->values[i].text;
        return true;
    case CONFIG_LAG:
        return read_lag(config, section, err);
    case CONFIG_MASK:
        break; /* refused while reading */
    }
    return true;
}

/* NULL when the environment names no home either. */
static char *
default_path(void)
{
    const char *base = getenv("XDG_CONFIG_HOME"); /* NOLINT(concurrency-mt-unsafe) */
    if (base != NULL && base[0] == '/')
        return alloc_format("%s/tapedeck/tapedeck.conf", base);
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe) */
    return home == NULL || home[0] == '\0'
               ? NULL
               : alloc_format("%s/.config/tapedeck/tapedeck.conf", home);
}

bool
config_load(const char *path, struct config *config, struct error *err)
{
    *config = (struct config){.tape.writer.durability = DURABILITY_INTERVAL};
    char *chosen = path == NULL ? default_path() : alloc_text(path);
    if (chosen == NULL)
        return true;
    if (path == NULL && access(chosen, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        free(chosen);
        return true;
    }
    config->path = chosen;
    bool done = config_file_read(config, err);
    for (size_t i = 0; done && i < config->section_count; i++)
        done = check_section(config, &config->sections[i], err);
    if (!done)
        config_free(config);
    else
        config->tape.writer.places = &config->tape.places;
    return done;
}

void
config_free(struct config *config)
{
    for (size_t i = 0; i < config->section_count; i++)
        config_section_done(&config->sections[i]);
    free(config->sections);
    places_done(&config->tape.places);
    free(config->path);
    *config = (struct config){0};
}
