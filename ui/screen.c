#include "ui/screen.h"

#include <stdio.h>

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

size_t
request_filter_stream(struct request *request, const char *label)
{
    const size_t room = sizeof(request->text) - 40; /* for what a caller puts behind it */
    size_t length = (size_t)snprintf(request->text, sizeof(request->text), "stream=\"");

    for (; *label != '\0' && length < room; label++) {
        if (*label == '"' || *label == '\\')
            request->text[length++] = '\\';
        request->text[length++] = *label;
    }
    request->text[length++] = '"';
    request->text[length] = '\0';
    return length;
}
