#include "ui/lag_draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"
#include "ui/canvas.h"
#include "ui/deck.h"
#include "ui/lag_pane.h"
#include "ui/lag_screen.h"
#include "ui/number.h"
#include "ui/text.h"

/* Where the columns begin; 0 leaves one out. */
struct columns {
    int group_width;
    int stream;
    int stream_width;
    int bars;
    int events;
    int seconds;
    int trend;
    int trend_width;
    int rates;
    int empty;
    int state;
};

static const struct columns wide = {15, 17, 13, 31, 44, 53, 62, 15, 78, 92, 99};
static const struct columns narrow = {15, 17, 13, 0, 31, 40, 49, 8, 0, 0, 59};

#define WIDE_COLUMNS 119

/* What is more than the wide table needs goes to the names and the state. */
static struct columns
columns_for(int width)
{
    if (width < WIDE_COLUMNS) {
        struct columns at = narrow;
        int extra = (width - 80) / 2 > 0 ? (width - 80) / 2 : 0;
        at.group_width += extra / 2;
        at.stream += extra / 2;
        at.stream_width += extra - extra / 2;
        at.events += extra;
        at.seconds += extra;
        at.trend += extra;
        at.state += extra;
        return at;
    }
    struct columns at = wide;
    int extra = (width - 120) / 3 > 0 ? (width - 120) / 3 : 0;
    extra = extra > 30 ? 30 : extra;
    at.group_width += extra;
    at.stream += extra;
    at.stream_width += extra;
    int *const after[] = {
        &at.bars, &at.events, &at.seconds, &at.trend, &at.rates, &at.empty, &at.state};
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
        *after[i] += 2 * extra;
    return at;
}

static void
draw_heading(struct canvas *canvas, int row, const struct columns *at, enum lag_order order)
{
    text_print(
        canvas, row, 1, at->group_width, ROLE_HEADING, "GROUP%s", order == LAG_BY_GROUP ? "↓" : "");
    text_print(canvas, row, at->stream, at->stream_width, ROLE_HEADING, "STREAM");
    if (at->bars > 0)
        text_print(canvas, row, at->bars, 12, ROLE_HEADING, "PARTITIONS");
    text_print_right(
        canvas, row, at->events, 8, ROLE_HEADING, "EVENTS%s", order == LAG_BY_EVENTS ? "↓" : "");
    text_print_right(
        canvas, row, at->seconds, 8, ROLE_HEADING, "SECONDS%s", order == LAG_BY_SECONDS ? "↓" : "");
    text_print(canvas, row, at->trend, at->trend_width, ROLE_HEADING,
        at->trend_width >= 12 ? "TREND 15 MIN" : "15 MIN");
    if (at->rates > 0) {
        text_print_right(canvas, row, at->rates, 6, ROLE_HEADING, "IN/S");
        text_print_right(canvas, row, at->rates + 7, 6, ROLE_HEADING, "OUT/S");
    }
    if (at->empty > 0)
        text_print_right(canvas, row, at->empty, 6, ROLE_HEADING, "EMPTY");
    text_print(
        canvas, row, at->state, 12, ROLE_HEADING, "STATE%s", order == LAG_BY_TROUBLE ? "↓" : "");
}

static void
draw_count(struct canvas *canvas, int row, int column, int width, enum role role, int64_t count)
{
    char text[NUMBER_TEXT_MAX];
    if (count < 0)
        text_print_right(canvas, row, column, width, ROLE_IDLE, "?");
    else
        text_print_right(canvas, row, column, width, role, "%s",
            strlen(number_grouped((uint64_t)count, text)) <= (size_t)width
                ? text
                : number_short((double)count, text));
}

static void
draw_seconds(struct canvas *canvas, int row, int column, enum role role, double seconds)
{
    char text[NUMBER_TEXT_MAX];
    text_print_right(canvas, row, column, 8, seconds < 0.0 ? ROLE_IDLE : role, "%s",
        number_seconds(seconds, text));
}

static void
draw_rate(struct canvas *canvas, int row, int column, double rate)
{
    char text[NUMBER_TEXT_MAX];
    if (rate < 0.0)
        text_print_right(canvas, row, column, 6, ROLE_IDLE, "?");
    else
        text_print_right(canvas, row, column, 6, ROLE_TEXT, "%s",
            rate < 99999.5 ? number_rate(rate, text) : number_short(rate, text));
}

char *
lag_drain_text(const struct lag_row *row, char text[NUMBER_TEXT_MAX])
{
    if (row->lag == 0)
        (void)snprintf(text, NUMBER_TEXT_MAX, "-");
    else if (row->drain_seconds >= 0.0 && row->drain_seconds < 1e9)
        number_age((int64_t)row->drain_seconds * NS_PER_S, text);
    else if (row->lag > 0 && row->in_rate >= 0.0 && row->out_rate >= 0.0)
        (void)snprintf(text, NUMBER_TEXT_MAX, lag_is_problem(row->state) ? "never" : "-");
    else
        (void)snprintf(text, NUMBER_TEXT_MAX, "?");
    return text;
}

static void
draw_bars(const struct lag_row *row, struct canvas *canvas, int at_row, int column, enum role role)
{
    size_t bars = row->lane_count < LAG_BARS ? row->lane_count : LAG_BARS;
    for (size_t i = 0; i < bars; i++) {
        if (row->bars[i] < 0)
            canvas_set(canvas, at_row, column + (int)i, ROLE_IDLE, '?');
        else
            canvas_set(canvas, at_row, column + (int)i, role,
                row->bars[i] == 0 ? 0x00b7 : 0x2580 + (uint32_t)row->bars[i]);
    }
}

/* Sign and word, then the reason as far as there is room. */
static void
draw_state(struct canvas *canvas, int row, int column, enum lag_state state, const char *reason)
{
    const struct lag_face *face = lag_face_of(state);
    int room = canvas->columns - column;

    canvas_set(canvas, row, column, face->role, face->sign);
    canvas_set(canvas, row, column + 1, face->role, ' ');
    int used = 2 + text_print(canvas, row, column + 2, room - 2, face->role, "%s", face->word);
    if (room - used > 8 && (lag_is_problem(state) || state == LAG_UNKNOWN))
        text_print(canvas, row, column + used + 1, room - used - 1, ROLE_SECONDARY, "%s", reason);
}

static void
draw_group(const struct lag_screen *screen, struct canvas *canvas, int at_row,
    const struct columns *at, const struct lag_row *row, int64_t head_ns)
{
    char text[NUMBER_TEXT_MAX];
    bool is_hit = lag_row_has_text(row, screen->search);
    bool is_old = head_ns - row->at_ns >= LAG_STALE_NS;
    enum role role = is_old ? ROLE_IDLE : ROLE_TEXT;

    if (row->is_open)
        canvas_set(canvas, at_row, 0, ROLE_SECONDARY, 0x25be);
    text_print_name(canvas, at_row, 1, at->group_width, is_hit ? ROLE_HIT : ROLE_TEXT, row->group);
    text_print_name(
        canvas, at_row, at->stream, at->stream_width, is_hit ? ROLE_HIT : role, row->stream);
    if (at->bars > 0)
        draw_bars(row, canvas, at_row, at->bars, role);
    draw_count(canvas, at_row, at->events, 8, role, row->lag);
    draw_seconds(canvas, at_row, at->seconds, role, row->seconds);
    lag_draw_trend(row, head_ns, canvas, at_row, at->trend, at->trend_width, role);
    if (at->rates > 0 && !is_old) {
        draw_rate(canvas, at_row, at->rates, row->in_rate);
        draw_rate(canvas, at_row, at->rates + 7, row->out_rate);
    }
    if (at->empty > 0 && !is_old)
        text_print_right(canvas, at_row, at->empty, 6, ROLE_TEXT, "%s", lag_drain_text(row, text));
    char old[64];
    (void)snprintf(old, sizeof(old), "seen %s ago", number_age(head_ns - row->at_ns, text));
    draw_state(canvas, at_row, at->state, lag_row_state(row, head_ns), is_old ? old : row->reason);
}

static void
draw_lane(const struct lag_full *full, size_t index, struct canvas *canvas, int row,
    const struct columns *at)
{
    const struct lag_lane *lane = &full->sample.lanes[index];
    char number[NUMBER_TEXT_MAX];
    char name[32];

    (void)snprintf(name, sizeof(name), "[%" PRId32 "]", lane->partition);
    text_print(canvas, row, 3, 8, ROLE_TEXT, "%s", name);
    int used = (int)strlen(name) < 4 ? 4 : (int)strlen(name);
    text_print_name(canvas, row, 4 + used, at->group_width - used - 3, ROLE_SECONDARY,
        lane->member[0] != '\0' ? lane->member : "-");
    int width = at->bars > 0 ? at->bars - at->stream + 12 : at->stream_width;
    if (lane->committed < 0)
        text_print(canvas, row, at->stream, width, ROLE_IDLE, "@?");
    else
        text_print(canvas, row, at->stream, width, ROLE_TEXT, "@%s",
            number_grouped((uint64_t)lane->committed, number));
    draw_count(canvas, row, at->events, 8, ROLE_TEXT, lane->lag);
    draw_seconds(canvas, row, at->seconds, ROLE_TEXT, lane->seconds);
    draw_state(canvas, row, at->state, lane->state, lane->reason);
}

/* Every empty place says why, and the next key. */
static void
draw_empty(const struct lag_screen *screen, const struct deck *deck, struct canvas *canvas, int row)
{
    int width = canvas->columns - 6;
    char time[CLOCK_TEXT_MAX];
    char text[512];

    if (lag_board_failure(deck->board) != NULL)
        (void)snprintf(text, sizeof(text), "The samples cannot be read: %.300s",
            lag_board_failure(deck->board));
    else if (lag_board_is_loading(deck->board))
        (void)snprintf(text, sizeof(text), "Reading the samples before this moment ...");
    else if (screen->all_count > 0 && screen->only_problems)
        (void)snprintf(text, sizeof(text), "None of %zu group%s has trouble%s. o shows all.",
            screen->all_count, screen->all_count == 1 ? "" : "s",
            deck->query != NULL ? " among those that match the filter" : "");
    else if (screen->all_count > 0)
        (void)snprintf(text, sizeof(text),
            "None of %zu group%s matches the filter. Words, stream=NAME and key=GROUP narrow this "
            "list; f changes the filter, Esc drops it.",
            screen->all_count, screen->all_count == 1 ? "" : "s");
    else if (screen->has_stream)
        (void)snprintf(text, sizeof(text),
            "No consumer group was sampled in the 15 minutes before %s. { goes further back, F "
            "follows the newest.",
            clock_format_time(deck->head_ns, 0, time));
    else if (deck->is_recording)
        (void)snprintf(text, sizeof(text),
            "No consumer group was sampled yet. The recorder samples those of its Kafka taps every "
            "few seconds; ZeroMQ has none. `tapedeck tap test NAME` says what a tap may not see.");
    else
        (void)snprintf(text, sizeof(text),
            "This tape has no samples of consumer groups. A recorder takes them from its Kafka "
            "taps; "
            "`tapedeck lag kafka://HOST:9092` looks at a broker now.");
    text_print_wrapped(canvas, row, 4, 3, width, ROLE_TEXT, text);
}

static void
draw_table(
    struct lag_screen *screen, const struct deck *deck, struct canvas *canvas, int row, int rows)
{
    struct columns at = columns_for(canvas->columns);
    size_t page = rows > 1 ? (size_t)rows - 1 : 1;

    draw_heading(canvas, row, &at, screen->order);
    screen->page = page;
    if (screen->cursor < screen->top)
        screen->top = screen->cursor;
    if (screen->cursor >= screen->top + page)
        screen->top = screen->cursor - page + 1;
    if (screen->top > 0 && screen->top + page > screen->line_count)
        screen->top = screen->line_count > page ? screen->line_count - page : 0;
    for (size_t i = 0; i < page && screen->top + i < screen->line_count; i++) {
        struct lag_line line = lag_screen_line(screen, screen->top + i);
        const struct lag_row *group = screen->shown[line.row];
        int here = row + 1 + (int)i;
        if (line.lane == LAG_NO_LANE)
            draw_group(screen, canvas, here, &at, group, deck->head_ns);
        else
            draw_lane(lag_screen_open(screen, group), line.lane, canvas, here, &at);
        if (screen->top + i != screen->cursor)
            continue;
        canvas_set(canvas, here, 0, ROLE_SELECTED, 0x25b8);
        canvas_mark_row(canvas, here, 0, at.bars > 0 ? at.bars - 1 : at.events, ROLE_SELECTED);
    }
    if (screen->line_count == 0)
        draw_empty(screen, deck, canvas, row + 2);
}

void
lag_draw(void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area)
{
    struct lag_screen *screen = self;
    const struct lag_row *row = screen->cursor_row;
    int pane = row == NULL ? 0 : area.rows >= 30 ? 14 : 7;
    int table = (int)screen->line_count + 1;

    if (row != NULL && screen->is_zoomed)
        pane = area.rows;
    if (table > area.rows - pane)
        table = area.rows - pane;
    /* The pane follows the table, so that the eye need not jump; what is free stays free. */
    if (table > 1 || row == NULL)
        draw_table(screen, deck, canvas, area.row, row == NULL ? area.rows : table);
    if (row == NULL)
        return;
    int below = area.row + (table > 0 ? table : 0);
    int end = area.row + area.rows;
    if (!screen->is_zoomed && below + pane < end)
        below++;
    lag_pane_draw(row, &screen->under_cursor, deck, canvas, below, end - below);
}

static void
say_states(const struct lag_screen *screen, struct buffer *text)
{
    for (int state = LAG_STATE_COUNT - 1; state >= LAG_WARN; state--) {
        if (screen->problem_counts[state] == 0)
            continue;
        const struct lag_face *face = lag_face_of((enum lag_state)state);
        buffer_printf(text, "%s %zu %s  ", face->sign == 0x25a0 ? "■" : "▲",
            screen->problem_counts[state], face->word);
    }
    if (text->length == 0)
        buffer_append_text(text, "● no group has trouble  ");
}

void
lag_sentence(const void *self, const struct deck *deck, struct buffer *text)
{
    const struct lag_screen *screen = self;
    char number[NUMBER_TEXT_MAX];

    if (screen->all_count == 0) {
        buffer_append_text(text, "◌ Nothing is known of consumer groups here.");
        return;
    }
    say_states(screen, text);
    buffer_printf(text, "of %s group%s", number_grouped(screen->all_count, number),
        screen->all_count == 1 ? "" : "s");
    if (screen->shown_count < screen->all_count)
        buffer_printf(text, ", %s shown", number_grouped(screen->shown_count, number));
    if (lag_board_left_out(deck->board) > 0)
        buffer_printf(text, ", samples left out: %s",
            number_grouped(lag_board_left_out(deck->board), number));
    if (lag_board_is_loading(deck->board))
        buffer_append_text(text, ", reading ...");
    else
        buffer_append_text(text, " · seconds: age of the oldest uncommitted event");
}
