#include "collectors/outlet.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/byte_rate.h"
#include "collectors/lane_table.h"
#include "collectors/tap_note.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/tape_writer.h"

/* A batch is handed over this long after its first event, or when nothing came for IDLE_NS: a reader
 * who follows the tape sees an event that came alone after 3 ms, and a thousand in a row cost
 * one write. */
#define AGE_NS        (20 * NS_PER_MS)
#define IDLE_MS       3
#define IDLE_NS       (IDLE_MS * NS_PER_MS)
#define QUIET_MS      100
#define WAIT_SLICE_MS 50
#define STOP_WAIT_MS  5000
#define FLUSH_LOOK_NS NS_PER_MS

/* Counters have one writer, the collector's thread: a load and a store, no locked instruction. */
struct counter {
    atomic_uint_fast64_t value;
};

static void
count(struct counter *counter, uint64_t more)
{
    uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, value + more, memory_order_relaxed);
}

static uint64_t
counted(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

/* `batch` is what is being filled, or NULL; first_ns and last_ns say when it got its first event and
 * when it was last seen to grow. `lock` guards what stands behind it. */
struct outlet {
    struct outlet_options options;
    struct batch *batch;
    uint64_t handed;                   /* batches that the queue took */
    atomic_uint_fast64_t acknowledged; /* the last of them that is on the tape */
    uint64_t seen_events;
    int64_t first_ns;
    int64_t last_ns;
    int64_t received_ns;
    int64_t wait_ns; /* what outlet_allow_wait() left */
    struct lane_table lanes;
    bool has_loss; /* a lane has lost_from */
    struct tap_note note;

    struct counter events;
    struct counter bytes;
    struct counter dropped;
    struct counter refused;
    struct counter retries;
    struct counter wire;
    atomic_bool tells_wire;
    atomic_bool has_answer;
    atomic_bool is_stopping;
    int stop_fd;

    pthread_mutex_t lock;
    enum tap_state state;
    int64_t since_ns;
    struct error text;
    struct byte_rate wire_rate;
};

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

void
outlet_mark_answer(struct outlet *outlet)
{
    atomic_store_explicit(&outlet->has_answer, true, memory_order_relaxed);
}

/* Give the batch to the indexer. False: the queue is full and stays so for longer than we wait. */
static bool
hand_over(struct outlet *outlet, int timeout_ms)
{
    if (outlet->batch == NULL)
        return true;
    if (!outlet->options.push(outlet->options.push_self, &outlet->batch, timeout_ms))
        return false;
    outlet->handed++;
    return true;
}

/* The same for an outlet that can wait: for as long as it takes, but when the recorder stops only
 * so long as the queue of a disk that takes anything needs. */
static bool
hand_over_patiently(struct outlet *outlet)
{
    int64_t stop_ns = CLOCK_NONE;
    while (!hand_over(outlet, WAIT_SLICE_MS)) {
        if (!outlet_is_stopping(outlet))
            continue;
        int64_t now = clock_monotonic_ns();
        if (stop_ns == CLOCK_NONE)
            stop_ns = now + STOP_WAIT_MS * NS_PER_MS;
        else if (now > stop_ns)
            return false;
    }
    return true;
}

/* The same for an outlet that cannot wait, or not for long. */
static bool
hand_over_soon(struct outlet *outlet)
{
    if (hand_over(outlet, 0))
        return true;
    int wait_ms = (int)(outlet->wait_ns / NS_PER_MS);
    if (wait_ms == 0)
        return false;
    int64_t began_ns = clock_monotonic_ns();
    bool done = hand_over(outlet, wait_ms);
    int64_t took_ns = clock_monotonic_ns() - began_ns;
    outlet->wait_ns = done && took_ns < outlet->wait_ns ? outlet->wait_ns - took_ns : 0;
    return done;
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

/* A new batch; its first content is what was lost while there was none. */
static void
begin_batch(struct outlet *outlet)
{
    outlet->batch = batch_new();
    batch_set_receipt(outlet->batch, &outlet->acknowledged, outlet->handed + 1);
    outlet->seen_events = counted(&outlet->events);
    outlet->first_ns = clock_monotonic_ns();
    outlet->last_ns = outlet->first_ns;
    if (!outlet->has_loss)
        return;
    for (size_t i = 0; i < outlet->lanes.count; i++) {
        if (outlet->lanes.lanes[i]->lost_from >= 0)
            tell_loss(outlet, outlet->lanes.lanes[i]);
    }
    outlet->has_loss = false;
}

/* Have a batch with room for `more` bytes. */
static bool
make_room(struct outlet *outlet, size_t more)
{
    const uint32_t target = BATCH_TARGET_BYTES;
    if (outlet->batch != NULL &&
        (batch_is_full(outlet->batch) || (more > target && batch_event_count(outlet->batch) > 0))) {
        bool done = outlet->options.can_wait ? hand_over_patiently(outlet) : hand_over_soon(outlet);
        if (!done)
            return false;
    }
    if (outlet->batch == NULL)
        begin_batch(outlet);
    return true;
}

void
outlet_lose(struct outlet *outlet, struct tap_lane *lane)
{
    int64_t offset = lane->next < 0 ? 0 : lane->next;
    if (lane->lost_from < 0)
        lane->lost_from = offset;
    lane->next = offset + 1;
    outlet->has_loss = true;
    count(&outlet->dropped, 1);
}

void
outlet_miss(struct outlet *outlet, struct tap_lane *lane, uint64_t missing, enum hole_reason reason)
{
    int64_t from = lane->next < 0 ? 0 : lane->next;
    assert(missing > 0 && missing <= (uint64_t)(INT64_MAX - from));
    lane->next = from + (int64_t)missing;
    count(&outlet->dropped, missing);
    if (lane->lost_from >= 0 && reason == HOLE_DROPPED)
        return; /* becomes a part of the hole that is still to be told */
    if (lane->lost_from >= 0) {
        outlet_hole(outlet, lane, lane->lost_from, from - 1, HOLE_DROPPED);
        lane->lost_from = -1;
    }
    outlet_hole(outlet, lane, from, lane->next - 1, reason);
}

void
outlet_allow_wait(struct outlet *outlet, int64_t budget_ns)
{
    outlet->wait_ns = budget_ns;
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
    count(&outlet->refused, 1);
    count(&outlet->dropped, 1);
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
    if (!make_room(outlet, size)) {
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
    count(&outlet->events, 1);
    count(&outlet->bytes, size);
    return OUTLET_GO_ON;
}

void
outlet_count_lost(struct outlet *outlet, struct tap_lane *lane)
{
    lane->gap = HOLE_DROPPED;
    count(&outlet->dropped, 1);
}

void
outlet_hole(struct outlet *outlet, const struct tap_lane *lane, int64_t from, int64_t to,
    enum hole_reason reason)
{
    /* Holes are few and small: where the queue has no room the batch may grow a little. */
    if (outlet->batch == NULL)
        begin_batch(outlet);
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

uint64_t
outlet_ticket(const struct outlet *outlet)
{
    return outlet->handed + (outlet->batch != NULL ? 1 : 0);
}

uint64_t
outlet_acknowledged(const struct outlet *outlet)
{
    return atomic_load_explicit(&outlet->acknowledged, memory_order_acquire);
}

bool
outlet_flush(struct outlet *outlet, int timeout_ms)
{
    int64_t deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
    if (!hand_over(outlet, timeout_ms))
        return false;
    while (outlet_acknowledged(outlet) < outlet->handed) {
        int64_t now = clock_monotonic_ns();
        if (now >= deadline_ns)
            return false;
        clock_sleep_until_ns(now + FLUSH_LOOK_NS);
    }
    return true;
}

static void
set_state(struct outlet *outlet, enum tap_state state, enum error_code code, const char *text)
{
    (void)pthread_mutex_lock(&outlet->lock);
    bool is_change = state != outlet->state;
    if (is_change)
        outlet->since_ns = clock_now_ns();
    int64_t since_ns = outlet->since_ns;
    outlet->state = state;
    outlet->text.code = code;
    memcpy(outlet->text.text, text, sizeof(outlet->text.text));
    (void)pthread_mutex_unlock(&outlet->lock);
    if (is_change)
        tap_note_state(&outlet->note, state, text, since_ns);
}

void
outlet_set_state(struct outlet *outlet, enum tap_state state, const char *format, ...)
{
    char text[sizeof(outlet->text.text)] = "";
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
    }
    set_state(outlet, state, ERROR_NONE, text);
}

void
outlet_set_trouble(struct outlet *outlet, enum error_code code, const char *format, ...)
{
    char text[sizeof(outlet->text.text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    set_state(outlet, TAP_RETRYING, code, text);
}

void
outlet_tell(struct outlet *outlet, const char *kind, const char *what)
{
    tap_note_tell(&outlet->note, kind, what, clock_now_ns());
}

void
outlet_warn(struct outlet *outlet, const char *format, ...)
{
    char text[sizeof(outlet->text.text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    (void)pthread_mutex_lock(&outlet->lock);
    memcpy(outlet->text.text, text, sizeof(text));
    (void)pthread_mutex_unlock(&outlet->lock);
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

void
outlet_tick(struct outlet *outlet)
{
    if (outlet->batch == NULL) {
        if (outlet->has_loss)
            begin_batch(outlet);
        return;
    }

    int64_t now = clock_monotonic_ns();
    uint64_t events = counted(&outlet->events);
    if (events != outlet->seen_events) {
        outlet->seen_events = events;
        outlet->last_ns = now;
    }
    if (now - outlet->first_ns < AGE_NS && now - outlet->last_ns < IDLE_NS)
        return;
    if (outlet->options.can_wait)
        (void)hand_over_patiently(outlet);
    else
        (void)hand_over(outlet, 0);
}

int
outlet_wait_ms(const struct outlet *outlet)
{
    return outlet->batch == NULL ? QUIET_MS : IDLE_MS;
}

bool
outlet_is_done(const struct outlet *outlet)
{
    return outlet->options.budget != NULL &&
           atomic_load_explicit(outlet->options.budget, memory_order_relaxed) == 0;
}

bool
outlet_finish(struct outlet *outlet, int timeout_ms)
{
    if (outlet->batch == NULL && outlet->has_loss)
        begin_batch(outlet);
    if (hand_over(outlet, timeout_ms)) {
        if (!outlet->has_loss)
            return true;
        begin_batch(outlet);
        if (hand_over(outlet, timeout_ms))
            return true;
    }
    if (!outlet->options.can_wait)
        count(&outlet->dropped, batch_event_count(outlet->batch));
    batch_release(outlet->batch);
    outlet->batch = NULL;
    return false;
}

void
outlet_count_wire(struct outlet *outlet, uint64_t bytes)
{
    count(&outlet->wire, bytes);
    atomic_store(&outlet->tells_wire, true);
}

void
outlet_count_retry(struct outlet *outlet)
{
    count(&outlet->retries, 1);
}

void
outlet_stop(struct outlet *outlet)
{
    atomic_store(&outlet->is_stopping, true);
    uint64_t one = 1;
    ssize_t written = write(outlet->stop_fd, &one, sizeof(one));
    (void)written; /* it can only be readable already */
}

enum tap_state
outlet_state(struct outlet *outlet, struct error *why)
{
    (void)pthread_mutex_lock(&outlet->lock);
    enum tap_state state = outlet->state;
    *why = outlet->text;
    (void)pthread_mutex_unlock(&outlet->lock);
    return state;
}

bool
outlet_has_answer(const struct outlet *outlet)
{
    return atomic_load_explicit(&outlet->has_answer, memory_order_relaxed);
}

/* Copy as much of a text as fits, never half a character of UTF-8. */
static void
copy_text(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
            length--;
    }
    memset(to, 0, size);
    for (size_t i = 0; i < length; i++)
        to[i] = from[i];
}

void
outlet_describe(struct outlet *outlet, struct live_tap *tap)
{
    copy_text(tap->name, sizeof(tap->name), outlet->options.tap);
    copy_text(tap->url, sizeof(tap->url), outlet->options.url);
    tap->events = counted(&outlet->events);
    tap->bytes = counted(&outlet->bytes);
    tap->dropped = counted(&outlet->dropped);
    tap->retries = counted(&outlet->retries);
    tap->max_bytes_per_second = outlet->options.max_bytes_per_second;
    bool tells_wire = atomic_load(&outlet->tells_wire);
    uint64_t wire = counted(&outlet->wire);
    tap->wire_bytes = tells_wire ? (int64_t)wire : -1;

    struct error why;
    (void)pthread_mutex_lock(&outlet->lock);
    tap->state = outlet->state;
    tap->since_ns = outlet->since_ns;
    why = outlet->text;
    uint64_t rate = byte_rate_look(&outlet->wire_rate, wire, clock_monotonic_ns());
    tap->wire_bytes_per_second = tells_wire ? (int64_t)rate : -1;
    (void)pthread_mutex_unlock(&outlet->lock);
    copy_text(tap->error, sizeof(tap->error), why.text);
}

uint64_t
outlet_refused(const struct outlet *outlet)
{
    return counted(&outlet->refused);
}
