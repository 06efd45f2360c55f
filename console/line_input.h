/* line_input.h - lines of any length, up to a limit, from a descriptor.  Threads: one owns an input. */
#ifndef CONSOLE_LINE_INPUT_H
#define CONSOLE_LINE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;

/* `number` counts the lines handed out. The rest is line_input's own. */
struct line_input {
    int fd;
    uint64_t number;
    struct buffer buffer; /* bytes at..length wait; those below `seen` hold no line break */
    size_t at;
    size_t seen;
    size_t limit;
    bool is_at_end;
};

enum line_step {
    LINE_READ,    /* *line, without its line break, lives until the next call */
    LINE_END,     /* no more */
    LINE_STOPPED, /* a signal came while waiting */
    LINE_FAILED,  /* see *err */
};

void line_input_start(struct line_input *input, int fd, size_t limit);
void line_input_done(struct line_input *input);

/* The next line; the last one need not have a line break. ERROR_LIMIT for a longer one than the limit. */
enum line_step line_input_next(struct line_input *input, struct bytes *line, struct error *err);

#endif
