/* file.h - whole reads and writes, directories.  Threads: any. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct error;
struct iovec;

/* Read `length` bytes at `offset`; *got is less only at the end of the file. */
bool file_read_at(int fd, void *to, size_t length, uint64_t offset, size_t *got, struct error *err);

/* Write everything at the file's position, going on after short writes and EINTR. Changes `parts`.
 * False with ERROR_SYSTEM or ERROR_DISK_FULL; then some bytes may have been written. */
bool file_write_all(int fd, struct iovec *parts, int count, struct error *err);

/* Read a whole file of at most `limit` bytes into `buffer`; ERROR_LIMIT when it is longer. */
bool file_read_whole(const char *path, size_t limit, struct buffer *buffer, struct error *err);

/* Write a file so that after a crash there is the old content or the new: path.tmp, fdatasync,
 * rename, fsync of the directory. Mode 0600. What is there and is no plain file (a device, a pipe)
 * is written to instead, never replaced. */
bool file_replace(const char *path, const void *data, size_t length, struct error *err);

/* Make `path` and its missing parents, mode 0700. A file in the way is ERROR_ARGUMENT. */
bool file_make_directory(const char *path, struct error *err);

/* fsync a directory, so that names in it survive a power loss. */
bool file_sync_directory(const char *path, struct error *err);

/* The same for the directory that `path` is in. */
bool file_sync_parent(const char *path, struct error *err);

/* Close a file that was read. One that was deleted meanwhile is closed on a thread of its own: whoever
 * closes it last waits until the kernel has given back its blocks, 100 ms for 64 MiB and longer on a busy
 * disk, and that shall not be a screen. */
void file_close_read(int fd);

/* Remove a directory and what is in it; used for temporary ones of ours. */
void file_remove_tree(const char *path);

#endif
