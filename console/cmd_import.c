/* `tapedeck import`: NDJSON as `tapedeck export` writes it, and tapes, onto the tape. */

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "console/command.h"
#include "console/config.h"
#include "console/import_inputs.h"
#include "console/import_lines.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "index/tape_merge.h"
#include "index/tape_writer.h"

struct settings {
    const char *into_tap;
};

static const struct option_row options[] = {
    {"into-tap", OPTION_TEXT, offsetof(struct settings, into_tap), "NAME",
        "call the tap of all events NAME, instead of what the lines say", NULL},
};

/* What came of it: of one export, or of several inputs that became one. */
struct outcome {
    struct tape_merge_counts counts;
    bool is_merge;
    bool is_of_replay;
    bool is_short; /* something is missing, and `why` says what */
    struct error why;
};

static void
append_json(struct buffer *to, const struct outcome *outcome, bool is_complete)
{
    const struct tape_merge_counts *counts = &outcome->counts;
    buffer_append_text(to, "{\"v\":1,\"done\":true,\"events\":");
    json_append_u64(to, counts->taken);
    buffer_append_text(to, ",\"skipped\":");
    json_append_u64(to, counts->skipped);
    buffer_append_text(to, ",\"holes\":");
    json_append_u64(to, counts->holes);
    if (outcome->is_merge) {
        buffer_append_text(to, ",\"duplicates\":");
        json_append_u64(to, counts->duplicates);
        buffer_append_text(to, ",\"conflicts\":");
        json_append_u64(to, counts->conflicts);
    }
    buffer_append_text(to, is_complete ? ",\"complete\":true}\n" : ",\"complete\":false}\n");
}

static void
append_text(struct buffer *to, const struct outcome *outcome)
{
    const struct tape_merge_counts *counts = &outcome->counts;
    char number[REPLAY_NUMBER_MAX];
    buffer_printf(to, "%s event%s imported", replay_number(counts->taken, number),
        counts->taken == 1 ? "" : "s");
    if (counts->holes > 0)
        buffer_printf(
            to, ", %s hole%s", replay_number(counts->holes, number), counts->holes == 1 ? "" : "s");
    if (counts->skipped > 0)
        buffer_printf(to, "; %s skipped, because the tape has their partitions as far as that",
            replay_number(counts->skipped, number));
    if (counts->duplicates > 0)
        buffer_printf(to, "; %s cop%s of the same offsets left out",
            replay_number(counts->duplicates, number), counts->duplicates == 1 ? "y" : "ies");
    if (counts->conflicts > 0)
        buffer_printf(to, ", of which %s had other contents: the first input's are on the tape",
            replay_number(counts->conflicts, number));
    buffer_append_byte(to, '\n');
}

static int
report(
    const struct invocation *invocation, const struct outcome *outcome, const struct error *failure)
{
    struct output output;
    struct error err;
    output_start(&output, STDOUT_FILENO);
    if (invocation->json)
        append_json(&output.buffer, outcome, failure == NULL && !outcome->is_short);
    else if (!invocation->quiet || failure != NULL)
        append_text(&output.buffer, outcome);
    int code = output_finish(&output, &err) ? 0 : command_fail(&err);
    if (failure == NULL && outcome->is_of_replay && !invocation->quiet)
        replay_remark(
            "a replay wrote this, and its file has no done line: all lines were taken, and "
            "tapedeck replay verify knows whether they are all of the replay");
    if (failure != NULL)
        return command_fail(failure);
    return outcome->is_short ? command_fail(&outcome->why) : code;
}

static int
import_from(const struct invocation *invocation, struct tape_writer *writer, int fd)
{
    const struct settings *settings = invocation->settings;
    struct error err;
    struct import_lines lines;
    signals_catch();
    bool good = import_lines(&lines, writer, fd, settings->into_tap, &err);
    struct outcome outcome = {
        .counts = {.taken = lines.taken, .skipped = lines.skipped, .holes = lines.holes},
        .is_of_replay = lines.is_of_replay,
        .is_short = lines.is_short,
        .why = lines.why,
    };
    return report(invocation, &outcome, good ? NULL : &err);
}

static bool
should_stop(void)
{
    return signals_pending() > 0;
}

/* All inputs at once: tapes as they are, exports by way of a tape of their own. */
static int
merge_into(const struct invocation *invocation, struct tape_writer *writer)
{
    const struct settings *settings = invocation->settings;
    struct error err;
    struct outcome outcome = {.is_merge = true};
    struct import_inputs inputs;
    signals_catch();
    bool good = import_inputs_open(&inputs, invocation->argv, (size_t)invocation->argc, &err);
    if (good) {
        outcome.is_short = inputs.is_short;
        outcome.why = inputs.why;
        good = tape_merge(writer,
                   &(struct tape_merge_options){.tapes = inputs.tapes,
                       .tape_count = inputs.count,
                       .into_tap = settings->into_tap,
                       .should_stop = should_stop},
                   &outcome.counts, &err) &&
               tape_writer_sync(writer, &err) && import_inputs_are_whole(&inputs, &err);
    }
    import_inputs_done(&inputs);
    return report(invocation, &outcome, good ? NULL : &err);
}

/* The tape's own options, but nothing is deleted while old events come in: the next recorder does that. */
static struct tape_writer *
open_writer(const struct invocation *invocation, struct error *err)
{
    struct config config;
    char *directory = invocation_tape(invocation, err);
    if (directory == NULL)
        return NULL;
    struct tape_writer *writer = NULL;
    if (config_load(invocation->config, &config, err)) {
        struct tape_writer_options writer_options = config.tape.writer;
        writer_options.retention = (struct retention){0};
        writer = tape_writer_open(directory, &writer_options, err);
        config_free(&config);
    }
    free(directory);
    return writer;
}

static bool
check_into_tap(const char *name, struct error *err)
{
    return name == NULL || (name[0] != '\0' && strchr(name, '/') == NULL) ||
           error_set(err, ERROR_ARGUMENT, "--into-tap takes a name without '/', not '%.60s'", name);
}

static int
open_input(const struct invocation *invocation, struct error *err)
{
    if (invocation->argc == 0 && !isatty(STDIN_FILENO))
        return STDIN_FILENO;
    if (invocation->argc == 0) {
        (void)error_set(
            err, ERROR_ARGUMENT, "name the file, or send it in: tapedeck import <events.ndjson");
        return -1;
    }
    return import_inputs_open_lines(invocation->argv[0], err);
}

static int
run_import(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct error err;
    if (!check_into_tap(settings->into_tap, &err))
        return command_fail(&err);
    bool is_merge = invocation->argc > 1 ||
                    (invocation->argc == 1 && import_inputs_is_tape(invocation->argv[0]));
    if (is_merge && !import_inputs_check(invocation->argv, (size_t)invocation->argc, &err))
        return command_fail(&err);
    int fd = is_merge ? -1 : open_input(invocation, &err);
    if (!is_merge && fd < 0)
        return command_fail(&err);
    struct tape_writer *writer = open_writer(invocation, &err);
    int code = writer == NULL ? command_fail(&err)
               : is_merge     ? merge_into(invocation, writer)
                              : import_from(invocation, writer, fd);
    tape_writer_close(writer);
    if (!is_merge && fd != STDIN_FILENO)
        (void)close(fd);
    return code;
}

const struct command command_import = {
    .name = "import",
    .usage = "[INPUT...]",
    .summary = "take events onto the tape from exports (NDJSON) and other tapes",
    .details =
        "Reads stdin (also as -), or INPUT: NDJSON as tapedeck export writes it, a packed tape "
        "(.tar.zst) or "
        "a\n"
        "tape's directory. Several are merged: each offset of a partition once, in order, and no "
        "hole\n"
        "where one of them has the events. Bytes, order, times and holes stay as they were; seqs "
        "are counted\n"
        "anew. What the tape has already (an offset at or below the newest one of its partition "
        "when\n"
        "the import begins) is skipped and counted: importing again takes nothing twice. Makes "
        "the\n"
        "tape when there is none. Exit code 1 when a line is bad (everything in front of it is\n"
        "taken), or when the done line is missing or counts more; 5 while a recorder has the tape.",
    .examples = "tapedeck import --tape ./copy <orders.ndjson\n"
                "tapedeck import --tape ./all recorder-1.tar.zst recorder-2.tar.zst\n"
                "ssh host tapedeck export since -1h | tapedeck import --into-tap host",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = -1,
    .changes_tape = true,
    .run = run_import,
};
