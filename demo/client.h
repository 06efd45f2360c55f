/* client.h - the Kafka clients of the shop's services: a producer, and a member of a group.
 *
 * Threads: each belongs to the service that made it; librdkafka's callbacks run inside
 * producer_poll() and member_take().
 */
#ifndef DEMO_CLIENT_H
#define DEMO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demo/shop.h"

struct error;
struct producer;
struct member;
struct shop_state;

/* An event on its way out: CloudEvents and W3C trace headers around a payload. */
struct publication {
    enum shop_stream stream;
    int32_t partition; /* see producer_partition() */
    const char *key;
    const char *id;
    const char *type;
    const char *traceparent;
    const char *correlation;
    const char *causation; /* the id of the event that led to this one; NULL: none */
    const void *payload;
    size_t payload_length;
};

struct producer *producer_open(struct shop_state *state, const char *service, struct error *err);

/* Where every well-behaved writer puts `key`. */
int32_t producer_partition(struct producer *producer, enum shop_stream stream, const char *key);

/* Hand one event to the client; it is counted in the state when it is acknowledged, or as
 * undelivered. */
void producer_publish(struct producer *producer, const struct publication *publication);

/* Serve what came back; does not wait. True while something is under way. */
bool producer_poll(struct producer *producer);

/* Deliver what is under way, for at most a second. */
void producer_finish(struct producer *producer);

/* Drop what is still under way and free. NULL is allowed. */
void producer_close(struct producer *producer);

/* What a service reads of an event; texts are cut to fit. */
struct delivery {
    char key[32];
    char id[64];
    char type[48];
    char traceparent[64];
    char correlation[64];
    bool is_readable; /* the payload is a JSON object */
    double amount;    /* its "total" or "amount"; 0 when there is none */
};

/* Join `group` on the stream, from the earliest event on. */
struct member *member_open(
    struct shop_state *state, const char *group, enum shop_stream stream, struct error *err);

/* The next event, waiting up to timeout_ms; false when there is none. What was taken before is
 * committed a few times a second. */
bool member_take(struct member *member, int timeout_ms, struct delivery *delivery);

/* How long ago the first commit was acknowledged; -1: none was yet. */
int64_t member_committing_for_ns(const struct member *member);

/* Commit, leave the group, for at most a second, and free. NULL is allowed. */
void member_close(struct member *member);

/* "00-TRACE-SPAN-01": a new span in the trace of `parent`, or of a new trace when that is NULL. */
#define TRACEPARENT_MAX 64
void traceparent_make(char text[TRACEPARENT_MAX], const char *parent, uint64_t random_a,
    uint64_t random_b, uint64_t span);

#endif
