/* The program's commands, in the order of commands.def. */

#include "console/options.h"

#define GROUP(heading)
#define COMMAND(name) extern const struct command command_##name;
#include "console/commands.def"
#undef GROUP
#undef COMMAND

static const struct command_row rows[] = {
#define GROUP(text)   {.heading = (text), .command = NULL},
#define COMMAND(name) {.heading = NULL, .command = &command_##name},
#include "console/commands.def"
#undef GROUP
#undef COMMAND
};

static const struct command_table table = {
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .alone = &command_console,
};

const struct command_table *
command_table_all(void)
{
    return &table;
}
