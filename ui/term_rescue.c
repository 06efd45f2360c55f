#include "ui/term_rescue.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Read by a signal handler: written only while `armed` is 0. */
static volatile sig_atomic_t armed;
static int terminal;
static struct termios saved_modes;
static char restore_text[RESCUE_MAX_BYTES];
static size_t restore_length;
static unsigned char handler_stack[64 * 1024];

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

static void
say(int fd, const char *text, size_t length)
{
    ssize_t written = write(fd, text, length);
    (void)written; /* nothing can be done about it here */
}

/* True when there was something to restore. */
static bool
restore(void)
{
    if (!armed)
        return false;
    armed = 0;
    say(terminal, restore_text, restore_length);
    tcsetattr(terminal, TCSANOW, &saved_modes);
    return true;
}

static void
on_fatal(int number)
{
    static const char message[] = "tapedeck: crashed; the terminal was restored\r\n";
    int saved_errno = errno;

    if (restore())
        say(STDERR_FILENO, message, sizeof(message) - 1);
    (void)signal(number, SIG_DFL);
    errno = saved_errno;
    (void)raise(number);
}

/* Somebody calls exit() below the screen, out of memory for one. */
static void
on_exit_called(void)
{
    restore();
}

void
rescue_arm(int fd, const struct termios *modes, const char *text, size_t length)
{
    static bool has_exit_handler;

    armed = 0;
    terminal = fd;
    saved_modes = *modes;
    restore_length = length < RESCUE_MAX_BYTES ? length : RESCUE_MAX_BYTES;
    memcpy(restore_text, text, restore_length);

    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof(handler_stack)};
    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < sizeof(fatal_signals) / sizeof(fatal_signals[0]); i++) {
        struct sigaction handler = {.sa_flags = SA_ONSTACK | SA_NODEFER};
        handler.sa_handler = on_fatal;
        sigemptyset(&handler.sa_mask);
        sigaction(fatal_signals[i], &handler, NULL);
    }
    if (!has_exit_handler)
        has_exit_handler = atexit(on_exit_called) == 0;
    armed = 1;
}

void
rescue_disarm(void)
{
    armed = 0;
}
