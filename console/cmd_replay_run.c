/* `tapedeck replay run`: send exactly what a plan says. */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "console/sizes.h"
#include "replay/ledger.h"
#include "replay/plan.h"
#include "replay/runner.h"
#include "replay/target_reader.h"

struct settings {
    const char *confirm;
    const char *kafka_settings;
    bool resume;
};

static const struct option_row options[] = {
    {"confirm", OPTION_TEXT, offsetof(struct settings, confirm), "TARGET",
        "the target's topic, file or address, spelt out; nothing is sent without it", NULL},
    {"resume", OPTION_FLAG, offsetof(struct settings, resume), NULL,
        "go on with a run that was interrupted; running it again does so anyway", NULL},
    {"kafka-settings", OPTION_TEXT, offsetof(struct settings, kafka_settings), "FILE",
        "librdkafka settings for the target, a NAME=VALUE a line", NULL},
};

/* A line of progress: drawn over on a terminal, else now and then. */
struct display {
    bool is_off;
    bool is_terminal;
    int64_t shown_ns;
};

#define LINE_EVERY_NS (5 * NS_PER_S)

static double
events_per_second(const struct replay_progress *progress)
{
    if (progress->elapsed_ns <= 0)
        return 0.0;
    return (double)progress->acknowledged * 1e9 / (double)progress->elapsed_ns;
}

static void
show_progress(void *self, const struct replay_progress *progress, const char *trouble)
{
    struct display *display = self;
    int64_t now_ns = clock_monotonic_ns();
    if (display->is_off || (!display->is_terminal && now_ns - display->shown_ns < LINE_EVERY_NS))
        return;
    display->shown_ns = now_ns;

    char done[REPLAY_NUMBER_MAX];
    char planned[REPLAY_NUMBER_MAX];
    char text[400];
    snprintf(text, sizeof(text),
        "%s  %s of %s events acknowledged, %.0f/s, %" PRIu64 " in flight%s%.100s",
        replay_state_text(progress->state),
        replay_number(progress->already + progress->acknowledged, done),
        replay_number(progress->planned, planned), events_per_second(progress), progress->in_flight,
        trouble[0] != '\0' ? "; last trouble: " : "", trouble);
    if (!display->is_terminal) {
        replay_remark("%s", text);
        return;
    }
    /* The text must stay on one line that is drawn over: cut to what fits on any terminal. */
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
            *at = '?';
    (void)fprintf(stderr, "\r%-.79s\033[K", text);
    (void)fflush(stderr);
}

static void
clear_progress(const struct display *display)
{
    if (display->is_terminal && display->shown_ns != 0)
        (void)fputs("\r\033[K", stderr);
}

static enum runner_stop
stop_requested(void *self)
{
    (void)self;
    switch (signals_pending()) {
    case 0:
        return RUNNER_GO_ON;
    case 1:
        return RUNNER_DRAIN;
    default:
        return RUNNER_AT_ONCE;
    }
}

static void
print_json(struct output *output, const struct plan *plan, const struct replay_progress *progress)
{
    char text[512];
    snprintf(text, sizeof(text),
        "{\"v\":1,\"id\":\"%s\",\"state\":\"%s\",\"planned\":\"%" PRIu64
        "\",\"acknowledged\":\"%" PRIu64 "\",\"acknowledged_before\":\"%" PRIu64
        "\",\"found_in_target\":\"%" PRIu64 "\",\"elapsed_ms\":%" PRId64 ",\"rate\":%.1f,"
        "\"late_p50_us\":%" PRId64 ",\"late_p99_us\":%" PRId64 "}",
        plan->id, replay_state_text(progress->state), progress->planned, progress->acknowledged,
        progress->already, progress->in_doubt, progress->elapsed_ns / NS_PER_MS,
        events_per_second(progress), progress->late_p50_ns / NS_PER_US,
        progress->late_p99_ns / NS_PER_US);
    replay_print(output, "%s", text);
}

/* What nobody tells us is said to be unknown. */
static void
print_unknown(struct output *output, const struct replay_progress *progress)
{
    replay_print(output, "acknowledged by the socket only: what arrived is not known%s",
        progress->already > 0 ? "; around the interruption events may be missing or there twice"
                              : "");
}

static void
print_result(struct output *output, const struct plan *plan, const struct replay_progress *progress)
{
    char done[REPLAY_NUMBER_MAX];
    char planned[REPLAY_NUMBER_MAX];
    char before[REPLAY_NUMBER_MAX];
    char bytes[SIZES_TEXT_MAX];
    replay_print(output, "%s: %s events acknowledged by %s in %.2f s (%.0f/s, %s)",
        replay_state_text(progress->state), replay_number(progress->acknowledged, done),
        plan->target.url, (double)progress->elapsed_ns / 1e9, events_per_second(progress),
        sizes_format(progress->acknowledged_bytes, bytes));
    if (progress->already > 0)
        replay_print(output,
            "before: %s of %s events, %" PRIu64
            " of them found in the target without a journalled acknowledgement",
            replay_number(progress->already, before), replay_number(progress->planned, planned),
            progress->in_doubt);
    if (plan->pacing.pacing != PACING_FAST)
        replay_print(output, "pace: sent late by %.2f ms (p50), %.2f ms (p99), %.2f ms (most)",
            (double)progress->late_p50_ns / 1e6, (double)progress->late_p99_ns / 1e6,
            (double)progress->late_max_ns / 1e6);
    if (!target_can_be_read(&plan->target))
        print_unknown(output, progress);
    if (progress->state == REPLAY_DONE && target_can_be_read(&plan->target))
        replay_print(output, "To read it back: tapedeck replay verify %s", plan->id);
    else if (progress->state == REPLAY_DONE)
        return;
    else
        replay_print(
            output, "To go on: tapedeck replay run %s --confirm %s", plan->id, plan->target.name);
}

/* What came of it, unless it failed before anything could be sent. */
static bool
print_answer(const struct invocation *invocation, const struct plan *plan,
    const struct replay_progress *progress, struct error *err)
{
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (progress->elapsed_ns > 0 && invocation->json)
        print_json(&output, plan, progress);
    else if (progress->elapsed_ns > 0 && !invocation->quiet)
        print_result(&output, plan, progress);
    return output_finish(&output, err);
}

static bool
is_confirmed(const struct plan *plan, const char *confirm, struct error *err)
{
    if (confirm != NULL && strcmp(confirm, plan->target.name) == 0)
        return true;
    bool has_topic = strcmp(plan->target.transport, "kafka") == 0;
    return error_set(err, ERROR_REFUSED,
        "%s: this sends %" PRIu64 " events to %s'%s' at %s; if that is meant, type --confirm %s",
        confirm == NULL ? "not confirmed"
        : has_topic     ? "--confirm names another topic"
                        : "--confirm names another target",
        plan->events, has_topic ? "topic " : "", plan->target.name, plan->target.servers,
        plan->target.name);
}

static int
run_confirmed(const struct invocation *invocation, const struct replay_use *use)
{
    struct display display = {
        .is_off = invocation->quiet || invocation->json,
        .is_terminal = isatty(STDERR_FILENO) == 1,
        .shown_ns = isatty(STDERR_FILENO) == 1 ? 0 : clock_monotonic_ns(),
    };
    struct runner_options runner = {
        .plan = use->plan,
        .tape = use->tape,
        .settings = use->target.settings,
        .stop = stop_requested,
        .report = show_progress,
        .self = &display,
    };
    struct replay_progress progress;
    struct error err;
    signals_catch();
    struct error unnoted;
    bool good = runner_run(&runner, &progress, &err);
    clear_progress(&display);
    if (!ledger_note_run(use->tape, use->plan, &progress, good ? NULL : &err, &unnoted))
        replay_remark("tapedeck: %s", unnoted.text);
    struct error unwritten;
    bool written = print_answer(invocation, use->plan, &progress, &unwritten);
    if (!good)
        return command_fail(&err);
    if (!written)
        return command_fail(&unwritten);
    return progress.state == REPLAY_DONE ? 0 : 1;
}

static int
run_run(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct replay_use use;
    struct error err;
    if (!replay_use_open(invocation, invocation->argv[0], settings->kafka_settings, &use, &err))
        return command_fail(&err);
    int code = is_confirmed(use.plan, settings->confirm, &err) ? run_confirmed(invocation, &use)
                                                               : command_fail(&err);
    replay_use_done(&use);
    return code;
}

const struct command command_replay_run = {
    .name = "replay run",
    .usage = "PLAN",
    .summary = "send what a plan says, exactly that, to the target that is spelt out",
    .details = "PLAN is the id of a plan on the tape or a plan's file; the tape is the one that "
               "it was made from, or\n"
               "a copy of that. Every event goes to the planned partition,\n"
               "with its key, headers and payload byte for byte, and four headers behind its own: "
               "x-tapedeck-replay,\n"
               "x-tapedeck-seq, x-tapedeck-orig, x-tapedeck-hops. Acknowledged sends are "
               "journalled: interrupted (once:\n"
               "after what is in flight, twice: at once) or killed, the same command goes on where "
               "it was, and looks\n"
               "in the target for what was in doubt. A finished plan is not run again.",
    .examples = "tapedeck replay run 01KAVZ6Q3R8Y2M4N5P7S9TVWXY --confirm orders-copy\n"
                "tapedeck replay run plan.json --confirm orders-copy",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 1,
    .max_arguments = 1,
    .changes_tape = true,
    .run = run_run,
};
