/* `tapedeck tape holes`: what is not on the tape, and what it was. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/damage.h"
#include "console/hole_explain.h"
#include "console/hole_print.h"
#include "console/hole_rows.h"
#include "console/output.h"
#include "console/query_run.h"
#include "console/sizes.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/query.h"
#include "index/tape.h"

struct settings {
    bool explain;
    const char *url;
    uint64_t max_bytes;
    int64_t wait_ns;
};

/* What was found, and what the brokers said when they were asked. */
struct holes_run {
    const struct invocation *invocation;
    const struct settings *settings;
    struct tape *tape;
    struct hole_rows rows;
    struct hole_explain_result result;
    int64_t started_ns;
};

static bool
is_complete(const struct holes_run *run, const struct hole_sum *sum)
{
    const struct tape_damage *damage;
    return !run->rows.are_cut && tape_damage(run->tape, &damage) == 0 &&
           (!run->settings->explain || sum->is_explained);
}

static void
remark(const struct holes_run *run, const struct hole_sum *sum)
{
    struct output output;
    struct error ignored; /* the rows are there */
    char bytes[SIZES_TEXT_MAX];
    output_start(&output, STDERR_FILENO);
    buffer_append_text(&output.buffer, "tapedeck: ");
    hole_print_sum(&output.buffer, &run->rows, sum, run->settings->explain);
    if (run->settings->explain)
        buffer_printf(&output.buffer, "; read %" PRIu64 " event%s, %s", run->result.cost.events,
            run->result.cost.events == 1 ? "" : "s", sizes_format(run->result.cost.bytes, bytes));
    buffer_append_byte(&output.buffer, '\n');
    (void)output_finish(&output, &ignored);
}

static bool
print_rows(struct holes_run *run, const struct hole_sum *sum, struct error *err)
{
    struct output output;
    output_start(&output, STDOUT_FILENO);
    size_t width = run->invocation->json ? 0 : hole_print_width(&run->rows);
    if (!run->invocation->json && run->rows.count > 0)
        hole_print_heads(&output.buffer, width);
    for (size_t i = 0; i < run->rows.count && output_line(&output); i++) {
        if (run->invocation->json)
            hole_print_json(&output.buffer, &run->rows.items[i]);
        else
            hole_print_row(&output.buffer, &run->rows.items[i], width);
    }
    if (run->invocation->json)
        hole_print_json_done(&output.buffer, &run->rows, sum,
            run->settings->explain ? &run->result : NULL, is_complete(run, sum),
            clock_monotonic_ns() - run->started_ns);
    return output_finish(&output, err);
}

/* The first hole of which something is unknown. */
static const struct hole_row *
first_unknown(const struct hole_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct hole_explanation *explanation = rows->items[i].explanation;
        if (explanation == NULL || explanation->why[0] != '\0')
            return &rows->items[i];
    }
    return NULL;
}

/* The brokers were asked, and some of it is not known all the same; or the list has not all. */
static int
report_incomplete(const struct holes_run *run, const struct hole_sum *sum)
{
    struct error err;
    const struct hole_row *row = run->settings->explain ? first_unknown(&run->rows) : NULL;
    if (row != NULL && sum->counts[HOLE_CAUSE_UNKNOWN] > 0)
        (void)error_set(&err, ERROR_LIMIT,
            "not complete: %" PRIu64 " offset%s stay%s unknown, first of %.100s[%" PRId32 "]: %s",
            sum->counts[HOLE_CAUSE_UNKNOWN], sum->counts[HOLE_CAUSE_UNKNOWN] == 1 ? "" : "s",
            sum->counts[HOLE_CAUSE_UNKNOWN] == 1 ? "s" : "", row->lane->stream->label,
            row->lane->partition, row->explanation == NULL ? "not asked" : row->explanation->why);
    else if (row != NULL)
        (void)error_set(&err, ERROR_LIMIT,
            "not complete: a hole of %.100s[%" PRId32 "] is unknown: %s", row->lane->stream->label,
            row->lane->partition, row->explanation == NULL ? "not asked" : row->explanation->why);
    else if (run->rows.are_cut)
        (void)error_set(&err, ERROR_LIMIT,
            "not complete: a partition has more than %u holes; the others are not here",
            LANE_HOLES_MAX);
    else
        return 0;
    return command_fail(&err);
}

static int
show(struct holes_run *run, const struct query *query)
{
    struct error err;
    const struct settings *settings = run->settings;
    struct hole_explain_options options = {.url = settings->url,
        .limits = {.bytes = settings->max_bytes, .duration_ns = settings->wait_ns}};
    if (!hole_rows_find(&run->rows, run->tape, query, &err))
        return command_fail(&err);
    if (settings->explain &&
        !hole_explain(run->tape, &run->rows, run->invocation, &options, &run->result, &err))
        return command_fail(&err);
    struct hole_sum sum = hole_rows_sum(&run->rows);
    bool is_written = print_rows(run, &sum, &err);
    if (!run->invocation->json && !run->invocation->quiet)
        remark(run, &sum);
    int code = damage_report(run->tape); /* what is not read may have had holes in it */
    if (!is_written)
        return command_fail(&err);
    if (run->result.failure.code != ERROR_NONE)
        return command_fail(&run->result.failure);
    return code != 0 ? code : report_incomplete(run, &sum);
}

static int
open_and_show(struct holes_run *run, const struct query *query)
{
    struct error err;
    char *directory = invocation_tape(run->invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    run->tape = tape_open(directory, &err);
    int code = run->tape != NULL ? show(run, query) : command_fail(&err);
    hole_rows_done(&run->rows);
    tape_close(run->tape);
    free(directory);
    return code;
}

static int
run_tape_holes(const struct invocation *invocation)
{
    struct error err;
    size_t column = 0;
    struct holes_run run = {.invocation = invocation,
        .settings = invocation->settings,
        .started_ns = clock_monotonic_ns()};
    if (!run.settings->explain &&
        (run.settings->url != NULL || run.settings->max_bytes > 0 || run.settings->wait_ns > 0)) {
        (void)error_set(&err, ERROR_ARGUMENT, "--url, --max-bytes and --wait go with --explain");
        return command_fail(&err);
    }
    char *text = query_run_join(invocation->argc, invocation->argv);
    struct query *query = query_compile(text, clock_now_ns(), &column, &err);
    int code;
    if (query == NULL) {
        code = command_fail(&err);
        query_run_caret(text, column);
    } else {
        code = open_and_show(&run, query);
    }
    query_free(query);
    free(text);
    return code;
}

static const struct option_row options[] = {
    {"explain", OPTION_FLAG, offsetof(struct settings, explain), NULL,
        "ask the brokers what is at the offsets", NULL},
    {"url", OPTION_TEXT, offsetof(struct settings, url), "URL",
        "the broker to ask, kafka://HOST:9092; else those of the configured taps", NULL},
    {"max-bytes", OPTION_BYTES, offsetof(struct settings, max_bytes), "N",
        "read no more than that from each broker; 64M unless given", NULL},
    {"wait", OPTION_SECONDS, offsetof(struct settings, wait_ns), "S",
        "nor longer than that, once it has answered; 10 s", NULL},
};

const struct command command_tape_holes = {
    .name = "tape holes",
    .usage = "[QUERY]",
    .summary = "list the offsets that are not on the tape, and say what they are",
    .details = "A query narrows by tap, stream, partition, offset and time; what else it says "
               "cannot be\n"
               "told of events that are not there. Asking a broker changes nothing there, nor on "
               "the tape.",
    .examples = "tapedeck tape holes\n"
                "tapedeck tape holes stream=orders partition=3 since -1h\n"
                "tapedeck tape holes --explain\n"
                "tapedeck tape holes --explain --url kafka://broker:9092 --json",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = -1,
    .run = run_tape_holes,
};
