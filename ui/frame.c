#include "ui/frame.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ui/canvas.h"
#include "ui/deck.h"
#include "ui/number.h"
#include "ui/stage.h"
#include "ui/stage_internal.h"
#include "ui/text.h"

#define WIDE_COLUMNS 100
#define HINTS_MAX    9

static void
draw_tabs(const struct stage *stage, struct canvas *canvas)
{
    int column = canvas->columns >= WIDE_COLUMNS
                     ? 1 + text_print(canvas, 0, 1, 12, ROLE_HEADING, "tapedeck ")
                     : 0;
    for (size_t i = 0; i < stage->screen_count; i++) {
        bool is_on = i == stage->current;
        column += text_print(canvas, 0, column, 20, is_on ? ROLE_HEADING : ROLE_SECONDARY,
            is_on ? "[%zu %s]" : " %zu %s ", i + 1, stage->screens[i]->title);
    }
}

/* Pieces of row 1 are laid from the right; each returns the column before it. */
static int
lay_left(struct canvas *canvas, int row, int end, enum role role, const char *text)
{
    int width = text_columns(bytes_of(text), canvas->columns);
    if (width == 0 || end - width < 0)
        return end;
    text_print(canvas, row, end - width, width, role, "%s", text);
    return end - width - (canvas->columns >= WIDE_COLUMNS ? 2 : 1);
}

static void
describe_transport(const struct deck *deck, char *text, size_t size, enum role *role)
{
    char number[NUMBER_TEXT_MAX];
    uint64_t newer = deck->end_seq > deck->head_seq ? deck->end_seq - deck->head_seq : 0;

    switch (deck->transport) {
    case TRANSPORT_LIVE:
        *role = ROLE_LIVE;
        (void)snprintf(text, size, "► LIVE");
        break;
    case TRANSPORT_HELD:
        *role = ROLE_HELD;
        if (newer > 0)
            (void)snprintf(text, size, "‖ HELD +%s", number_short((double)newer, number));
        else
            (void)snprintf(text, size, "‖ HELD");
        break;
    case TRANSPORT_PAST:
        *role = ROLE_PAST;
        (void)snprintf(text, size, "◄ PAST");
        break;
    }
}

static void
describe_taps(const struct deck *deck, char *text, size_t size, enum role *role)
{
    const struct live_status *status = deck->status;
    uint32_t well = 0;
    uint32_t down = 0;

    text[0] = '\0';
    *role = ROLE_IDLE;
    if (!deck->is_recording) {
        (void)snprintf(text, size, "◌ not recording");
        return;
    }
    if (!deck->has_status)
        return;
    if (deck_recorder_hangs(deck)) {
        *role = ROLE_CRITICAL;
        (void)snprintf(text, size, "× recorder does not answer");
        return;
    }
    for (uint32_t i = 0; i < status->tap_count && i < LIVE_TAPS; i++) {
        well += status->taps[i].state == TAP_LIVE || status->taps[i].state == TAP_ENDED;
        down += status->taps[i].state == TAP_RETRYING || status->taps[i].state == TAP_FAILED;
    }
    *role = down > 0 ? ROLE_CRITICAL : ROLE_OK;
    (void)snprintf(text, size, "%s%u/%u", down > 0 ? "×" : "●", well, status->tap_count);
}

static void
draw_state(const struct deck *deck, struct canvas *canvas)
{
    bool is_wide = canvas->columns >= WIDE_COLUMNS;
    char text[CLOCK_TEXT_MAX + 32];
    char number[NUMBER_TEXT_MAX];
    enum role role = ROLE_TEXT;
    int end = canvas->columns;

    int64_t moment = deck->head_ns != CLOCK_NONE ? deck->head_ns : deck->now_ns;
    char time[CLOCK_TEXT_MAX];
    (void)snprintf(
        text, sizeof(text), "%s%s", clock_format_time(moment, 0, time), is_wide ? "Z" : "");
    end = lay_left(canvas, 0, end, ROLE_TEXT, text);
    describe_transport(deck, text, sizeof(text), &role);
    end = lay_left(canvas, 0, end, role, text);
    if (deck->ratio >= 2.0) {
        (void)snprintf(text, sizeof(text), "~1:%s", number_short(deck->ratio, number));
        end = lay_left(canvas, 0, end, ROLE_ATTENTION, text);
    }
    if (deck->is_recording && deck->has_status) {
        (void)snprintf(text, sizeof(text), "%s/s", number_short(deck_rate(deck), number));
        end = lay_left(canvas, 0, end, ROLE_TEXT, text);
    }
    describe_taps(deck, text, sizeof(text), &role);
    lay_left(canvas, 0, end, role, text);
}

/* `tape 26h ├──────●──┤ now`: where on the tape the head is. */
static int
draw_tape_bar(const struct deck *deck, struct canvas *canvas, int end)
{
    char age[NUMBER_TEXT_MAX];
    int cells = canvas->columns - 86;
    if (cells > 34)
        cells = 34;
    if (deck->first_ns == CLOCK_NONE || deck->last_ns == CLOCK_NONE || cells < 10)
        return end;

    int64_t to_ns = deck->is_recording ? deck->now_ns : deck->last_ns;
    int64_t length_ns = to_ns > deck->first_ns ? clock_between(deck->first_ns, to_ns) : 1;
    int64_t head_ns =
        deck->head_ns != CLOCK_NONE ? clock_between(deck->first_ns, deck->head_ns) : length_ns;
    if (head_ns < 0)
        head_ns = 0;
    if (head_ns > length_ns)
        head_ns = length_ns;
    int at = (int)((double)head_ns / (double)length_ns * (cells - 1));
    const char *right = deck->is_recording ? "now" : "end";
    int column = end - cells - 6;
    canvas_set(canvas, 1, column, ROLE_SECONDARY, 0x251c);
    canvas_fill(canvas, 1, column + 1, cells, ROLE_SECONDARY, 0x2500);
    canvas_set(canvas, 1, column + 1 + at, ROLE_TEXT, 0x25cf);
    canvas_set(canvas, 1, column + 1 + cells, ROLE_SECONDARY, 0x2524);
    text_print(canvas, 1, column + cells + 3, 3, ROLE_SECONDARY, "%s", right);
    text_print_right(
        canvas, 1, column - 14, 13, ROLE_SECONDARY, "tape %s", number_age(length_ns, age));
    return column - 15;
}

static void
draw_second_row(const struct deck *deck, struct canvas *canvas)
{
    char text[96];
    char number[NUMBER_TEXT_MAX];
    int end = canvas->columns;
    uint64_t dropped = deck_dropped(deck);

    if (deck->is_recording && deck->status->disk_full != 0)
        end = lay_left(canvas, 1, end, ROLE_CRITICAL, "DISK FULL: nothing is taken");
    (void)snprintf(
        text, sizeof(text), "drops %s", deck->has_status ? number_grouped(dropped, number) : "?");
    end = lay_left(canvas, 1, end, dropped > 0 ? ROLE_CRITICAL : ROLE_SECONDARY, text);
    end = draw_tape_bar(deck, canvas, end);

    int column = 1;
    column += text_print(canvas, 1, column, 24, ROLE_HEADING, "%s", deck->title);
    const char *filter = deck_filter(deck);
    column += text_print(canvas, 1, column, 12, ROLE_SECONDARY, "   filter: ");
    if (end > column)
        text_print(canvas, 1, column, end - column, filter[0] != '\0' ? ROLE_TEXT : ROLE_SECONDARY,
            "%s", filter[0] != '\0' ? filter : "none");
}

void
frame_draw(const struct stage *stage, struct canvas *canvas)
{
    draw_tabs(stage, canvas);
    draw_state(stage->deck, canvas);
    draw_second_row(stage->deck, canvas);
}

static void
draw_sentence(const struct stage *stage, struct canvas *canvas, int row)
{
    const struct deck *deck = stage->deck;
    struct buffer text = {0};
    enum role role = ROLE_TEXT;

    if (deck->message[0] != '\0') {
        buffer_append_text(&text, deck->message);
        role = deck->message_is_error ? ROLE_ATTENTION : ROLE_TEXT;
    } else if (stage->banner != NULL) {
        buffer_append_text(&text, stage->banner);
        role = ROLE_HEADING;
    } else if (stage->is_help) {
        buffer_append_text(&text, "Any command can be typed by its name behind a colon.");
    } else {
        const struct screen_ops *screen = stage->screens[stage->current];
        screen->sentence(stage->states[stage->current], deck, &text);
    }
    text_print(canvas, row, 1, canvas->columns - 1, role, "%s", buffer_text(&text));
    buffer_done(&text);
}

static const char *
hint_text(const struct stage *stage, const struct keymap_row *row)
{
    const struct deck *deck = stage->deck;
    const struct screen_ops *screen = stage->screens[stage->current];
    const char *text = screen->hint != NULL
                           ? screen->hint(stage->states[stage->current], deck, row->action)
                           : NULL;

    if (text != NULL)
        return text;
    if (row->action == ACTION_HOLD && deck->transport != TRANSPORT_LIVE)
        return deck->is_recording ? "go on" : "to the end";
    if (row->action == ACTION_FOLLOW && (deck->transport == TRANSPORT_LIVE || !deck->is_recording))
        return ""; /* it does so already, or Space says the same */
    return row->hint;
}

/* The hints of this screen in the order of their priority; returns how many. */
static size_t
choose_hints(const struct stage *stage, const struct keymap_row **hints)
{
    size_t count;
    size_t chosen = 0;
    const struct keymap_row *rows = keymap_rows(&count);
    unsigned contexts = CONTEXT_EVERYWHERE | stage->screens[stage->current]->contexts;

    for (int priority = 1; priority < 100 && chosen < HINTS_MAX; priority++)
        for (size_t i = 0; i < count && chosen < HINTS_MAX; i++)
            if (rows[i].priority == priority && ((unsigned)rows[i].context & contexts) != 0 &&
                rows[i].action != ACTION_HELP && hint_text(stage, &rows[i])[0] != '\0')
                hints[chosen++] = &rows[i];
    return chosen;
}

static void
draw_hints(const struct stage *stage, struct canvas *canvas, int row)
{
    const struct keymap_row *hints[HINTS_MAX];
    size_t count = choose_hints(stage, hints);
    int end = canvas->columns - 8;
    int column = 1;

    text_print_right(canvas, row, end, 7, ROLE_SECONDARY, "? help");
    if (stage->is_help) {
        text_print(
            canvas, row, 1, end, ROLE_SECONDARY, "type to search   arrows scroll   Esc back");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *at = hints[i]->keys;
        const char *name;
        size_t length;
        const char *hint = hint_text(stage, hints[i]);
        if (!keymap_next_key(&at, &name, &length) ||
            column + (int)length + (int)strlen(hint) + 3 > end)
            continue;
        column += text_print(canvas, row, column, 12, ROLE_NAME, "%.*s ", (int)length, name);
        column += text_print(canvas, row, column, 30, ROLE_SECONDARY, "%s   ", hint);
    }
}

void
frame_draw_foot(const struct stage *stage, struct canvas *canvas)
{
    if (stage->prompt.kind != PROMPT_NONE) {
        prompt_draw(&stage->prompt, canvas, canvas->rows - 2);
        return;
    }
    draw_sentence(stage, canvas, canvas->rows - 2);
    draw_hints(stage, canvas, canvas->rows - 1);
}

void
frame_draw_too_small(struct canvas *canvas)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "tapedeck needs %dx%d, this is %dx%d. Keys still work.",
        STAGE_MIN_COLUMNS, STAGE_MIN_ROWS, canvas->columns, canvas->rows);
    text_print_wrapped(canvas, 0, canvas->rows, 0, canvas->columns, ROLE_TEXT, text);
}
