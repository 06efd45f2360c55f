/* error.h - why an operation failed, in a struct the caller owns.
 *
 * A function that can fail takes `struct error *err` last, never NULL, and returns bool (false:
 * failed) or a pointer (NULL: failed). On success it leaves *err alone. Nothing here allocates, so
 * reporting an error cannot fail and cannot leak.
 *
 *     if (!segment_open(path, &segment, err))
 *         return error_wrap(err, "tape '%s'", name);
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE,
    ERROR_ARGUMENT,  /* the user asked for something impossible: exit code 2 */
    ERROR_CONFIG,    /* the configuration is wrong (file:line:column in the text): 3 */
    ERROR_SYSTEM,    /* a system call failed; the text says why: 1 */
    ERROR_FORMAT,    /* bytes from a file or a peer are not what they claim to be: 1 */
    ERROR_REMOTE,    /* a broker or peer cannot be reached, vanished or timed out: 4 */
    ERROR_REFUSED,   /* a broker, a lock or a rule of ours said no: 5 */
    ERROR_DAMAGED,   /* the tape is damaged; the text names the repair command: 6 */
    ERROR_DISK_FULL, /* no space left where the tape is: 7 */
    ERROR_LIMIT,     /* a size, count or time limit of ours was reached: 1 */
    ERROR_NEWER,     /* the tape was written by a tapedeck that knows more than this one: 6 */
};

struct error {
    enum error_code code;
    char text[512]; /* one line, no trailing full stop or newline; cut if longer */
};

/* All return false, so that `return error_set(err, ...)` reads as one step. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like error_set(err, ERROR_SYSTEM, ...) with ": " and the reason in errno added. The code is
 * ERROR_DISK_FULL when errno is ENOSPC or EDQUOT. */
bool error_set_system(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "context: " in front of the text; the code stays. */
bool error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The program's exit code for an error of this kind (DESIGN: 1 failed, 2 usage, 3 configuration,
 * 4 cannot reach, 5 refused, 6 tape damaged, 7 disk full). */
int error_exit_code(const struct error *err);

#endif
