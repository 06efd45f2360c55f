#include "collectors/tape_witness.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/tape.h"

/* `lanes` is the tape's own array, sorted by stream and partition. */
struct tape_witness {
    struct tape *tape;
    struct cursor *cursor;
    const struct lane_summary *lanes;
    size_t lane_count;
};

/* Null, empty and full differ, and the border between two parts counts. */
static uint64_t
mix(uint64_t seed, struct bytes part)
{
    uint64_t length = part.data == NULL ? 0 : (uint64_t)part.length + 1;
    seed = XXH3_64bits_withSeed(&length, sizeof(length), seed);
    return part.length == 0 ? seed : XXH3_64bits_withSeed(part.data, part.length, seed);
}

uint64_t
event_fingerprint(const struct event *event)
{
    const int64_t times[] = {(int64_t)event->time_type, event->time_ns};
    uint64_t sum = XXH3_64bits(times, sizeof(times));
    sum = mix(sum, event->key);
    sum = mix(sum, event->headers.length == 0 ? BYTES_NULL : event->headers);
    return mix(sum, event->payload);
}

struct tape_witness *
tape_witness_open(const char *directory, struct error *err)
{
    struct tape *tape = tape_open(directory, err);
    if (tape == NULL)
        return NULL;
    struct tape_witness *witness = alloc_zeroed(sizeof(*witness));
    witness->tape = tape;
    witness->cursor = cursor_new(tape, &(struct cursor_options){.query = NULL});
    witness->lanes = tape_lanes(tape, &witness->lane_count, err);
    if (witness->lanes != NULL)
        return witness;
    tape_witness_close(witness);
    return NULL;
}

void
tape_witness_close(struct tape_witness *witness)
{
    if (witness == NULL)
        return;
    cursor_free(witness->cursor);
    tape_close(witness->tape);
    free(witness);
}

/* The same stream as the reader knows it. The writer numbers its streams as the tape does, as a rule. */
static const struct stream *
find_stream(const struct tape_witness *witness, const struct stream *stream)
{
    size_t count = tape_stream_count(witness->tape);
    if (stream->id < count &&
        strcmp(tape_stream(witness->tape, stream->id)->label, stream->label) == 0)
        return tape_stream(witness->tape, stream->id);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tape_stream(witness->tape, i)->label, stream->label) == 0)
            return tape_stream(witness->tape, i);
    return NULL;
}

/* What is known of the lane; NULL when it has no event. */
static const struct lane_summary *
find_lane(const struct tape_witness *witness, const struct stream *stream, int32_t partition)
{
    const struct stream *known = find_stream(witness, stream);
    if (known == NULL)
        return NULL;
    const struct lane_summary *lane =
        tape_find_lane(witness->lanes, witness->lane_count, known, partition);
    return lane == NULL || lane->events == 0 ? NULL : lane;
}

int64_t
tape_witness_offset(
    const struct tape_witness *witness, const struct stream *stream, int32_t partition)
{
    const struct lane_summary *lane = find_lane(witness, stream, partition);
    return lane == NULL ? -1 : lane->last_offset;
}

/* Read the event at exactly this offset. */
static bool
fetch(struct tape_witness *witness, const struct stream *stream, int32_t partition, int64_t offset,
    struct event *event)
{
    struct error ignored; /* what cannot be read proves nothing */
    const struct stream *known = find_stream(witness, stream);
    return known != NULL &&
           cursor_fetch_offset(witness->cursor, known, partition, offset, event, &ignored) ==
               CURSOR_EVENT &&
           event->offset == offset;
}

bool
tape_witness_last(struct tape_witness *witness, const struct stream *stream, int32_t partition,
    struct event *event, int64_t *end)
{
    const struct lane_summary *lane = find_lane(witness, stream, partition);
    if (lane == NULL || !fetch(witness, stream, partition, lane->last_offset, event))
        return false;
    int64_t last = lane->last_offset;
    for (size_t i = 0; i < lane->hole_count; i++)
        if (lane->holes[i].to > last)
            last = lane->holes[i].to;
    *end = last + 1;
    return true;
}

bool
tape_witness_before(struct tape_witness *witness, const struct stream *stream, int32_t partition,
    uint64_t seq, unsigned most, struct event *event)
{
    struct error ignored;
    const struct stream *known = find_stream(witness, stream);
    for (unsigned i = 1; known != NULL && i <= most && i <= seq; i++) {
        if (cursor_fetch_seq(witness->cursor, seq - i, event, &ignored) != CURSOR_EVENT)
            return false;
        if (event->stream->id == known->id && event->partition == partition)
            return true;
    }
    return false;
}

bool
tape_witness_read(struct tape_witness *witness, const struct stream *stream, int32_t partition,
    int64_t offset, uint64_t *fingerprint)
{
    struct event event;
    if (!fetch(witness, stream, partition, offset, &event))
        return false;
    *fingerprint = event_fingerprint(&event);
    return true;
}
