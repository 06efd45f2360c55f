/* `tapedeck stuck`: the event that each group stands at, beside the last one that it took. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/lag_differ.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_broker.h"
#include "collectors/groups_sample.h"
#include "collectors/recorder.h"
#include "console/command.h"
#include "console/json_event.h"
#include "console/lag_look.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "index/event.h"

#define INTERVAL_NS (5 * NS_PER_S)
#define LIMIT       20

/* Samples are not taken at the very moment that they are asked for. */
#define MARGIN_NS (500 * NS_PER_MS)

/* Offsets in front of the commit in which the last good event is looked for: transactions and
 * compaction leave holes. */
#define LOOK_BACK 200

#define PAYLOAD_SHOWN 2000
#define HEX_SHOWN     256
#define HEX_COLUMNS   16

struct settings {
    const char *group;
    int64_t stall_ns;
    uint64_t limit;
};

/* A copy of an event that outlives its reader. */
struct kept {
    struct event event;
    void *parts[3]; /* its key, headers and payload */
    struct stream stream;
    bool is_there;
};

struct stuck_run {
    const struct invocation *invocation;
    const struct settings *settings;
    struct lag_look *look;
    struct output output;
    bool is_announced;
    uint64_t found;
};

/* The two events of one partition. */
struct pair {
    int64_t committed;
    struct kept good;
    struct kept at;
};

/* A copy that lives in *memory; null stays null. */
static struct bytes
copy_bytes(struct bytes from, void **memory)
{
    if (from.data == NULL)
        return BYTES_NULL;
    *memory = alloc_copy(from.data, from.length);
    return bytes_make(*memory, from.length);
}

static void
drop(struct kept *kept)
{
    if (!kept->is_there)
        return;
    for (size_t i = 0; i < sizeof(kept->parts) / sizeof(kept->parts[0]); i++)
        free(kept->parts[i]);
    free(kept->stream.tap);
    free(kept->stream.name);
    free(kept->stream.label);
    *kept = (struct kept){0};
}

static void
keep(struct kept *kept, const struct event *event)
{
    drop(kept);
    kept->is_there = true;
    kept->event = *event;
    kept->event.key = copy_bytes(event->key, &kept->parts[0]);
    kept->event.headers = copy_bytes(event->headers, &kept->parts[1]);
    kept->event.payload = copy_bytes(event->payload, &kept->parts[2]);
    kept->stream = (struct stream){.tap = alloc_text(event->stream->tap),
        .name = alloc_text(event->stream->name),
        .label = alloc_text(event->stream->label)};
    kept->event.stream = &kept->stream;
}

static void
take_event(void *self, const struct event *event)
{
    struct pair *pair = self;
    if (event->offset < pair->committed)
        keep(&pair->good, event);
    else if (!pair->at.is_there)
        keep(&pair->at, event);
}

/* --- JSON --------------------------------------------------------------------------------------- */

struct sentences {
    struct buffer *to;
    size_t count;
};

static void
append_json_sentence(void *self, const char *sentence)
{
    struct sentences *sentences = self;
    if (sentences->count++ > 0)
        buffer_append_byte(sentences->to, ',');
    json_append_string(sentences->to, bytes_of(sentence));
}

/* The event as everywhere; read from the broker, it has no place on a tape. */
static void
append_json_event(struct buffer *to, const char *key, const struct kept *kept)
{
    buffer_printf(to, ",\"%s\":", key);
    if (!kept->is_there) {
        buffer_append_text(to, "null");
        return;
    }
    static const char on_tape[] = "{\"v\":1,\"seq\":\"0\",\"tap\":\"\"";
    struct json_times times = {0};
    struct buffer line = {0};
    json_append_event(&line, &kept->event, &times);
    const char *text = buffer_text(&line);
    size_t skip = strncmp(text, on_tape, strlen(on_tape)) == 0 ? strlen(on_tape) : 0;
    if (skip > 0)
        buffer_append_text(to, "{\"v\":1,\"seq\":null,\"tap\":null");
    buffer_append(to, text + skip, line.length - skip - 1); /* without the line break */
    buffer_done(&line);
}

static void
append_json(struct buffer *to, const struct lag_flow *flow, size_t lane, const struct pair *pair)
{
    const struct lag_verdict *verdict = &flow->lane_verdicts[lane];
    buffer_append_text(to, "{\"v\":1,\"tap\":");
    if (flow->tap == NULL)
        buffer_append_text(to, "null");
    else
        json_append_string(to, bytes_of(flow->tap));
    buffer_append_text(to, ",\"group\":");
    json_append_string(to, bytes_of(flow->group->name));
    buffer_append_text(to, ",\"stream\":");
    json_append_string(to, bytes_of(flow->lanes[lane].topic));
    buffer_printf(to,
        ",\"partition\":%" PRId32 ",\"state\":\"%s\",\"reason\":", flow->lanes[lane].partition,
        lag_state_text(verdict->state));
    json_append_string(to, bytes_of(verdict->reason));
    buffer_append_text(to, ",\"committed\":");
    json_append_i64(to, flow->lanes[lane].committed);
    append_json_event(to, "event", &pair->at);
    append_json_event(to, "last_good", &pair->good);
    buffer_append_text(to, ",\"differences\":[");
    struct sentences sentences = {.to = to};
    if (pair->at.is_there)
        lag_differ(pair->good.is_there ? &pair->good.event : NULL, &pair->at.event,
            append_json_sentence, &sentences);
    buffer_append_text(to, "]}\n");
}

/* --- for people --------------------------------------------------------------------------------- */

static void
append_value(struct buffer *to, struct bytes bytes, size_t limit)
{
    if (bytes.data == NULL) {
        buffer_append_text(to, "(null)");
    } else if (bytes.length == 0) {
        buffer_append_text(to, "(empty)");
    } else {
        size_t shown = safe_text_append(to, bytes, limit);
        if (shown < bytes.length)
            buffer_printf(to, "...+%zu", bytes.length - shown);
    }
    buffer_append_byte(to, '\n');
}

static void
append_hex(struct buffer *to, struct bytes bytes)
{
    size_t length = bytes.length < HEX_SHOWN ? bytes.length : HEX_SHOWN;
    for (size_t at = 0; at < length; at += HEX_COLUMNS) {
        size_t some = length - at < HEX_COLUMNS ? length - at : HEX_COLUMNS;
        buffer_printf(to, "      %06zx ", at);
        for (size_t i = 0; i < HEX_COLUMNS; i++) {
            if (i < some)
                buffer_printf(to, " %02x", bytes.data[at + i]);
            else
                buffer_append_text(to, "   ");
        }
        buffer_append_text(to, "  ");
        for (size_t i = 0; i < some; i++) {
            unsigned char byte = bytes.data[at + i];
            buffer_append_byte(to, byte >= 0x20 && byte < 0x7f ? byte : '.');
        }
        buffer_append_byte(to, '\n');
    }
    if (length < bytes.length)
        buffer_printf(to, "      ... %zu bytes more\n", bytes.length - length);
}

static void
append_event(struct buffer *to, const char *title, const struct kept *kept)
{
    if (!kept->is_there) {
        buffer_printf(to, "  %s: cannot be read any more, or never was\n", title);
        return;
    }
    const struct event *event = &kept->event;
    char time[CLOCK_TEXT_MAX];
    buffer_printf(to, "  %s: @%" PRId64 "  %s  %zu bytes\n    key      ", title, event->offset,
        clock_format(event->time_ns, time), event_size(event));
    append_value(to, event->key, PAYLOAD_SHOWN);
    size_t at = 0;
    struct event_header header;
    while (event_next_header(event, &at, &header)) {
        buffer_append_text(to, "    header   ");
        (void)safe_text_append(to, header.name, 0);
        buffer_append_text(to, ": ");
        append_value(to, header.value, PAYLOAD_SHOWN);
    }
    buffer_append_text(to, "    payload  ");
    append_value(to, event->payload, PAYLOAD_SHOWN);
    append_hex(to, event->payload);
}

static void
append_sentence(void *self, const char *sentence)
{
    struct sentences *sentences = self;
    sentences->count++;
    buffer_append_text(sentences->to, "    - ");
    safe_text_append_message(sentences->to, sentence);
    buffer_append_byte(sentences->to, '\n');
}

static void
append_plain(struct buffer *to, const struct lag_flow *flow, size_t lane, const struct pair *pair)
{
    const struct lag_verdict *verdict = &flow->lane_verdicts[lane];
    safe_text_append_message(to, flow->group->name);
    buffer_append_text(to, "  ");
    safe_text_append_message(to, flow->lanes[lane].topic);
    buffer_printf(to, "[%" PRId32 "]  %s  %s\n", flow->lanes[lane].partition,
        lag_state_text(verdict->state), verdict->reason);
    append_event(to, "stands at", &pair->at);
    append_event(to, "last good", &pair->good);
    if (!pair->at.is_there)
        return;
    buffer_append_text(to, "  different:\n");
    struct sentences sentences = {.to = to};
    lag_differ(pair->good.is_there ? &pair->good.event : NULL, &pair->at.event, append_sentence,
        &sentences);
    if (sentences.count == 0)
        buffer_append_text(to,
            "    - nothing in its form: look at what it says, at what the consumer "
            "needs besides it, and whether it has paused the partition\n");
}

/* --- the run ------------------------------------------------------------------------------------ */

static void
show_lane(struct stuck_run *run, const struct lag_flow *flow, size_t index)
{
    const struct group_lane *lane = &flow->lanes[index];
    struct pair pair = {.committed = lane->committed};
    int64_t from = lane->committed > LOOK_BACK ? lane->committed - LOOK_BACK : 0;
    if (from < lane->log_start)
        from = lane->log_start;
    struct error err;
    if (!groups_broker_read(lag_look_broker(run->look), lane->topic, lane->partition, from,
            lane->committed, take_event, &pair, &err))
        (void)command_fail(&err); /* said on stderr; what was read is shown */
    if (run->invocation->json)
        append_json(&run->output.buffer, flow, index, &pair);
    else
        append_plain(&run->output.buffer, flow, index, &pair);
    (void)output_line(&run->output);
    drop(&pair.good);
    drop(&pair.at);
}

static void
take_flow(void *self, const struct lag_flow *flow)
{
    struct stuck_run *run = self;
    uint64_t limit = run->settings->limit > 0 ? run->settings->limit : LIMIT;
    for (size_t i = 0; i < flow->count; i++) {
        enum lag_state state = flow->lane_verdicts[i].state;
        if (state != LAG_STALL && state != LAG_STOP)
            continue;
        if (run->found++ < limit)
            show_lane(run, flow, i);
    }
}

/* Nothing is seen for so long that it would be taken for a hang. */
static void
announce(struct stuck_run *run, int64_t stall_ns)
{
    if (!run->is_announced && !run->invocation->quiet)
        (void)fprintf(stderr, "tapedeck: looking for %.0f s which commits stand\n",
            (double)stall_ns / (double)NS_PER_S);
    run->is_announced = true;
}

/* Look until a commit that stands has stood long enough to say so. */
static bool
watch(struct stuck_run *run, int64_t stall_ns, struct error *err)
{
    int64_t start_ns = clock_monotonic_ns();
    int64_t last_ns = start_ns + stall_ns + MARGIN_NS;
    for (int64_t at_ns = start_ns;; at_ns += INTERVAL_NS) {
        if (at_ns > last_ns)
            at_ns = last_ns;
        clock_sleep_until_ns(at_ns);
        if (!lag_look_again(run->look, err) && lag_look_sample(run->look) == NULL)
            return false;
        announce(run, stall_ns);
        if (at_ns == last_ns)
            break;
    }
    return true;
}

static bool
look_at_tap(
    struct stuck_run *run, const struct recorder_tap *tap, const char *directory, struct error *err)
{
    struct lag_look_options options = {.tap = tap,
        .group = run->settings->group,
        .directory = directory,
        .rules = lag_rules_default};
    if (run->settings->stall_ns > 0)
        options.rules.stall_ns = run->settings->stall_ns;
    run->look = lag_look_open(&options, err);
    bool is_well = run->look != NULL && watch(run, options.rules.stall_ns, err);
    const struct groups_sample *sample = is_well ? lag_look_sample(run->look) : NULL;
    if (is_well && run->settings->group != NULL && sample->group_count == 0)
        is_well = error_set(err, sample->problem_count > 0 ? ERROR_REMOTE : ERROR_LIMIT,
            "there is no group '%s' at %s%s%s", run->settings->group, tap->url,
            sample->problem_count > 0 ? ", as far as can be told: " : "",
            sample->problem_count > 0 ? sample->problems[0] : "");
    if (is_well)
        lag_look_flows(run->look, take_flow, run);
    if (is_well && run->found == 0)
        is_well = lag_look_has_topics(run->look, err);
    lag_look_close(run->look);
    run->look = NULL;
    return is_well;
}

static void
summarize(const struct stuck_run *run)
{
    uint64_t limit = run->settings->limit > 0 ? run->settings->limit : LIMIT;
    if (run->invocation->quiet)
        return;
    if (run->found == 0)
        (void)fprintf(stderr, "tapedeck: no group stands still with events waiting\n");
    else if (run->found > limit)
        (void)fprintf(stderr, "tapedeck: %" PRIu64 " partitions more stand still; see --limit\n",
            run->found - limit);
}

static int
run_stuck(const struct invocation *invocation)
{
    struct error err;
    struct stuck_run run = {.invocation = invocation, .settings = invocation->settings};
    struct lag_taps *taps = lag_taps_find(invocation, &err);
    if (taps == NULL)
        return command_fail(&err);
    output_start(&run.output, STDOUT_FILENO);
    bool is_well = true;
    for (size_t i = 0; is_well && i < lag_taps_count(taps); i++)
        is_well = look_at_tap(&run, lag_taps_at(taps, i), lag_taps_directory(taps), &err);
    lag_taps_free(taps);
    struct error written;
    bool is_written = output_finish(&run.output, &written);
    if (!is_well)
        return command_fail(&err);
    if (!is_written)
        return command_fail(&written);
    summarize(&run);
    return 0;
}

static const struct option_row options[] = {
    {"group", OPTION_TEXT, offsetof(struct settings, group), "G", "only this group", NULL},
    {"stall-after", OPTION_SECONDS, offsetof(struct settings, stall_ns), "S",
        "a commit that stands this long while events wait is stuck (15 s)", NULL},
    {"limit", OPTION_NUMBER, offsetof(struct settings, limit), "N",
        "show at most N partitions (20)", NULL},
};

const struct command command_stuck = {
    .name = "stuck",
    .usage = "[URL]",
    .summary = "show the event that a group stands at, beside the last good one",
    .details = "Looks for as long as --stall-after, then shows for each partition whose commit "
               "stands while\n"
               "events wait the event at the commit, decoded and in hex, the last one in front of "
               "it, and what\n"
               "is different between them. It only reads: no group is joined, nothing is "
               "committed.",
    .examples = "tapedeck stuck --group shipping kafka://broker:9092\n"
                "tapedeck stuck --json kafka://broker:9092/payments",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = 1,
    .run = run_stuck,
};
