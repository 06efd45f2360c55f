/* `tapedeck replay verify`: read the target back and compare it with plan and tape. */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "console/command.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "replay/ledger.h"
#include "replay/plan.h"
#include "replay/verify.h"

struct settings {
    const char *kafka_settings;
};

static const struct option_row options[] = {
    {"kafka-settings", OPTION_TEXT, offsetof(struct settings, kafka_settings), "FILE",
        "librdkafka settings for the target, a NAME=VALUE a line", NULL},
};

static bool
is_interrupted(void *self)
{
    (void)self;
    return signals_pending() > 0;
}

static void
print_json(struct output *output, const struct plan *plan, const struct verify_result *result)
{
    char text[640];
    snprintf(text, sizeof(text),
        "{\"v\":1,\"id\":\"%s\",\"matches\":%s,\"tape_matches\":%s,\"planned\":\"%" PRIu64
        "\",\"landed\":\"%" PRIu64 "\",\"missing\":\"%" PRIu64 "\",\"duplicates\":\"%" PRIu64
        "\",\"different\":\"%" PRIu64 "\",\"misplaced\":\"%" PRIu64 "\",\"disordered\":\"%" PRIu64
        "\",\"unknown\":\"%" PRIu64 "\",\"times_not_compared\":\"%" PRIu64
        "\",\"content_sha256\":\"%s\"}",
        plan->id, result->matches ? "true" : "false", result->tape_matches ? "true" : "false",
        result->planned, result->landed, result->missing, result->duplicates, result->different,
        result->misplaced, result->disordered, result->unknown, result->times_not_compared,
        plan->content);
    replay_print(output, "%s", text);
}

static void
print_line(struct output *output, const char *what, uint64_t count)
{
    char number[REPLAY_NUMBER_MAX];
    replay_print(output, "%-12s %s", what, replay_number(count, number));
}

static void
print_result(struct output *output, const struct plan *plan, const struct verify_result *result)
{
    char number[REPLAY_NUMBER_MAX];
    replay_print(output, "replay %s in %s", plan->id, plan->target.url);
    print_line(output, "planned", result->planned);
    print_line(output, "landed", result->landed);
    print_line(output, "missing", result->missing);
    print_line(output, "duplicates", result->duplicates);
    print_line(output, "different", result->different);
    print_line(output, "disordered", result->disordered);
    if (result->unknown > 0)
        print_line(output, "unknown", result->unknown);
    if (result->times_not_compared > 0)
        replay_print(output, "%s events have the target's time; it was not compared",
            replay_number(result->times_not_compared, number));
    for (size_t i = 0; i < result->difference_count; i++)
        replay_print(output, "  %s", result->differences[i]);
    if (result->matches)
        replay_print(output,
            "verified: every event landed once, byte for byte, in order; content sha256 %s",
            plan->content);
    else
        replay_print(output, "NOT as planned");
}

static int
run_verify(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct replay_use use;
    struct error err;
    if (!replay_use_open(invocation, invocation->argv[0], settings->kafka_settings, &use, &err))
        return command_fail(&err);

    struct verify_options verify = {
        .plan = use.plan,
        .tape = use.tape,
        .settings = use.target.settings,
        .is_cancelled = is_interrupted,
    };
    struct verify_result result;
    signals_catch();
    int code;
    struct error unnoted;
    bool is_known = verify_replay(&verify, &result, &err);
    if (!ledger_note_verify(use.tape, use.plan, is_known ? &result : NULL, &err, &unnoted))
        replay_remark("tapedeck: %s", unnoted.text);
    if (!is_known) {
        code = command_fail(&err);
    } else {
        struct output output;
        output_start(&output, STDOUT_FILENO);
        if (invocation->json)
            print_json(&output, use.plan, &result);
        else if (!invocation->quiet)
            print_result(&output, use.plan, &result);
        code = output_finish(&output, &err) ? (result.matches ? 0 : 1) : command_fail(&err);
    }
    replay_use_done(&use);
    return code;
}

const struct command command_replay_verify = {
    .name = "replay verify",
    .usage = "ID",
    .summary = "read the target back and compare it with the plan, event by event",
    .details = "Reads the target from where it ended before the first run to its end, committed "
               "messages only, and\n"
               "compares everything that carries the replay's id with the tape: partition, key, "
               "headers, payload,\n"
               "time, order, each event once. Exit code 0 only when all of it matches. The result "
               "is kept in\n"
               "replays/ID/receipt.json.",
    .examples = "tapedeck replay verify 01KAVZ6Q3R8Y2M4N5P7S9TVWXY",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 1,
    .max_arguments = 1,
    .changes_tape = true,
    .run = run_verify,
};
