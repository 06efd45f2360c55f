#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "console/command.h"

/* A descriptor 0, 1 or 2 that we were started without would go to the next file that is opened, and
 * what is printed would land in the tape. In its place comes one that cannot be read or written, so
 * that using it fails as it does when it is closed. */
static void
hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int
main(int argc, char **argv)
{
    hold_standard_descriptors();
    /* Only what characters are, not how numbers and dates are written. */
    (void)setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe) */
    /* A reader that goes away shows as EPIPE where we write, which each writer knows how to end on. */
    (void)signal(SIGPIPE, SIG_IGN);
    return command_dispatch(argc, argv);
}
