#include "ui/event_gap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "index/event.h"
#include "ui/detail.h"
#include "ui/number.h"

#define SECOND_CHARACTERS 19 /* "2026-11-26T14:29:31" */

int64_t
event_gap_end(const struct hole *hole)
{
    bool is_known = hole->to >= hole->from && hole->to < INT64_MAX;
    return is_known || hole->from == INT64_MIN ? hole->to : hole->from - 1;
}

void
event_gap_add(struct event_gap **gap, const struct stream *stream, const struct hole *hole)
{
    if (*gap == NULL) {
        *gap = alloc_zeroed(sizeof(**gap));
        (*gap)->offsets_are_known = true;
    }
    struct event_gap *self = *gap;
    const struct event_gap_hole *first = &self->holes[0];
    int64_t end = event_gap_end(hole);
    if (self->hole_count > 0)
        self->has_lanes |= first->stream != stream || first->hole.partition != hole->partition;
    if (self->hole_count < EVENT_GAP_HOLES)
        self->holes[self->hole_count] = (struct event_gap_hole){stream, *hole};
    self->hole_count++;
    self->offsets_are_known &= end >= hole->from;
    self->offsets += end >= hole->from ? (uint64_t)end - (uint64_t)hole->from + 1 : 0;
    self->reasons |= 1u << hole->reason;
}

/* ---- the row ---- */

static void
print_reasons(struct buffer *to, const struct event_gap *gap)
{
    const char *sign = "";
    for (unsigned reason = 0; reason < HOLE_REASON_COUNT; reason++) {
        if ((gap->reasons & 1u << reason) == 0)
            continue;
        buffer_printf(to, "%s%s", sign, hole_reason_text((enum hole_reason)reason));
        sign = ", ";
    }
}

static void
print_count(struct buffer *to, const struct event_gap *gap)
{
    char number[NUMBER_TEXT_MAX];
    if (gap->offsets == 0) {
        buffer_append_text(to, "not on the tape, how many is not known");
        return;
    }
    buffer_printf(to, "%s%s offset%s not on the tape", gap->offsets_are_known ? "" : "at least ",
        number_grouped(gap->offsets, number), gap->offsets == 1 ? "" : "s");
}

static void
print_range(struct buffer *to, const struct hole *hole)
{
    int64_t end = event_gap_end(hole);
    buffer_printf(to, "%" PRId64, hole->from);
    if (end < hole->from)
        buffer_append_text(to, "..?");
    else if (end > hole->from)
        buffer_printf(to, "..%" PRId64, end);
}

void
event_gap_print(struct buffer *to, const struct event_gap *gap)
{
    const struct hole *first = &gap->holes[0].hole;
    char time[CLOCK_TEXT_MAX];
    print_reasons(to, gap);
    buffer_append_text(to, ": ");
    print_count(to, gap);
    if (gap->hole_count > 1) {
        buffer_printf(to, ", in %zu holes", gap->hole_count);
        return;
    }
    if (first->noticed_ns != CLOCK_NONE)
        buffer_printf(to, ", %s %s", first->was_here ? "deleted from it" : "noticed",
            clock_format_time(first->noticed_ns, 0, time));
    buffer_append_text(to, ", ");
    print_range(to, first);
}

static void
print_place(struct buffer *to, const struct event_gap_hole *of)
{
    buffer_printf(to, "%s[%" PRId32 "]@", of->stream->label, of->hole.partition);
    print_range(to, &of->hole);
}

void
event_gap_print_place(struct buffer *to, const struct event_gap *gap)
{
    print_place(to, &gap->holes[0]);
}

/* ---- in full ---- */

static void add_line(struct detail *detail, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
add_line(struct detail *detail, const char *label, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    detail_add_field(detail, label, bytes_of(text));
}

static const char *
words_of(enum hole_reason reason)
{
    switch (reason) {
    case HOLE_UNKNOWN:
        return "not known: a file is not there, or the transport does not tell";
    case HOLE_RETENTION:
        return "deleted: by the broker before they were read, or by the tape";
    case HOLE_NOT_RECORDED:
        return "nobody recorded then, or was asked to begin later";
    case HOLE_DROPPED:
        return "received, or should have been, and could not be kept";
    case HOLE_DAMAGED:
        return "they were on the tape, and the bytes are broken";
    case HOLE_COMPACTED_OR_ABORTED:
        return "no event is there";
    case HOLE_RECREATED:
        return "the topic was made anew or cut: what it had is not known";
    }
    return "";
}

/* Seconds are enough to know where to look. */
static const char *
moment(int64_t when_ns, char text[CLOCK_TEXT_MAX])
{
    (void)clock_format(when_ns, text);
    if (strlen(text) > SECOND_CHARACTERS) {
        text[SECOND_CHARACTERS] = 'Z';
        text[SECOND_CHARACTERS + 1] = '\0';
    }
    return text;
}

static void
add_hole(struct detail *detail, const struct event_gap_hole *of)
{
    const struct hole *hole = &of->hole;
    char first[CLOCK_TEXT_MAX];
    char last[CLOCK_TEXT_MAX];
    struct buffer place = {0};
    print_place(&place, of);
    add_line(detail, "hole", "%s  %s", buffer_text(&place), hole_reason_text(hole->reason));
    buffer_done(&place);
    if (hole->was_here)
        add_line(detail, "", "events of %s to %s", moment(hole->first_ns, first),
            moment(hole->last_ns, last));
    if (hole->noticed_ns != CLOCK_NONE)
        add_line(detail, "", "%s %s", hole->was_here ? "deleted from this tape" : "noticed",
            moment(hole->noticed_ns, first));
}

static void
add_reasons(struct detail *detail, unsigned reasons)
{
    bool is_one = (reasons & (reasons - 1)) == 0;
    for (unsigned bit = 0; bit < HOLE_REASON_COUNT; bit++) {
        enum hole_reason reason = (enum hole_reason)bit;
        if ((reasons & 1u << bit) != 0)
            add_line(detail, "why", "%s%s%s", is_one ? "" : hole_reason_text(reason),
                is_one ? "" : ": ", words_of(reason));
    }
}

static void
add_neighbours(struct detail *detail, const struct event_gap *gap)
{
    char when[CLOCK_TEXT_MAX];
    if (gap->after_ns != CLOCK_NONE)
        add_line(detail, "after", "%s  when the row in front of it was received",
            moment(gap->after_ns, when));
    if (gap->before_ns != CLOCK_NONE)
        add_line(detail, "before", "%s  when the row behind it was received",
            moment(gap->before_ns, when));
}

/* What `tapedeck tape holes` finds them by: a range without an end by where it begins. */
static void
add_command(struct detail *detail, const struct event_gap *gap)
{
    const struct event_gap_hole *first = &gap->holes[0];
    struct event_gap_hole one = *first;
    struct buffer place = {0};
    if (event_gap_end(&one.hole) < one.hole.from)
        one.hole.to = one.hole.from;
    if (gap->hole_count == 1)
        print_place(&place, &one);
    else
        buffer_printf(&place, "%s[%" PRId32 "]", first->stream->label, first->hole.partition);
    add_line(detail, "more", "tapedeck tape holes '%s'", buffer_text(&place));
    add_line(detail, "", "with --explain it asks the broker, if that is Kafka");
    buffer_done(&place);
}

void
event_gap_load(struct detail *detail, const struct event_gap *gap)
{
    struct buffer count = {0};
    print_count(&count, gap);
    detail_begin(detail, gap->seq_behind);
    add_line(detail, "gap", "%s", buffer_text(&count));
    buffer_done(&count);
    for (size_t i = 0; i < gap->hole_count && i < EVENT_GAP_HOLES; i++)
        add_hole(detail, &gap->holes[i]);
    if (gap->hole_count > EVENT_GAP_HOLES)
        add_line(detail, "hole", "and %zu more", gap->hole_count - EVENT_GAP_HOLES);
    add_reasons(detail, gap->reasons);
    add_neighbours(detail, gap);
    add_command(detail, gap);
}
