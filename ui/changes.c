#include "ui/changes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/event.h"
#include "index/tape.h"
#include "ui/deck.h"

/* A stream is silent when nothing came for this many times its usual distance, and for long enough
 * that a hiccup is not meant. */
#define SILENT_DISTANCES 20
#define SILENT_LEAST_NS  (10 * NS_PER_S)
#define SILENT_MOST_NS   (INT64_C(15) * 60 * NS_PER_S)

#define DAMAGE_LINES 3u

/* The lines, the newest first by when they happened; and what was seen the last time. */
struct changes {
    struct change lines[CHANGES_MAX];
    size_t count;
    size_t added;

    size_t damaged; /* places that were told of */
    bool was_recording;
    bool was_full;
    int64_t started_ns;
    uint64_t dropped;
    struct live_tap taps[LIVE_TAPS];
    uint32_t tap_count;
    enum stream_state streams[LIVE_STREAMS];
    uint32_t stream_count;
};

struct changes *
changes_new(void)
{
    return alloc_zeroed(sizeof(struct changes));
}

void
changes_free(struct changes *changes)
{
    free(changes);
}

size_t
changes_count(const struct changes *changes)
{
    return changes->count;
}

const struct change *
changes_get(const struct changes *changes, size_t index)
{
    return &changes->lines[index];
}

static const struct live_tap *
find_tap(const struct deck *deck, const char *name)
{
    for (uint32_t i = 0; i < deck->status->tap_count && i < LIVE_TAPS; i++)
        if (strncmp(deck->status->taps[i].name, name, sizeof(deck->status->taps[i].name)) == 0)
            return &deck->status->taps[i];
    return NULL;
}

static bool
is_silent(const struct live_stream *stream, const struct live_status *status, int64_t now_ns)
{
    int64_t age_ns = now_ns - stream->last_received_ns;
    int64_t lived_ns = stream->last_received_ns - status->started_ns;
    if (stream->events < 10 || age_ns < SILENT_LEAST_NS || age_ns > SILENT_MOST_NS || lived_ns <= 0)
        return false;
    return age_ns > SILENT_DISTANCES * (lived_ns / (int64_t)stream->events);
}

enum stream_state
stream_state(const struct deck *deck, uint32_t stream_id, const char *tap_name)
{
    const struct live_status *status = deck->status;
    if (!deck->has_status || !deck->is_recording)
        return STREAM_UNKNOWN;

    const struct live_tap *tap = find_tap(deck, tap_name);
    if (tap != NULL && (tap->state == TAP_RETRYING || tap->state == TAP_FAILED))
        return STREAM_DOWN;
    if (stream_id >= status->stream_count || stream_id >= LIVE_STREAMS)
        return STREAM_IDLE;
    const struct live_stream *stream = &status->streams[stream_id];
    if (tap != NULL && (tap->state == TAP_ENDED || tap->state == TAP_STOPPED))
        return STREAM_ENDED;
    if (is_silent(stream, status, deck->now_ns))
        return STREAM_SILENT;
    if (stream->dropped > 0)
        return STREAM_LOSS;
    if (stream->events == 0 || deck->now_ns - stream->last_received_ns > 60 * NS_PER_S)
        return STREAM_IDLE;
    return STREAM_OK;
}

struct kind {
    enum role role;
    uint32_t sign;
    const char *word;
};

static const struct kind kind_start = {ROLE_OK, 0x25cf, "start"};
static const struct kind kind_up = {ROLE_OK, 0x25cf, "up"};
static const struct kind kind_back = {ROLE_OK, 0x25cf, "back"};
static const struct kind kind_stop = {ROLE_ATTENTION, 0x25b2, "stop"};
static const struct kind kind_down = {ROLE_CRITICAL, 0x00d7, "down"};
static const struct kind kind_silent = {ROLE_ATTENTION, 0x25b2, "silent"};
static const struct kind kind_damage = {ROLE_CRITICAL, 0x25a0, "damage"};
static const struct kind kind_loss = {ROLE_CRITICAL, 'G', "loss"};
static const struct kind kind_ended = {ROLE_IDLE, 0x25cc, "ended"};

static void add(struct changes *changes, const struct kind *kind, int64_t when_ns,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void
add(struct changes *changes, const struct kind *kind, int64_t when_ns, const char *format, ...)
{
    struct change line = {
        .when_ns = when_ns, .role = kind->role, .sign = kind->sign, .word = kind->word};
    va_list arguments;
    size_t at = 0;

    va_start(arguments, format);
    (void)vsnprintf(line.text, sizeof(line.text), format, arguments);
    va_end(arguments);
    changes->added++;
    /* What is noticed last need not have happened last. */
    while (at < changes->count && changes->lines[at].when_ns > when_ns)
        at++;
    if (at == CHANGES_MAX)
        return;
    if (changes->count == CHANGES_MAX)
        changes->count--;
    memmove(&changes->lines[at + 1], &changes->lines[at],
        (changes->count - at) * sizeof(changes->lines[0]));
    changes->lines[at] = line;
    changes->count++;
}

static void
see_recorder(struct changes *changes, const struct deck *deck)
{
    const struct live_status *status = deck->status;

    if (deck->is_recording &&
        (!changes->was_recording || changes->started_ns != status->started_ns))
        add(changes, &kind_start, status->started_ns, "recording has begun");
    if (!deck->is_recording && changes->was_recording)
        add(changes, &kind_stop, status->published_ns, "the recorder has ended");
    if (status->disk_full != 0 && !changes->was_full)
        add(changes, &kind_loss, status->published_ns,
            "the disk is full: nothing is taken until there is room");
    if (deck_dropped(deck) > changes->dropped)
        add(changes, &kind_loss, status->published_ns, "%llu events could not be kept",
            (unsigned long long)(deck_dropped(deck) - changes->dropped));
    changes->was_recording = deck->is_recording;
    changes->started_ns = status->started_ns;
    changes->was_full = status->disk_full != 0;
    changes->dropped = deck_dropped(deck);
}

static void
see_taps(struct changes *changes, const struct deck *deck)
{
    const struct live_status *status = deck->status;
    uint32_t count = status->tap_count < LIVE_TAPS ? status->tap_count : LIVE_TAPS;

    for (uint32_t i = 0; i < count; i++) {
        const struct live_tap *tap = &status->taps[i];
        bool was_seen = i < changes->tap_count;
        bool is_known = was_seen && changes->taps[i].state == tap->state;
        bool was_down = was_seen && changes->taps[i].state == TAP_RETRYING;
        changes->taps[i] = *tap;
        if (is_known)
            continue;
        if (tap->state == TAP_LIVE)
            add(changes, was_down ? &kind_back : &kind_up, tap->since_ns, "tap %.64s is connected",
                tap->name);
        else if (tap->state == TAP_RETRYING || tap->state == TAP_FAILED)
            add(changes, &kind_down, tap->since_ns, "tap %.64s: %.150s", tap->name, tap->error);
        else if (tap->state == TAP_ENDED)
            add(changes, &kind_ended, tap->since_ns, "tap %.64s has read to its end", tap->name);
    }
    changes->tap_count = count;
}

static void
see_streams(struct changes *changes, const struct deck *deck)
{
    size_t count = tape_stream_count(deck->tape);
    if (count > LIVE_STREAMS)
        count = LIVE_STREAMS;

    for (size_t i = 0; i < count; i++) {
        const struct stream *stream = tape_stream(deck->tape, i);
        if (stream->id >= LIVE_STREAMS || stream->name[0] == '@')
            continue;
        enum stream_state before = changes->streams[stream->id];
        enum stream_state state = stream_state(deck, stream->id, stream->tap);
        changes->streams[stream->id] = state;
        if (state == before)
            continue;
        const struct live_stream *live = &deck->status->streams[stream->id];
        if (state == STREAM_SILENT)
            add(changes, &kind_silent, live->last_received_ns, "%.120s sends nothing any more",
                stream->label);
        if (before == STREAM_SILENT && state == STREAM_OK)
            add(changes, &kind_back, live->last_received_ns, "%.120s sends again", stream->label);
    }
}

/* Of many places the first ones, and how many there are. */
static void
see_damage(struct changes *changes, const struct deck *deck)
{
    const struct tape_damage *damage;
    size_t count = tape_damage(deck->tape, &damage);
    for (size_t i = changes->damaged; i < count && i < DAMAGE_LINES; i++)
        add(changes, &kind_damage, deck->now_ns, "%s", damage[i].text);
    if (count > changes->damaged && count > DAMAGE_LINES)
        add(changes, &kind_damage, deck->now_ns,
            "%zu places of the tape are damaged; tapedeck tape verify lists all", count);
    changes->damaged = count;
}

bool
changes_see(struct changes *changes, const struct deck *deck)
{
    size_t before = changes->added;
    see_damage(changes, deck);
    if (deck->has_status)
        see_recorder(changes, deck);
    if (deck->has_status && deck->is_recording) {
        see_taps(changes, deck);
        see_streams(changes, deck);
    }
    return changes->added != before;
}
