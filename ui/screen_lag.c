#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/query.h"
#include "index/tape.h"
#include "ui/deck.h"
#include "ui/lag_draw.h"
#include "ui/lag_screen.h"
#include "ui/screen.h"

static void *
lag_open(struct deck *deck)
{
    struct lag_screen *screen = alloc_zeroed(sizeof(*screen));
    screen->filters = deck->filters - 1;
    screen->cursor_partition = -1;
    screen->page = 10;
    return screen;
}

static void
lag_close(void *self)
{
    struct lag_screen *screen = self;
    for (size_t i = 0; i < LAG_OPEN_MAX; i++)
        lag_sample_done(&screen->open[i].sample);
    lag_sample_done(&screen->under_cursor.sample);
    query_matcher_free(screen->matcher);
    free(screen->shown);
    free(screen);
}

static bool
has_samples(const struct deck *deck)
{
    size_t count = tape_stream_count(deck->tape);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tape_stream(deck->tape, i)->name, "@lag") == 0)
            return true;
    return false;
}

static bool
lag_tick(void *self, struct deck *deck, int64_t monotonic_ns)
{
    struct lag_screen *screen = self;
    (void)monotonic_ns;

    screen->has_stream = screen->has_stream || has_samples(deck);
    bool changed = lag_board_tick(deck->board, deck);
    /* States grow old with the head, if nothing else happens. */
    changed = changed || screen->is_stale || screen->filters != deck->filters ||
              screen->collected_ns / NS_PER_S != deck->head_ns / NS_PER_S;
    if (changed) {
        lag_screen_collect(screen, deck);
        screen->collected_ns = deck->head_ns;
        screen->is_stale = false;
    }
    lag_screen_lay_out(screen, deck);
    return true;
}

/* --- keys --------------------------------------------------------------------------------------- */

bool
lag_row_has_text(const struct lag_row *row, const char *text)
{
    return text[0] != '\0' &&
           (strcasestr(row->group, text) != NULL || strcasestr(row->stream, text) != NULL);
}

static void
go_to_hit(struct lag_screen *screen, struct deck *deck, bool forward)
{
    size_t count = screen->shown_count;
    struct lag_line here = lag_screen_line(screen, screen->cursor);

    if (screen->search[0] == '\0') {
        deck_say(deck, false, "nothing is being looked for; / begins");
        return;
    }
    for (size_t i = 1; i <= count; i++) {
        size_t at = (here.row + (forward ? i : count - i)) % count;
        if (!lag_row_has_text(screen->shown[at], screen->search))
            continue;
        screen->has_cursor = true;
        screen->cursor_row = screen->shown[at];
        screen->cursor_partition = -1;
        return;
    }
    deck_say(deck, true, "no group or stream here is called like \"%s\"", screen->search);
}

static void
lag_search(void *self, struct deck *deck, const char *text)
{
    struct lag_screen *screen = self;
    (void)snprintf(screen->search, sizeof(screen->search), "%s", text);
    if (text[0] == '\0')
        return;
    if (screen->cursor_row == NULL || !lag_row_has_text(screen->cursor_row, screen->search))
        go_to_hit(screen, deck, true);
    lag_screen_lay_out(screen, deck);
}

static void
move_cursor(struct lag_screen *screen, struct deck *deck, long lines)
{
    long at = (long)screen->cursor + lines;
    long last = (long)screen->line_count - 1;
    if (at > last)
        at = last;
    screen->has_cursor = true;
    lag_screen_put_cursor(screen, deck, at < 0 ? 0 : (size_t)at);
}

/* The partition under the cursor, or that of the group which asks for most attention; NULL when the
 * sample names none. */
static const struct lag_lane *
chosen_lane(const struct lag_screen *screen)
{
    const struct lag_full *full = &screen->under_cursor;
    const struct lag_lane *chosen = NULL;

    if (!full->is_known || full->row != screen->cursor_row)
        return NULL;
    for (size_t i = 0; i < full->sample.lane_count; i++) {
        const struct lag_lane *lane = &full->sample.lanes[i];
        if (screen->cursor_partition >= 0) {
            if (lane->partition == screen->cursor_partition)
                return lane;
        } else if (chosen == NULL || lane->state > chosen->state ||
                   (lane->state == chosen->state && lane->lag > chosen->lag)) {
            chosen = lane;
        }
    }
    return chosen;
}

/* Put the head behind the first event that the group has not committed, and show it. */
static struct request
open_next_event(struct lag_screen *screen, struct deck *deck)
{
    struct request request = {.kind = REQUEST_NONE};
    const struct lag_row *row = screen->cursor_row;
    const struct lag_lane *lane = chosen_lane(screen);
    struct event event;
    struct error err = {0};

    if (row == NULL)
        return request;
    if (lane == NULL || lane->committed < 0) {
        deck_say(deck, true, "it is not known what %.60s has committed there", row->group);
        return request;
    }
    if (row->source == NULL) {
        deck_say(deck, true, "%.60s is not on this tape; `tapedeck stuck` reads it from the broker",
            row->stream);
        return request;
    }
    if (cursor_fetch_offset(deck->reader, row->source, lane->partition, lane->committed, &event,
            &err) != CURSOR_EVENT) {
        deck_say(deck, true,
            "%.60s[%" PRId32 "]@%" PRId64
            " is not on this tape; `tapedeck stuck` reads it from the broker",
            row->stream, lane->partition, lane->committed);
        return request;
    }
    request.kind = REQUEST_SCREEN;
    request.screen = "events";
    size_t length = request_filter_stream(&request, row->source->label);
    (void)snprintf(request.text + length, sizeof(request.text) - length, " partition=%" PRId32,
        lane->partition);
    deck_move_to(deck, event.seq);
    return request;
}

static void
fold_or_unfold(struct lag_screen *screen, struct deck *deck, enum action action)
{
    struct lag_line line = lag_screen_line(screen, screen->cursor);
    if (screen->shown_count == 0)
        return;
    struct lag_row *row = screen->shown[line.row];
    screen->has_cursor = true;
    if (action == ACTION_LEFT || (action == ACTION_OPEN && row->is_open))
        lag_screen_fold(screen, row);
    else
        lag_screen_unfold(screen, deck, row);
}

static void
next_order(struct lag_screen *screen, struct deck *deck)
{
    static const char *const names[] = {
        [LAG_BY_TROUBLE] = "trouble, the worst first",
        [LAG_BY_EVENTS] = "events that wait, most first",
        [LAG_BY_SECONDS] = "seconds behind, most first",
        [LAG_BY_GROUP] = "the group's name",
    };
    screen->order = (screen->order + 1) % LAG_ORDER_COUNT;
    deck_say(deck, false, "sorted by %s", names[screen->order]);
}

static bool
undo_layer(struct lag_screen *screen, struct deck *deck)
{
    struct error err = {0};

    if (screen->is_zoomed)
        screen->is_zoomed = false;
    else if (screen->search[0] != '\0')
        screen->search[0] = '\0';
    else if (screen->only_problems)
        screen->only_problems = false;
    else if (deck_filter(deck)[0] != '\0')
        deck_set_filter(deck, "", NULL, &err);
    else
        return false;
    return true;
}

static bool
act_moves(struct lag_screen *screen, struct deck *deck, enum action action)
{
    long page = screen->page > 1 ? (long)screen->page - 1 : 1;
    long lines = 0;

    switch ((int)action) {
    case ACTION_DOWN:
        lines = 1;
        break;
    case ACTION_UP:
        lines = -1;
        break;
    case ACTION_HALF_DOWN:
        lines = page / 2 + 1;
        break;
    case ACTION_HALF_UP:
        lines = -page / 2 - 1;
        break;
    case ACTION_PAGE_DOWN:
        lines = page;
        break;
    case ACTION_PAGE_UP:
        lines = -page;
        break;
    case ACTION_TOP:
        lines = -(long)screen->line_count;
        break;
    case ACTION_BOTTOM:
        lines = (long)screen->line_count;
        break;
    default:
        return false;
    }
    move_cursor(screen, deck, lines);
    return true;
}

static struct request
lag_act(void *self, struct deck *deck, enum action action)
{
    struct lag_screen *screen = self;
    struct request done = {.kind = REQUEST_NONE};

    if (act_moves(screen, deck, action)) {
        screen->has_cursor = action != ACTION_TOP; /* at the top it stays with the worst */
        return done;
    }
    screen->is_stale = true;
    switch ((int)action) {
    case ACTION_OPEN:
        if (screen->cursor_partition >= 0)
            return open_next_event(screen, deck);
        fold_or_unfold(screen, deck, action);
        return done;
    case ACTION_LEFT:
    case ACTION_RIGHT:
        fold_or_unfold(screen, deck, action);
        return done;
    case ACTION_TO_STUCK:
        return open_next_event(screen, deck);
    case ACTION_SORT:
        next_order(screen, deck);
        return done;
    case ACTION_PROBLEMS:
        screen->only_problems = !screen->only_problems;
        return done;
    case ACTION_ZOOM:
        screen->is_zoomed = !screen->is_zoomed;
        return done;
    case ACTION_NEXT:
        go_to_hit(screen, deck, true);
        return done;
    case ACTION_PREVIOUS:
        go_to_hit(screen, deck, false);
        return done;
    case ACTION_ESCAPE:
        if (undo_layer(screen, deck))
            return done;
        break;
    case ACTION_BACK:
        if (screen->is_zoomed) {
            screen->is_zoomed = false;
            return done;
        }
        break;
    default:
        break;
    }
    return (struct request){.kind = REQUEST_UNHANDLED};
}

static const char *
lag_hint(const void *self, const struct deck *deck, enum action action)
{
    const struct lag_screen *screen = self;
    (void)deck;

    switch ((int)action) {
    case ACTION_OPEN:
        if (screen->cursor_row == NULL)
            return "";
        return screen->cursor_partition >= 0 ? "its event"
               : screen->cursor_row->is_open ? "fold"
                                             : "partitions";
    case ACTION_TO_STUCK:
        return screen->cursor_row == NULL ? "" : NULL;
    case ACTION_PROBLEMS:
        return screen->only_problems ? "all" : NULL;
    case ACTION_ZOOM:
        return screen->is_zoomed ? "table" : NULL;
    case ACTION_STEP:
        return ""; /* moments of groups are not those of events */
    default:
        return NULL;
    }
}

const struct screen_ops screen_lag = {
    .name = "lag",
    .title = "Lag",
    .contexts =
        CONTEXT_MOVE | CONTEXT_TAPE | CONTEXT_FIND | CONTEXT_TABLE | CONTEXT_LAG | CONTEXT_PANE,
    .interval_ms = 1000,
    .open = lag_open,
    .close = lag_close,
    .tick = lag_tick,
    .act = lag_act,
    .search = lag_search,
    .draw = lag_draw,
    .hint = lag_hint,
    .sentence = lag_sentence,
};
