/* `tapedeck search`: matches newest first, with how many there are of what. */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/facets.h"
#include "console/query_run.h"
#include "console/safe_text.h"
#include "index/event.h"
#include "index/tape.h"

/* As many as one looks at on a terminal. */
#define TERMINAL_LIMIT 100
/* Facets in the summary on stderr; --json has all. */
#define SUMMARY_LINES 10

struct settings {
    bool count;
    uint64_t limit;
    uint64_t bytes;
};

static const struct option_row options[] = {
    {"count", OPTION_FLAG, offsetof(struct settings, count), NULL,
        "print only how many match, not the events", NULL},
    {"limit", OPTION_NUMBER, offsetof(struct settings, limit), "N",
        "stop behind N matches; 0, the default: 100 on a terminal, else all", NULL},
    {"bytes", OPTION_NUMBER, offsetof(struct settings, bytes), "N",
        "show N bytes of each payload in a plain line; 0: 160, the default", NULL},
};

/* Counted while searching: lanes by stream id and partition, and event types where there are any. */
struct summary {
    struct facets *lanes;
    struct facets *types;
};

static void
count_event(struct summary *summary, const struct event *event)
{
    unsigned char lane[8];
    store_u32(lane, event->stream->id);
    store_u32(lane + 4, (uint32_t)event->partition);
    facets_count(summary->lanes, bytes_make(lane, sizeof(lane)));

    struct event_identity identity;
    event_identify(event, &identity);
    if (identity.type.data != NULL)
        facets_count(summary->types, identity.type);
}

static const struct stream *
lane_of(const struct tape *tape, struct bytes value, uint32_t *partition)
{
    uint32_t id = load_u32(value.data);
    *partition = load_u32(value.data + 4);
    for (size_t i = 0; i < tape_stream_count(tape); i++) {
        if (tape_stream(tape, i)->id == id)
            return tape_stream(tape, i);
    }
    return NULL;
}

static void
append_lane_line(struct buffer *to, const struct tape *tape, const struct facet *facet)
{
    uint32_t partition = 0;
    const struct stream *stream = lane_of(tape, facet->value, &partition);
    if (stream == NULL)
        return;
    buffer_append_text(to, "{\"v\":1,\"facet\":\"lane\",\"tap\":");
    json_append_string(to, bytes_of(stream->tap));
    buffer_append_text(to, ",\"stream\":");
    json_append_string(to, bytes_of(stream->name));
    buffer_printf(to, ",\"partition\":%" PRIu32 ",\"count\":", partition);
    json_append_u64(to, facet->count);
    buffer_append_text(to, "}\n");
}

static void
append_facet_lines(struct query_run *run, struct summary *summary)
{
    struct buffer *to = &run->output.buffer;
    size_t count = 0;
    const struct facet *facets = facets_sorted(summary->lanes, &count);
    for (size_t i = 0; i < count; i++) {
        append_lane_line(to, run->tape, &facets[i]);
        (void)output_line(&run->output);
    }
    facets = facets_sorted(summary->types, &count);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(to, "{\"v\":1,\"facet\":\"type\",\"type\":");
        json_append_bytes(to, facets[i].value);
        buffer_append_text(to, ",\"count\":");
        json_append_u64(to, facets[i].count);
        buffer_append_text(to, "}\n");
        (void)output_line(&run->output);
    }
}

static void
append_plain_facets(struct buffer *to, const struct tape *tape, struct facets *facets, bool lanes)
{
    size_t count = 0;
    const struct facet *sorted = facets_sorted(facets, &count);
    for (size_t i = 0; i < count && i < SUMMARY_LINES; i++) {
        buffer_printf(to, "  %10" PRIu64 "  ", sorted[i].count);
        uint32_t partition = 0;
        const struct stream *stream = lanes ? lane_of(tape, sorted[i].value, &partition) : NULL;
        if (stream != NULL) {
            (void)safe_text_append(to, bytes_of(stream->label), 0);
            buffer_printf(to, "[%" PRIu32 "]", partition);
        } else {
            buffer_append_text(to, "type ");
            (void)safe_text_append(to, sorted[i].value, 80);
        }
        buffer_append_byte(to, '\n');
    }
    uint64_t rest = facets_other(facets);
    for (size_t i = SUMMARY_LINES; i < count; i++)
        rest += sorted[i].count;
    if (rest > 0)
        buffer_printf(to, "  %10" PRIu64 "  other %s\n", rest, lanes ? "lanes" : "types");
}

/* For people, on stderr, so that stdout holds the matches alone. */
static void
print_summary(struct query_run *run, struct summary *summary)
{
    struct output output;
    output_start(&output, STDERR_FILENO);
    char duration[CLOCK_TEXT_MAX];
    (void)clock_format_duration(clock_monotonic_ns() - run->started_ns, duration);
    buffer_printf(&output.buffer, "tapedeck: %" PRIu64 " match%s in %s\n", run->matched,
        run->matched == 1 ? "" : "es", duration);
    append_plain_facets(&output.buffer, run->tape, summary->lanes, true);
    append_plain_facets(&output.buffer, run->tape, summary->types, false);
    struct error ignored; /* there is nowhere left to report to */
    (void)output_finish(&output, &ignored);
}

static void
print_result(struct query_run *run, struct summary *summary, bool count_only)
{
    if (run->output.is_gone)
        return;
    progress_clear(&run->progress);
    if (run->invocation->json) {
        append_facet_lines(run, summary);
        return;
    }
    if (count_only)
        buffer_printf(&run->output.buffer, "%" PRIu64 "\n", run->matched);
    (void)output_flush(&run->output);
    if (!run->invocation->quiet)
        print_summary(run, summary);
}

static uint64_t
limit_of(const struct settings *settings, const struct invocation *invocation)
{
    if (settings->limit > 0)
        return settings->limit;
    bool is_looked_at = !settings->count && !invocation->json && isatty(STDOUT_FILENO) == 1;
    return is_looked_at ? TERMINAL_LIMIT : 0;
}

static int
run_search(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct query_run run;
    int code = query_run_open(&run, invocation,
        &(struct query_run_options){
            .newest_first = true,
            .limit = limit_of(settings, invocation),
            .payload_limit = settings->bytes == 0 ? QUERY_RUN_PAYLOAD_BYTES : settings->bytes,
            .shows_no_events = settings->count,
            .needs_no_payloads = settings->count,
        });
    if (code != 0)
        return code;

    struct summary summary = {.lanes = facets_new(), .types = facets_new()};
    struct error err;
    struct event event;
    enum query_run_step step = query_run_next(&run, &event, &err);
    for (; step == QUERY_RUN_EVENT; step = query_run_next(&run, &event, &err))
        count_event(&summary, &event);
    if (step != QUERY_RUN_FAILED)
        print_result(&run, &summary, settings->count);
    facets_free(summary.lanes);
    facets_free(summary.types);

    bool was_stopped = run.was_stopped;
    code = query_run_done(&run, step == QUERY_RUN_FAILED ? &err : NULL);
    return code == 0 && was_stopped ? 1 : code;
}

const struct command command_search = {
    .name = "search",
    .usage = "QUERY...",
    .summary = "find events, newest first, and count what they are",
    .details = "Prints the matches as tapedeck events does, and on stderr how many there are by "
               "stream and\n"
               "partition and by event type. Ctrl-C stops and keeps what was found (exit code 1).\n"
               "--json prints the events, then a line per facet, then the done line.",
    .examples = "tapedeck search 'payload~\"declined\"' since -1h\n"
                "tapedeck search --count key=o-417\n"
                "tapedeck search --json 'trace=4bf92f3577b34da6a3ce929d0e0e4736'",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 1,
    .max_arguments = -1,
    .run = run_search,
};
