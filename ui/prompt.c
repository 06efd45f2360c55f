#include "ui/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ui/canvas.h"
#include "ui/glyph.h"
#include "ui/key.h"
#include "ui/text.h"

void
prompt_open(struct prompt *prompt, enum prompt_kind kind, const char *text)
{
    prompt->kind = kind;
    (void)snprintf(prompt->text, sizeof(prompt->text), "%s", text);
    prompt->length = strlen(prompt->text);
    prompt->at = prompt->length;
    prompt->is_pasting = false;
    prompt->error[0] = '\0';
    prompt->error_column = 0;
    prompt->history_at = 0;
}

void
prompt_close(struct prompt *prompt)
{
    prompt->kind = PROMPT_NONE;
}

void
prompt_done(struct prompt *prompt)
{
    for (size_t kind = 0; kind < PROMPT_KIND_COUNT; kind++)
        for (size_t i = 0; i < PROMPT_HISTORY; i++)
            free(prompt->history[kind][i]);
}

void
prompt_fail(struct prompt *prompt, size_t column, const char *text)
{
    prompt->error_column = column;
    (void)snprintf(prompt->error, sizeof(prompt->error), "%s", text);
}

void
prompt_remember(struct prompt *prompt)
{
    char **history = prompt->history[prompt->kind];
    if (prompt->length == 0 || (history[0] != NULL && strcmp(history[0], prompt->text) == 0))
        return;
    free(history[PROMPT_HISTORY - 1]);
    memmove(history + 1, history, (PROMPT_HISTORY - 1) * sizeof(history[0]));
    history[0] = alloc_text(prompt->text);
}

static void
insert(struct prompt *prompt, uint32_t code)
{
    char utf8[4];
    size_t length = glyph_encode(code, utf8);
    if (prompt->length + length + 1 > sizeof(prompt->text))
        return;
    memmove(prompt->text + prompt->at + length, prompt->text + prompt->at,
        prompt->length - prompt->at + 1);
    memcpy(prompt->text + prompt->at, utf8, length);
    prompt->length += length;
    prompt->at += length;
}

static void
delete_range(struct prompt *prompt, size_t from, size_t to)
{
    memmove(prompt->text + from, prompt->text + to, prompt->length - to + 1);
    prompt->length -= to - from;
    prompt->at = from;
}

static void
cut_range(struct prompt *prompt, size_t from, size_t to)
{
    memcpy(prompt->cut, prompt->text + from, to - from);
    prompt->cut[to - from] = '\0';
    delete_range(prompt, from, to);
}

static bool
is_inside_character(const struct prompt *prompt, size_t at)
{
    return at < prompt->length && ((unsigned char)prompt->text[at] & 0xc0) == 0x80;
}

static size_t
before(const struct prompt *prompt, size_t at)
{
    if (at > 0)
        at--;
    while (at > 0 && is_inside_character(prompt, at))
        at--;
    return at;
}

static size_t
after(const struct prompt *prompt, size_t at)
{
    if (at < prompt->length)
        at++;
    while (is_inside_character(prompt, at))
        at++;
    return at;
}

static size_t
word_before(const struct prompt *prompt, size_t at)
{
    while (at > 0 && prompt->text[at - 1] == ' ')
        at--;
    while (at > 0 && prompt->text[at - 1] != ' ')
        at--;
    return at;
}

static void
walk_history(struct prompt *prompt, bool older)
{
    char *const *history = prompt->history[prompt->kind];
    size_t at = prompt->history_at;

    if (older && at < PROMPT_HISTORY && history[at] != NULL)
        at++;
    else if (!older && at > 0)
        at--;
    else
        return;
    prompt_open(prompt, prompt->kind, at > 0 ? history[at - 1] : "");
    prompt->history_at = at;
}

static void
edit(struct prompt *prompt, uint32_t key)
{
    switch (key) {
    case UI_KEY_BACKSPACE:
        if (prompt->at > 0)
            delete_range(prompt, before(prompt, prompt->at), prompt->at);
        break;
    case UI_KEY_DELETE:
    case UI_KEY_CTRL('D'):
        if (prompt->at < prompt->length)
            delete_range(prompt, prompt->at, after(prompt, prompt->at));
        break;
    case UI_KEY_LEFT:
    case UI_KEY_CTRL('B'):
        prompt->at = before(prompt, prompt->at);
        break;
    case UI_KEY_RIGHT:
    case UI_KEY_CTRL('F'):
        prompt->at = after(prompt, prompt->at);
        break;
    case UI_KEY_HOME:
    case UI_KEY_CTRL('A'):
        prompt->at = 0;
        break;
    case UI_KEY_END:
    case UI_KEY_CTRL('E'):
        prompt->at = prompt->length;
        break;
    case UI_KEY_CTRL('W'):
        cut_range(prompt, word_before(prompt, prompt->at), prompt->at);
        break;
    case UI_KEY_CTRL('U'):
        cut_range(prompt, 0, prompt->at);
        break;
    case UI_KEY_CTRL('K'):
        cut_range(prompt, prompt->at, prompt->length);
        break;
    case UI_KEY_UP:
    case UI_KEY_CTRL('P'):
        walk_history(prompt, true);
        break;
    case UI_KEY_DOWN:
    case UI_KEY_CTRL('N'):
        walk_history(prompt, false);
        break;
    default:
        break;
    }
}

static void
yank(struct prompt *prompt)
{
    size_t length = strlen(prompt->cut);
    for (size_t at = 0; at < length;) {
        uint32_t code;
        size_t bytes = glyph_decode((const unsigned char *)prompt->cut + at, length - at, &code);
        if (bytes == 0)
            return;
        insert(prompt, code);
        at += bytes;
    }
}

enum prompt_step
prompt_key(struct prompt *prompt, uint32_t key)
{
    if (key == UI_KEY_PASTE_BEGIN || key == UI_KEY_PASTE_END) {
        prompt->is_pasting = key == UI_KEY_PASTE_BEGIN;
        return PROMPT_GOES_ON;
    }
    bool is_text = key >= 0x20 && key < UI_KEY_FIRST && glyph_classify(key) != GLYPH_C1 &&
                   glyph_classify(key) != GLYPH_BIDI;
    if (prompt->is_pasting) {
        /* A pasted newline must not submit, and no pasted control character is a command. */
        if (is_text || key == UI_KEY_TAB || key == UI_KEY_ENTER)
            insert(prompt, is_text ? key : ' ');
        return PROMPT_GOES_ON;
    }
    if (key == UI_KEY_ENTER)
        return PROMPT_ACCEPTED;
    if (key == UI_KEY_ESCAPE || key == UI_KEY_CTRL('C') || key == UI_KEY_CTRL('G'))
        return PROMPT_CANCELLED;
    prompt->error[0] = '\0';
    prompt->error_column = 0;
    if (is_text)
        insert(prompt, key);
    else if (key == UI_KEY_CTRL('Y'))
        yank(prompt);
    else
        edit(prompt, key);
    return PROMPT_GOES_ON;
}

static const char *
label_of(enum prompt_kind kind)
{
    switch (kind) {
    case PROMPT_FILTER:
        return "filter › ";
    case PROMPT_SEARCH:
        return "search › ";
    case PROMPT_GOTO:
        return "go to › ";
    case PROMPT_COMMAND:
        return ":";
    case PROMPT_NONE:
    case PROMPT_KIND_COUNT:
        break;
    }
    return "";
}

static const char *
help_of(enum prompt_kind kind)
{
    switch (kind) {
    case PROMPT_FILTER:
        return "key=o-17  stream=orders  payload~\"text\"  value.amount>100  since -15m   "
               "Enter shows, Esc leaves";
    case PROMPT_SEARCH:
        return "a text in this view; capitals matter when there are some   Enter, then n and N";
    case PROMPT_GOTO:
        return "14:29:40   -15m   2026-11-23T14:29:40Z   orders[3]@4711   Enter goes there";
    case PROMPT_COMMAND:
        return "filter QUERY  goto TIME  flows  events  help  q   Enter runs, Esc leaves";
    case PROMPT_NONE:
    case PROMPT_KIND_COUNT:
        break;
    }
    return "";
}

/* Columns of the first `bytes` of the text. */
static int
columns_before(const struct prompt *prompt, size_t bytes)
{
    return text_columns(bytes_make(prompt->text, bytes), (int)sizeof(prompt->text) * 2);
}

static size_t
bytes_before_character(const struct prompt *prompt, size_t column)
{
    size_t at = 0;
    for (size_t i = 1; i < column && at < prompt->length; i++)
        at = after(prompt, at);
    return at;
}

static void
draw_error(const struct prompt *prompt, struct canvas *canvas, int row, int caret)
{
    int width = canvas->columns - 1;
    int length = text_columns(bytes_of(prompt->error), width);
    int column = 1;

    if (prompt->error_column > 0 && caret < width) {
        /* The words go where there is room: behind the caret, else before it. */
        canvas_set(canvas, row, caret, ROLE_CRITICAL, '^');
        column = caret + 2;
        if (column + length > width && caret - 2 - length >= 1)
            column = caret - 2 - length + 1;
    }
    text_print(canvas, row, column, canvas->columns - column, ROLE_ATTENTION, "%s", prompt->error);
}

void
prompt_draw(const struct prompt *prompt, struct canvas *canvas, int row)
{
    int label = text_print(canvas, row, 1, 12, ROLE_HEADING, "%s", label_of(prompt->kind)) + 1;
    int room = canvas->columns - label - 1;
    int cursor = columns_before(prompt, prompt->at);
    size_t skip = 0;

    /* A text longer than the row is scrolled so that the cursor is seen. */
    while (skip < prompt->at && cursor - columns_before(prompt, skip) > room)
        skip = after(prompt, skip);
    int skipped = columns_before(prompt, skip);
    struct place place = {.row = row, .column = label, .width = room + 1, .role = ROLE_TEXT};
    text_put(canvas, place, bytes_make(prompt->text + skip, prompt->length - skip));
    canvas->cursor_row = row;
    canvas->cursor_column = label + cursor - skipped;

    if (prompt->error[0] != '\0') {
        size_t bytes = bytes_before_character(prompt, prompt->error_column);
        int caret = label + columns_before(prompt, bytes) - skipped;
        draw_error(prompt, canvas, row + 1, caret < 1 ? 1 : caret);
    } else {
        text_print(
            canvas, row + 1, 1, canvas->columns - 1, ROLE_SECONDARY, "%s", help_of(prompt->kind));
    }
}
