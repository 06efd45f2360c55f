/* portable.h - a tape as one file that is read anywhere, without a broker: NAME.tar.zst.
 *
 * A tar archive, compressed with zstd, of the tape's own files: journals, segments, LOCK; nothing that is
 * only a cache, and nothing that people noted. Read by unpacking it into a directory that is gone when the
 * process is. An archive comes from others and is distrusted: plain files with the names of a tape's
 * files, each once, no larger than there is room.
 *
 * Threads: the main thread, while the program has one.
 */
#ifndef CONSOLE_PORTABLE_H
#define CONSOLE_PORTABLE_H

#include <stdbool.h>

struct error;

/* True when `path` ends in ".tar.zst" and is not a directory; whether it is there does not matter. */
bool portable_is_packed(const char *path);

/* Pack the tape in `directory`, which nobody records, into the file `path` (mode 0600): all of it or
 * nothing. ERROR_ARGUMENT when `path` is there already, ERROR_SYSTEM, ERROR_DISK_FULL. */
bool portable_pack(const char *directory, const char *path, struct error *err);

/* Unpack. Returns the directory, freed by the caller and removed when the process ends; asked again for the
 * same path, the same. NULL with ERROR_ARGUMENT when there is no such file, ERROR_DAMAGED when it is
 * cut off or is not a packed tape, ERROR_DISK_FULL, ERROR_SYSTEM. */
char *portable_unpack(const char *path, struct error *err);

/* The file from which `directory` was unpacked, or NULL. */
const char *portable_origin(const char *directory);

#endif
