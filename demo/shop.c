#include "demo/shop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "demo/broker.h"
#include "demo/shop_state.h"

/* What a record, its frame and its place in the index take on a tape besides the event's bytes. */
#define RECORD_OVERHEAD 64

#define STEP_NS (20 * NS_PER_MS)

static const struct {
    const char *name;
    int partitions;
} streams[SHOP_STREAM_COUNT] = {
    [SHOP_ORDERS] = {"orders", 6},
    [SHOP_PAYMENTS] = {"payments", 6},
    [SHOP_SHIPMENTS] = {"shipments", 3},
    [SHOP_PRICES] = {"prices", 1},
};

const struct shop_group shop_groups[SHOP_GROUP_COUNT] = {
    {"payment-service", SHOP_ORDERS},
    {"shipping", SHOP_PAYMENTS},
    {"ledger", SHOP_PAYMENTS},
};

static void *(*const services[])(void *) = {
    prices_thread, web_thread, payment_thread, shipping_thread, ledger_thread};
#define SERVICE_COUNT (sizeof(services) / sizeof(services[0]))

struct shop {
    struct shop_state state;
    struct broker *broker;
    pthread_t threads[SERVICE_COUNT];
    size_t thread_count;
};

const char *
shop_stream_name(enum shop_stream stream)
{
    return streams[stream].name;
}

int
shop_stream_partitions(enum shop_stream stream)
{
    return streams[stream].partitions;
}

void
state_count_bytes(struct shop_state *state, size_t bytes)
{
    atomic_fetch_add(&state->bytes, bytes + RECORD_OVERHEAD);
}

bool
state_is_closed(struct shop_state *state)
{
    return atomic_load(&state->doors_closed) || atomic_load(&state->stopping);
}

bool
state_is_full(struct shop_state *state)
{
    return state->budget_bytes != 0 && atomic_load(&state->bytes) >= state->budget_bytes;
}

int64_t
state_open_for_ns(const struct shop_state *state)
{
    return clock_monotonic_ns() - state->opened_ns;
}

void
state_sleep_until(struct shop_state *state, int64_t until_ns)
{
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        if (now_ns >= until_ns || state_is_closed(state))
            return;
        clock_sleep_until_ns(until_ns - now_ns > STEP_NS ? now_ns + STEP_NS : until_ns);
    }
}

void
state_ready(struct shop_state *state, bool is_up, const struct error *err)
{
    pthread_mutex_lock(&state->error_lock);
    if (!is_up && state->error.code == ERROR_NONE)
        state->error = *err;
    pthread_mutex_unlock(&state->error_lock);
    sem_post(&state->ready);
}

void
state_rest(struct shop_state *state)
{
    atomic_fetch_sub(&state->busy, 1);
    while (!atomic_load(&state->stopping))
        clock_sleep_until_ns(clock_monotonic_ns() + STEP_NS);
}

static bool
open_broker(struct shop *shop, struct error *err)
{
    shop->broker = broker_open(err);
    if (shop->broker == NULL)
        return false;
    shop->state.bootstrap = broker_bootstrap(shop->broker);
    for (enum shop_stream stream = SHOP_ORDERS; stream < SHOP_PRICES; stream++)
        if (!broker_add_topic(shop->broker, streams[stream].name, streams[stream].partitions, err))
            return false;
    return true;
}

/* Start a service; the caller has blocked all signals, which threads inherit. */
static bool
start_service(struct shop *shop, void *(*service)(void *), struct error *err)
{
    atomic_fetch_add(&shop->state.busy, 1);
    if (pthread_create(&shop->threads[shop->thread_count], NULL, service, &shop->state) != 0)
        return error_set(err, ERROR_SYSTEM, "cannot start a thread for the demo's shop");
    shop->thread_count++;
    return true;
}

/* Start all services and wait until each has said that it is up. */
static bool
start_services(struct shop *shop, struct error *err)
{
    if (!open_broker(shop, err))
        return false;
    shop->state.opened_ns = clock_monotonic_ns();
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        if (!start_service(shop, services[i], err))
            return false;
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        while (sem_wait(&shop->state.ready) != 0 && errno == EINTR)
            continue;

    pthread_mutex_lock(&shop->state.error_lock);
    bool is_up = shop->state.error.code == ERROR_NONE;
    if (!is_up)
        *err = shop->state.error;
    pthread_mutex_unlock(&shop->state.error_lock);
    return is_up;
}

/* Of four events that a new order leads to, see web.c and payment.c, this share are orders. */
static void
set_rates(struct shop_state *state, uint32_t rate)
{
    state->prices_per_s = rate * 0.1;
    state->orders_per_s = rate * 0.9 / 3.2;
}

struct shop *
shop_start(const struct shop_options *options, struct error *err)
{
    if (options->rate < SHOP_RATE_MIN || options->rate > SHOP_RATE_MAX) {
        error_set(err, ERROR_ARGUMENT, "the shop makes %d to %d events per second, not %u",
            SHOP_RATE_MIN, SHOP_RATE_MAX, options->rate);
        return NULL;
    }
    struct shop *shop = alloc_zeroed(sizeof(*shop));
    struct shop_state *state = &shop->state;
    state->seed = options->seed;
    state->budget_bytes = options->budget_bytes;
    state->faults = options->faults;
    set_rates(state, options->rate);
    sem_init(&state->ready, 0, 0);
    pthread_mutex_init(&state->error_lock, NULL);

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_open = start_services(shop, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!is_open) {
        shop_stop(shop);
        return NULL;
    }
    return shop;
}

const char *
shop_bootstrap(const struct shop *shop)
{
    return shop->state.bootstrap;
}

const char *
shop_prices_endpoint(const struct shop *shop)
{
    return shop->state.prices_endpoint;
}

void
shop_close_doors(struct shop *shop)
{
    atomic_store(&shop->state.doors_closed, true);
}

uint64_t
shop_produced(struct shop *shop, enum shop_stream stream)
{
    return atomic_load(&shop->state.produced[stream]);
}

bool
shop_is_quiet(struct shop *shop)
{
    return state_is_closed(&shop->state) && atomic_load(&shop->state.busy) == 0;
}

uint64_t
shop_undelivered(struct shop *shop)
{
    return atomic_load(&shop->state.undelivered);
}

bool
shop_is_full(struct shop *shop)
{
    return state_is_full(&shop->state);
}

uint64_t
shop_fault_count(struct shop *shop, enum fault fault)
{
    return atomic_load(&shop->state.faults_done[fault]);
}

void
shop_stop(struct shop *shop)
{
    if (shop == NULL)
        return;
    atomic_store(&shop->state.stopping, true);
    for (size_t i = 0; i < shop->thread_count; i++)
        pthread_join(shop->threads[i], NULL);
    broker_close(shop->broker);
    sem_destroy(&shop->state.ready);
    pthread_mutex_destroy(&shop->state.error_lock);
    free(shop);
}
