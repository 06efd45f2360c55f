/* glyph.h - what one code point may do to a row of the screen.
 *
 * A terminal and its C library can disagree about how wide a character is, and then everything
 * right of it is pushed. So a code point is drawn only when our own frozen table and wcwidth() say
 * the same; all others are replaced. Needs a UTF-8 LC_CTYPE (console_run() sees to it).
 * Threads: any.
 */
#ifndef UI_GLYPH_H
#define UI_GLYPH_H

#include <stddef.h>
#include <stdint.h>

#define GLYPH_REPLACEMENT 0xfffdu

enum glyph_class {
    GLYPH_PLAIN,     /* drawn as it is, glyph_width() columns */
    GLYPH_CONTROL,   /* C0, DEL: U+2400 block */
    GLYPH_C1,        /* U+0080 to U+009F: \x9b */
    GLYPH_BIDI,      /* changes the order in which a row is drawn */
    GLYPH_INVISIBLE, /* no width of its own: joiners, variation selectors, tags */
    GLYPH_MARK,      /* combines with the character before it */
    GLYPH_UNKNOWN,   /* unassigned, private, or its width is disputed */
};

enum glyph_class glyph_classify(uint32_t code);

/* 1 or 2 for GLYPH_PLAIN, else 0. */
int glyph_width(uint32_t code);

/* "RLO", "ZWJ" for a bidi or invisible code point that has such a name, else NULL. */
const char *glyph_name(uint32_t code);

/* A printable ASCII character that stands for `code` where only ASCII can be drawn. */
unsigned char glyph_ascii(uint32_t code);

/* Decode one UTF-8 sequence (RFC 3629) of `length` > 0 bytes. Returns how many bytes it takes, or 0
 * when the first byte does not begin a valid one. */
size_t glyph_decode(const unsigned char *data, size_t length, uint32_t *code);

/* Write the UTF-8 of `code`; returns its 1 to 4 bytes. */
size_t glyph_encode(uint32_t code, char to[4]);

#endif
