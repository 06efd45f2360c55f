#include "collectors/tap_properties.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "collectors/recorder.h"

void
tap_properties_copy(struct tap_properties *to, const struct recorder_tap *tap)
{
    size_t count = tap->property_count;
    *to = (struct tap_properties){.count = count, .fetch = tap->fetch};
    to->list = alloc_array(count + 1, sizeof(*to->list));
    to->texts = alloc_array(2 * count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        to->texts[2 * i] = alloc_text(tap->properties[i].name);
        to->texts[2 * i + 1] = alloc_text(tap->properties[i].value);
        to->list[i] =
            (struct recorder_property){.name = to->texts[2 * i], .value = to->texts[2 * i + 1]};
    }
    if (tap->fetch == NULL)
        return;
    to->origins = alloc_array(count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        to->origins[i] = tap->origins[i] == NULL ? NULL : alloc_text(tap->origins[i]);
}

/* It may be a password. */
static void
forget_text(char *text)
{
    explicit_bzero(text, strlen(text));
    free(text);
}

bool
tap_properties_renew(struct tap_properties *properties, struct error *err)
{
    for (size_t i = 0; properties->origins != NULL && i < properties->count; i++) {
        char *value;
        if (properties->origins[i] == NULL)
            continue;
        if (!properties->fetch(properties->origins[i], &value, err))
            return error_wrap(err, "%s", properties->list[i].name);
        forget_text(properties->texts[2 * i + 1]);
        properties->texts[2 * i + 1] = value;
        properties->list[i].value = value;
    }
    return true;
}

bool
tap_properties_may_change(const struct tap_properties *properties)
{
    for (size_t i = 0; properties->origins != NULL && i < properties->count; i++)
        if (properties->origins[i] != NULL)
            return true;
    return false;
}

void
tap_properties_done(struct tap_properties *properties)
{
    for (size_t i = 0; i < 2 * properties->count; i++)
        forget_text(properties->texts[i]);
    for (size_t i = 0; properties->origins != NULL && i < properties->count; i++)
        free(properties->origins[i]);
    free(properties->origins);
    free(properties->texts);
    free(properties->list);
    *properties = (struct tap_properties){0};
}
