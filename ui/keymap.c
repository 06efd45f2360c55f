#include "ui/keymap.h"

#include <string.h>

#include "ui/glyph.h"
#include "ui/key.h"

static const struct keymap_row rows[] = {
#define KEY(name, where, keys, command, hint, help, priority) \
    {ACTION_##name, CONTEXT_##where, keys, command, hint, help, priority},
#include "ui/keymap.def"
#undef KEY
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct {
    const char *name;
    uint32_t key;
} key_names[] = {
    {"Up", UI_KEY_UP},
    {"Down", UI_KEY_DOWN},
    {"Left", UI_KEY_LEFT},
    {"Right", UI_KEY_RIGHT},
    {"Home", UI_KEY_HOME},
    {"End", UI_KEY_END},
    {"PgUp", UI_KEY_PAGE_UP},
    {"PgDn", UI_KEY_PAGE_DOWN},
    {"Enter", UI_KEY_ENTER},
    {"Esc", UI_KEY_ESCAPE},
    {"Tab", UI_KEY_TAB},
    {"Space", ' '},
    {"Backspace", UI_KEY_BACKSPACE},
    {"F1", UI_KEY_F1},
    {"F3", UI_KEY_F3},
    {"F4", UI_KEY_F4},
    {"F5", UI_KEY_F5},
    {"F10", UI_KEY_F10},
};

uint32_t
key_parse(const char *name, size_t length)
{
    if (length == 1)
        return (unsigned char)name[0];
    if (length == 2 && name[0] == '^')
        return (uint32_t)UI_KEY_CTRL(name[1]);
    for (size_t i = 0; i < sizeof(key_names) / sizeof(key_names[0]); i++)
        if (strlen(key_names[i].name) == length && memcmp(key_names[i].name, name, length) == 0)
            return key_names[i].key;
    return UI_KEY_NONE;
}

const struct keymap_row *
keymap_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

bool
keymap_next_key(const char **at, const char **name, size_t *length)
{
    while (**at == ' ')
        (*at)++;
    *name = *at;
    *length = strcspn(*at, " ");
    *at += *length;
    return *length > 0;
}

static bool
row_has_key(const struct keymap_row *row, uint32_t key)
{
    const char *at = row->keys;
    const char *name;
    size_t length;

    while (keymap_next_key(&at, &name, &length))
        if (key_parse(name, length) == key)
            return true;
    return false;
}

enum action
keymap_find(uint32_t key, unsigned contexts)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (((unsigned)rows[i].context & contexts) != 0 && row_has_key(&rows[i], key))
            return rows[i].action;
    return ACTION_NONE;
}

enum action
keymap_find_command(const char *name, size_t length)
{
    enum action found = ACTION_NONE;
    int count = 0;

    for (size_t i = 0; i < ROW_COUNT && length > 0; i++) {
        if (strncmp(rows[i].command, name, length) != 0)
            continue;
        if (rows[i].command[length] == '\0')
            return rows[i].action;
        found = rows[i].action;
        count++;
    }
    return count == 1 ? found : ACTION_NONE;
}

const char *
keymap_context_title(enum key_context context)
{
    switch (context) {
    case CONTEXT_EVERYWHERE:
        return "EVERYWHERE";
    case CONTEXT_MOVE:
        return "MOVE";
    case CONTEXT_TAPE:
        return "TAPE";
    case CONTEXT_FIND:
        return "FIND";
    case CONTEXT_EVENTS:
        return "EVENT";
    case CONTEXT_FLOWS:
        return "STREAM";
    case CONTEXT_TABLE:
        return "LIST";
    case CONTEXT_PANE:
        return "PANE";
    case CONTEXT_LAG:
        return "GROUP";
    case CONTEXT_FROM:
        return "FROM HERE";
    }
    return "";
}
