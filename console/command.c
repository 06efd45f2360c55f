#include "console/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "console/config.h"
#include "console/help.h"
#include "console/options.h"
#include "console/output.h"
#include "console/portable.h"
#include "console/safe_text.h"
#include "index/tape.h"

int
command_fail(const struct error *err)
{
    struct output output;
    output_start(&output, STDERR_FILENO);
    buffer_append_text(&output.buffer, "tapedeck: ");
    safe_text_append_message(&output.buffer, err->text);
    buffer_append_byte(&output.buffer, '\n');
    if (err->code == ERROR_CONFIG)
        config_append_caret(&output.buffer, err);

    struct error ignored; /* there is nowhere left to report to */
    (void)output_finish(&output, &ignored);
    return error_exit_code(err);
}

static int
print_help(const struct options_line *line)
{
    const struct command_table *table = command_table_all();
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (line->command != NULL)
        help_append_command(&output.buffer, line->command);
    else if (line->family != NULL)
        help_append_family(&output.buffer, table, line->family);
    else
        help_append_overview(&output.buffer, table);

    struct error err;
    return output_finish(&output, &err) ? 0 : command_fail(&err);
}

static int
print_version(void)
{
    struct output output;
    output_start(&output, STDOUT_FILENO);
    buffer_append_text(&output.buffer, "tapedeck " TAPEDECK_VERSION "\n");
    struct error err;
    return output_finish(&output, &err) ? 0 : command_fail(&err);
}

static int
act(const struct options_line *line)
{
    struct invocation invocation = line->invocation;
    switch (line->action) {
    case OPTIONS_RUN:
        invocation.changes_tape = line->command->changes_tape;
        return line->command->run(&invocation);
    case OPTIONS_HELP:
        return print_help(line);
    case OPTIONS_VERSION:
        return print_version();
    }
    return 1;
}

/* What a command printed with stdio may still fail to be written. */
static int
flush_standard_output(int code)
{
    if (fflush(stdout) == 0 || errno == EPIPE || code != 0)
        return code;
    struct error err;
    (void)error_set_system(&err, "cannot write the output");
    return command_fail(&err);
}

int
command_dispatch(int argc, char **argv)
{
    struct options_line line;
    struct error err;
    int code = options_read(command_table_all(), argc, argv, &line, &err) ? act(&line)
                                                                          : command_fail(&err);
    options_done(&line);
    return flush_standard_output(code);
}

/* The tape as it was named. */
static char *
find_tape(const struct invocation *invocation, struct error *err)
{
    const char *environment = getenv("TAPEDECK_TAPE"); /* NOLINT(concurrency-mt-unsafe) */
    bool is_said = invocation->tape != NULL || (environment != NULL && environment[0] != '\0');
    /* A configuration that was named is checked even when nothing of it is needed. */
    if (is_said && invocation->config == NULL)
        return tape_default_directory(invocation->tape, NULL);

    struct config config;
    if (!config_load(invocation->config, &config, err))
        return NULL;
    char *directory = tape_default_directory(invocation->tape, config.tape.directory);
    config_free(&config);
    return directory;
}

char *
invocation_tape(const struct invocation *invocation, struct error *err)
{
    char *path = find_tape(invocation, err);
    if (path == NULL || !portable_is_packed(path))
        return path;
    char *directory = NULL;
    if (invocation->changes_tape)
        (void)error_set(err, ERROR_ARGUMENT,
            "%s is a packed tape, which can only be read; unpack it with tar --zstd -xf into an "
            "empty directory and name that",
            path);
    else
        directory = portable_unpack(path, err);
    free(path);
    return directory;
}

char *
invocation_tape_that_opens(const struct invocation *invocation, struct error *err)
{
    char *directory = invocation_tape(invocation, err);
    struct tape *tape = directory == NULL ? NULL : tape_open(directory, err);
    if (tape == NULL) {
        free(directory);
        return NULL;
    }
    tape_close(tape);
    return directory;
}
