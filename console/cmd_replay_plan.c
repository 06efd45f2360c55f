/* `tapedeck replay plan`: freeze what would be replayed, check the target, send nothing. */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "console/command.h"
#include "console/coverage.h"
#include "console/damage.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "console/sizes.h"
#include "index/query.h"
#include "replay/ledger.h"
#include "replay/plan.h"
#include "replay/plan_store.h"
#include "replay/planner.h"

struct settings {
    const char *to;
    const char *out;
    const char *speed;
    const char *timestamps;
    const char *partitions;
    const char *kafka_settings;
    int64_t max_gap_ns;
    uint64_t max_hops;
    bool allow_source;
};

static const struct option_row options[] = {
    {"to", OPTION_TEXT, offsetof(struct settings, to), "TARGET",
        "kafka://HOST:PORT/TOPIC, file:///PATH, zmq+pub://, zmq+push:// or zmq+dealer://HOST:PORT, "
        "or "
        "NAME of [target.NAME] in the configuration; needed",
        NULL},
    {"out", OPTION_TEXT, offsetof(struct settings, out), "FILE", "write the plan to FILE too",
        NULL},
    {"speed", OPTION_TEXT, offsetof(struct settings, speed), "SPEED",
        "max: as fast as the target acknowledges, the default; original; 2x; 500/s", NULL},
    {"max-gap", OPTION_SECONDS, offsetof(struct settings, max_gap_ns), "TIME",
        "with original or 2x: no pause is longer; 0: as long as they were, the default", NULL},
    {"timestamps", OPTION_TEXT, offsetof(struct settings, timestamps), "WHICH",
        "the events' own times (original, the default) or the time of sending (now)",
        "original|now"},
    {"partitions", OPTION_TEXT, offsetof(struct settings, partitions), "MAP",
        "the same numbers (the default), modulo the target's count, or by key as Java does",
        "same|modulo|murmur2"},
    {"max-hops", OPTION_NUMBER, offsetof(struct settings, max_hops), "N",
        "refuse events that were replayed N times already; 0: 1, the default", NULL},
    {"allow-source", OPTION_FLAG, offsetof(struct settings, allow_source), NULL,
        "the target's topic may have the name of a selected stream", NULL},
    {"kafka-settings", OPTION_TEXT, offsetof(struct settings, kafka_settings), "FILE",
        "librdkafka settings for the target, a NAME=VALUE a line", NULL},
};

static bool
is_interrupted(void *self)
{
    (void)self;
    return signals_pending() > 0;
}

static bool
read_speed(const struct settings *settings, struct pacing_settings *pacing, struct error *err)
{
    const char *speed = settings->speed;
    *pacing = (struct pacing_settings){.pacing = PACING_FAST};
    if (speed == NULL || strcmp(speed, "max") == 0)
        return settings->max_gap_ns == 0 ||
               error_set(err, ERROR_ARGUMENT, "--max-gap needs --speed original or a factor");

    size_t length = strlen(speed);
    bool is_rate = length > 2 && strcmp(speed + length - 2, "/s") == 0;
    pacing->pacing = is_rate ? PACING_RATE : PACING_SPEED;
    pacing->max_gap_ns = settings->max_gap_ns;
    if (pacing->max_gap_ns < 0 || (is_rate && pacing->max_gap_ns != 0))
        return error_set(err, ERROR_ARGUMENT, "--max-gap needs --speed original or a factor");
    if (strcmp(speed, "original") == 0)
        speed = "1";
    return pacer_parse(speed, &pacing->value, err) ||
           error_wrap(err, "--speed takes max, original, a factor like 2x or a rate like 500/s");
}

/* The plan in a few lines. */

static void
print_target_without_partitions(struct output *output, const struct plan *plan)
{
    bool is_file = strcmp(plan->target.transport, "file") == 0;
    replay_print(output, "target    %s", plan->target.url);
    replay_print(output, "          %s",
        is_file
            ? "lines of JSON are appended; acknowledged when they are on the disk"
            : "waits for a peer; what arrived nobody tells: it cannot be verified, and where a run "
              "is interrupted events may be missing or there twice");
}

static void
print_target(struct output *output, const struct plan *plan)
{
    if (strcmp(plan->target.transport, "kafka") != 0) {
        print_target_without_partitions(output, plan);
        return;
    }
    const struct plan_preflight *preflight = &plan->preflight;
    char retention[CLOCK_TEXT_MAX] = "for ever";
    char limit[SIZES_TEXT_MAX];
    replay_print(output, "target    %s: %d partitions, cluster %s", plan->target.url,
        (int)preflight->partitions, preflight->cluster != NULL ? preflight->cluster : "unknown");
    if (!preflight->configured) {
        replay_print(output, "          its settings are unknown: the broker did not tell");
        return;
    }
    if (preflight->retention_ms >= 0 && preflight->retention_ms < INT64_MAX / NS_PER_MS)
        clock_format_duration(preflight->retention_ms * NS_PER_MS, retention);
    replay_print(output, "          keeps events %s, messages up to %s, cleanup %s%s", retention,
        sizes_format((uint64_t)preflight->max_message_bytes, limit), preflight->cleanup,
        preflight->stamps_messages ? ", gives messages its own time" : "");
}

static void
print_pacing(struct output *output, const struct pacing_settings *pacing)
{
    double value = (double)pacing->value / 1e6;
    switch (pacing->pacing) {
    case PACING_FAST:
        replay_print(output, "pace      as fast as the target acknowledges");
        break;
    case PACING_SPEED:
        replay_print(output, "pace      %g times as fast as it happened", value);
        break;
    case PACING_RATE:
        replay_print(output, "pace      %g events a second", value);
        break;
    }
}

static void
print_lanes(struct output *output, const struct plan *plan)
{
    replay_print(output, "%-32s %6s %12s %10s  %s", "LANE", "TO", "EVENTS", "BYTES", "OFFSETS");
    for (size_t i = 0; i < plan->lane_count; i++) {
        const struct plan_lane *lane = &plan->lanes[i];
        char name[300];
        char to[16] = "by key";
        char events[REPLAY_NUMBER_MAX];
        char bytes[SIZES_TEXT_MAX];
        char missing[64] = "";
        snprintf(name, sizeof(name), "%s/%s[%d]", lane->tap, lane->stream, (int)lane->partition);
        if (lane->target_partition >= 0)
            snprintf(to, sizeof(to), "%d", (int)lane->target_partition);
        if (lane->missing > 0)
            snprintf(missing, sizeof(missing), "  %" PRIu64 " not on the tape", lane->missing);
        replay_print(output, "%-32s %6s %12s %10s  %" PRId64 "..%" PRId64 "%s", name, to,
            replay_number(lane->events, events), sizes_format(lane->bytes, bytes),
            lane->first_offset, lane->last_offset, missing);
    }
}

static void
print_count(struct output *output, uint64_t count, const char *text)
{
    char number[REPLAY_NUMBER_MAX];
    if (count > 0)
        replay_print(output, "note      %s %s", replay_number(count, number), text);
}

static void
print_checks(struct output *output, const struct plan *plan)
{
    const struct plan_fidelity *fidelity = &plan->fidelity;
    const struct plan_order *order = &plan->order;
    const char *least = order->keys_complete ? "" : "at least ";
    char keys[REPLAY_NUMBER_MAX];
    char moved[REPLAY_NUMBER_MAX];

    print_count(output, fidelity->left_out,
        "events have a time, headers that are no frames, or a null payload: a message of ZeroMQ "
        "does "
        "not carry them");
    print_count(output, fidelity->timeless,
        "events have no time that Kafka can keep; the target stamps them");
    print_count(output, fidelity->sub_millisecond,
        "events lose the part of their time below a millisecond");
    print_count(output, fidelity->stamped_by_target,
        "events get the time of landing: the target stamps them");
    print_count(output, fidelity->past_retention,
        "events are older than the target keeps and may be "
        "deleted at once; consider --timestamps now");
    print_count(output, order->null_keys, "events have no key");
    replay_print(output,
        "order     kept within each partition; %s%s keys, %s%s move to another partition number",
        least, replay_number(order->keys, keys), least, replay_number(order->moved_keys, moved));
    print_count(output, order->split_keys,
        "keys have events in more than one target partition; between those no order is kept");
}

/* Holes that the text names; --json has more. */
#define HOLES_SHOWN 10u

/* What the query is about as well, and the plan has not. */
static void
print_missing(struct output *output, const struct plan *plan)
{
    uint64_t count = plan->hole_count + plan->holes_not_named;
    char number[REPLAY_NUMBER_MAX];
    if (plan->damage_count > 0)
        replay_print(output,
            "missing   what cannot be read of the tape, which is damaged in %zu place%s",
            plan->damage_count, plan->damage_count == 1 ? "" : "s");
    if (count > 0)
        replay_print(output,
            "missing   %s range%s of offsets %s not on the tape:", replay_number(count, number),
            count == 1 ? "" : "s", count == 1 ? "is" : "are");
    size_t shown = plan->hole_count < HOLES_SHOWN ? plan->hole_count : HOLES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct plan_hole *of = &plan->holes[i];
        char *label = alloc_format("%s/%s", of->tap, of->stream);
        coverage_append_hole(&output->buffer, label, of->partition, &of->hole, &of->times);
        free(label);
    }
    if (count > shown)
        replay_print(output, "  and %s more; tapedeck tape holes lists all",
            replay_number(count - shown, number));
}

static void
print_plan(struct output *output, const struct plan *plan)
{
    char first[CLOCK_TEXT_MAX];
    char last[CLOCK_TEXT_MAX];
    char events[REPLAY_NUMBER_MAX];
    char bytes[SIZES_TEXT_MAX];
    replay_print(output, "plan      %s", plan->id);
    replay_print(output, "tape      %s", plan->tape);
    replay_print(output, "query     %s", plan->query[0] != '\0' ? plan->query : "everything");
    replay_print(output, "events    %s, %s", replay_number(plan->events, events),
        sizes_format(plan->bytes, bytes));
    replay_print(output, "from      %s", clock_format(plan->first_ns, first));
    replay_print(output, "to        %s", clock_format(plan->last_ns, last));
    replay_print(output, "content   sha256 %s", plan->content);
    print_target(output, plan);
    print_pacing(output, &plan->pacing);
    print_checks(output, plan);
    print_lanes(output, plan);
    print_missing(output, plan);
}

static bool
print_answer(const struct invocation *invocation, struct plan *plan, struct error *err)
{
    const struct settings *settings = invocation->settings;
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (invocation->json) {
        char *text = plan_to_json(plan, true);
        buffer_append_text(&output.buffer, text);
        buffer_append_byte(&output.buffer, '\n');
        free(text);
    } else if (!invocation->quiet) {
        print_plan(&output, plan);
        replay_print(&output, "Nothing was sent. To send it: tapedeck replay run %s --confirm %s",
            settings->out != NULL ? settings->out : plan->id, plan->target.name);
    }
    return output_finish(&output, err) ||
           error_wrap(err, "plan %s is made and nothing was sent, but", plan->id);
}

static bool
write_outputs(const struct invocation *invocation, struct plan *plan, struct error *err)
{
    const struct settings *settings = invocation->settings;
    struct error unnoted;
    if (!plan_store_write(plan->tape, plan, err))
        return false;
    if (!ledger_note_plan(plan->tape, plan, &unnoted))
        replay_remark("tapedeck: %s", unnoted.text);
    bool written = true;
    if (settings->out != NULL) {
        char *text = plan_to_json(plan, false);
        written = file_replace(settings->out, text, strlen(text), err);
        free(text);
    }
    return written && print_answer(invocation, plan, err);
}

/* Returns the exit code for it. */
static int
report_damage(const struct plan *plan)
{
    const char **texts = alloc_array(plan->damage_count, sizeof(*texts));
    for (size_t i = 0; i < plan->damage_count; i++)
        texts[i] = plan->damage[i].text;
    int code = damage_report_texts(texts, plan->damage_count);
    free(texts);
    return code;
}

/* *code is that of a plan that was made. */
static bool
make_plan(const struct invocation *invocation, const char *query, int *code, struct error *err)
{
    const struct settings *settings = invocation->settings;
    struct planner_options planner = {
        .query = query,
        .max_hops = settings->max_hops > 0 ? settings->max_hops : 1,
        .allow_source = settings->allow_source,
        .is_cancelled = is_interrupted,
    };
    if (settings->timestamps != NULL && strcmp(settings->timestamps, "now") == 0)
        planner.timestamps = TIMESTAMPS_NOW;
    if (settings->partitions != NULL)
        partition_map_parse(settings->partitions, &planner.partitions);
    if (!read_speed(settings, &planner.pacing, err))
        return false;

    struct replay_target target;
    char *tape = invocation_tape(invocation, err);
    if (tape == NULL ||
        !replay_target_find(invocation, settings->to, settings->kafka_settings, &target, err)) {
        free(tape);
        return false;
    }
    planner.tape = tape;
    planner.target = target.url;
    planner.target_name = target.name;
    planner.settings = target.settings;
    struct plan *plan = planner_make(&planner, err);
    bool done = plan != NULL && write_outputs(invocation, plan, err);
    *code = plan != NULL ? report_damage(plan) : 0;
    plan_free(plan);
    replay_target_done(&target);
    free(tape);
    return done;
}

/* Say what is wrong with the query, and show where. */
static int
fail_query(const char *text, size_t column, const struct error *err)
{
    struct output output;
    struct error ignored; /* there is nowhere left to report to */
    int code = command_fail(err);
    if (column == 0)
        return code;
    output_start(&output, STDERR_FILENO);
    query_caret(&output.buffer, text, column);
    if (output.buffer.length > 0 && output.buffer.data[output.buffer.length - 1] != '\n')
        buffer_append_byte(&output.buffer, '\n');
    (void)output_finish(&output, &ignored);
    return code;
}

static int
run_plan(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct error err;
    if (settings->to == NULL) {
        error_set(
            &err, ERROR_ARGUMENT, "replay plan needs --to, such as --to kafka://HOST:PORT/TOPIC");
        return command_fail(&err);
    }
    struct buffer query = {0};
    for (int i = 0; i < invocation->argc; i++)
        buffer_printf(&query, "%s%s", i == 0 ? "" : " ", invocation->argv[i]);
    signals_catch();

    size_t column = 0;
    struct query *compiled = query_compile(buffer_text(&query), clock_now_ns(), &column, &err);
    int code = 0;
    if (compiled == NULL)
        code = fail_query(buffer_text(&query), column, &err);
    else if (!make_plan(invocation, buffer_text(&query), &code, &err))
        code = command_fail(&err);
    query_free(compiled);
    buffer_done(&query);
    return code;
}

const struct command command_replay_plan = {
    .name = "replay plan",
    .usage = "[QUERY...]",
    .summary = "freeze what a query selects into a plan, check the target, send nothing",
    .details = "The plan says for each lane how many events, bytes and offsets, the SHA-256 of "
               "their content,\n"
               "what will not survive (times), which keys move, and what the target is. It is kept "
               "in the\n"
               "tape's directory under its id. What is recorded after the plan was made is not "
               "part of it.\n"
               "What the query is about and is not on the tape is named, with the reason; the exit "
               "code is 6\n"
               "when the tape is damaged, and the plan has what could be read.",
    .examples =
        "tapedeck replay plan stream=orders since -15m --to kafka://staging:9092/orders-copy\n"
        "tapedeck replay plan key=o-417 --to kafka://127.0.0.1/debug --speed 2x --max-gap 5s\n"
        "tapedeck replay plan stream=orders --to staging --partitions murmur2 --out plan.json\n"
        "tapedeck replay plan stream=prices --to zmq+pub+bind://127.0.0.1:5556 --speed original",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = -1,
    .changes_tape = true,
    .run = run_plan,
};
