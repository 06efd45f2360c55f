/* config_taps.h - [tap.NAME] and [target.NAME]: what they may say, and as the recorder takes them.
 *
 * All that the keys of these sections mean is here: what config_load() lets through is what can be made a
 * struct recorder_tap later. Only secrets may fail then: they are fetched when a tap or a target is used, and
 * overwritten when it is given back.
 *
 * Threads: one owns a struct config_taps.
 */
#ifndef CONSOLE_CONFIG_TAPS_H
#define CONSOLE_CONFIG_TAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "collectors/recorder.h"

struct config;
struct config_section;
struct error;

/* For config_load(): whether a section of one of the two kinds says enough, and nothing that cannot be.
 * False with ERROR_CONFIG at the place. */
bool config_taps_check(
    const struct config *config, const struct config_section *section, struct error *err);

/* Taps as the recorder takes them; secrets are resolved. Lives until config_taps_done(). */
struct config_taps {
    struct recorder_tap *taps;
    size_t count;
};

/* The configured taps in the order of the file; count 0 when there are none. False with ERROR_CONFIG
 * that names the tap, the key and the source of a secret that is not there. */
bool config_taps(const struct config *config, struct config_taps *taps, struct error *err);

/* The same without the properties of the transport: fetches no secret, and cannot fail. */
void config_taps_without_secrets(const struct config *config, struct config_taps *taps);

/* [tap.NAME] as one entry. False with ERROR_CONFIG for a secret, ERROR_ARGUMENT (naming the nearest)
 * when there is no such tap. */
bool config_tap(
    const struct config *config, const char *name, struct config_taps *tap, struct error *err);

/* [target.NAME] as one entry: url and properties. False with ERROR_CONFIG for a secret,
 * ERROR_ARGUMENT (naming the nearest) when there is no such target. */
bool config_target(
    const struct config *config, const char *name, struct config_taps *target, struct error *err);

/* Overwrite and free. */
void config_taps_done(struct config_taps *taps);

#endif
