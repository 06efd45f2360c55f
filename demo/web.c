/* web.c - the web shop: customers place orders and change them; three of the faults happen here. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "demo/client.h"
#include "demo/random.h"
#include "demo/shop_state.h"

/* One event in four changes one of this many recent orders. */
#define RECENT_ORDERS 256

#define CHANGES_MAX 4

#define BURST_MAX 200
#define TICK_NS   (10 * NS_PER_MS)

struct order {
    uint32_t number;
    uint32_t changes;
    char traceparent[TRACEPARENT_MAX];
};

struct web {
    struct shop_state *state;
    struct producer *producer;
    struct random random;
    uint32_t order_count;
    uint64_t event_count;
    struct order recent[RECENT_ORDERS]; /* order N is at N % RECENT_ORDERS; the first is order 1 */
    struct fault_clock duplicate;
    struct fault_clock key_move;
    struct fault_clock poison;
};

/* The texts that go around one event of an order. */
struct envelope {
    char key[24];
    char id[32];
    char traceparent[TRACEPARENT_MAX];
    char correlation[32];
    char payload[768];
};

static void
address(struct web *web, const struct order *order, struct envelope *envelope)
{
    snprintf(envelope->key, sizeof(envelope->key), "o-%05" PRIu32, order->number);
    snprintf(envelope->id, sizeof(envelope->id), "web-%09" PRIu64, ++web->event_count);
    snprintf(
        envelope->correlation, sizeof(envelope->correlation), "checkout-%05" PRIu32, order->number);
    traceparent_make(envelope->traceparent, order->traceparent, 0, 0, random_next(&web->random));
}

static void
publish(struct web *web, const struct envelope *envelope, const char *type, int32_t partition,
    size_t payload_length)
{
    producer_publish(web->producer, &(struct publication){.stream = SHOP_ORDERS,
                                        .partition = partition,
                                        .key = envelope->key,
                                        .id = envelope->id,
                                        .type = type,
                                        .traceparent = envelope->traceparent,
                                        .correlation = envelope->correlation,
                                        .payload = envelope->payload,
                                        .payload_length = payload_length});
}

static int32_t
home_of(struct web *web, const struct envelope *envelope)
{
    return producer_partition(web->producer, SHOP_ORDERS, envelope->key);
}

/* Write the new order as JSON; returns the length. */
static size_t
write_order(struct web *web, struct envelope *envelope)
{
    static const char *const countries[] = {"DE", "FR", "IT", "NL", "PL", "SE", "ES", "AT"};
    struct random *random = &web->random;
    char lines[400];
    int length = 0;
    uint32_t total_cents = 0;
    uint32_t line_count = 1 + random_below(random, 3);
    for (uint32_t i = 0; i < line_count; i++) {
        uint32_t quantity = 1 + random_below(random, 3);
        uint32_t cents = 499 + random_below(random, 15000);
        total_cents += quantity * cents;
        length += snprintf(lines + length, sizeof(lines) - (size_t)length,
            "%s{\"sku\":\"sku-%" PRIu32 "\",\"quantity\":%" PRIu32 ",\"price\":%" PRIu32
            ".%02" PRIu32 "}",
            i == 0 ? "" : ",", 1000 + random_below(random, 200), quantity, cents / 100,
            cents % 100);
    }
    return (size_t)snprintf(envelope->payload, sizeof(envelope->payload),
        "{\"order\":\"%s\",\"status\":\"placed\",\"customer\":\"c-%04" PRIu32
        "\",\"country\":\"%s\",\"currency\":\"EUR\",\"total\":%" PRIu32 ".%02" PRIu32
        ",\"items\":[%s]}",
        envelope->key, random_below(random, 4000), countries[random_below(random, 8)],
        total_cents / 100, total_cents % 100, lines);
}

static struct order *
new_order(struct web *web)
{
    web->order_count++;
    struct order *order = &web->recent[web->order_count % RECENT_ORDERS];
    *order = (struct order){.number = web->order_count};
    uint64_t random_a = random_next(&web->random);
    uint64_t random_b = random_next(&web->random);
    traceparent_make(order->traceparent, NULL, random_a, random_b, random_next(&web->random));
    return order;
}

/* A customer orders. With `retry` the first try was delivered, its answer was lost, and the shop
 * sends the very same event again. */
static void
place_order(struct web *web, bool retry)
{
    struct envelope envelope;
    address(web, new_order(web), &envelope);
    size_t length = write_order(web, &envelope);
    for (int tries = retry ? 2 : 1; tries > 0; tries--)
        publish(web, &envelope, "shop.order.placed", home_of(web, &envelope), length);
    if (retry)
        atomic_fetch_add(&web->state->faults_done[FAULT_DUPLICATE], 1);
}

static struct order *
recent_order(struct web *web, uint32_t back)
{
    return &web->recent[(web->order_count - back) % RECENT_ORDERS];
}

static uint32_t
recent_count(const struct web *web)
{
    return web->order_count < RECENT_ORDERS ? web->order_count : RECENT_ORDERS;
}

static void
change_order(struct web *web, struct order *order, const char *channel, int32_t partition_step)
{
    static const char *const wishes[] = {
        "address", "gift wrapping", "delivery date", "pick-up point", "invoice name"};
    struct envelope envelope;
    address(web, order, &envelope);
    int length = snprintf(envelope.payload, sizeof(envelope.payload),
        "{\"order\":\"%s\",\"status\":\"changed\",\"change\":%" PRIu32
        ",\"field\":\"%s\",\"channel\":\"%s\"}",
        envelope.key, ++order->changes, wishes[random_below(&web->random, 5)], channel);
    int32_t partition =
        (home_of(web, &envelope) + partition_step) % shop_stream_partitions(SHOP_ORDERS);
    publish(web, &envelope, "shop.order.changed", partition, (size_t)length);
}

/* A customer changes some recent order, unless it is in the van already. */
static void
change_some_order(struct web *web)
{
    struct order *order = recent_order(web, random_below(&web->random, recent_count(web)));
    if (order->changes < CHANGES_MAX)
        change_order(web, order, "web", 0);
}

/* The app's writer has another idea of partitioning. It takes the oldest order there is, so that what
 * came before is on every tape already, and nobody touches that order again. */
static void
move_key(struct web *web)
{
    for (uint32_t back = recent_count(web); back > 0; back--) {
        struct order *order = recent_order(web, back - 1);
        if (order->changes > CHANGES_MAX)
            continue;
        change_order(web, order, "app", 1);
        order->changes = CHANGES_MAX + 1;
        atomic_fetch_add(&web->state->faults_done[FAULT_KEY_MOVE], 1);
        return;
    }
}

/* What a broken client sends: terminal escapes (a title, a cleared screen), a null byte, and bytes
 * that are no UTF-8. */
static void
place_poison(struct web *web)
{
    static const char poison[] =
        "\",\"note\":\"\x1b]0;owned\x07\x1b[2J\0\xff\xfe\xc3\x28 bell\x07\"}";
    struct envelope envelope;
    address(web, new_order(web), &envelope);
    int length =
        snprintf(envelope.payload, sizeof(envelope.payload), "{\"order\":\"%s", envelope.key);
    memcpy(envelope.payload + length, poison, sizeof(poison) - 1);
    publish(web, &envelope, "shop.order.placed", home_of(web, &envelope),
        (size_t)length + sizeof(poison) - 1);
    atomic_fetch_add(&web->state->faults_done[FAULT_POISON], 1);
}

static void
do_faults(struct web *web)
{
    if (web->order_count == 0)
        return; /* a key that moves must have been somewhere before */
    int64_t open_for_ns = state_open_for_ns(web->state);
    if (fault_is_due(&web->duplicate, open_for_ns))
        place_order(web, true);
    if (fault_is_due(&web->key_move, open_for_ns))
        move_key(web);
    if (fault_is_due(&web->poison, open_for_ns))
        place_poison(web);
}

/* Do what was due since the last tick. After a pause of the whole machine the shop goes on from now
 * instead of catching up. */
static void
tick(struct web *web, double *owed, double elapsed_s)
{
    *owed += elapsed_s * web->state->orders_per_s;
    if (*owed > BURST_MAX)
        *owed = BURST_MAX;
    while (*owed >= 1.0) {
        *owed -= 1.0;
        if (web->order_count > 0 && random_below(&web->random, 4) == 0)
            change_some_order(web);
        else
            place_order(web, false);
    }
    do_faults(web);
    producer_poll(web->producer);
}

static void
trade(struct web *web)
{
    double owed = 0;
    int64_t last_ns = clock_monotonic_ns();
    while (!state_is_closed(web->state)) {
        state_sleep_until(web->state, last_ns + TICK_NS);
        int64_t now_ns = clock_monotonic_ns();
        if (!state_is_full(web->state) && !state_is_closed(web->state))
            tick(web, &owed, (double)(now_ns - last_ns) / (double)NS_PER_S);
        last_ns = now_ns;
    }
    producer_finish(web->producer);
}

void *
web_thread(void *self)
{
    struct shop_state *state = self;
    struct web web = {.state = state,
        .random = {random_seed_of(state->seed, "web")},
        .duplicate = {&state->faults, FAULT_DUPLICATE, 0},
        .key_move = {&state->faults, FAULT_KEY_MOVE, 0},
        .poison = {&state->faults, FAULT_POISON, 0}};
    struct error err;
    web.producer = producer_open(state, "web", &err);
    state_ready(state, web.producer != NULL, &err);
    if (web.producer != NULL)
        trade(&web);
    state_rest(state);
    producer_close(web.producer);
    return NULL;
}
