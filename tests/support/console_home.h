/* console_home.h - a home for the program, and what tests expect of what it printed there. */
#ifndef TESTS_SUPPORT_CONSOLE_HOME_H
#define TESTS_SUPPORT_CONSOLE_HOME_H

#include <stddef.h>

#include <jansson.h>

#include "base/bytes.h"

struct program;
struct tape_writer;

struct program_home {
    char *home;
    char *tape; /* in it; not made yet */
};

/* Around a test whose state it is. */
int program_home_set_up(void **state);
int program_home_tear_down(void **state);

/* Run; the exit code must be `code`. */
void program_home_run(const struct program_home *fixture, struct program *program,
    const char *const *words, int code);

/* A recorder's hand on the tape. Journals are kept as they are. */
struct tape_writer *program_home_writer(const struct program_home *fixture);

void expect_text(struct buffer *where, const char *text);

/* Nothing that could drive a terminal, line breaks apart. */
void expect_harmless(struct buffer *text);

/* Lines on stdout; line `index` of them as JSON, for the caller to free. */
size_t line_count(struct program *program);
json_t *json_line(struct program *program, size_t index);
void expect_json_text(const json_t *object, const char *key, const char *expected);

#endif
