/* console_copying.h - tapes, and the places that they are exported, packed and imported to. */
#ifndef TESTS_SUPPORT_CONSOLE_COPYING_H
#define TESTS_SUPPORT_CONSOLE_COPYING_H

#include <stddef.h>

#include "base/bytes.h"

struct program;

/* Only `scratch`, where packed tapes are unpacked, is made. */
struct copying {
    char *home;
    char *tape;
    char *other;
    char *file;
    char *packed;
    char *scratch;
    char *scratch_variable; /* for the program's environment */
};

/* Around a test whose state it is. */
int copying_set_up(void **state);
int copying_tear_down(void **state);

/* Run; the exit code must be `code`. */
void copying_run(
    const struct copying *fixture, struct program *program, const char *const *words, int code);

/* The same, with a text on stdout and one on stderr (NULL: any). */
void copying_expect(const struct copying *fixture, const char *const *words, int code,
    const char *out, const char *err);

/* Stdout of a command that goes well. The caller frees. */
struct buffer copying_output(const struct copying *fixture, const char *const *words);

/* Export the tape into the file, and give what is in it. */
struct buffer copying_export(const struct copying *fixture);

void write_file(const char *path, const void *data, size_t length);
void expect_equal(const struct buffer *a, const struct buffer *b);
size_t count_entries(const char *path); /* of a directory */

/* One payload with each byte alone, all of them in a row, 5 MB, null and empty, times at the ends of
 * what 64 bits hold, a lane whose offsets were counted, and holes. */
void strange_tape_write(const char *directory);
void small_tape_write(const char *directory);

#endif
