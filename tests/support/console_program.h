/* console_program.h - runs the real program and keeps what it says.
 *
 * Its home is a directory of the test, its environment holds nothing of the user's. Whatever is still
 * running after the deadline is killed by its process id and the test fails with what was seen.
 */
#ifndef TESTS_SUPPORT_CONSOLE_PROGRAM_H
#define TESTS_SUPPORT_CONSOLE_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"

/* The words of a command line. */
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct program {
    pid_t pid;
    int stdout_fd; /* -1: closed */
    int stderr_fd;
    struct buffer out;
    struct buffer err;
    int code; /* exit code; 128 + N: ended by signal N */
};

/* Start tapedeck with `arguments` (NULL at the end, without the program's name) and the variables
 * `variables` ("NAME=VALUE", NULL at the end; may be NULL) besides HOME. */
void program_start(struct program *program, const char *home, const char *const *arguments,
    const char *const *variables);

/* The same without descriptors 0, 1 and 2. */
void program_start_closed(struct program *program, const char *home, const char *const *arguments);

/* Read until stdout holds `text`; the test fails when the program ends or 30 s pass before. */
void program_wait_for(struct program *program, const char *text);

/* Read everything until it ends, at most 60 s. */
void program_finish(struct program *program);

/* Close our end of its stdout, as head does when it has enough. */
void program_stop_reading(struct program *program);

/* Start and finish. */
void program_run(struct program *program, const char *home, const char *const *arguments);

void program_done(struct program *program);

#endif
