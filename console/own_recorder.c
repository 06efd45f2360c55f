#include "console/own_recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "index/live.h"

#define START_NS  (6 * NS_PER_S)
#define STOP_NS   (20 * NS_PER_S)
#define LOOK_NS   (20 * NS_PER_MS)
#define LOG_BYTES ((size_t)4 * 1024 * 1024)

static bool
has_taps(const char *config_path, bool *has, struct error *err)
{
    struct config config;
    struct config_taps taps;
    if (!config_load(config_path, &config, err))
        return false;
    bool good = config_taps(&config, &taps, err);
    if (good) {
        *has = taps.count > 0;
        config_taps_done(&taps);
    }
    config_free(&config);
    return good;
}

/* The recorder's command line, which ends with NULL. */
static char **
command_line(const struct own_recorder_options *options)
{
    char **line = alloc_array((size_t)options->url_count + 10, sizeof(char *));
    size_t count = 0;
    line[count++] = alloc_text("tapedeck");
    line[count++] = alloc_text("record");
    line[count++] = alloc_text("--tape");
    line[count++] = alloc_text(options->directory);
    if (options->config_path != NULL) {
        line[count++] = alloc_text("--config");
        line[count++] = alloc_text(options->config_path);
    }
    if (options->from != NULL) {
        line[count++] = alloc_text("--from");
        line[count++] = alloc_text(options->from);
    }
    line[count++] = alloc_text("--");
    for (int i = 0; i < options->url_count; i++)
        line[count++] = alloc_text(options->urls[i]);
    line[count] = NULL;
    return line;
}

static void
free_line(char **line)
{
    for (size_t i = 0; line[i] != NULL; i++)
        free(line[i]);
    free(line);
}

/* In the child: become the recorder. Never returns. */
static void
become_recorder(const struct own_recorder_options *options, char **line, int log)
{
    (void)setpgid(0, 0);
    if (!options->is_kept)
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(1);
    (void)execv("/proc/self/exe", line);
    _exit(1);
}

/* The last line of the log is why the recorder ended. */
static void
take_reason(const char *log_path, struct error *err)
{
    struct error ignored;
    struct buffer log = {0};
    const char *last = "it ended without a word";
    if (file_read_whole(log_path, LOG_BYTES, &log, &ignored)) {
        while (log.length > 0 && log.data[log.length - 1] == '\n')
            log.length--;
        const char *text = buffer_text(&log);
        const char *line = strrchr(text, '\n');
        if (*text != '\0')
            last = line == NULL ? text : line + 1;
    }
    (void)error_set(
        err, ERROR_REMOTE, "the recorder that was started did not stay (%s): %s", log_path, last);
    buffer_done(&log);
}

/* Wait until it records. False: it ended. */
static bool
wait_until_it_records(struct own_recorder *own, const char *directory)
{
    int64_t deadline = clock_monotonic_ns() + START_NS;
    while (clock_monotonic_ns() < deadline) {
        int status;
        if (waitpid(own->pid, &status, WNOHANG) == own->pid) {
            own->pid = 0;
            return false;
        }
        struct error ignored;
        struct live *live = live_open(directory, &ignored);
        live_close(live);
        if (live != NULL && live_is_recording(directory))
            return true;
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_NS);
    }
    return true; /* still connecting; its state is on the screen */
}

/* Is there something to record, and nobody who does? */
static bool
is_wanted(const struct own_recorder_options *options, bool *wanted, struct error *err)
{
    bool is_recording = live_is_recording(options->directory);
    *wanted = options->url_count > 0;
    if (*wanted && is_recording)
        return error_set(err, ERROR_REFUSED,
            "a recorder writes the tape in %s already: tapedeck alone shows it, --tape DIR names "
            "another one to record onto",
            options->directory);
    if (!*wanted && !has_taps(options->config_path, wanted, err))
        return false;
    *wanted = *wanted && !is_recording;
    return true;
}

bool
own_recorder_start(
    struct own_recorder *own, const struct own_recorder_options *options, struct error *err)
{
    bool wanted = false;
    *own = (struct own_recorder){.is_kept = options->is_kept};
    if (!is_wanted(options, &wanted, err))
        return false;
    if (!wanted)
        return true;
    if (!file_make_directory(options->directory, err))
        return false;

    char *log_path = alloc_format("%s/recorder.log", options->directory);
    char **line = command_line(options);
    int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    own->pid = log < 0 ? -1 : fork();
    if (own->pid == 0)
        become_recorder(options, line, log);
    bool good = own->pid > 0;
    if (!good) {
        (void)error_set_system(err, "cannot start a recorder with the log %s", log_path);
        own->pid = 0;
    } else if (!wait_until_it_records(own, options->directory)) {
        take_reason(log_path, err);
        good = false;
    }
    if (log >= 0)
        (void)close(log);
    free_line(line);
    free(log_path);
    return good;
}

void
own_recorder_stop(struct own_recorder *own)
{
    if (own->pid <= 0 || own->is_kept)
        return;
    (void)kill(own->pid, SIGTERM);
    int64_t deadline = clock_monotonic_ns() + STOP_NS;
    int status;
    while (waitpid(own->pid, &status, WNOHANG) == 0) {
        /* What was acknowledged is safe; a broker that never answers must not keep the user. */
        if (clock_monotonic_ns() > deadline)
            (void)kill(own->pid, SIGKILL);
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_NS);
    }
    own->pid = 0;
}
