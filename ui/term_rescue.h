/* term_rescue.h - the terminal is put right even when the program crashes.
 *
 * On a fatal signal, and when somebody calls exit() while the screen is on. Everything the handler
 * needs is prepared beforehand: it writes one string, sets the modes, says one line and raises the
 * signal again, so that the exit status and the core dump stay right.
 * Threads: arm and disarm on the thread that owns the terminal; the handler runs anywhere.
 */
#ifndef UI_TERM_RESCUE_H
#define UI_TERM_RESCUE_H

#include <stddef.h>

struct termios;

#define RESCUE_MAX_BYTES 512

/* Watch over the terminal `fd`: `text` undoes all that was switched on, `modes` were its modes. */
void rescue_arm(int fd, const struct termios *modes, const char *text, size_t length);

/* The terminal is in order again; the handlers do nothing but raise. */
void rescue_disarm(void);

#endif
