/* scratch.h - a private directory that is gone when this process is, however it ends.
 *
 * A second process does nothing but wait for the end of this one, and then removes the directory: also
 * after a signal that nobody handles, and after SIGKILL.
 *
 * Threads: call it while the program has one.
 */
#ifndef CONSOLE_SCRATCH_H
#define CONSOLE_SCRATCH_H

struct error;

/* Make an empty directory, mode 0700, under $TMPDIR (else /tmp). It is removed with what is in it when
 * the process ends. Returns its path, freed by the caller, or NULL with ERROR_SYSTEM. */
char *scratch_directory(struct error *err);

#endif
