#include "ui/events_move.h"

#include "base/clock.h"
#include "ui/deck.h"
#include "ui/event_list.h"
#include "ui/event_row.h"
#include "ui/events_draw.h"
#include "ui/events_screen.h"

/* Rows that are loaded at once, and kept ready above the first one that is drawn. */
#define PAGE_ROWS  120u
#define SPARE_ROWS 40u

struct event_gap *
events_gap(const struct events *events, size_t index)
{
    const struct event_list *list = &events->list;
    return index < list->count ? list->rows[index]->gap : list->end_gap;
}

struct event_gap *
events_cursor_gap(const struct events *events)
{
    return events->on_gap ? events_gap(events, events->cursor) : NULL;
}

static void
begin(struct events *events, struct deck *deck)
{
    event_gaps_begin(&events->gaps);
    events->on_gap = false;
    event_list_begin(&events->list, deck_filter(deck), deck->now_ns, deck->head_seq, PAGE_ROWS);
    events->moves = deck->moves;
    events->filters = deck->filters;
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
    events->on_gap = false;
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

/* Put the cursor on the event that it was on before the list was loaded anew. */
static void
keep_cursor(struct events *events)
{
    struct event_list *list = &events->list;
    uint64_t seq = events->keep_seq - 1;

    if (list->count > 0 && list->rows[0]->seq <= seq) {
        size_t at = list->count - 1;
        while (at > 0 && list->rows[at]->seq > seq)
            at--;
        events->cursor = at;
        events->on_gap = false;
        events->has_cursor = true;
        events->keep_seq = 0;
    } else if (list->older_is_done) {
        events->cursor = 0;
        events->on_gap = false;
        events->has_cursor = list->count > 0;
        events->keep_seq = 0;
    } else if (!events->is_loading && list->count + PAGE_ROWS <= EVENT_LIST_MAX_ROWS) {
        event_list_want_older(list, PAGE_ROWS);
    } else if (!events->is_loading) {
        events->keep_seq = 0; /* further back than the list goes: stay at the head */
    }
}

/* What is missing among the rows that are drawn, and a little further. A gap may go while the cursor is on it. */
static bool
find_gaps(struct events *events, const struct deck *deck, int64_t monotonic_ns)
{
    size_t count = events->list.count;
    size_t low = count > events->rows_drawn ? count - events->rows_drawn : 0;
    size_t high = count;
    if (events->has_cursor) {
        low = events->cursor < events->top ? events->cursor : events->top;
        high = (events->cursor < events->top ? events->top : events->cursor) + events->rows_drawn;
    }
    bool changed = event_gaps_update(&events->gaps, &events->list, deck,
        low > SPARE_ROWS ? low - SPARE_ROWS : 0, high + SPARE_ROWS, monotonic_ns);
    if (events->on_gap && events_cursor_gap(events) == NULL) {
        events->on_gap = false;
        if (events->cursor >= events->list.count)
            cursor_to_newest(events);
    }
    return changed;
}

bool
events_load(struct events *events, struct deck *deck, int64_t monotonic_ns)
{
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
        keep_cursor(events);
    changed |= find_gaps(events, deck, monotonic_ns);
    deck->ratio = is_live ? events->list.ratio : 1.0;
    return changed;
}

void
events_hold(struct events *events, struct deck *deck)
{
    if (deck->transport != TRANSPORT_LIVE)
        return;
    if (events->cursor < events->list.count)
        events->keep_seq = events->list.rows[events->cursor]->seq + 1;
    deck_hold(deck);
    events_load(events, deck, clock_monotonic_ns());
}

static void
up_one(struct events *events)
{
    if (!events->on_gap && events_gap(events, events->cursor) != NULL) {
        events->on_gap = true;
    } else if (events->cursor > 0) {
        events->cursor--;
        events->on_gap = false;
    }
}

void
events_up(struct events *events, struct deck *deck, size_t rows)
{
    events_hold(events, deck);
    events->has_cursor = true;
    events->keep_seq = 0;
    if (events->cursor < rows + SPARE_ROWS && !events->list.older_is_done) {
        event_list_want_older(&events->list, PAGE_ROWS);
        load_older(events, deck);
    }
    while (rows-- > 0)
        up_one(events);
}

/* False at the end. */
static bool
down_one(struct events *events)
{
    size_t next = events->on_gap ? events->cursor : events->cursor + 1;
    bool is_gap = !events->on_gap && events_gap(events, next) != NULL;
    if (!is_gap && next >= events->list.count)
        return false;
    events->cursor = next;
    events->on_gap = is_gap;
    return true;
}

bool
events_down(struct events *events, size_t rows)
{
    size_t dropped = 0;
    bool moved = false;

    if (events->cursor + rows + SPARE_ROWS >= events->list.count) {
        event_list_load_newer(&events->list, rows + SPARE_ROWS, &dropped);
        shift_cursor(events, 0, dropped);
    }
    while (rows-- > 0 && down_one(events))
        moved = true;
    return moved;
}

void
events_step(struct events *events, struct deck *deck)
{
    size_t dropped = 0;

    events_hold(events, deck);
    events->has_cursor = true;
    if (events_down(events, 1) && (!events->on_gap || events_down(events, 1)))
        return;
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

void
events_step_back(struct events *events, struct deck *deck)
{
    events_up(events, deck, 1);
    if (events->on_gap)
        events_up(events, deck, 1);
}

void
events_top(struct events *events, struct deck *deck)
{
    events_hold(events, deck);
    if (deck->end_seq == deck->first_seq)
        return;
    uint64_t last = deck->first_seq + PAGE_ROWS;
    if (deck_filter(deck)[0] != '\0') {
        events_up(
            events, deck, 2 * events->cursor + 1); /* with a filter: as far as it was loaded */
        return;
    }
    deck_move_to(deck, last < deck->end_seq ? last - 1 : deck->end_seq - 1);
    events->keep_seq = deck->first_seq + 1;
}

void
events_find(struct events *events, struct deck *deck, bool forward)
{
    struct event_list *list = &events->list;

    if (events->search[0] == '\0') {
        deck_say(deck, false, "nothing is being looked for; / begins");
        return;
    }
    events_hold(events, deck);
    events->has_cursor = true;
    for (size_t i = 1; i <= list->count; i++) {
        size_t step = forward ? i : list->count - i;
        size_t at = (events->cursor + step) % list->count;
        if (!events_row_matches(list->rows[at], events->search))
            continue;
        bool wrapped = forward ? at <= events->cursor : at >= events->cursor;
        events->cursor = at;
        events->on_gap = false;
        if (wrapped && list->count > 1)
            deck_say(deck, false,
                "went round: there is no other hit in the %zu rows that are loaded", list->count);
        return;
    }
    deck_say(deck, true,
        "\"%s\" is in none of the %zu rows that are loaded; f filters the whole tape",
        events->search, list->count);
}
