#include "ui/screen.h"

#include <string.h>

#define SCREEN(name) extern const struct screen_ops screen_##name;
#include "ui/screens.def"
#undef SCREEN

static const struct screen_ops *const screens[] = {
#define SCREEN(name) &screen_##name,
#include "ui/screens.def"
#undef SCREEN
};

const struct screen_ops *const *
screen_list(size_t *count)
{
    *count = sizeof(screens) / sizeof(screens[0]);
    return screens;
}

const struct screen_ops *
screen_find(const char *name)
{
    for (size_t i = 0; i < sizeof(screens) / sizeof(screens[0]); i++)
        if (strcmp(screens[i]->name, name) == 0)
            return screens[i];
    return NULL;
}
