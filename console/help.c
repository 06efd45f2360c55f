#include "console/help.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "console/command.h"
#include "console/options.h"

#define NAME_COLUMN 22

static void
append_padded(struct buffer *to, const char *text, size_t width)
{
    buffer_printf(to, "  %-*s", (int)width, text);
    if (strlen(text) >= width)
        buffer_append_text(to, "  ");
}

static void
append_command_row(struct buffer *to, const struct command *command)
{
    append_padded(to, command->name, NAME_COLUMN);
    buffer_printf(to, "%s\n", command->summary);
}

static void
append_option_row(struct buffer *to, const struct option_row *row)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "--%s%s%s", row->name, row->argument == NULL ? "" : " ",
        row->argument == NULL ? "" : row->argument);
    append_padded(to, name, NAME_COLUMN);
    buffer_append_text(to, row->help);
    if (row->choices != NULL)
        buffer_printf(to, " (%s)", row->choices);
    buffer_append_byte(to, '\n');
}

static void
append_options(struct buffer *to, const char *heading, const struct option_row *rows, size_t count)
{
    if (count == 0)
        return;
    buffer_printf(to, "\n%s:\n", heading);
    for (size_t i = 0; i < count; i++)
        append_option_row(to, &rows[i]);
}

static void
append_options_of_every_command(struct buffer *to)
{
    size_t count = 0;
    const struct option_row *rows = options_of_every_command(&count);
    append_options(to, "Options of every command, before or behind its name", rows, count);
}

void
help_append_overview(struct buffer *to, const struct command_table *table)
{
    buffer_append_text(to, "tapedeck records event streams (Kafka, ZeroMQ) on a tape on this "
                           "machine, shows what flows,\n"
                           "and replays chosen ranges of it.\n\n"
                           "usage: tapedeck [COMMAND] [OPTIONS] [ARGUMENTS]\n"
                           "       tapedeck                 the console on the tape\n"
                           "       tapedeck URL             the console on what is recorded from "
                           "there\n"
                           "       tapedeck COMMAND --help  everything about a command\n");
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command == NULL)
            buffer_printf(to, "\n%s:\n", table->rows[i].heading);
        else
            append_command_row(to, table->rows[i].command);
    }
    append_options_of_every_command(to);
    buffer_append_text(to,
        "\nExit codes: 0 well, 1 failed, 2 usage, 3 configuration, 4 cannot reach, 5 refused,\n"
        "6 tape damaged, 7 disk full, 10 what --fail-on asks for was met\n");
}

void
help_append_family(struct buffer *to, const struct command_table *table, const char *family)
{
    size_t length = strlen(family);
    buffer_printf(to, "usage: tapedeck %s COMMAND [OPTIONS] [ARGUMENTS]\n\n", family);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command != NULL && strncmp(command->name, family, length) == 0 &&
            command->name[length] == ' ')
            append_command_row(to, command);
    }
}

static void
append_indented(struct buffer *to, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        buffer_append_text(to, length == 0 ? "" : "  ");
        buffer_append(to, lines, length);
        buffer_append_byte(to, '\n');
        lines += length;
        if (*lines == '\n')
            lines++;
    }
}

void
help_append_command(struct buffer *to, const struct command *command)
{
    buffer_printf(to, "tapedeck %s: %s\n\nusage: tapedeck %s%s%s%s\n", command->name,
        command->summary, command->name, command->option_count == 0 ? "" : " [OPTIONS]",
        command->usage[0] == '\0' ? "" : " ", command->usage);
    if (command->details != NULL) {
        buffer_append_byte(to, '\n');
        append_indented(to, command->details);
    }
    append_options(to, "Options", command->options, command->option_count);
    append_options_of_every_command(to);
    if (command->examples != NULL) {
        buffer_append_text(to, "\nExamples:\n");
        append_indented(to, command->examples);
    }
}
