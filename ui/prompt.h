/* prompt.h - one line that is typed, with the editing keys of readline.
 *
 * Threads: none of its own.
 */
#ifndef UI_PROMPT_H
#define UI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct canvas;

#define PROMPT_MAX_BYTES 512u
#define PROMPT_HISTORY   16u

enum prompt_kind {
    PROMPT_NONE,
    PROMPT_FILTER,
    PROMPT_SEARCH,
    PROMPT_GOTO,
    PROMPT_COMMAND,
    PROMPT_KIND_COUNT,
};

/* `text` is valid UTF-8 without control characters; `at` is the byte before which typing inserts. */
struct prompt {
    enum prompt_kind kind;
    char text[PROMPT_MAX_BYTES];
    size_t length;
    size_t at;
    bool is_pasting;
    char error[512];
    size_t error_column;                              /* in characters, from 1; 0: none */
    char *history[PROMPT_KIND_COUNT][PROMPT_HISTORY]; /* the newest first */
    size_t history_at;
    char cut[PROMPT_MAX_BYTES];
};

enum prompt_step {
    PROMPT_GOES_ON,
    PROMPT_ACCEPTED, /* prompt->text is what was typed; still open */
    PROMPT_CANCELLED,
};

void prompt_open(struct prompt *prompt, enum prompt_kind kind, const char *text);
void prompt_close(struct prompt *prompt);
void prompt_done(struct prompt *prompt);

enum prompt_step prompt_key(struct prompt *prompt, uint32_t key);

/* What was typed is wrong: the prompt stays open and shows why, with a caret when column is not 0. */
void prompt_fail(struct prompt *prompt, size_t column, const char *text);

/* Keep the text, to be found again by the arrow keys. */
void prompt_remember(struct prompt *prompt);

/* Draw into `row` and the one below it, and put the cursor there. */
void prompt_draw(const struct prompt *prompt, struct canvas *canvas, int row);

#endif
