#include "console/hole_explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "collectors/tape_witness.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/hole_rows.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/tape.h"

/* One lane with the rows that are its holes. */
struct asked_lane {
    struct hole_row *rows;
    size_t count;
    char *topic;
    bool is_asked; /* it is one of the twin's */
};

struct explain_run {
    struct tape *tape;
    struct hole_rows *rows;
    const struct hole_explain_options *options;
    struct hole_explain_result *result;
    struct config config;
    struct config_taps taps;
    struct recorder_tap given;
    struct cursor *cursor;
    bool is_quiet;
};

/* ---- which broker ---- */

static bool
is_kafka(const char *url)
{
    return strncmp(url, "kafka://", strlen("kafka://")) == 0;
}

static const struct recorder_tap *
find_tap(const struct explain_run *run, const char *name)
{
    if (run->given.url != NULL)
        return &run->given;
    for (size_t i = 0; i < run->taps.count; i++)
        if (strcmp(run->taps.taps[i].name, name) == 0)
            return &run->taps.taps[i];
    return NULL;
}

static bool
load_taps(struct explain_run *run, const struct invocation *invocation, struct error *err)
{
    if (run->options->url != NULL) {
        run->given.url = run->options->url;
        return is_kafka(run->given.url) ||
               error_set(err, ERROR_ARGUMENT,
                   "--url takes kafka://HOST:PORT: no other transport can be asked again");
    }
    return config_load(invocation->config, &run->config, err) &&
           config_taps(&run->config, &run->taps, err);
}

/* Without one that can be asked the command makes no sense. */
static bool
has_broker(const struct explain_run *run, struct error *err)
{
    for (size_t i = 0; i < run->rows->count; i++) {
        const char *name = run->rows->items[i].lane->stream->tap;
        const struct recorder_tap *tap = find_tap(run, name);
        if (tap != NULL && is_kafka(tap->url))
            return true;
    }
    return run->rows->count == 0 || error_set(err, ERROR_ARGUMENT,
                                        "no broker is known that could be asked: there is no tap "
                                        "of Kafka called '%s' in the "
                                        "configuration; --url kafka://HOST:9092 names it",
                                        run->rows->items[0].lane->stream->tap);
}

/* ---- which log ---- */

/* "orders" for "orders", "orders#2", ...: no topic can have that sign in its name. */
static char *
topic_of(const struct stream *stream)
{
    return alloc_text_of(stream->name, strcspn(stream->name, "#"));
}

/* The stream that the topic became when it was made anew, or NULL. */
static const struct stream *
find_successor(const struct tape *tape, const struct stream *stream)
{
    const char *sign = strchr(stream->name, '#');
    int generation = sign == NULL ? 1 : (int)strtol(sign + 1, NULL, 10);
    char *topic = topic_of(stream);
    char *name = alloc_format("%s#%d", topic, generation + 1);
    const struct stream *found = NULL;
    for (size_t i = 0; i < tape_stream_count(tape) && found == NULL; i++) {
        const struct stream *other = tape_stream(tape, i);
        if (strcmp(other->tap, stream->tap) == 0 && strcmp(other->name, name) == 0)
            found = other;
    }
    free(name);
    free(topic);
    return found;
}

/* Compare the last event of the tape with what the log has there. False: it is another log, *why says
 * how that shows. */
static bool
is_possible(struct explain_run *run, const struct lane_summary *lane,
    const struct kafka_twin_lane *twin, bool *is_same, char *why, size_t size)
{
    *is_same = false;
    if (lane->events == 0)
        return true;
    if (twin->end >= 0 && twin->end <= lane->last_offset) {
        (void)snprintf(why, size,
            "the log ends in front of %" PRId64 ", the tape at %" PRId64
            ": the topic was made anew, or its log was cut",
            twin->end, lane->last_offset);
        return false;
    }
    struct event event;
    struct error ignored; /* then nobody can tell */
    if (!twin->has_witness ||
        cursor_fetch_offset(run->cursor, lane->stream, lane->partition, twin->witness, &event,
            &ignored) != CURSOR_EVENT ||
        event.offset != twin->witness)
        return true;
    *is_same = event_fingerprint(&event) == twin->witness_fingerprint;
    if (!*is_same)
        (void)snprintf(why, size,
            "another event is at %" PRId64 " than the tape has: the topic was made anew",
            twin->witness);
    return *is_same;
}

/* ---- the answers ---- */

static struct hole_explanation *
explanation_of(struct hole_row *row)
{
    if (row->explanation == NULL) {
        row->explanation = alloc_zeroed(sizeof(*row->explanation));
        row->explanation->log_start = -1;
        row->explanation->end = -1;
    }
    return row->explanation;
}

static void
judge_row(struct hole_row *row, const struct hole_evidence *evidence)
{
    struct hole_explanation *explanation = explanation_of(row);
    if (row->hole->to < row->hole->from)
        return;
    explanation->spans =
        hole_cause_judge(evidence, row->hole->from, row->hole->to, &explanation->span_count);
    for (size_t i = 0; i < explanation->span_count; i++) {
        const struct hole_span *span = &explanation->spans[i];
        explanation->counts[span->cause] += (uint64_t)(span->to - span->from) + 1;
    }
}

/* All of it is unknown, and `why`. */
static void
give_up(struct asked_lane *lane, const char *why)
{
    static const struct hole_evidence nothing = {.log_start = -1};
    for (size_t i = 0; i < lane->count; i++) {
        judge_row(&lane->rows[i], &nothing);
        (void)snprintf(
            lane->rows[i].explanation->why, sizeof(lane->rows[i].explanation->why), "%s", why);
    }
}

/* Why a part of a hole stayed unknown although its log was looked at. */
static void
say_why(const struct explain_run *run, struct hole_row *row, const struct kafka_twin_cost *cost)
{
    struct hole_explanation *explanation = row->explanation;
    size_t size = sizeof(explanation->why);
    if (row->hole->to < row->hole->from)
        (void)snprintf(explanation->why, size, "how far it reaches is not known");
    else if (explanation->counts[HOLE_CAUSE_UNKNOWN] == 0)
        return;
    else if (explanation->end >= 0 && row->hole->to >= explanation->end)
        (void)snprintf(
            explanation->why, size, "the log ends in front of %" PRId64, explanation->end);
    else if (cost->bytes_ended)
        (void)snprintf(explanation->why, size,
            "stopped after %" PRIu64 " bytes; --max-bytes allows more", run->options->limits.bytes);
    else
        (void)snprintf(explanation->why, size, "no answer within %g s; --wait allows more",
            (double)run->options->limits.duration_ns / NS_PER_S);
}

/* The twin's range that has the hole in it. */
static const struct kafka_twin_range *
range_of(const struct kafka_twin_lane *twin, const struct hole *hole)
{
    for (size_t i = 0; i < twin->range_count; i++)
        if (twin->ranges[i].from <= hole->from && hole->to <= twin->ranges[i].to)
            return &twin->ranges[i];
    return NULL;
}

static void
take_answer(struct explain_run *run, struct asked_lane *lane, const struct kafka_twin_lane *twin,
    const struct kafka_twin_cost *cost)
{
    static const struct offset_ranges none;
    char why[256];
    bool is_same;
    if (twin->problem.code != ERROR_NONE) {
        give_up(lane, twin->problem.text);
        return;
    }
    if (!is_possible(run, lane->rows[0].lane, twin, &is_same, why, sizeof(why))) {
        give_up(lane, why);
        return;
    }
    for (size_t i = 0; i < lane->count; i++) {
        const struct kafka_twin_range *range = range_of(twin, lane->rows[i].hole);
        struct hole_evidence evidence = {.log_start = twin->log_start,
            .end = twin->end,
            .stable_end = twin->stable_end,
            .committed = range == NULL ? &none : &range->committed,
            .committed_to = range == NULL ? -1 : range->committed_to,
            .all = range == NULL ? &none : &range->all,
            .all_to = range == NULL ? -1 : range->all_to};
        judge_row(&lane->rows[i], &evidence);
        lane->rows[i].explanation->log_start = twin->log_start;
        lane->rows[i].explanation->end = twin->end;
        lane->rows[i].explanation->is_same_log = is_same;
        say_why(run, &lane->rows[i], cost);
    }
}

/* ---- the questions ---- */

/* The ranges of a lane: its holes, those that overlap as one. */
static void
make_ranges(const struct asked_lane *lane, struct kafka_twin_lane *twin)
{
    twin->ranges = alloc_array(lane->count, sizeof(*twin->ranges));
    for (size_t i = 0; i < lane->count; i++) {
        const struct hole *hole = lane->rows[i].hole;
        struct kafka_twin_range *last =
            twin->range_count > 0 ? &twin->ranges[twin->range_count - 1] : NULL;
        if (hole->to < hole->from)
            continue;
        if (last != NULL && hole->from <= last->to)
            last->to = hole->to > last->to ? hole->to : last->to;
        else
            twin->ranges[twin->range_count++] =
                (struct kafka_twin_range){.from = hole->from, .to = hole->to};
    }
}

static void
say_begin(const struct explain_run *run, const struct recorder_tap *tap, size_t lanes)
{
    if (run->is_quiet)
        return;
    struct buffer line = {0};
    struct error ignored; /* it is a remark */
    struct output output;
    buffer_printf(&line, "tapedeck: asking ");
    (void)safe_text_append(&line, bytes_of(tap->url), 0);
    buffer_printf(&line, " about %zu partition%s, for at most %g s\n", lanes, lanes == 1 ? "" : "s",
        (double)run->options->limits.duration_ns / NS_PER_S);
    output_start(&output, STDERR_FILENO);
    buffer_append(&output.buffer, line.data, line.length);
    (void)output_finish(&output, &ignored);
    buffer_done(&line);
}

static void
add_cost(struct kafka_twin_cost *sum, const struct kafka_twin_cost *cost)
{
    sum->events += cost->events;
    sum->bytes += cost->bytes;
    sum->bytes_ended = sum->bytes_ended || cost->bytes_ended;
    sum->time_ended = sum->time_ended || cost->time_ended;
}

static struct asked_lane *
find_lane(struct asked_lane *lanes, size_t count, const struct kafka_twin_lane *twin)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i].is_asked && lanes[i].topic == twin->topic &&
            lanes[i].rows[0].lane->partition == twin->partition)
            return &lanes[i];
    return NULL;
}

/* All lanes of one tap. */
static void
ask_tap(
    struct explain_run *run, const struct recorder_tap *tap, struct asked_lane *lanes, size_t count)
{
    struct kafka_twin_lane *twins = alloc_array(count + 1, sizeof(*twins));
    size_t asked = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lane_summary *lane = lanes[i].rows[0].lane;
        if (!lanes[i].is_asked)
            continue;
        twins[asked] = (struct kafka_twin_lane){.topic = lanes[i].topic,
            .partition = lane->partition,
            .witness = lane->events == 0 ? -1 : lane->last_offset};
        make_ranges(&lanes[i], &twins[asked++]);
    }
    struct kafka_twin_cost cost;
    struct error err;
    say_begin(run, tap, asked);
    bool is_well = kafka_twin_ask(tap, twins, asked, &run->options->limits, &cost, &err);
    if (!is_well && run->result->failure.code == ERROR_NONE)
        run->result->failure = err;
    for (size_t i = 0; i < asked; i++) {
        struct asked_lane *lane = find_lane(lanes, count, &twins[i]);
        if (is_well)
            take_answer(run, lane, &twins[i], &cost);
        else
            give_up(lane, err.text);
        kafka_twin_lane_done(&twins[i]);
        free(twins[i].ranges);
    }
    add_cost(&run->result->cost, &cost);
    free(twins);
}

/* Whether a lane can be asked about at all; else its rows say why not. */
static bool
can_ask(const struct explain_run *run, struct asked_lane *lane, const struct recorder_tap *tap)
{
    const struct stream *stream = lane->rows[0].lane->stream;
    const struct stream *successor = find_successor(run->tape, stream);
    char *why = NULL;
    if (lane->rows[0].lane->offsets_are_synthetic)
        why = alloc_text("its offsets are the recorder's own");
    else if (successor != NULL)
        why = alloc_format(
            "its log is gone: the topic was made anew, and is %s now", successor->label);
    else if (tap == NULL)
        why = alloc_format("no tap '%s' is configured; --url names its broker", stream->tap);
    else if (!is_kafka(tap->url))
        why = alloc_text("its transport keeps no log that could be asked");
    if (why != NULL)
        give_up(lane, why);
    free(why);
    return lane->rows[0].explanation == NULL;
}

static struct asked_lane *
group_rows(struct hole_rows *rows, size_t *count)
{
    struct asked_lane *lanes = alloc_array(rows->count + 1, sizeof(*lanes));
    *count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (*count > 0 && lanes[*count - 1].rows[0].lane == rows->items[i].lane)
            lanes[*count - 1].count++;
        else
            lanes[(*count)++] = (struct asked_lane){.rows = &rows->items[i],
                .count = 1,
                .topic = topic_of(rows->items[i].lane->stream)};
    }
    return lanes;
}

/* Each tap once, with all its lanes. With --url too: two taps may have recorded the same topic. */
static void
ask_all(struct explain_run *run, struct asked_lane *lanes, size_t count)
{
    for (size_t first = 0; first < count; first++) {
        if (lanes[first].rows[0].explanation != NULL)
            continue;
        const char *name = lanes[first].rows[0].lane->stream->tap;
        const struct recorder_tap *tap = find_tap(run, name);
        bool is_any = false;
        for (size_t i = first; i < count; i++) {
            lanes[i].is_asked = lanes[i].rows[0].explanation == NULL &&
                                strcmp(lanes[i].rows[0].lane->stream->tap, name) == 0 &&
                                can_ask(run, &lanes[i], tap);
            is_any = is_any || lanes[i].is_asked;
        }
        if (is_any)
            ask_tap(run, tap, lanes + first, count - first);
    }
}

bool
hole_explain(struct tape *tape, struct hole_rows *rows, const struct invocation *invocation,
    const struct hole_explain_options *options, struct hole_explain_result *result,
    struct error *err)
{
    struct hole_explain_options limited = *options;
    if (limited.limits.bytes == 0)
        limited.limits.bytes = HOLE_EXPLAIN_BYTES;
    if (limited.limits.duration_ns == 0)
        limited.limits.duration_ns = HOLE_EXPLAIN_NS;
    *result = (struct hole_explain_result){0};
    struct explain_run run = {.tape = tape,
        .rows = rows,
        .options = &limited,
        .result = result,
        .is_quiet = invocation->quiet};
    bool is_well = load_taps(&run, invocation, err) && has_broker(&run, err);
    if (is_well) {
        size_t count;
        run.cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
        struct asked_lane *lanes = group_rows(rows, &count);
        ask_all(&run, lanes, count);
        for (size_t i = 0; i < count; i++)
            free(lanes[i].topic);
        free(lanes);
        cursor_free(run.cursor);
    }
    config_taps_done(&run.taps);
    config_free(&run.config);
    return is_well;
}
