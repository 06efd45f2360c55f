/* import_lines.h - NDJSON as `tapedeck export` writes it, onto a tape: what `tapedeck import` does.
 *
 * Threads: one owns an import.
 */
#ifndef CONSOLE_IMPORT_LINES_H
#define CONSOLE_IMPORT_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct tape_writer;

/* What came of it. */
struct import_lines {
    uint64_t taken;   /* acknowledged by the tape */
    uint64_t skipped; /* the tape had their partitions as far as that when it was opened */
    uint64_t holes;
    bool
        is_of_replay; /* a replay wrote the last lines: such a file has no done line, and may grow */
    bool is_short;    /* something is missing, and `why` says what */
    struct error why;
};

/* Take the lines of `fd` to their end, under the tap `into_tap` if it is not NULL. What stands before a bad
 * line is on the tape in any case, and counted. False with ERROR_FORMAT that names the line, ERROR_SYSTEM
 * when a signal came, and what the tape can fail with. */
bool import_lines(struct import_lines *result, struct tape_writer *writer, int fd,
    const char *into_tap, struct error *err);

#endif
