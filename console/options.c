#include "console/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/nearest.h"
#include "console/sizes.h"

/* What is quoted in a message is cut to this. */
#define QUOTE_MAX 80

struct reader {
    const struct command_table *table;
    struct options_line *line;
    int argc;
    char **argv;
    int at; /* the argument to be read next */
    bool options_have_ended;
};

static const struct option_row every_command[] = {
    {"tape", OPTION_TEXT, offsetof(struct options_line, invocation.tape), "DIR",
        "the tape's directory (else TAPEDECK_TAPE, the configuration's, the default)", NULL},
    {"config", OPTION_TEXT, offsetof(struct options_line, invocation.config), "FILE",
        "the configuration (else $XDG_CONFIG_HOME/tapedeck/tapedeck.conf)", NULL},
    {"json", OPTION_FLAG, offsetof(struct options_line, invocation.json), NULL,
        "print JSON, one object a line", NULL},
    {"color", OPTION_TEXT, offsetof(struct options_line, invocation.color), "WHEN", "use colours",
        "auto|always|never"},
    {"quiet", OPTION_FLAG, offsetof(struct options_line, invocation.quiet), NULL,
        "no progress and no remarks on stderr, only errors", NULL},
    {"help", OPTION_FLAG, offsetof(struct options_line, help), NULL, "say how it is used", NULL},
    {"version", OPTION_FLAG, offsetof(struct options_line, version), NULL, "say the version", NULL},
};

const struct option_row *
options_of_every_command(size_t *count)
{
    *count = sizeof(every_command) / sizeof(every_command[0]);
    return every_command;
}

static const struct option_row *
find_row(const struct option_row *rows, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    }
    return NULL;
}

static const struct option_row *
find_own_row(const struct command *command, const char *name, size_t length)
{
    return command == NULL ? NULL : find_row(command->options, command->option_count, name, length);
}

/* Some command's option, while none was named yet: it stands at the wrong place. */
static const struct command *
find_owner(const struct command_table *table, const char *name, size_t length)
{
    for (size_t i = 0; i < table->count; i++) {
        if (find_own_row(table->rows[i].command, name, length) != NULL)
            return table->rows[i].command;
    }
    return NULL;
}

static bool
fail_unknown_option(const struct reader *reader, const char *name, size_t length, struct error *err)
{
    const struct command *command = reader->line->command;
    const struct command *owner = command == NULL ? find_owner(reader->table, name, length) : NULL;
    if (owner != NULL)
        return error_set(err, ERROR_ARGUMENT,
            "option --%.*s belongs behind the command's name: tapedeck %s --%.*s", (int)length,
            name, owner->name, (int)length, name);

    char *word = alloc_text_of(name, length);
    struct nearest nearest = {.word = word};
    for (size_t i = 0; command != NULL && i < command->option_count; i++)
        nearest_offer(&nearest, command->options[i].name);
    for (size_t i = 0; i < sizeof(every_command) / sizeof(every_command[0]); i++)
        nearest_offer(&nearest, every_command[i].name);
    (void)error_set(err, ERROR_ARGUMENT,
        "unknown option --%.*s; the nearest is --%s; tapedeck %s%s--help lists all", QUOTE_MAX,
        word, nearest.best, command == NULL ? "" : command->name, command == NULL ? "" : " ");
    free(word);
    return false;
}

static bool
check_choice(const struct option_row *row, const char *value, struct error *err)
{
    struct nearest nearest = {.word = value};
    nearest_offer_choices(&nearest, row->choices);
    if (nearest.distance == 0 && strlen(value) == nearest_choice_length(nearest.best))
        return true;
    return error_set(err, ERROR_ARGUMENT, "--%s takes %s, not '%.*s'; the nearest is %.*s",
        row->name, row->choices, QUOTE_MAX, value, (int)nearest_choice_length(nearest.best),
        nearest.best);
}

static bool
read_number(const struct option_row *row, const char *value, uint64_t *number, struct error *err)
{
    size_t digits = strspn(value, "0123456789");
    errno = 0;
    unsigned long long parsed = strtoull(value, NULL, 10);
    if (digits == 0 || value[digits] != '\0' || errno == ERANGE)
        return error_set(err, ERROR_ARGUMENT,
            "--%s takes a whole number of 0 or more (at most 18446744073709551615), not '%.*s'",
            row->name, QUOTE_MAX, value);
    *number = parsed;
    return true;
}

static bool
store_value(const struct option_row *row, void *settings, const char *value, struct error *err)
{
    char *place = (char *)settings + row->offset;
    switch (row->kind) {
    case OPTION_FLAG: {
        bool is_given = true;
        memcpy(place, &is_given, sizeof(is_given));
        return true;
    }
    case OPTION_TEXT:
        if (row->choices != NULL && !check_choice(row, value, err))
            return false;
        /* Mostly a variable of a script that is not set: never the same as leaving it out. */
        if (value[0] == '\0')
            return error_set(
                err, ERROR_ARGUMENT, "--%s needs %s, not an empty text", row->name, row->argument);
        memcpy(place, &value, sizeof(value));
        return true;
    case OPTION_NUMBER: {
        uint64_t number = 0;
        if (!read_number(row, value, &number, err))
            return false;
        memcpy(place, &number, sizeof(number));
        return true;
    }
    case OPTION_BYTES: {
        uint64_t bytes = 0;
        if (!sizes_parse(value, 0, &bytes))
            return error_set(err, ERROR_ARGUMENT,
                "--%s takes a number of bytes up to 1024T, like 5000000, 64M or 50G, not '%.*s'",
                row->name, QUOTE_MAX, value);
        memcpy(place, &bytes, sizeof(bytes));
        return true;
    }
    case OPTION_SECONDS: {
        int64_t duration_ns = 0;
        if (!clock_parse_duration(value, strlen(value), &duration_ns, err))
            return error_wrap(err, "--%s", row->name);
        if (duration_ns < 0)
            return error_set(err, ERROR_ARGUMENT, "--%s cannot be negative", row->name);
        memcpy(place, &duration_ns, sizeof(duration_ns));
        return true;
    }
    }
    return true;
}

/* The value of `--name=value` or of `--name value`; the latter may not look like an option, because
 * then the value was forgotten. */
static bool
take_value(struct reader *reader, const struct option_row *row, const char *attached,
    const char **value, struct error *err)
{
    if (row->kind == OPTION_FLAG) {
        if (attached != NULL)
            return error_set(err, ERROR_ARGUMENT, "--%s takes no value", row->name);
        return true;
    }
    if (attached != NULL) {
        *value = attached;
        return true;
    }
    const char *next = reader->at < reader->argc ? reader->argv[reader->at] : NULL;
    if (next == NULL || strncmp(next, "--", 2) == 0)
        return error_set(err, ERROR_ARGUMENT, "--%s needs %s", row->name, row->argument);
    reader->at++;
    *value = next;
    return true;
}

static bool
read_option(struct reader *reader, const char *text, struct error *err)
{
    struct options_line *line = reader->line;
    const char *name = text + 2;
    size_t length = strcspn(name, "=");
    const char *attached = name[length] == '=' ? name + length + 1 : NULL;

    /* Before a command is named, an option of the one that runs alone names it. */
    const struct command *command = line->command;
    if (command == NULL && line->family == NULL)
        command = reader->table->alone;
    void *settings = line;
    const struct option_row *row =
        find_row(every_command, sizeof(every_command) / sizeof(every_command[0]), name, length);
    if (row == NULL) {
        row = find_own_row(command, name, length);
        if (row == NULL)
            return fail_unknown_option(reader, name, length, err);
        line->command = command;
        if (line->settings == NULL)
            line->settings = alloc_zeroed(command->settings_size);
        settings = line->settings;
    }

    const char *value = "";
    return take_value(reader, row, attached, &value, err) && store_value(row, settings, value, err);
}

/* The command called `family` + " " + `word`, or `word` alone. */
static const struct command *
find_command(const struct command_table *table, const char *family, const char *word)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command == NULL)
            continue;
        const char *name = table->rows[i].command->name;
        size_t skipped = 0;
        if (family != NULL) {
            skipped = strlen(family) + 1;
            if (strncmp(name, family, skipped - 1) != 0 || name[skipped - 1] != ' ')
                continue;
        }
        if (strcmp(name + skipped, word) == 0)
            return table->rows[i].command;
    }
    return NULL;
}

static bool
is_family(const struct command_table *table, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (length > 0 && command != NULL && strncmp(command->name, word, length) == 0 &&
            command->name[length] == ' ')
            return true;
    }
    return false;
}

static bool
fail_unknown_command(
    const struct command_table *table, const char *family, const char *word, struct error *err)
{
    char *whole = family == NULL ? alloc_text(word) : alloc_format("%s %s", family, word);
    struct nearest nearest = {.word = whole, .best = NULL};
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command != NULL)
            nearest_offer(&nearest, table->rows[i].command->name);
    }
    (void)error_set(err, ERROR_ARGUMENT,
        "unknown command '%.*s'; the nearest is '%s'; tapedeck --help lists all", QUOTE_MAX, whole,
        nearest.best == NULL ? "--help" : nearest.best);
    free(whole);
    return false;
}

static void
use_command(struct options_line *line, const struct command *command)
{
    line->command = command;
    if (command != NULL)
        line->settings = alloc_zeroed(command->settings_size);
}

static bool
read_word(struct reader *reader, char *word, struct error *err)
{
    struct options_line *line = reader->line;
    struct invocation *invocation = &line->invocation;
    /* A URL where a command should be is for the one that runs without a name. */
    if (line->command == NULL && line->family == NULL && strstr(word, "://") != NULL)
        use_command(line, reader->table->alone);
    if (line->command != NULL) {
        line->arguments[invocation->argc++] = word;
        return true;
    }
    if (line->family == NULL && strcmp(word, "help") == 0 && !line->help) {
        line->help = true;
        return true;
    }
    use_command(line, find_command(reader->table, line->family, word));
    if (line->command != NULL)
        return true;
    if (line->family == NULL && is_family(reader->table, word)) {
        line->family = word;
        return true;
    }
    return fail_unknown_command(reader->table, line->family, word, err);
}

static bool
read_argument(struct reader *reader, struct error *err)
{
    char *text = reader->argv[reader->at++];
    if (reader->options_have_ended || text[0] != '-')
        return read_word(reader, text, err);
    if (strcmp(text, "--") == 0) {
        reader->options_have_ended = true;
        return true;
    }
    if (strcmp(text, "-h") == 0) {
        reader->line->help = true;
        return true;
    }
    if (strcmp(text, "-V") == 0) {
        reader->line->version = true;
        return true;
    }
    /* Would else be looked for in payloads: people try `-f`. */
    if (isalpha((unsigned char)text[1]) && text[2] == '\0')
        return error_set(err, ERROR_ARGUMENT,
            "there is no option %s; options are written out (--help shows them), and a word that "
            "begins with '-' stands behind --",
            text);
    return text[1] == '-' ? read_option(reader, text, err) : read_word(reader, text, err);
}

/* List "plan, run, verify" of a family for the message that one of them is missing. */
static bool
fail_incomplete_family(const struct command_table *table, const char *family, struct error *err)
{
    struct buffer names = {0};
    size_t length = strlen(family);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command == NULL || strncmp(command->name, family, length) != 0 ||
            command->name[length] != ' ')
            continue;
        buffer_printf(&names, "%s%s", names.length == 0 ? "" : ", ", command->name + length + 1);
    }
    (void)error_set(err, ERROR_ARGUMENT, "'%s' needs one of: %s", family, buffer_text(&names));
    buffer_done(&names);
    return false;
}

static bool
check_arguments(const struct options_line *line, struct error *err)
{
    const struct command *command = line->command;
    const struct invocation *invocation = &line->invocation;
    if (invocation->argc < command->min_arguments)
        return error_set(err, ERROR_ARGUMENT, "'%s' needs %s; tapedeck %s --help says more",
            command->name, command->usage, command->name);
    if (command->max_arguments >= 0 && invocation->argc > command->max_arguments)
        return error_set(err, ERROR_ARGUMENT,
            "unexpected argument '%.*s' behind '%s'; tapedeck %s --help says more", QUOTE_MAX,
            invocation->argv[command->max_arguments], command->name, command->name);
    return true;
}

static bool
decide(struct reader *reader, struct error *err)
{
    struct options_line *line = reader->line;
    if (line->version) {
        line->action = OPTIONS_VERSION;
        return true;
    }
    if (line->help) {
        line->action = OPTIONS_HELP;
        return true;
    }
    if (line->command == NULL && line->family != NULL)
        return fail_incomplete_family(reader->table, line->family, err);
    if (line->command == NULL) {
        use_command(line, reader->table->alone);
        if (line->command == NULL) {
            line->action = OPTIONS_HELP;
            return true;
        }
    }
    line->action = OPTIONS_RUN;
    return check_arguments(line, err);
}

bool
options_read(const struct command_table *table, int argc, char **argv, struct options_line *line,
    struct error *err)
{
    *line = (struct options_line){.action = OPTIONS_RUN};
    line->arguments = alloc_array((size_t)(argc < 0 ? 0 : argc) + 1, sizeof(char *));
    line->invocation.argv = line->arguments;

    struct reader reader = {.table = table, .line = line, .argc = argc, .argv = argv, .at = 1};
    while (reader.at < reader.argc) {
        if (!read_argument(&reader, err))
            return false;
    }
    if (!decide(&reader, err))
        return false;
    line->invocation.settings = line->settings;
    return true;
}

void
options_done(struct options_line *line)
{
    free(line->settings);
    free(line->arguments);
    *line = (struct options_line){.action = OPTIONS_RUN};
}
