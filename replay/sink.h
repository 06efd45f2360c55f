/* sink.h - where the events of a replay go, whatever the transport.
 *
 * To add one: replay/sink_NAME.c that defines `const struct sink_ops sink_NAME`, and a row in
 * replay/sinks.def. A sink keeps the order of what it is given within each partition, and says of
 * every message it took exactly once what became of it.
 *
 * Threads: one thread owns a sink; callbacks come only inside send, poll and close, on that thread.
 */
#ifndef REPLAY_SINK_H
#define REPLAY_SINK_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct event;
struct kafka_settings;
struct plan;
struct target_ops;

/* Everything is copied by send. */
struct sink_message {
    const struct event *event;
    uint64_t index; /* in the plan */
    int32_t partition;
    int64_t time_ms; /* 0: the target stamps it */
    uint64_t hops;
    void *tag; /* comes back in `finished` */
};

struct sink_options {
    const struct plan *plan;
    const struct kafka_settings *settings;
    int64_t max_message_bytes; /* what the target takes; 0: unknown */

    /* The message with this tag was acknowledged at `offset`, or will never be (failure says why).
     */
    void (*finished)(void *self, void *tag, int64_t offset, const struct error *failure);
    void *self;
};

struct sink {
    const struct sink_ops *ops;
};

struct sink_ops {
    const char *transport;           /* of struct target */
    const struct target_ops *target; /* how its target is asked and read back: target_reader.h */

    /* NULL with ERROR_CONFIG or ERROR_REMOTE. */
    struct sink *(*open)(const struct sink_options *options, struct error *err);

    /* Take a message; true: `finished` will be called for it. The caller bounds what is in flight.
     */
    bool (*send)(struct sink *sink, const struct sink_message *message, struct error *err);

    /* Deliver outcomes, waiting up to timeout_ms for one. */
    void (*poll)(struct sink *sink, int timeout_ms);

    /* The last trouble with the connection, "" for none. Lives until the next call. */
    const char *(*trouble)(struct sink *sink);

    /* Give up what is not acknowledged; calls `finished` for all of it. Nothing is sent afterwards.
     */
    void (*abandon)(struct sink *sink);

    /* Abandon, free. */
    void (*close)(struct sink *sink);
};

/* The sink for a transport, or NULL. */
const struct sink_ops *sink_find(const char *transport);

#endif
