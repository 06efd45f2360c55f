#include "console/hole_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "console/hole_explain.h"
#include "console/hole_rows.h"
#include "console/json_event.h"
#include "console/safe_text.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/tape.h"

/* Wider names push their row to the right. */
#define WIDTH_MAX 40

/* Ranges that a row for people names for a cause. */
#define RANGES_SHOWN 4

#define DAY_CHARACTERS    10 /* "2026-11-26" */
#define SECOND_CHARACTERS 19 /* and "T14:29:31" */

/* ---- for people ---- */

static void
append_range(struct buffer *to, int64_t from, int64_t last)
{
    buffer_printf(to, "%" PRId64, from);
    if (last < from)
        buffer_append_text(to, "..?");
    else if (last > from)
        buffer_printf(to, "..%" PRId64, last);
}

/* "orders[0]@7..8", which is what `tapedeck events` takes. */
static void
append_place(struct buffer *to, const struct hole_row *row)
{
    (void)safe_text_append(to, bytes_of(row->lane->stream->label), 0);
    buffer_printf(to, "[%" PRId32 "]@", row->lane->partition);
    append_range(to, row->hole->from, row->hole->to);
}

size_t
hole_print_width(const struct hole_rows *rows)
{
    size_t width = strlen("HOLE");
    for (size_t i = 0; i < rows->count; i++) {
        struct buffer place = {0};
        append_place(&place, &rows->items[i]);
        size_t columns = safe_text_columns(bytes_make(place.data, place.length));
        width = columns > width ? columns : width;
        buffer_done(&place);
    }
    return width < WIDTH_MAX ? width : WIDTH_MAX;
}

void
hole_print_heads(struct buffer *to, size_t width)
{
    buffer_printf(to, "%-*s  %8s  %-20s  %-19s  %s\n", (int)width, "HOLE", "OFFSETS", "REASON",
        "SINCE (UTC)", "UNTIL");
}

/* Since when, and until when: the day is not said twice. */
static void
append_times(struct buffer *to, int64_t since_ns, int64_t until_ns)
{
    char since[CLOCK_TEXT_MAX];
    char until[CLOCK_TEXT_MAX];
    (void)clock_format(since_ns, since);
    (void)clock_format(until_ns, until);
    bool has_since = since_ns != CLOCK_NONE;
    bool has_until = until_ns != CLOCK_NONE;
    bool is_one_day = has_since && has_until && strncmp(since, until, DAY_CHARACTERS) == 0;
    int skip = is_one_day ? DAY_CHARACTERS + 1 : 0;
    buffer_printf(to, "  %-19.*s  %.*s\n", SECOND_CHARACTERS, has_since ? since : "-",
        SECOND_CHARACTERS - skip, has_until ? until + skip : "-");
}

/* True when each run of the cause is one offset, as the marker of a transaction is. */
static bool
are_single(const struct hole_explanation *explanation, enum hole_cause cause)
{
    for (size_t i = 0; i < explanation->span_count; i++)
        if (explanation->spans[i].cause == cause &&
            explanation->spans[i].to > explanation->spans[i].from)
            return false;
    return true;
}

static void
append_cause(struct buffer *to, const struct hole_explanation *explanation, enum hole_cause cause)
{
    buffer_printf(to, "  %" PRIu64 " %s: ", explanation->counts[cause], hole_cause_words(cause));
    size_t shown = 0;
    for (size_t i = 0; i < explanation->span_count; i++) {
        const struct hole_span *span = &explanation->spans[i];
        if (span->cause != cause || shown++ >= RANGES_SHOWN)
            continue;
        buffer_append_text(to, shown > 1 ? ", " : "");
        append_range(to, span->from, span->to);
    }
    if (shown > RANGES_SHOWN)
        buffer_printf(to, " and %zu more", shown - RANGES_SHOWN);
    if (cause == HOLE_CAUSE_NO_EVENT && are_single(explanation, cause))
        buffer_append_text(to, shown == 1 ? " (alone, as a transaction's marker is)"
                                          : " (alone, as transactions' markers are)");
    buffer_append_byte(to, '\n');
}

static void
append_explanation(struct buffer *to, const struct hole_explanation *explanation)
{
    for (size_t cause = 0; cause < HOLE_CAUSE_COUNT; cause++)
        if (explanation->counts[cause] > 0)
            append_cause(to, explanation, (enum hole_cause)cause);
    if (explanation->why[0] != '\0') {
        buffer_append_text(to, explanation->spans == NULL ? "  ? unknown: " : "    ");
        safe_text_append_message(to, explanation->why);
        buffer_append_byte(to, '\n');
    } else if (!explanation->is_same_log) {
        buffer_append_text(to, "    if the log is the one that was recorded: the tape's last event "
                               "is not in it\n");
    }
}

void
hole_print_row(struct buffer *to, const struct hole_row *row, size_t width)
{
    size_t start = to->length;
    append_place(to, row);
    safe_text_pad(to, start, width);
    if (row->hole->to < row->hole->from)
        buffer_printf(to, "  %8s", "?");
    else
        buffer_printf(to, "  %8" PRIu64, hole_row_offsets(row));
    buffer_printf(to, "  %-20s", hole_reason_text(row->hole->reason));
    if (row->hole->was_here)
        append_times(to, row->hole->first_ns, row->hole->last_ns);
    else
        append_times(to, row->times.after_ns, row->times.before_ns);
    if (row->explanation != NULL)
        append_explanation(to, row->explanation);
}

void
hole_print_sum(
    struct buffer *to, const struct hole_rows *rows, const struct hole_sum *sum, bool has_causes)
{
    buffer_printf(to, "%zu hole%s with %s%" PRIu64 " offset%s", rows->count,
        rows->count == 1 ? "" : "s", sum->offsets_are_known ? "" : "at least ", sum->offsets,
        sum->offsets == 1 ? "" : "s");
    const char *sign = ": ";
    for (size_t cause = 0; has_causes && cause < HOLE_CAUSE_COUNT; cause++) {
        if (sum->counts[cause] == 0)
            continue;
        buffer_printf(to, "%s%" PRIu64 " %s", sign, sum->counts[cause],
            hole_cause_words((enum hole_cause)cause));
        sign = ", ";
    }
}

/* ---- JSON ---- */

/* A number that may not be known. */
static void
append_offset(struct buffer *to, const char *name, int64_t offset)
{
    buffer_append_text(to, name);
    if (offset < 0)
        buffer_append_text(to, "null");
    else
        json_append_i64(to, offset);
}

static void
append_counts(struct buffer *to, const uint64_t counts[HOLE_CAUSE_COUNT])
{
    buffer_append_byte(to, '{');
    for (size_t cause = 0; cause < HOLE_CAUSE_COUNT; cause++) {
        buffer_printf(
            to, "%s\"%s\":", cause == 0 ? "" : ",", hole_cause_text((enum hole_cause)cause));
        json_append_u64(to, counts[cause]);
    }
    buffer_append_byte(to, '}');
}

static void
append_json_explanation(struct buffer *to, const struct hole_explanation *explanation)
{
    if (explanation == NULL) {
        buffer_append_text(to, "null");
        return;
    }
    append_offset(to, "{\"log_start\":", explanation->log_start);
    append_offset(to, ",\"end\":", explanation->end);
    buffer_append_text(to, ",\"same_log\":");
    buffer_append_text(to, explanation->is_same_log ? "true" : "null");
    buffer_append_text(to, ",\"counts\":");
    append_counts(to, explanation->counts);
    buffer_append_text(to, ",\"spans\":[");
    for (size_t i = 0; i < explanation->span_count && i < HOLE_PRINT_SPANS_MAX; i++) {
        const struct hole_span *span = &explanation->spans[i];
        append_offset(to, i == 0 ? "{\"from\":" : ",{\"from\":", span->from);
        append_offset(to, ",\"to\":", span->to);
        buffer_printf(to, ",\"cause\":\"%s\"}", hole_cause_text(span->cause));
    }
    buffer_printf(to, "],\"spans_complete\":%s,\"why\":",
        explanation->span_count <= HOLE_PRINT_SPANS_MAX ? "true" : "false");
    if (explanation->why[0] == '\0')
        buffer_append_text(to, "null");
    else
        json_append_string(to, bytes_of(explanation->why));
    buffer_append_byte(to, '}');
}

void
hole_print_json(struct buffer *to, const struct hole_row *row)
{
    buffer_append_text(to, "{\"v\":1,\"tap\":");
    json_append_string(to, bytes_of(row->lane->stream->tap));
    buffer_append_text(to, ",\"stream\":");
    json_append_string(to, bytes_of(row->lane->stream->name));
    buffer_printf(to, ",\"partition\":%" PRId32, row->lane->partition);
    append_offset(to, ",\"from\":", row->hole->from);
    append_offset(to, ",\"to\":", row->hole->to);
    append_offset(
        to, ",\"offsets\":", row->hole->to < row->hole->from ? -1 : (int64_t)hole_row_offsets(row));
    buffer_printf(to, ",\"reason\":\"%s\",\"noticed\":", hole_reason_text(row->hole->reason));
    json_append_time(to, row->hole->noticed_ns);
    buffer_append_text(to, ",\"after\":");
    json_append_time(to, row->times.after_ns);
    buffer_append_text(to, ",\"before\":");
    json_append_time(to, row->times.before_ns);
    json_append_deleted(to, row->hole);
    buffer_append_text(to, ",\"explanation\":");
    append_json_explanation(to, row->explanation);
    buffer_append_text(to, "}\n");
}

void
hole_print_json_done(struct buffer *to, const struct hole_rows *rows, const struct hole_sum *sum,
    const struct hole_explain_result *result, bool is_complete, int64_t duration_ns)
{
    buffer_printf(to, "{\"v\":1,\"done\":true,\"matched\":\"%zu\",\"complete\":%s", rows->count,
        is_complete ? "true" : "false");
    append_offset(to, ",\"offsets\":", sum->offsets_are_known ? (int64_t)sum->offsets : -1);
    buffer_append_text(to, ",\"counts\":");
    if (result == NULL)
        buffer_append_text(to, "null");
    else
        append_counts(to, sum->counts);
    append_offset(to, ",\"read_events\":", result == NULL ? -1 : (int64_t)result->cost.events);
    append_offset(to, ",\"read_bytes\":", result == NULL ? -1 : (int64_t)result->cost.bytes);
    buffer_printf(to, ",\"ms\":%.3f}\n", (double)duration_ns / (double)NS_PER_MS);
}
