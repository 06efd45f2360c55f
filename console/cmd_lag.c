/* `tapedeck lag`: how far consumer groups are behind, and what that means. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_sample.h"
#include "collectors/recorder.h"
#include "console/command.h"
#include "console/lag_json.h"
#include "console/lag_list.h"
#include "console/lag_look.h"
#include "console/lag_recorded.h"
#include "console/lag_sampler.h"
#include "console/output.h"
#include "console/safe_text.h"

#define SAMPLES         2
#define INTERVAL_NS     NS_PER_S
#define FAIL_ON_STEP_NS (5 * NS_PER_S)
#define SAMPLES_MAX     100000
#define EXIT_FAIL_ON    10
#define NOTED_MAX       20 /* groups whose problems are told */

struct settings {
    const char *group;
    uint64_t samples;
    int64_t interval_ns;
    int64_t stall_ns;
    bool partitions;
    const char *fail_on;
    int64_t max_ns;
};

/* One run of the command. */
struct lag_run {
    const struct invocation *invocation;
    const struct settings *settings;
    bool fails[LAG_STATE_COUNT]; /* --fail-on */
    struct lag_taps *taps;
    struct lag_look **looks; /* one per tap */
    size_t look_count;
    struct lag_list list;
    size_t failing;
    bool age_unknown; /* --max-seconds could not be judged somewhere */
    char noted[256];  /* the problem that was told last while samples are taken */
};

/* --- options ------------------------------------------------------------------------------------ */

static bool
read_fail_on(struct lag_run *run, struct error *err)
{
    const char *at = run->settings->fail_on;
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ",");
        enum lag_state state;
        if (!lag_state_parse(at, length, &state))
            return error_set(err, ERROR_ARGUMENT,
                "--fail-on: '%.*s' is no state; there are IDLE OK UNKNOWN WARN SLOW REBALANCING "
                "STALL STOP JUMP REWIND",
                (int)length, at);
        run->fails[state] = true;
        at += length;
        at += *at == ',' ? 1 : 0;
    }
    return true;
}

static struct lag_rules
rules_of(const struct settings *settings)
{
    struct lag_rules rules = lag_rules_default;
    if (settings->stall_ns > 0)
        rules.stall_ns = settings->stall_ns;
    return rules;
}

/* Standing still takes time to see: a check for it looks long enough by itself. */
static bool
needs_time(const struct lag_run *run)
{
    return run->fails[LAG_STALL] || run->fails[LAG_SLOW] || run->fails[LAG_WARN];
}

static uint64_t
samples_of(const struct lag_run *run, int64_t interval_ns)
{
    if (run->settings->samples > 0)
        return run->settings->samples;
    if (!needs_time(run))
        return SAMPLES;
    return (uint64_t)(rules_of(run->settings).stall_ns / interval_ns) + 2;
}

static int64_t
interval_of(const struct lag_run *run)
{
    if (run->settings->interval_ns > 0)
        return run->settings->interval_ns;
    int64_t stall_ns = rules_of(run->settings).stall_ns;
    if (!needs_time(run) || stall_ns < FAIL_ON_STEP_NS)
        return INTERVAL_NS;
    return FAIL_ON_STEP_NS;
}

/* --- the run ------------------------------------------------------------------------------------ */

static void
take_flow(void *self, const struct lag_flow *flow)
{
    struct lag_run *run = self;
    const struct settings *settings = run->settings;
    bool is_old =
        settings->max_ns > 0 && flow->verdict.seconds * (double)NS_PER_S > (double)settings->max_ns;
    bool fails = is_old;
    for (size_t i = 0; i < flow->count; i++)
        fails = fails || run->fails[flow->lane_verdicts[i].state];
    run->failing += fails ? 1 : 0;
    run->age_unknown = run->age_unknown || (settings->max_ns > 0 && flow->verdict.seconds < 0);
    lag_list_add(&run->list, flow);
}

static bool
print_flows(struct lag_run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    struct output output;
    output_start(&output, STDOUT_FILENO);
    lag_list_sort(&run->list);
    if (!run->invocation->json)
        lag_list_append(
            &run->list, settings->partitions || settings->group != NULL, &output.buffer);
    for (size_t i = 0; run->invocation->json && i < run->list.count; i++) {
        lag_json_append(&output.buffer, &run->list.rows[i].flow);
        buffer_append_byte(&output.buffer, '\n');
        (void)output_line(&output);
    }
    return output_finish(&output, err);
}

static void
note(const struct lag_run *run, const char *text)
{
    if (run->invocation->quiet)
        return;
    struct buffer line = {0};
    buffer_append_text(&line, "tapedeck: ");
    safe_text_append_message(&line, text);
    buffer_append_byte(&line, '\n');
    (void)fputs(buffer_text(&line), stderr);
    buffer_done(&line);
}

/* What has to be said of a group beside its flows; NULL: nothing. */
static const char *
problem_of(const struct lag_run *run, const struct group_state *group)
{
    if (group->problem[0] != '\0')
        return group->problem;
    if (group->lane_count > 0 || group->commits_unknown)
        return NULL;
    if (group->phase == GROUP_PHASE_EMPTY && !group->has_commits)
        return "it has no member now and never committed, so nothing tells what it reads; a "
               "consumer that ends before its first commit leaves it like that: look at its log";
    if (group->hides_members && !group->has_commits)
        return "it never committed, and members of the new protocol (KIP-848) cannot be seen: "
               "nothing tells what it reads";
    if (run->settings->group == NULL)
        return NULL;
    return group->hides_members ? "no commit on these topics, and members of the new protocol "
                                  "(KIP-848) cannot be seen"
                                : "no commit, and no partition is assigned, on these topics";
}

static void
note_problems(const struct lag_run *run, const struct lag_look *look)
{
    const struct groups_sample *sample = lag_look_sample(look);
    struct error absent;
    if (!lag_look_has_topics(look, &absent))
        note(run, absent.text);
    size_t noted = 0;
    for (size_t i = 0; i < sample->problem_count; i++)
        if (strcmp(sample->problems[i], run->noted) != 0)
            note(run, sample->problems[i]);
    for (size_t i = 0; i < sample->group_count; i++) {
        const struct group_state *group = &sample->groups[i];
        const char *problem = problem_of(run, group);
        if (problem == NULL)
            continue;
        if (noted++ >= NOTED_MAX)
            continue;
        char *text = alloc_format("group %s: %s", group->name, problem);
        note(run, text);
        free(text);
    }
    if (noted > NOTED_MAX) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%zu more groups like these", noted - NOTED_MAX);
        note(run, text);
    }
}

/* Tell a problem when it comes up and when it is over, not in each sample that it lasts. */
static void
note_change(struct lag_run *run, const char *text)
{
    if (strncmp(run->noted, text, sizeof(run->noted) - 1) == 0)
        return;
    (void)snprintf(run->noted, sizeof(run->noted), "%s", text);
    note(run, text[0] != '\0' ? text : "all brokers answer again");
}

static bool
take_sample(struct lag_run *run, bool is_last, struct error *err)
{
    for (size_t i = 0; i < run->look_count; i++) {
        bool is_well = lag_look_again(run->looks[i], err);
        const struct groups_sample *sample = lag_look_sample(run->looks[i]);
        if (sample == NULL)
            return false; /* it never was there */
        if (!is_well)
            note_change(run, err->text);
        else if (!is_last)
            note_change(run, sample->problem_count > 0 ? sample->problems[0] : "");
    }
    return true;
}

/* A signal ends the sampling, and what was seen until then is printed. */
static bool
take_samples(struct lag_run *run, struct error *err)
{
    int64_t interval_ns = interval_of(run);
    uint64_t samples = samples_of(run, interval_ns);
    int64_t at_ns = clock_monotonic_ns();
    signals_catch();
    for (uint64_t i = 0; i < samples && signals_pending() == 0; i++) {
        if (!take_sample(run, i + 1 == samples, err))
            return false;
        int64_t now_ns = clock_monotonic_ns();
        at_ns = at_ns + interval_ns > now_ns ? at_ns + interval_ns : now_ns;
        if (i + 1 < samples)
            clock_sleep_until_ns(at_ns);
    }
    return true;
}

static bool
open_looks(struct lag_run *run, struct error *err)
{
    run->taps = lag_taps_find(run->invocation, err);
    if (run->taps == NULL)
        return false;
    size_t count = lag_taps_count(run->taps);
    run->looks = alloc_array(count, sizeof(struct lag_look *));
    for (size_t i = 0; i < count; i++) {
        run->looks[i] = lag_look_open(&(struct lag_look_options){.tap = lag_taps_at(run->taps, i),
                                          .group = run->settings->group,
                                          .directory = lag_taps_directory(run->taps),
                                          .rules = rules_of(run->settings)},
            err);
        if (run->looks[i] == NULL)
            return false;
        run->look_count++;
    }
    return true;
}

/* What an empty answer means; the exit code for it. */
static int
explain_nothing(const struct lag_run *run, struct error *err)
{
    size_t groups = 0;
    for (size_t i = 0; i < run->look_count; i++) {
        const struct groups_sample *sample = lag_look_sample(run->looks[i]);
        groups += sample->group_count;
        if (sample->group_count == 0 && sample->problem_count > 0) {
            error_set(
                err, ERROR_REMOTE, "cannot tell which groups there are: %s", sample->problems[0]);
            return command_fail(err);
        }
    }
    if (run->settings->group != NULL && groups == 0) {
        error_set(err, ERROR_LIMIT,
            "there is no group '%s' at %s; tapedeck lag without --group lists them",
            run->settings->group, lag_taps_at(run->taps, 0)->url);
        return command_fail(err);
    }
    for (size_t i = 0; i < run->look_count; i++) {
        if (!lag_look_has_topics(run->looks[i], err))
            return command_fail(err);
    }
    note(run, groups == 0 ? "there is no consumer group, or none that this login may describe"
                          : "no group has a commit on these topics");
    return 0;
}

static int
print_run(struct lag_run *run, struct error *err)
{
    for (size_t i = 0; i < run->look_count; i++)
        lag_look_flows(run->looks[i], take_flow, run);
    if (!print_flows(run, err))
        return command_fail(err);
    int code = run->list.count == 0 ? explain_nothing(run, err) : 0;
    if (code != 0)
        return code;
    for (size_t i = 0; i < run->look_count; i++)
        note_problems(run, run->looks[i]);
    if (run->age_unknown)
        note(run, "--max-seconds: the age of what waits is not known everywhere");
    return run->failing > 0 ? EXIT_FAIL_ON : 0;
}

/* --- what a recorder knows ---------------------------------------------------------------------- */

/* Samples older than this are told of: the recorder does not see its groups. */
#define OLD_NS (30 * NS_PER_S)

/* Nobody asked for a broker, nor for a way to look that the recorder has not. */
static bool
may_ask_recorder(const struct lag_run *run)
{
    const struct settings *settings = run->settings;
    return run->invocation->argc == 0 && settings->samples == 0 && settings->interval_ns == 0 &&
           settings->stall_ns == 0;
}

static struct lag_recorded *
ask_recorder(const struct lag_run *run)
{
    struct error ignored; /* said when the taps are looked for */
    char *directory = may_ask_recorder(run) ? invocation_tape(run->invocation, &ignored) : NULL;
    struct lag_recorded *recorded =
        directory == NULL ? NULL : lag_recorded_read(directory, run->settings->group);
    free(directory);
    return recorded;
}

static int
print_recorded(struct lag_run *run, const struct lag_recorded *recorded, struct error *err)
{
    for (size_t i = 0; i < lag_recorded_count(recorded); i++)
        take_flow(run, &lag_recorded_at(recorded, i)->flow);
    if (!print_flows(run, err))
        return command_fail(err);
    int64_t age_ns = clock_now_ns() - lag_recorded_sampled_ns(recorded);
    char text[128];
    (void)snprintf(text, sizeof(text), "from the recorder, which looked %.0f s ago%s",
        (double)age_ns / (double)NS_PER_S,
        age_ns > OLD_NS ? ": it does not see the groups now; --samples 2 asks the broker" : "");
    note(run, text);
    uint32_t unseen = run->settings->group == NULL ? lag_recorded_unseen(recorded) : 0;
    if (unseen > 0) {
        (void)snprintf(text, sizeof(text),
            "%" PRIu32 " more groups are at the broker, which the recorder asks in turn, %d at a "
            "time; --samples 2 asks all",
            unseen, LAG_SAMPLER_GROUPS);
        note(run, text);
    }
    if (run->age_unknown)
        note(run, "--max-seconds: the age of what waits is not known everywhere");
    return run->failing > 0 ? EXIT_FAIL_ON : 0;
}

static int
run_lag(const struct invocation *invocation)
{
    struct error err;
    struct lag_run run = {.invocation = invocation, .settings = invocation->settings};
    if (run.settings->samples > SAMPLES_MAX) {
        error_set(&err, ERROR_ARGUMENT, "--samples: at most %d", SAMPLES_MAX);
        return command_fail(&err);
    }
    if (!read_fail_on(&run, &err))
        return command_fail(&err);
    struct lag_recorded *recorded = ask_recorder(&run);
    if (recorded != NULL) {
        int shown = print_recorded(&run, recorded, &err);
        lag_list_done(&run.list);
        lag_recorded_free(recorded);
        return shown;
    }
    int code = open_looks(&run, &err) && take_samples(&run, &err) ? print_run(&run, &err)
                                                                  : command_fail(&err);
    lag_list_done(&run.list);
    for (size_t i = 0; i < run.look_count; i++)
        lag_look_close(run.looks[i]);
    free(run.looks);
    lag_taps_free(run.taps);
    return code;
}

static const struct option_row options[] = {
    {"group", OPTION_TEXT, offsetof(struct settings, group), "G",
        "only this group, with partitions", NULL},
    {"partitions", OPTION_FLAG, offsetof(struct settings, partitions), NULL,
        "a line for each partition", NULL},
    {"samples", OPTION_NUMBER, offsetof(struct settings, samples), "N",
        "look N times (2; more with --fail-on STALL, SLOW or WARN)", NULL},
    {"interval", OPTION_SECONDS, offsetof(struct settings, interval_ns), "S",
        "between two looks (1 s; 5 s with --fail-on)", NULL},
    {"stall-after", OPTION_SECONDS, offsetof(struct settings, stall_ns), "S",
        "a commit that stands this long while events wait is a STALL (15 s)", NULL},
    {"fail-on", OPTION_TEXT, offsetof(struct settings, fail_on), "STATES",
        "exit 10 when a partition is in one of these, such as STALL,STOP", NULL},
    {"max-seconds", OPTION_SECONDS, offsetof(struct settings, max_ns), "S",
        "exit 10 when the oldest event that waits is older", NULL},
};

const struct command command_lag = {
    .name = "lag",
    .usage = "[URL]",
    .summary = "show how far consumer groups are behind, in events and seconds, and why",
    .details = "URL is kafka://HOST:9092, or kafka://HOST:9092/TOPIC,TOPIC; without it the "
               "configured taps\n"
               "of Kafka, and what a recorder of the tape knows is shown at once, unless one of "
               "--samples,\n"
               "--interval and --stall-after is given. It only asks: no group is joined and "
               "nothing is committed. Seconds are "
               "the age of\n"
               "the oldest event that is not committed; ? is not known. The log's end counts open "
               "transactions.\n"
               "States: OK IDLE WARN SLOW STALL STOP REWIND JUMP REBALANCING UNKNOWN.",
    .examples = "tapedeck lag kafka://broker:9092\n"
                "tapedeck lag --group shipping kafka://broker:9092/orders\n"
                "tapedeck lag --fail-on STALL,STOP --max-seconds 60 --json kafka://broker:9092",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = 1,
    .run = run_lag,
};
