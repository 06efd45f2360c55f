/* `tapedeck events`: the events that match a query, as lines. */

#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "console/command.h"
#include "console/query_run.h"
#include "index/event.h"
#include "index/tape.h"

struct settings {
    bool follow;
    bool newest;
    const char *order;
    uint64_t limit;
    uint64_t bytes;
};

static const struct option_row options[] = {
    {"follow", OPTION_FLAG, offsetof(struct settings, follow), NULL,
        "go on with what is recorded from now on, until interrupted", NULL},
    {"order", OPTION_TEXT, offsetof(struct settings, order), "ORDER",
        "as received (seq, the default), by event time, or by stream, partition and offset",
        "seq|time|offset"},
    {"newest", OPTION_FLAG, offsetof(struct settings, newest), NULL, "newest first", NULL},
    {"limit", OPTION_NUMBER, offsetof(struct settings, limit), "N",
        "stop behind N matches; 0: all of them, the default", NULL},
    {"bytes", OPTION_NUMBER, offsetof(struct settings, bytes), "N",
        "show N bytes of each payload in a plain line; 0: 160, the default", NULL},
};

static enum cursor_order
order_of(const char *text)
{
    if (text != NULL && strcmp(text, "time") == 0)
        return CURSOR_BY_TIME;
    if (text != NULL && strcmp(text, "offset") == 0)
        return CURSOR_BY_OFFSET;
    return CURSOR_BY_SEQ;
}

static bool
check_settings(const struct settings *settings, struct error *err)
{
    if (settings->follow && settings->newest)
        return error_set(err, ERROR_ARGUMENT, "--follow goes forward: leave --newest out");
    if (settings->follow && order_of(settings->order) != CURSOR_BY_SEQ)
        return error_set(err, ERROR_ARGUMENT,
            "--follow shows events as they are received: leave --order %s out", settings->order);
    return true;
}

/* Wait until the tape grew, a signal came or the reader left; at most a second, because not every
 * file system tells about changes. */
static bool
wait_for_more(struct query_run *run, struct error *err)
{
    struct pollfd slots[] = {
        {.fd = tape_wait_fd(run->tape), .events = POLLIN},
        {.fd = signals_fd(), .events = POLLIN},
        {.fd = run->output.fd, .events = 0},
    };
    (void)poll(slots, sizeof(slots) / sizeof(slots[0]), 1000);
    tape_wait(run->tape, 0);
    return tape_refresh(run->tape, err);
}

/* Returns QUERY_RUN_FAILED, or QUERY_RUN_END when it is over. */
static enum query_run_step
walk(struct query_run *run, bool follow, struct error *err)
{
    for (;;) {
        struct event event;
        switch (query_run_next(run, &event, err)) {
        case QUERY_RUN_EVENT:
            break;
        case QUERY_RUN_FAILED:
            return QUERY_RUN_FAILED;
        case QUERY_RUN_STOPPED:
            return QUERY_RUN_END;
        case QUERY_RUN_END:
            if (!follow || !output_flush(&run->output) || output_reader_left(&run->output))
                return QUERY_RUN_END;
            if (signals_pending() == 0 && !wait_for_more(run, err))
                return QUERY_RUN_FAILED;
            /* At the end of a tape that is followed, being told to stop is how it ends. */
            if (signals_pending() > 0)
                return QUERY_RUN_END;
            break;
        }
    }
}

static int
run_events(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct error err;
    if (!check_settings(settings, &err))
        return command_fail(&err);

    struct query_run run;
    int code = query_run_open(&run, invocation,
        &(struct query_run_options){
            .order = order_of(settings->order),
            .newest_first = settings->newest,
            .limit = settings->limit,
            .follows = settings->follow,
            .payload_limit = settings->bytes == 0 ? QUERY_RUN_PAYLOAD_BYTES : settings->bytes,
        });
    if (code != 0)
        return code;
    if (settings->follow)
        run.progress.is_off = true;
    bool failed = walk(&run, settings->follow, &err) == QUERY_RUN_FAILED;
    bool was_stopped = run.was_stopped && !settings->follow;
    code = query_run_done(&run, failed ? &err : NULL);
    return code == 0 && was_stopped ? 1 : code;
}

const struct command command_events = {
    .name = "events",
    .usage = "[QUERY...]",
    .summary = "print the events that match a query, as lines or as JSON",
    .details =
        "Oldest first, as they were received. The words of QUERY are joined by blanks; without "
        "one\n"
        "every event is printed. tapedeck-query(7) has the language. A plain line is\n"
        "TIME STREAM[PARTITION]@OFFSET KEY PAYLOAD; bytes that are not printable are shown as "
        "\\xNN.\n"
        "--json prints everything, exactly, and ends with a line {\"done\":true, ...} that says\n"
        "whether it is complete and which offsets were never recorded.",
    .examples = "tapedeck events stream=orders key=o-417\n"
                "tapedeck events --json 'value.amount>100 and not type=*.retry' since -15m\n"
                "tapedeck events --follow since now\n"
                "tapedeck events --order time --newest --limit 20",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = -1,
    .run = run_events,
};
