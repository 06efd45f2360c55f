#include "collectors/zmq_resume.h"

#include <stddef.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/outlet.h"
#include "collectors/tape_witness.h"
#include "collectors/zmq_parts.h"
#include "collectors/zmq_sequence.h"
#include "index/event.h"

/* So many events of the lane are looked at before its last one, each among so many of the tape. */
#define NEIGHBOURS 8
#define NEAR       32

void
zmq_resume_begin(struct zmq_resume *resume, const char *directory)
{
    struct error ignored; /* then nothing is known */
    *resume = (struct zmq_resume){.deadline_ns = clock_monotonic_ns() + ZMQ_RESUME_MS * NS_PER_MS};
    if (directory != NULL)
        resume->tape = tape_witness_open(directory, &ignored);
}

void
zmq_resume_end(struct zmq_resume *resume)
{
    tape_witness_close(resume->tape);
    resume->tape = NULL;
}

/* How many frames it had; 0: it is no ZeroMQ message. */
static size_t
count_frames(const struct event *event)
{
    size_t at = 0;
    size_t count = 0;
    if (!event->offset_is_synthetic || event->payload.data == NULL)
        return 0;
    for (struct event_header header; event_next_header(event, &at, &header); count++)
        if (!bytes_equal_text(header.name, ZMQ_FRAME_HEADER) || header.value.data == NULL)
            return 0;
    if (event->key.data == NULL)
        return count == 0 ? 1 : 0;
    return count + 2;
}

bool
zmq_resume_read(
    const struct zmq_place *place, const struct event *event, uint64_t *number, unsigned *bits)
{
    size_t first;
    size_t end;
    size_t count = count_frames(event);
    zmq_place_frames(place, count, &first, &end);
    size_t at = 0;
    for (size_t i = 0; i < end; i++) {
        struct event_header header;
        struct bytes frame = event->payload;
        if (i + 1 < count && i == 0)
            frame = event->key;
        else if (i + 1 < count && event_next_header(event, &at, &header))
            frame = header.value;
        if (i >= first && zmq_place_read(place, frame, number, bits))
            return true;
    }
    return false;
}

/* A number and the offset that it had. */
struct counted {
    uint64_t number;
    int64_t offset;
};

/* The counter goes on as the offsets do, or a message came once more. */
static bool
follows(const struct counted *later, const struct counted *earlier, unsigned bits)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    uint64_t step = (later->number - earlier->number) & mask;
    return step == 0 || step == ((uint64_t)(later->offset - earlier->offset) & mask);
}

/* Is the last one of a single counter, as far as the events before it tell? */
static bool
is_one_counter(const struct zmq_resume *resume, const struct zmq_place *place,
    const struct tap_lane *lane, const struct counted *last, uint64_t seq)
{
    struct event event;
    unsigned bits;
    struct counted later = *last;
    for (int i = 0; i < NEIGHBOURS; i++) {
        struct counted earlier;
        if (!tape_witness_before(resume->tape, lane->stream, lane->partition, seq, NEAR, &event) ||
            !zmq_resume_read(place, &event, &earlier.number, &bits))
            return true;
        earlier.offset = event.offset;
        if (!follows(&later, &earlier, bits))
            return false;
        later = earlier;
        seq = event.seq;
    }
    return true;
}

bool
zmq_resume_find(const struct zmq_resume *resume, const struct zmq_place *place,
    const struct tap_lane *lane, uint64_t *last)
{
    struct event event;
    int64_t end;
    unsigned bits;
    struct counted counted;
    if (resume->tape == NULL || clock_monotonic_ns() > resume->deadline_ns ||
        !tape_witness_last(resume->tape, lane->stream, lane->partition, &event, &end) ||
        end != lane->next || !zmq_resume_read(place, &event, &counted.number, &bits))
        return false;
    counted.offset = event.offset;
    *last = counted.number + (uint64_t)(end - 1 - event.offset);
    return is_one_counter(resume, place, lane, &counted, event.seq);
}
