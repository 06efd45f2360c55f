#include "ui/lag_pane.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ui/canvas.h"
#include "ui/deck.h"
#include "ui/lag_draw.h"
#include "ui/lag_screen.h"
#include "ui/text.h"

#define LABEL_COLUMNS 11
#define MEMBERS_MAX   64u

/* Where the next line goes. */
struct pen {
    struct canvas *canvas;
    int row;
    int end;
};

/* A label and words in as many rows as they need, at most `rows`. */
static void
put(struct pen *pen, const char *label, enum role role, int rows, const char *text)
{
    if (text[0] == '\0' || pen->row >= pen->end)
        return;
    if (rows > pen->end - pen->row)
        rows = pen->end - pen->row;
    text_print(pen->canvas, pen->row, 1, LABEL_COLUMNS - 2, ROLE_NAME, "%s", label);
    int used = text_print_wrapped(pen->canvas, pen->row, rows, LABEL_COLUMNS,
        pen->canvas->columns - LABEL_COLUMNS - 1, role, text);
    pen->row += used > 0 ? used : 1;
}

static void
put_state(struct pen *pen, const struct lag_row *row, int64_t head_ns)
{
    char text[400];
    char age[NUMBER_TEXT_MAX];
    enum lag_state state = lag_row_state(row, head_ns);
    const struct lag_face *face = lag_face_of(state);

    if (state != row->state)
        (void)snprintf(text, sizeof(text), "UNKNOWN: not sampled for %s; it was %s then",
            number_age(head_ns - row->at_ns, age), lag_face_of(row->state)->word);
    else
        (void)snprintf(text, sizeof(text), "%s%s%.300s", face->word,
            row->reason[0] != '\0' ? ": " : "", row->reason);
    /* The reason is long; only the table shouts. */
    put(pen, "state", lag_is_problem(state) ? ROLE_ATTENTION : ROLE_TEXT, 3, text);
    if (state == row->state)
        put(pen, "next step", ROLE_TEXT, 3, row->next);
}

static void
append_rate(struct buffer *text, const char *label, double rate)
{
    char number[NUMBER_TEXT_MAX];
    buffer_printf(text, "%s %s/s   ", label, rate < 0.0 ? "?" : number_rate(rate, number));
}

static void
put_rates(struct pen *pen, const struct lag_row *row)
{
    struct buffer text = {0};
    char number[NUMBER_TEXT_MAX];

    append_rate(&text, "in", row->in_rate);
    append_rate(&text, "out", row->out_rate);
    buffer_printf(&text, "empty in %s", lag_drain_text(row, number));
    if (row->retention_seconds >= 0.0 && row->retention_seconds < 1e9)
        buffer_printf(&text, "   deleted unread in about %s",
            number_age((int64_t)row->retention_seconds * NS_PER_S, number));
    put(pen, "rates", ROLE_TEXT, 1, buffer_text(&text));
    buffer_done(&text);
}

/* The partition that asks for most attention: the lanes are sorted so when one has trouble. */
static void
put_next_event(struct pen *pen, const struct lag_row *row, const struct lag_full *full)
{
    const struct lag_lane *worst = NULL;
    char text[400];
    char number[NUMBER_TEXT_MAX];

    for (size_t i = 0; i < full->sample.lane_count; i++) {
        const struct lag_lane *lane = &full->sample.lanes[i];
        if (lane->lag > 0 && lane->committed >= 0 &&
            (worst == NULL || lane->state > worst->state ||
                (lane->state == worst->state && lane->lag > worst->lag)))
            worst = lane;
    }
    if (worst == NULL)
        return;
    (void)snprintf(text, sizeof(text), "%.200s[%" PRId32 "]@%s was not committed yet: %s",
        row->stream, worst->partition, number_grouped((uint64_t)worst->committed, number),
        row->source != NULL ? "E opens it" : "its stream is not on this tape");
    put(pen, "reading", ROLE_TEXT, 2, text);
}

/* `ship-1 [0] [1] [2]   ship-2 [3]`, in the order in which the members are met. */
static void
put_members(struct pen *pen, const struct lag_row *row, const struct lag_full *full)
{
    struct buffer text = {0};
    const char *members[MEMBERS_MAX];
    size_t count = 0;
    const struct lag_sample *sample = &full->sample;

    for (size_t i = 0; i < sample->lane_count && count < MEMBERS_MAX; i++) {
        const char *member = sample->lanes[i].member;
        bool is_known = member[0] == '\0';
        for (size_t m = 0; m < count && !is_known; m++)
            is_known = strcmp(members[m], member) == 0;
        if (is_known)
            continue;
        members[count++] = member;
        buffer_printf(&text, "%s%.60s", count > 1 ? "   " : "", member);
        for (size_t lane = i; lane < sample->lane_count && text.length < 2000; lane++)
            if (strcmp(sample->lanes[lane].member, member) == 0)
                buffer_printf(&text, " [%" PRId32 "]", sample->lanes[lane].partition);
    }
    if (count == 0 && row->members >= 0)
        buffer_printf(&text, "%" PRId64, row->members);
    put(pen, "members", ROLE_TEXT, 2, buffer_text(&text));
    buffer_done(&text);
}

static void
put_sample(struct pen *pen, const struct lag_row *row, int64_t head_ns)
{
    char text[200];
    char time[CLOCK_TEXT_MAX];
    char age[NUMBER_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "taken %s, %s before this moment, by tap %.60s",
        clock_format_time(row->at_ns, 0, time), number_age(head_ns - row->at_ns, age), row->tap);
    put(pen, "sample", ROLE_SECONDARY, 1, text);
}

static void
draw_rule(const struct lag_row *row, struct canvas *canvas, int at_row)
{
    canvas_fill(canvas, at_row, 0, canvas->columns, ROLE_SECONDARY, 0x2500);
    int column = 3;
    column += text_print(canvas, at_row, column, 1, ROLE_HEADING, " ");
    column += text_print_name(canvas, at_row, column, 40, ROLE_HEADING, row->group);
    column += text_print(canvas, at_row, column, 4, ROLE_HEADING, " on ");
    column +=
        text_print_name(canvas, at_row, column, canvas->columns / 3, ROLE_HEADING, row->stream);
    text_print(canvas, at_row, column, 1, ROLE_HEADING, " ");
    if (canvas->columns >= 100)
        text_print_right(canvas, at_row, canvas->columns - 46, 43, ROLE_SECONDARY,
            " last 15 min · lag in %s ", lag_row_has_ages(row) ? "seconds" : "events");
    else
        text_print_right(canvas, at_row, canvas->columns - 20, 17, ROLE_SECONDARY, " \\ full ");
}

void
lag_pane_draw(const struct lag_row *row, const struct lag_full *full, const struct deck *deck,
    struct canvas *canvas, int first_row, int rows)
{
    struct pen pen = {.canvas = canvas, .row = first_row + 1, .end = first_row + rows};
    bool is_known = full->row == row && full->is_known;

    if (rows < 2)
        return;
    draw_rule(row, canvas, first_row);
    if (rows >= 12) {
        int height = rows >= 34 ? 14 : rows >= 20 ? 8 : 5;
        lag_draw_chart(row, deck->head_ns, canvas, pen.row, height, canvas->columns);
        pen.row += height;
    }
    put_state(&pen, row, deck->head_ns);
    if (is_known)
        put_next_event(&pen, row, full);
    put_rates(&pen, row);
    if (is_known)
        put_members(&pen, row, full);
    put_sample(&pen, row, deck->head_ns);
}
