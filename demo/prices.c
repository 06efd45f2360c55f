/* prices.c - the price publisher: a ZeroMQ PUB socket that counts its messages in their `seq`, as
 * publishers do whose readers want to notice what they missed.
 *
 * A PUB socket drops messages for a peer whose queue is full, without a word to either side. The gap
 * fault leaves out the messages that such a drop would take. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

#include "base/clock.h"
#include "demo/random.h"
#include "demo/shop_state.h"

#define TICK_NS   (20 * NS_PER_MS)
#define BURST_MAX 200

struct prices {
    struct shop_state *state;
    void *context;
    void *socket;
    struct random random;
    uint64_t seq;
    uint32_t cents[200]; /* per SKU */
    struct fault_clock gap;
};

static bool
open_socket(struct prices *prices, struct error *err)
{
    struct shop_state *state = prices->state;
    int linger_ms = 0;
    size_t size = sizeof(state->prices_endpoint);
    prices->context = zmq_ctx_new();
    prices->socket = prices->context == NULL ? NULL : zmq_socket(prices->context, ZMQ_PUB);
    if (prices->socket == NULL ||
        zmq_setsockopt(prices->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms)) != 0 ||
        zmq_bind(prices->socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(prices->socket, ZMQ_LAST_ENDPOINT, state->prices_endpoint, &size) != 0)
        return error_set(err, ERROR_SYSTEM, "cannot publish the demo's prices on 127.0.0.1: %s",
            zmq_strerror(zmq_errno()));
    return true;
}

static void
close_socket(struct prices *prices)
{
    if (prices->socket != NULL)
        zmq_close(prices->socket);
    if (prices->context != NULL)
        zmq_ctx_term(prices->context);
}

static void
publish_price(struct prices *prices)
{
    uint32_t sku = random_below(&prices->random, 200);
    uint32_t *cents = &prices->cents[sku];
    *cents = *cents == 0 ? 499 + random_below(&prices->random, 15000)
                         : *cents - *cents / 50 + random_below(&prices->random, *cents / 25 + 1);
    char payload[160];
    int length = snprintf(payload, sizeof(payload),
        "{\"seq\":%" PRIu64 ",\"sku\":\"sku-%" PRIu32 "\",\"price\":%" PRIu32 ".%02" PRIu32
        ",\"currency\":\"EUR\"}",
        prices->seq++, 1000 + sku, *cents / 100, *cents % 100);
    if (zmq_send(prices->socket, "prices", 6, ZMQ_SNDMORE) < 0 ||
        zmq_send(prices->socket, payload, (size_t)length, 0) < 0) {
        atomic_fetch_add(&prices->state->undelivered, 1);
        return;
    }
    atomic_fetch_add(&prices->state->produced[SHOP_PRICES], 1);
    state_count_bytes(prices->state, (size_t)length + 6);
}

static void
drop_some(struct prices *prices)
{
    prices->seq += 3 + random_below(&prices->random, 5);
    atomic_fetch_add(&prices->state->faults_done[FAULT_GAP], 1);
}

static void
publish_prices(struct prices *prices)
{
    struct shop_state *state = prices->state;
    double owed = 0;
    int64_t last_ns = clock_monotonic_ns();
    while (!state_is_closed(state)) {
        state_sleep_until(state, last_ns + TICK_NS);
        int64_t now_ns = clock_monotonic_ns();
        owed += (double)(now_ns - last_ns) / (double)NS_PER_S * state->prices_per_s;
        last_ns = now_ns;
        if (owed > BURST_MAX)
            owed = BURST_MAX;
        /* A gap has to lie between two messages of one reader: the drop happens just before a
         * message that is sent. */
        while (owed >= 1.0 && !state_is_closed(state) && !state_is_full(state)) {
            owed -= 1.0;
            if (fault_is_due(&prices->gap, state_open_for_ns(state)))
                drop_some(prices);
            publish_price(prices);
        }
    }
}

void *
prices_thread(void *self)
{
    struct shop_state *state = self;
    struct prices prices = {.state = state,
        .random = {random_seed_of(state->seed, "prices")},
        .gap = {&state->faults, FAULT_GAP, 0}};
    struct error err;
    bool is_up = open_socket(&prices, &err);
    state_ready(state, is_up, &err);
    if (is_up)
        publish_prices(&prices);
    state_rest(state);
    close_socket(&prices);
    return NULL;
}
