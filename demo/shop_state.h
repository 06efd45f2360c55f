/* shop_state.h - what the shop's services share: the plan, which never changes while they run, and
 * counters.  Only files of this folder include it. */
#ifndef DEMO_SHOP_STATE_H
#define DEMO_SHOP_STATE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "demo/faults.h"
#include "demo/shop.h"

struct shop_state {
    uint64_t seed;
    uint64_t budget_bytes;
    double orders_per_s;
    double prices_per_s;
    struct fault_plan faults;
    int64_t opened_ns; /* monotonic */
    const char *bootstrap;

    atomic_bool doors_closed; /* nothing new */
    atomic_bool stopping;     /* end every service */
    atomic_uint busy;         /* services that may still produce */
    atomic_uint_fast64_t bytes;
    atomic_uint_fast64_t produced[SHOP_STREAM_COUNT];
    atomic_uint_fast64_t undelivered;
    atomic_uint_fast64_t faults_done[FAULT_COUNT];

    /* Every service posts `ready` once, when it is up or has failed. */
    sem_t ready;
    char prices_endpoint[128]; /* written by the publisher before it posts */
    pthread_mutex_t error_lock;
    struct error error; /* the first reason why a service did not start; ERROR_NONE: none */
};

/* Add to what the events so far take on a tape, with a record's own bytes. */
void state_count_bytes(struct shop_state *state, size_t bytes);

/* True when the doors are closed or the shop ends: take and produce nothing more. */
bool state_is_closed(struct shop_state *state);

/* True when the budget is used up: start nothing new, but finish what was started. */
bool state_is_full(struct shop_state *state);

/* A service is up, or cannot start (is_up false, for the reason in *err). Each service says so once. */
void state_ready(struct shop_state *state, bool is_up, const struct error *err);

/* This service will produce no more; then wait for the end. */
void state_rest(struct shop_state *state);

/* Sleep until the monotonic moment, in steps short enough to notice the end. */
void state_sleep_until(struct shop_state *state, int64_t until_ns);

/* How long the shop is open, for the fault plan. */
int64_t state_open_for_ns(const struct shop_state *state);

/* One service after another: each is a thread's main function; `self` is the shop_state. */
void *web_thread(void *self);
void *payment_thread(void *self);
void *shipping_thread(void *self);
void *ledger_thread(void *self);
void *prices_thread(void *self);

#endif
