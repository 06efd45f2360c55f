/* Which groups the Lag screen shows, in which order, and the lines that they and their partitions take. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/query.h"
#include "ui/deck.h"
#include "ui/lag_screen.h"

/* --- which rows, in which order ----------------------------------------------------------------- */

/* The filter is asked of each group as if it were an event: its stream is the one that is read, its key
 * the group's name, and words are looked for in names, state and reason. */
static bool
matches_filter(struct lag_screen *screen, const struct lag_row *row, int64_t head_ns)
{
    if (screen->matcher == NULL)
        return true;
    char *label = alloc_format("%s/%s", row->tap, row->stream);
    char *text = alloc_format("%s %s %s %s", row->group, label,
        lag_face_of(lag_row_state(row, head_ns))->word, row->reason);
    struct stream named = {.id = UINT32_MAX, .tap = row->tap, .name = row->stream, .label = label};
    struct event event = {.seq = row->seq,
        .received_ns = row->at_ns,
        .time_ns = CLOCK_NONE,
        .stream = row->source != NULL ? row->source : &named,
        .key = bytes_of(row->group),
        .payload = bytes_of(text)};
    bool matches = query_matches(screen->matcher, &event);
    free(text);
    free(label);
    return matches;
}

static int64_t sorting_at_ns; /* qsort() takes no context; one thread owns the screens */

static int
compare_trouble(const void *a, const void *b)
{
    return lag_row_compare(*(struct lag_row *const *)a, *(struct lag_row *const *)b, sorting_at_ns);
}

static int
compare_events(const void *a, const void *b)
{
    int64_t left = (*(struct lag_row *const *)a)->lag;
    int64_t right = (*(struct lag_row *const *)b)->lag;
    return left != right ? (left < right ? 1 : -1) : compare_trouble(a, b);
}

static int
compare_seconds(const void *a, const void *b)
{
    double left = (*(struct lag_row *const *)a)->seconds;
    double right = (*(struct lag_row *const *)b)->seconds;
    return left < right ? 1 : left > right ? -1 : compare_trouble(a, b);
}

static int
compare_group(const void *a, const void *b)
{
    int order = strcmp((*(struct lag_row *const *)a)->group, (*(struct lag_row *const *)b)->group);
    return order != 0 ? order : compare_trouble(a, b);
}

static void
sort_rows(struct lag_screen *screen, int64_t head_ns)
{
    static int (*const compare[])(const void *, const void *) = {
        [LAG_BY_TROUBLE] = compare_trouble,
        [LAG_BY_EVENTS] = compare_events,
        [LAG_BY_SECONDS] = compare_seconds,
        [LAG_BY_GROUP] = compare_group,
    };
    sorting_at_ns = head_ns;
    if (screen->shown_count > 1)
        qsort(screen->shown, screen->shown_count, sizeof(struct lag_row *), compare[screen->order]);
}

void
lag_screen_collect(struct lag_screen *screen, const struct deck *deck)
{
    size_t count = lag_board_count(deck->board);

    if (screen->filters != deck->filters) {
        query_matcher_free(screen->matcher);
        screen->matcher = deck->query != NULL ? query_matcher_new(deck->query) : NULL;
        screen->filters = deck->filters;
    }
    screen->shown_count = 0;
    screen->all_count = 0;
    memset(screen->problem_counts, 0, sizeof(screen->problem_counts));
    for (size_t i = 0; i < count; i++) {
        struct lag_row *row = lag_board_row(deck->board, i);
        if (!lag_row_is_current(row, deck->head_ns))
            continue;
        enum lag_state state = lag_row_state(row, deck->head_ns);
        screen->all_count++;
        screen->problem_counts[state]++;
        if ((screen->only_problems && !lag_is_problem(state)) ||
            !matches_filter(screen, row, deck->head_ns))
            continue;
        screen->shown = alloc_grow(
            screen->shown, screen->shown_count, &screen->capacity, sizeof(struct lag_row *));
        screen->shown[screen->shown_count++] = row;
    }
    sort_rows(screen, deck->head_ns);
}

/* --- partitions --------------------------------------------------------------------------------- */

static int
compare_lanes(const void *a, const void *b)
{
    const struct lag_lane *left = a;
    const struct lag_lane *right = b;
    if (lag_is_problem(left->state) || lag_is_problem(right->state)) {
        if (left->state != right->state)
            return (int)right->state - (int)left->state;
        if (left->lag != right->lag)
            return left->lag < right->lag ? 1 : -1;
    }
    return left->partition < right->partition ? -1 : left->partition > right->partition;
}

/* Read the newest sample of the row in full, when it is another one than before. */
static void
refresh_full(struct lag_full *full, const struct lag_row *row, struct deck *deck)
{
    struct event event;
    struct error err = {0};

    if (full->row == row && full->seq == row->seq)
        return;
    full->row = row;
    full->seq = row->seq;
    full->is_known = cursor_fetch_seq(deck->reader, row->seq, &event, &err) == CURSOR_EVENT &&
                     lag_sample_decode(&full->sample, event.payload);
    if (full->is_known && full->sample.lane_count > 1)
        qsort(full->sample.lanes, full->sample.lane_count, sizeof(full->sample.lanes[0]),
            compare_lanes);
}

static struct lag_full *
find_open(struct lag_screen *screen, const struct lag_row *row)
{
    for (size_t i = 0; i < LAG_OPEN_MAX; i++)
        if (screen->open[i].row == row)
            return &screen->open[i];
    return NULL;
}

const struct lag_full *
lag_screen_open(const struct lag_screen *screen, const struct lag_row *row)
{
    for (size_t i = 0; row->is_open && i < LAG_OPEN_MAX; i++)
        if (screen->open[i].row == row)
            return screen->open[i].is_known ? &screen->open[i] : NULL;
    return NULL;
}

void
lag_screen_unfold(struct lag_screen *screen, struct deck *deck, struct lag_row *row)
{
    struct lag_full *place = row->is_open ? NULL : find_open(screen, NULL);
    if (row->is_open)
        return;
    if (place == NULL) {
        deck_say(deck, true, "%u groups are unfolded already; h folds one", LAG_OPEN_MAX);
        return;
    }
    refresh_full(place, row, deck);
    row->is_open = true;
    if (!place->is_known || place->sample.lane_count == 0)
        deck_say(deck, true, "this sample does not name its partitions");
}

void
lag_screen_fold(struct lag_screen *screen, struct lag_row *row)
{
    struct lag_full *place = row->is_open ? find_open(screen, row) : NULL;
    if (place != NULL)
        place->row = NULL;
    row->is_open = false;
    screen->cursor_partition = -1;
}

/* --- lines -------------------------------------------------------------------------------------- */

static size_t
lanes_shown(const struct lag_screen *screen, const struct lag_row *row)
{
    const struct lag_full *full = row->is_open ? lag_screen_open(screen, row) : NULL;
    return full != NULL ? full->sample.lane_count : 0;
}

struct lag_line
lag_screen_line(const struct lag_screen *screen, size_t line)
{
    for (size_t i = 0; i < screen->shown_count; i++) {
        size_t lanes = lanes_shown(screen, screen->shown[i]);
        if (line == 0)
            return (struct lag_line){i, LAG_NO_LANE};
        if (line <= lanes)
            return (struct lag_line){i, line - 1};
        line -= 1 + lanes;
    }
    return (struct lag_line){0, LAG_NO_LANE};
}

/* The number of the line that the cursor is on; false when that is not shown any more. */
static bool
find_cursor(const struct lag_screen *screen, size_t *line)
{
    size_t at = 0;
    for (size_t i = 0; i < screen->shown_count; i++) {
        const struct lag_row *row = screen->shown[i];
        size_t lanes = lanes_shown(screen, row);
        if (row == screen->cursor_row) {
            *line = at;
            const struct lag_full *full = lanes > 0 ? lag_screen_open(screen, row) : NULL;
            for (size_t lane = 0; lane < lanes && screen->cursor_partition >= 0; lane++)
                if (full->sample.lanes[lane].partition == screen->cursor_partition)
                    *line = at + 1 + lane;
            return true;
        }
        at += 1 + lanes;
    }
    return false;
}

/* Put the cursor on a line, and remember what is there. */
void
lag_screen_put_cursor(struct lag_screen *screen, struct deck *deck, size_t line)
{
    if (screen->line_count == 0) {
        screen->cursor = 0;
        screen->cursor_row = NULL;
        screen->cursor_partition = -1;
        return;
    }
    screen->cursor = line < screen->line_count ? line : screen->line_count - 1;
    struct lag_line at = lag_screen_line(screen, screen->cursor);
    const struct lag_row *row = screen->shown[at.row];
    const struct lag_full *full = lag_screen_open(screen, row);
    screen->cursor_row = row;
    screen->cursor_partition =
        at.lane != LAG_NO_LANE && full != NULL ? full->sample.lanes[at.lane].partition : -1;
    refresh_full(&screen->under_cursor, row, deck);
}

void
lag_screen_lay_out(struct lag_screen *screen, struct deck *deck)
{
    for (size_t i = 0; i < LAG_OPEN_MAX; i++)
        if (screen->open[i].row != NULL && screen->open[i].row->at_ns != CLOCK_NONE)
            refresh_full(&screen->open[i], screen->open[i].row, deck);
    screen->line_count = screen->shown_count;
    for (size_t i = 0; i < screen->shown_count; i++)
        screen->line_count += lanes_shown(screen, screen->shown[i]);
    size_t line = screen->cursor;
    if (!screen->has_cursor)
        line = 0;
    else
        (void)find_cursor(screen, &line);
    lag_screen_put_cursor(screen, deck, line);
}
