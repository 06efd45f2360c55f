#include "console/config_file.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "console/config.h"
#include "console/nearest.h"

/* libinih compares section names up to this length only. */
#define NAME_MAX_BYTES 48

struct parse {
    FILE *file;
    struct config *config;
    struct config_section *section; /* the last one in config->sections, or NULL */
    struct error *err;
    char *raw; /* the line that libinih works on, as it is in the file */
    size_t raw_capacity;
    int line;
    bool has_failed;
};

/* What may stand in a section. A key that ends with a dot stands for all that begin with it. */
static const struct {
    enum config_kind kind;
    const char *key;
} known_keys[] = {
    {CONFIG_TAPE, "directory"},
    {CONFIG_TAPE, "durability"},
    {CONFIG_TAPE, "journal_bytes"},
    {CONFIG_TAPE, "min_free"},
    {CONFIG_TAPE, "keep_bytes"},
    {CONFIG_TAPE, "keep_age"},
    {CONFIG_TAPE, "compression"},
    {CONFIG_METRICS, "listen"},
    {CONFIG_LAG, "interval"},
    {CONFIG_LAG, "groups"},
    {CONFIG_TAP, "type"},
    {CONFIG_TAP, "url"},
    {CONFIG_TAP, "brokers"},
    {CONFIG_TAP, "topics"},
    {CONFIG_TAP, "from"},
    {CONFIG_TAP, "max_bytes_per_second"},
    {CONFIG_TAP, "isolation"},
    {CONFIG_TAP, "mode"},
    {CONFIG_TAP, "group"},
    {CONFIG_TAP, "kafka."},
    {CONFIG_TAP, "sequence"},
    {CONFIG_TAP, "zeromq."},
    {CONFIG_TARGET, "type"},
    {CONFIG_TARGET, "url"},
    {CONFIG_TARGET, "brokers"},
    {CONFIG_TARGET, "topic"},
    {CONFIG_TARGET, "kafka."},
    {CONFIG_STREAM, "id"},
    {CONFIG_STREAM, "type"},
    {CONFIG_STREAM, "sequence"},
    {CONFIG_STREAM, "correlation"},
    {CONFIG_STREAM, "causation"},
    {CONFIG_STREAM, "time"},
};

static const char *const kind_names[] = {
    "tape", "tap", "stream", "target", "mask", "metrics", "lag"};

const char *
config_kind_text(enum config_kind kind)
{
    return kind_names[kind];
}

bool
config_fail_at(
    const struct config *config, int line, int column, struct error *err, const char *format, ...)
{
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return error_set(err, ERROR_CONFIG, "%s:%d:%d: %s", config->path, line, column, text);
}

bool
config_fail_value(const struct config *config, const struct config_value *value, struct error *err,
    const char *expected)
{
    return config_fail_at(config, value->line, value->column, err, "%s takes %s, not '%.60s'",
        value->key, expected, value->text);
}

/* Columns count characters from 1. */
static int
column_of(const char *line, const char *place)
{
    int column = 1;
    for (const char *at = line; at < place; at++)
        column += ((unsigned char)*at & 0xC0) != 0x80 ? 1 : 0;
    return column;
}

static bool
fail_here(struct parse *parse, const char *place, const char *text, const char *quoted)
{
    parse->has_failed = true;
    return config_fail_at(parse->config, parse->line, column_of(parse->raw, place), parse->err,
        "%s%s%s%s", text, quoted == NULL ? "" : " '", quoted == NULL ? "" : quoted,
        quoted == NULL ? "" : "'");
}

static bool
kind_of(const char *word, enum config_kind *kind)
{
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (strcmp(kind_names[i], word) == 0) {
            *kind = (enum config_kind)i;
            return true;
        }
    }
    return false;
}

/* There is one section of the kind, without a name. */
static bool
is_single(size_t kind)
{
    return kind == CONFIG_TAPE || kind == CONFIG_METRICS || kind == CONFIG_LAG;
}

/* Offered are the kinds that exist in the form that was written: with a name, or without. */
static bool
fail_unknown_section(struct parse *parse, const char *word, bool has_name)
{
    struct nearest nearest = {.word = word, .best = NULL};
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (i != CONFIG_MASK && !(is_single(i) && has_name))
            nearest_offer(&nearest, kind_names[i]);
    }
    enum config_kind kind = CONFIG_TAPE;
    (void)kind_of(nearest.best, &kind);
    parse->has_failed = true;
    return config_fail_at(parse->config, parse->line, 2, parse->err,
        "unknown section '%s'; the nearest is [%s%s]", word, nearest.best,
        is_single(kind) ? "" : ".NAME");
}

/* Names of taps and targets go into labels, URLs and file names. */
static bool
is_plain_name(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

static bool
check_section_name(struct parse *parse, enum config_kind kind, const char *name)
{
    const char *place = parse->raw + 1;
    switch (kind) {
    case CONFIG_TAPE:
        if (name[0] != '\0')
            return fail_here(parse, place, "the section is [tape], without a name", NULL);
        return true;
    case CONFIG_METRICS:
        if (name[0] != '\0')
            return fail_here(parse, place, "the section is [metrics], without a name", NULL);
        return true;
    case CONFIG_LAG:
        if (name[0] != '\0')
            return fail_here(parse, place, "the section is [lag], without a name", NULL);
        return true;
    case CONFIG_TAP:
    case CONFIG_TARGET:
        if (!is_plain_name(name))
            return fail_here(parse, place,
                "a name of letters, digits, '-', '_' and '.' is needed, as in [tap.NAME], not",
                name);
        return true;
    case CONFIG_STREAM:
        if (name[0] == '\0')
            return fail_here(parse, place, "a name is needed, as in [stream.NAME]", NULL);
        return true;
    case CONFIG_MASK:
        return fail_here(parse, place,
            "masking is not available in this version: payloads would be recorded as they are;"
            " remove",
            "mask");
    }
    return true;
}

static bool
check_not_twice(struct parse *parse, enum config_kind kind, const char *name)
{
    const struct config *config = parse->config;
    for (size_t i = 0; i < config->section_count; i++) {
        const struct config_section *other = &config->sections[i];
        if (other->kind != kind || strcmp(other->name, name) != 0)
            continue;
        parse->has_failed = true;
        return config_fail_at(config, parse->line, 2, parse->err,
            "this section already begins at line %d", other->line);
    }
    return true;
}

static void
add_section(struct parse *parse, enum config_kind kind, const char *name)
{
    struct config *config = parse->config;
    config->sections = alloc_grow(config->sections, config->section_count,
        &config->section_capacity, sizeof(config->sections[0]));
    parse->section = &config->sections[config->section_count++];
    *parse->section =
        (struct config_section){.kind = kind, .name = alloc_text(name), .line = parse->line};
}

/* libinih tells of a section only with its first key; an empty one must be checked as well. */
static bool
read_section_line(struct parse *parse)
{
    char *end = strchr(parse->raw, ']');
    if (end == NULL)
        return fail_here(parse, parse->raw, "a section is [NAME]; the ']' is missing", NULL);
    size_t blank = strspn(end + 1, " \t\r\n");
    if (strchr("#;", end[1 + blank]) == NULL)
        return fail_here(parse, end + 1 + blank, "nothing may stand behind the section", NULL);
    size_t length = (size_t)(end - parse->raw) - 1;
    if (length > NAME_MAX_BYTES)
        return fail_here(parse, parse->raw + 1, "the section's name is longer than 48 bytes", NULL);

    char word[NAME_MAX_BYTES + 1];
    memcpy(word, parse->raw + 1, length);
    word[length] = '\0';
    char *dot = strchr(word, '.');
    const char *name = dot == NULL ? "" : dot + 1;
    if (dot != NULL)
        *dot = '\0';
    enum config_kind kind = CONFIG_TAPE;
    if (!kind_of(word, &kind))
        return fail_unknown_section(parse, word, dot != NULL);
    if (!check_section_name(parse, kind, name) || !check_not_twice(parse, kind, name))
        return false;
    add_section(parse, kind, name);
    return true;
}

/* libinih's reader: like fgets(), but a line that does not fit is an error and not two lines. */
static char *
read_line(char *to, int size, void *stream)
{
    struct parse *parse = stream;
    if (parse->has_failed)
        return NULL;
    ssize_t length = getline(&parse->raw, &parse->raw_capacity, parse->file);
    if (length < 0)
        return NULL;
    parse->line++;
    if (strlen(parse->raw) != (size_t)length) {
        (void)fail_here(parse, parse->raw + strlen(parse->raw), "a zero byte in the text", NULL);
        return NULL;
    }
    if (length >= size) {
        (void)fail_here(parse, parse->raw,
            "the line is too long; go on with the value in indented lines below it", NULL);
        return NULL;
    }
    if (parse->raw[0] == '[' && !read_section_line(parse))
        return NULL;
    memcpy(to, parse->raw, (size_t)length + 1);
    return to;
}

static bool
is_known_key(enum config_kind kind, const char *key)
{
    for (size_t i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]); i++) {
        if (known_keys[i].kind != kind)
            continue;
        size_t length = strlen(known_keys[i].key);
        bool is_prefix = known_keys[i].key[length - 1] == '.';
        if (strcmp(known_keys[i].key, key) == 0 && !is_prefix)
            return true;
        if (is_prefix && strncmp(known_keys[i].key, key, length) == 0 && key[length] != '\0')
            return true;
    }
    return false;
}

static bool
fail_unknown_key(struct parse *parse, const char *place, const char *key)
{
    struct nearest nearest = {.word = key, .best = NULL};
    for (size_t i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]); i++) {
        if (known_keys[i].kind == parse->section->kind)
            nearest_offer(&nearest, known_keys[i].key);
    }
    size_t length = strlen(nearest.best);
    parse->has_failed = true;
    return config_fail_at(parse->config, parse->line, column_of(parse->raw, place), parse->err,
        "unknown key '%s' in [%s]; the nearest is '%s%s'", key,
        config_kind_text(parse->section->kind), nearest.best,
        nearest.best[length - 1] == '.' ? "PROPERTY" : "");
}

/* A further indented line of the value before: lists go on behind a comma, texts as they are. */
static void
append_to_value(struct config_value *value, const char *more)
{
    bool is_list = strcmp(value->key, "brokers") == 0 || strcmp(value->key, "topics") == 0;
    size_t length = strlen(value->text);
    bool has_comma = length == 0 || value->text[length - 1] == ',' || more[0] == ',';
    char *text = alloc_format("%s%s%s", value->text, is_list && !has_comma ? "," : "", more);
    free(value->text);
    value->text = text;
}

static void
add_value(struct parse *parse, const char *place, const char *key, const char *text)
{
    const char *separator = strpbrk(place, "=:");
    const char *begin = separator == NULL ? place : separator + 1;
    begin += strspn(begin, " \t");

    struct config_section *section = parse->section;
    section->values = alloc_grow(section->values, section->value_count, &section->value_capacity,
        sizeof(section->values[0]));
    section->values[section->value_count++] = (struct config_value){
        .key = alloc_text(key),
        .text = alloc_text(text),
        .line = parse->line,
        .key_column = column_of(parse->raw, place),
        .column = column_of(parse->raw, begin),
    };
}

/* libinih's handler: returns 0 after a failure. */
static int
handle_key(void *self, const char *section, const char *key, const char *text)
{
    struct parse *parse = self;
    if (parse->has_failed)
        return 0;
    const char *place = parse->raw + strspn(parse->raw, " \t");
    struct config_section *current = parse->section;
    if (current == NULL)
        return fail_here(parse, place, "a section like [tap.NAME] must stand before", key) ? 1 : 0;

    size_t kind_length = strlen(config_kind_text(current->kind));
    const char *name = section[kind_length] == '.' ? section + kind_length + 1 : "";
    if (strncmp(section, config_kind_text(current->kind), kind_length) != 0 ||
        strcmp(name, current->name) != 0)
        return fail_here(
                   parse, place, "the section above must begin in the first column, before", key)
                   ? 1
                   : 0;

    struct config_value *last =
        current->value_count == 0 ? NULL : &current->values[current->value_count - 1];
    if (place > parse->raw && last != NULL && strcmp(last->key, key) == 0) {
        append_to_value(last, text);
        return 1;
    }
    if (!is_known_key(current->kind, key))
        return fail_unknown_key(parse, place, key) ? 1 : 0;
    if (config_section_find(current, key) != NULL)
        return fail_here(parse, place, "this section has two values for", key) ? 1 : 0;
    add_value(parse, place, key, text);
    return 1;
}

bool
config_file_read(struct config *config, struct error *err)
{
    FILE *file = fopen(config->path, "re");
    if (file == NULL) {
        (void)error_set_system(err, "cannot read the configuration %s", config->path);
        err->code = ERROR_CONFIG;
        return false;
    }
    struct parse parse = {.file = file, .config = config, .err = err};
    int bad_line = ini_parse_stream(read_line, &parse, handle_key, &parse);
    bool is_unreadable = ferror(file) != 0;
    int reason = errno;
    (void)fclose(file);
    free(parse.raw);

    if (is_unreadable) {
        errno = reason;
        (void)error_set_system(err, "cannot read the configuration %s", config->path);
        err->code = ERROR_CONFIG;
        return false;
    }
    /* libinih goes on after a line that it does not understand; the first bad one counts. */
    if (bad_line > 0 && (!parse.has_failed || bad_line < parse.line))
        return config_fail_at(config, bad_line, 1, err, "expected KEY = VALUE or [SECTION]");
    return !parse.has_failed;
}

void
config_section_done(struct config_section *section)
{
    for (size_t i = 0; i < section->value_count; i++) {
        free(section->values[i].key);
        free(section->values[i].text);
    }
    free(section->values);
    free(section->name);
}

const struct config_value *
config_section_find(const struct config_section *section, const char *key)
{
    for (size_t i = 0; section->values != NULL && i < section->value_count; i++) {
        if (strcmp(section->values[i].key, key) == 0)
            return &section->values[i];
    }
    return NULL;
}
