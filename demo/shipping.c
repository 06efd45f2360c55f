/* shipping.c - the shipping service: ships what was paid. Reads payments, writes shipments.
 *
 * The stall happens here: the service stops reading while its client goes on with the heartbeats, so
 * that its group looks healthy and the lag grows. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "demo/client.h"
#include "demo/random.h"
#include "demo/shop_state.h"

/* A group that has not committed for a while cannot be seen to stop. */
#define COMMITTING_NS NS_PER_S

struct shipping {
    struct shop_state *state;
    struct producer *producer;
    struct member *member;
    uint64_t event_count;
    struct fault_clock stall;
};

static void
handle(struct shipping *shipping, const struct delivery *payment)
{
    if (!payment->is_readable || strcmp(payment->type, "shop.payment.captured") != 0)
        return;
    static const char *const carriers[] = {"north", "express", "bike"};
    char id[32];
    char payload[256];
    char traceparent[TRACEPARENT_MAX];
    snprintf(id, sizeof(id), "ship-%09" PRIu64, ++shipping->event_count);
    struct random random = {random_seed_of(shipping->state->seed, id)};
    uint64_t parcel = random_next(&random);
    traceparent_make(traceparent, payment->traceparent, 0, 0, random_next(&random));
    int length = snprintf(payload, sizeof(payload),
        "{\"order\":\"%s\",\"shipment\":\"created\",\"carrier\":\"%s\",\"parcel\":\"%012" PRIx64
        "\",\"weight_g\":%" PRIu32 "}",
        payment->key, carriers[parcel % 3], parcel >> 16, 200 + random_below(&random, 8000));
    producer_publish(shipping->producer,
        &(struct publication){.stream = SHOP_SHIPMENTS,
            .partition = producer_partition(shipping->producer, SHOP_SHIPMENTS, payment->key),
            .key = payment->key,
            .id = id,
            .type = "shop.shipment.created",
            .traceparent = traceparent,
            .correlation = payment->correlation,
            .causation = payment->id,
            .payload = payload,
            .payload_length = (size_t)length});
}

/* Do nothing until the stall is over. It is counted once it has lasted long enough to be one. */
static void
stall(struct shipping *shipping)
{
    struct shop_state *state = shipping->state;
    int64_t begin_ns = clock_monotonic_ns();
    int64_t counts_ns =
        state->faults.stall_ns < FAULT_STALL_MIN_NS ? state->faults.stall_ns : FAULT_STALL_MIN_NS;
    state_sleep_until(state, begin_ns + counts_ns);
    if (!state_is_closed(state) && !state_is_full(state) &&
        state->faults.stall_ns >= FAULT_STALL_MIN_NS)
        atomic_fetch_add(&state->faults_done[FAULT_STALL], 1);
    state_sleep_until(state, begin_ns + state->faults.stall_ns);
}

static void
serve(struct shipping *shipping)
{
    struct shop_state *state = shipping->state;
    while (!state_is_closed(state)) {
        struct delivery payment;
        if (member_take(shipping->member, 20, &payment))
            handle(shipping, &payment);
        producer_poll(shipping->producer);
        /* A shop that is full has no events that could wait. */
        if (member_committing_for_ns(shipping->member) >= COMMITTING_NS && !state_is_full(state) &&
            fault_is_due(&shipping->stall, state_open_for_ns(state)))
            stall(shipping);
    }
    producer_finish(shipping->producer);
}

void *
shipping_thread(void *self)
{
    struct shop_state *state = self;
    struct shipping shipping = {.state = state, .stall = {&state->faults, FAULT_STALL, 0}};
    struct error err;
    shipping.producer = producer_open(state, "shipping", &err);
    if (shipping.producer != NULL)
        shipping.member = member_open(state, "shipping", SHOP_PAYMENTS, &err);
    state_ready(state, shipping.member != NULL, &err);
    if (shipping.member != NULL)
        serve(&shipping);
    state_rest(state);
    member_close(shipping.member);
    producer_close(shipping.producer);
    return NULL;
}
