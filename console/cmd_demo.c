/* `tapedeck demo`: a simulated shop with faults, recorded on a temporary tape. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/lag.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "console/command.h"
#include "console/console_run.h"
#include "console/lag_sampling.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "demo/demo_report.h"
#include "demo/demo_run.h"
#include "demo/lag_watch.h"
#include "demo/shop.h"

#define SEED_DEFAULT    42
#define RATE_DEFAULT    400
#define SECONDS_DEFAULT (10 * NS_PER_S)
#define WATCH_MS        100

/* A tape of 64 MB in all, with room for what is under way when the shop stops producing. */
#define BUDGET_BYTES (UINT64_C(56) * 1000 * 1000)

struct demo_settings {
    int64_t seconds_ns;
    bool headless;
    bool keep;
    uint64_t seed;
    uint64_t rate;
};

/* Without a screen everything happens within ten seconds; with one there is time to look around
 * before the first fault and between two of them. */
static const struct fault_plan headless_plan = {
    .first_ns = 1500 * NS_PER_MS, .cycle_ns = 20 * NS_PER_S, .stall_ns = 4 * NS_PER_S};
static const struct fault_plan console_plan = {
    .first_ns = 8 * NS_PER_S, .cycle_ns = 40 * NS_PER_S, .stall_ns = 15 * NS_PER_S};

/* A terminal that goes away ends the demo like any other request to stop, so that the temporary tape
 * does not stay behind. */
static void
on_hangup(int number)
{
    (void)number;
    int saved = errno;
    (void)raise(SIGTERM);
    errno = saved;
}

static void
catch_signals(void)
{
    signals_catch();
    struct sigaction action = {.sa_handler = on_hangup};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGHUP, &action, NULL);
}

/* Make the directory of the temporary tape; freed by the caller. */
static char *
make_directory(struct error *err)
{
    const char *parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) never set here */
    char *path = alloc_format(
        "%s/tapedeck-demo.XXXXXX", parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    if (mkdtemp(path) != NULL)
        return path;
    error_set_system(err, "cannot make a directory for the demo's tape in %s (TMPDIR)",
        parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    free(path);
    return NULL;
}

/* Record until the time is over, a signal comes or something breaks. */
static bool
watch_for(struct demo *demo, int64_t duration_ns, struct error *err)
{
    int64_t end_ns = clock_monotonic_ns() + duration_ns;
    while (signals_pending() == 0) {
        if (!demo_watch(demo, err))
            return false;
        int64_t left_ns = end_ns - clock_monotonic_ns();
        if (left_ns <= 0)
            break;
        int wait_ms = left_ns < WATCH_MS * NS_PER_MS ? (int)(left_ns / NS_PER_MS) + 1 : WATCH_MS;
        struct pollfd signal = {.fd = signals_fd(), .events = POLLIN};
        (void)poll(&signal, 1, wait_ms); /* a signal that interrupts it is pending then */
    }
    return true;
}

static bool
print_report(const struct demo_report *report, const struct invocation *invocation,
    const char *kept, struct error *err)
{
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (invocation->json) {
        demo_report_json(report, kept, &output.buffer);
    } else {
        demo_report_text(report, &output.buffer);
        if (kept != NULL) {
            buffer_append_text(&output.buffer, "\nthe tape is in ");
            safe_text_append_message(&output.buffer, kept);
            buffer_append_byte(&output.buffer, '\n');
        }
    }
    return output_finish(&output, err);
}

static int
run_headless(const struct invocation *invocation, struct demo *demo, struct lag_sampling *sampling,
    const char *directory)
{
    const struct demo_settings *settings = invocation->settings;
    int64_t duration_ns = settings->seconds_ns > 0 ? settings->seconds_ns : SECONDS_DEFAULT;
    struct error err;
    bool is_recorded = watch_for(demo, duration_ns, &err);
    lag_sampling_stop(sampling);
    if (!is_recorded) {
        demo_stop(demo);
        return command_fail(&err);
    }
    struct demo_report report;
    bool is_well = demo_finish(&demo, &report, &err) &&
                   print_report(&report, invocation, settings->keep ? directory : NULL, &err);
    char complaint[320];
    if (is_well && demo_report_complaint(&report, complaint, sizeof(complaint)))
        is_well = error_set(&err, ERROR_LIMIT, "%s", complaint);
    demo_report_done(&report);
    return is_well ? 0 : command_fail(&err);
}

static int
run_console(const struct invocation *invocation, struct demo *demo, struct lag_sampling *sampling,
    const char *directory)
{
    const struct demo_settings *settings = invocation->settings;
    int code = console_run(&(struct console_options){.directory = directory,
        .title = "demo",
        .banner = "a simulated shop inside this program: nothing touches your network; its first "
                  "fault comes after 8 s",
        .color = invocation->color});
    lag_sampling_stop(sampling);
    demo_stop(demo);
    if (settings->keep) {
        struct buffer line = {0};
        buffer_append_text(&line, "the tape is in ");
        safe_text_append_message(&line, directory);
        (void)puts(buffer_text(&line));
        buffer_done(&line);
    }
    return code;
}

/* A stall of the shop is short; otherwise groups are judged as a recorder judges them. */
static bool
watch_groups(
    struct lag_sampling *sampling, struct demo *demo, const char *directory, struct error *err)
{
    struct lag_rules rules = lag_rules_default;
    rules.stall_ns = LAG_STALL_NS;
    return lag_sampling_start(sampling,
        &(struct lag_sampling_options){.recorder = demo_recorder(demo),
            .taps = demo_groups_tap(demo),
            .tap_count = 1,
            .directory = directory,
            .interval_ns = NS_PER_S,
            .rules = &rules,
            .sample = demo_sample_groups,
            .sample_self = demo},
        err);
}

static int
run_in(const struct invocation *invocation, const char *directory, bool is_headless)
{
    const struct demo_settings *settings = invocation->settings;
    struct error err;
    struct lag_sampling *sampling = lag_sampling_new();
    struct demo *demo =
        demo_start(&(struct demo_options){.directory = directory,
                       .seed = settings->seed != 0 ? settings->seed : SEED_DEFAULT,
                       .rate = settings->rate != 0 ? (uint32_t)settings->rate : RATE_DEFAULT,
                       .budget_bytes = BUDGET_BYTES,
                       .faults = is_headless ? headless_plan : console_plan,
                       .groups = lag_sampling_rows,
                       .groups_self = sampling},
            &err);
    int code = 1;
    if (demo == NULL || !watch_groups(sampling, demo, directory, &err)) {
        demo_stop(demo);
        code = command_fail(&err);
    } else if (is_headless) {
        code = run_headless(invocation, demo, sampling, directory);
    } else {
        code = run_console(invocation, demo, sampling, directory);
    }
    lag_sampling_free(sampling);
    return code;
}

static int
run_demo(const struct invocation *invocation)
{
    const struct demo_settings *settings = invocation->settings;
    struct error err;
    if (settings->rate != 0 && (settings->rate < SHOP_RATE_MIN || settings->rate > SHOP_RATE_MAX)) {
        error_set(&err, ERROR_ARGUMENT, "--rate is %d to %d events per second", SHOP_RATE_MIN,
            SHOP_RATE_MAX);
        return command_fail(&err);
    }
    bool is_headless = settings->headless || settings->seconds_ns > 0 || invocation->json ||
                       !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO);

    catch_signals();
    char *directory = make_directory(&err);
    if (directory == NULL)
        return command_fail(&err);
    int code = run_in(invocation, directory, is_headless);
    if (!settings->keep)
        file_remove_tree(directory);
    free(directory);
    return code;
}

static const struct option_row options[] = {
    {"seconds", OPTION_SECONDS, offsetof(struct demo_settings, seconds_ns), "N",
        "record this long without a screen, then print what was seen (10)", NULL},
    {"headless", OPTION_FLAG, offsetof(struct demo_settings, headless), NULL,
        "no screen, even in a terminal", NULL},
    {"rate", OPTION_NUMBER, offsetof(struct demo_settings, rate), "N",
        "events per second over all streams, about (400)", NULL},
    {"seed", OPTION_NUMBER, offsetof(struct demo_settings, seed), "N",
        "what the shop's chances are made from; the same seed, the same orders (42)", NULL},
    {"keep", OPTION_FLAG, offsetof(struct demo_settings, keep), NULL,
        "leave the temporary tape and print where it is", NULL},
};

const struct command command_demo = {
    .name = "demo",
    .usage = "",
    .summary = "watch a simulated shop with faults; needs no broker and no network",
    .details =
        "Orders, payments and shipping run in this process, on an embedded Kafka broker and with\n"
        "real consumer groups; prices come over ZeroMQ. All of it listens on loopback only. The "
        "tape\n"
        "is temporary and holds at most 64 MB: then the shop produces no more.\n"
        "Five faults happen: an order sent twice, a key that changes its partition, dropped "
        "prices,\n"
        "a payload with control bytes, and a consumer that stops reading.\n"
        "Without a screen the exit code is 0 when every fault that happened can be seen on the "
        "tape\n"
        "and no event is missing, else 1.",
    .examples = "tapedeck demo\n"
                "tapedeck demo --headless --seconds 10\n"
                "tapedeck demo --json --rate 1000 --keep",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct demo_settings),
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_demo,
};
