#include "console/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

/* The process that waits, and our end of the pipe that tells it. Of the newest directory; those of earlier
 * ones are told when the kernel closes our descriptors. */
static struct {
    pid_t owner;
    pid_t keeper;
    int fd;
} newest = {.fd = -1};

/* Keep nothing open that others wait to be closed, such as the end of a pipe behind our output. */
static void
let_go(int fd)
{
    int nothing = open("/dev/null", O_RDWR);
    (void)dup2(fd, STDIN_FILENO);
    (void)dup2(nothing, STDOUT_FILENO);
    (void)dup2(nothing, STDERR_FILENO);
    (void)close_range(3, ~0U, 0);
}

__attribute__((noreturn)) static void
keep(const char *path, int fd)
{
    /* What ends us from the keyboard or by group must not end it before its work. */
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL); /* NOLINT(concurrency-mt-unsafe): one thread */
    (void)setsid();
    (void)prctl(PR_SET_NAME, "tapedeck-tidy");
    let_go(fd);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
    }
    file_remove_tree(path);
    _exit(0);
}

/* At a normal end the directory is gone before the caller's shell goes on. */
static void
finish(void)
{
    if (newest.fd < 0 || getpid() != newest.owner)
        return;
    (void)close(newest.fd);
    newest.fd = -1;
    while (waitpid(newest.keeper, NULL, 0) < 0 && errno == EINTR) {
    }
}

static bool
start_keeper(const char *path, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_system(err, "cannot make a pipe");
    pid_t keeper = fork();
    if (keeper == 0) {
        (void)close(ends[1]);
        keep(path, ends[0]);
    }
    (void)close(ends[0]);
    if (keeper < 0) {
        (void)close(ends[1]);
        return error_set_system(err, "cannot start a process that removes %s", path);
    }
    if (newest.owner == 0)
        (void)atexit(finish);
    newest.owner = getpid();
    newest.keeper = keeper;
    newest.fd = ends[1];
    return true;
}

char *
scratch_directory(struct error *err)
{
    const char *parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    if (parent == NULL || parent[0] != '/')
        parent = "/tmp";
    char *path = alloc_format("%s/tapedeck-XXXXXX", parent);
    if (mkdtemp(path) == NULL) {
        (void)error_set_system(err, "cannot make a directory in %s (TMPDIR names another)", parent);
        free(path);
        return NULL;
    }
    if (!start_keeper(path, err)) {
        file_remove_tree(path);
        free(path);
        return NULL;
    }
    return path;
}
