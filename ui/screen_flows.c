#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "ui/canvas.h"
#include "ui/changes.h"
#include "ui/deck.h"
#include "ui/flow.h"
#include "ui/minute.h"
#include "ui/number.h"
#include "ui/screen.h"
#include "ui/text.h"

/* The rows are a copy as of the last tick that was LIVE, or as of where the head was put: a head
 * that stands shows a picture that stands. */
struct flows {
    struct flow *rows;
    size_t count;
    size_t capacity;
    size_t cursor;
    size_t top;
    size_t page; /* rows that were drawn */
    struct changes *changes;
    struct minute minute;
    unsigned moves; /* deck->moves that the rows belong to */
    bool has_rows;
    char search[128];
};

/* Where the columns begin; 0 leaves a column out. */
struct columns {
    int stream_width;
    int tap;
    int rate;
    int spark;
    int spark_width;
    int peak;
    int bytes;
    int last;
    int lag;
    int group;
    int state;
};

static const struct columns wide = {19, 21, 31, 41, 24, 65, 72, 80, 89, 98, 109};
static const struct columns narrow = {16, 0, 17, 26, 18, 45, 0, 52, 60, 0, 69};

static void *
flows_open(struct deck *deck)
{
    struct flows *flows = alloc_zeroed(sizeof(*flows));
    flows->changes = changes_new();
    flows->minute.is_done = true;
    flows->moves = deck->moves - 1;
    return flows;
}

static void
flows_close(void *self)
{
    struct flows *flows = self;
    minute_done(&flows->minute);
    changes_free(flows->changes);
    free(flows->rows);
    free(flows);
}

static void
count_minute(struct flows *flows, struct deck *deck)
{
    if (flows->moves != deck->moves)
        minute_begin(&flows->minute, deck->tape, deck->head_seq);
    flows->moves = deck->moves;
    minute_step(&flows->minute);
    if (!flows->minute.is_done)
        deck->is_busy = true;
    flows->count = flow_collect(deck, &flows->minute, &flows->rows, &flows->capacity);
}

static bool
flows_tick(void *self, struct deck *deck, int64_t monotonic_ns)
{
    struct flows *flows = self;
    (void)monotonic_ns;

    changes_see(flows->changes, deck);
    if (deck->transport == TRANSPORT_LIVE) {
        flows->count = flow_collect(deck, NULL, &flows->rows, &flows->capacity);
        flows->moves = deck->moves;
    } else if (deck->transport == TRANSPORT_PAST) {
        bool was_done = flows->minute.is_done && flows->moves == deck->moves;
        if (!was_done || flows->count == 0)
            count_minute(flows, deck);
    } else if (!flows->has_rows) {
        flows->count = flow_collect(deck, NULL, &flows->rows, &flows->capacity);
    }
    flows->has_rows = true;
    if (flows->cursor >= flows->count)
        flows->cursor = flows->count > 0 ? flows->count - 1 : 0;
    return true;
}

static bool
row_matches(const struct flow *flow, const char *text)
{
    return text[0] != '\0' && strcasestr(flow->stream->label, text) != NULL;
}

static void
go_to_hit(struct flows *flows, struct deck *deck, size_t step)
{
    for (size_t i = 1; i <= flows->count && flows->search[0] != '\0'; i++) {
        size_t at = (flows->cursor + i * step) % flows->count;
        if (row_matches(&flows->rows[at], flows->search)) {
            flows->cursor = at;
            return;
        }
    }
    if (flows->search[0] == '\0')
        deck_say(deck, false, "nothing is being looked for; / begins");
    else
        deck_say(deck, true, "no stream is called like \"%s\"", flows->search);
}

static void
flows_search(void *self, struct deck *deck, const char *text)
{
    struct flows *flows = self;
    (void)snprintf(flows->search, sizeof(flows->search), "%s", text);
    if (text[0] == '\0' || flows->count == 0)
        return;
    if (!row_matches(&flows->rows[flows->cursor], flows->search))
        go_to_hit(flows, deck, 1);
}

/* `stream="shop/orders"`, with what a quoted text needs escaped. */
static struct request
open_events(const struct flows *flows)
{
    struct request request = {.kind = REQUEST_UNHANDLED};
    if (flows->cursor >= flows->count)
        return request;
    request.kind = REQUEST_SCREEN;
    request.screen = "events";
    size_t length = (size_t)snprintf(request.text, sizeof(request.text), "stream=\"");
    const char *label = flows->rows[flows->cursor].stream->label;
    for (; *label != '\0' && length + 4 < sizeof(request.text); label++) {
        if (*label == '"' || *label == '\\')
            request.text[length++] = '\\';
        request.text[length++] = *label;
    }
    request.text[length] = '"';
    request.text[length + 1] = '\0';
    return request;
}

static void
move_cursor(struct flows *flows, long rows)
{
    long at = (long)flows->cursor + rows;
    long last = (long)flows->count - 1;
    if (at > last)
        at = last;
    flows->cursor = at < 0 ? 0 : (size_t)at;
}

static struct request
flows_act(void *self, struct deck *deck, enum action action)
{
    struct flows *flows = self;
    struct request done = {.kind = REQUEST_NONE};
    long page = flows->page > 1 ? (long)flows->page - 1 : 1;

    switch ((int)action) {
    case ACTION_DOWN:
        move_cursor(flows, 1);
        return done;
    case ACTION_UP:
        move_cursor(flows, -1);
        return done;
    case ACTION_HALF_DOWN:
        move_cursor(flows, page / 2 + 1);
        return done;
    case ACTION_HALF_UP:
        move_cursor(flows, -page / 2 - 1);
        return done;
    case ACTION_PAGE_DOWN:
        move_cursor(flows, page);
        return done;
    case ACTION_PAGE_UP:
        move_cursor(flows, -page);
        return done;
    case ACTION_TOP:
        flows->cursor = 0;
        return done;
    case ACTION_BOTTOM:
        move_cursor(flows, (long)flows->count);
        return done;
    case ACTION_NEXT:
        go_to_hit(flows, deck, 1);
        return done;
    case ACTION_PREVIOUS:
        go_to_hit(flows, deck, flows->count > 0 ? flows->count - 1 : 1);
        return done;
    case ACTION_OPEN:
    case ACTION_TO_EVENTS:
        return open_events(flows);
    case ACTION_ESCAPE:
        if (flows->search[0] == '\0')
            break;
        flows->search[0] = '\0';
        return done;
    default:
        break;
    }
    return (struct request){.kind = REQUEST_UNHANDLED};
}

static void
draw_heading(struct canvas *canvas, int row, const struct columns *at)
{
    text_print(canvas, row, 1, at->stream_width, ROLE_HEADING, "STREAM");
    if (at->tap > 0)
        text_print(canvas, row, at->tap, 8, ROLE_HEADING, "TAP");
    text_print_right(canvas, row, at->rate, 8, ROLE_HEADING, "EV/S");
    text_print(canvas, row, at->spark, at->spark_width, ROLE_HEADING, "LAST 60 s");
    text_print_right(canvas, row, at->peak, 6, ROLE_HEADING, "PEAK");
    if (at->bytes > 0)
        text_print_right(canvas, row, at->bytes, 6, ROLE_HEADING, "MB/S");
    text_print_right(canvas, row, at->last, 7, ROLE_HEADING, "NEWEST");
    text_print_right(canvas, row, at->lag, 7, ROLE_HEADING, "LAG");
    if (at->group > 0)
        text_print(canvas, row, at->group, 10, ROLE_HEADING, "SLOWEST");
    text_print(canvas, row, at->state, 11, ROLE_HEADING, "STATE");
}

static void
draw_state(struct canvas *canvas, int row, int column, enum stream_state state)
{
    static const struct {
        enum role role;
        const char *text;
    } looks[] = {
        [STREAM_OK] = {ROLE_OK, "● OK"},
        [STREAM_IDLE] = {ROLE_IDLE, "◌ IDLE"},
        [STREAM_SILENT] = {ROLE_ATTENTION, "▲ SILENT"},
        [STREAM_LOSS] = {ROLE_ATTENTION, "▲ LOSS"},
        [STREAM_DOWN] = {ROLE_CRITICAL, "× DOWN"},
        [STREAM_ENDED] = {ROLE_IDLE, "◌ ENDED"},
        [STREAM_UNKNOWN] = {ROLE_IDLE, "-"},
    };
    text_print(canvas, row, column, 11, looks[state].role, "%s", looks[state].text);
}

static void
draw_numbers(struct canvas *canvas, int row, const struct columns *at, const struct flow *flow,
    int64_t reference_ns)
{
    char text[NUMBER_TEXT_MAX];
    enum role role = flow->rate_is_known ? ROLE_TEXT : ROLE_IDLE;
    double peak;

    text_print_right(canvas, row, at->rate, 8, role, "%s",
        flow->rate_is_known ? number_rate(flow->rate, text) : "?");
    flow_draw_sparkline(flow, canvas, row, at->spark, at->spark_width, &peak);
    text_print_right(canvas, row, at->peak, 6, ROLE_SECONDARY, "%s",
        peak > 0.0 && peak < 9.95 ? number_rate(peak, text) : number_short(peak, text));
    if (at->bytes > 0 && flow->rate_is_known)
        text_print_right(canvas, row, at->bytes, 6, ROLE_TEXT, "%.*f",
            flow->bytes_rate < 99.5e6 ? 2 : 0, flow->bytes_rate / 1e6);
    else if (at->bytes > 0)
        text_print_right(canvas, row, at->bytes, 6, ROLE_IDLE, "?");
    text_print_right(canvas, row, at->last, 7, ROLE_SECONDARY, "%s",
        flow->last_ns > 0 ? number_age(reference_ns - flow->last_ns, text) : "-");
    if (flow->lag == -1)
        text_print_right(canvas, row, at->lag, 7, ROLE_IDLE, "?");
    else if (flow->lag < 0)
        text_print_right(canvas, row, at->lag, 7, ROLE_IDLE, "-");
    else
        text_print_right(
            canvas, row, at->lag, 7, ROLE_TEXT, "%s", number_short((double)flow->lag, text));
}

static void
draw_flow(const struct flows *flows, const struct deck *deck, struct canvas *canvas, int row,
    const struct columns *at, size_t index)
{
    const struct flow *flow = &flows->rows[index];
    bool is_hit = row_matches(flow, flows->search);
    int64_t reference_ns = flow->state == STREAM_UNKNOWN && flows->minute.end_ns != CLOCK_NONE
                               ? flows->minute.end_ns
                               : deck->now_ns;

    text_print(
        canvas, row, 1, at->stream_width, is_hit ? ROLE_HIT : ROLE_TEXT, "%s", flow->stream->name);
    if (at->tap > 0)
        text_print(canvas, row, at->tap, 9, ROLE_SECONDARY, "%s", flow->stream->tap);
    draw_numbers(canvas, row, at, flow, reference_ns);
    if (at->group > 0)
        text_print(canvas, row, at->group, 10, ROLE_SECONDARY, "%s",
            flow->lag == -2                             ? "-"
            : flow->lag == -1 && flow->group[0] == '\0' ? "?"
                                                        : flow->group);
    draw_state(canvas, row, at->state, flow->state);
    if (index == flows->cursor) {
        canvas_set(canvas, row, 0, ROLE_SELECTED, 0x25b8);
        canvas_mark_row(canvas, row, 1, at->stream_width, ROLE_SELECTED);
    }
}

static void
draw_changes(const struct flows *flows, struct canvas *canvas, int row, int rows)
{
    char time[CLOCK_TEXT_MAX];
    size_t count = changes_count(flows->changes);

    canvas_fill(canvas, row, 0, canvas->columns, ROLE_SECONDARY, 0x2500);
    text_print(canvas, row, 3, canvas->columns - 6, ROLE_HEADING, " What changed ");
    if (canvas->columns >= 100)
        text_print_right(canvas, row, canvas->columns - 20, 17, ROLE_SECONDARY, " newest first ");
    for (size_t i = 0; i < count && (int)i + 1 < rows; i++) {
        const struct change *change = changes_get(flows->changes, i);
        int at = row + 1 + (int)i;
        text_print(
            canvas, at, 1, 8, ROLE_SECONDARY, "%s", clock_format_time(change->when_ns, 0, time));
        canvas_set(canvas, at, 11, change->role, change->sign);
        text_print(canvas, at, 13, 7, change->role, "%s", change->word);
        text_print(canvas, at, 20, canvas->columns - 20, ROLE_TEXT, "%s", change->text);
    }
    if (count == 0)
        text_print(canvas, row + 1, 1, canvas->columns - 1, ROLE_IDLE,
            "nothing since this console was opened");
}

static void
draw_empty(const struct deck *deck, struct canvas *canvas, int row)
{
    if (deck->is_recording)
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_TEXT,
            "No event has arrived yet. The taps are asked for new events all the time.");
    else
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_TEXT,
            "This tape is empty. Record with: tapedeck record kafka://HOST:9092/TOPIC");
}

static void
flows_draw(void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area)
{
    struct flows *flows = self;
    const struct columns *at = area.columns >= 119 ? &wide : &narrow;
    int table = area.rows - 1;
    int changes_rows = (int)changes_count(flows->changes) + 1;
    if (changes_rows < 2)
        changes_rows = 2;
    if (changes_rows > area.rows / 2)
        changes_rows = area.rows / 2;
    if (table < (int)flows->count + 1 + changes_rows)
        table = area.rows - 1 - changes_rows;
    if (table < 1)
        table = 1;

    draw_heading(canvas, area.row, at);
    if (flows->cursor < flows->top)
        flows->top = flows->cursor;
    if (flows->cursor >= flows->top + (size_t)table)
        flows->top = flows->cursor - (size_t)table + 1;
    flows->page = (size_t)table;
    int drawn = 0;
    for (; drawn < table && flows->top + (size_t)drawn < flows->count; drawn++)
        draw_flow(flows, deck, canvas, area.row + 1 + drawn, at, flows->top + (size_t)drawn);
    if (flows->count == 0)
        draw_empty(deck, canvas, area.row + 1);
    int below = area.row + 1 + (drawn > 0 ? drawn : 1);
    if (below + 1 < area.row + area.rows)
        below++;
    if (area.row + area.rows - below >= 2)
        draw_changes(flows, canvas, below, area.row + area.rows - below);
}

static void
say_taps_down(const struct deck *deck, struct buffer *text)
{
    for (uint32_t i = 0; i < deck->status->tap_count && i < LIVE_TAPS; i++) {
        const struct live_tap *tap = &deck->status->taps[i];
        if (tap->state == TAP_RETRYING || tap->state == TAP_FAILED)
            buffer_printf(text, "× tap %.30s is down  ", tap->name);
    }
}

static void
say_past(const struct flows *flows, const struct deck *deck, struct buffer *text)
{
    char when[CLOCK_TEXT_MAX];
    const char *end = flows->minute.is_done ? "." : ", counting ...";

    if (deck->last_ns == CLOCK_NONE) {
        buffer_append_text(text, "◌ Nothing is recording.");
        return;
    }
    if (!deck->is_recording)
        buffer_printf(
            text, "◌ Not recording since %s. ", clock_format_time(deck->last_ns, 0, when));
    else
        buffer_append_text(text, "◄ F follows the newest. ");
    buffer_printf(text, "Rates of the %u s before %s%s", minute_covered(&flows->minute),
        clock_format_time(deck->head_ns, 0, when), end);
}

static void
flows_sentence(const void *self, const struct deck *deck, struct buffer *text)
{
    const struct flows *flows = self;
    size_t states[STREAM_UNKNOWN + 1] = {0};
    for (size_t i = 0; i < flows->count; i++)
        states[flows->rows[i].state]++;

    if (deck->transport == TRANSPORT_PAST) {
        say_past(flows, deck, text);
        return;
    }
    if (deck->has_status)
        say_taps_down(deck, text);
    if (states[STREAM_LOSS] > 0)
        buffer_printf(text, "▲ %zu with losses  ", states[STREAM_LOSS]);
    if (states[STREAM_SILENT] > 0)
        buffer_printf(text, "▲ %zu silent  ", states[STREAM_SILENT]);
    if (text->length == 0)
        buffer_printf(text, "● %zu stream%s, nothing is wrong that can be seen from here.",
            flows->count, flows->count == 1 ? "" : "s");
}

const struct screen_ops screen_flows = {
    .name = "flows",
    .title = "Flows",
    .contexts = CONTEXT_MOVE | CONTEXT_TAPE | CONTEXT_FIND | CONTEXT_FLOWS,
    .interval_ms = 1000,
    .open = flows_open,
    .close = flows_close,
    .tick = flows_tick,
    .act = flows_act,
    .search = flows_search,
    .draw = flows_draw,
    .sentence = flows_sentence,
};
