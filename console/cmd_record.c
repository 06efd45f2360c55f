/* tapedeck record - taps to tape, until told to stop. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/recorder.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/lag_sampling.h"
#include "console/log.h"
#include "console/metrics_server.h"
#include "console/notify.h"
#include "console/record_told.h"
#include "index/live.h"

#define LOOK_MS       50
#define FULL_RETRY_MS 500

struct record_settings {
    const char *from;
    const char *isolation;
    const char *group;
    const char *until;
    int64_t for_ns;
    const char *durability;
    const char *proxy;
    const char *metrics;
    bool no_lag;
};

struct recording {
    const struct invocation *invocation;
    struct recorder *recorder;
    struct metrics_server *metrics; /* NULL: nobody asked for them */
    struct lag_sampling *sampling;  /* NULL: groups are not watched */
    char *directory;
    struct live_status *status;
    struct record_told told;
};

/* ---- options ---- */

static bool
read_until(const char *text, struct recorder_options *options, struct error *err)
{
    options->until = UNTIL_STOPPED;
    if (text == NULL)
        return true;
    if (strcmp(text, "end") == 0) {
        options->until = UNTIL_END;
        return true;
    }
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits)) {
        errno = 0;
        unsigned long long count = strtoull(digits, NULL, 10);
        if (errno != 0 || count == 0 || text[0] == '-')
            return error_set(err, ERROR_ARGUMENT,
                "--until %.40s: the number of events must be 1 to 18446744073709551615", text);
        options->until = UNTIL_EVENTS;
        options->until_events = count;
        return true;
    }
    options->until = UNTIL_TIME;
    if (clock_parse(text, strlen(text), clock_now_ns(), &options->until_ns, err))
        return true;
    return error_wrap(err, "--until takes 'end', a number of events or a time");
}

static enum durability
read_durability(const char *text, enum durability configured)
{
    if (text == NULL)
        return configured;
    if (strcmp(text, "kernel") == 0)
        return DURABILITY_KERNEL;
    return strcmp(text, "each") == 0 ? DURABILITY_EACH : DURABILITY_INTERVAL;
}

/* What is recorded: `list` points into the others. */
struct chosen {
    struct config_taps configured;
    char *proxy_url; /* NULL: no --proxy */
    struct recorder_tap *list;
    size_t count;
};

static void
chosen_done(struct chosen *chosen)
{
    free(chosen->list);
    free(chosen->proxy_url);
    config_taps_done(&chosen->configured);
}

/* Transactions are Kafka's. */
static bool
isolate(struct chosen *chosen, const char *isolation, struct error *err)
{
    size_t meant = 0;
    for (size_t i = 0; i < chosen->count; i++) {
        if (strncmp(chosen->list[i].url, "kafka://", strlen("kafka://")) != 0)
            continue;
        chosen->list[i].isolation = isolation;
        meant++;
    }
    return meant > 0 || error_set(err, ERROR_ARGUMENT,
                            "--isolation has no meaning: no tap of Kafka is to be recorded");
}

/* The taps of the command line, else the configured ones. Both lists are empty when nobody named any:
 * then the error says what to type. */
static bool
choose_taps(const struct invocation *invocation, const struct config *config, struct chosen *chosen,
    struct error *err)
{
    const struct record_settings *settings = invocation->settings;
    size_t urls = (size_t)invocation->argc;
    if (settings->proxy != NULL)
        chosen->proxy_url = alloc_format("zmq+proxy://%s", settings->proxy);
    bool is_named = urls > 0 || chosen->proxy_url != NULL;
    if (settings->group != NULL && urls == 0)
        return error_set(err, ERROR_ARGUMENT,
            "--group is for the URLs of the command line; a configured tap has mode = group and "
            "group = NAME");
    if (!is_named && !config_taps(config, &chosen->configured, err))
        return false;
    if (!is_named && chosen->configured.count == 0)
        return error_set(err, ERROR_ARGUMENT,
            "nothing to record: name a URL, such as: tapedeck record "
            "kafka://localhost:9092/orders (or configure taps, see tapedeck.conf(5))");

    chosen->list = alloc_array(urls + chosen->configured.count + 1, sizeof(chosen->list[0]));
    for (size_t i = 0; i < urls; i++)
        chosen->list[chosen->count++] =
            (struct recorder_tap){.url = invocation->argv[i], .group = settings->group};
    if (chosen->proxy_url != NULL)
        chosen->list[chosen->count++] = (struct recorder_tap){.url = chosen->proxy_url};
    for (size_t i = 0; i < chosen->configured.count; i++)
        chosen->list[chosen->count++] = chosen->configured.taps[i];
    for (size_t i = 0; settings->from != NULL && i < chosen->count; i++)
        chosen->list[i].from = settings->from;
    return settings->isolation == NULL || isolate(chosen, settings->isolation, err);
}

/* ---- recording ---- */

/* A second signal: what was acknowledged is with the kernel, the rest can be read again. */
static void
stop_at_once(int number)
{
    (void)number;
    _exit(1);
}

static void
arm_second_signal(void)
{
    struct sigaction action = {.sa_handler = stop_at_once};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    if (signals_pending() > 1)
        stop_at_once(0);
}

/* Nobody wants to wait any longer. */
static bool
must_end(const struct recording *recording)
{
    const struct record_settings *settings = recording->invocation->settings;
    return signals_pending() > 0 ||
           (settings->for_ns > 0 &&
               clock_monotonic_ns() - recording->told.started_ns >= settings->for_ns);
}

/* A full disk ends nobody's recording: while it is running it waits for room (the indexer does), and so it does
 * when it starts. False with the reason; ERROR_DISK_FULL when the wait was ended before there was room. */
static bool
start_when_there_is_room(
    struct recording *recording, const struct recorder_options *options, struct error *err)
{
    while ((recording->recorder = recorder_start(options, err)) == NULL) {
        if (err->code != ERROR_DISK_FULL || must_end(recording) ||
            (options->until_ns > 0 && clock_now_ns() >= options->until_ns))
            return false;
        record_told_disk(&recording->told, true);
        struct pollfd signals = {.fd = signals_fd(), .events = POLLIN};
        (void)poll(&signals, 1, FULL_RETRY_MS);
    }
    return true;
}

static enum record_end
wait_for_end(struct recording *recording, struct error *err)
{
    const struct record_settings *settings = recording->invocation->settings;
    for (;;) {
        recorder_status(recording->recorder, recording->status);
        record_told_changes(&recording->told, recording->status);
        record_told_trouble(&recording->told, recording->recorder);
        if (!recording->invocation->quiet)
            record_told_progress(&recording->told, recording->status);
        if (recorder_has_failed(recording->recorder, err))
            return RECORD_FAILED;
        if (recorder_is_finished(recording->recorder))
            return RECORD_UNTIL_REACHED;
        if (signals_pending() > 0)
            return RECORD_STOPPED;
        if (settings->for_ns > 0 &&
            clock_monotonic_ns() - recording->told.started_ns >= settings->for_ns)
            return RECORD_FOR_OVER;
        recorder_wait(recording->recorder, signals_fd(), LOOK_MS);
    }
}

/* The page was published a last time when everything was on the tape. */
static void
read_last_page(struct recording *recording)
{
    struct error err;
    bool is_recording;
    struct live *live = live_open(recording->directory, &err);
    if (live == NULL)
        return;
    (void)live_read(live, recording->status, &is_recording);
    live_close(live);
}

/* A tap that failed for good is no success, also when the others reached their end. */
static bool
all_taps_well(const struct live_status *status, struct error *err)
{
    for (uint32_t i = 0; i < status->tap_count; i++)
        if (status->taps[i].state == TAP_FAILED)
            return error_set(
                err, ERROR_REMOTE, "tap '%s': %s", status->taps[i].name, status->taps[i].error);
    return true;
}

static int
run_recorder(struct recording *recording, struct error *err)
{
    const char *repairs = recorder_repairs(recording->recorder);
    if (repairs != NULL)
        log_say_text("warn", "repaired", repairs);
    log_say_text("info", "recording", recording->directory);
    if (recording->metrics != NULL) {
        struct buffer pairs = {0};
        log_add_number(&pairs, "metrics_port", metrics_server_port(recording->metrics));
        log_say("info", &pairs);
        buffer_done(&pairs);
    }
    notify_manager("READY=1");

    enum record_end end = wait_for_end(recording, err);
    bool is_well = end != RECORD_FAILED;
    notify_manager("STOPPING=1");
    arm_second_signal();
    if (recording->sampling != NULL)
        lag_sampling_stop(recording->sampling);
    struct error why_not;
    bool is_whole = recorder_stop(recording->recorder, &why_not);
    if (is_well && !is_whole)
        *err = why_not;
    is_well = is_well && is_whole;

    read_last_page(recording);
    const struct record_settings *settings = recording->invocation->settings;
    bool is_to_the_end = settings->until != NULL && strcmp(settings->until, "end") == 0;
    record_told_changes(&recording->told, recording->status);
    record_told_end(
        &recording->told, recording->status, end, is_to_the_end, settings->from != NULL);
    is_well = is_well && all_taps_well(recording->status, err);
    if (recording->invocation->json)
        is_well = record_told_json(&recording->told, recording->status, end, err) && is_well;
    return is_well ? 0 : command_fail(err);
}

/* Recording does not depend on it: what is wrong is told, no more. */
static void
watch_groups(struct recording *recording, const struct recorder_options *options,
    const struct config_lag *lag)
{
    struct error err;
    if (recording->sampling == NULL ||
        lag_sampling_start(recording->sampling,
            &(struct lag_sampling_options){.recorder = recording->recorder,
                .taps = options->taps,
                .tap_count = options->tap_count,
                .directory = options->directory,
                .pattern = lag->groups,
                .interval_ns = lag->interval_ns},
            &err))
        return;
    log_say_text("warn", "lag", err.text);
}

static int
start_and_run(const struct invocation *invocation, struct recorder_options *options,
    char *directory, const struct config *config, struct error *err)
{
    const struct record_settings *settings = invocation->settings;
    const char *listen_at = settings->metrics != NULL ? settings->metrics : config->metrics_listen;
    struct recording *recording = alloc_zeroed(sizeof(*recording));
    recording->invocation = invocation;
    recording->directory = directory;
    recording->status = alloc_zeroed(sizeof(*recording->status));
    record_told_start(&recording->told, directory);
    options->directory = directory;
    if (!settings->no_lag && !config->lag.off) {
        recording->sampling = lag_sampling_new();
        options->groups = lag_sampling_rows;
        options->groups_unseen = lag_sampling_unseen;
        options->groups_self = recording->sampling;
    }

    signals_catch();
    if (listen_at != NULL)
        recording->metrics = metrics_server_start(listen_at, directory, err);
    bool has_started = (listen_at == NULL || recording->metrics != NULL) &&
                       start_when_there_is_room(recording, options, err);
    if (has_started)
        watch_groups(recording, options, &config->lag);
    int code = has_started ? run_recorder(recording, err) : command_fail(err);
    metrics_server_stop(recording->metrics);
    lag_sampling_free(recording->sampling);
    free(recording->status);
    free(recording);
    return code;
}

static int
run(const struct invocation *invocation)
{
    const struct record_settings *settings = invocation->settings;
    struct error err;
    struct config config = {0};
    struct chosen chosen = {0};
    struct recorder_options options = {0};
    if (!config_load(invocation->config, &config, &err))
        return command_fail(&err);

    int code;
    char *directory = NULL;
    options.tape = config.tape.writer;
    options.tape.durability = read_durability(settings->durability, options.tape.durability);
    if (read_until(settings->until, &options, &err) &&
        choose_taps(invocation, &config, &chosen, &err) &&
        (directory = invocation_tape(invocation, &err)) != NULL) {
        options.taps = chosen.list;
        options.tap_count = chosen.count;
        code = start_and_run(invocation, &options, directory, &config, &err);
    } else {
        code = command_fail(&err);
    }

    free(directory);
    chosen_done(&chosen);
    config_free(&config);
    return code;
}

static const struct option_row options[] = {
    {"from", OPTION_TEXT, offsetof(struct record_settings, from), "WHERE",
        "resume (where the tape ends, else end), beginning, end, a time or offsets; never before "
        "where the tape ends",
        NULL},
    {"isolation", OPTION_TEXT, offsetof(struct record_settings, isolation), "LEVEL",
        "of Kafka's transactions: leave aborted and open ones out, or record all events",
        "read_committed|read_uncommitted"},
    {"group", OPTION_TEXT, offsetof(struct record_settings, group), "NAME",
        "share the topics with other recorders of this consumer group, and commit there", NULL},
    {"until", OPTION_TEXT, offsetof(struct record_settings, until), "WHEN",
        "end (as it is now), a time, or a number of events; then stop", NULL},
    {"for", OPTION_SECONDS, offsetof(struct record_settings, for_ns), "SECONDS",
        "stop after this long; 0: never, the default", NULL},
    {"proxy", OPTION_TEXT, offsetof(struct record_settings, proxy), "ADDRESSES",
        "stand between ZeroMQ publishers and subscribers: HOST:PORT,HOST:PORT", NULL},
    {"metrics", OPTION_TEXT, offsetof(struct record_settings, metrics), "ADDRESS",
        "serve metrics for Prometheus at /metrics, such as 127.0.0.1:9464", NULL},
    {"no-lag", OPTION_FLAG, offsetof(struct record_settings, no_lag), NULL,
        "do not watch the consumer groups of what is recorded", NULL},
    {"durability", OPTION_TEXT, offsetof(struct record_settings, durability), "WHAT",
        "when to fdatasync: never ourselves, every 200 ms, for each batch", "kernel|interval|each"},
};

const struct command command_record = {
    .name = "record",
    .usage = "[URL...]",
    .summary = "record taps until stopped",
    .details =
        "Without a URL the configured taps are recorded. URLs:\n"
        "  kafka://host:9092,host2:9092/orders,payments   topics, without a consumer group\n"
        "  kafka://host:9092/^orders-.*                   topics by expression, new ones too\n"
        "  zmq://host:5556/prefix                         a publisher; no prefix: everything\n"
        "  zmq+ipc:///run/shop.sock#prefix\n"
        "  zmq+bind://HOST:PORT/prefix                    publishers connect to us\n"
        "  zmq+pull://host:5557/name                      the capture socket of a proxy\n"
        "  zmq+proxy://HOST:PORT,HOST:PORT/prefix         see --proxy\n"
        "Watching changes nothing: no group is joined, nothing is committed or created. With "
        "--group\n"
        "offsets of that group, and only those, are committed, behind what is on the tape.\n"
        "The log is on stderr; --quiet leaves out its line of progress.\n"
        "SIGINT or SIGTERM stops when what was received is on the tape, a second one at once.",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct record_settings),
    .min_arguments = 0,
    .max_arguments = -1,
    .changes_tape = true,
    .run = run,
};
