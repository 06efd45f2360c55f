#include "tests/support/console_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/support/unit.h"

#define MAX_WORDS 32

static void
make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail_msg("cannot make a pipe");
}

/* posix_spawn() wants arrays of char *; these are copies that it may have. */
static void
copy_words(char **to, size_t *count, const char *const *words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        assert_true(*count + 1 < MAX_WORDS);
        to[(*count)++] = alloc_text(words[i]);
    }
}

static void
free_words(char **words)
{
    for (size_t i = 0; i < MAX_WORDS; i++)
        free(words[i]);
}

static void
spawn(struct program *program, const char *home, const char *const *arguments,
    const char *const *variables, bool is_closed)
{
    *program = (struct program){.pid = -1};
    int out[2];
    int err[2];
    make_pipe(out);
    make_pipe(err);

    char *words[MAX_WORDS] = {NULL};
    char *environment[MAX_WORDS] = {NULL};
    size_t count = 0;
    words[count++] = alloc_text(TEST_BINARY_DIR "/tapedeck");
    copy_words(words, &count, arguments);
    count = 0;
    environment[count++] = alloc_format("HOME=%s", home);
    environment[count++] = alloc_text("PATH=/usr/bin:/bin");
    environment[count++] = alloc_text("LC_ALL=C.UTF-8");
    copy_words(environment, &count, variables);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    for (int fd = STDIN_FILENO; is_closed && fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addclose(&actions, fd);
    int failed = posix_spawn(&program->pid, words[0], &actions, NULL, words, environment);
    posix_spawn_file_actions_destroy(&actions);
    free_words(words);
    free_words(environment);
    (void)close(out[1]);
    (void)close(err[1]);
    program->stdout_fd = out[0];
    program->stderr_fd = err[0];
    if (failed != 0)
        fail_msg("cannot start " TEST_BINARY_DIR "/tapedeck: error %d", failed);
}

void
program_start(struct program *program, const char *home, const char *const *arguments,
    const char *const *variables)
{
    spawn(program, home, arguments, variables, false);
}

void
program_start_closed(struct program *program, const char *home, const char *const *arguments)
{
    spawn(program, home, arguments, NULL, true);
}

static void
read_some(int *fd, struct buffer *to)
{
    ssize_t got = read(*fd, buffer_reserve(to, 65536), 65536);
    if (got > 0) {
        to->length += (size_t)got;
    } else if (got == 0 || errno != EINTR) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void
give_up(struct program *program, const char *why)
{
    (void)kill(program->pid, SIGKILL);
    (void)waitpid(program->pid, NULL, 0);
    fail_msg("%s; stdout: %.2000s; stderr: %.2000s", why, buffer_text(&program->out),
        buffer_text(&program->err));
}

/* One round of reading; false when both ends are closed. */
static bool
read_both(struct program *program, int64_t deadline_ns)
{
    if (program->stdout_fd < 0 && program->stderr_fd < 0)
        return false;
    int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
    struct pollfd slots[] = {
        {.fd = program->stdout_fd, .events = POLLIN},
        {.fd = program->stderr_fd, .events = POLLIN},
    };
    int ready = left_ms <= 0 ? 0 : poll(slots, 2, (int)left_ms);
    if (ready == 0)
        give_up(program, "the program did not get there in time");
    if (ready > 0 && slots[0].revents != 0)
        read_some(&program->stdout_fd, &program->out);
    if (ready > 0 && slots[1].revents != 0)
        read_some(&program->stderr_fd, &program->err);
    return true;
}

void
program_wait_for(struct program *program, const char *text)
{
    int64_t deadline_ns = clock_monotonic_ns() + 30 * NS_PER_S;
    while (strstr(buffer_text(&program->out), text) == NULL) {
        if (!read_both(program, deadline_ns))
            give_up(program, "the program ended before it said what was waited for");
    }
}

void
program_stop_reading(struct program *program)
{
    if (program->stdout_fd >= 0)
        (void)close(program->stdout_fd);
    program->stdout_fd = -1;
}

void
program_finish(struct program *program)
{
    int64_t deadline_ns = clock_monotonic_ns() + 60 * NS_PER_S;
    while (read_both(program, deadline_ns)) {
    }
    int status = 0;
    while (waitpid(program->pid, &status, 0) < 0 && errno == EINTR) {
    }
    program->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    (void)buffer_text(&program->out);
    (void)buffer_text(&program->err);
}

void
program_run(struct program *program, const char *home, const char *const *arguments)
{
    program_start(program, home, arguments, NULL);
    program_finish(program);
}

void
program_done(struct program *program)
{
    buffer_done(&program->out);
    buffer_done(&program->err);
}
