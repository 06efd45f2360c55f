#include "ui/glyph.h"

#include <stdbool.h>
#include <wchar.h>

struct range {
    uint32_t first;
    uint32_t last;
};

static const struct range wide_ranges[] = {
#define WIDE(first, last) {first, last},
#include "ui/glyph_wide.def"
#undef WIDE
};

/* What the screens themselves draw, and its ASCII stand-in. These are one column wide in every
 * emulator that was asked, so no table is consulted for them. */
static const struct {
    uint32_t code;
    unsigned char ascii;
} own_glyphs[] = {
    {0x00b7, '.'}, /* middle dot */
    {0x00d7, 'x'}, /* multiplication sign */
    {0x2016, '='}, /* double vertical line: held */
    {0x2026, '~'}, /* ellipsis */
    {0x2039, '<'}, /* single angle quotes */
    {0x203a, '>'},
    {0x2190, '<'},
    {0x2191, '^'},
    {0x2192, '>'},
    {0x2193, 'v'},
    {0x2500, '-'},
    {0x2502, '|'},
    {0x250a, ':'},
    {0x2504, '-'},
    {0x251c, '|'},
    {0x2524, '|'},
    {0x2514, '`'},
    {0x252c, '+'},
    {0x2581, '_'}, /* blocks of the sparkline, by level */
    {0x2582, '_'},
    {0x2583, '.'},
    {0x2584, '.'},
    {0x2585, '-'},
    {0x2586, '-'},
    {0x2587, '='},
    {0x2588, '^'},
    {0x2591, '.'},
    {0x25a0, '#'}, /* critical */
    {0x25b2, '!'}, /* attention */
    {0x25b8, '>'},
    {0x25ba, '>'},
    {0x25be, 'v'},
    {0x25c4, '<'},
    {0x25c6, 'O'},
    {0x25c7, 'D'},
    {0x25cb, 'o'},
    {0x25cc, 'o'}, /* idle */
    {0x25cf, '*'}, /* well */
    {0x2713, 'v'},
};

static const struct {
    uint32_t code;
    const char *name;
} names[] = {
    {0x00ad, "SHY"},
    {0x061c, "ALM"},
    {0x200b, "ZWSP"},
    {0x200c, "ZWNJ"},
    {0x200d, "ZWJ"},
    {0x200e, "LRM"},
    {0x200f, "RLM"},
    {0x2028, "LSEP"},
    {0x2029, "PSEP"},
    {0x202a, "LRE"},
    {0x202b, "RLE"},
    {0x202c, "PDF"},
    {0x202d, "LRO"},
    {0x202e, "RLO"},
    {0x2060, "WJ"},
    {0x2066, "LRI"},
    {0x2067, "RLI"},
    {0x2068, "FSI"},
    {0x2069, "PDI"},
    {0xfeff, "BOM"},
};

static bool
is_bidi(uint32_t code)
{
    return code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static bool
is_invisible(uint32_t code)
{
    return code == 0x00ad || code == 0x034f || code == 0x180e ||
           (code >= 0x180b && code <= 0x180f) || (code >= 0x200b && code <= 0x200d) ||
           code == 0x2028 || code == 0x2029 || (code >= 0x2060 && code <= 0x206f) ||
           (code >= 0xfe00 && code <= 0xfe0f) || code == 0xfeff ||
           (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe0fff);
}

static bool
is_own(uint32_t code)
{
    for (size_t i = 0; i < sizeof(own_glyphs) / sizeof(own_glyphs[0]); i++)
        if (own_glyphs[i].code == code)
            return true;
    return code >= 0x2400 && code <= 0x2421; /* pictures of control characters */
}

static int
table_width(uint32_t code)
{
    size_t low = 0;
    size_t high = sizeof(wide_ranges) / sizeof(wide_ranges[0]);

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > wide_ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_wide =
        low < sizeof(wide_ranges) / sizeof(wide_ranges[0]) && code >= wide_ranges[low].first;
    return is_wide ? 2 : 1;
}

enum glyph_class
glyph_classify(uint32_t code)
{
    if (code < 0x20 || code == 0x7f)
        return GLYPH_CONTROL;
    if (code < 0x7f)
        return GLYPH_PLAIN;
    if (code < 0xa0)
        return GLYPH_C1;
    if (is_bidi(code))
        return GLYPH_BIDI;
    if (is_invisible(code))
        return GLYPH_INVISIBLE;
    if (is_own(code))
        return GLYPH_PLAIN;
    /* Private use has no meaning here, and Hangul vowels join only in some terminals. */
    if (code > 0x10ffff || (code >= 0xe000 && code <= 0xf8ff) || code >= 0xf0000 ||
        (code >= 0x1160 && code <= 0x11ff) || (code >= 0xd7b0 && code <= 0xd7ff))
        return GLYPH_UNKNOWN;

    int width = wcwidth((wchar_t)code);
    if (width == 0)
        return GLYPH_MARK;
    return width == table_width(code) ? GLYPH_PLAIN : GLYPH_UNKNOWN;
}

int
glyph_width(uint32_t code)
{
    if (glyph_classify(code) != GLYPH_PLAIN)
        return 0;
    return table_width(code);
}

const char *
glyph_name(uint32_t code)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].code == code)
            return names[i].name;
    return NULL;
}

unsigned char
glyph_ascii(uint32_t code)
{
    if (code >= 0x20 && code < 0x7f)
        return (unsigned char)code;
    for (size_t i = 0; i < sizeof(own_glyphs) / sizeof(own_glyphs[0]); i++)
        if (own_glyphs[i].code == code)
            return own_glyphs[i].ascii;
    if (code >= 0x2400 && code < 0x2420)
        return (unsigned char)('@' + (code - 0x2400)); /* as in ^[ for escape */
    return '?';
}

/* How many bytes a sequence that begins with `lead` has; 0 when none does. */
static size_t
sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 4;
    return 0;
}

size_t
glyph_decode(const unsigned char *data, size_t length, uint32_t *code)
{
    size_t need = sequence_length(data[0]);
    if (need == 0 || need > length)
        return 0;

    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t value = data[0] & lead_mask[need];
    for (size_t i = 1; i < need; i++) {
        if ((data[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (data[i] & 0x3fu);
    }
    bool is_overlong = (need == 3 && value < 0x800) || (need == 4 && value < 0x10000);
    if (is_overlong || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return need;
}

size_t
glyph_encode(uint32_t code, char to[4])
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}
