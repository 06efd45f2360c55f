#include "console/metrics.h"

#include <stdbool.h>

#include "analysis/lag.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "console/utf8.h"
#include "index/event.h"
#include "index/live.h"

/* Whole seconds behind us that a rate is the mean of; the current one is not over. */
#define RATE_SECONDS 10u

static void
begin_family(struct buffer *to, const char *name, const char *type, const char *help)
{
    buffer_printf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line break are escaped. What Prometheus would take and a terminal
 * might obey, or what is not UTF-8, is written in hex, so that two names stay two series. */
static void
add_label(struct buffer *to, const char *name, const char *value, char before)
{
    buffer_printf(to, "%c%s=\"", before, name);
    struct bytes text = bytes_of(value);
    for (size_t at = 0; at < text.length;) {
        uint32_t character = 0;
        size_t length = utf8_decode(text, at, &character);
        const unsigned char *bytes = text.data + at;
        if (*bytes == '\\')
            buffer_append_text(to, "\\\\");
        else if (*bytes == '"')
            buffer_append_text(to, "\\\"");
        else if (*bytes == '\n')
            buffer_append_text(to, "\\n");
        else if (length == 0 || utf8_is_unsafe(character))
            for (size_t i = 0; i < (length == 0 ? 1 : length); i++)
                buffer_printf(to, "\\\\x%02x", bytes[i]);
        else
            buffer_append(to, bytes, length);
        at += length == 0 ? 1 : length;
    }
    buffer_append_byte(to, '"');
}

static void
add_count(struct buffer *to, uint64_t value)
{
    buffer_printf(to, " %llu\n", (unsigned long long)value);
}

static double
seconds_of(int64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

static void
add_single(struct buffer *to, const char *name, const char *type, const char *help, uint64_t value)
{
    begin_family(to, name, type, help);
    buffer_append_text(to, name);
    add_count(to, value);
}

/* ---- the recorder ---- */

static void
add_recorder(struct buffer *to, const struct metrics_view *view)
{
    const struct live_status *status = view->status;
    begin_family(to, "tapedeck_build_info", "gauge", "Always 1; the version is a label.");
    buffer_append_text(to, "tapedeck_build_info");
    add_label(to, "version", TAPEDECK_VERSION, '{');
    buffer_append_text(to, "} 1\n");

    begin_family(to, "tapedeck_recorder_start_time_seconds", "gauge",
        "When the recorder started, since the Unix epoch.");
    buffer_printf(
        to, "tapedeck_recorder_start_time_seconds %.3f\n", seconds_of(status->started_ns));
    begin_family(to, "tapedeck_recorder_status_age_seconds", "gauge",
        "Age of these figures; more than 3 means that the recorder hangs.");
    buffer_printf(to, "tapedeck_recorder_status_age_seconds %.3f\n",
        seconds_of(view->now_ns - status->published_ns));
    add_single(to, "tapedeck_recorder_events_total", "counter",
        "Events acknowledged since the recorder started.", status->events);
    add_single(to, "tapedeck_recorder_bytes_total", "counter",
        "Bytes of keys, headers and payloads of these events.", status->bytes);
    add_single(to, "tapedeck_recorder_dropped_events_total", "counter",
        "Events that were seen or known of and could not be kept.", status->dropped);
    add_single(to, "tapedeck_recorder_refused_events_total", "counter",
        "Events larger than the tape takes.", status->refused_events);
    add_single(to, "tapedeck_recorder_lost_notes_total", "counter",
        "Events of internal streams (@lag, @taps) that could not be written.", status->lost_notes);
    add_single(to, "tapedeck_recorder_queue_bytes", "gauge",
        "Bytes that wait to be written to the tape.", status->queue_bytes);
    add_single(to, "tapedeck_recorder_queue_limit_bytes", "gauge",
        "Bytes at which taps wait or drop.", status->queue_limit_bytes);
    add_single(to, "tapedeck_recorder_disk_full", "gauge",
        "1 while nothing is recorded because the disk is full.", status->disk_full != 0);
    add_single(
        to, "tapedeck_tape_end_seq", "gauge", "Events that this tape ever took.", status->end_seq);
}

/* ---- taps ---- */

static void
add_tap_states(struct buffer *to, const struct live_status *status)
{
    static const enum tap_state states[] = {
        TAP_CONNECTING, TAP_LIVE, TAP_ENDED, TAP_RETRYING, TAP_FAILED, TAP_STOPPED};
    begin_family(to, "tapedeck_tap_state", "gauge", "1 for the state that the tap is in.");
    for (uint32_t i = 0; i < status->tap_count; i++) {
        for (size_t k = 0; k < sizeof(states) / sizeof(states[0]); k++) {
            buffer_append_text(to, "tapedeck_tap_state");
            add_label(to, "tap", status->taps[i].name, '{');
            add_label(to, "state", tap_state_text(states[k]), ',');
            buffer_append_text(to, "}");
            add_count(to, status->taps[i].state == states[k]);
        }
    }
}

enum tap_figure {
    TAP_FIGURE_EVENTS,
    TAP_FIGURE_BYTES,
    TAP_FIGURE_DROPPED,
    TAP_FIGURE_RETRIES,
    TAP_FIGURE_WIRE,
    TAP_FIGURE_BUDGET,
};

/* False when it is not known. */
static bool
tap_figure(const struct live_tap *tap, enum tap_figure figure, uint64_t *value)
{
    switch (figure) {
    case TAP_FIGURE_EVENTS:
        *value = tap->events;
        return true;
    case TAP_FIGURE_BYTES:
        *value = tap->bytes;
        return true;
    case TAP_FIGURE_DROPPED:
        *value = tap->dropped;
        return true;
    case TAP_FIGURE_RETRIES:
        *value = tap->retries;
        return true;
    case TAP_FIGURE_WIRE:
        *value = (uint64_t)tap->wire_bytes;
        return tap->wire_bytes >= 0;
    case TAP_FIGURE_BUDGET:
        *value = tap->max_bytes_per_second;
        return tap->max_bytes_per_second > 0;
    }
    return false;
}

static void
add_taps(struct buffer *to, const struct live_status *status)
{
    static const struct {
        enum tap_figure figure;
        const char *name;
        const char *type;
        const char *help;
    } families[] = {
        {TAP_FIGURE_EVENTS, "tapedeck_tap_events_total", "counter", "Events taken by the tap."},
        {TAP_FIGURE_BYTES, "tapedeck_tap_bytes_total", "counter",
            "Bytes of keys, headers and payloads that the tap read."},
        {TAP_FIGURE_DROPPED, "tapedeck_tap_dropped_events_total", "counter",
            "Events of the tap that were seen or known of and could not be kept."},
        {TAP_FIGURE_RETRIES, "tapedeck_tap_retries_total", "counter",
            "How often the tap connected again."},
        {TAP_FIGURE_WIRE, "tapedeck_tap_wire_bytes_total", "counter",
            "Bytes that brokers sent to the tap, over the wire; all responses."},
        {TAP_FIGURE_BUDGET, "tapedeck_tap_max_bytes_per_second", "gauge",
            "The configured max_bytes_per_second; no sample without one."},
    };
    if (status->tap_count == 0)
        return;
    add_tap_states(to, status);
    for (size_t k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
        bool has_begun = false;
        for (uint32_t i = 0; i < status->tap_count; i++) {
            uint64_t value;
            if (!tap_figure(&status->taps[i], families[k].figure, &value))
                continue;
            if (!has_begun)
                begin_family(to, families[k].name, families[k].type, families[k].help);
            has_begun = true;
            buffer_append_text(to, families[k].name);
            add_label(to, "tap", status->taps[i].name, '{');
            buffer_append_text(to, "}");
            add_count(to, value);
        }
    }
}

/* ---- streams ---- */

static double
recent_rate(const struct live_stream *stream)
{
    uint64_t events = 0;
    for (uint32_t i = 0; i < RATE_SECONDS; i++)
        events += stream->rate[LIVE_RATE_SLOTS - 2 - i];
    return (double)events / RATE_SECONDS;
}

enum stream_figure {
    STREAM_FIGURE_EVENTS,
    STREAM_FIGURE_BYTES,
    STREAM_FIGURE_RATE,
    STREAM_FIGURE_LAST,
};

static void
add_stream_figure(struct buffer *to, const struct live_stream *live, enum stream_figure figure)
{
    switch (figure) {
    case STREAM_FIGURE_EVENTS:
        add_count(to, live->events);
        break;
    case STREAM_FIGURE_BYTES:
        add_count(to, live->bytes);
        break;
    case STREAM_FIGURE_RATE:
        buffer_printf(to, " %.1f\n", recent_rate(live));
        break;
    case STREAM_FIGURE_LAST:
        buffer_printf(to, " %.3f\n", seconds_of(live->last_received_ns));
        break;
    }
}

static void
add_streams(struct buffer *to, const struct metrics_view *view)
{
    static const struct {
        enum stream_figure figure;
        const char *name;
        const char *type;
        const char *help;
    } families[] = {
        {STREAM_FIGURE_EVENTS, "tapedeck_stream_events_total", "counter",
            "Events of the stream since the recorder started."},
        {STREAM_FIGURE_BYTES, "tapedeck_stream_bytes_total", "counter", "Bytes of these events."},
        {STREAM_FIGURE_RATE, "tapedeck_stream_events_per_second", "gauge",
            "Mean over the last 10 whole seconds."},
        {STREAM_FIGURE_LAST, "tapedeck_stream_last_received_timestamp_seconds", "gauge",
            "When its last event was received, since the Unix epoch."},
    };
    const struct live_status *status = view->status;
    for (size_t k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
        bool has_begun = false;
        for (uint32_t i = 0; i < status->stream_count && i < LIVE_STREAMS; i++) {
            const struct live_stream *live = &status->streams[i];
            if (i >= view->stream_count || view->streams[i].stream == NULL ||
                (families[k].figure == STREAM_FIGURE_LAST && live->last_received_ns <= 0))
                continue;
            if (!has_begun)
                begin_family(to, families[k].name, families[k].type, families[k].help);
            has_begun = true;
            buffer_append_text(to, families[k].name);
            add_label(to, "tap", view->streams[i].stream->tap, '{');
            add_label(to, "stream", view->streams[i].stream->name, ',');
            buffer_append_text(to, "}");
            add_stream_figure(to, live, families[k].figure);
        }
    }
}

/* Where there never was an event nothing is missing; a reason without a hole has no sample. */
static void
add_holes(struct buffer *to, const struct metrics_view *view)
{
    bool has_begun = false;
    for (size_t i = 0; i < view->stream_count; i++) {
        const struct metrics_stream *known = &view->streams[i];
        for (unsigned reason = 0; known->stream != NULL && reason < HOLE_REASON_COUNT; reason++) {
            if (reason == HOLE_COMPACTED_OR_ABORTED || known->holes[reason] == 0)
                continue;
            if (!has_begun)
                begin_family(to, "tapedeck_stream_holes", "gauge",
                    "Ranges of offsets that are missing on the tape, by reason.");
            has_begun = true;
            buffer_append_text(to, "tapedeck_stream_holes");
            add_label(to, "tap", known->stream->tap, '{');
            add_label(to, "stream", known->stream->name, ',');
            add_label(to, "reason", hole_reason_text((enum hole_reason)reason), ',');
            buffer_append_text(to, "}");
            add_count(to, known->holes[reason]);
        }
    }
}

/* ---- consumer groups ---- */

static void
add_group_labels(struct buffer *to, const struct metrics_view *view, const struct live_group *group)
{
    const struct stream *stream =
        group->stream_id < view->stream_count ? view->streams[group->stream_id].stream : NULL;
    add_label(to, "group", group->name, '{');
    add_label(to, "tap", stream == NULL ? "" : stream->tap, ',');
    add_label(to, "stream", stream == NULL ? "" : stream->name, ',');
}

enum group_figure {
    GROUP_FIGURE_EVENTS,
    GROUP_FIGURE_SECONDS,
    GROUP_FIGURE_STANDING,
    GROUP_FIGURE_STATE,
    GROUP_FIGURE_SAMPLED,
};

/* False when it is not known. */
static bool
group_figure(const struct live_group *group, enum group_figure figure, double *value)
{
    switch (figure) {
    case GROUP_FIGURE_EVENTS:
        *value = (double)group->lag;
        return group->lag >= 0;
    case GROUP_FIGURE_SECONDS:
        *value = seconds_of(group->waits_ns);
        return group->waits_ns >= 0 && group->sampled_ns > 0;
    case GROUP_FIGURE_STANDING:
        *value = group->lag == 0 ? 0.0 : seconds_of(group->sampled_ns - group->last_advance_ns);
        return group->lag >= 0 && group->sampled_ns > 0 &&
               (group->lag == 0 || group->last_advance_ns > 0);
    case GROUP_FIGURE_STATE:
        *value = 1.0;
        return group->sampled_ns > 0 && group->state < LAG_STATE_COUNT;
    case GROUP_FIGURE_SAMPLED:
        *value = seconds_of(group->sampled_ns);
        return group->sampled_ns > 0;
    }
    return false;
}

static void
add_group_sample(struct buffer *to, const struct metrics_view *view, const struct live_group *group,
    enum group_figure figure, double value)
{
    add_group_labels(to, view, group);
    if (figure == GROUP_FIGURE_STATE)
        add_label(to, "state", lag_state_text((enum lag_state)group->state), ',');
    bool is_whole = figure == GROUP_FIGURE_EVENTS || figure == GROUP_FIGURE_STATE;
    buffer_printf(to, is_whole ? "} %.0f\n" : "} %.3f\n", value);
}

static void
add_groups(struct buffer *to, const struct metrics_view *view)
{
    static const struct {
        enum group_figure figure;
        const char *name;
        const char *help;
    } families[] = {
        {GROUP_FIGURE_EVENTS, "tapedeck_group_lag_events",
            "Events that the group has not committed."},
        {GROUP_FIGURE_SECONDS, "tapedeck_group_lag_seconds",
            "Age of the oldest event that the group has not committed; 0 without lag."},
        {GROUP_FIGURE_STANDING, "tapedeck_group_standing_seconds",
            "How long events have waited without the group's commits moving; 0 without lag."},
        {GROUP_FIGURE_STATE, "tapedeck_group_state",
            "1 for the state that the group is in; other states have no sample."},
        {GROUP_FIGURE_SAMPLED, "tapedeck_group_sampled_timestamp_seconds",
            "When the broker was last asked, since the Unix epoch."},
    };
    const struct live_status *status = view->status;
    for (size_t k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
        bool has_begun = false;
        for (uint32_t i = 0; i < status->group_count; i++) {
            double value;
            if (!group_figure(&status->groups[i], families[k].figure, &value))
                continue;
            if (!has_begun)
                begin_family(to, families[k].name, "gauge", families[k].help);
            has_begun = true;
            buffer_append_text(to, families[k].name);
            add_group_sample(to, view, &status->groups[i], families[k].figure, value);
        }
    }
}

void
metrics_text(struct buffer *to, const struct metrics_view *view)
{
    add_recorder(to, view);
    add_taps(to, view->status);
    add_streams(to, view);
    add_holes(to, view);
    add_groups(to, view);
}
