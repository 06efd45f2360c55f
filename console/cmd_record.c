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
#include "console/json_event.h"
#include "console/lag_sampling.h"
#include "console/log.h"
#include "console/metrics_server.h"
#include "console/notify.h"
#include "console/output.h"
#include "index/live.h"

#define LOOK_MS       50
#define FULL_RETRY_MS 500
#define PROGRESS_NS   (5 * NS_PER_S)

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

/* Why recording ended; in the summary. */
enum record_end {
    RECORD_STOPPED, /* by a signal */
    RECORD_FOR_OVER,
    RECORD_UNTIL_REACHED,
    RECORD_FAILED,
};

/* What was last said about a tap, so that only changes are said. */
struct tap_said {
    enum tap_state state;
    char error[sizeof(((struct live_tap *)NULL)->error)];
};

struct recording {
    const struct invocation *invocation;
    struct recorder *recorder;
    struct metrics_server *metrics; /* NULL: nobody asked for them */
    struct lag_sampling *sampling;  /* NULL: groups are not watched */
    char *directory;
    struct live_status *status;
    struct tap_said said[LIVE_TAPS];
    bool was_full;
    char trouble[320];  /* of the tape, as it was said last */
    int64_t started_ns; /* monotonic, like the others */
    int64_t progress_ns;
    uint64_t progress_events;
};

/* ---- what is said ---- */

static void
say_tap(const struct live_tap *tap)
{
    struct buffer pairs = {0};
    log_add_text(&pairs, "tap", tap->name);
    log_add_text(&pairs, "state", tap_state_text(tap->state));
    log_add_text(&pairs, "url", tap->url);
    if (tap->error[0] != '\0')
        log_add_text(&pairs, "reason", tap->error);
    log_say(tap->state == TAP_FAILED ? "error" : tap->error[0] != '\0' ? "warn" : "info", &pairs);
    buffer_done(&pairs);
}

static void
say_changes(struct recording *recording)
{
    const struct live_status *status = recording->status;
    for (uint32_t i = 0; i < status->tap_count; i++) {
        const struct live_tap *tap = &status->taps[i];
        struct tap_said *said = &recording->said[i];
        if (tap->state == said->state && strcmp(tap->error, said->error) == 0)
            continue;
        say_tap(tap);
        said->state = tap->state;
        memcpy(said->error, tap->error, sizeof(said->error));
    }
    if ((status->disk_full != 0) != recording->was_full) {
        recording->was_full = status->disk_full != 0;
        log_say_text(recording->was_full ? "error" : "info", "disk",
            recording->was_full ? "full: nothing is recorded until there is room"
                                : "has room again: recording goes on");
    }
}

static void
say_trouble(struct recording *recording)
{
    char trouble[sizeof(recording->trouble)] = "";
    (void)recorder_trouble(recording->recorder, trouble, sizeof(trouble));
    if (strcmp(trouble, recording->trouble) == 0)
        return;
    log_say_text(trouble[0] != '\0' ? "warn" : "info", "tape",
        trouble[0] != '\0' ? trouble : "is cared for again");
    memcpy(recording->trouble, trouble, sizeof(trouble));
}

static void
say_progress(struct recording *recording)
{
    const struct live_status *status = recording->status;
    int64_t now = clock_monotonic_ns();
    if (now < recording->progress_ns + PROGRESS_NS)
        return;
    double seconds = (double)(now - recording->progress_ns) / (double)NS_PER_S;
    struct buffer pairs = {0};
    log_add_number(&pairs, "events", status->events);
    buffer_printf(
        &pairs, " rate=%.0f", (double)(status->events - recording->progress_events) / seconds);
    log_add_number(&pairs, "bytes", status->bytes);
    log_add_number(&pairs, "dropped", status->dropped);
    log_add_number(&pairs, "queue_bytes", status->queue_bytes);
    log_say("info", &pairs);
    buffer_done(&pairs);
    recording->progress_ns = now;
    recording->progress_events = status->events;
}

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
               clock_monotonic_ns() - recording->started_ns >= settings->for_ns);
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
        if (!recording->was_full)
            log_say_text("error", "disk", "full: nothing is recorded until there is room");
        recording->was_full = true;
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
        say_changes(recording);
        say_trouble(recording);
        if (!recording->invocation->quiet)
            say_progress(recording);
        if (recorder_has_failed(recording->recorder, err))
            return RECORD_FAILED;
        if (recorder_is_finished(recording->recorder))
            return RECORD_UNTIL_REACHED;
        if (signals_pending() > 0)
            return RECORD_STOPPED;
        if (settings->for_ns > 0 &&
            clock_monotonic_ns() - recording->started_ns >= settings->for_ns)
            return RECORD_FOR_OVER;
        recorder_wait(recording->recorder, signals_fd(), LOOK_MS);
    }
}

static const char *
end_text(enum record_end end)
{
    switch (end) {
    case RECORD_STOPPED:
        return "stopped";
    case RECORD_FOR_OVER:
        return "for";
    case RECORD_UNTIL_REACHED:
        return "until";
    case RECORD_FAILED:
        return "failed";
    }
    return "failed";
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

static uint32_t
count_streams(const struct live_status *status)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < status->stream_count && i < LIVE_STREAMS; i++)
        count += status->streams[i].events > 0;
    return count;
}

static void
add_tap_json(struct buffer *to, const struct live_tap *tap)
{
    buffer_append_text(to, "{\"tap\":");
    json_append_string(to, bytes_of(tap->name));
    buffer_append_text(to, ",\"url\":");
    json_append_string(to, bytes_of(tap->url));
    buffer_printf(to, ",\"state\":\"%s\",\"reason\":", tap_state_text(tap->state));
    if (tap->error[0] == '\0')
        buffer_append_text(to, "null");
    else
        json_append_string(to, bytes_of(tap->error));
    buffer_printf(to,
        ",\"events\":\"%llu\",\"bytes\":\"%llu\",\"dropped\":\"%llu\",\"retries\":\"%llu\"}",
        (unsigned long long)tap->events, (unsigned long long)tap->bytes,
        (unsigned long long)tap->dropped, (unsigned long long)tap->retries);
}

static bool
print_json(
    const struct recording *recording, enum record_end end, double seconds, struct error *err)
{
    const struct live_status *status = recording->status;
    struct output output;
    output_start(&output, STDOUT_FILENO);
    struct buffer *to = &output.buffer;
    buffer_append_text(to, "{\"v\":1,\"done\":true,\"tape\":");
    json_append_string(to, bytes_of(recording->directory));
    buffer_printf(to,
        ",\"end\":\"%s\",\"events\":\"%llu\",\"bytes\":\"%llu\",\"streams\":%u,\"dropped\":\"%llu\""
        ",\"refused\":\"%llu\",\"end_seq\":\"%llu\",\"seconds\":%.3f,\"taps\":[",
        end_text(end), (unsigned long long)status->events, (unsigned long long)status->bytes,
        count_streams(status), (unsigned long long)status->dropped,
        (unsigned long long)status->refused_events, (unsigned long long)status->end_seq, seconds);
    for (uint32_t i = 0; i < status->tap_count; i++) {
        if (i > 0)
            buffer_append_byte(to, ',');
        add_tap_json(to, &status->taps[i]);
    }
    buffer_append_text(to, "]}\n");
    return output_finish(&output, err);
}

static void
say_summary(const struct recording *recording, enum record_end end, double seconds)
{
    const struct live_status *status = recording->status;
    struct buffer pairs = {0};
    log_add_text(&pairs, "end", end_text(end));
    log_add_text(&pairs, "tape", recording->directory);
    log_add_number(&pairs, "events", status->events);
    log_add_number(&pairs, "bytes", status->bytes);
    log_add_number(&pairs, "streams", count_streams(status));
    log_add_number(&pairs, "dropped", status->dropped);
    log_add_number(&pairs, "refused", status->refused_events);
    buffer_printf(&pairs, " seconds=%.3f rate=%.0f", seconds,
        seconds > 0 ? (double)status->events / seconds : 0.0);
    log_say("info", &pairs);
    buffer_done(&pairs);
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

/* A run to the end that recorded nothing is seldom what was meant. On a tape that knows no stream yet,
 * "resume" begins where the streams end; and no --from goes back before where the tape ends. */
static void
say_nothing_recorded(const struct recording *recording, enum record_end end)
{
    const struct record_settings *settings = recording->invocation->settings;
    const struct live_status *status = recording->status;
    if (end != RECORD_UNTIL_REACHED || settings->until == NULL ||
        strcmp(settings->until, "end") != 0 || status->events != 0)
        return;
    const char *level = status->end_seq == 0 ? "warn" : "info";
    if (settings->from != NULL)
        log_say_text(level, "nothing",
            "there is nothing new; what the tape has, or left out as a hole, is not read again: to "
            "have a stream from its beginning, record it into a new --tape");
    else if (status->end_seq == 0)
        log_say_text(level, "nothing",
            "a new tape begins at the end of its streams, and goes on there; to have what was "
            "there "
            "before, record with --from beginning into a new --tape");
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
    double seconds = (double)(clock_monotonic_ns() - recording->started_ns) / (double)NS_PER_S;
    say_changes(recording);
    say_summary(recording, end, seconds);
    say_nothing_recorded(recording, end);
    is_well = is_well && all_taps_well(recording->status, err);
    if (recording->invocation->json)
        is_well = print_json(recording, end, seconds, err) && is_well;
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
    recording->started_ns = clock_monotonic_ns();
    recording->progress_ns = recording->started_ns;
    options->directory = directory;
    if (!settings->no_lag && !config->lag.off) {
        recording->sampling = lag_sampling_new();
        options->groups = lag_sampling_rows;
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
