/* loop.h - the console: a stage on a terminal, until the user leaves.
 *
 * One poll() for keys, signals, the tape and the clock. A key is drawn at once; new data is drawn as
 * often as the screen asks for, only when there is some, and only when the terminal keeps up.
 * Threads: the main thread; it blocks the signals it reads and unblocks them at the end.
 */
#ifndef UI_LOOP_H
#define UI_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/stage.h"

struct error;

struct loop_options {
    struct stage_options stage; /* now_ns is filled in */
    const char *color;          /* auto|always|never; NULL: auto */
    bool ascii;
    int64_t test_now_ns; /* not 0: the clock stands here, and tests move it and set fences */
};

/* Run. *code is the exit code: 0, or 128 + the signal that ended it. False with *err when it could not
 * begin. The terminal is as it was before on every way out. */
bool loop_run(const struct loop_options *options, int *code, struct error *err);

#endif
