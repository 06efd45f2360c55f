/* options.h - reads a command line by the tables of the commands.
 *
 * Options of every command (--tape, --json ...) stand before or after the command's name, a
 * command's own behind it. `--name value` and `--name=value` are the same; `--` ends the options. An
 * argument with one dash is an argument ("since -15m"), except -h and -V.
 *
 * Threads: any; nothing is shared.
 */
#ifndef CONSOLE_OPTIONS_H
#define CONSOLE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "console/command.h"

struct error;

/* One row of the table: a command, or (command NULL) the heading of those that follow. */
struct command_row {
    const char *heading;
    const struct command *command;
};

struct command_table {
    const struct command_row *rows;
    size_t count;
    const struct command *alone; /* what runs when no command is named; NULL: --help */
};

/* The program's own table, made from commands.def. */
const struct command_table *command_table_all(void);

enum options_action {
    OPTIONS_RUN,
    OPTIONS_HELP, /* about `command`, or about the commands that begin with `family`, or about all */
    OPTIONS_VERSION,
};

struct options_line {
    enum options_action action;
    const struct command *command; /* never NULL with OPTIONS_RUN */
    const char *family;            /* "replay", or NULL */
    struct invocation invocation;
    bool help;
    bool version;
    void *settings;   /* what invocation.settings points to */
    char **arguments; /* what invocation.argv points to; the texts are those of argv */
};

/* The options of every command; offsets are into struct options_line. */
const struct option_row *options_of_every_command(size_t *count);

/* Read argv (argv[0] is skipped). The texts in *line live as long as argv; options_done() gives the
 * rest back, also after a failure. False with ERROR_ARGUMENT: one line that names the nearest known
 * command, option or choice. */
bool options_read(const struct command_table *table, int argc, char **argv,
    struct options_line *line, struct error *err);

void options_done(struct options_line *line);

#endif
