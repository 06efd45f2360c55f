/* shop.h - a small shop that produces and consumes, all inside this process.
 *
 * Services are threads with their own Kafka clients and real consumer groups, on librdkafka's mock
 * cluster; a ZeroMQ publisher sends prices. Everything listens on loopback at ports that the system
 * chooses.
 *
 *     web ──► orders ──► payment-service ──► payments ──► shipping ──► shipments
 *                                               └───────► ledger           prices (ZeroMQ)
 *
 * What the services decide comes from a seed; only the timing differs between runs.
 *
 * Threads: one thread starts, asks and stops; the services have their own.
 */
#ifndef DEMO_SHOP_H
#define DEMO_SHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demo/faults.h"

struct error;
struct shop;

enum shop_stream { SHOP_ORDERS, SHOP_PAYMENTS, SHOP_SHIPMENTS, SHOP_PRICES };
#define SHOP_STREAM_COUNT 4

const char *shop_stream_name(enum shop_stream stream);
int shop_stream_partitions(enum shop_stream stream);

/* The consumer groups, each with the one stream it reads. */
struct shop_group {
    const char *name;
    enum shop_stream stream;
};
#define SHOP_GROUP_COUNT 3
extern const struct shop_group shop_groups[SHOP_GROUP_COUNT];

/* With fewer, a stall could pass without an event that waits for its end. */
#define SHOP_RATE_MIN 20
#define SHOP_RATE_MAX 5000

struct shop_options {
    uint64_t seed;
    uint32_t rate; /* events per second over all streams, about; SHOP_RATE_MIN..SHOP_RATE_MAX */
    uint64_t
        budget_bytes; /* after about this much on a tape the shop produces no more; 0: no limit */
    struct fault_plan faults;
};

/* Open the shop. Returns when its broker and its publisher listen.
 *
 * NULL with ERROR_ARGUMENT for a rate that is out of range, ERROR_SYSTEM or ERROR_REMOTE when a part
 * of it cannot start. */
struct shop *shop_start(const struct shop_options *options, struct error *err);

/* "127.0.0.1:40123", and "tcp://127.0.0.1:40124"; live as long as the shop. */
const char *shop_bootstrap(const struct shop *shop);
const char *shop_prices_endpoint(const struct shop *shop);

/* Produce no more; what is under way is still delivered. Returns at once. */
void shop_close_doors(struct shop *shop);

/* Events that the broker acknowledged so far; for prices: that were published. Doors closed and
 * shop_is_quiet(): they will not grow any more. */
uint64_t shop_produced(struct shop *shop, enum shop_stream stream);

/* True when the doors are closed and the producers have nothing under way. */
bool shop_is_quiet(struct shop *shop);

/* For tests: events that could not be delivered. */
uint64_t shop_undelivered(struct shop *shop);

/* For tests: true when the budget is used up. */
bool shop_is_full(struct shop *shop);

/* How often a fault has happened so far; a stall counts when it lasted FAULT_STALL_MIN_NS. */
uint64_t shop_fault_count(struct shop *shop, enum fault fault);

/* Stop the services and the broker, free. Takes about a second; a client that does not close in
 * time is torn down. NULL is allowed. */
void shop_stop(struct shop *shop);

#endif
