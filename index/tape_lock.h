/* tape_lock.h - the one who writes a tape: flock() on the file LOCK in its directory.
 *
 * Threads: none of its own. The kernel lets go of the lock when its holder ends, however that comes.
 */
#ifndef INDEX_TAPE_LOCK_H
#define INDEX_TAPE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* Take the lock of the tape in `directory`, and make its file when there is none. Waits up to 0.3 s: a reader that
 * asks for it holds it for an instant.
 *
 * Returns a descriptor that holds it until the caller closes it, or -1. ERROR_REFUSED: another process holds it; *holder
 * is the pid that it wrote into the file, or 0. ERROR_SYSTEM: the directory cannot be written. */
int tape_lock_take(const char *directory, pid_t *holder, struct error *err);

/* Write into the file who holds it, for the next one that asks in vain. False with ERROR_SYSTEM. */
bool tape_lock_sign(int fd, const char *directory, struct error *err);

/* True when somebody holds it. Waits for nothing. */
bool tape_lock_is_held(const char *directory);

#endif
