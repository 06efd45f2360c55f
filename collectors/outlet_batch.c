#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "collectors/outlet.h"
#include "collectors/outlet_internal.h"
#include "index/batch.h"

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

/* An event larger than this is copied only when those before it are on the tape, by an outlet that can wait: else
 * three of them are in memory, one being filled, one in the queue and one being written. */
#define LARGE_BYTES ((size_t)4 * 1024 * 1024)

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

/* Take a step for an outlet that can wait: for as long as it takes, but when the recorder stops only
 * so long as the queue of a disk that takes anything needs. */
static bool
wait_patiently(struct outlet *outlet, bool (*step)(struct outlet *outlet, int timeout_ms))
{
    int64_t stop_ns = CLOCK_NONE;
    while (!step(outlet, WAIT_SLICE_MS)) {
        if (!outlet_is_stopping(outlet))
            continue;
        int64_t now = clock_monotonic_ns();
        if (outlet->options.is_over != NULL && outlet->options.is_over(outlet->options.push_self))
            return false;
        if (stop_ns == CLOCK_NONE)
            stop_ns = now + STOP_WAIT_MS * NS_PER_MS;
        else if (now > stop_ns)
            return false;
    }
    return true;
}

static bool
hand_over_patiently(struct outlet *outlet)
{
    return wait_patiently(outlet, hand_over);
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

void
outlet_begin_batch(struct outlet *outlet)
{
    outlet->batch = batch_new();
    batch_set_receipt(outlet->batch, &outlet->acknowledged, outlet->handed + 1);
    outlet->seen_events = counter_value(&outlet->events);
    outlet->first_ns = clock_monotonic_ns();
    outlet->last_ns = outlet->first_ns;
    outlet_tell_losses(outlet);
}

bool
outlet_make_room(struct outlet *outlet, size_t more)
{
    const uint32_t target = BATCH_TARGET_BYTES;
    if (more > LARGE_BYTES && outlet->options.can_wait && !wait_patiently(outlet, outlet_flush))
        return false;
    if (outlet->batch != NULL &&
        (batch_is_full(outlet->batch) || (more > target && batch_event_count(outlet->batch) > 0))) {
        bool done = outlet->options.can_wait ? hand_over_patiently(outlet) : hand_over_soon(outlet);
        if (!done)
            return false;
    }
    if (outlet->batch == NULL)
        outlet_begin_batch(outlet);
    return true;
}

void
outlet_allow_wait(struct outlet *outlet, int64_t budget_ns)
{
    outlet->wait_ns = budget_ns;
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

void
outlet_tick(struct outlet *outlet)
{
    if (outlet->batch == NULL) {
        if (outlet->has_loss)
            outlet_begin_batch(outlet);
        return;
    }

    int64_t now = clock_monotonic_ns();
    uint64_t events = counter_value(&outlet->events);
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
outlet_finish(struct outlet *outlet, int timeout_ms)
{
    if (outlet->batch == NULL && outlet->has_loss)
        outlet_begin_batch(outlet);
    if (hand_over(outlet, timeout_ms)) {
        if (!outlet->has_loss)
            return true;
        outlet_begin_batch(outlet);
        if (hand_over(outlet, timeout_ms))
            return true;
    }
    if (!outlet->options.can_wait)
        counter_add(&outlet->dropped, batch_event_count(outlet->batch));
    batch_release(outlet->batch);
    outlet->batch = NULL;
    return false;
}
