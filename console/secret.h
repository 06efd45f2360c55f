/* secret.h - values that stand elsewhere than in the configuration: env:NAME, file:PATH, cmd:COMMAND.
 *
 * Threads: one at a time (the environment, a child process).
 */
#ifndef CONSOLE_SECRET_H
#define CONSOLE_SECRET_H

#include <stdbool.h>

struct error;

/* The longest secret; a certificate chain fits. */
#define SECRET_MAX_BYTES ((size_t)64 * 1024)

/* The text itself, or what env:, file: or cmd: name (one line break at its end is dropped; cmd: runs
 * with /bin/sh). *resolved is freed by the caller. False with ERROR_CONFIG that names the source and
 * never what came out of it. */
bool secret_resolve(const char *value, char **resolved, struct error *err);

#endif
