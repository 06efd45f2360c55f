#include "console/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"

/* How long a command may take: with somebody there who types a passphrase, and without. */
#define WAIT_NS       (60 * NS_PER_S)
#define WAIT_AGAIN_NS (4 * NS_PER_S)

static const char *
after_prefix(const char *value, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(value, prefix, length) == 0 ? value + length : NULL;
}

/* Drop one line break at the end, refuse what a C string cannot hold. */
static bool
take_content(struct buffer *content, const char *value, char **resolved, struct error *err)
{
    if (content->length > 0 && content->data[content->length - 1] == '\n')
        content->length--;
    if (content->length > 0 && content->data[content->length - 1] == '\r')
        content->length--;
    if (content->length == 0)
        return error_set(err, ERROR_CONFIG, "%s gave nothing", value);
    if (memchr(content->data, '\0', content->length) != NULL)
        return error_set(err, ERROR_CONFIG, "%s has a zero byte in it", value);
    *resolved = alloc_text_of(content->data, content->length);
    return true;
}

/* Overwrite before it goes back to the heap. */
static void
forget(struct buffer *content)
{
    if (content->data != NULL)
        explicit_bzero(content->data, content->capacity);
    buffer_done(content);
}

static bool
from_environment(const char *name, char **resolved, struct error *err)
{
    const char *found = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    if (found == NULL)
        return error_set(err, ERROR_CONFIG, "environment variable %s is not set", name);
    if (found[0] == '\0')
        return error_set(err, ERROR_CONFIG, "environment variable %s is empty", name);
    *resolved = alloc_text(found);
    return true;
}

static bool
from_file(const char *path, const char *value, char **resolved, struct error *err)
{
    struct buffer content = {0};
    bool done = file_read_whole(path, SECRET_MAX_BYTES, &content, err);
    if (done)
        done = take_content(&content, value, resolved, err);
    else
        err->code = ERROR_CONFIG;
    forget(&content);
    return done;
}

/* Until its end, or until the monotonic deadline. */
static bool
read_pipe(int fd, const char *value, int64_t deadline_ns, struct buffer *content, struct error *err)
{
    for (;;) {
        int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        int ready = left_ms > 0 ? poll(&readable, 1, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return error_set(err, ERROR_CONFIG, "%s does not end", value);
        unsigned char *to = buffer_reserve(content, 4096);
        ssize_t got = read(fd, to, 4096);
        if (got < 0)
            return error_set_system(err, "cannot read what %s gives", value);
        content->length += (size_t)got;
        if (content->length > SECRET_MAX_BYTES)
            return error_set(
                err, ERROR_CONFIG, "%s gave more than %zu bytes", value, SECRET_MAX_BYTES);
        if (got == 0)
            return true;
    }
}

/* Run by a shell that writes to *fd. Threads of the recorder block signals, which a child must not inherit. */
static bool
run(const char *command, const char *value, pid_t *pid, int *fd, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)error_set_system(err, "cannot run %s", value);
        return false;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    char *text = alloc_text(command);
    char shell[] = "sh";
    char option[] = "-c";
    char *const arguments[] = {shell, option, text, NULL};
    int failed = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments, environ);
    free(text);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)close(ends[1]);
    *fd = ends[0];
    if (failed == 0)
        return true;
    (void)close(ends[0]);
    errno = failed;
    (void)error_set_system(err, "cannot run %s", value);
    return false;
}

/* What it ended with; one that has not ended yet is ended. */
static int
end(pid_t pid, bool is_done)
{
    int status = 0;
    if (!is_done)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static bool
from_command(
    const char *command, const char *value, int64_t wait_ns, char **resolved, struct error *err)
{
    pid_t pid;
    int fd;
    if (!run(command, value, &pid, &fd, err)) {
        err->code = ERROR_CONFIG;
        return false;
    }
    struct buffer content = {0};
    bool done = read_pipe(fd, value, clock_monotonic_ns() + wait_ns, &content, err);
    (void)close(fd);
    int status = end(pid, done);
    if (done && status != 0) {
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        done = code >= 0 ? error_set(err, ERROR_CONFIG, "%s ended with exit code %d", value, code)
                         : error_set(err, ERROR_CONFIG, "%s was ended by a signal", value);
    }
    done = done && take_content(&content, value, resolved, err);
    forget(&content);
    return done;
}

static bool
resolve(const char *value, int64_t wait_ns, char **resolved, struct error *err)
{
    const char *rest = after_prefix(value, "env:");
    if (rest != NULL)
        return from_environment(rest, resolved, err);
    rest = after_prefix(value, "file:");
    if (rest != NULL)
        return from_file(rest, value, resolved, err);
    rest = after_prefix(value, "cmd:");
    if (rest != NULL)
        return from_command(rest, value, wait_ns, resolved, err);
    *resolved = alloc_text(value);
    return true;
}

bool
secret_resolve(const char *value, char **resolved, struct error *err)
{
    return resolve(value, WAIT_NS, resolved, err);
}

bool
secret_may_change(const char *value)
{
    return after_prefix(value, "file:") != NULL || after_prefix(value, "cmd:") != NULL;
}

bool
secret_resolve_again(const char *value, char **resolved, struct error *err)
{
    return resolve(value, WAIT_AGAIN_NS, resolved, err);
}
