/* socket_file.h - whether a Unix socket may be bound at a path.
 *
 * libzmq removes what is at the path before it binds, so that a socket that a dead process left is no hindrance:
 * but also a plain file, and the socket of a process that lives, which nobody can reach any more then. So whoever binds
 * with it looks first.  Threads: any.
 */
#ifndef BASE_SOCKET_FILE_H
#define BASE_SOCKET_FILE_H

#include <stdbool.h>

struct error;

/* True when nothing is at `path`, or a socket at which nobody listens. False with ERROR_ARGUMENT when something else
 * is there, or ERROR_SYSTEM ("Address already in use") when somebody listens, which may change. */
bool socket_file_is_free(const char *path, struct error *err);

#endif
