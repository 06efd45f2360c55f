#include "ui/detail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/event.h"
#include "ui/canvas.h"
#include "ui/detail_json.h"
#include "ui/text.h"

#define HEX_COLUMNS   ((size_t)16)
#define LABEL_COLUMNS 12

const char *
detail_view_name(enum detail_view view)
{
    switch (view) {
    case DETAIL_TREE:
        return "tree";
    case DETAIL_RAW:
        return "raw";
    case DETAIL_HEX:
        return "hex";
    case DETAIL_VIEW_COUNT:
        break;
    }
    return "";
}

void
detail_done(struct detail *detail)
{
    buffer_done(&detail->text);
    free(detail->lines);
    *detail = (struct detail){0};
}

struct detail_line *
detail_add(struct detail *detail, int depth, struct bytes label, struct bytes value)
{
    detail->lines =
        alloc_grow(detail->lines, detail->count, &detail->capacity, sizeof(detail->lines[0]));
    struct detail_line *line = &detail->lines[detail->count++];
    *line = (struct detail_line){.depth = depth};
    line->label_at = detail->text.length;
    line->label_length = label.length;
    buffer_append(&detail->text, label.data, label.length);
    line->value_at = detail->text.length;
    line->value_length = value.length;
    buffer_append(&detail->text, value.data, value.length);
    return line;
}

void
detail_begin(struct detail *detail, uint64_t seq)
{
    detail->count = 0;
    detail->text.length = 0;
    detail->seq = seq;
    detail->is_loaded = true;
    detail->is_fresh = true;
    detail->cursor = 0;
    detail->top = 0;
    detail->payload_line = SIZE_MAX;
}

void
detail_add_field(struct detail *detail, const char *label, struct bytes value)
{
    detail_add(detail, 0, bytes_of(label), value)->is_field = true;
}

/* One line about the event: our own words, or bytes of its. */
static struct detail_line *
add_field(struct detail *detail, const char *label, struct bytes value)
{
    struct detail_line *line;
    if (value.data == NULL)
        value = bytes_of("null");
    else if (value.length == 0)
        value = bytes_of("empty");
    else
        return detail_add(detail, 0, bytes_of(label), value);
    line = detail_add(detail, 0, bytes_of(label), value);
    line->is_missing = true;
    return line;
}

static void add_printed(struct detail *detail, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
add_printed(struct detail *detail, const char *label, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    detail_add(detail, 0, bytes_of(label), bytes_of(text));
}

/* What grows old while it is looked at is left out; what a transport took is not. */
static void
add_times(struct detail *detail, const struct event *event)
{
    static const char *const kinds[] = {"none", "produced", "appended"};
    char when[CLOCK_TEXT_MAX];
    char received[CLOCK_TEXT_MAX];
    char delay[CLOCK_TEXT_MAX];

    clock_format(event->received_ns, received);
    if (event->time_type == TIME_NONE || event->time_ns == CLOCK_NONE) {
        add_printed(detail, "received", "%s", received);
        return;
    }
    const char *kind = kinds[event->time_type];
    add_printed(detail, kind, "%s", clock_format(event->time_ns, when));
    int64_t took_ns;
    if (__builtin_sub_overflow(event->received_ns, event->time_ns, &took_ns) ||
        took_ns == INT64_MIN)
        add_printed(detail, "received", "%s", received);
    else if (took_ns >= 0)
        add_printed(detail, "received", "%s  %s after it was %s", received,
            clock_format_duration(took_ns, delay), kind);
    else
        add_printed(detail, "received", "%s  %s before it was %s: clocks differ", received,
            clock_format_duration(-took_ns, delay), kind);
}

static void
add_headers(struct detail *detail, const struct event *event)
{
    struct event_header header;
    size_t at = 0;
    bool is_first = true;

    while (event_next_header(event, &at, &header)) {
        struct bytes value = header.value;
        struct buffer both = {0};
        buffer_append(&both, header.name.data, header.name.length);
        buffer_append_text(&both, "  ");
        if (value.data == NULL)
            buffer_append_text(&both, "null");
        else if (value.length == 0)
            buffer_append_text(&both, "empty");
        else
            buffer_append(&both, value.data, value.length < 4096 ? value.length : 4096);
        detail_add(
            detail, 0, bytes_of(is_first ? "headers" : ""), bytes_make(both.data, both.length));
        buffer_done(&both);
        is_first = false;
    }
}

static void
add_fields(struct detail *detail, const struct event *event)
{
    struct event_identity identity;
    event_identify(event, &identity);

    add_printed(detail, "lane", "%s partition %d offset %lld%s", event->stream->label,
        event->partition, (long long)event->offset,
        event->offset_is_synthetic ? " (counted by the recorder)" : "");
    add_field(detail, "key", event->key);
    if (identity.id.data != NULL)
        add_field(detail, "id", identity.id);
    if (identity.type.data != NULL)
        add_field(detail, "type", identity.type);
    add_times(detail, event);
    add_headers(detail, event);
    for (size_t i = 0; i < detail->count; i++)
        detail->lines[i].is_field = true;
}

static bool
may_add(struct detail *detail)
{
    if (detail->count < DETAIL_MAX_LINES)
        return true;
    if (detail->count == DETAIL_MAX_LINES)
        detail_add(detail, 0, BYTES_NULL, bytes_of("... more lines are not shown here"))
            ->is_missing = true;
    return false;
}

/* Line by line; one that is wider than the screen goes on in the next row. Each row looks only at the
 * bytes that it can draw: a payload of one long line has thousands of them. */
static void
add_raw(struct detail *detail, struct bytes payload)
{
    int columns = detail->columns > 4 ? detail->columns - 2 : 78;

    for (size_t at = 0; at < payload.length && may_add(detail);) {
        struct bytes rest = bytes_make(payload.data + at, payload.length - at);
        size_t length = text_fit(rest, columns);
        const unsigned char *end = memchr(rest.data, '\n', length);
        if (end != NULL)
            length = (size_t)(end - rest.data);
        detail_add(detail, 0, BYTES_NULL, bytes_make(rest.data, length));
        at += length;
        if (at < payload.length && payload.data[at] == '\n')
            at++;
    }
}

/* "7b 22 61 ...  {"a": two digits and a blank for each byte, then what is printable. */
static size_t
hex_row(struct bytes bytes, char text[HEX_COLUMNS * 4 + 8])
{
    size_t length = 0;

    for (size_t i = 0; i < HEX_COLUMNS; i++) {
        if (i == HEX_COLUMNS / 2)
            text[length++] = ' ';
        if (i < bytes.length)
            hex_put(text + length, bytes_make(bytes.data + i, 1));
        else
            memset(text + length, ' ', 2);
        text[length + 2] = ' ';
        length += 3;
    }
    text[length++] = ' ';
    for (size_t i = 0; i < HEX_COLUMNS && i < bytes.length; i++)
        text[length++] =
            (char)(bytes.data[i] >= 0x20 && bytes.data[i] < 0x7f ? bytes.data[i] : '.');
    return length;
}

static void
add_hex(struct detail *detail, struct bytes payload)
{
    for (size_t at = 0; at < payload.length && may_add(detail); at += HEX_COLUMNS) {
        char label[24];
        char text[HEX_COLUMNS * 4 + 8];
        (void)snprintf(label, sizeof(label), "%06zx", at);
        size_t length = hex_row(bytes_make(payload.data + at, payload.length - at), text);
        detail_add(detail, 0, bytes_of(label), bytes_make(text, length));
    }
}

static void
add_payload(struct detail *detail, const struct event *event)
{
    struct bytes payload = event->payload;
    if (payload.data == NULL || payload.length == 0) {
        add_field(detail, "payload", payload);
        return;
    }
    size_t whole = payload.length;
    bool is_cut = whole > DETAIL_MAX_BYTES;
    if (is_cut)
        payload.length = DETAIL_MAX_BYTES;
    if (detail->view == DETAIL_HEX) {
        add_hex(detail, payload);
    } else if (detail->view == DETAIL_RAW || is_cut || !detail_add_json(detail, payload)) {
        if (detail->view == DETAIL_TREE)
            add_printed(detail, "payload", "%zu bytes, %s: shown as text", whole,
                is_cut ? "too many for a tree" : "not JSON");
        add_raw(detail, payload);
    }
    if (is_cut)
        add_printed(detail, "cut", "the first %zu of %zu bytes are shown", DETAIL_MAX_BYTES, whole);
}

void
detail_load(struct detail *detail, const struct event *event)
{
    detail_begin(detail, event->seq);
    add_fields(detail, event);
    detail->payload_line = detail->count;
    add_payload(detail, event);
}

/* The next line that can be seen, behind or before `line`; count when there is none. */
static size_t
next_visible(const struct detail *detail, size_t line)
{
    const struct detail_line *at = &detail->lines[line];
    return line + 1 + (at->is_folded ? at->subtree : 0);
}

static size_t
previous_visible(const struct detail *detail, size_t line)
{
    size_t before = line;
    for (size_t at = 0; at < line; at = next_visible(detail, at))
        before = at;
    return before;
}

void
detail_move(struct detail *detail, int lines)
{
    for (; lines > 0; lines--) {
        size_t next = detail->count > 0 ? next_visible(detail, detail->cursor) : 0;
        if (next >= detail->count)
            return;
        detail->cursor = next;
    }
    for (; lines < 0 && detail->cursor > 0; lines++)
        detail->cursor = previous_visible(detail, detail->cursor);
}

bool
detail_fold(struct detail *detail, bool folded)
{
    if (detail->cursor >= detail->count)
        return false;
    struct detail_line *line = &detail->lines[detail->cursor];
    if (line->subtree == 0 || line->is_folded == folded)
        return false;
    line->is_folded = folded;
    return true;
}

static void
draw_line(const struct detail *detail, struct canvas *canvas, int row, size_t index)
{
    const struct detail_line *line = &detail->lines[index];
    struct place place = {.row = row, .column = 1, .in_detail = true};
    struct bytes label = bytes_make(detail->text.data + line->label_at, line->label_length);
    struct bytes value = bytes_make(detail->text.data + line->value_at, line->value_length);
    bool is_tree = detail->view == DETAIL_TREE && !line->is_field;

    if (is_tree) {
        place.column = 2 + 2 * (line->depth < 20 ? line->depth : 20);
        if (line->subtree > 0)
            canvas_set(
                canvas, row, place.column - 1, ROLE_SECONDARY, line->is_folded ? 0x25b8 : 0x25be);
        place.column++;
    }
    place.role = is_tree ? ROLE_NAME : ROLE_SECONDARY;
    if (line->label_length > 0 || line->is_field) {
        place.width = is_tree ? canvas->columns / 2 : LABEL_COLUMNS;
        int used = text_put(canvas, place, label).columns;
        place.column += is_tree ? used + 2 : LABEL_COLUMNS - 1;
        if (detail->view == DETAIL_HEX && !line->is_field)
            place.column -= 3;
    }
    place.role = line->is_missing ? ROLE_IDLE : ROLE_TEXT;
    place.width = canvas->columns - place.column;
    text_put(canvas, place, value);
}

/* When not everything fits, begin with the payload: it is what was opened, the rest is above. */
static void
place_first(struct detail *detail, int rows)
{
    size_t line = 0;
    int visible = 0;

    for (; line < detail->count && visible <= rows; visible++)
        line = next_visible(detail, line);
    detail->is_fresh = false;
    if (visible <= rows || detail->payload_line >= detail->count)
        return;
    detail->cursor = detail->payload_line;
    detail->top = detail->payload_line;
}

/* Scroll so that the cursor is inside. */
static void
follow_cursor(struct detail *detail, int rows)
{
    if (detail->top > detail->cursor)
        detail->top = detail->cursor;
    for (;;) {
        size_t at = detail->top;
        for (int i = 0; i < rows && at < detail->cursor; i++)
            at = next_visible(detail, at);
        size_t last = detail->top;
        for (int i = 0; i + 1 < rows && last < detail->cursor; i++)
            last = next_visible(detail, last);
        if (last >= detail->cursor)
            return;
        detail->top = next_visible(detail, detail->top);
    }
}

void
detail_draw(struct detail *detail, struct canvas *canvas, int first_row, int rows, bool has_focus)
{
    if (rows <= 0)
        return;
    if (detail->is_fresh)
        place_first(detail, rows);
    follow_cursor(detail, rows);
    size_t line = detail->top;
    for (int i = 0; i < rows && line < detail->count; i++) {
        draw_line(detail, canvas, first_row + i, line);
        if (has_focus && line == detail->cursor) {
            canvas_set(canvas, first_row + i, 0, ROLE_SELECTED, 0x25b8);
            canvas_mark_row(canvas, first_row + i, 0, canvas->columns, ROLE_SELECTED);
        }
        line = next_visible(detail, line);
    }
}
