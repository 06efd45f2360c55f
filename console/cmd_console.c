#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "console/command.h"
#include "console/console_run.h"
#include "console/own_recorder.h"
#include "console/portable.h"
#include "index/tape.h"
#include "ui/screen.h"

struct settings {
    const char *screen;
    bool keep;
};

static const struct option_row options[] = {
    {"screen", OPTION_TEXT, offsetof(struct settings, screen), "NAME", "begin with this screen",
        NULL},
    {"keep", OPTION_FLAG, offsetof(struct settings, keep), NULL,
        "a recorder that the console started goes on when it ends", NULL},
};

/* A tape that is not there is not an error of the user's: say how to get one. */
static int
say_how_to_begin(const char *directory)
{
    struct error err = {0};
    error_set(&err, ERROR_ARGUMENT,
        "there is no tape in %s yet: `tapedeck record kafka://HOST:9092/TOPIC` makes one, "
        "`tapedeck demo` shows a made-up shop",
        directory);
    return command_fail(&err);
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool
is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

static int
run(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct error err = {0};

    char *directory = invocation_tape(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    struct own_recorder recorder;
    const char *packed = portable_origin(directory);
    if (packed != NULL) {
        recorder = (struct own_recorder){0}; /* nothing is recorded onto a packed tape */
    } else if (!own_recorder_start(
                   &recorder, directory, invocation->config, settings->keep, &err)) {
        free(directory);
        return command_fail(&err);
    }
    struct tape *tape = tape_open(directory, &err);
    tape_close(tape);
    int code;
    if (tape == NULL && err.code == ERROR_ARGUMENT && !is_file(directory)) {
        code = say_how_to_begin(directory);
    } else if (tape == NULL) {
        code = command_fail(&err);
    } else {
        struct console_options console = {.directory = directory,
            .title = packed == NULL ? NULL : base_name(packed),
            .screen = settings->screen,
            .color = invocation->color};
        if (recorder.pid > 0)
            console.banner =
                settings->keep
                    ? "a recorder was started for the configured taps; it goes on afterwards"
                    : "a recorder was started for the configured taps; it ends with this console";
        code = console_run(&console);
    }
    own_recorder_stop(&recorder);
    free(directory);
    return code;
}

const struct command command_console = {
    .name = "console",
    .usage = "",
    .summary = "the screens; what tapedeck alone does",
    .details =
        "Shows the tape while it is recorded, or afterwards. ? on any screen shows its keys.\n"
        "When taps are configured and nobody records them, a recorder is started; it ends with "
        "the\n"
        "console unless --keep. Its log is recorder.log in the tape's directory.\n"
        "Watching never changes a broker.",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run,
};
