/* import_inputs.h - several tapes and exports, opened as tapes, to be merged by `tapedeck import`.
 *
 * A tape's directory and a packed tape are read as they are. An export (NDJSON) is first made a tape in a
 * directory that goes with the inputs: lines may come in any order, a merge needs that of offsets.
 *
 * Threads: the main thread, while the program has one.
 */
#ifndef CONSOLE_IMPORT_INPUTS_H
#define CONSOLE_IMPORT_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "index/tape_merge.h"

struct tape;

struct import_inputs {
    struct tape *tapes[TAPE_MERGE_MAX]; /* in the order of the paths */
    const char *paths[TAPE_MERGE_MAX];
    size_t count;
    char *scratch; /* where exports become tapes; NULL: there is none */
    bool is_short; /* an export is not whole, and `why` says which */
    struct error why;
};

/* True for a directory, and for what is called *.tar.zst. */
bool import_inputs_is_tape(const char *path);

/* True for "-". */
bool import_inputs_is_stdin(const char *path);

/* A descriptor of the export at `path`, or stdin, which is not to be closed. -1 with ERROR_SYSTEM. */
int import_inputs_open_lines(const char *path, struct error *err);

/* See that there is something at each path, that nothing is named twice, and that they are not too many;
 * ERROR_ARGUMENT. */
bool import_inputs_check(char *const *paths, size_t count, struct error *err);

/* Open all of them. On failure too, import_inputs_done() is for the caller. */
bool import_inputs_open(
    struct import_inputs *inputs, char *const *paths, size_t count, struct error *err);

/* False with ERROR_DAMAGED when events of a tape could not be read, ERROR_LIMIT when retention deleted some before they
 * were. */
bool import_inputs_are_whole(const struct import_inputs *inputs, struct error *err);

void import_inputs_done(struct import_inputs *inputs);

#endif
