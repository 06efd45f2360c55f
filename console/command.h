/* command.h - what a subcommand is: a name, its options as a table, and a function.
 *
 * To add one: console/cmd_NAME.c that defines `const struct command command_NAME`, and the row
 * COMMAND(NAME) in console/commands.def. Dispatch, --help, usage errors, shell completion and the
 * man page's option list all come from the tables.
 */
#ifndef CONSOLE_COMMAND_H
#define CONSOLE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct error;

/* How an option's argument is read, and what stands at `offset` in the command's settings. */
enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char *, NULL when it was not given */
    OPTION_NUMBER,  /* uint64_t; 0 when it was not given, so document 0 */
    OPTION_BYTES,   /* uint64_t; "5000000", "64M", "50G"; 0 when it was not given */
    OPTION_SECONDS, /* int64_t nanoseconds; "90", "1.5", "200ms", "15m"; 0 when it was not given */
};

struct option_row {
    const char *name; /* without the dashes: "limit" */
    enum option_kind kind;
    size_t offset;        /* offsetof(struct settings, limit) */
    const char *argument; /* "N" for --help; NULL for a flag */
    const char *help;     /* one line, lower case, no full stop */
    const char *choices;  /* "seq|time|offset": checked, completed; NULL: anything */
};

/* What was on the command line. */
struct invocation {
    const char *tape;   /* --tape DIR, or NULL; see invocation_tape() */
    const char *config; /* --config FILE, or NULL */
    const char *color;  /* --color auto|always|never */
    bool json;
    bool quiet;
    int argc; /* what is left: positional arguments */
    char **argv;
    const void *settings; /* the command's own struct, filled by its options */
    bool changes_tape;    /* as in the command's row */
};

struct command {
    const char *name;  /* "events", or two words: "replay plan" */
    const char *usage; /* its positional arguments: "[QUERY]"; "" for none */
    const char *summary;
    const char *details;  /* more for --help, lines; or NULL */
    const char *examples; /* for --help, command lines one below the other; or NULL */
    const struct option_row *options;
    size_t option_count;
    size_t settings_size;
    int min_arguments;
    int max_arguments;                               /* -1: any number */
    bool changes_tape;                               /* no packed tape will do, see below */
    int (*run)(const struct invocation *invocation); /* returns the exit code */
};

/* Find the command, read its options, run it. What main() does. */
int command_dispatch(int argc, char **argv);

/* The tape's directory for this call (--tape, TAPEDECK_TAPE, the configuration's, the default).
 * Freed by the caller. A packed tape (NAME.tar.zst) is unpacked into a directory that is gone when the
 * process is; for a command that changes the tape it is refused with ERROR_ARGUMENT. NULL with *err
 * then, and when the configuration cannot be read. */
char *invocation_tape(const struct invocation *invocation, struct error *err);

/* The same of a tape that is there: it was opened to see, and *err says well why it could not be. */
char *invocation_tape_that_opens(const struct invocation *invocation, struct error *err);

/* Print "tapedeck: TEXT" as one line on stderr and return the error's exit code. */
int command_fail(const struct error *err);

/* Stop flag for commands that run until told: set up handlers for SIGINT and SIGTERM; the first
 * signal makes signals_pending() 1, the second 2. Readable descriptor: signals_fd(). */
void signals_catch(void);
int signals_pending(void);
int signals_fd(void);

#endif
