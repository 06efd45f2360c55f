#include "collectors/outlet.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/lane_table.h"
#include "collectors/outlet_internal.h"
#include "collectors/tap_note.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/tape_writer.h"

struct outlet *
outlet_new(const struct outlet_options *options)
{
    struct outlet *outlet = alloc_zeroed(sizeof(*outlet));
    outlet->options = *options;
    outlet->since_ns = clock_now_ns();
    outlet->note = (struct tap_note){.diary = options->diary, .tap = options->tap};
    outlet->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(outlet->stop_fd >= 0); /* at the start of a program there are descriptors left */
    (void)pthread_mutex_init(&outlet->lock, NULL);
    outlet_mark_received(outlet);
    return outlet;
}

void
outlet_free(struct outlet *outlet)
{
    if (outlet == NULL)
        return;
    batch_release(outlet->batch);
    lane_table_done(&outlet->lanes);
    (void)close(outlet->stop_fd);
    (void)pthread_mutex_destroy(&outlet->lock);
    free(outlet);
}

struct tap_lane *
outlet_lane(struct outlet *outlet, const char *stream_name, int32_t partition)
{
    const struct stream *stream =
        tape_writer_stream(outlet->options.writer, outlet->options.tap, stream_name);
    struct tap_lane *lane = lane_table_find(&outlet->lanes, stream->id, partition);
    if (lane != NULL)
        return lane;

    int64_t checkpoint = tape_writer_checkpoint(outlet->options.writer, stream, partition);
    lane = alloc_zeroed(sizeof(*lane));
    lane->stream = stream;
    lane->partition = partition;
    lane->next = checkpoint < 0 ? -1 : checkpoint + 1;
    lane->lost_from = -1;
    lane->gap = HOLE_COMPACTED_OR_ABORTED;
    lane_table_add(&outlet->lanes, lane);
    return lane;
}

bool
outlet_has_stream(struct outlet *outlet, const char *stream)
{
    return tape_writer_find_stream(outlet->options.writer, outlet->options.tap, stream) != NULL;
}

bool
outlet_stream_is_known(struct outlet *outlet, const char *stream)
{
    return tape_writer_last_partition(outlet->options.writer,
               tape_writer_stream(outlet->options.writer, outlet->options.tap, stream)) >= 0;
}

void
outlet_mark_received(struct outlet *outlet)
{
    outlet->received_ns = clock_now_ns();
}

static void
put_hole(struct outlet *outlet, const struct tap_lane *lane, int64_t from, int64_t to,
    enum hole_reason reason)
{
    struct hole hole = {
        .stream_id = lane->stream->id,
        .partition = lane->partition,
        .from = from,
        .to = to,
        .reason = reason,
        .noticed_ns = clock_now_ns(),
    };
    batch_add_hole(outlet->batch, &hole);
    tap_note_hole(&outlet->note, lane->stream, &hole);
}

/* Before anything of the lane follows, the tape learns what was lost. */
static void
tell_loss(struct outlet *outlet, struct tap_lane *lane)
{
    put_hole(outlet, lane, lane->lost_from, lane->next - 1, HOLE_DROPPED);
    lane->lost_from = -1;
}

void
outlet_tell_losses(struct outlet *outlet)
{
    if (!outlet->has_loss)
        return;
    for (size_t i = 0; i < outlet->lanes.count; i++) {
        if (outlet->lanes.lanes[i]->lost_from >= 0)
            tell_loss(outlet, outlet->lanes.lanes[i]);
    }
    outlet->has_loss = false;
}

void
outlet_lose(struct outlet *outlet, struct tap_lane *lane)
{
    int64_t offset = lane->next < 0 ? 0 : lane->next;
    if (lane->lost_from < 0)
        lane->lost_from = offset;
    lane->next = offset + 1;
    outlet->has_loss = true;
    counter_add(&outlet->dropped, 1);
}

void
outlet_miss(struct outlet *outlet, struct tap_lane *lane, uint64_t missing, enum hole_reason reason)
{
    int64_t from = lane->next < 0 ? 0 : lane->next;
    assert(missing > 0 && missing <= (uint64_t)(INT64_MAX - from));
    lane->next = from + (int64_t)missing;
    counter_add(&outlet->dropped, missing);
    if (lane->lost_from >= 0 && reason == HOLE_DROPPED)
        return; /* becomes a part of the hole that is still to be told */
    if (lane->lost_from >= 0) {
        outlet_hole(outlet, lane, lane->lost_from, from - 1, HOLE_DROPPED);
        lane->lost_from = -1;
    }
    outlet_hole(outlet, lane, from, lane->next - 1, reason);
}

/* Take one event out of what UNTIL_EVENTS leaves for all taps. */
static bool
take_from_budget(struct outlet *outlet)
{
    atomic_uint_fast64_t *budget = outlet->options.budget;
    if (budget == NULL)
        return true;
    uint_fast64_t left = atomic_load_explicit(budget, memory_order_relaxed);
    while (left > 0)
        if (atomic_compare_exchange_weak(budget, &left, left - 1))
            return true;
    return false;
}

static void
refuse(struct outlet *outlet, struct tap_lane *lane, const struct event *event,
    const struct error *why)
{
    if (outlet->options.budget != NULL)
        (void)atomic_fetch_add(outlet->options.budget, 1);
    put_hole(outlet, lane, event->offset, event->offset, HOLE_DROPPED);
    counter_add(&outlet->refused, 1);
    counter_add(&outlet->dropped, 1);
    outlet_warn(outlet, "%s", why->text);
}

static bool
is_too_late(const struct outlet *outlet, const struct event *event)
{
    return outlet->options.until == UNTIL_TIME && event_time(event) > outlet->options.until_ns;
}

enum outlet_step
outlet_event(struct outlet *outlet, struct tap_lane *lane, struct event *event)
{
    assert(event->offset >= 0);
    if (event->offset < lane->next)
        return OUTLET_GO_ON;
    event->received_ns = outlet->received_ns;
    if (is_too_late(outlet, event)) {
        lane->gap = HOLE_NOT_RECORDED;
        return OUTLET_GO_ON;
    }

    size_t size = event_size(event);
    if (!outlet_make_room(outlet, size)) {
        if (outlet->options.can_wait)
            return OUTLET_DONE; /* stopping; the transport keeps our place */
        outlet_lose(outlet, lane);
        return OUTLET_GO_ON;
    }
    if (!take_from_budget(outlet))
        return OUTLET_DONE;
    if (lane->lost_from >= 0)
        tell_loss(outlet, lane);
    if (lane->next >= 0 && event->offset > lane->next)
        put_hole(outlet, lane, lane->next, event->offset - 1, lane->gap);
    lane->gap = HOLE_COMPACTED_OR_ABORTED;
    lane->next = event->offset + 1;

    struct error err;
    event->stream = lane->stream;
    event->partition = lane->partition;
    if (!batch_add(outlet->batch, event, &err)) {
        refuse(outlet, lane, event, &err);
        return OUTLET_GO_ON;
    }
    counter_add(&outlet->events, 1);
    counter_add(&outlet->bytes, size);
    return OUTLET_GO_ON;
}

void
outlet_count_lost(struct outlet *outlet, struct tap_lane *lane)
{
    lane->gap = HOLE_DROPPED;
    counter_add(&outlet->dropped, 1);
}

void
outlet_hole(struct outlet *outlet, const struct tap_lane *lane, int64_t from, int64_t to,
    enum hole_reason reason)
{
    /* Holes are few and small: where the queue has no room the batch may grow a little. */
    if (outlet->batch == NULL)
        outlet_begin_batch(outlet);
    put_hole(outlet, lane, from, to, reason);
}

void
outlet_begin_at(struct outlet *outlet, struct tap_lane *lane, int64_t next)
{
    (void)outlet;
    assert(lane->next < 0);
    lane->next = next;
}

void
outlet_skip_to(struct outlet *outlet, struct tap_lane *lane, int64_t next, enum hole_reason reason)
{
    if (lane->next >= 0 && lane->next < next)
        outlet_hole(outlet, lane, lane->next, next - 1, reason);
    if (lane->next < next)
        lane->next = next;
}

void
outlet_reach(struct outlet *outlet, struct tap_lane *lane, int64_t next)
{
    if (lane->gap == HOLE_NOT_RECORDED || next <= lane->next)
        return;
    outlet_skip_to(outlet, lane, next, lane->gap);
    lane->gap = HOLE_COMPACTED_OR_ABORTED;
}

int
outlet_stop_fd(const struct outlet *outlet)
{
    return outlet->stop_fd;
}

bool
outlet_is_stopping(const struct outlet *outlet)
{
    return atomic_load_explicit(&outlet->is_stopping, memory_order_relaxed);
}

bool
outlet_is_done(const struct outlet *outlet)
{
    return outlet->options.budget != NULL &&
           atomic_load_explicit(outlet->options.budget, memory_order_relaxed) == 0;
}

void
outlet_stop(struct outlet *outlet)
{
    atomic_store(&outlet->is_stopping, true);
    uint64_t one = 1;
    ssize_t written = write(outlet->stop_fd, &one, sizeof(one));
    (void)written; /* it can only be readable already */
}
