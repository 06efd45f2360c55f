/* outlet_internal.h - what the three files of an outlet share.
 *
 * outlet.c knows the lanes: what is taken, what is lost, which offsets become a hole. outlet_batch.c has the
 * batch that is being filled, and hands it over. outlet_state.c has what is told of the tap: its state, a text
 * and the counters. Each field of struct outlet is changed by the file that it stands under.
 *
 * Threads: the collector's. What outlet.h lets others call reads atomics, or takes `lock`.
 */
#ifndef COLLECTORS_OUTLET_INTERNAL_H
#define COLLECTORS_OUTLET_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "collectors/byte_rate.h"
#include "collectors/lane_table.h"
#include "collectors/outlet.h"
#include "collectors/tap_note.h"

/* Counters have one writer, the collector's thread: a load and a store, no locked instruction. */
struct counter {
    atomic_uint_fast64_t value;
};

struct outlet {
    struct outlet_options options;
    struct tap_note note;
    atomic_bool is_stopping;
    int stop_fd;

    /* outlet.c */
    struct lane_table lanes;
    bool has_loss; /* a lane has lost_from */
    int64_t received_ns;

    /* outlet_batch.c: `batch` is what is being filled, or NULL; first_ns and last_ns say when it got its
     * first event and when it was last seen to grow. */
    struct batch *batch;
    uint64_t handed;                   /* batches that the queue took */
    atomic_uint_fast64_t acknowledged; /* the last of them that is on the tape */
    uint64_t seen_events;
    int64_t first_ns;
    int64_t last_ns;
    int64_t wait_ns; /* what outlet_allow_wait() left */

    /* outlet_state.c, but that each file counts what it does. `lock` guards what stands behind it. */
    struct counter events;
    struct counter bytes;
    struct counter dropped;
    struct counter refused;
    struct counter retries;
    struct counter wire;
    atomic_bool tells_wire;
    atomic_bool has_answer;
    pthread_mutex_t lock;
    enum tap_state state;
    int64_t since_ns;
    struct error text;
    struct byte_rate wire_rate;
};

static inline void
counter_add(struct counter *counter, uint64_t more)
{
    uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, value + more, memory_order_relaxed);
}

static inline uint64_t
counter_value(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

/* A new batch; its first content is what was lost while there was none. */
void outlet_begin_batch(struct outlet *outlet);

/* Have a batch with room for `more` bytes. False: the queue is full and stays so for longer than we wait. */
bool outlet_make_room(struct outlet *outlet, size_t more);

/* Put a hole into the batch for each loss that no hole tells of yet. */
void outlet_tell_losses(struct outlet *outlet);

#endif
