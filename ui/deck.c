#include "ui/deck.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/tape.h"
#include "ui/lag_board.h"

#define SEEK_BUDGET 20000u
/* Decoded blocks of a tape of some 60 lanes, which a page of it is made of; one that has more is slower to page. */
#define BLOCK_BYTES          ((uint64_t)12 * 1024 * 1024)
#define DEFAULT_WINDOW       (60 * NS_PER_S)
#define PUBLISHED_TOO_OLD_NS (3 * NS_PER_S)

/* When the event `seq` was received; CLOCK_NONE when it cannot be read. */
static int64_t
received_at(struct deck *deck, uint64_t seq)
{
    struct event event;
    struct error err = {0};
    if (cursor_fetch_seq(deck->reader, seq, &event, &err) != CURSOR_EVENT)
        return CLOCK_NONE;
    return event.received_ns;
}

static bool
see_tape(struct deck *deck)
{
    struct error err = {0};
    if (!tape_refresh(deck->tape, &err)) {
        deck_say(deck, true, "the tape cannot be read: %s", err.text);
        return true;
    }
    uint64_t first = tape_first_seq(deck->tape);
    uint64_t end = tape_end_seq(deck->tape);
    bool changed = first != deck->first_seq || end != deck->end_seq;
    if (end > first && (first != deck->first_seq || deck->first_ns == CLOCK_NONE))
        deck->first_ns = received_at(deck, first);
    if (end > first && (end != deck->end_seq || deck->last_ns == CLOCK_NONE))
        deck->last_ns = received_at(deck, end - 1);
    deck->first_seq = first;
    deck->end_seq = end;
    return changed;
}

/* Nothing recorded any more: the head is at the end of the tape, and it is the past. */
static void
note_recording(struct deck *deck, bool is_recording)
{
    bool was_recording = deck->is_recording;
    deck->is_recording = is_recording;
    if (is_recording && !was_recording && deck->transport == TRANSPORT_PAST &&
        deck->head_seq == deck->end_seq)
        deck_follow(deck);
    if (!is_recording && deck->transport == TRANSPORT_LIVE) {
        deck->transport = TRANSPORT_PAST;
        deck->head_seq = deck->end_seq;
        deck->head_ns = deck->last_ns;
        deck->moves++;
    }
}

static bool
see_live_page(struct deck *deck)
{
    struct error err = {0};
    if (deck->live == NULL)
        deck->live = live_open(tape_directory(deck->tape), &err);
    if (deck->live == NULL) {
        bool is_recording = live_is_recording(tape_directory(deck->tape));
        bool changed = is_recording != deck->is_recording;
        note_recording(deck, is_recording);
        return changed;
    }

    int64_t before = deck->has_status ? deck->status->published_ns : CLOCK_NONE;
    bool is_recording = false;
    /* Without a recorder the page still has what it said last. */
    if (live_read(deck->live, deck->status, &is_recording) ||
        (!is_recording && deck->status->published_ns != 0))
        deck->has_status = true;
    bool changed = is_recording != deck->is_recording ||
                   (deck->has_status && deck->status->published_ns != before);
    note_recording(deck, is_recording);
    return changed;
}

struct deck *
deck_open(const char *directory, const char *title, int64_t now_ns, struct error *err)
{
    struct tape *tape = tape_open(directory, err);
    if (tape == NULL)
        return NULL;

    struct deck *deck = alloc_zeroed(sizeof(*deck));
    tape_keep_blocks(tape, BLOCK_BYTES);
    deck->tape = tape;
    const char *slash = strrchr(directory, '/');
    deck->title = alloc_text(title != NULL ? title : slash != NULL ? slash + 1 : directory);
    deck->status = alloc_zeroed(sizeof(*deck->status));
    deck->board = lag_board_new();
    deck->reader = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
    deck->first_ns = CLOCK_NONE;
    deck->last_ns = CLOCK_NONE;
    deck->window_ns = DEFAULT_WINDOW;
    deck->transport = TRANSPORT_LIVE;
    deck->ratio = 1.0;
    deck_tick(deck, now_ns);
    return deck;
}

void
deck_close(struct deck *deck)
{
    if (deck == NULL)
        return;
    deck_stop_seek(deck);
    lag_board_free(deck->board);
    cursor_free(deck->reader);
    query_free(deck->query);
    live_close(deck->live);
    tape_close(deck->tape);
    free(deck->status);
    free(deck->title);
    free(deck);
}

/* Go on looking for the place of the head, as far as the budget goes. */
static bool
step_seek(struct deck *deck)
{
    if (deck->seek == NULL)
        return false;

    struct event event;
    struct error err = {0};
    switch (cursor_next(deck->seek, SEEK_BUDGET, &event, &err)) {
    case CURSOR_EVENT:
        deck_move_to(deck, event.seq);
        deck->message[0] = '\0';
        break;
    case CURSOR_PAUSED:
        deck->is_busy = true;
        return false;
    case CURSOR_END:
        deck_say(deck, true, "nothing on the tape at %s", deck->seek_text);
        break;
    case CURSOR_FAILED:
        deck_say(deck, true, "cannot look for %s: %s", deck->seek_text, err.text);
        break;
    }
    deck_stop_seek(deck);
    return true;
}

bool
deck_tick(struct deck *deck, int64_t now_ns)
{
    bool changed = now_ns / NS_PER_S != deck->now_ns / NS_PER_S;
    deck->now_ns = now_ns;
    deck->is_busy = false;
    changed |= see_tape(deck);
    changed |= see_live_page(deck);
    if (deck->transport == TRANSPORT_LIVE) {
        deck->head_seq = deck->end_seq;
        deck->head_ns = now_ns;
    }
    changed |= step_seek(deck);
    return changed;
}

void
deck_hold(struct deck *deck)
{
    if (deck->transport != TRANSPORT_LIVE)
        return;
    deck->transport = TRANSPORT_HELD;
    deck->head_seq = deck->end_seq;
    deck->head_ns = deck->now_ns;
    deck->moves++;
}

void
deck_follow(struct deck *deck)
{
    deck_stop_seek(deck);
    deck->transport = deck->is_recording ? TRANSPORT_LIVE : TRANSPORT_PAST;
    deck->head_seq = deck->end_seq;
    deck->head_ns = deck->is_recording ? deck->now_ns : deck->last_ns;
    deck->moves++;
}

void
deck_move_to(struct deck *deck, uint64_t seq)
{
    int64_t when_ns = received_at(deck, seq);
    deck->transport = TRANSPORT_PAST;
    deck->head_seq = seq + 1;
    if (when_ns != CLOCK_NONE)
        deck->head_ns = when_ns;
    deck->moves++;
}

void
deck_return_to(struct deck *deck, enum transport transport, uint64_t head_seq, int64_t head_ns)
{
    if (transport == TRANSPORT_LIVE) {
        deck_follow(deck);
        return;
    }
    deck_stop_seek(deck);
    deck->transport = transport;
    deck->head_seq = head_seq;
    deck->head_ns = head_ns;
    deck->moves++;
}

/* Look for the newest event that matches `query_text`. */
static bool
begin_seek(struct deck *deck, const char *query_text, const char *shown, struct error *err)
{
    deck_stop_seek(deck);
    deck->seek_query = query_compile(query_text, deck->now_ns, NULL, err);
    if (deck->seek_query == NULL)
        return false;
    struct cursor_options options = {
        .query = deck->seek_query, .order = CURSOR_BY_SEQ, .newest_first = true};
    deck->seek = cursor_new(deck->tape, &options);
    (void)snprintf(deck->seek_text, sizeof(deck->seek_text), "%s", shown);
    deck_say(deck, false, "looking for %s (Esc stops)", deck->seek_text);
    deck->is_busy = true;
    return true;
}

void
deck_seek_time(struct deck *deck, int64_t when_ns)
{
    char time[CLOCK_TEXT_MAX];
    char text[CLOCK_TEXT_MAX + 64];
    struct error err = {0};

    if (deck->end_seq > deck->first_seq && when_ns < deck->first_ns) {
        deck_move_to(deck, deck->first_seq);
        deck_say(deck, false, "this is the beginning of the tape");
        return;
    }
    clock_format(when_ns, time);
    /* The recorder's own events are moments too: groups go on while streams are quiet. */
    (void)snprintf(text, sizeof(text), "received<=%s (stream=* or stream=@*)", time);
    if (!begin_seek(deck, text, time, &err))
        deck_say(deck, true, "%s", err.text);
}

bool
deck_seek_text(struct deck *deck, const char *text, struct error *err)
{
    int64_t when_ns;
    struct error not_a_time = {0};

    if (clock_parse(text, strlen(text), deck->now_ns, &when_ns, &not_a_time)) {
        deck_seek_time(deck, when_ns);
        return true;
    }
    if (strchr(text, '@') == NULL)
        return error_set(err, ERROR_ARGUMENT, "%s; or stream[partition]@offset", not_a_time.text);
    return begin_seek(deck, text, text, err);
}

bool
deck_stop_seek(struct deck *deck)
{
    bool was_seeking = deck->seek != NULL;
    cursor_free(deck->seek);
    query_free(deck->seek_query);
    deck->seek = NULL;
    deck->seek_query = NULL;
    return was_seeking;
}

bool
deck_set_filter(struct deck *deck, const char *text, size_t *column, struct error *err)
{
    struct query *query = NULL;
    if (text != NULL && text[0] != '\0') {
        query = query_compile(text, deck->now_ns, column, err);
        if (query == NULL)
            return false;
    }
    query_free(deck->query);
    deck->query = query;
    deck->filters++;
    return true;
}

const char *
deck_filter(const struct deck *deck)
{
    return deck->query != NULL ? query_text(deck->query) : "";
}

void
deck_say(struct deck *deck, bool is_error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(deck->message, sizeof(deck->message), format, arguments);
    va_end(arguments);
    deck->message_is_error = is_error;
}

double
deck_stream_rate(const struct deck *deck, uint32_t stream_id)
{
    if (!deck->has_status || stream_id >= deck->status->stream_count || stream_id >= LIVE_STREAMS)
        return 0.0;
    uint64_t events = 0;
    /* The last slot is the second that is still going on. */
    for (unsigned i = LIVE_RATE_SLOTS - 1 - DECK_RATE_SECONDS; i < LIVE_RATE_SLOTS - 1; i++)
        events += deck->status->streams[stream_id].rate[i];
    return (double)events / DECK_RATE_SECONDS;
}

double
deck_rate(const struct deck *deck)
{
    double rate = 0.0;
    size_t streams = tape_stream_count(deck->tape);
    for (uint32_t i = 0; deck->has_status && i < deck->status->stream_count; i++)
        if (i >= streams || tape_stream(deck->tape, i)->name[0] != '@')
            rate += deck_stream_rate(deck, i);
    return rate;
}

bool
deck_recorder_hangs(const struct deck *deck)
{
    return deck->is_recording && deck->has_status &&
           deck->now_ns - deck->status->published_ns > PUBLISHED_TOO_OLD_NS;
}

size_t
deck_damaged(const struct deck *deck)
{
    const struct tape_damage *damage;
    return tape_damage(deck->tape, &damage);
}

uint64_t
deck_dropped(const struct deck *deck)
{
    return deck->has_status ? deck->status->dropped + deck->status->refused_events : 0;
}
