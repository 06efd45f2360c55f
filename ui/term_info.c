#include "ui/term_info.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curses.h>
/* terminfo's header defines macros like `lines` and `columns`: it comes last, and only here. */
#include <term.h>

#include "base/error.h"

/* Terminals that are newer than the system's terminfo, and what they are like. */
static const struct {
    const char *prefix;
    const char *family;
} families[] = {
    {"tmux", "screen-256color"},
    {"screen", "screen-256color"},
    {"xterm", "xterm-256color"},
    {"foot", "xterm-256color"},
    {"alacritty", "xterm-256color"},
    {"kitty", "xterm-256color"},
    {"ghostty", "xterm-256color"},
    {"wezterm", "xterm-256color"},
    {"rio", "xterm-256color"},
    {"contour", "xterm-256color"},
};

static bool
is_known_terminal(const char *name)
{
    int status = 0;
    if (setupterm(name, STDOUT_FILENO, &status) != OK)
        return false;
    bool can_move = tigetstr("cup") != NULL && tigetstr("cup") != (char *)-1; /* NOLINT */
    del_curterm(cur_term);
    return can_move;
}

const char *
term_info_choose(struct error *err)
{
    static const char elsewhere[] =
        "`tapedeck streams --json` and `tapedeck events --follow` give the same data";
    const char *name = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */

    if (!isatty(STDOUT_FILENO)) {
        error_set(err, ERROR_ARGUMENT, "stdout is not a terminal; %s", elsewhere);
        return NULL;
    }
    if (name == NULL || name[0] == '\0' || strcmp(name, "dumb") == 0) {
        error_set(err, ERROR_ARGUMENT, "TERM is %s, so no screen can be drawn; %s",
            name == NULL || name[0] == '\0' ? "not set" : "dumb", elsewhere);
        return NULL;
    }
    if (is_known_terminal(name))
        return name;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (strncmp(name, families[i].prefix, strlen(families[i].prefix)) == 0 &&
            is_known_terminal(families[i].family))
            return families[i].family;
    error_set(err, ERROR_ARGUMENT,
        "terminal type TERM=%.64s is not known here; try TERM=xterm-256color, or %s", name,
        elsewhere);
    return NULL;
}

/* Append a terminfo string, or a plain one, when there is one and it fits. */
static size_t
append(char *to, size_t size, size_t length, const char *text)
{
    if (text == NULL || text == (char *)-1) /* NOLINT: what tigetstr() says for "not a string" */
        return length;
    size_t more = strlen(text);
    if (length + more > size)
        return length;
    memcpy(to + length, text, more); /* NOLINT(bugprone-not-null-terminated-result): counted */
    return length + more;
}

size_t
term_info_restore(char *to, size_t size, size_t *extra)
{
    static const char *const capabilities[] = {"cnorm", "rmkx", "sgr0", "op"};

    size_t length = append(to, size, 0, "\033[?2026l\033[?2004l\033[?1004l");
    *extra = length;
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        length = append(to, size, length, tigetstr(capabilities[i]));
    length = append(to, size, length, "\033[r");
    length = append(to, size, length, tigetstr("rmcup"));
    return append(to, size, length, "\r\n");
}
