#include "console/lag_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/lag.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/groups_sample.h"
#include "console/safe_text.h"
#include "ui/number.h"

#define NAME_COLUMNS_MAX 24
#define RATE_MAX         99999.5

void
lag_list_add(struct lag_list *list, const struct lag_flow *flow)
{
    struct lag_verdict *verdicts = alloc_array(flow->count, sizeof(*verdicts));
    if (flow->count > 0)
        memcpy(verdicts, flow->lane_verdicts, flow->count * sizeof(*verdicts));
    list->rows = alloc_grow(list->rows, list->count, &list->capacity, sizeof(*list->rows));
    struct lag_list_row *row = &list->rows[list->count++];
    *row = (struct lag_list_row){.flow = *flow, .lane_verdicts = verdicts};
    row->flow.lane_verdicts = verdicts;
}

void
lag_list_done(struct lag_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->rows[i].lane_verdicts);
    free(list->rows);
    *list = (struct lag_list){0};
}

static int
compare_rows(const void *a, const void *b)
{
    const struct lag_flow *left = &((const struct lag_list_row *)a)->flow;
    const struct lag_flow *right = &((const struct lag_list_row *)b)->flow;
    if (left->verdict.state != right->verdict.state)
        return left->verdict.state > right->verdict.state ? -1 : 1;
    if (left->verdict.lag != right->verdict.lag) {
        if (left->verdict.lag < 0 || right->verdict.lag < 0)
            return left->verdict.lag < 0 ? -1 : 1;
        return left->verdict.lag > right->verdict.lag ? -1 : 1;
    }
    int order = strcmp(left->group->name, right->group->name);
    return order != 0 ? order : strcmp(left->lanes[0].topic, right->lanes[0].topic);
}

void
lag_list_sort(struct lag_list *list)
{
    if (list->count > 1)
        qsort(list->rows, list->count, sizeof(*list->rows), compare_rows);
}

/* ---- the table --------------------------------------------------------------------------------- */

/* How wide the names are. */
struct columns {
    size_t group;
    size_t stream;
};

static void
widen(size_t *width, const char *name)
{
    size_t columns = safe_text_cell_columns(name);
    if (columns > NAME_COLUMNS_MAX)
        columns = NAME_COLUMNS_MAX;
    if (columns > *width)
        *width = columns;
}

static struct columns
measure(const struct lag_list *list)
{
    struct columns columns = {.group = strlen("GROUP"), .stream = strlen("STREAM")};
    for (size_t i = 0; i < list->count; i++) {
        widen(&columns.group, list->rows[i].flow.group->name);
        widen(&columns.stream, list->rows[i].flow.lanes[0].topic);
    }
    return columns;
}

static void
append_integer(struct buffer *to, int64_t value, int width)
{
    if (value < 0)
        buffer_printf(to, "  %*s", width, "?");
    else
        buffer_printf(to, "  %*" PRId64, width, value);
}

static void
append_rate(struct buffer *to, double value)
{
    char text[NUMBER_TEXT_MAX];
    const char *shown = value < 0          ? "?"
                        : value < RATE_MAX ? number_rate(value, text)
                                           : number_short(value, text);
    buffer_printf(to, "  %7s", shown);
}

static void
append_seconds(struct buffer *to, double value, const char *unknown)
{
    char text[NUMBER_TEXT_MAX];
    buffer_printf(to, "  %7s", value < 0 ? unknown : number_seconds(value, text));
}

static void
append_message(struct buffer *to, const char *prefix, const char *text)
{
    buffer_append_text(to, prefix);
    safe_text_append_message(to, text);
    buffer_append_byte(to, '\n');
}

static void
append_lanes(struct buffer *to, const struct lag_flow *flow)
{
    buffer_printf(to, "    %-6s  %12s  %12s  %12s  %10s  %7s  %-11s  %s\n", "PART", "COMMITTED",
        "END", "LOG START", "EVENTS", "SECONDS", "STATE", "MEMBER");
    for (size_t i = 0; i < flow->count; i++) {
        const struct group_lane *lane = &flow->lanes[i];
        const struct lag_verdict *verdict = &flow->lane_verdicts[i];
        char name[16];
        (void)snprintf(name, sizeof(name), "[%" PRId32 "]", lane->partition);
        buffer_printf(to, "    %-6s", name);
        append_integer(to, lane->committed, 12);
        append_integer(to, lane->end, 12);
        append_integer(to, lane->log_start, 12);
        append_integer(to, verdict->lag, 10);
        append_seconds(to, verdict->seconds, "?");
        buffer_printf(to, "  %-11s", lag_state_text(verdict->state));
        append_message(to, "  ", lane->member == NULL ? "-" : lane->member);
    }
}

/* What to type to see the events that run again, or that were passed over. */
static void
append_again(struct buffer *to, const struct lag_flow *flow)
{
    const struct lag_verdict *verdict = &flow->verdict;
    if (verdict->again_from < 0 || verdict->again_to <= verdict->again_from)
        return;
    char *text = alloc_format("tapedeck events '%s[%" PRId32 "]@%" PRId64 "..%" PRId64 "'",
        flow->lanes[0].topic, verdict->partition, verdict->again_from, verdict->again_to - 1);
    append_message(to, "    -> they are: ", text);
    free(text);
}

static void
append_head(struct buffer *to, const struct columns *columns)
{
    buffer_printf(to, "%-*s  %-*s  %-11s  %9s  %7s  %7s  %7s  %7s  %s\n", (int)columns->group,
        "GROUP", (int)columns->stream, "STREAM", "STATE", "EVENTS", "SECONDS", "IN/S", "OUT/S",
        "EMPTY S", "MEMBERS");
}

static void
append_flow(struct buffer *to, const struct columns *columns, const struct lag_flow *flow)
{
    const struct lag_verdict *verdict = &flow->verdict;
    safe_text_append_cell(to, flow->group->name, columns->group);
    buffer_append_text(to, "  ");
    safe_text_append_cell(to, flow->lanes[0].topic, columns->stream);
    buffer_printf(to, "  %-11s", lag_state_text(verdict->state));
    append_integer(to, verdict->lag, 9);
    append_seconds(to, verdict->seconds, "?");
    append_rate(to, verdict->in_rate);
    append_rate(to, verdict->out_rate);
    append_seconds(to, verdict->drain_seconds,
        verdict->in_rate >= 0 && verdict->out_rate >= 0 ? "never" : "?");
    append_integer(to, flow->group->member_count, 7);
    buffer_append_byte(to, '\n');
}

/* Why it is so, and what to do: each once for those in a row of which the same is said. */
static void
append_why(struct buffer *to, const struct lag_flow *flow, const struct lag_flow *following)
{
    const struct lag_verdict *verdict = &flow->verdict;
    bool is_well = verdict->state <= LAG_OK;
    if (!is_well && (following == NULL || strcmp(verdict->reason, following->verdict.reason) != 0))
        append_message(to, "    ", verdict->reason);
    append_again(to, flow);
    if (verdict->next[0] != '\0' &&
        (following == NULL || strcmp(verdict->next, following->verdict.next) != 0))
        append_message(to, "    -> ", verdict->next);
}

void
lag_list_append(const struct lag_list *list, bool with_lanes, struct buffer *to)
{
    struct columns columns = measure(list);
    if (list->count > 0)
        append_head(to, &columns);
    for (size_t i = 0; i < list->count; i++) {
        const struct lag_flow *flow = &list->rows[i].flow;
        append_flow(to, &columns, flow);
        if (with_lanes)
            append_lanes(to, flow);
        bool is_last = i + 1 == list->count;
        append_why(to, flow, with_lanes || is_last ? NULL : &list->rows[i + 1].flow);
    }
}
