#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/cursor.h"
#include "ui/deck.h"
#include "ui/detail.h"
#include "ui/event_gap.h"
#include "ui/event_list.h"
#include "ui/event_row.h"
#include "ui/events_draw.h"
#include "ui/events_move.h"
#include "ui/events_screen.h"
#include "ui/screen.h"

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

/* Say in the pane what is missing there, and again when more is known of it. */
static void
load_gap(struct events *events, const struct event_gap *gap)
{
    struct detail *detail = &events->detail;
    bool is_shown = detail->is_loaded && events->detail_is_gap && detail->seq == gap->seq_behind;
    if (is_shown && events->detail_places == events->gaps.places)
        return;
    size_t cursor = is_shown ? detail->cursor : 0;
    event_gap_load(detail, gap);
    detail_move(detail, (int)cursor);
    events->detail_is_gap = true;
    events->detail_places = events->gaps.places;
}

/* Copy the event under the cursor into the pane when it is another one than before. */
static void
load_detail(struct events *events, struct deck *deck)
{
    struct event event;
    struct error err = {0};

    if (!events->has_detail)
        return;
    const struct event_gap *gap = events_cursor_gap(events);
    if (gap != NULL)
        load_gap(events, gap);
    if (gap != NULL || events->cursor >= events->list.count)
        return;
    uint64_t seq = events->list.rows[events->cursor]->seq;
    if (events->detail.is_loaded && !events->detail_is_gap && events->detail.seq == seq)
        return;
    events->detail_is_gap = false;
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
    bool changed = events_load(events, deck, monotonic_ns);
    load_detail(events, deck);
    return changed;
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
        if (!events_down(events, 1) && deck->transport == TRANSPORT_LIVE)
            events->has_cursor = false;
        break;
    case ACTION_UP:
        events_up(events, deck, 1);
        break;
    case ACTION_HALF_DOWN:
        events_down(events, page / 2 + 1);
        break;
    case ACTION_HALF_UP:
        events_up(events, deck, page / 2 + 1);
        break;
    case ACTION_PAGE_DOWN:
        events_down(events, page);
        break;
    case ACTION_PAGE_UP:
        events_up(events, deck, page);
        break;
    case ACTION_TOP:
        events_top(events, deck);
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
    events_hold(events, deck);
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
        events_hold(events, deck);
        break;
    case ACTION_TO_LAG:
        request = go_to_lag(events);
        break;
    case ACTION_STEP:
        events_step(events, deck);
        break;
    case ACTION_STEP_BACK:
        events_step_back(events, deck);
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
