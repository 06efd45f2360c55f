#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/thread.h"

bool
file_read_at(int fd, void *to, size_t length, uint64_t offset, size_t *got, struct error *err)
{
    size_t done = 0;
    while (done < length) {
        ssize_t count =
            pread(fd, (unsigned char *)to + done, length - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_set_system(err, "cannot read");
        if (count == 0)
            break;
        done += (size_t)count;
    }
    *got = done;
    return true;
}

/* Drop the first `written` bytes from the parts. */
static void
advance(struct iovec **parts, int *count, size_t written)
{
    while (*count > 0 && written >= (*parts)->iov_len) {
        written -= (*parts)->iov_len;
        (*parts)++;
        (*count)--;
    }
    if (*count > 0) {
        (*parts)->iov_base = (unsigned char *)(*parts)->iov_base + written;
        (*parts)->iov_len -= written;
    }
}

bool
file_write_all(int fd, struct iovec *parts, int count, struct error *err)
{
    advance(&parts, &count, 0);
    while (count > 0) {
        ssize_t written = writev(fd, parts, count < IOV_MAX ? count : IOV_MAX);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_set_system(err, "cannot write");
        if (written == 0) {
            errno = ENOSPC;
            return error_set_system(err, "cannot write");
        }
        advance(&parts, &count, (size_t)written);
    }
    return true;
}

bool
file_read_whole(const char *path, size_t limit, struct buffer *buffer, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_system(err, "cannot open %s", path);

    for (;;) {
        unsigned char *to = buffer_reserve(buffer, 65536);
        ssize_t count = read(fd, to, 65536);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            if (count < 0)
                (void)error_set_system(err, "cannot read %s", path);
            (void)close(fd);
            return count == 0;
        }
        buffer->length += (size_t)count;
        if (buffer->length > limit) {
            (void)close(fd);
            return error_set(err, ERROR_LIMIT, "%s is larger than %zu bytes", path, limit);
        }
    }
}

static char *
parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return alloc_text(".");
    return slash == path ? alloc_text("/") : alloc_text_of(path, (size_t)(slash - path));
}

bool
file_sync_directory(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_system(err, "cannot open directory %s", path);
    bool synced = fsync(fd) == 0 || errno == EINVAL;
    if (!synced)
        (void)error_set_system(err, "cannot sync directory %s", path);
    (void)close(fd);
    return synced;
}

bool
file_sync_parent(const char *path, struct error *err)
{
    char *parent = parent_of(path);
    bool good = file_sync_directory(parent, err);
    free(parent);
    return good;
}

/* Write all of it to an open file, and close it. */
static bool
write_and_close(
    int fd, const char *path, const void *data, size_t length, bool synced, struct error *err)
{
    unsigned char *bytes = alloc_copy(data, length);
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    bool done = file_write_all(fd, &part, 1, err);
    free(bytes);
    if (done && synced && fdatasync(fd) != 0)
        done = error_set_system(err, "cannot sync");
    if (close(fd) != 0 && done)
        done = error_set_system(err, "cannot close");
    return done || error_wrap(err, "%s", path);
}

static bool
write_new(const char *path, const void *data, size_t length, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_system(err, "cannot make %s", path);
    return write_and_close(fd, path, data, length, true, err);
}

static bool
write_through(const char *path, const void *data, size_t length, struct error *err)
{
    int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return error_set_system(err, "cannot write to %s", path);
    return write_and_close(fd, path, data, length, false, err);
}

bool
file_replace(const char *path, const void *data, size_t length, struct error *err)
{
    struct stat present;
    if (stat(path, &present) == 0 && !S_ISREG(present.st_mode))
        return write_through(path, data, length, err);

    char *temporary = alloc_format("%s.tmp", path);
    bool done = write_new(temporary, data, length, err);
    if (done && rename(temporary, path) != 0)
        done = error_set_system(err, "cannot rename %s to %s", temporary, path);
    if (!done)
        (void)unlink(temporary);
    done = done && file_sync_parent(path, err);
    free(temporary);
    return done;
}

bool
file_make_directory(const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return true;
        return error_set(err, ERROR_ARGUMENT, "%s is a file, not a directory", path);
    }
    if (errno == ENOTDIR)
        return error_set(err, ERROR_ARGUMENT, "a part of the path %s is a file", path);
    if (errno != ENOENT)
        return error_set_system(err, "cannot look at %s", path);

    char *parent = parent_of(path);
    bool made = strcmp(parent, path) == 0 || file_make_directory(parent, err);
    free(parent);
    if (!made)
        return false;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_set_system(err, "cannot make directory %s", path);
    return true;
}

/* Depth is bounded by that of the directories that we make ourselves. */
void
file_remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    if (directory != NULL) {
        struct dirent *entry;
        while ((entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            char *child = alloc_format("%s/%s", path, entry->d_name);
            struct stat status;
            if (lstat(child, &status) == 0 && S_ISDIR(status.st_mode))
                file_remove_tree(child);
            else
                (void)unlink(child);
            free(child);
        }
        (void)closedir(directory);
    }
    (void)rmdir(path);
}

static void *
close_slowly(void *self)
{
    int *fd = self;
    (void)close(*fd);
    free(fd);
    return NULL;
}

void
file_close_read(int fd)
{
    struct stat status;
    pthread_t thread;
    int *last = NULL;

    if (fstat(fd, &status) == 0 && status.st_nlink == 0)
        last = alloc_copy(&fd, sizeof(fd));
    if (last != NULL && thread_start(&thread, "close", close_slowly, last)) {
        (void)pthread_detach(thread);
        return;
    }
    free(last);
    (void)close(fd);
}
