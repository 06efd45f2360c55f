/* payment.c - the payment service: for each order that was placed it authorises a payment, and
 * captures it a moment later. Reads orders, writes payments. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "demo/client.h"
#include "demo/random.h"
#include "demo/shop_state.h"

/* What the bank takes; every capture waits as long, so they fall due in the order they came. */
#define CAPTURE_NS (150 * NS_PER_MS)

/* Captures that wait at once: at the highest rate about a tenth of this. Beyond it the oldest is
 * made early. */
#define CAPTURES_MAX 4096

struct capture {
    int64_t due_ns;
    char cause[32]; /* id of the authorisation */
    struct delivery order;
};

struct payments {
    struct shop_state *state;
    struct producer *producer;
    struct member *member;
    uint64_t event_count;
    struct capture waiting[CAPTURES_MAX]; /* a ring: first, first + 1 .. first + count - 1 */
    size_t first;
    size_t count;
};

/* Publish one step of the payment of `order`; its id is written to `id`. */
static void
publish_step(struct payments *payments, const struct delivery *order, const char *step,
    const char *cause, char id[32])
{
    char type[48];
    char payload[320];
    char traceparent[TRACEPARENT_MAX];
    snprintf(id, 32, "pay-%09" PRIu64, ++payments->event_count);
    snprintf(type, sizeof(type), "shop.payment.%s", step);
    struct random random = {random_seed_of(payments->state->seed, id)};
    uint64_t bank_reference = random_next(&random);
    traceparent_make(traceparent, order->traceparent, 0, 0, random_next(&random));
    int length = snprintf(payload, sizeof(payload),
        "{\"order\":\"%s\",\"payment\":\"%s\",\"amount\":%.2f,\"currency\":\"EUR\","
        "\"method\":\"%s\",\"bank_reference\":\"%016" PRIx64 "\"}",
        order->key, step, order->amount, bank_reference % 3 == 0 ? "transfer" : "card",
        bank_reference);
    producer_publish(payments->producer,
        &(struct publication){.stream = SHOP_PAYMENTS,
            .partition = producer_partition(payments->producer, SHOP_PAYMENTS, order->key),
            .key = order->key,
            .id = id,
            .type = type,
            .traceparent = traceparent,
            .correlation = order->correlation,
            .causation = cause,
            .payload = payload,
            .payload_length = (size_t)length});
}

static void
capture_oldest(struct payments *payments)
{
    struct capture *oldest = &payments->waiting[payments->first];
    char id[32];
    publish_step(payments, &oldest->order, "captured", oldest->cause, id);
    payments->first = (payments->first + 1) % CAPTURES_MAX;
    payments->count--;
}

/* One order in thirty is declined, and always the same ones. */
static void
handle(struct payments *payments, const struct delivery *order)
{
    if (!order->is_readable || strcmp(order->type, "shop.order.placed") != 0)
        return;
    char id[32];
    bool is_declined = random_seed_of(payments->state->seed, order->key) % 30 == 0;
    publish_step(payments, order, is_declined ? "declined" : "authorised", order->id, id);
    if (is_declined)
        return;

    if (payments->count == CAPTURES_MAX)
        capture_oldest(payments);
    size_t last = (payments->first + payments->count++) % CAPTURES_MAX;
    struct capture *capture = &payments->waiting[last];
    *capture = (struct capture){.due_ns = clock_monotonic_ns() + CAPTURE_NS, .order = *order};
    snprintf(capture->cause, sizeof(capture->cause), "%s", id);
}

static void
serve(struct payments *payments)
{
    while (!state_is_closed(payments->state)) {
        struct delivery order;
        if (member_take(payments->member, 20, &order))
            handle(payments, &order);
        int64_t now_ns = clock_monotonic_ns();
        while (payments->count > 0 && payments->waiting[payments->first].due_ns <= now_ns)
            capture_oldest(payments);
        producer_poll(payments->producer);
    }
    producer_finish(payments->producer);
}

void *
payment_thread(void *self)
{
    struct shop_state *state = self;
    struct error err;
    struct payments *payments = alloc_zeroed(sizeof(*payments));
    payments->state = state;
    payments->producer = producer_open(state, "payment-service", &err);
    if (payments->producer != NULL)
        payments->member = member_open(state, "payment-service", SHOP_ORDERS, &err);
    state_ready(state, payments->member != NULL, &err);
    if (payments->member != NULL)
        serve(payments);
    state_rest(state);
    member_close(payments->member);
    producer_close(payments->producer);
    free(payments);
    return NULL;
}
