/* keymap.h - from keys to actions, by the one table in keymap.def.
 *
 * Threads: any; the table never changes.
 */
#ifndef UI_KEYMAP_H
#define UI_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum action {
    ACTION_NONE,
#define KEY(name, ...) ACTION_##name,
#include "ui/keymap.def"
#undef KEY
    ACTION_COUNT,
};

/* Where a key has its meaning. A screen says which of them it has. */
enum key_context {
    CONTEXT_EVERYWHERE = 1,
    CONTEXT_MOVE = 2,
    CONTEXT_TAPE = 4,
    CONTEXT_FIND = 8,
    CONTEXT_EVENTS = 16,
    CONTEXT_FLOWS = 32,
    CONTEXT_TABLE = 64,
    CONTEXT_PANE = 128,
    CONTEXT_LAG = 256,
    CONTEXT_FROM = 512,
};

struct keymap_row {
    enum action action;
    enum key_context context;
    const char *keys;
    const char *command;
    const char *hint;
    const char *help;
    int priority;
};

/* The rows of keymap.def in their order. */
const struct keymap_row *keymap_rows(size_t *count);

/* The action of a key in any of these contexts (a sum of enum key_context). */
enum action keymap_find(uint32_t key, unsigned contexts);

/* The action that `:` calls by this name; a unique beginning is enough. ACTION_NONE when none. */
enum action keymap_find_command(const char *name, size_t length);

/* Step through the key names of a row ("j Down"): start with *at = row->keys. */
bool keymap_next_key(const char **at, const char **name, size_t *length);

const char *keymap_context_title(enum key_context context);

#endif
