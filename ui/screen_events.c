#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "ui/deck.h"
#include "ui/detail.h"
#include "ui/event_list.h"
#include "ui/event_row.h"
#include "ui/events_draw.h"
#include "ui/events_screen.h"
#include "ui/screen.h"

/* Rows that are loaded at once, and kept ready above the first one that is drawn. */
#define PAGE_ROWS  120u
#define SPARE_ROWS 40u

static void *
events_open(struct deck *deck)
{
    struct events *events = alloc_zeroed(sizeof(*events));
    event_list_init(&events->list, deck->tape);
    events->moves = deck->moves - 1;
    events->rows_drawn = 20;
    return events;
}

static void
events_close(void *self)
{
    struct events *events = self;
    event_list_done(&events->list);
    detail_done(&events->detail);
    free(events);
}

static void
begin(struct events *events, struct deck *deck)
{
    event_list_begin(&events->list, deck_filter(deck), deck->now_ns, deck->head_seq, PAGE_ROWS);
    events->moves = deck->moves;
    events->filters = deck->filters;
    events->was_live = deck->transport == TRANSPORT_LIVE;
    events->has_cursor = false;
    events->is_begun = true;
}

/* Rows came in front of, or were dropped before, the cursor: it stays on its event. */
static void
shift_cursor(struct events *events, size_t in_front, size_t dropped)
{
    events->cursor += in_front;
    events->top += in_front;
    events->cursor = events->cursor > dropped ? events->cursor - dropped : 0;
    events->top = events->top > dropped ? events->top - dropped : 0;
}

static void
cursor_to_newest(struct events *events)
{
    events->cursor = events->list.count > 0 ? events->list.count - 1 : 0;
}

static bool
load_older(struct events *events, struct deck *deck)
{
    bool more = false;
    size_t in_front = 0;
    size_t kept = events->cursor + events->rows_drawn;
    bool changed = event_list_load(&events->list, kept, &more, &in_front);

    shift_cursor(events, in_front, 0);
    events->is_loading = more;
    if (more)
        deck->is_busy = true;
    return changed;
}

/* Rows that there should be, for the screen and a little further. */
static size_t
rows_needed(const struct events *events)
{
    return events->cursor + events->rows_drawn + SPARE_ROWS;
}

/* Is there more up to the head that is not loaded? */
static bool
has_newer(const struct events *events, const struct deck *deck)
{
    return !events->list.newer_is_done && events->list.end_seq <= deck->head_seq;
}

/* Rows that fell off the end, while older ones were looked at, come back when the cursor comes near. What is behind
 * the head does not come by itself. */
static bool
load_newer(struct events *events, struct deck *deck)
{
    size_t dropped = 0;
    struct event_list *list = &events->list;

    if (!has_newer(events, deck) || list->count >= rows_needed(events))
        return false;
    size_t added = event_list_load_newer(list, rows_needed(events) - list->count, &dropped);
    shift_cursor(events, 0, dropped);
    if (has_newer(events, deck) && list->count < rows_needed(events))
        deck->is_busy = true;
    return added > 0;
}

/* Copy the event under the cursor into the pane when it is another one than before. */
static void
load_detail(struct events *events, struct deck *deck)
{
    struct event event;
    struct error err = {0};

    if (!events->has_detail || events->cursor >= events->list.count)
        return;
    uint64_t seq = events->list.rows[events->cursor]->seq;
    if (events->detail.is_loaded && events->detail.seq == seq)
        return;
    if (cursor_fetch_seq(deck->reader, seq, &event, &err) == CURSOR_EVENT) {
        detail_load(&events->detail, &event);
        return;
    }
    events->detail.is_loaded = false;
    deck_say(deck, true, "this event cannot be read: %s",
        err.text[0] != '\0' ? err.text : "it is not on the tape any more");
}

static bool
events_tick(void *self, struct deck *deck, int64_t monotonic_ns)
{
    struct events *events = self;
    bool is_live = deck->transport == TRANSPORT_LIVE;
    bool changed = false;
    size_t dropped = 0;

    /* Holding keeps the rows that are seen; what sampling left out is then read in full. */
    if (!events->is_begun || events->moves != deck->moves || events->filters != deck->filters) {
        uint64_t keep_seq = events->keep_seq;
        begin(events, deck);
        events->keep_seq = keep_seq;
        changed = true;
    }
    changed |= load_older(events, deck);
    if (!is_live)
        changed |= load_newer(events, deck);
    if (is_live && event_list_follow(&events->list, deck->end_seq, monotonic_ns, &dropped)) {
        shift_cursor(events, 0, dropped);
        changed = true;
    }
    if (!events->has_cursor)
        cursor_to_newest(events);
    if (events->keep_seq != 0)
        events_keep_cursor(events);
    load_detail(events, deck);
    deck->ratio = is_live ? events->list.ratio : 1.0;
    return changed;
}

/* Put the cursor on the event that it was on before the list was loaded anew. */
void
events_keep_cursor(struct events *events)
{
    struct event_list *list = &events->list;
    uint64_t seq = events->keep_seq - 1;

    if (list->count > 0 && list->rows[0]->seq <= seq) {
        size_t at = list->count - 1;
        while (at > 0 && list->rows[at]->seq > seq)
            at--;
        events->cursor = at;
        events->has_cursor = true;
        events->keep_seq = 0;
    } else if (list->older_is_done) {
        events->cursor = 0;
        events->has_cursor = list->count > 0;
        events->keep_seq = 0;
    } else if (!events->is_loading && list->count + PAGE_ROWS <= EVENT_LIST_MAX_ROWS) {
        event_list_want_older(list, PAGE_ROWS);
    } else if (!events->is_loading) {
        events->keep_seq = 0; /* further back than the list goes: stay at the head */
    }
}

/* Stand still with the cursor on the same event. */
static void
hold(struct events *events, struct deck *deck)
{
    if (deck->transport != TRANSPORT_LIVE)
        return;
    if (events->cursor < events->list.count)
        events->keep_seq = events->list.rows[events->cursor]->seq + 1;
    deck_hold(deck);
    events_tick(events, deck, clock_monotonic_ns());
}

static void
move_up(struct events *events, struct deck *deck, size_t rows)
{
    hold(events, deck);
    events->has_cursor = true;
    events->keep_seq = 0;
    if (events->cursor < rows + SPARE_ROWS && !events->list.older_is_done) {
        event_list_want_older(&events->list, PAGE_ROWS);
        load_older(events, deck);
    }
    events->cursor = events->cursor > rows ? events->cursor - rows : 0;
}

/* True when the cursor moved; behind the last row of a head that stands there is nothing. */
static bool
move_down(struct events *events, size_t rows)
{
    size_t before = events->cursor;
    size_t dropped = 0;

    if (events->cursor + rows + SPARE_ROWS >= events->list.count) {
        event_list_load_newer(&events->list, rows + SPARE_ROWS, &dropped);
        shift_cursor(events, 0, dropped);
        before -= before > dropped ? dropped : before;
    }
    events->cursor += rows;
    if (events->cursor >= events->list.count)
        cursor_to_newest(events);
    return events->cursor != before;
}

/* One event forward: behind the last row the head itself moves on to the next match. */
static void
step_forward(struct events *events, struct deck *deck)
{
    size_t dropped = 0;

    hold(events, deck);
    events->has_cursor = true;
    if (events->cursor + 1 < events->list.count || move_down(events, 1)) {
        if (events->cursor + 1 < events->list.count)
            events->cursor++;
        return;
    }
    if (has_newer(events, deck))
        return; /* it is on its way */
    event_list_extend(&events->list, deck->end_seq);
    size_t added = event_list_load_newer(&events->list, 1, &dropped);
    shift_cursor(events, 0, dropped);
    if (added == 0) {
        deck_say(deck, false, "this is the newest match on the tape");
        return;
    }
    cursor_to_newest(events);
    uint64_t seq = events->list.rows[events->cursor]->seq;
    deck->head_seq = seq + 1;
    deck->head_ns = events->list.rows[events->cursor]->received_ns;
    events->list.end_seq = seq + 1;
    events->list.newer_is_done = true;
}

static void
go_to_top(struct events *events, struct deck *deck)
{
    hold(events, deck);
    if (deck->end_seq == deck->first_seq)
        return;
    uint64_t last = deck->first_seq + PAGE_ROWS;
    if (deck_filter(deck)[0] != '\0') {
        move_up(events, deck, events->cursor); /* with a filter: as far as it was loaded */
        return;
    }
    deck_move_to(deck, last < deck->end_seq ? last - 1 : deck->end_seq - 1);
    events->keep_seq = deck->first_seq + 1;
}

static void
close_detail(struct events *events)
{
    events->has_detail = false;
    events->has_focus = false;
    events->is_zoomed = false;
}

static struct request
act_in_list(struct events *events, struct deck *deck, enum action action)
{
    size_t page = events->rows_drawn > 1 ? events->rows_drawn - 1 : 1;

    switch ((int)action) {
    case ACTION_DOWN:
        if (!move_down(events, 1) && deck->transport == TRANSPORT_LIVE)
            events->has_cursor = false;
        break;
    case ACTION_UP:
        move_up(events, deck, 1);
        break;
    case ACTION_HALF_DOWN:
        move_down(events, page / 2 + 1);
        break;
    case ACTION_HALF_UP:
        move_up(events, deck, page / 2 + 1);
        break;
    case ACTION_PAGE_DOWN:
        move_down(events, page);
        break;
    case ACTION_PAGE_UP:
        move_up(events, deck, page);
        break;
    case ACTION_TOP:
        go_to_top(events, deck);
        break;
    case ACTION_BOTTOM:
        deck_follow(deck);
        break;
    case ACTION_RIGHT:
        events->shift += events->shift < 400 ? 8 : 0;
        break;
    case ACTION_LEFT:
        events->shift -= events->shift >= 8 ? 8 : 0;
        break;
    default:
        return (struct request){.kind = REQUEST_UNHANDLED};
    }
    return (struct request){.kind = REQUEST_NONE};
}

static struct request
act_in_detail(struct events *events, enum action action)
{
    struct detail *detail = &events->detail;
    int page = events->detail_rows > 1 ? events->detail_rows - 1 : 1;

    switch ((int)action) {
    case ACTION_DOWN:
        detail_move(detail, 1);
        break;
    case ACTION_UP:
        detail_move(detail, -1);
        break;
    case ACTION_HALF_DOWN:
        detail_move(detail, page / 2 + 1);
        break;
    case ACTION_HALF_UP:
        detail_move(detail, -page / 2 - 1);
        break;
    case ACTION_PAGE_DOWN:
        detail_move(detail, page);
        break;
    case ACTION_PAGE_UP:
        detail_move(detail, -page);
        break;
    case ACTION_TOP:
        detail->cursor = 0;
        break;
    case ACTION_BOTTOM:
        detail_move(detail, (int)detail->count);
        break;
    case ACTION_LEFT:
        detail_fold(detail, true);
        break;
    case ACTION_RIGHT:
        detail_fold(detail, false);
        break;
    case ACTION_OPEN:
        if (!detail_fold(detail, true))
            detail_fold(detail, false);
        break;
    default:
        return (struct request){.kind = REQUEST_UNHANDLED};
    }
    return (struct request){.kind = REQUEST_NONE};
}

static void
open_detail(struct events *events, struct deck *deck)
{
    if (events->list.count == 0)
        return;
    hold(events, deck);
    events->has_cursor = true;
    events->has_detail = true;
    events->detail.is_loaded = false;
}

/* Undo one layer of this screen; false when there is none. */
static bool
undo_layer(struct events *events, struct deck *deck)
{
    struct error err = {0};

    if (events->is_zoomed && events->has_detail) {
        events->is_zoomed = false;
    } else if (events->has_detail) {
        close_detail(events);
    } else if (events->search[0] != '\0') {
        events->search[0] = '\0';
    } else if (deck_filter(deck)[0] != '\0') {
        if (events->cursor < events->list.count && deck->transport != TRANSPORT_LIVE)
            events->keep_seq = events->list.rows[events->cursor]->seq + 1;
        deck_set_filter(deck, "", NULL, &err);
    } else {
        return false;
    }
    return true;
}

/* The groups that read the stream of the event under the cursor. */
static struct request
go_to_lag(const struct events *events)
{
    struct request request = {.kind = REQUEST_NONE};
    if (events->cursor >= events->list.count)
        return request;
    request.kind = REQUEST_SCREEN;
    request.screen = "lag";
    request_filter_stream(&request, events->list.rows[events->cursor]->stream->label);
    return request;
}

static struct request
events_act(void *self, struct deck *deck, enum action action)
{
    struct events *events = self;
    struct request done = {.kind = REQUEST_NONE};
    struct request request = done;

    switch ((int)action) {
    case ACTION_OPEN:
        if (events->has_focus)
            request = act_in_detail(events, action);
        else if (events->has_detail)
            events->has_focus = true;
        else
            open_detail(events, deck);
        break;
    case ACTION_VIEW:
        if (events->has_detail)
            events->detail.view = (events->detail.view + 1) % DETAIL_VIEW_COUNT;
        else
            open_detail(events, deck);
        events->detail.is_loaded = false;
        break;
    case ACTION_ZOOM:
        if (!events->has_detail)
            open_detail(events, deck);
        events->is_zoomed = !events->is_zoomed;
        events->has_focus = events->has_detail && events->is_zoomed;
        break;
    case ACTION_PANE:
        events->has_focus = events->has_detail && !events->has_focus;
        break;
    case ACTION_HOLD:
        if (deck->transport != TRANSPORT_LIVE)
            return (struct request){.kind = REQUEST_UNHANDLED};
        hold(events, deck);
        break;
    case ACTION_TO_LAG:
        request = go_to_lag(events);
        break;
    case ACTION_STEP:
        step_forward(events, deck);
        break;
    case ACTION_STEP_BACK:
        move_up(events, deck, 1);
        break;
    case ACTION_NEXT:
        events_find(events, deck, true);
        break;
    case ACTION_PREVIOUS:
        events_find(events, deck, false);
        break;
    case ACTION_ESCAPE:
    case ACTION_BACK:
        if ((action == ACTION_BACK && !events->has_detail) || !undo_layer(events, deck))
            return (struct request){.kind = REQUEST_UNHANDLED};
        break;
    default:
        request =
            events->has_focus ? act_in_detail(events, action) : act_in_list(events, deck, action);
    }
    load_detail(events, deck);
    return request;
}

void
events_find(struct events *events, struct deck *deck, bool forward)
{
    struct event_list *list = &events->list;

    if (events->search[0] == '\0') {
        deck_say(deck, false, "nothing is being looked for; / begins");
        return;
    }
    hold(events, deck);
    events->has_cursor = true;
    for (size_t i = 1; i <= list->count; i++) {
        size_t step = forward ? i : list->count - i;
        size_t at = (events->cursor + step) % list->count;
        if (!events_row_matches(list->rows[at], events->search))
            continue;
        bool wrapped = forward ? at <= events->cursor : at >= events->cursor;
        events->cursor = at;
        if (wrapped && list->count > 1)
            deck_say(deck, false,
                "went round: there is no other hit in the %zu rows that are loaded", list->count);
        return;
    }
    deck_say(deck, true,
        "\"%s\" is in none of the %zu rows that are loaded; f filters the whole tape",
        events->search, list->count);
}

static void
events_search(void *self, struct deck *deck, const char *text)
{
    struct events *events = self;
    (void)snprintf(events->search, sizeof(events->search), "%s", text);
    if (text[0] != '\0')
        events_find(events, deck, false);
    load_detail(events, deck);
}

static const char *
events_hint(const void *self, const struct deck *deck, enum action action)
{
    const struct events *events = self;
    (void)deck;

    switch ((int)action) {
    case ACTION_OPEN:
        if (events->list.count == 0)
            return "";
        return events->has_focus ? "fold" : events->has_detail ? "into it" : NULL;
    case ACTION_VIEW:
    case ACTION_STEP:
    case ACTION_TO_LAG:
        return events->list.count == 0 ? "" : NULL;
    case ACTION_ZOOM:
        return !events->has_detail ? "" : events->is_zoomed ? "list" : NULL;
    default:
        return NULL;
    }
}

const struct screen_ops screen_events = {
    .name = "events",
    .title = "Events",
    .contexts =
        CONTEXT_MOVE | CONTEXT_TAPE | CONTEXT_FIND | CONTEXT_EVENTS | CONTEXT_PANE | CONTEXT_FROM,
    .interval_ms = 100,
    .open = events_open,
    .close = events_close,
    .tick = events_tick,
    .act = events_act,
    .search = events_search,
    .draw = events_draw,
    .hint = events_hint,
    .sentence = events_sentence,
};
