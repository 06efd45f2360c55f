#include "ui/event_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/query.h"
#include "ui/event_row.h"

/* Events that are looked at between two looks at the clock. */
#define STEP_EVENTS 2000u
/* A list that follows and is further behind than this lets go and continues near the end. */
#define BEHIND_MAX 200000u
/* While following without a filter, rows are chosen out of this many of the newest events. */
#define CHOICE_MAX 256u

void
event_list_init(struct event_list *list, struct tape *tape)
{
    *list = (struct event_list){.tape = tape, .random = 88172645463325252u, .ratio = 1.0};
}

static void
forget_rows(struct event_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        event_row_free(list->rows[i]);
    list->count = 0;
    list->changes++;
    free(list->end_gap);
    list->end_gap = NULL;
}

static void
stop_cursors(struct event_list *list)
{
    cursor_free(list->older);
    cursor_free(list->newer);
    cursor_free(list->arrivals);
    list->older = NULL;
    list->newer = NULL;
    list->arrivals = NULL;
}

void
event_list_done(struct event_list *list)
{
    stop_cursors(list);
    forget_rows(list);
    query_free(list->query);
    free(list->rows);
}

static void
fail(struct event_list *list, const struct error *err)
{
    list->has_failed = true;
    (void)snprintf(
        list->failure, sizeof(list->failure), "%.*s", (int)sizeof(list->failure) - 1, err->text);
}

void
event_list_begin(
    struct event_list *list, const char *filter, int64_t now_ns, uint64_t end_seq, size_t wanted)
{
    struct error err = {0};

    stop_cursors(list);
    forget_rows(list);
    query_free(list->query);
    list->query = NULL;
    list->has_failed = false;
    if (filter[0] != '\0') {
        list->query = query_compile(filter, now_ns, NULL, &err);
        if (list->query == NULL)
            fail(list, &err);
    }
    list->end_seq = end_seq;
    list->older_is_done = list->has_failed;
    list->newer_is_done = true;
    list->wanted = wanted < EVENT_LIST_MAX_ROWS ? wanted : EVENT_LIST_MAX_ROWS;
    list->scanned = 0;
    list->gave_up = false;
    list->next_seq = end_seq;
    list->hidden = 0;
    list->slots = EVENT_LIST_ROWS_PER_S;
    list->followed_ns = 0;
    list->ratio = 1.0;
    list->arrived_in_second = 0;
    list->drawn_in_second = 0;
    list->second_ns = 0;
}

void
event_list_want_older(struct event_list *list, size_t more)
{
    list->wanted = list->count + more;
}

void
event_list_extend(struct event_list *list, uint64_t end_seq)
{
    if (end_seq <= list->end_seq)
        return;
    list->end_seq = end_seq;
    list->newer_is_done = false;
    cursor_free(list->newer);
    list->newer = NULL;
}

static void
insert_row(struct event_list *list, size_t index, struct event_row *row)
{
    if (index == list->count) {
        free(list->end_gap); /* it is not behind the last row any more */
        list->end_gap = NULL;
    }
    list->rows = alloc_grow(list->rows, list->count, &list->capacity, sizeof(struct event_row *));
    memmove(list->rows + index + 1, list->rows + index,
        (list->count - index) * sizeof(struct event_row *));
    list->rows[index] = row;
    list->count++;
    list->changes++;
}

/* Let rows go from the front until there are no more than allowed. */
static size_t
trim_front(struct event_list *list)
{
    if (list->count <= EVENT_LIST_MAX_ROWS)
        return 0;
    size_t dropped = list->count - EVENT_LIST_MAX_ROWS;
    for (size_t i = 0; i < dropped; i++)
        event_row_free(list->rows[i]);
    list->count -= dropped;
    memmove(list->rows, list->rows + dropped, list->count * sizeof(struct event_row *));
    list->changes++;
    list->older_is_done = false;
    cursor_free(list->older);
    list->older = NULL;
    return dropped;
}

/* The same from the end. */
static void
trim_end(struct event_list *list)
{
    if (list->count <= EVENT_LIST_MAX_ROWS)
        return;
    list->wanted -= list->count - EVENT_LIST_MAX_ROWS;
    while (list->count > EVENT_LIST_MAX_ROWS)
        event_row_free(list->rows[--list->count]);
    list->changes++;
    list->newer_is_done = false;
    cursor_free(list->newer);
    list->newer = NULL;
}

static void
open_older(struct event_list *list)
{
    struct cursor_options options = {.query = list->query, .order = CURSOR_BY_SEQ};
    options.newest_first = true;
    options.end_seq = list->count > 0 ? list->rows[0]->seq : list->end_seq;
    if (options.end_seq == 0) {
        list->older_is_done = true; /* 0 would mean the tape's end */
        return;
    }
    list->older = cursor_new(list->tape, &options);
}

/* What the recorder writes about itself is shown to those who ask for it by name. */
static bool
is_left_out(const struct event_list *list, const struct event *event)
{
    return list->query == NULL && event->stream->name[0] == '@';
}

/* One step of the cursor; true when the row that came was added at `index`. */
static bool
take_row(struct event_list *list, struct cursor *cursor, size_t index, bool *is_done)
{
    struct event event;
    struct error err = {0};

    switch (cursor_next(cursor, STEP_EVENTS, &event, &err)) {
    case CURSOR_EVENT:
        if (is_left_out(list, &event))
            return false;
        insert_row(list, index, event_row_new(&event));
        return true;
    case CURSOR_PAUSED:
        return false;
    case CURSOR_END:
        *is_done = true;
        return false;
    case CURSOR_FAILED:
        *is_done = true;
        fail(list, &err);
        return false;
    }
    return false;
}

static void
note_progress(struct event_list *list)
{
    struct cursor_progress progress;
    cursor_progress(list->older, &progress);
    list->scanned = progress.scanned_events;
    list->gave_up |= progress.gave_up > 0;
}

/* How many rows may be wanted when the first `kept` are to stay. */
static size_t
most_wanted(const struct event_list *list, size_t kept)
{
    size_t most = list->count + EVENT_LIST_MAX_ROWS;
    return most > kept + EVENT_LIST_MAX_ROWS ? most - kept : EVENT_LIST_MAX_ROWS;
}

bool
event_list_load(struct event_list *list, size_t kept, bool *more, size_t *in_front)
{
    int64_t deadline = clock_monotonic_ns() + EVENT_LIST_BUDGET_NS;

    *in_front = 0;
    if (list->wanted > most_wanted(list, kept))
        list->wanted = most_wanted(list, kept);
    if (list->older == NULL && !list->older_is_done && list->count < list->wanted)
        open_older(list);
    while (!list->older_is_done && list->count < list->wanted) {
        if (take_row(list, list->older, 0, &list->older_is_done))
            (*in_front)++;
        if (clock_monotonic_ns() >= deadline)
            break;
    }
    if (list->older != NULL)
        note_progress(list);
    trim_end(list);
    *more = !list->older_is_done && list->count < list->wanted;
    return *in_front > 0;
}

size_t
event_list_load_newer(struct event_list *list, size_t count, size_t *dropped)
{
    int64_t deadline = clock_monotonic_ns() + EVENT_LIST_BUDGET_NS;
    size_t added = 0;

    *dropped = 0;
    if (list->newer_is_done || list->has_failed)
        return 0;
    if (list->newer == NULL) {
        struct cursor_options options = {.query = list->query, .order = CURSOR_BY_SEQ};
        options.first_seq = list->count > 0 ? list->rows[list->count - 1]->seq + 1 : 0;
        options.end_seq = list->end_seq;
        if (options.first_seq >= options.end_seq) {
            list->newer_is_done = true;
            return 0;
        }
        list->newer = cursor_new(list->tape, &options);
    }
    while (!list->newer_is_done && added < count) {
        if (take_row(list, list->newer, list->count, &list->newer_is_done))
            added++;
        if (clock_monotonic_ns() >= deadline)
            break;
    }
    list->gave_up |= cursor_gave_up(list->newer) > 0;
    *dropped = trim_front(list);
    return added;
}

static uint64_t
next_random(struct event_list *list)
{
    list->random ^= list->random << 13;
    list->random ^= list->random >> 7;
    list->random ^= list->random << 17;
    return list->random;
}

static void
append_followed(struct event_list *list, const struct event *event, uint64_t hidden)
{
    struct event_row *row = event_row_new(event);
    row->hidden = hidden;
    insert_row(list, list->count, row);
    list->drawn_in_second++;
}

/* An event that might be drawn. */
struct choice {
    uint64_t seq;
    uint32_t stream_id;
    unsigned drawn; /* of its stream, so far */
    bool is_chosen;
};

/* Mark `slots` of the choices: one of each stream in turn, so that a slow stream is not drowned by a
 * fast one, and within a stream any. */
static void
choose(struct event_list *list, struct choice *choices, size_t count, size_t slots)
{
    for (size_t taken = 0; taken < slots && taken < count; taken++) {
        size_t start = (size_t)(next_random(list) % count);
        size_t best = start;
        for (size_t i = 0; i < count; i++) {
            size_t at = (start + i) % count;
            if (choices[best].is_chosen ||
                (!choices[at].is_chosen && choices[at].drawn < choices[best].drawn))
                best = at;
        }
        choices[best].is_chosen = true;
        for (size_t i = 0; i < count; i++)
            choices[i].drawn += choices[i].stream_id == choices[best].stream_id;
    }
}

/* Without a filter what arrived is counted by seq, and only a few of the newest are read at all. */
static void
sample_newest(struct event_list *list, uint64_t end_seq, size_t slots)
{
    struct choice choices[CHOICE_MAX];
    struct event event;
    struct error err = {0};
    uint64_t arrived = end_seq - list->next_seq;
    uint64_t window = arrived < CHOICE_MAX ? arrived : CHOICE_MAX;
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    options.first_seq = end_seq - window;
    options.end_seq = end_seq;

    struct cursor *cursor = cursor_new(list->tape, &options);
    size_t count = 0;
    for (uint64_t i = 0; i < window && cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT; i++) {
        if (is_left_out(list, &event))
            continue;
        choices[count++] = (struct choice){.seq = event.seq, .stream_id = event.stream->id};
    }
    choose(list, choices, count, slots);
    uint64_t before = list->next_seq - list->hidden;
    for (size_t i = 0; i < count; i++) {
        if (!choices[i].is_chosen ||
            cursor_fetch_seq(cursor, choices[i].seq, &event, &err) != CURSOR_EVENT)
            continue;
        append_followed(list, &event, event.seq - before);
        before = event.seq + 1;
    }
    list->hidden = end_seq - before;
    list->arrived_in_second += arrived;
    list->next_seq = end_seq;
    cursor_free(cursor);
}

/* With a filter every event is looked at, as long as that keeps up. The first matches of a tick are
 * drawn, the others counted. */
static void
read_arrivals(struct event_list *list, uint64_t end_seq, size_t slots)
{
    int64_t deadline = clock_monotonic_ns() + EVENT_LIST_BUDGET_NS;
    struct event event;
    struct error err = {0};

    if (list->arrivals == NULL || end_seq - list->next_seq > BEHIND_MAX) {
        uint64_t near_end = end_seq > STEP_EVENTS ? end_seq - STEP_EVENTS : 0;
        struct cursor_options options = {.query = list->query, .order = CURSOR_BY_SEQ};
        options.first_seq = end_seq - list->next_seq > BEHIND_MAX ? near_end : list->next_seq;
        cursor_free(list->arrivals);
        list->arrivals = cursor_new(list->tape, &options);
        list->next_seq = options.first_seq;
    }
    while (clock_monotonic_ns() < deadline) {
        enum cursor_step step = cursor_next(list->arrivals, STEP_EVENTS, &event, &err);
        list->gave_up |= cursor_gave_up(list->arrivals) > 0;
        if (step == CURSOR_FAILED)
            fail(list, &err);
        if (step == CURSOR_END)
            list->next_seq = end_seq;
        if (step == CURSOR_PAUSED)
            continue;
        if (step != CURSOR_EVENT)
            return;
        list->next_seq = event.seq + 1;
        list->arrived_in_second++;
        if (slots > 0) {
            append_followed(list, &event, list->hidden);
            list->hidden = 0;
            slots--;
        } else {
            list->hidden++;
        }
    }
}

/* Rows that may be drawn by now: EVENT_LIST_ROWS_PER_S, saved up for a second at most. */
static size_t
earn_slots(struct event_list *list, int64_t monotonic_ns)
{
    if (list->followed_ns != 0)
        list->slots +=
            EVENT_LIST_ROWS_PER_S * (double)(monotonic_ns - list->followed_ns) / (double)NS_PER_S;
    if (list->slots > EVENT_LIST_ROWS_PER_S)
        list->slots = EVENT_LIST_ROWS_PER_S;
    list->followed_ns = monotonic_ns;
    return list->slots >= 1.0 ? (size_t)list->slots : 0;
}

static void
note_ratio(struct event_list *list, int64_t monotonic_ns)
{
    if (list->second_ns == 0)
        list->second_ns = monotonic_ns;
    if (monotonic_ns - list->second_ns < NS_PER_S)
        return;
    uint64_t drawn = list->drawn_in_second > 0 ? list->drawn_in_second : 1;
    list->ratio =
        list->arrived_in_second > drawn ? (double)list->arrived_in_second / (double)drawn : 1.0;
    list->arrived_in_second = 0;
    list->drawn_in_second = 0;
    list->second_ns = monotonic_ns;
}

bool
event_list_follow(struct event_list *list, uint64_t end_seq, int64_t monotonic_ns, size_t *dropped)
{
    size_t before = list->count;
    size_t slots = earn_slots(list, monotonic_ns);

    *dropped = 0;
    note_ratio(list, monotonic_ns);
    if (end_seq <= list->next_seq || list->has_failed)
        return false;
    if (list->query == NULL)
        sample_newest(list, end_seq, slots);
    else
        read_arrivals(list, end_seq, slots);
    list->end_seq = end_seq;
    size_t added = list->count - before;
    list->slots -= (double)added;
    *dropped = trim_front(list);
    return added > 0;
}
