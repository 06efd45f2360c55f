#include "console/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/source.h"
#include "collectors/start_offsets.h"
#include "console/config_file.h"
#include "console/nearest.h"
#include "console/safe_text.h"
#include "console/secret.h"
#include "console/sizes.h"

/* Less would look like a tap that hangs. */

#define LAG_INTERVAL_MIN_NS NS_PER_S
#define LAG_INTERVAL_MAX_NS (3600 * NS_PER_S)

#define BUDGET_LEAST UINT64_C(1024)

static bool
fail_value(const struct config *config, const struct config_value *value, struct error *err,
    const char *expected)
{
    return config_fail_at(config, value->line, value->column, err, "%s takes %s, not '%.60s'",
        value->key, expected, value->text);
}

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
        return fail_value(config, value, err, "an absolute path or one that begins with ~/");
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
    return fail_value(config, value, err, "kernel, interval or each");
}

static bool
read_size(const struct config *config, const struct config_value *value, uint64_t *bytes,
    struct error *err)
{
    return sizes_parse(value->text, UINT64_C(1) << 20, bytes) ||
           fail_value(config, value, err, "a size from 1M to 1024T, like 64M");
}

static bool
read_keep_age(struct config *config, const struct config_value *value, struct error *err)
{
    int64_t age_ns = 0;
    struct error unclear;
    if (!clock_parse_duration(value->text, strlen(value->text), &age_ns, &unclear) ||
        age_ns < 60 * NS_PER_S)
        return fail_value(config, value, err, "a length of time from 1m on, like 7d");
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
        return fail_value(config, value, err, "zstd or lz4");
    return true;
}

static bool
read_min_free(struct config *config, const struct config_value *value, struct error *err)
{
    char *end = NULL;
    double percent = strtod(value->text, &end);
    if (!isdigit((unsigned char)value->text[0]) || strcmp(end, "%") != 0 || percent > 90.0)
        return fail_value(config, value, err, "a share of the disk from 0% to 90%, like 2%");
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
        return read_size(config, value, &writer->journal_bytes, err);
    if (strcmp(value->key, "keep_bytes") == 0)
        return read_size(config, value, &writer->retention.keep_bytes, err);
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

/* [tap.NAME], [target.NAME] */

static bool
is_zeromq_url(const char *url)
{
    return strncmp(url, "zmq://", 6) == 0 || strncmp(url, "zmq+", 4) == 0;
}

static bool
is_zeromq(const struct config_section *section)
{
    const struct config_value *type = config_section_find(section, "type");
    const struct config_value *url = config_section_find(section, "url");
    return url != NULL ? is_zeromq_url(url->text)
                       : type != NULL && strcmp(type->text, "zeromq") == 0;
}

static bool
check_type_and_url(
    const struct config *config, const struct config_section *section, struct error *err)
{
    const struct config_value *type = config_section_find(section, "type");
    const struct config_value *url = config_section_find(section, "url");
    if (type != NULL && strcmp(type->text, "kafka") != 0 && strcmp(type->text, "zeromq") != 0) {
        struct nearest nearest = {.word = type->text, .best = NULL};
        nearest_offer_choices(&nearest, "kafka|zeromq");
        return config_fail_at(config, type->line, type->column, err,
            "unknown type '%.60s' (kafka, zeromq); the nearest is %.*s", type->text,
            (int)nearest_choice_length(nearest.best), nearest.best);
    }
    if (url == NULL)
        return true;
    if (strncmp(url->text, "kafka://", 8) != 0 && !is_zeromq_url(url->text))
        return fail_value(config, url, err,
            "kafka://HOST:PORT/TOPICS, zmq://HOST:PORT/PREFIX or zmq+ipc://FILE#PREFIX");
    if (type != NULL && (strcmp(type->text, "zeromq") == 0) != is_zeromq(section))
        return config_fail_at(config, url->line, url->column, err,
            "the url is not one of type %s (line %d)", type->text, type->line);
    return true;
}

/* What stands behind the brokers: a tap reads several topics, a replay goes to one. */
static const struct config_value *
find_topics(const struct config_section *section)
{
    return config_section_find(section, section->kind == CONFIG_TAP ? "topics" : "topic");
}

/* Either a url, or (Kafka) brokers and topics. */
static bool
check_address(const struct config *config, const struct config_section *section, struct error *err)
{
    const struct config_value *url = config_section_find(section, "url");
    const struct config_value *brokers = config_section_find(section, "brokers");
    const struct config_value *topics = find_topics(section);
    const struct config_value *extra = brokers != NULL ? brokers : topics;
    if (url != NULL && extra != NULL)
        return config_fail_at(config, extra->line, extra->key_column, err,
            "%s cannot stand beside url (line %d)", extra->key, url->line);
    if (url != NULL)
        return true;
    if (is_zeromq(section))
        return config_fail_at(
            config, section->line, 1, err, "a zeromq section needs url = zmq://HOST:PORT/PREFIX");
    if (brokers == NULL || brokers->text[0] == '\0' || topics == NULL || topics->text[0] == '\0')
        return config_fail_at(config, section->line, 1, err, "[%s.%s] needs url, or brokers and %s",
            config_kind_text(section->kind), section->name,
            section->kind == CONFIG_TAP ? "topics" : "topic");
    return true;
}

static bool
check_from(const struct config *config, const struct config_section *section, struct error *err)
{
    const struct config_value *from = config_section_find(section, "from");
    int64_t ignored = 0;
    struct error unclear;
    if (from == NULL || strcmp(from->text, "resume") == 0 || strcmp(from->text, "beginning") == 0 ||
        strcmp(from->text, "end") == 0 ||
        clock_parse(from->text, strlen(from->text), clock_now_ns(), &ignored, &unclear))
        return true;
    if (!start_offsets_is(from->text))
        return fail_value(config, from, err, "resume, beginning, end, a time or offsets");
    struct start_offsets offsets = {0};
    if (is_zeromq(section))
        return config_fail_at(
            config, from->line, from->column, err, "zeromq has no offsets to begin at");
    if (!start_offsets_parse(&offsets, from->text, &unclear))
        return config_fail_at(config, from->line, from->column, err, "from: %s", unclear.text);
    start_offsets_done(&offsets);
    return true;
}

/* A transport that cannot wait would lose what is over the budget. */
static bool
check_budget(const struct config *config, const struct config_section *section, struct error *err)
{
    const struct config_value *value = config_section_find(section, "max_bytes_per_second");
    uint64_t ignored;
    if (value == NULL)
        return true;
    if (is_zeromq(section))
        return config_fail_at(config, value->line, value->key_column, err,
            "'%s' has no meaning for zeromq: what is not read in time is lost", value->key);
    return sizes_parse(value->text, BUDGET_LEAST, &ignored) ||
           fail_value(config, value, err, "a size from 1K on, like 5M");
}

/* Two keys that say the same thing would hide one of them. */
static bool
check_isolation(
    const struct config *config, const struct config_section *section, struct error *err)
{
    const struct config_value *value = config_section_find(section, "isolation");
    const struct config_value *property = config_section_find(section, "kafka.isolation.level");
    if (value == NULL)
        return true;
    if (is_zeromq(section))
        return config_fail_at(config, value->line, value->key_column, err,
            "'%s' has no meaning for zeromq", value->key);
    if (property != NULL)
        return config_fail_at(config, property->line, property->key_column, err,
            "%s cannot stand beside isolation (line %d)", property->key, value->line);
    return strcmp(value->text, "read_committed") == 0 ||
           strcmp(value->text, "read_uncommitted") == 0 ||
           fail_value(config, value, err, "read_committed or read_uncommitted");
}

/* A tap of Kafka only looks, or is a member of the group that is named. */
static bool
check_group(const struct config *config, const struct config_section *section, struct error *err)
{
    const struct config_value *mode = config_section_find(section, "mode");
    const struct config_value *group = config_section_find(section, "group");
    const struct config_value *either = mode != NULL ? mode : group;
    if (either == NULL)
        return true;
    if (is_zeromq(section))
        return config_fail_at(config, either->line, either->key_column, err,
            "'%s' has no meaning for zeromq", either->key);
    if (mode != NULL && strcmp(mode->text, "watch") != 0 && strcmp(mode->text, "group") != 0)
        return fail_value(config, mode, err, "watch or group");
    bool is_member = mode != NULL && strcmp(mode->text, "group") == 0;
    if (is_member && group == NULL)
        return config_fail_at(config, mode->line, mode->column, err,
            "mode = group needs group = NAME, the name of a consumer group for recorders only");
    if (!is_member && group != NULL)
        return config_fail_at(config, group->line, group->key_column, err,
            "group needs mode = group: then offsets of that group are committed");
    size_t length = group == NULL ? 1 : strlen(group->text);
    return (length > 0 && length <= SOURCE_GROUP_MAX) ||
           fail_value(config, group, err, "a name of 1 to 249 bytes");
}

static bool
check_endpoint(const struct config *config, const struct config_section *section, struct error *err)
{
    if (!check_type_and_url(config, section, err) || !check_address(config, section, err) ||
        !check_from(config, section, err) || !check_budget(config, section, err) ||
        !check_isolation(config, section, err) || !check_group(config, section, err))
        return false;
    for (size_t i = 0; is_zeromq(section) && i < section->value_count; i++) {
        const struct config_value *value = &section->values[i];
        if (strncmp(value->key, "kafka.", 6) == 0)
            return config_fail_at(config, value->line, value->key_column, err,
                "'%s' has no meaning for zeromq", value->key);
    }
    for (size_t i = 0; !is_zeromq(section) && i < section->value_count; i++) {
        const struct config_value *value = &section->values[i];
        if (strncmp(value->key, "zeromq.", 7) == 0 || strcmp(value->key, "sequence") == 0)
            return config_fail_at(config, value->line, value->key_column, err,
                "'%s' has no meaning for kafka", value->key);
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
            return fail_value(config, value, err, "header:NAME");
        if (!places_set(&config->tape.places, section->name, field, value->text + 7, &why))
            return config_fail_at(
                config, value->line, value->column, err, "%s: %.200s", value->key, why.text);
    }
    return true;
}

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
            return fail_value(config, value, err, "a time from 1s to 1h");
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
        return check_endpoint(config, section, err);
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

/* Taps and targets for others */

/* "a, b ,c" without the blanks. */
static void
append_list(struct buffer *to, const char *list)
{
    for (const char *at = list; *at != '\0'; at++) {
        if (*at != ' ' && *at != '\t')
            buffer_append_byte(to, (unsigned char)*at);
    }
}

static char *
url_of(const struct config_section *section)
{
    const struct config_value *url = config_section_find(section, "url");
    if (url != NULL)
        return alloc_text(url->text);
    struct buffer text = {0};
    buffer_append_text(&text, "kafka://");
    append_list(&text, config_section_find(section, "brokers")->text);
    buffer_append_byte(&text, '/');
    append_list(&text, find_topics(section)->text);
    char *copy = alloc_text(buffer_text(&text));
    buffer_done(&text);
    return copy;
}

static bool
resolve_properties(const struct config *config, const struct config_section *section,
    struct recorder_tap *tap, struct error *err)
{
    struct recorder_property *properties =
        alloc_array(section->value_count, sizeof(struct recorder_property));
    tap->properties = properties;
    for (size_t i = 0; i < section->value_count; i++) {
        const struct config_value *value = &section->values[i];
        bool is_sequence = section->kind == CONFIG_TAP && strcmp(value->key, "sequence") == 0;
        const char *dot =
            strncmp(value->key, "kafka.", 6) == 0 || strncmp(value->key, "zeromq.", 7) == 0
                ? strchr(value->key, '.')
                : NULL;
        if (dot == NULL && !is_sequence)
            continue;
        char *text = NULL;
        if (is_sequence)
            text = alloc_text(value->text);
        else if (!secret_resolve(value->text, &text, err))
            return error_wrap(err, "%s:%d:%d: %s of [%s.%s]", config->path, value->line,
                value->key_column, value->key, config_kind_text(section->kind), section->name);
        properties[tap->property_count++] = (struct recorder_property){
            .name = alloc_text(is_sequence ? value->key : dot + 1), .value = text};
    }
    return true;
}

/* NULL: not said, or by the property as a secret, which is not looked at here. */
static const char *
isolation_of(const struct config_section *section)
{
    const struct config_value *value = config_section_find(section, "isolation");
    if (value == NULL)
        value = config_section_find(section, "kafka.isolation.level");
    bool is_word = value != NULL && (strcmp(value->text, "read_committed") == 0 ||
                                        strcmp(value->text, "read_uncommitted") == 0);
    return is_word ? value->text : NULL;
}

static struct recorder_tap *
append_tap(const struct config_section *section, struct config_taps *taps)
{
    const struct config_value *from = config_section_find(section, "from");
    const struct config_value *budget = config_section_find(section, "max_bytes_per_second");
    const char *isolation = isolation_of(section);
    const struct config_value *group = config_section_find(section, "group");
    struct recorder_tap *tap = &taps->taps[taps->count++];
    *tap = (struct recorder_tap){
        .name = alloc_text(section->name),
        .url = url_of(section),
        .from = from == NULL ? NULL : alloc_text(from->text),
        .isolation = isolation == NULL ? NULL : alloc_text(isolation),
        .group = group == NULL ? NULL : alloc_text(group->text),
    };
    if (budget != NULL)
        (void)sizes_parse(budget->text, BUDGET_LEAST, &tap->max_bytes_per_second);
    return tap;
}

static bool
add_tap(const struct config *config, const struct config_section *section, struct config_taps *taps,
    struct error *err)
{
    return resolve_properties(config, section, append_tap(section, taps), err);
}

bool
config_taps(const struct config *config, struct config_taps *taps, struct error *err)
{
    struct config_taps found = {.taps = alloc_array(config->section_count, sizeof(*found.taps))};
    for (size_t i = 0; i < config->section_count; i++) {
        if (config->sections[i].kind != CONFIG_TAP)
            continue;
        if (!add_tap(config, &config->sections[i], &found, err)) {
            config_taps_done(&found);
            return false;
        }
    }
    *taps = found;
    return true;
}

void
config_taps_without_secrets(const struct config *config, struct config_taps *taps)
{
    *taps = (struct config_taps){
        .taps = alloc_array(config->section_count + 1, sizeof(struct recorder_tap))};
    for (size_t i = 0; i < config->section_count; i++)
        if (config->sections[i].kind == CONFIG_TAP)
            (void)append_tap(&config->sections[i], taps);
}

static const struct config_section *
find_named(const struct config *config, enum config_kind kind, const char *name)
{
    for (size_t i = 0; i < config->section_count; i++) {
        if (config->sections[i].kind == kind && strcmp(config->sections[i].name, name) == 0)
            return &config->sections[i];
    }
    return NULL;
}

static bool
fail_unknown(
    const struct config *config, enum config_kind kind, const char *name, struct error *err)
{
    struct nearest nearest = {.word = name, .best = NULL};
    for (size_t i = 0; i < config->section_count; i++) {
        if (config->sections[i].kind == kind)
            nearest_offer(&nearest, config->sections[i].name);
    }
    const char *word = config_kind_text(kind);
    if (nearest.best == NULL)
        return error_set(err, ERROR_ARGUMENT, "no %s '%.60s': the configuration has no [%s.NAME]",
            word, name, word);
    return error_set(
        err, ERROR_ARGUMENT, "no %s '%.60s'; the nearest is '%s'", word, name, nearest.best);
}

static bool
read_named(const struct config *config, enum config_kind kind, const char *name,
    struct config_taps *taps, struct error *err)
{
    const struct config_section *section = find_named(config, kind, name);
    if (section == NULL)
        return fail_unknown(config, kind, name, err);
    struct config_taps found = {.taps = alloc_array(1, sizeof(*found.taps))};
    if (!add_tap(config, section, &found, err)) {
        config_taps_done(&found);
        return false;
    }
    *taps = found;
    return true;
}

bool
config_tap(
    const struct config *config, const char *name, struct config_taps *tap, struct error *err)
{
    return read_named(config, CONFIG_TAP, name, tap, err);
}

bool
config_target(
    const struct config *config, const char *name, struct config_taps *target, struct error *err)
{
    return read_named(config, CONFIG_TARGET, name, target, err);
}

/* The structs show their texts as const to the recorder; these are ours. */
static void
free_text(const char *text)
{
    union {
        const char *shown;
        char *owned;
    } both = {.shown = text};
    if (both.owned != NULL)
        explicit_bzero(both.owned, strlen(both.owned));
    free(both.owned);
}

void
config_taps_done(struct config_taps *taps)
{
    for (size_t i = 0; i < taps->count; i++) {
        struct recorder_tap *tap = &taps->taps[i];
        for (size_t j = 0; j < tap->property_count; j++) {
            free_text(tap->properties[j].name);
            free_text(tap->properties[j].value);
        }
        union {
            const struct recorder_property *shown;
            struct recorder_property *owned;
        } properties = {.shown = tap->properties};
        free(properties.owned);
        free_text(tap->name);
        free_text(tap->url);
        free_text(tap->from);
        free_text(tap->isolation);
        free_text(tap->group);
    }
    free(taps->taps);
    *taps = (struct config_taps){0};
}
