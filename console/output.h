/* output.h - lines to a descriptor in blocks of 64 KiB.
 *
 * A reader that went away (`tapedeck events | head`) is a normal end: everything that follows is
 * dropped and output_finish() reports success.  Threads: one owns an output.
 */
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include <stdbool.h>

#include "base/bytes.h"

struct error;

#define OUTPUT_BLOCK_BYTES ((size_t)64 * 1024)

/* Append lines to `buffer`, call output_line() behind each. */
struct output {
    struct buffer buffer;
    int fd;
    bool is_gone;     /* nobody reads any more, or writing failed */
    int failed_errno; /* why writing failed; 0: it did not */
};

void output_start(struct output *output, int fd);

/* Write when a block is full. False when it is pointless to go on. */
static inline bool output_line(struct output *output);

/* Write what is there. False when it is pointless to go on. */
bool output_flush(struct output *output);

/* True when the other end of a pipe was closed, seen without writing. */
bool output_reader_left(struct output *output);

/* Write the rest and free. False with ERROR_SYSTEM or ERROR_DISK_FULL when bytes were lost, but not
 * when the reader had enough. */
bool output_finish(struct output *output, struct error *err);

static inline bool
output_line(struct output *output)
{
    return output->buffer.length < OUTPUT_BLOCK_BYTES ? !output->is_gone : output_flush(output);
}

#endif
