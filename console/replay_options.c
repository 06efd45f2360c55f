#include "console/replay_options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "replay/kafka_settings.h"
#include "replay/plan.h"
#include "replay/plan_store.h"

/* The configured target `name`: its URL and its properties. */
static bool
find_configured(
    const struct config *config, const char *name, struct replay_target *found, struct error *err)
{
    struct config_taps configured;
    if (!config_target(config, name, &configured, err))
        return false;

    const struct recorder_tap *target = &configured.taps[0];
    bool good = true;
    found->url = alloc_text(target->url);
    found->name = alloc_text(name);
    for (size_t i = 0; good && i < target->property_count; i++)
        good = kafka_settings_add(
                   found->settings, target->properties[i].name, target->properties[i].value, err) ||
               error_wrap(err, "target '%s'", name);
    config_taps_done(&configured);
    return good;
}

static bool
find_target(const struct invocation *invocation, const char *target, struct replay_target *found,
    struct error *err)
{
    if (strstr(target, "://") != NULL) {
        found->url = alloc_text(target);
        return true;
    }
    struct config config;
    if (!config_load(invocation->config, &config, err))
        return false;
    bool good = find_configured(&config, target, found, err);
    config_free(&config);
    return good;
}

bool
replay_target_find(const struct invocation *invocation, const char *target,
    const char *settings_file, struct replay_target *found, struct error *err)
{
    *found = (struct replay_target){.settings = kafka_settings_load(settings_file, err)};
    if (found->settings != NULL && find_target(invocation, target, found, err))
        return true;
    replay_target_done(found);
    return false;
}

void
replay_target_done(struct replay_target *target)
{
    free(target->url);
    free(target->name);
    kafka_settings_free(target->settings);
    *target = (struct replay_target){0};
}

static char *
tape_of_plan(
    const struct invocation *invocation, const struct plan *plan, bool is_id, struct error *err)
{
    if (invocation->tape == NULL && !is_id)
        return alloc_text(plan->tape);
    return invocation_tape(invocation, err);
}

/* A configured target that points elsewhere by now is another target. */
static bool
is_same_target(const struct replay_use *use, struct error *err)
{
    if (strcmp(use->target.url, use->plan->target.url) == 0)
        return true;
    return error_set(err, ERROR_REFUSED,
        "target '%s' is %s now, the plan was made for %s; make a new plan", use->target.name,
        use->target.url, use->plan->target.url);
}

bool
replay_use_open(const struct invocation *invocation, const char *which, const char *settings_file,
    struct replay_use *use, struct error *err)
{
    *use = (struct replay_use){0};
    bool is_id = plan_is_id(which);
    char *tape = is_id ? invocation_tape(invocation, err) : NULL;
    if (!is_id || tape != NULL)
        use->plan = plan_store_read(tape, which, err);
    free(tape);
    if (use->plan != NULL)
        use->tape = tape_of_plan(invocation, use->plan, is_id, err);
    if (use->plan == NULL || use->tape == NULL)
        goto fail;
    if (!is_id && !plan_store_holds(use->tape, use->plan, err))
        goto fail;

    const char *target =
        use->plan->target_name != NULL ? use->plan->target_name : use->plan->target.url;
    if (!replay_target_find(invocation, target, settings_file, &use->target, err))
        goto fail;
    if (is_same_target(use, err))
        return true;

fail:
    replay_use_done(use);
    return false;
}

void
replay_use_done(struct replay_use *use)
{
    plan_free(use->plan);
    free(use->tape);
    replay_target_done(&use->target);
    *use = (struct replay_use){0};
}

#define LINE_MAX_BYTES 2048

static void
append_line(struct buffer *to, const char *text)
{
    safe_text_append_message(to, text);
    buffer_append_byte(to, '\n');
}

void
replay_print(struct output *output, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    append_line(&output->buffer, text);
    (void)output_line(output);
}

void
replay_remark(const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    struct output output;
    struct error ignored; /* there is nowhere left to report to */
    output_start(&output, STDERR_FILENO);
    append_line(&output.buffer, text);
    (void)output_finish(&output, &ignored);
}

char *
replay_number(unsigned long long value, char text[REPLAY_NUMBER_MAX])
{
    char digits[REPLAY_NUMBER_MAX];
    int length = snprintf(digits, sizeof(digits), "%llu", value);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ' ';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}
