#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ui/term_internal.h"

#define B A_BOLD
#define R A_REVERSE
#define U A_UNDERLINE

static const struct {
    int dark[2];
    int light[2];
    int sixteen[2];
    attr_t colored;
    attr_t mono;
} looks[ROLE_COUNT] = {
#define ROLE(name, df, db, lf, lb, sf, sb, colored, mono) \
    [ROLE_##name] = {{df, db}, {lf, lb}, {sf, sb}, colored, mono},
#include "ui/role.def"
#undef ROLE
};

#undef B
#undef R
#undef U

static bool
wants_color(const char *color)
{
    if (color != NULL && strcmp(color, "never") == 0)
        return false;
    if (color != NULL && strcmp(color, "always") == 0)
        return true;
    const char *no_color = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    return no_color == NULL || no_color[0] == '\0';
}

/* COLORFGBG is "foreground;background"; 7 and 15 are the light backgrounds. */
static bool
has_light_background(void)
{
    const char *colors = getenv("COLORFGBG"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    const char *background = colors != NULL ? strrchr(colors, ';') : NULL;
    return background != NULL &&
           (strcmp(background + 1, "7") == 0 || strcmp(background + 1, "15") == 0);
}

void
term_choose_roles(struct term *term, const char *color)
{
    bool colored = wants_color(color) && has_colors() && start_color() == OK && COLORS >= 8;
    bool light = has_light_background();

    if (colored)
        use_default_colors();
    for (int i = 0; i < ROLE_COUNT; i++) {
        term->roles[i].pair = 0;
        term->roles[i].attributes = colored ? looks[i].colored : looks[i].mono;
        if (!colored)
            continue;
        const int *two =
            COLORS >= 256 ? (light ? looks[i].light : looks[i].dark) : looks[i].sixteen;
        int foreground = two[0] < COLORS ? two[0] : -1;
        if (foreground == -1 && two[1] == -1)
            continue;
        int pair = alloc_pair(foreground, two[1]);
        term->roles[i].pair = 0;
        if (pair > 0 && pair <= SHRT_MAX)
            term->roles[i].pair = (short)pair;
        if (two[1] != -1 && COLORS < 256 && foreground == -1)
            term->roles[i].attributes = looks[i].mono;
    }
}
