#include "index/journal_spare.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "index/part_file.h"

struct journal_spare {
    char *directory;
    pthread_mutex_t lock;
    char *path; /* NULL: there is none */
    bool is_closed;
};

struct journal_spare *
journal_spare_new(const char *directory)
{
    struct journal_spare *spare = alloc_zeroed(sizeof(*spare));
    spare->directory = alloc_text(directory);
    (void)pthread_mutex_init(&spare->lock, NULL);
    return spare;
}

bool
journal_spare_give(struct journal_spare *spare, uint64_t id)
{
    if (spare == NULL)
        return false;
    char *from = part_file_path(spare->directory, id, "jnl");
    char *to = part_file_path(spare->directory, id, "old");
    (void)pthread_mutex_lock(&spare->lock);
    bool is_kept = !spare->is_closed && spare->path == NULL && rename(from, to) == 0;
    if (is_kept) {
        spare->path = to;
        to = NULL;
    }
    (void)pthread_mutex_unlock(&spare->lock);
    free(from);
    free(to);
    return is_kept;
}

/* Nobody else has it open, and it has no name but ours. */
static bool
is_ours_alone(int fd, uint64_t *size)
{
    struct stat status;
    /* Who opens it in this very moment makes the kernel send a signal: one that is ignored. */
    if (fcntl(fd, F_SETSIG, SIGURG) != 0 || fcntl(fd, F_SETLEASE, F_WRLCK) != 0)
        return false;
    bool is_alone = fcntl(fd, F_SETLEASE, F_UNLCK) == 0 && fstat(fd, &status) == 0 &&
                    S_ISREG(status.st_mode) && status.st_nlink == 1;
    if (is_alone)
        *size = (uint64_t)status.st_size;
    return is_alone;
}

/* The name of the file, which is the caller's from now on; NULL: there is none. */
static char *
take_path(struct journal_spare *spare)
{
    (void)pthread_mutex_lock(&spare->lock);
    char *path = spare->path;
    spare->path = NULL;
    (void)pthread_mutex_unlock(&spare->lock);
    return path;
}

int
journal_spare_take(struct journal_spare *spare, const char *path, uint64_t *size)
{
    char *from = spare == NULL ? NULL : take_path(spare);
    if (from == NULL)
        return -1;
    int fd = open(from, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && (!is_ours_alone(fd, size) || rename(from, path) != 0)) {
        (void)close(fd);
        fd = -1;
    }
    if (fd < 0)
        (void)unlink(from);
    free(from);
    return fd;
}

void
journal_spare_drop(struct journal_spare *spare)
{
    char *path = take_path(spare);
    if (path != NULL)
        (void)unlink(path);
    free(path);
}

void
journal_spare_close(struct journal_spare *spare)
{
    (void)pthread_mutex_lock(&spare->lock);
    spare->is_closed = true;
    (void)pthread_mutex_unlock(&spare->lock);
    journal_spare_drop(spare);
}

void
journal_spare_free(struct journal_spare *spare)
{
    if (spare == NULL)
        return;
    (void)pthread_mutex_destroy(&spare->lock);
    free(spare->path);
    free(spare->directory);
    free(spare);
}
