#include "console/record_told.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "console/json_event.h"
#include "console/log.h"
#include "console/output.h"

#define PROGRESS_NS (5 * NS_PER_S)

/* ---- while it runs ---- */

void
record_told_start(struct record_told *told, const char *directory)
{
    int64_t now_ns = clock_monotonic_ns();
    *told =
        (struct record_told){.directory = directory, .started_ns = now_ns, .progress_ns = now_ns};
}

static void
tell_tap(const struct live_tap *tap)
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

void
record_told_disk(struct record_told *told, bool is_full)
{
    if (is_full == told->was_full)
        return;
    told->was_full = is_full;
    log_say_text(is_full ? "error" : "info", "disk",
        is_full ? "full: nothing is recorded until there is room"
                : "has room again: recording goes on");
}

void
record_told_changes(struct record_told *told, const struct live_status *status)
{
    for (uint32_t i = 0; i < status->tap_count; i++) {
        const struct live_tap *tap = &status->taps[i];
        struct tap_told *last = &told->taps[i];
        if (tap->state == last->state && strcmp(tap->error, last->error) == 0)
            continue;
        tell_tap(tap);
        last->state = tap->state;
        memcpy(last->error, tap->error, sizeof(last->error));
    }
    record_told_disk(told, status->disk_full != 0);
}

void
record_told_trouble(struct record_told *told, const struct recorder *recorder)
{
    char trouble[sizeof(told->trouble)] = "";
    (void)recorder_trouble(recorder, trouble, sizeof(trouble));
    if (strcmp(trouble, told->trouble) == 0)
        return;
    log_say_text(trouble[0] != '\0' ? "warn" : "info", "tape",
        trouble[0] != '\0' ? trouble : "is cared for again");
    memcpy(told->trouble, trouble, sizeof(trouble));
}

void
record_told_progress(struct record_told *told, const struct live_status *status)
{
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns < told->progress_ns + PROGRESS_NS)
        return;
    double seconds = (double)(now_ns - told->progress_ns) / (double)NS_PER_S;
    struct buffer pairs = {0};
    log_add_number(&pairs, "events", status->events);
    buffer_printf(&pairs, " rate=%.0f", (double)(status->events - told->progress_events) / seconds);
    log_add_number(&pairs, "bytes", status->bytes);
    log_add_number(&pairs, "dropped", status->dropped);
    log_add_number(&pairs, "queue_bytes", status->queue_bytes);
    log_say("info", &pairs);
    buffer_done(&pairs);
    told->progress_ns = now_ns;
    told->progress_events = status->events;
}

/* ---- the end ---- */

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

static double
seconds_of(const struct record_told *told)
{
    return (double)(clock_monotonic_ns() - told->started_ns) / (double)NS_PER_S;
}

static void
tell_summary(const struct record_told *told, const struct live_status *status, enum record_end end)
{
    double seconds = seconds_of(told);
    struct buffer pairs = {0};
    log_add_text(&pairs, "end", end_text(end));
    log_add_text(&pairs, "tape", told->directory);
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

/* A run to the end that recorded nothing is seldom what was meant. On a tape that knows no stream yet,
 * "resume" begins where the streams end; and no --from goes back before where the tape ends. */
static void
tell_nothing_recorded(const struct live_status *status, bool has_from)
{
    if (status->events != 0)
        return;
    const char *level = status->end_seq == 0 ? "warn" : "info";
    if (has_from)
        log_say_text(level, "nothing",
            "there is nothing new; what the tape has, or left out as a hole, is not read again: to "
            "have a stream from its beginning, record it into a new --tape");
    else if (status->end_seq == 0)
        log_say_text(level, "nothing",
            "a new tape begins at the end of its streams, and goes on there; to have what was "
            "there "
            "before, record with --from beginning into a new --tape");
}

void
record_told_end(const struct record_told *told, const struct live_status *status,
    enum record_end end, bool is_to_the_end, bool has_from)
{
    tell_summary(told, status, end);
    if (end == RECORD_UNTIL_REACHED && is_to_the_end)
        tell_nothing_recorded(status, has_from);
}

bool
record_told_json(const struct record_told *told, const struct live_status *status,
    enum record_end end, struct error *err)
{
    struct output output;
    output_start(&output, STDOUT_FILENO);
    struct buffer *to = &output.buffer;
    buffer_append_text(to, "{\"v\":1,\"done\":true,\"tape\":");
    json_append_string(to, bytes_of(told->directory));
    buffer_printf(to,
        ",\"end\":\"%s\",\"events\":\"%llu\",\"bytes\":\"%llu\",\"streams\":%u,\"dropped\":\"%llu\""
        ",\"refused\":\"%llu\",\"end_seq\":\"%llu\",\"seconds\":%.3f,\"taps\":[",
        end_text(end), (unsigned long long)status->events, (unsigned long long)status->bytes,
        count_streams(status), (unsigned long long)status->dropped,
        (unsigned long long)status->refused_events, (unsigned long long)status->end_seq,
        seconds_of(told));
    for (uint32_t i = 0; i < status->tap_count; i++) {
        if (i > 0)
            buffer_append_byte(to, ',');
        add_tap_json(to, &status->taps[i]);
    }
    buffer_append_text(to, "]}\n");
    return output_finish(&output, err);
}
