/* replay_options.h - what the replay commands share: targets, settings, finding a plan.  Threads:
 * one. */
#ifndef CONSOLE_REPLAY_OPTIONS_H
#define CONSOLE_REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct error;
struct invocation;
struct kafka_settings;
struct output;
struct plan;

/* A target as the operator names it: a URL, or the NAME of [target.NAME] in the configuration. */
struct replay_target {
    char *url;
    char *name; /* NULL: it was a URL */
    struct kafka_settings *settings;
};

/* Find the target, and read the properties in the file `settings_file` (may be NULL) on top of the
 * configuration's. False with ERROR_CONFIG or ERROR_ARGUMENT; else end it with
 * replay_target_done(). */
bool replay_target_find(const struct invocation *invocation, const char *target,
    const char *settings_file, struct replay_target *found, struct error *err);
void replay_target_done(struct replay_target *target);

/* The plan called `which` with the settings for its target, and the tape to use it with. */
struct replay_use {
    struct plan *plan;
    char *tape;
    struct replay_target target;
};

/* --tape says where the tape is; for a plan's file it may be left out, a plan knows its tape. */
bool replay_use_open(const struct invocation *invocation, const char *which,
    const char *settings_file, struct replay_use *use, struct error *err);
void replay_use_done(struct replay_use *use);

/* One line of the answer, harmless for a terminal; output_finish() says whether it was written. */
void replay_print(struct output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One line on stderr at once, harmless for a terminal. */
void replay_remark(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "1 204" */
#define REPLAY_NUMBER_MAX 32
char *replay_number(unsigned long long value, char text[REPLAY_NUMBER_MAX]);

#endif
