/* The stop flag of commands that run until told. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "console/command.h"

/* Written by the handler only. A signal makes the pipe readable, for loops that poll. */
static volatile sig_atomic_t count;
static int wake_pipe[2] = {-1, -1};

static void
on_signal(int number)
{
    (void)number;
    int saved = errno;
    if (count < 2)
        count = count + 1;
    ssize_t written = write(wake_pipe[1], "", 1);
    (void)written; /* full means readable already */
    errno = saved;
}

void
signals_catch(void)
{
    if (wake_pipe[0] < 0 && pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        abort(); /* no descriptors left at the start of a program: nothing would work */

    /* No SA_RESTART: a wait that a signal interrupts returns, and its loop looks at the flag. */
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

int
signals_pending(void)
{
    return count;
}

int
signals_fd(void)
{
    return wake_pipe[0];
}
