/* tap_properties.h - a copy of a tap's properties, of which those that came from elsewhere can be fetched again.
 *
 * A password may be changed while a recorder runs. What they are is never shown, and is overwritten before its
 * memory is given back.  Threads: one owner; each thread that connects has a copy of its own.
 */
#ifndef COLLECTORS_TAP_PROPERTIES_H
#define COLLECTORS_TAP_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct recorder_property;
struct recorder_tap;

/* Zeroed, it holds nothing. */
struct tap_properties {
    struct recorder_property *list;
    size_t count;
    char **texts;   /* what the list points to: a name and a value each */
    char **origins; /* as in struct recorder_tap; NULL: values stay */
    bool (*fetch)(const char *origin, char **value, struct error *err);
};

/* The tap may end before the copy does. */
void tap_properties_copy(struct tap_properties *to, const struct recorder_tap *tap);

/* Fetch once more what has an origin; `list` stays where it is, its values change. False with the property and the
 * reason: from there on they are as they were. */
bool tap_properties_renew(struct tap_properties *properties, struct error *err);

/* Whether there is anything that can be fetched again. */
bool tap_properties_may_change(const struct tap_properties *properties);

void tap_properties_done(struct tap_properties *properties);

#endif
