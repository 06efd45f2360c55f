/* config.h - the configuration file: tapedeck.conf(5) has it section by section.
 *
 * Reading checks everything that can be checked without touching the world outside: unknown sections
 * and keys, values, taps that say too little. Taps and targets are taken out of it by config_taps.h; secrets
 * (env:, file:, cmd:) are resolved then, not before.
 *
 *     struct config config;
 *     struct config_taps taps;
 *     if (!config_load(invocation->config, &config, &err))
 *         return command_fail(&err);
 *     if (!config_taps(&config, &taps, &err)) ...
 *     options.taps = taps.taps;  options.tap_count = taps.count;
 *     options.tape = config.tape.writer;
 *     ...
 *     config_taps_done(&taps);
 *     config_free(&config);
 *
 * Threads: one owns a struct config.
 */
#ifndef CONSOLE_CONFIG_H
#define CONSOLE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/places.h"
#include "index/tape_writer.h"

struct buffer;
struct config_section;
struct error;

struct config_tape {
    const char *directory;             /* absolute, or NULL when the file does not say */
    struct tape_writer_options writer; /* `places` points to the ones below */
    struct places places;              /* of the streams: [stream.NAME] */
};

/* How consumer groups are watched while taps of Kafka are recorded. */
struct config_lag {
    bool off;
    int64_t interval_ns; /* 0: the file does not say */
    const char *groups;  /* a pattern of names; NULL: all */
};

struct config {
    char *path; /* the file that was read; NULL: there is none, everything has its default */
    struct config_tape tape;
    struct config_lag lag;
    const char *metrics_listen;      /* where metrics are served, or NULL: nowhere */
    struct config_section *sections; /* owned; what stands in the file, in its order */
    size_t section_count;
    size_t section_capacity;
};

/* Read `path`; NULL: $XDG_CONFIG_HOME/tapedeck/tapedeck.conf, else ~/.config/tapedeck/tapedeck.conf,
 * and when that is missing the configuration is empty.
 *
 * False with ERROR_CONFIG, "FILE:LINE:COLUMN: what is wrong"; *config needs no config_free() then. */
bool config_load(const char *path, struct config *config, struct error *err);

/* Give back what config_load() made. Freeing a zeroed struct config is allowed. */
void config_free(struct config *config);

/* Append the line that an error of config_load() points to and a caret below its column; nothing for
 * other errors. Values are left out where the caret points to a key, because one may be a secret. */
void config_append_caret(struct buffer *to, const struct error *err);

#endif
