/* own_recorder.h - the recorder that the console starts: of the URLs that it was given, or else when taps are
 * configured and nobody records.
 *
 * `tapedeck record` as a child process in a process group of its own, with its log in recorder.log in
 * the tape's directory. It ends with the console, however that ends, unless it is kept.
 *
 * Threads: start it while the program has one.
 */
#ifndef CONSOLE_OWN_RECORDER_H
#define CONSOLE_OWN_RECORDER_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

struct own_recorder {
    pid_t pid; /* 0: none was started */
    bool is_kept;
};

struct own_recorder_options {
    const char *directory;   /* of the tape */
    const char *config_path; /* NULL: the default one */
    char *const *urls;       /* what is recorded; none: the configured taps */
    int url_count;
    const char *from; /* as record's --from; NULL: its default */
    bool is_kept;
};

/* Start one when there is something to record. With configured taps, *own says that there is none when a
 * recorder holds the tape already; with URLs that is ERROR_REFUSED. Waits until it records, at most 6 s. False when
 * the configuration is wrong, or with the recorder's own reason when it ended. */
bool own_recorder_start(
    struct own_recorder *own, const struct own_recorder_options *options, struct error *err);

/* End it (SIGTERM; it writes out what it received) and wait for that; nothing when it is kept. */
void own_recorder_stop(struct own_recorder *own);

#endif
