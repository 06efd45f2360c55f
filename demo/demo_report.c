#include "demo/demo_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/event.h"
#include "index/tape.h"

static struct demo_stream *
find_row(struct demo_report *report, const struct stream *stream)
{
    for (size_t i = 0; i < report->stream_count; i++)
        if (strcmp(report->streams[i].label, stream->label) == 0)
            return &report->streams[i];
    return NULL;
}

static bool
read_streams(struct demo_report *report, struct tape *tape, struct error *err)
{
    size_t count = 0;
    const struct lane_summary *lanes = tape_lanes(tape, &count, err);
    if (lanes == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct lane_summary *lane = &lanes[i];
        struct demo_stream *row = find_row(report, lane->stream);
        if (row == NULL || lane->events == 0)
            continue;
        if (row->events == 0 || lane->first_received_ns < row->first_ns)
            row->first_ns = lane->first_received_ns;
        if (row->events == 0 || lane->last_received_ns > row->last_ns)
            row->last_ns = lane->last_received_ns;
        row->partitions++;
        row->events += lane->events;
        row->bytes += lane->bytes;
    }
    return true;
}

bool
demo_report_read(struct demo_report *report, struct tape *tape, struct error *err)
{
    struct group_stall stalls[SHOP_GROUP_COUNT];
    size_t stall_count = 0;
    for (size_t i = 0; i < SHOP_GROUP_COUNT; i++)
        if (report->groups[i].has_stalled)
            stalls[stall_count++] = (struct group_stall){
                report->groups[i].name, report->groups[i].stream, report->groups[i].stall};
    return read_streams(report, tape, err) &&
           faults_seen_scan(tape, stalls, stall_count, &report->seen, err);
}

void
demo_report_done(struct demo_report *report)
{
    for (size_t i = 0; i < report->stream_count; i++) {
        free(report->streams[i].tap);
        free(report->streams[i].name);
        free(report->streams[i].label);
    }
    free(report->streams);
    *report = (struct demo_report){0};
}

bool
demo_report_complaint(const struct demo_report *report, char *text, size_t size)
{
    for (size_t i = 0; i < report->stream_count; i++) {
        const struct demo_stream *row = &report->streams[i];
        if (!row->must_be_whole || row->events == row->produced)
            continue;
        snprintf(text, size,
            "stream %s: the broker acknowledged %" PRIu64 " events, and %" PRIu64
            " are on the tape",
            row->label, row->produced, row->events);
        return true;
    }
    for (enum fault fault = FAULT_DUPLICATE; fault < FAULT_COUNT; fault++) {
        if (report->happened[fault] == 0 || report->seen.sightings[fault].count > 0)
            continue;
        snprintf(text, size, "fault %s (%s) happened and cannot be seen on the tape",
            fault_name(fault), fault_text(fault));
        return true;
    }
    return false;
}

/* Events per second between the first and the last one; 0 when there are not two moments. */
static double
rate_of(const struct demo_stream *row)
{
    if (row->events < 2 || row->last_ns <= row->first_ns)
        return 0;
    return (double)(row->events - 1) * (double)NS_PER_S / (double)(row->last_ns - row->first_ns);
}

static uint64_t
sum_events(const struct demo_report *report)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < report->stream_count; i++)
        sum += report->streams[i].events;
    return sum;
}

static uint64_t
sum_bytes(const struct demo_report *report)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < report->stream_count; i++)
        sum += report->streams[i].bytes;
    return sum;
}

static void
text_stream(const struct demo_stream *row, struct buffer *text)
{
    if (row->events == 0) {
        buffer_printf(
            text, "%-16s %9d %9s %10s %8s  %-13s %s\n", row->label, 0, "0", "0", "-", "-", "-");
        return;
    }
    char first[CLOCK_TEXT_MAX];
    char last[CLOCK_TEXT_MAX];
    buffer_printf(text, "%-16s %9d %9" PRIu64 " %10" PRIu64 " %8.1f  %-13s %s\n", row->label,
        row->partitions, row->events, row->bytes, rate_of(row),
        clock_format_time(row->first_ns, 3, first), clock_format_time(row->last_ns, 3, last));
}

static void
text_group(const struct demo_group *group, struct buffer *text)
{
    char lag[24] = "unknown";
    char committed[24] = "unknown";
    char end[24] = "unknown";
    if (group->lag >= 0)
        snprintf(lag, sizeof(lag), "%" PRId64, group->lag);
    if (group->committed >= 0)
        snprintf(committed, sizeof(committed), "%" PRId64, group->committed);
    if (group->end >= 0)
        snprintf(end, sizeof(end), "%" PRId64, group->end);
    buffer_printf(
        text, "%-16s %-14s %8s %10s %10s  ", group->name, group->stream, lag, committed, end);

    const struct lag_stall *stall = &group->stall;
    char stood[CLOCK_TEXT_MAX];
    if (group->has_stalled)
        buffer_printf(text, "%s %s, lag %" PRId64 " to %" PRId64,
            stall->is_over ? "OK now; stalled for" : "STALL for",
            clock_format_duration(stall->seen_ns - stall->begin_ns, stood), stall->first_lag,
            stall->last_lag);
    else if (group->lag >= 0)
        buffer_append_text(text, "OK");
    else
        buffer_printf(text, "? %s",
            group->error[0] != '\0' ? group->error
                                    : "no commit yet on a partition that holds events");
    buffer_append_byte(text, '\n');
}

static void
text_fault(const struct demo_report *report, enum fault fault, struct buffer *text)
{
    const struct fault_sighting *sighting = &report->seen.sightings[fault];
    uint64_t happened = report->happened[fault];
    buffer_printf(
        text, "%-10s %8" PRIu64 " %6" PRIu64 "  ", fault_name(fault), happened, sighting->count);
    if (sighting->count == 0)
        buffer_append_text(text, happened == 0 ? "had no time to happen" : "NOT VISIBLE");
    else
        buffer_printf(text, "%s:", sighting->text);
    for (size_t i = 0; i < sighting->witness_count; i++) {
        const struct fault_witness *witness = &sighting->witnesses[i];
        buffer_printf(text, "%s %s[%" PRId32 "]@%" PRId64, i == 0 ? "" : " and", witness->stream,
            witness->partition, witness->offset);
    }
    buffer_append_byte(text, '\n');
}

void
demo_report_text(const struct demo_report *report, struct buffer *text)
{
    char ran[CLOCK_TEXT_MAX];
    buffer_printf(text,
        "a simulated shop ran for %s: %" PRIu64 " events, %" PRIu64 " bytes recorded\n\n",
        clock_format_duration(report->ran_ns, ran), sum_events(report), sum_bytes(report));

    buffer_printf(text, "%-16s %9s %9s %10s %8s  %-13s %s\n", "STREAM", "LANES", "EVENTS", "BYTES",
        "EV/S", "FIRST (UTC)", "LAST");
    for (size_t i = 0; i < report->stream_count; i++)
        text_stream(&report->streams[i], text);

    buffer_printf(text, "\n%-16s %-14s %8s %10s %10s  %s\n", "GROUP", "STREAM", "LAG", "COMMITTED",
        "END", "STATE");
    for (size_t i = 0; i < SHOP_GROUP_COUNT; i++)
        text_group(&report->groups[i], text);

    buffer_printf(text, "\n%-10s %8s %6s  %s\n", "FAULT", "HAPPENED", "SEEN", "FIRST ON THE TAPE");
    for (enum fault fault = FAULT_DUPLICATE; fault < FAULT_COUNT; fault++)
        text_fault(report, fault, text);
}

static json_t *
json_u64(uint64_t number)
{
    return json_sprintf("%" PRIu64, number);
}

/* Null for what is no text, or no UTF-8, as a path may be. */
static json_t *
json_text(const char *text)
{
    json_t *string = text == NULL || text[0] == '\0' ? NULL : json_string(text);
    return string == NULL ? json_null() : string;
}

/* Unknown is null. */
static json_t *
json_count(int64_t number)
{
    return number < 0 ? json_null() : json_sprintf("%" PRId64, number);
}

static json_t *
json_moment(int64_t when_ns, bool is_known)
{
    char time[CLOCK_TEXT_MAX];
    return is_known ? json_string(clock_format(when_ns, time)) : json_null();
}

static json_t *
json_seconds(int64_t duration_ns)
{
    int64_t duration_ms = duration_ns / NS_PER_MS; /* more digits would say nothing */
    return json_real((double)duration_ms / 1000.0);
}

static json_t *
json_stream(const struct demo_stream *row)
{
    bool has_events = row->events > 0;
    return json_pack("{so so so si so so so so so so}", "tap", json_string(row->tap), "stream",
        json_string(row->name), "label", json_string(row->label), "partitions", row->partitions,
        "events", json_u64(row->events), "bytes", json_u64(row->bytes), "produced",
        json_u64(row->produced), "rate", json_real(rate_of(row)), "first",
        json_moment(row->first_ns, has_events), "last", json_moment(row->last_ns, has_events));
}

static json_t *
json_stall(const struct demo_group *group)
{
    const struct lag_stall *stall = &group->stall;
    if (!group->has_stalled)
        return json_null();
    return json_pack("{so so so so si so sb}", "begin", json_moment(stall->begin_ns, true),
        "seconds", json_seconds(stall->seen_ns - stall->begin_ns), "first_lag",
        json_count(stall->first_lag), "last_lag", json_count(stall->last_lag), "partition",
        (int)stall->partition, "next", json_count(stall->next_offset), "over", (int)stall->is_over);
}

static json_t *
json_group(const struct demo_group *group)
{
    return json_pack("{ss ss so so so so so so}", "group", group->name, "stream", group->stream,
        "committed", json_count(group->committed), "end", json_count(group->end), "lag",
        json_count(group->lag), "sampled", json_moment(group->sampled_ns, group->sampled_ns != 0),
        "reason", json_text(group->error), "stall", json_stall(group));
}

static json_t *
json_fault(const struct demo_report *report, enum fault fault)
{
    const struct fault_sighting *sighting = &report->seen.sightings[fault];
    json_t *witnesses = json_array();
    for (size_t i = 0; i < sighting->witness_count; i++) {
        const struct fault_witness *witness = &sighting->witnesses[i];
        json_array_append_new(
            witnesses, json_pack("{ss si so so}", "stream", witness->stream, "partition",
                           (int)witness->partition, "offset", json_count(witness->offset), "seq",
                           json_u64(witness->seq)));
    }
    return json_pack("{ss ss so so so so}", "fault", fault_name(fault), "what", fault_text(fault),
        "happened", json_u64(report->happened[fault]), "seen", json_u64(sighting->count), "text",
        json_text(sighting->text), "witnesses", witnesses);
}

void
demo_report_json(const struct demo_report *report, const char *kept, struct buffer *text)
{
    json_t *streams = json_array();
    json_t *groups = json_array();
    json_t *faults = json_array();
    for (size_t i = 0; i < report->stream_count; i++)
        json_array_append_new(streams, json_stream(&report->streams[i]));
    for (size_t i = 0; i < SHOP_GROUP_COUNT; i++)
        json_array_append_new(groups, json_group(&report->groups[i]));
    for (enum fault fault = FAULT_DUPLICATE; fault < FAULT_COUNT; fault++)
        json_array_append_new(faults, json_fault(report, fault));

    char complaint[320] = "";
    bool is_bad = demo_report_complaint(report, complaint, sizeof(complaint));
    json_t *object = json_pack("{si so so so so so so sb so so}", "v", 1, "seconds",
        json_seconds(report->ran_ns), "events", json_u64(sum_events(report)), "bytes",
        json_u64(sum_bytes(report)), "streams", streams, "groups", groups, "faults", faults, "ok",
        (int)!is_bad, "complaint", json_text(complaint), "tape", json_text(kept));
    char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (line != NULL)
        buffer_append_text(text, line);
    buffer_append_byte(text, '\n');
    free(line);
    json_decref(object);
}
