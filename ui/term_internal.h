/* term_internal.h - shared by the files term*.c, and by nobody else. */
#ifndef UI_TERM_INTERNAL_H
#define UI_TERM_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <termios.h>

#include <curses.h>

#include "base/bytes.h"
#include "ui/canvas.h"
#include "ui/term_rescue.h"

struct term_role {
    attr_t attributes;
    short pair;
};

struct term {
    SCREEN *screen;
    WINDOW *keys; /* a pad: reading keys from it never draws */
    FILE *input;
    FILE *frame; /* the memory file that curses draws into */
    int output_fd;
    struct termios shell_modes;
    struct termios our_modes;
    char restore[RESCUE_MAX_BYTES];
    size_t restore_length;
    size_t restore_extra; /* the part of it that curses does not undo itself */
    bool ascii;
    bool cursor_is_shown;
    struct term_role roles[ROLE_COUNT];
    cchar_t *row; /* room for one row */

    struct buffer pending; /* being written: pending.data[written..) */
    size_t written;
    bool is_gone;
    bool answers_expected; /* the terminal answers CSI 5n, as far as we know */
    bool is_waiting;       /* for the answer to a frame, since waiting_since_ns */
    int64_t waiting_since_ns;
    int unanswered;
    int64_t last_shown_ns;

    unsigned char utf8[4]; /* a character of which some bytes have come */
    size_t utf8_length;

    bool has_shown; /* a frame */
};

/* Key codes of our own, given to curses. Above everything that terminfo brings. */
enum term_code {
    TERM_CODE_PASTE_BEGIN = KEY_MAX + 1,
    TERM_CODE_PASTE_END,
    TERM_CODE_FOCUS_IN,
    TERM_CODE_FOCUS_OUT,
    TERM_CODE_ANSWER,
    TERM_CODE_FENCE,
    TERM_CODE_TEST_TICK,
};

void term_define_keys(bool for_test);

/* Decide how every role looks: by what the terminal can, `color` and NO_COLOR. */
void term_choose_roles(struct term *term, const char *color);

/* Move what curses wrote since the last call to the end of `to`. */
void term_take_frame(struct term *term, struct buffer *to);

#endif
