/* `tapedeck tape prune`: delete the oldest segments now. */

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/config.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "console/sizes.h"
#include "index/retention.h"

struct settings {
    uint64_t keep_bytes;
    int64_t keep_age_ns;
    bool dry_run;
};

static const struct option_row options[] = {
    {"keep-bytes", OPTION_BYTES, offsetof(struct settings, keep_bytes), "N",
        "delete while the tape is larger than N, like 50G; 0: no limit, the default", NULL},
    {"keep-age", OPTION_SECONDS, offsetof(struct settings, keep_age_ns), "TIME",
        "delete what was received longer ago: 90m, 7d; 0: no limit, the default", NULL},
    {"dry-run", OPTION_FLAG, offsetof(struct settings, dry_run), NULL,
        "only say what would be deleted", NULL},
};

/* Without options the rules of the configuration count. */
static bool
choose_rules(const struct invocation *invocation, struct retention *rules, struct error *err)
{
    const struct settings *settings = invocation->settings;
    *rules = (struct retention){
        .keep_bytes = settings->keep_bytes, .keep_age_ns = settings->keep_age_ns};
    if (rules->keep_bytes == 0 && rules->keep_age_ns == 0) {
        struct config config;
        if (!config_load(invocation->config, &config, err))
            return false;
        *rules = config.tape.writer.retention;
        config_free(&config);
    }
    rules->keep_newest = true;
    return rules->keep_bytes > 0 || rules->keep_age_ns > 0 ||
           error_set(err, ERROR_ARGUMENT,
               "nothing says what may go: give --keep-bytes or --keep-age, or set keep_bytes or "
               "keep_age under [tape]");
}

static void
append_json(struct buffer *to, const struct retention_result *result, bool dry_run)
{
    buffer_printf(to, "{\"v\":1,\"done\":true,\"dry_run\":%s,\"deleted_segments\":%" PRIu64,
        dry_run ? "true" : "false", result->deleted_files);
    buffer_append_text(to, ",\"deleted_bytes\":");
    json_append_u64(to, result->deleted_bytes);
    buffer_append_text(to, ",\"deleted_events\":");
    json_append_u64(to, result->deleted_events);
    buffer_printf(to, ",\"pinned_segments\":%" PRIu64 ",\"kept_bytes\":", result->pinned_files);
    json_append_u64(to, result->kept_bytes);
    buffer_append_text(to, "}\n");
}

static void
append_text(struct buffer *to, const struct retention_result *result, bool dry_run)
{
    char size[SIZES_TEXT_MAX];
    char number[REPLAY_NUMBER_MAX];
    buffer_printf(to, "%s %" PRIu64 " segment%s with %s event%s, %s",
        dry_run ? "would delete" : "deleted", result->deleted_files,
        result->deleted_files == 1 ? "" : "s", replay_number(result->deleted_events, number),
        result->deleted_events == 1 ? "" : "s", sizes_format(result->deleted_bytes, size));
    buffer_printf(
        to, "; %s %s", sizes_format(result->kept_bytes, size), dry_run ? "would stay" : "stay");
    if (result->pinned_files > 0)
        buffer_printf(to, "; %" PRIu64 " segment%s kept, because a replay or a mark needs %s",
            result->pinned_files, result->pinned_files == 1 ? "" : "s",
            result->pinned_files == 1 ? "it" : "them");
    buffer_append_byte(to, '\n');
}

static int
prune(const struct invocation *invocation, const char *directory, const struct retention *rules,
    struct error *err)
{
    const struct settings *settings = invocation->settings;
    struct retention_result result;
    if (!retention_apply(directory, rules, clock_now_ns(), settings->dry_run, &result, err))
        return command_fail(err);
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (invocation->json)
        append_json(&output.buffer, &result, settings->dry_run);
    else if (!invocation->quiet)
        append_text(&output.buffer, &result, settings->dry_run);
    return output_finish(&output, err) ? 0 : command_fail(err);
}

static int
run_tape_prune(const struct invocation *invocation)
{
    struct error err;
    struct retention rules;
    if (!choose_rules(invocation, &rules, &err))
        return command_fail(&err);
    char *directory = invocation_tape_that_opens(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    int code = prune(invocation, directory, &rules, &err);
    free(directory);
    return code;
}

const struct command command_tape_prune = {
    .name = "tape prune",
    .usage = "",
    .summary = "delete the oldest segments of the tape now",
    .details =
        "Whole segments, the oldest first; never journals, never the newest file, never a segment\n"
        "that a replay or a mark needs. Allowed while a recorder writes the tape: what is deleted "
        "is\n"
        "finished, and readers that are in it go on behind it. Without an option, keep_bytes and\n"
        "keep_age of the configuration count.",
    .examples = "tapedeck tape prune --keep-age 7d --dry-run\n"
                "tapedeck tape prune --keep-bytes 50G",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = 0,
    .changes_tape = true,
    .run = run_tape_prune,
};
