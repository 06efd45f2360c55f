#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/query.h"
#include "ui/changes.h"
#include "ui/deck.h"
#include "ui/flows_screen.h"
#include "ui/lag_board.h"

static void *
flows_open(struct deck *deck)
{
    struct flows *flows = alloc_zeroed(sizeof(*flows));
    flows->changes = changes_new();
    flows->minute.is_done = true;
    flows->moves = deck->moves - 1;
    return flows;
}

static void
flows_close(void *self)
{
    struct flows *flows = self;
    minute_done(&flows->minute);
    changes_free(flows->changes);
    free(flows->rows);
    free(flows->shown);
    free(flows);
}

static void
count_minute(struct flows *flows, struct deck *deck)
{
    if (flows->moves != deck->moves)
        minute_begin(&flows->minute, deck->tape, deck->head_seq);
    flows->moves = deck->moves;
    minute_step(&flows->minute);
    if (!flows->minute.is_done)
        deck->is_busy = true;
    flows->count = flow_collect(deck, &flows->minute, &flows->rows, &flows->capacity);
}

/* --- which rows, in which order ----------------------------------------------------------------- */

static const struct flows *sorting; /* qsort() takes no context; one thread owns the screens */

static int
attention_of(const struct flow *flow)
{
    int of_group = flow->has_group ? (int)flow->group_state : 0;
    return flow->state == STREAM_DOWN || flow->state == STREAM_LOSS ? LAG_STATE_COUNT
           : flow->state == STREAM_SILENT && of_group < LAG_WARN    ? (int)LAG_WARN
                                                                    : of_group;
}

static int
compare_shown(const void *a, const void *b)
{
    size_t left_index = *(const size_t *)a;
    size_t right_index = *(const size_t *)b;
    const struct flow *left = &sorting->rows[left_index];
    const struct flow *right = &sorting->rows[right_index];
    double difference = 0.0; /* positive: right comes first */

    switch (sorting->order) {
    case FLOWS_BY_TROUBLE:
        difference = attention_of(right) - attention_of(left);
        break;
    case FLOWS_BY_RATE:
        difference = right->rate - left->rate;
        break;
    case FLOWS_BY_LAG:
        difference = (double)(right->lag - left->lag);
        break;
    case FLOWS_BY_TAPE:
    case FLOWS_ORDER_COUNT:
        break;
    }
    if (difference != 0.0)
        return difference > 0.0 ? 1 : -1;
    return left_index < right_index ? -1 : left_index > right_index;
}

static bool
is_wanted(const struct flows *flows, const struct deck *deck, const struct flow *flow)
{
    if (flows->only_problems && !flow_is_problem(flow))
        return false;
    return deck->query == NULL || query_may_match_lane(deck->query, flow->stream, -1);
}

/* Choose and order the rows; the cursor stays on its stream. */
static void
arrange(struct flows *flows, const struct deck *deck)
{
    flows->shown_count = 0;
    for (size_t i = 0; i < flows->count; i++) {
        if (!is_wanted(flows, deck, &flows->rows[i]))
            continue;
        flows->shown = alloc_grow(
            flows->shown, flows->shown_count, &flows->shown_capacity, sizeof(flows->shown[0]));
        flows->shown[flows->shown_count++] = i;
    }
    sorting = flows;
    if (flows->shown_count > 1 && flows->order != FLOWS_BY_TAPE)
        qsort(flows->shown, flows->shown_count, sizeof(flows->shown[0]), compare_shown);
    for (size_t i = 0; i < flows->shown_count; i++)
        if (flows->rows[flows->shown[i]].stream == flows->cursor_stream)
            flows->cursor = i;
    if (flows->cursor >= flows->shown_count)
        flows->cursor = flows->shown_count > 0 ? flows->shown_count - 1 : 0;
}

static bool
flows_tick(void *self, struct deck *deck, int64_t monotonic_ns)
{
    struct flows *flows = self;
    (void)monotonic_ns;

    changes_see(flows->changes, deck);
    bool has_new_groups = lag_board_tick(deck->board, deck);
    if (deck->transport == TRANSPORT_LIVE) {
        flows->count = flow_collect(deck, NULL, &flows->rows, &flows->capacity);
        flows->moves = deck->moves;
    } else if (deck->transport == TRANSPORT_PAST) {
        bool was_done = flows->minute.is_done && flows->moves == deck->moves;
        if (!was_done || flows->count == 0 || has_new_groups)
            count_minute(flows, deck);
    } else if (!flows->has_rows) {
        flows->count = flow_collect(deck, NULL, &flows->rows, &flows->capacity);
    }
    flows->has_rows = true;
    arrange(flows, deck);
    return true;
}

/* --- keys --------------------------------------------------------------------------------------- */

bool
flows_row_matches(const struct flow *flow, const char *text)
{
    return text[0] != '\0' && strcasestr(flow->stream->label, text) != NULL;
}

static void
put_cursor(struct flows *flows, size_t index)
{
    flows->cursor = index;
    flows->cursor_stream =
        index < flows->shown_count ? flows->rows[flows->shown[index]].stream : NULL;
}

static void
go_to_hit(struct flows *flows, struct deck *deck, size_t step)
{
    for (size_t i = 1; i <= flows->shown_count && flows->search[0] != '\0'; i++) {
        size_t at = (flows->cursor + i * step) % flows->shown_count;
        if (flows_row_matches(&flows->rows[flows->shown[at]], flows->search)) {
            put_cursor(flows, at);
            return;
        }
    }
    if (flows->search[0] == '\0')
        deck_say(deck, false, "nothing is being looked for; / begins");
    else
        deck_say(deck, true, "no stream is called like \"%s\"", flows->search);
}

static void
flows_search(void *self, struct deck *deck, const char *text)
{
    struct flows *flows = self;
    (void)snprintf(flows->search, sizeof(flows->search), "%s", text);
    if (text[0] == '\0' || flows->shown_count == 0)
        return;
    if (!flows_row_matches(&flows->rows[flows->shown[flows->cursor]], flows->search))
        go_to_hit(flows, deck, 1);
}

/* The other screen with the filter `stream="shop/orders"`, with what a quoted text needs escaped. */
static struct request
go_with_stream(const struct flows *flows, const char *screen)
{
    struct request request = {.kind = REQUEST_UNHANDLED};
    if (flows->cursor >= flows->shown_count)
        return request;
    request.kind = REQUEST_SCREEN;
    request.screen = screen;
    request_filter_stream(&request, flows->rows[flows->shown[flows->cursor]].stream->label);
    return request;
}

static void
move_cursor(struct flows *flows, long rows)
{
    long at = (long)flows->cursor + rows;
    long last = (long)flows->shown_count - 1;
    if (at > last)
        at = last;
    put_cursor(flows, at < 0 ? 0 : (size_t)at);
}

static void
next_order(struct flows *flows, struct deck *deck)
{
    static const char *const names[] = {
        [FLOWS_BY_TAPE] = "when they were first seen",
        [FLOWS_BY_TROUBLE] = "trouble, the worst first",
        [FLOWS_BY_RATE] = "rate, the fastest first",
        [FLOWS_BY_LAG] = "lag in events, most first",
    };
    flows->order = (flows->order + 1) % FLOWS_ORDER_COUNT;
    deck_say(deck, false, "sorted by %s", names[flows->order]);
}

/* Undo one layer of this screen; false when there is none. */
static bool
undo_layer(struct flows *flows, struct deck *deck)
{
    struct error err = {0};

    if (flows->search[0] != '\0')
        flows->search[0] = '\0';
    else if (flows->only_problems)
        flows->only_problems = false;
    else if (deck_filter(deck)[0] != '\0')
        deck_set_filter(deck, "", NULL, &err);
    else
        return false;
    return true;
}

static struct request
flows_act(void *self, struct deck *deck, enum action action)
{
    struct flows *flows = self;
    struct request done = {.kind = REQUEST_NONE};
    long page = flows->page > 1 ? (long)flows->page - 1 : 1;

    switch ((int)action) {
    case ACTION_DOWN:
        move_cursor(flows, 1);
        return done;
    case ACTION_UP:
        move_cursor(flows, -1);
        return done;
    case ACTION_HALF_DOWN:
        move_cursor(flows, page / 2 + 1);
        return done;
    case ACTION_HALF_UP:
        move_cursor(flows, -page / 2 - 1);
        return done;
    case ACTION_PAGE_DOWN:
        move_cursor(flows, page);
        return done;
    case ACTION_PAGE_UP:
        move_cursor(flows, -page);
        return done;
    case ACTION_TOP:
        put_cursor(flows, 0);
        return done;
    case ACTION_BOTTOM:
        move_cursor(flows, (long)flows->shown_count);
        return done;
    case ACTION_NEXT:
        go_to_hit(flows, deck, 1);
        return done;
    case ACTION_PREVIOUS:
        go_to_hit(flows, deck, flows->shown_count > 0 ? flows->shown_count - 1 : 1);
        return done;
    case ACTION_OPEN:
    case ACTION_TO_EVENTS:
        return go_with_stream(flows, "events");
    case ACTION_TO_LAG:
        return go_with_stream(flows, "lag");
    case ACTION_SORT:
        next_order(flows, deck);
        return done;
    case ACTION_PROBLEMS:
        flows->only_problems = !flows->only_problems;
        return done;
    case ACTION_ESCAPE:
        if (undo_layer(flows, deck))
            return done;
        break;
    default:
        break;
    }
    return (struct request){.kind = REQUEST_UNHANDLED};
}

static const char *
flows_hint(const void *self, const struct deck *deck, enum action action)
{
    const struct flows *flows = self;
    (void)deck;

    switch ((int)action) {
    case ACTION_OPEN:
        return flows->shown_count == 0 ? "" : "its events";
    case ACTION_TO_EVENTS: /* the same as Enter */
        return "";
    case ACTION_TO_LAG:
        return flows->shown_count == 0 ? "" : "its groups";
    case ACTION_PROBLEMS:
        return flows->only_problems ? "all" : NULL;
    case ACTION_STEP:
        return "";
    default:
        return NULL;
    }
}

const struct screen_ops screen_flows = {
    .name = "flows",
    .title = "Flows",
    .contexts =
        CONTEXT_MOVE | CONTEXT_TAPE | CONTEXT_FIND | CONTEXT_TABLE | CONTEXT_FLOWS | CONTEXT_FROM,
    .interval_ms = 1000,
    .open = flows_open,
    .close = flows_close,
    .tick = flows_tick,
    .act = flows_act,
    .search = flows_search,
    .draw = flows_draw,
    .hint = flows_hint,
    .sentence = flows_sentence,
};
