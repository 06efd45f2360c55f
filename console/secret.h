/* secret.h - values that stand elsewhere than in the configuration: env:NAME, file:PATH, cmd:COMMAND.
 *
 * Threads: any, as long as nobody changes the environment.
 */
#ifndef CONSOLE_SECRET_H
#define CONSOLE_SECRET_H

#include <stdbool.h>

struct error;

/* The longest secret; a certificate chain fits. */
#define SECRET_MAX_BYTES ((size_t)64 * 1024)

/* The text itself, or what env:, file: or cmd: name (one line break at its end is dropped; cmd: runs
 * with /bin/sh, for a minute at most: it may ask somebody for a passphrase). *resolved is freed by the caller. False with ERROR_CONFIG that names the source and
 * never what came out of it. */
bool secret_resolve(const char *value, char **resolved, struct error *err);

/* Whether the same text may give something else later: a file, a command. */
bool secret_may_change(const char *value);

/* secret_resolve() where nobody is there to be asked: a command has a few seconds. */
bool secret_resolve_again(const char *value, char **resolved, struct error *err);

#endif
