#include "ui/lag_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/tape.h"
#include "ui/deck.h"

#define BUDGET_NS   (3 * NS_PER_MS)
#define STEP_EVENTS 4000u
/* The past beyond this many decoded samples is not read: thousands of groups have a shorter trend. */
#define HISTORY_MAX 100000u
/* Who was away for longer begins anew instead of reading everything that came meanwhile. */
#define AWAY_NS (INT64_C(30) * NS_PER_S)

/* Samples below end_seq were read, back to where the window begins when `older` is NULL. */
struct lag_board {
    struct query *query;
    struct cursor *older; /* reads towards the beginning of the window */
    struct cursor *newer; /* reads towards the head */
    bool newer_is_open;   /* it has no end: it follows the tape */
    bool is_begun;
    bool is_behind;
    uint64_t end_seq;
    int64_t ticked_ns; /* where the head was then */
    uint64_t decoded;  /* since it was begun */
    uint64_t left_out;
    char failure[256];

    struct lag_row **rows;
    size_t count;
    size_t capacity;
    uint32_t *table; /* index + 1 of a row, by the hash of its names; 0: free */
    size_t table_size;
    struct lag_sample sample;
};

struct lag_board *
lag_board_new(void)
{
    return alloc_zeroed(sizeof(struct lag_board));
}

static void
stop_cursors(struct lag_board *board)
{
    cursor_free(board->older);
    cursor_free(board->newer);
    query_free(board->query);
    board->older = NULL;
    board->newer = NULL;
    board->query = NULL;
}

void
lag_board_free(struct lag_board *board)
{
    if (board == NULL)
        return;
    stop_cursors(board);
    for (size_t i = 0; i < board->count; i++)
        lag_row_free(board->rows[i]);
    free(board->rows);
    free(board->table);
    lag_sample_done(&board->sample);
    free(board);
}

/* --- rows by name ------------------------------------------------------------------------------- */

/* FNV-1a over the tap and the key. */
static uint64_t
hash_names(const char *tap, struct bytes key)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    do
        hash = (hash ^ (unsigned char)*tap) * UINT64_C(1099511628211);
    while (*tap++ != '\0');
    for (size_t i = 0; i < key.length; i++)
        hash = (hash ^ key.data[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Where the row is in the table, or the free place where it belongs. */
static size_t
find_place(const struct lag_board *board, const char *tap, struct bytes key)
{
    size_t at = (size_t)hash_names(tap, key) & (board->table_size - 1);
    while (board->table[at] != 0) {
        const struct lag_row *row = board->rows[board->table[at] - 1];
        if (bytes_equal(row->key, key) && strcmp(row->tap, tap) == 0)
            break;
        at = (at + 1) & (board->table_size - 1);
    }
    return at;
}

static void
grow_table(struct lag_board *board)
{
    board->table_size = board->table_size == 0 ? 256 : board->table_size * 2;
    free(board->table);
    board->table = alloc_zeroed(board->table_size * sizeof(board->table[0]));
    for (size_t i = 0; i < board->count; i++) {
        const struct lag_row *row = board->rows[i];
        board->table[find_place(board, row->tap, row->key)] = (uint32_t)i + 1;
    }
}

/* NULL when there is none, and may be none. */
static struct lag_row *
find_row(struct lag_board *board, const struct event *event, bool may_add)
{
    if ((board->count + 1) * 2 > board->table_size)
        grow_table(board);
    struct bytes key = event->key.length > 0 ? event->key : BYTES_NULL;
    size_t place = find_place(board, event->stream->tap, key);
    if (board->table[place] != 0)
        return board->rows[board->table[place] - 1];
    if (!may_add || board->count == LAG_BOARD_MAX_ROWS)
        return NULL;

    struct lag_row *row = lag_row_new(event->stream->tap, key);
    board->rows = alloc_grow(board->rows, board->count, &board->capacity, sizeof(struct lag_row *));
    board->rows[board->count++] = row;
    board->table[place] = (uint32_t)board->count;
    return row;
}

/* Streams are only ever added to a tape: each is compared once. */
static void
find_source(struct lag_row *row, const struct tape *tape)
{
    size_t count = tape_stream_count(tape);
    for (; row->source == NULL && row->streams_seen < count; row->streams_seen++) {
        const struct stream *stream = tape_stream(tape, row->streams_seen);
        if (strcmp(stream->name, row->stream) == 0 && strcmp(stream->tap, row->tap) == 0)
            row->source = stream;
    }
}

/* --- taking samples in -------------------------------------------------------------------------- */

/* A slot of the past needs one sample, and what needs none is not decoded. */
static bool
is_needed(const struct lag_row *row, const struct event *event)
{
    int64_t slot = event->received_ns / LAG_SLOT_NS;
    return row == NULL || row->at_ns == CLOCK_NONE || event->seq > row->seq ||
           !lag_row_has_slot(row, slot);
}

/* True when nothing newer is known of the flow. */
static bool
take_gone(struct lag_board *board, const struct event *event)
{
    struct lag_row *row = find_row(board, event, true);
    if (row == NULL || (row->at_ns != CLOCK_NONE && event->seq <= row->seq))
        return false;
    if (row->at_ns == CLOCK_NONE)
        lag_row_forget(row);
    lag_row_note_gone(row, event);
    return true;
}

/* True when it is the newest of its group. */
static bool
take(struct lag_board *board, const struct deck *deck, const struct event *event)
{
    struct lag_sample *sample = &board->sample;
    if (event->payload.data == NULL)
        return take_gone(board, event);
    if (!is_needed(find_row(board, event, false), event))
        return false;
    board->decoded++;
    struct lag_row *row =
        lag_sample_decode(sample, event->payload) ? find_row(board, event, true) : NULL;
    if (row == NULL) {
        board->left_out++;
        return false;
    }
    if (row->at_ns == CLOCK_NONE)
        lag_row_forget(row);
    bool is_newest = row->at_ns == CLOCK_NONE || event->seq > row->seq;
    if (is_newest)
        lag_row_note_newest(row, sample, event);
    find_source(row, deck->tape);
    lag_row_note_slot(row, sample, event->received_ns);
    return is_newest;
}

/* --- reading ------------------------------------------------------------------------------------ */

static void
fail(struct lag_board *board, const struct error *err)
{
    (void)snprintf(
        board->failure, sizeof(board->failure), "%.*s", (int)sizeof(board->failure) - 1, err->text);
}

/* Begin anew with the window before the head. */
static void
begin(struct lag_board *board, struct deck *deck)
{
    char from[CLOCK_TEXT_MAX];
    char text[CLOCK_TEXT_MAX + 32];
    struct error err = {0};

    stop_cursors(board);
    for (size_t i = 0; i < board->count; i++)
        board->rows[i]->at_ns = CLOCK_NONE;
    board->is_begun = true;
    board->failure[0] = '\0';
    board->left_out = 0;
    board->decoded = 0;
    board->end_seq = deck->head_seq;
    if (deck->head_seq == 0 || deck->head_ns == CLOCK_NONE)
        return;
    clock_format(deck->head_ns - LAG_WINDOW_NS, from);
    (void)snprintf(text, sizeof(text), "stream=\"@lag\" received>=%s", from);
    board->query = query_compile(text, deck->now_ns, NULL, &err);
    if (board->query == NULL) {
        fail(board, &err);
        return;
    }
    struct cursor_options options = {.query = board->query,
        .order = CURSOR_BY_SEQ,
        .newest_first = true,
        .end_seq = deck->head_seq};
    board->older = cursor_new(deck->tape, &options);
}

static void
open_newer(struct lag_board *board, const struct deck *deck)
{
    bool is_open = deck->transport == TRANSPORT_LIVE;
    if (board->newer != NULL && is_open && board->newer_is_open)
        return;
    struct cursor_options options = {
        .query = board->query, .order = CURSOR_BY_SEQ, .first_seq = board->end_seq};
    options.end_seq = is_open ? 0 : deck->head_seq;
    cursor_free(board->newer);
    board->newer = cursor_new(deck->tape, &options);
    board->newer_is_open = is_open;
}

/* Read on until the cursor is at its end (true) or the time is over. */
static bool
read_on(struct lag_board *board, const struct deck *deck, struct cursor *cursor, bool *changed)
{
    int64_t deadline = clock_monotonic_ns() + BUDGET_NS;
    struct event event;
    struct error err = {0};

    for (;;) {
        switch (cursor_next(cursor, STEP_EVENTS, &event, &err)) {
        case CURSOR_EVENT:
            *changed |= take(board, deck, &event);
            if (cursor == board->older && board->decoded >= HISTORY_MAX)
                return true;
            break;
        case CURSOR_PAUSED:
            break;
        case CURSOR_FAILED:
            fail(board, &err);
            return true;
        case CURSOR_END:
            return true;
        }
        if (clock_monotonic_ns() >= deadline)
            return false;
    }
}

bool
lag_board_tick(struct lag_board *board, struct deck *deck)
{
    bool changed = false;
    bool was_away = deck->head_ns - board->ticked_ns > AWAY_NS;

    if (!board->is_begun || deck->head_seq < board->end_seq ||
        (deck->head_seq > board->end_seq && (was_away || board->query == NULL))) {
        begin(board, deck);
        changed = true;
    }
    board->ticked_ns = deck->head_ns;
    if (board->older != NULL && read_on(board, deck, board->older, &changed)) {
        cursor_free(board->older);
        board->older = NULL;
    }
    board->is_behind = false;
    if (board->query != NULL && deck->head_seq > board->end_seq) {
        open_newer(board, deck);
        board->is_behind = !read_on(board, deck, board->newer, &changed);
        if (!board->is_behind)
            board->end_seq = deck->head_seq;
    }
    if (board->older != NULL || board->is_behind)
        deck->is_busy = true;
    return changed;
}

/* --- looking ------------------------------------------------------------------------------------ */

size_t
lag_board_count(const struct lag_board *board)
{
    return board->count;
}

struct lag_row *
lag_board_row(const struct lag_board *board, size_t index)
{
    return board->rows[index];
}

bool
lag_board_is_loading(const struct lag_board *board)
{
    return board->older != NULL || board->is_behind;
}

uint64_t
lag_board_left_out(const struct lag_board *board)
{
    return board->left_out;
}

const char *
lag_board_failure(const struct lag_board *board)
{
    return board->failure[0] != '\0' ? board->failure : NULL;
}
