/* key.h - one press of a key, as the terminal reports it. */
#ifndef UI_KEY_H
#define UI_KEY_H

#include <stddef.h>
#include <stdint.h>

/* A press is a code point (control characters included: Ctrl-L is 12) or one of these. */
enum ui_key {
    UI_KEY_NONE = 0,
    UI_KEY_FIRST = 0x200000,
    UI_KEY_UP,
    UI_KEY_DOWN,
    UI_KEY_LEFT,
    UI_KEY_RIGHT,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_DELETE,
    UI_KEY_BACKSPACE,
    UI_KEY_BACK_TAB,
    UI_KEY_F1,
    UI_KEY_F2,
    UI_KEY_F3,
    UI_KEY_F4,
    UI_KEY_F5,
    UI_KEY_F10,
    UI_KEY_PASTE_BEGIN, /* what comes until PASTE_END is text, not keys */
    UI_KEY_PASTE_END,
    UI_KEY_FOCUS_IN,
    UI_KEY_FOCUS_OUT,
    UI_KEY_FENCE,     /* a test asks: answer when all that came before is on the screen */
    UI_KEY_TEST_TICK, /* a test moves its clock one second on */
    UI_KEY_OTHER,     /* a key that has no meaning here */
};

#define UI_KEY_ENTER        13
#define UI_KEY_ESCAPE       27
#define UI_KEY_TAB          9
#define UI_KEY_CTRL(letter) ((letter)-64)

/* Read a key's name as keymap.def writes it ("j", "^D", "PgDn", "Space"); 0 when it is none. */
uint32_t key_parse(const char *name, size_t length);

#endif
