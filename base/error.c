#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text with a line break or a control byte in it (from a peer, a path) would break the promise of
 * one line and could drive the terminal. */
static void
keep_to_one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
}

/* Put `more` behind a text of the size of struct error's, cutting it where the room ends. */
static void
append(char *text, const char *more)
{
    size_t used = strlen(text);
    size_t room = sizeof(((struct error *)NULL)->text) - 1 - used;
    size_t length = strnlen(more, room);
    memcpy(text + used, more, length);
    text[used + length] = '\0';
}

bool
error_set(struct error *err, enum error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, arguments);
    va_end(arguments);
    err->code = code;
    keep_to_one_line(err->text);
    return false;
}

bool
error_set_system(struct error *err, const char *format, ...)
{
    int reason = errno;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, arguments);
    va_end(arguments);

    char buffer[128];
    append(err->text, ": ");
    append(err->text, strerror_r(reason, buffer, sizeof(buffer)));
    err->code = reason == ENOSPC || reason == EDQUOT ? ERROR_DISK_FULL : ERROR_SYSTEM;
    keep_to_one_line(err->text);
    return false;
}

bool
error_wrap(struct error *err, const char *format, ...)
{
    char text[sizeof(err->text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    append(text, ": ");
    append(text, err->text);
    memcpy(err->text, text, sizeof(text));
    keep_to_one_line(err->text);
    return false;
}

int
error_exit_code(const struct error *err)
{
    switch (err->code) {
    case ERROR_NONE:
        return 0;
    case ERROR_ARGUMENT:
        return 2;
    case ERROR_CONFIG:
        return 3;
    case ERROR_REMOTE:
        return 4;
    case ERROR_REFUSED:
        return 5;
    case ERROR_DAMAGED:
    case ERROR_NEWER:
        return 6;
    case ERROR_DISK_FULL:
        return 7;
    case ERROR_SYSTEM:
    case ERROR_FORMAT:
    case ERROR_LIMIT:
        return 1;
    }
    return 1;
}
