#include "ui/events_draw.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ui/canvas.h"
#include "ui/deck.h"
#include "ui/event_gap.h"
#include "ui/event_list.h"
#include "ui/event_row.h"
#include "ui/events_move.h"
#include "ui/events_screen.h"
#include "ui/number.h"
#include "ui/text.h"

/* Where the columns begin; 0 leaves one out, of those that may be: hidden, type and size. */
struct columns {
    int time_digits;
    int hidden;
    int stream;
    int stream_width;
    int partition;
    int offset;
    int offset_width;
    int key;
    int key_width;
    int type;
    int type_width;
    int size;
    int payload;
};

static const struct columns wide_live = {6, 19, 27, 15, 42, 46, 12, 60, 12, 73, 18, 0, 92};
static const struct columns wide_held = {6, 0, 19, 15, 34, 38, 12, 52, 12, 65, 18, 83, 92};
static const struct columns narrow = {3, 0, 16, 13, 29, 33, 8, 42, 9, 52, 12, 0, 65};

/* The same without TYPE: what is behind it has its room. */
static struct columns
without_type(struct columns at)
{
    int room = (at.size > 0 ? at.size : at.payload) - at.type;
    at.type = 0;
    if (at.size > 0)
        at.size -= room;
    at.payload -= room;
    return at;
}

bool
events_row_matches(const struct event_row *row, const char *text)
{
    const struct bytes fields[] = {bytes_of(row->stream->label), row->key, row->type, row->payload};
    size_t length = strlen(text);
    bool is_exact = false;

    if (length == 0)
        return false;
    for (const char *at = text; *at != '\0'; at++)
        is_exact |= isupper((unsigned char)*at) != 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct bytes field = fields[i];
        for (size_t at = 0; field.data != NULL && at + length <= field.length; at++) {
            const char *here = (const char *)field.data + at;
            if (is_exact ? memcmp(here, text, length) == 0 : strncasecmp(here, text, length) == 0)
                return true;
        }
    }
    return false;
}

static void
draw_heading(struct canvas *canvas, int row, const struct columns *at, bool is_live)
{
    text_print(canvas, row, 3, 15, ROLE_HEADING, "RECEIVED");
    if (at->hidden > 0 && is_live)
        text_print_right(canvas, row, at->hidden, 7, ROLE_HEADING, "HIDDEN");
    text_print(canvas, row, at->stream, at->stream_width, ROLE_HEADING, "STREAM");
    text_print_right(canvas, row, at->partition, 3, ROLE_HEADING, "P");
    text_print_right(canvas, row, at->offset, at->offset_width, ROLE_HEADING, "OFFSET");
    text_print(canvas, row, at->key, at->key_width, ROLE_HEADING, "KEY");
    if (at->type > 0)
        text_print(canvas, row, at->type, at->type_width, ROLE_HEADING, "TYPE");
    if (at->size > 0)
        text_print_right(canvas, row, at->size, 7, ROLE_HEADING, "BYTES");
    text_print(canvas, row, at->payload, 8, ROLE_HEADING, "PAYLOAD");
}

/* Bytes of the event, or a word of ours where there are none: null is not empty. */
static bool
draw_bytes(struct canvas *canvas, struct place place, struct bytes bytes, int shift)
{
    if (bytes.data == NULL || bytes.length == 0) {
        place.role = ROLE_IDLE;
        text_put(canvas, place, bytes_of(bytes.data == NULL ? "null" : "empty"));
        return false;
    }
    size_t skip = (size_t)shift < bytes.length ? (size_t)shift : bytes.length;
    while (skip < bytes.length && (bytes.data[skip] & 0xc0) == 0x80)
        skip++; /* not into the middle of a character */
    bytes.data += skip;
    bytes.length -= skip;
    struct text_result result = text_put(canvas, place, bytes);
    return result.unsafe > 0 || result.hidden > 0;
}

static void
draw_offset(struct canvas *canvas, int row, const struct columns *at, int64_t offset)
{
    char number[NUMBER_TEXT_MAX];
    if (at->offset_width >= 12)
        text_print_right(canvas, row, at->offset, at->offset_width, ROLE_TEXT, "%s",
            number_grouped((uint64_t)offset, number));
    else
        text_print_right(canvas, row, at->offset, at->offset_width, ROLE_TEXT, "%s%lld",
            offset > 99999999 ? "…" : "",
            (long long)(offset > 99999999 ? offset % 10000000 : offset));
}

static void
draw_row(const struct events *events, struct canvas *canvas, int row, const struct columns *at,
    const struct event_row *event, bool is_live)
{
    char text[CLOCK_TEXT_MAX];
    char number[NUMBER_TEXT_MAX];
    bool is_hit = events_row_matches(event, events->search);
    struct place place = {.row = row, .role = ROLE_TEXT};

    text_print(canvas, row, 3, 15, ROLE_TEXT, "%s",
        clock_format_time(event->received_ns, at->time_digits, text));
    if (at->hidden > 0 && is_live && event->hidden > 0)
        text_print_right(canvas, row, at->hidden, 7, ROLE_SECONDARY, "+%s",
            number_short((double)event->hidden, number));
    text_print(canvas, row, at->stream, at->stream_width, ROLE_TEXT, "%s", event->stream->name);
    text_print_right(canvas, row, at->partition, 3, ROLE_TEXT, "%d", event->partition);
    draw_offset(canvas, row, at, event->offset);
    place.column = at->key;
    place.width = at->key_width;
    bool is_odd = draw_bytes(canvas, place, event->key, 0);
    place.column = at->type;
    place.width = at->type_width;
    if (at->type > 0 && event->type.data == NULL)
        text_print(canvas, row, at->type, at->type_width, ROLE_IDLE, "-");
    else if (at->type > 0)
        is_odd |= draw_bytes(canvas, place, event->type, 0);
    if (at->size > 0)
        text_print_right(canvas, row, at->size, 7, ROLE_SECONDARY, "%s",
            event->size < 100000 ? number_grouped(event->size, number)
                                 : number_short((double)event->size, number));
    place.column = at->payload;
    place.width = canvas->columns - at->payload;
    place.role = is_hit ? ROLE_HIT : ROLE_TEXT;
    is_odd |= draw_bytes(canvas, place, event->payload, events->shift);
    if (is_odd)
        canvas_set(canvas, row, 1, ROLE_ATTENTION, '!');
}

/* What is missing in front of a row, in the columns of the rows. */
static void
draw_gap(struct canvas *canvas, int row, const struct columns *at, const struct event_gap *gap)
{
    struct buffer text = {0};
    const struct event_gap_hole *first = &gap->holes[0];

    canvas_set(canvas, row, 1, ROLE_ATTENTION, 'G');
    text_print(canvas, row, 3, at->stream - 4, ROLE_ATTENTION, "gap");
    if (gap->has_lanes) {
        text_print(canvas, row, at->stream, at->stream_width, ROLE_TEXT, "partitions");
    } else {
        text_print(canvas, row, at->stream, at->stream_width, ROLE_TEXT, "%s", first->stream->name);
        text_print_right(canvas, row, at->partition, 3, ROLE_TEXT, "%d", first->hole.partition);
        draw_offset(canvas, row, at, first->hole.from);
    }
    event_gap_print(&text, gap);
    text_print(
        canvas, row, at->key, canvas->columns - at->key, ROLE_ATTENTION, "%s", buffer_text(&text));
    buffer_done(&text);
}

/* Every empty place says why, and the next key. */
static void
draw_empty(const struct events *events, const struct deck *deck, struct canvas *canvas, int row)
{
    char number[NUMBER_TEXT_MAX];
    const char *filter = deck_filter(deck);

    if (events->list.has_failed)
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_ATTENTION,
            "The tape cannot be read: %s", events->list.failure);
    else if (events->is_loading)
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_TEXT,
            "Looking for a match: %s events looked at so far. Esc drops the filter.",
            number_grouped(events->list.scanned, number));
    else if (filter[0] != '\0')
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_TEXT,
            "No event %s (%s had to be read). f changes the filter, Esc drops it.",
            events->list.gave_up ? "is known to match" : "matches",
            number_grouped(events->list.scanned, number));
    else if (deck->is_recording)
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_TEXT,
            "No event has arrived yet. 1 shows the taps.");
    else
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_TEXT,
            "This tape is empty, and nothing is recording.");
}

static void
draw_end(const struct events *events, const struct deck *deck, struct canvas *canvas, int row)
{
    char number[NUMBER_TEXT_MAX];
    uint64_t newer = deck->end_seq > deck->head_seq ? deck->end_seq - deck->head_seq : 0;

    if (!events->list.newer_is_done)
        return;
    if (newer > 0)
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_SECONDARY,
            "┄┄ the head stands here · %s newer event%s wait (. steps one, F follows) ┄┄",
            number_short((double)newer, number), newer == 1 ? "" : "s");
    else
        text_print(canvas, row, 3, canvas->columns - 3, ROLE_SECONDARY, "┄┄ end of the tape ┄┄");
}

/* Lines of the row and the gap in front of it; behind the last row stands no more than a gap. */
static size_t
lines_at(const struct events *events, size_t index)
{
    size_t row = index < events->list.count ? 1 : 0;
    return row + (events_gap(events, index) != NULL ? 1 : 0);
}

/* The first row from which the page reaches to the end, or to the line of the cursor. */
static size_t
last_top(const struct events *events, size_t page, bool to_cursor)
{
    size_t last = to_cursor ? events->cursor : events->list.count;
    size_t lines = lines_at(events, last);
    if (to_cursor && last < events->list.count && events_cursor_gap(events) != NULL)
        lines = 1;
    size_t top = last;
    while (top > 0 && lines + lines_at(events, top - 1) <= page)
        lines += lines_at(events, --top);
    return top;
}

/* Which rows the page has: the cursor is on it, and a head that follows at its end. */
static void
place_page(struct events *events, size_t page)
{
    size_t end = last_top(events, page, false);
    size_t low = last_top(events, page, true);

    events->rows_drawn = page;
    if (!events->has_cursor)
        events->top = end;
    if (events->cursor < events->top)
        events->top = events->cursor;
    if (events->top < low)
        events->top = low;
    if (events->top > end)
        events->top = end;
}

/* Has an event of the page a type? An empty page may yet get one. */
static bool
page_has_types(const struct events *events)
{
    const struct event_list *list = &events->list;

    if (list->count == 0)
        return true;
    for (size_t i = events->top; i < list->count && i < events->top + events->rows_drawn; i++) {
        if (list->rows[i]->type.data != NULL)
            return true;
    }
    return false;
}

static struct columns
choose_columns(const struct events *events, const struct canvas *canvas, bool is_live)
{
    struct columns at = narrow;

    if (canvas->columns >= 110)
        at = is_live ? wide_live : wide_held;
    return page_has_types(events) ? at : without_type(at);
}

/* Draws one line below the other, as far as the page goes. */
struct list_pen {
    const struct events *events;
    struct canvas *canvas;
    const struct columns *at;
    int row;
    int end;
    bool is_live;
};

static void
mark_cursor(struct list_pen *pen)
{
    canvas_set(pen->canvas, pen->row, 0, ROLE_SELECTED, 0x25b8);
    canvas_mark_row(pen->canvas, pen->row, 0, pen->at->key - 1, ROLE_SELECTED);
}

/* A row with the gap in front of it; behind the last row there may be another one. */
static void
draw_entry(struct list_pen *pen, size_t index)
{
    const struct events *events = pen->events;
    const struct event_gap *gap = events_gap(events, index);
    bool on_gap = events_cursor_gap(events) != NULL;

    if (gap != NULL) {
        draw_gap(pen->canvas, pen->row, pen->at, gap);
        if (index == events->cursor && on_gap)
            mark_cursor(pen);
        pen->row++;
    }
    if (index >= events->list.count || pen->row >= pen->end)
        return;
    draw_row(events, pen->canvas, pen->row, pen->at, events->list.rows[index], pen->is_live);
    if (index == events->cursor && !on_gap)
        mark_cursor(pen);
    pen->row++;
}

static void
draw_list(struct events *events, const struct deck *deck, struct canvas *canvas, int row, int rows)
{
    bool is_live = deck->transport == TRANSPORT_LIVE;
    size_t count = events->list.count;
    /* A head that stands has a line below it that says so. */
    size_t page = rows > 1 ? (size_t)rows - 1 : 1;
    if (!is_live && page > 2)
        page--;

    place_page(events, page);
    struct columns at = choose_columns(events, canvas, is_live);
    draw_heading(canvas, row, &at, is_live);
    struct list_pen pen = {events, canvas, &at, row + 1, row + 1 + (int)page, is_live};
    size_t index = events->top;
    while (index <= count && pen.row < pen.end)
        draw_entry(&pen, index++);
    bool is_end = index > count || (index == count && events_gap(events, count) == NULL);
    if (count == 0)
        draw_empty(events, deck, canvas, row + 2);
    else if (!is_live && is_end && pen.row < row + rows)
        draw_end(events, deck, canvas, pen.row);
}

static void
draw_rule(const struct events *events, struct canvas *canvas, int row)
{
    canvas_fill(canvas, row, 0, canvas->columns, ROLE_SECONDARY, 0x2500);
    const struct event_gap *gap = events_cursor_gap(events);
    if (gap != NULL) {
        struct buffer place = {0};
        event_gap_print_place(&place, gap);
        text_print(canvas, row, 3, canvas->columns - 4, ROLE_HEADING, " Gap %s ",
            gap->hole_count > 1 ? "" : buffer_text(&place));
        buffer_done(&place);
        return;
    }
    if (events->cursor < events->list.count) {
        const struct event_row *event = events->list.rows[events->cursor];
        text_print(canvas, row, 3, canvas->columns - 40, ROLE_HEADING, " %s[%d]@%lld ",
            event->stream->name, event->partition, (long long)event->offset);
    }
    int column = canvas->columns - 36;
    column += text_print(canvas, row, column, 2, ROLE_SECONDARY, " ");
    for (int view = 0; view < DETAIL_VIEW_COUNT; view++) {
        bool is_shown = view == (int)events->detail.view;
        column += text_print(canvas, row, column, 8, is_shown ? ROLE_HEADING : ROLE_SECONDARY,
            is_shown ? "[%s] " : " %s  ", detail_view_name((enum detail_view)view));
    }
    text_print(canvas, row, column, 16, ROLE_SECONDARY, "v  \\ full ");
}

void
events_draw(void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area)
{
    struct events *events = self;
    int list_rows = area.rows;

    if (events->detail.columns != area.columns)
        events->detail.is_loaded &= events->detail.columns == 0;
    events->detail.columns = area.columns;
    if (events->has_detail) {
        list_rows = events->is_zoomed ? 0 : area.rows * 2 / 5;
        events->detail_rows = area.rows - list_rows - 1;
        draw_rule(events, canvas, area.row + list_rows);
        if (events->detail.is_loaded)
            detail_draw(&events->detail, canvas, area.row + list_rows + 1, events->detail_rows,
                events->has_focus);
    }
    if (list_rows > 0)
        draw_list(events, deck, canvas, area.row, list_rows);
}

static void
say_live(const struct events *events, const struct deck *deck, struct buffer *text)
{
    char number[NUMBER_TEXT_MAX];
    if (events->list.ratio >= 2.0)
        buffer_printf(text,
            "► Live, too fast to read: 1 of %s is drawn, all are stored. space shows all.",
            number_short(events->list.ratio, number));
    else if (events->list.gave_up)
        buffer_append_text(text, "► Live; some events are too much for this query, and may match.");
    else
        buffer_printf(text, "► Live: every %s is drawn. space holds, recording goes on.",
            deck_filter(deck)[0] != '\0' ? "match" : "event");
}

/* Is all there that should be? */
static const char *
say_how_complete(const struct events *events, const struct deck *deck)
{
    if (deck_damaged(deck) > 0)
        return "The tape is damaged: what can be read is shown.";
    if (events->list.gave_up)
        return "Some events are too much for this query, and may match.";
    return "Every match is shown.";
}

void
events_sentence(const void *self, const struct deck *deck, struct buffer *text)
{
    const struct events *events = self;
    char when[CLOCK_TEXT_MAX];
    char number[NUMBER_TEXT_MAX];

    if (deck->transport == TRANSPORT_LIVE) {
        say_live(events, deck, text);
        return;
    }
    if (events->is_loading) {
        buffer_printf(text, "Reading: %s events looked at, %zu rows so far.",
            number_grouped(events->list.scanned, number), events->list.count);
        return;
    }
    if (deck->transport == TRANSPORT_HELD) {
        buffer_printf(text, "‖ Held at %s; recording goes on at %s ev/s. %s",
            clock_format_time(deck->head_ns, 0, when), number_rate(deck_rate(deck), number),
            say_how_complete(events, deck));
        return;
    }
    if (deck->last_ns == CLOCK_NONE)
        buffer_append_text(text, "◌ Nothing is recording.");
    else if (!deck->is_recording)
        buffer_printf(text, "◌ Not recording since %s. %s",
            clock_format_time(deck->last_ns, 0, when), say_how_complete(events, deck));
    else
        buffer_printf(text, "◄ The tape as it was at %s. F follows the newest.",
            clock_format_time(deck->head_ns, 0, when));
}
