#include <locale.h>
#include <signal.h>

#include "console/command.h"

int
main(int argc, char **argv)
{
    /* Only what characters are, not how numbers and dates are written. */
    (void)setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe) */
    /* A reader that goes away shows as EPIPE where we write, which each writer knows how to end on. */
    (void)signal(SIGPIPE, SIG_IGN);
    return command_dispatch(argc, argv);
}
