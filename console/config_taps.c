#include "console/config_taps.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/source.h"
#include "collectors/start_offsets.h"
#include "console/config.h"
#include "console/config_file.h"
#include "console/nearest.h"
#include "console/secret.h"
#include "console/sizes.h"

/* Less would look like a tap that hangs. */
#define BUDGET_LEAST UINT64_C(1024)

/* --- what a section may say ----------------------------------------------------------------------- */

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
        return config_fail_value(config, url, err,
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
        return config_fail_value(config, from, err, "resume, beginning, end, a time or offsets");
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
           config_fail_value(config, value, err, "a size from 1K on, like 5M");
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
           config_fail_value(config, value, err, "read_committed or read_uncommitted");
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
        return config_fail_value(config, mode, err, "watch or group");
    bool is_member = mode != NULL && strcmp(mode->text, "group") == 0;
    if (is_member && group == NULL)
        return config_fail_at(config, mode->line, mode->column, err,
            "mode = group needs group = NAME, the name of a consumer group for recorders only");
    if (!is_member && group != NULL)
        return config_fail_at(config, group->line, group->key_column, err,
            "group needs mode = group: then offsets of that group are committed");
    size_t length = group == NULL ? 1 : strlen(group->text);
    return (length > 0 && length <= SOURCE_GROUP_MAX) ||
           config_fail_value(config, group, err, "a name of 1 to 249 bytes");
}

bool
config_taps_check(
    const struct config *config, const struct config_section *section, struct error *err)
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

/* --- taps and targets for others ----------------------------------------------------------------- */

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
    char **origins = alloc_array(section->value_count + 1, sizeof(char *));
    tap->properties = properties;
    tap->origins = (const char *const *)origins;
    tap->fetch = secret_resolve_again;
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
        origins[tap->property_count] =
            !is_sequence && secret_may_change(value->text) ? alloc_text(value->text) : NULL;
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
            free_text(tap->origins[j]);
        }
        union {
            const char *const *shown;
            char **owned;
        } origins = {.shown = tap->origins};
        free(origins.owned);
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
