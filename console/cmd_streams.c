/* `tapedeck streams`: what is on the tape, stream by stream. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/coverage.h"
#include "console/damage.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "console/sizes.h"
#include "index/hole_times.h"
#include "index/live.h"
#include "index/tape.h"

struct settings {
    bool internal;
};

/* What the recorder says it is doing now; status is NULL when none records. */
struct live_view {
    struct live_status *status;
    int64_t now_ns;
};

static void
look_at_recorder(struct live_view *view, const char *directory)
{
    *view = (struct live_view){.now_ns = clock_now_ns()};
    struct error ignored; /* no page: nobody ever recorded here with one */
    struct live *live = live_open(directory, &ignored);
    if (live == NULL)
        return;
    struct live_status *status = alloc_zeroed(sizeof(*status));
    bool is_recording = false;
    if (live_read(live, status, &is_recording) && is_recording)
        view->status = status;
    else
        free(status);
    live_close(live);
}

/* Events per second over the newest minute, or since the recorder started; negative: unknown. */
static double
rate_of(const struct live_view *view, const struct stream *stream)
{
    if (view->status == NULL || stream->id >= view->status->stream_count ||
        stream->id >= LIVE_STREAMS)
        return -1.0;
    const struct live_stream *live = &view->status->streams[stream->id];
    uint64_t sum = 0;
    for (size_t i = 0; i < LIVE_RATE_SLOTS; i++)
        sum += live->rate[i];
    double seconds = (double)(view->now_ns - view->status->started_ns) / (double)NS_PER_S;
    if (seconds > LIVE_RATE_SLOTS)
        seconds = LIVE_RATE_SLOTS;
    return seconds < 1.0 ? (double)sum : (double)sum / seconds;
}

/* Add up the lanes of one stream; lanes come sorted by stream. */
static struct json_stream
sum_lanes(const struct lane_summary *lanes, size_t count)
{
    struct json_stream sum = {.stream = lanes[0].stream, .lanes = lanes, .rate = -1.0};
    while (sum.count < count && lanes[sum.count].stream == sum.stream) {
        const struct lane_summary *lane = &lanes[sum.count++];
        if (lane->events == 0)
            continue;
        if (sum.events == 0 || lane->first_ns < sum.first_ns)
            sum.first_ns = lane->first_ns;
        if (sum.events == 0 || lane->last_ns > sum.last_ns)
            sum.last_ns = lane->last_ns;
        sum.events += lane->events;
        sum.bytes += lane->bytes;
    }
    return sum;
}

/* "2 (17)": holes and the offsets in them; offsets at which there never was an event do not count. With
 * ">" in front it is more: holes that were not kept, which may be of any kind, or one whose end nobody knows. */
static void
format_holes(const struct json_stream *stream, char *text, size_t size)
{
    uint64_t holes = 0;
    uint64_t offsets = 0;
    bool are_more = false;
    bool is_longer = false;
    for (size_t i = 0; i < stream->count; i++) {
        are_more = are_more || stream->lanes[i].holes_not_kept > 0;
        for (size_t j = 0; j < stream->lanes[i].hole_count; j++) {
            const struct hole *hole = &stream->lanes[i].holes[j];
            if (hole->reason == HOLE_COMPACTED_OR_ABORTED)
                continue;
            holes++;
            is_longer = is_longer || hole->to < hole->from;
            offsets += hole->to >= hole->from ? (uint64_t)(hole->to - hole->from) + 1 : 0;
        }
    }
    const char *more = are_more ? ">" : "";
    if (holes == 0 && !are_more)
        (void)snprintf(text, size, "-");
    else if (is_longer && offsets == 0)
        (void)snprintf(text, size, "%s%" PRIu64 " (?)", more, holes);
    else
        (void)snprintf(text, size, "%s%" PRIu64 " (%s%" PRIu64 ")", more, holes,
            are_more || is_longer ? ">" : "", offsets);
}

static void
append_moment(struct buffer *to, int64_t when_ns)
{
    char text[CLOCK_TEXT_MAX];
    (void)clock_format(when_ns, text);
    if (strlen(text) > 19)
        text[19] = '\0'; /* seconds */
    buffer_printf(to, "  %-19s", text);
}

/* The lanes to list: without --internal those of the taps' streams only. */
static size_t
choose_lanes(const struct lane_summary *all, size_t count, bool internal, struct lane_summary *some)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++)
        if (!stream_is_internal(all[i].stream))
            some[chosen++] = all[i];
    for (size_t i = 0; internal && i < count; i++)
        if (stream_is_internal(all[i].stream))
            some[chosen++] = all[i];
    return chosen;
}

static int
width_of_labels(const struct lane_summary *lanes, size_t count)
{
    size_t width = strlen("STREAM");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && lanes[i].stream == lanes[i - 1].stream)
            continue;
        size_t columns = safe_text_cell_columns(lanes[i].stream->label);
        width = columns > width ? columns : width;
    }
    return width > 60 ? 60 : (int)width;
}

static void
append_row(struct buffer *to, const struct json_stream *stream, int width)
{
    char bytes[SIZES_TEXT_MAX];
    char holes[64];
    char rate[32] = "-";
    format_holes(stream, holes, sizeof(holes));
    if (stream->rate >= 0)
        (void)snprintf(rate, sizeof(rate), "%.1f", stream->rate);
    safe_text_append_cell(to, stream->stream->label, (size_t)width);
    buffer_printf(to, "  %10zu  %12" PRIu64 "  %9s  %9s", stream->count, stream->events,
        sizes_format(stream->bytes, bytes), rate);
    append_moment(to, stream->events == 0 ? CLOCK_NONE : stream->first_ns);
    append_moment(to, stream->events == 0 ? CLOCK_NONE : stream->last_ns);
    buffer_printf(to, "  %s\n", holes);
}

static void
print_streams(struct output *output, const struct lane_summary *lanes, size_t count,
    const struct hole_times *times, const struct live_view *view, bool json)
{
    int width = width_of_labels(lanes, count);
    if (!json && count > 0)
        buffer_printf(&output->buffer, "%-*s  %10s  %12s  %9s  %9s  %-19s  %-19s  %s\n", width,
            "STREAM", "PARTITIONS", "EVENTS", "BYTES", "EVENTS/S", "FIRST (UTC)", "LAST (UTC)",
            "HOLES");
    for (size_t at = 0; at < count && !output->is_gone;) {
        struct json_stream stream = sum_lanes(lanes + at, count - at);
        stream.rate = rate_of(view, stream.stream);
        stream.times = times;
        for (size_t i = 0; times != NULL && i < stream.count; i++)
            times += stream.lanes[i].hole_count;
        if (json)
            json_append_stream(&output->buffer, &stream);
        else
            append_row(&output->buffer, &stream, width);
        (void)output_line(output);
        at += stream.count;
    }
}

static int
print_tape(struct tape *tape, const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = invocation->settings;
    size_t all_count = 0;
    const struct lane_summary *all = tape_lanes(tape, &all_count, err);
    if (all == NULL)
        return command_fail(err);
    struct lane_summary *lanes = alloc_array(all_count + 1, sizeof(*lanes));
    size_t count = choose_lanes(all, all_count, settings->internal, lanes);
    if (count == 0 && !invocation->quiet)
        (void)fprintf(stderr, "tapedeck: nothing is on the tape yet; tapedeck record fills it\n");

    struct live_view view;
    look_at_recorder(&view, tape_directory(tape));
    struct output output;
    output_start(&output, STDOUT_FILENO);
    struct hole_times *times = invocation->json ? coverage_times(tape, lanes, count) : NULL;
    print_streams(&output, lanes, count, times, &view, invocation->json);
    free(times);
    free(view.status);
    free(lanes);
    return output_finish(&output, err) ? damage_report(tape) : command_fail(err);
}

static int
run_streams(const struct invocation *invocation)
{
    struct error err;
    char *directory = invocation_tape(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    struct tape *tape = tape_open(directory, &err);
    int code = tape != NULL ? print_tape(tape, invocation, &err) : command_fail(&err);
    tape_close(tape);
    free(directory);
    return code;
}

static const struct option_row options[] = {
    {"internal", OPTION_FLAG, offsetof(struct settings, internal), NULL,
        "also the streams that the recorder writes itself: @lag, @taps", NULL},
};

const struct command command_streams = {
    .name = "streams",
    .usage = "",
    .summary = "list the streams with events, bytes, rate, first and last, and holes",
    .details =
        "The rate is over the newest minute, while a recorder runs; else it is not known. "
        "Holes are\n"
        "ranges of offsets that are not on the tape, with the number of offsets in them; "
        "--json has\n"
        "each with its reason. \">\" stands before both where a partition has more holes than "
        "are kept\nof one.",
    .examples = "tapedeck streams\n"
                "tapedeck streams --internal\n"
                "tapedeck streams --json --tape /var/lib/tapedeck",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_streams,
};
