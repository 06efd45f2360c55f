#include "console/coverage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/replay_options.h"
#include "console/safe_text.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/hole_times.h"
#include "index/lanes.h"
#include "index/tape.h"

/* Holes that the text names; --json has all. */
#define LINES_MAX 10u

/* ---- times ---- */

struct hole_times *
coverage_times(struct tape *tape, const struct lane_summary *lanes, size_t count)
{
    size_t holes = 0;
    for (size_t i = 0; i < count; i++)
        holes += lanes[i].hole_count;
    struct hole_times *times = alloc_array(holes, sizeof(*times));
    struct cursor *cursor = NULL;
    size_t looked_up = 0;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < lanes[i].hole_count; k++, at++) {
            times[at] = (struct hole_times){CLOCK_NONE, CLOCK_NONE};
            if (lanes[i].holes[k].reason == HOLE_COMPACTED_OR_ABORTED ||
                looked_up++ >= COVERAGE_TIMES_MAX)
                continue;
            if (cursor == NULL)
                cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
            times[at] = hole_times_of(cursor, &lanes[i], &lanes[i].holes[k]);
        }
    }
    cursor_free(cursor);
    return times;
}

/* ---- text ---- */

/* Seconds are enough to know where to look. */
static void
append_moment(struct buffer *to, int64_t when_ns)
{
    char text[CLOCK_TEXT_MAX];
    (void)clock_format(when_ns, text);
    if (when_ns != CLOCK_NONE && strlen(text) > 19)
        text[19] = '\0';
    buffer_printf(to, "%s%s", text, when_ns == CLOCK_NONE ? "" : "Z");
}

static void
append_when(struct buffer *to, const struct hole *hole, const struct hole_times *times)
{
    if (hole->was_here) {
        buffer_append_text(to, ", events of ");
        append_moment(to, hole->first_ns);
        buffer_append_text(to, " to ");
        append_moment(to, hole->last_ns);
        buffer_append_text(to, ", deleted from this tape ");
        append_moment(to, hole->noticed_ns);
        return;
    }
    bool has_after = times->after_ns != CLOCK_NONE;
    bool has_before = times->before_ns != CLOCK_NONE;
    if (has_after || has_before)
        buffer_append_text(to, has_after && has_before ? ", between "
                               : has_after             ? ", behind "
                                                       : ", before ");
    if (has_after)
        append_moment(to, times->after_ns);
    if (has_after && has_before)
        buffer_append_text(to, " and ");
    if (has_before)
        append_moment(to, times->before_ns);
    if (hole->noticed_ns != CLOCK_NONE) {
        buffer_append_text(to, ", noticed ");
        append_moment(to, hole->noticed_ns);
    }
}

void
coverage_append_hole(struct buffer *to, const char *label, int32_t partition,
    const struct hole *hole, const struct hole_times *times)
{
    buffer_append_text(to, "  ");
    (void)safe_text_append(to, bytes_of(label), 0);
    buffer_printf(to, "[%" PRId32 "]@%" PRId64, partition, hole->from);
    if (hole->to < 0)
        buffer_append_text(to, "..?");
    else if (hole->to > hole->from)
        buffer_printf(to, "..%" PRId64, hole->to);
    buffer_printf(to, "  %s", hole_reason_text(hole->reason));
    append_when(to, hole, times);
    buffer_append_byte(to, '\n');
}

/* What all lanes have together. */
struct sum {
    size_t streams;
    size_t lanes; /* with events */
    uint64_t events;
    int64_t first_ns;
    int64_t last_ns;
    uint64_t holes; /* of events that there were, or may have been */
    uint64_t holes_not_kept;
};

static struct sum
sum_of(const struct lane_summary *lanes, size_t count)
{
    struct sum sum = {.first_ns = INT64_MAX, .last_ns = INT64_MIN};
    const struct stream *last = NULL;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < lanes[i].hole_count; k++)
            sum.holes += lanes[i].holes[k].reason != HOLE_COMPACTED_OR_ABORTED;
        sum.holes_not_kept += lanes[i].holes_not_kept;
        if (lanes[i].events == 0)
            continue;
        sum.streams += lanes[i].stream != last; /* lanes of a stream stand side by side */
        last = lanes[i].stream;
        sum.lanes++;
        sum.events += lanes[i].events;
        sum.first_ns = lanes[i].first_ns < sum.first_ns ? lanes[i].first_ns : sum.first_ns;
        sum.last_ns = lanes[i].last_ns > sum.last_ns ? lanes[i].last_ns : sum.last_ns;
    }
    return sum;
}

static void
append_sum(struct buffer *to, const struct sum *sum, bool looked_at_all)
{
    char number[REPLAY_NUMBER_MAX];
    buffer_append_text(to, looked_at_all ? "tapedeck: looked where matches could be: "
                                         : "tapedeck: not all was looked at; there are ");
    buffer_printf(to, "%s event%s in %zu partition%s of %zu stream%s",
        replay_number(sum->events, number), sum->events == 1 ? "" : "s", sum->lanes,
        sum->lanes == 1 ? "" : "s", sum->streams, sum->streams == 1 ? "" : "s");
    if (sum->events == 0) {
        if (looked_at_all)
            buffer_append_text(to, " (tapedeck streams lists what is on the tape)");
        return;
    }
    buffer_append_text(to, ", ");
    append_moment(to, sum->first_ns);
    buffer_append_text(to, " to ");
    append_moment(to, sum->last_ns);
}

static void
append_missing(struct buffer *to, uint64_t holes, size_t damaged, uint64_t gave_up)
{
    if (gave_up > 0)
        buffer_printf(to, "; the query gave up on %" PRIu64 " value%s, which may match", gave_up,
            gave_up == 1 ? "" : "s");
    if (damaged > 0)
        buffer_printf(to, "; %zu damaged place%s", damaged, damaged == 1 ? "" : "s");
    if (holes > 0)
        buffer_printf(to, "; %" PRIu64 " range%s of offsets %s not on the tape:\n", holes,
            holes == 1 ? "" : "s", holes == 1 ? "is" : "are");
    else
        buffer_append_text(to, damaged > 0 ? "\n" : "; no known holes\n");
}

void
coverage_append_text(struct buffer *to, const struct coverage *coverage)
{
    struct sum sum = sum_of(coverage->lanes, coverage->count);
    append_sum(to, &sum, coverage->looked_at_all);
    append_missing(to, sum.holes, coverage->damaged, coverage->gave_up);
    uint64_t named = 0;
    size_t at = 0;
    for (size_t i = 0; i < coverage->count; i++) {
        const struct lane_summary *lane = &coverage->lanes[i];
        for (size_t k = 0; k < lane->hole_count; k++, at++) {
            if (lane->holes[k].reason != HOLE_COMPACTED_OR_ABORTED && named++ < LINES_MAX)
                coverage_append_hole(to, lane->stream->label, lane->partition, &lane->holes[k],
                    &coverage->times[at]);
        }
    }
    if (named > LINES_MAX)
        buffer_printf(to, "  and %" PRIu64 " more; tapedeck streams --json names %s\n",
            named - LINES_MAX, sum.holes_not_kept == 0 ? "all" : "those that were kept");
    if (sum.holes_not_kept > 0)
        buffer_printf(to,
            "  and %" PRIu64 " of which only the number was kept: partitions with more than %u\n",
            sum.holes_not_kept, LANE_HOLES_MAX);
}
