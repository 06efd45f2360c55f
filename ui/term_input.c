#include <string.h>

#include "ui/glyph.h"
#include "ui/key.h"
#include "ui/term.h"
#include "ui/term_internal.h"

void
term_define_keys(bool for_test)
{
    define_key("\033[200~", TERM_CODE_PASTE_BEGIN);
    define_key("\033[201~", TERM_CODE_PASTE_END);
    define_key("\033[I", TERM_CODE_FOCUS_IN);
    define_key("\033[O", TERM_CODE_FOCUS_OUT);
    define_key("\033[0n", TERM_CODE_ANSWER);
    /* Terminals disagree with their own terminfo about these two modes of the cursor keys. */
    define_key("\033[A", KEY_UP);
    define_key("\033[B", KEY_DOWN);
    define_key("\033[C", KEY_RIGHT);
    define_key("\033[D", KEY_LEFT);
    define_key("\033[H", KEY_HOME);
    define_key("\033[F", KEY_END);
    if (for_test) {
        define_key("\033[9999~", TERM_CODE_FENCE);
        define_key("\033[9998~", TERM_CODE_TEST_TICK);
    }
}

static const struct {
    int code;
    uint32_t key;
} codes[] = {
    {KEY_UP, UI_KEY_UP},
    {KEY_DOWN, UI_KEY_DOWN},
    {KEY_LEFT, UI_KEY_LEFT},
    {KEY_RIGHT, UI_KEY_RIGHT},
    {KEY_HOME, UI_KEY_HOME},
    {KEY_END, UI_KEY_END},
    {KEY_PPAGE, UI_KEY_PAGE_UP},
    {KEY_NPAGE, UI_KEY_PAGE_DOWN},
    {KEY_DC, UI_KEY_DELETE},
    {KEY_BACKSPACE, UI_KEY_BACKSPACE},
    {KEY_BTAB, UI_KEY_BACK_TAB},
    {KEY_ENTER, UI_KEY_ENTER},
    {KEY_F(1), UI_KEY_F1},
    {KEY_F(2), UI_KEY_F2},
    {KEY_F(3), UI_KEY_F3},
    {KEY_F(4), UI_KEY_F4},
    {KEY_F(5), UI_KEY_F5},
    {KEY_F(10), UI_KEY_F10},
    {TERM_CODE_PASTE_BEGIN, UI_KEY_PASTE_BEGIN},
    {TERM_CODE_PASTE_END, UI_KEY_PASTE_END},
    {TERM_CODE_FOCUS_IN, UI_KEY_FOCUS_IN},
    {TERM_CODE_FOCUS_OUT, UI_KEY_FOCUS_OUT},
    {TERM_CODE_FENCE, UI_KEY_FENCE},
    {TERM_CODE_TEST_TICK, UI_KEY_TEST_TICK},
};

static uint32_t
translate(int code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].code == code)
            return codes[i].key;
    return UI_KEY_OTHER;
}

/* True when `length` bytes could still become a character when more come. */
static bool
is_beginning(const unsigned char *bytes, size_t length)
{
    if (length >= 4 || bytes[0] < 0xc2 || bytes[0] > 0xf4)
        return false;
    size_t need = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return false;
    return length < need;
}

/* Add one byte to the character that is coming. Its code point when it is whole, UI_KEY_OTHER when
 * the bytes are no character, UI_KEY_NONE when more must come. */
static uint32_t
add_byte(struct term *term, unsigned char byte)
{
    uint32_t code;

    term->utf8[term->utf8_length++] = byte;
    if (is_beginning(term->utf8, term->utf8_length))
        return UI_KEY_NONE;
    bool is_whole = glyph_decode(term->utf8, term->utf8_length, &code) == term->utf8_length;
    term->utf8_length = 0;
    if (!is_whole || code == 0)
        return UI_KEY_OTHER;
    if (code == 127 || code == 8)
        return UI_KEY_BACKSPACE;
    return code == '\n' ? UI_KEY_ENTER : code;
}

uint32_t
term_key(struct term *term)
{
    for (;;) {
        int code = wgetch(term->keys);
        if (code == ERR)
            return UI_KEY_NONE;
        if (code == TERM_CODE_ANSWER) {
            term->is_waiting = false;
            term->unanswered = 0;
            continue;
        }
        if (code > 255) {
            term->utf8_length = 0;
            return translate(code);
        }
        uint32_t key = add_byte(term, (unsigned char)code);
        if (key != UI_KEY_NONE)
            return key;
    }
}
