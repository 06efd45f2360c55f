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
#include "ui/term_info.h"

struct settings {
    const char *screen;
    const char *from;
    bool keep;
};

static const struct option_row options[] = {
    {"screen", OPTION_TEXT, offsetof(struct settings, screen), "NAME", "begin with this screen",
        NULL},
    {"from", OPTION_TEXT, offsetof(struct settings, from), "WHERE",
        "where the recording of a URL begins: end, beginning, a time (resume, else end)", NULL},
    {"keep", OPTION_FLAG, offsetof(struct settings, keep), NULL,
        "a recorder that the console started goes on when it ends", NULL},
};

/* A tape that is not there is not an error of the user's: say how to get one. */
static int
say_how_to_begin(const char *directory)
{
    struct error err = {0};
    error_set(&err, ERROR_ARGUMENT,
        "there is no tape in %s yet: `tapedeck kafka://HOST:9092/TOPIC` records one and shows it, "
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

static const char *
banner_of(const struct own_recorder *recorder, int url_count)
{
    if (recorder->pid <= 0)
        return NULL;
    if (url_count > 0)
        return recorder->is_kept ? "recording what you named; it goes on afterwards"
                                 : "recording what you named; it ends with this console";
    return recorder->is_kept
               ? "a recorder was started for the configured taps; it goes on afterwards"
               : "a recorder was started for the configured taps; it ends with this console";
}

/* Nothing is recorded onto a packed tape. */
static bool
start_recorder(const struct invocation *invocation, const char *directory, bool is_packed,
    struct own_recorder *recorder, struct error *err)
{
    const struct settings *settings = invocation->settings;
    *recorder = (struct own_recorder){0};
    if (settings->from != NULL && invocation->argc == 0)
        return error_set(err, ERROR_ARGUMENT,
            "--from is for a URL that is to be recorded, such as kafka://localhost:9092/orders");
    if (is_packed)
        return invocation->argc == 0 ||
               error_set(err, ERROR_ARGUMENT, "nothing can be recorded onto a packed tape");
    if (term_info_choose(err) == NULL)
        return invocation->argc == 0; /* nothing is recorded for a screen that cannot be drawn */
    return own_recorder_start(recorder,
        &(struct own_recorder_options){.directory = directory,
            .config_path = invocation->config,
            .urls = invocation->argv,
            .url_count = invocation->argc,
            .from = settings->from,
            .is_kept = settings->keep},
        err);
}

static int
show(const struct invocation *invocation, const char *directory, const char *packed,
    const char *banner)
{
    const struct settings *settings = invocation->settings;
    struct error err = {0};
    struct tape *tape = tape_open(directory, &err);
    tape_close(tape);
    if (tape == NULL && err.code == ERROR_ARGUMENT && !is_file(directory))
        return say_how_to_begin(directory);
    if (tape == NULL)
        return command_fail(&err);
    return console_run(&(struct console_options){.directory = directory,
        .title = packed == NULL ? NULL : base_name(packed),
        .screen = settings->screen,
        .banner = banner,
        .color = invocation->color});
}

static int
run(const struct invocation *invocation)
{
    struct error err = {0};
    char *directory = invocation_tape(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    const char *packed = portable_origin(directory);
    struct own_recorder recorder;
    int code;
    if (start_recorder(invocation, directory, packed != NULL, &recorder, &err))
        code = show(invocation, directory, packed, banner_of(&recorder, invocation->argc));
    else
        code = command_fail(&err);
    own_recorder_stop(&recorder);
    free(directory);
    return code;
}

const struct command command_console = {
    .name = "console",
    .usage = "[URL...]",
    .summary = "the screens; what tapedeck alone does, and what `tapedeck URL` does",
    .details =
        "Shows the tape while it is recorded, or afterwards. ? on any screen shows its keys.\n"
        "With URLs (see record --help) these are recorded onto the tape meanwhile: tapedeck URL is "
        "the\n"
        "short way to look at a topic.\n"
        "When taps are configured and nobody records them, a recorder is started; it ends with "
        "the\n"
        "console unless --keep. Its log is recorder.log in the tape's directory.\n"
        "Watching never changes a broker.",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .examples = "tapedeck kafka://broker:9092/orders\n"
                "tapedeck console --from -15m --tape /tmp/look 'kafka://broker:9092/^orders-.*'",
    .min_arguments = 0,
    .max_arguments = -1,
    .run = run,
};
