/* ui_terminal.h - a terminal for tests: a pty, libvterm as what is behind it, and a check of every
 * byte that arrives. */
#ifndef TESTS_SUPPORT_UI_TERMINAL_H
#define TESTS_SUPPORT_UI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>
#include <vterm.h>

#include "base/bytes.h"

struct terminal {
    VTerm *vterm;
    VTermScreen *screen;
    int fd;
    pid_t child;
    int rows;
    int columns;
    struct buffer bytes; /* everything that arrived since terminal_forget() */
    int fences;          /* answered */
    bool hung_up;
    bool is_mute; /* answers no question of the program */
};

/* Start `run` in a child with the pty as its terminal; its return value is the exit code. */
struct terminal *terminal_start(
    int rows, int columns, const char *term, int (*run)(void *self), void *self);

/* Kill the child if it still runs, and forget all. */
void terminal_close(struct terminal *terminal);

void terminal_type(struct terminal *terminal, const char *keys);
void terminal_resize(struct terminal *terminal, int rows, int columns);

/* Set a fence and wait until it is answered: all that was typed is on the screen. Fails the test after
 * ten seconds and prints what is on the screen. */
void terminal_settle(struct terminal *terminal);

/* The same, but false when the program has ended instead. */
bool terminal_try_settle(struct terminal *terminal);

/* Wait until the child ends, reading what it writes; its wait status. */
int terminal_wait(struct terminal *terminal);

/* Read what is there within timeout_ms; false when the other side has hung up. */
bool terminal_read(struct terminal *terminal, int timeout_ms);

/* The screen as UTF-8 lines, trailing blanks removed. Freed by the caller. */
char *terminal_text(struct terminal *terminal);

/* Forget the bytes that arrived so far. */
void terminal_forget(struct terminal *terminal);

/* NULL when every byte in terminal->bytes is allowed: text that cannot move anything, and the
 * sequences that a screen needs. Else what was wrong, in a static text. */
const char *terminal_bad_bytes(const struct terminal *terminal);

/* The last set or reset of private mode `mode` in the bytes: 'h', 'l', or 0 for neither. */
char terminal_mode(const struct terminal *terminal, int mode);

#endif
