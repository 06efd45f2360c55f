#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ui/canvas.h"
#include "ui/changes.h"
#include "ui/deck.h"
#include "ui/flows_screen.h"
#include "ui/lag_draw.h"
#include "ui/lag_sample.h"
#include "ui/number.h"
#include "ui/text.h"

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
    int seconds;
    int group;
    int state;
};

static const struct columns wide = {19, 21, 31, 41, 18, 59, 66, 73, 81, 90, 98, 109};
static const struct columns narrow = {16, 0, 17, 26, 12, 38, 0, 45, 53, 61, 0, 69};

#define WIDE_COLUMNS 119

static int
cut(int value, int most)
{
    return value < most ? value : most;
}

/* What is more than the table needs goes to the names and to the sparkline. */
static struct columns
columns_for(int width)
{
    struct columns at = width >= WIDE_COLUMNS ? wide : narrow;
    int extra = width - (width >= WIDE_COLUMNS ? 120 : 80);
    if (extra <= 0)
        return at;
    int for_group = at.group > 0 ? cut(extra / 4, 12) : 0;
    int for_name = cut(extra - for_group, 24);
    int for_spark = cut(extra - for_group - for_name, (int)FLOW_SLOTS - at.spark_width);
    int *const after_name[] = {&at.tap, &at.rate, &at.spark};
    int *const after_spark[] = {
        &at.peak, &at.bytes, &at.last, &at.lag, &at.seconds, &at.group, &at.state};

    at.stream_width += for_name;
    at.spark_width += for_spark;
    for (size_t i = 0; i < sizeof(after_name) / sizeof(after_name[0]); i++)
        *after_name[i] += *after_name[i] > 0 ? for_name : 0;
    for (size_t i = 0; i < sizeof(after_spark) / sizeof(after_spark[0]); i++)
        *after_spark[i] += *after_spark[i] > 0 ? for_name + for_spark : 0;
    at.state += for_group;
    return at;
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
    text_print_right(canvas, row, at->seconds, 6, ROLE_HEADING, "LAG s");
    if (at->group > 0)
        text_print(canvas, row, at->group, 10, ROLE_HEADING, "GROUP");
    text_print(canvas, row, at->state, 11, ROLE_HEADING, "STATE");
}

/* The state of the stream, or the trouble of a group that reads it when that is worse. */
static void
draw_state(struct canvas *canvas, int row, int column, const struct flow *flow)
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
    bool has_trouble = flow->has_group && lag_is_problem(flow->group_state);
    if (!has_trouble || flow->state == STREAM_LOSS || flow->state == STREAM_DOWN) {
        text_print(canvas, row, column, 11, looks[flow->state].role, "%s", looks[flow->state].text);
        return;
    }
    const struct lag_face *face = lag_face_of(flow->group_state);
    canvas_set(canvas, row, column, face->role, face->sign);
    canvas_set(canvas, row, column + 1, face->role, ' ');
    text_print(canvas, row, column + 2, 9, face->role, "%s", face->word);
}

/* How far the slowest group is behind: `-` when nobody reads the stream, `?` when that is not known. */
static void
draw_group(struct canvas *canvas, int row, const struct columns *at, const struct flow *flow)
{
    char text[NUMBER_TEXT_MAX];
    const char *none = flow->groups_are_known ? "-" : "?";

    if (flow->has_group && flow->lag >= 0)
        text_print_right(
            canvas, row, at->lag, 7, ROLE_TEXT, "%s", number_short((double)flow->lag, text));
    else
        text_print_right(canvas, row, at->lag, 7, ROLE_IDLE, "%s", flow->has_group ? "?" : none);
    if (flow->has_group && flow->seconds >= 0.0)
        text_print_right(
            canvas, row, at->seconds, 6, ROLE_TEXT, "%s", number_seconds(flow->seconds, text));
    else
        text_print_right(
            canvas, row, at->seconds, 6, ROLE_IDLE, "%s", flow->has_group ? "?" : none);
    if (at->group > 0 && flow->has_group)
        text_print_name(
            canvas, row, at->group, at->state - at->group - 1, ROLE_SECONDARY, flow->group);
    else if (at->group > 0)
        text_print(canvas, row, at->group, 1, ROLE_IDLE, "%s", none);
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
}

static void
draw_flow(const struct flows *flows, const struct deck *deck, struct canvas *canvas, int row,
    const struct columns *at, size_t index)
{
    const struct flow *flow = &flows->rows[flows->shown[index]];
    bool is_hit = flows_row_matches(flow, flows->search);
    int64_t reference_ns = flow->state == STREAM_UNKNOWN && flows->minute.end_ns != CLOCK_NONE
                               ? flows->minute.end_ns
                               : deck->now_ns;

    text_print_name(
        canvas, row, 1, at->stream_width, is_hit ? ROLE_HIT : ROLE_TEXT, flow->stream->name);
    if (at->tap > 0)
        text_print_name(canvas, row, at->tap, 9, ROLE_SECONDARY, flow->stream->tap);
    draw_numbers(canvas, row, at, flow, reference_ns);
    draw_group(canvas, row, at, flow);
    draw_state(canvas, row, at->state, flow);
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
draw_empty(const struct flows *flows, const struct deck *deck, struct canvas *canvas, int row)
{
    char text[256];

    if (flows->count > 0 && flows->only_problems)
        (void)snprintf(
            text, sizeof(text), "None of %zu streams has trouble. o shows all.", flows->count);
    else if (flows->count > 0)
        (void)snprintf(text, sizeof(text),
            "No event of these %zu streams can match the filter. f changes it, Esc drops it.",
            flows->count);
    else if (deck->is_recording)
        (void)snprintf(text, sizeof(text),
            "No event has arrived yet. The taps are asked for new events all the time.");
    else
        (void)snprintf(text, sizeof(text),
            "This tape is empty. Record with: tapedeck record kafka://HOST:9092/TOPIC");
    text_print_wrapped(canvas, row, 2, 3, canvas->columns - 4, ROLE_TEXT, text);
}

void
flows_draw(void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area)
{
    struct flows *flows = self;
    struct columns at = columns_for(area.columns);
    int table = area.rows - 1;
    int changes_rows = (int)changes_count(flows->changes) + 1;
    if (changes_rows < 2)
        changes_rows = 2;
    if (changes_rows > area.rows / 2)
        changes_rows = area.rows / 2;
    if (table < (int)flows->shown_count + 1 + changes_rows)
        table = area.rows - 1 - changes_rows;
    if (table < 1)
        table = 1;

    draw_heading(canvas, area.row, &at);
    if (flows->cursor < flows->top)
        flows->top = flows->cursor;
    if (flows->cursor >= flows->top + (size_t)table)
        flows->top = flows->cursor - (size_t)table + 1;
    flows->page = (size_t)table;
    int drawn = 0;
    for (; drawn < table && flows->top + (size_t)drawn < flows->shown_count; drawn++)
        draw_flow(flows, deck, canvas, area.row + 1 + drawn, &at, flows->top + (size_t)drawn);
    if (flows->shown_count == 0)
        draw_empty(flows, deck, canvas, area.row + 1);
    int below = area.row + 1 + (drawn > 0 ? drawn : 1);
    if (below + 1 < area.row + area.rows)
        below++;
    if (area.row + area.rows - below >= 2)
        draw_changes(flows, canvas, below, area.row + area.rows - below);
}

static void
say_damage(const struct deck *deck, struct buffer *text)
{
    size_t count = deck_damaged(deck);
    if (count > 0)
        buffer_printf(text, "■ the tape is damaged in %zu place%s  ", count, count == 1 ? "" : "s");
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

    say_damage(deck, text);
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

/* The trouble that is worst, by name; L on its row says why. */
static void
say_group(const struct flows *flows, struct buffer *text)
{
    const struct flow *worst = NULL;
    for (size_t i = 0; i < flows->count; i++) {
        const struct flow *flow = &flows->rows[i];
        if (flow->has_group && lag_is_problem(flow->group_state) &&
            (worst == NULL || flow->group_state > worst->group_state))
            worst = flow;
    }
    if (worst != NULL)
        buffer_printf(text, "%s %s: %.40s on %.40s (L)  ",
            lag_face_of(worst->group_state)->role == ROLE_CRITICAL ? "■" : "▲",
            lag_face_of(worst->group_state)->word, worst->group, worst->stream->name);
}

static void
say_live(const struct flows *flows, const struct deck *deck, struct buffer *text)
{
    size_t states[STREAM_UNKNOWN + 1] = {0};
    for (size_t i = 0; i < flows->count; i++)
        states[flows->rows[i].state]++;

    say_damage(deck, text);
    if (deck->has_status)
        say_taps_down(deck, text);
    say_group(flows, text);
    if (states[STREAM_LOSS] > 0)
        buffer_printf(text, "▲ %zu with losses  ", states[STREAM_LOSS]);
    if (states[STREAM_SILENT] > 0)
        buffer_printf(text, "▲ %zu silent  ", states[STREAM_SILENT]);
    if (text->length == 0)
        buffer_printf(text, "● %zu stream%s, nothing is wrong that can be seen from here.",
            flows->count, flows->count == 1 ? "" : "s");
}

void
flows_sentence(const void *self, const struct deck *deck, struct buffer *text)
{
    const struct flows *flows = self;
    char when[CLOCK_TEXT_MAX];

    if (flows->shown_count < flows->count)
        buffer_printf(
            text, "%zu of %zu streams shown (Esc: all)  ", flows->shown_count, flows->count);
    if (deck->transport == TRANSPORT_PAST) {
        say_past(flows, deck, text);
        return;
    }
    if (deck->transport == TRANSPORT_HELD)
        buffer_printf(
            text, "‖ Held at %s, recording goes on.  ", clock_format_time(deck->head_ns, 0, when));
    say_live(flows, deck, text);
}
