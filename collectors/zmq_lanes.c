#include "collectors/zmq_lanes.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/outlet.h"
#include "collectors/tap_url.h"
#include "collectors/zmq_endpoint.h"
#include "collectors/zmq_parts.h"
#include "collectors/zmq_resume.h"
#include "index/event.h"

#define WARN_EVERY_NS NS_PER_S
/* A counter that goes back this often is none, or there are several publishers. */
#define BACK_MAX 16
/* A counter of fewer bits goes round so soon that after a restart nobody knows how often it did. */
#define RESUMED_BITS_MIN 32

static void
add_lane(struct zmq_lanes *lanes, char *name, bool is_filter)
{
    struct zmq_lane *lane = &lanes->lanes[lanes->count++];
    lane->lane = outlet_lane(lanes->outlet, name[0] == '\0' ? "all" : name, 0);
    if (!is_filter)
        name[0] = '\0';
    lane->prefix = name;
    lane->length = strlen(name);
}

void
zmq_lanes_begin(struct zmq_lanes *lanes, const struct zmq_request *request, const char *path,
    struct outlet *outlet)
{
    *lanes = (struct zmq_lanes){.outlet = outlet, .place = &request->sequence};
    lanes->lanes = alloc_zeroed(ZMQ_PREFIXES_MAX * sizeof(lanes->lanes[0]));
    for (char *name; (name = tap_url_item(path, lanes->count)) != NULL;)
        add_lane(lanes, name, request->role != ZMQ_ROLE_PULL);
}

static bool
goes_on(const struct zmq_lane *lane)
{
    return lane->lane->next >= 0;
}

/* Take the counter's last number from the tape. False: it is not known. */
static bool
resume_counter(
    const struct zmq_lanes *lanes, const struct zmq_resume *resume, struct zmq_lane *lane)
{
    if (outlet_is_stopping(lanes->outlet) ||
        !zmq_resume_find(resume, lanes->place, lane->lane, &lane->sequence.last))
        return false;
    lane->sequence.has_last = true;
    lane->is_cut = true;
    lane->is_resumed = true;
    return true;
}

/* How much was missed is not known. */
static void
leave_unknown(struct zmq_lanes *lanes, const struct zmq_lane *lane, enum hole_reason reason)
{
    if (goes_on(lane))
        outlet_hole(lanes->outlet, lane->lane, lane->lane->next, -1, reason);
}

void
zmq_lanes_resume(struct zmq_lanes *lanes, const char *tape)
{
    struct zmq_resume resume = {0};
    bool is_first = true;
    for (size_t i = 0; i < lanes->count; i++) {
        struct zmq_lane *lane = &lanes->lanes[i];
        if (!goes_on(lane))
            continue;
        if (is_first && lanes->place->kind != ZMQ_PLACE_NONE)
            zmq_resume_begin(&resume, tape);
        is_first = false;
        if (!resume_counter(lanes, &resume, lane))
            leave_unknown(lanes, lane, HOLE_NOT_RECORDED);
    }
    zmq_resume_end(&resume);
}

void
zmq_lanes_end(struct zmq_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct zmq_lane *lane = &lanes->lanes[i];
        if (lane->is_cut && lane->is_passed)
            leave_unknown(lanes, lane, HOLE_UNKNOWN);
        free(lane->prefix);
    }
    free(lanes->lanes);
}

struct zmq_lane *
zmq_lanes_find(struct zmq_lanes *lanes, const struct zmq_parts *parts)
{
    struct bytes topic = zmq_parts_frame(parts, 0);
    struct zmq_lane *found = NULL;
    for (size_t i = 0; i < lanes->count; i++) {
        struct zmq_lane *lane = &lanes->lanes[i];
        if (lane->length <= topic.length && memcmp(topic.data, lane->prefix, lane->length) == 0 &&
            (found == NULL || lane->length > found->length))
            found = lane;
    }
    return found;
}

void
zmq_lanes_cut(struct zmq_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct zmq_lane *lane = &lanes->lanes[i];
        lane->sequence.has_jumped = false;
        if (lane->sequence.has_last)
            lane->is_cut = true;
        else
            leave_unknown(lanes, lane, HOLE_UNKNOWN);
    }
}

bool
zmq_lanes_may_warn(struct zmq_lanes *lanes)
{
    int64_t now = clock_monotonic_ns();
    if (lanes->warned_ns != 0 && now - lanes->warned_ns < WARN_EVERY_NS)
        return false;
    lanes->warned_ns = now;
    return true;
}

/* The first message after a start: `missing` were published since the last one on the tape. That is
 * no loss on the way, and is not counted as one. */
static void
on_resumed_gap(struct zmq_lanes *lanes, struct zmq_lane *lane, uint64_t missing)
{
    outlet_skip_to(
        lanes->outlet, lane->lane, lane->lane->next + (int64_t)missing, HOLE_NOT_RECORDED);
    outlet_warn(lanes->outlet, "%llu messages of '%s' were published while nobody recorded",
        (unsigned long long)missing, lane->lane->stream->name);
}

static void
on_gap(struct zmq_lanes *lanes, struct zmq_lane *lane, uint64_t missing)
{
    lanes->missing += missing;
    outlet_miss(
        lanes->outlet, lane->lane, missing, lane->is_cut ? HOLE_NOT_RECORDED : HOLE_DROPPED);
    if (lane->is_cut)
        outlet_warn(lanes->outlet, "%llu messages were published while nobody was connected",
            (unsigned long long)missing);
    else if (zmq_lanes_may_warn(lanes))
        outlet_warn(lanes->outlet,
            "%llu messages missing by their counter: dropped at a high-water mark on their way "
            "(raise ZMQ_SNDHWM of the publisher)",
            (unsigned long long)lanes->missing);
}

/* It is not one counter, or not always. */
static void
note_disorder(struct zmq_lanes *lanes, struct zmq_lane *lane)
{
    if (++lane->went_back < BACK_MAX)
        return;
    lane->sequence.has_last = false;
    outlet_warn(lanes->outlet,
        "the counter of '%s' went back %d times: it is not one counter, and gaps in it are no "
        "longer looked for; a stream for each publisher would have one each",
        lane->lane->stream->name, BACK_MAX);
}

/* A publisher that began again, or not one counter at all. */
static void
on_back(struct zmq_lanes *lanes, struct zmq_lane *lane)
{
    leave_unknown(lanes, lane, lane->is_resumed ? HOLE_NOT_RECORDED : HOLE_UNKNOWN);
    /* A publisher that was started anew may begin anew. */
    if (!lane->is_cut)
        note_disorder(lanes, lane);
}

/* On a tape without a past it shows what was published before the subscription was up. */
static void
on_first(struct zmq_lanes *lanes, const struct zmq_lane *lane, uint64_t number)
{
    char time[CLOCK_TEXT_MAX];
    if (number <= 1 || lanes->subscribed_ns == 0)
        return;
    clock_format(lanes->subscribed_ns, time);
    outlet_warn(lanes->outlet,
        "'%s' begins with message %llu: earlier ones were published before we subscribed at %s",
        lane->lane->stream->name, (unsigned long long)number, time);
}

static bool
read_counter(
    const struct zmq_lanes *lanes, const struct zmq_parts *parts, uint64_t *number, unsigned *bits)
{
    size_t frame;
    size_t end;
    zmq_place_frames(lanes->place, parts->count, &frame, &end);
    for (; frame < end; frame++)
        if (zmq_place_read(lanes->place, zmq_parts_frame(parts, frame), number, bits))
            return true;
    return false;
}

/* What is missing before this message nobody can tell, and it may be the last: so it is said now. */
static void
forget_counter(struct zmq_lanes *lanes, struct zmq_lane *lane)
{
    leave_unknown(lanes, lane, HOLE_NOT_RECORDED);
    lane->sequence.has_last = false;
    lane->is_cut = false;
    lane->is_resumed = false;
}

static void
on_no_counter(struct zmq_lanes *lanes, struct zmq_lane *lane)
{
    if (lane->is_resumed)
        forget_counter(lanes, lane);
    lane->is_passed = lane->is_cut;
    lanes->not_counted++;
    if (zmq_lanes_may_warn(lanes))
        outlet_warn(lanes->outlet, "%llu messages have no counter where `sequence` says",
            (unsigned long long)lanes->not_counted);
}

void
zmq_lanes_follow(struct zmq_lanes *lanes, struct zmq_lane *lane, const struct zmq_parts *parts)
{
    uint64_t number;
    uint64_t missing;
    unsigned bits;
    if (lanes->place->kind == ZMQ_PLACE_NONE || lane->went_back >= BACK_MAX)
        return;
    if (!read_counter(lanes, parts, &number, &bits)) {
        on_no_counter(lanes, lane);
        return;
    }
    enum zmq_jump jump = zmq_sequence_next(&lane->sequence, number, bits, &missing);
    if (lane->is_resumed && bits < RESUMED_BITS_MIN)
        jump = ZMQ_JUMP_BACK;
    switch (jump) {
    case ZMQ_JUMP_FIRST:
        on_first(lanes, lane, number);
        break;
    case ZMQ_JUMP_NEXT:
        break;
    case ZMQ_JUMP_GAP:
        if (lane->is_resumed)
            on_resumed_gap(lanes, lane, missing);
        else
            on_gap(lanes, lane, missing);
        break;
    case ZMQ_JUMP_BACK:
        on_back(lanes, lane);
        break;
    case ZMQ_JUMP_OTHER: /* nothing is missing: another publisher goes on where it was */
        note_disorder(lanes, lane);
        break;
    }
    lane->is_cut = false;
    lane->is_passed = false;
    lane->is_resumed = false;
}

void
zmq_lanes_lose(struct zmq_lanes *lanes, struct zmq_lane *lane)
{
    /* After a start nobody knows what was missed before it. */
    if (lane->is_resumed)
        forget_counter(lanes, lane);
    lane->sequence.last++;
    outlet_lose(lanes->outlet, lane->lane);
}
