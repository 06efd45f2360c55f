#include "index/tape_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define PATIENCE_NS (300 * NS_PER_MS)

static int
open_file(const char *directory, int flags)
{
    char *path = alloc_format("%s/LOCK", directory);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    free(path);
    return fd;
}

static pid_t
read_holder(int fd)
{
    char text[32] = "";
    (void)pread(fd, text, sizeof(text) - 1, 0);
    return (pid_t)strtol(text, NULL, 10);
}

static bool
wait_for_lock(int fd, const char *directory, pid_t *holder, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_set_system(err, "cannot lock the tape %s", directory);
        if (clock_monotonic_ns() > deadline_ns) {
            *holder = read_holder(fd);
            return error_set(err, ERROR_REFUSED, "another process writes the tape %s", directory);
        }
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
    return true;
}

int
tape_lock_take(const char *directory, pid_t *holder, struct error *err)
{
    int fd = open_file(directory, O_RDWR | O_CREAT);
    if (fd < 0) {
        (void)error_set_system(err, "cannot write the tape's directory %s", directory);
    } else if (!wait_for_lock(fd, directory, holder, err)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

bool
tape_lock_sign(int fd, const char *directory, struct error *err)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    return (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)length, 0) >= 0) ||
           error_set_system(err, "cannot write %s/LOCK", directory);
}

bool
tape_lock_is_held(const char *directory)
{
    int fd = open_file(directory, O_RDONLY);
    if (fd < 0)
        return false;
    bool is_held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return is_held;
}
