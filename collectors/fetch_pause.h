/* fetch_pause.h - notices that the client library still pauses though its local queue has room again.
 *
 * When the local queue of librdkafka 2.0.2 holds more than queued.max.messages.kbytes or
 * queued.min.messages, the thread of the broker's connection goes to sleep for one second and does not look whether there is room before
 * that (fetch.queue.backoff.ms came with 2.2; kafka_client.c sets it where it is known, and then this asks for nothing
 * that matters). A consumer that empties 32 MiB in a tenth of a second
 * then waits nine. Whatever else happens on the connection wakes the thread, an answer to a question
 * too: this module says when asking one is worth it, and how often at most.
 *
 * It sees the queue only as numbers. Threads: one owns a struct fetch_pause.
 */
#ifndef COLLECTORS_FETCH_PAUSE_H
#define COLLECTORS_FETCH_PAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Behind which the library pauses. It counts keys and payloads as bytes, and a message takes some 400 bytes
 * more in memory: of small ones the number is what bounds it. */
struct fetch_limits {
    size_t bytes;
    size_t messages;
};

struct fetch_pause {
    struct fetch_limits limits;
    double message_bytes; /* mean of those that were taken lately */
    int64_t full_ns;      /* monotonic: when the queue was last seen full */
    int64_t asked_ns;     /* when the last wake-up was asked for */
    int wakes_left;       /* since the queue was full; 0: it was not, or enough were asked for */
};

/* Begin with an empty queue; each limit 1 or more. */
void fetch_pause_set(struct fetch_pause *pause, struct fetch_limits limits);

/* `count` messages with together `bytes` were taken out of the queue (count 1 or more). */
void fetch_pause_took(struct fetch_pause *pause, size_t count, size_t bytes);

/* `queued` messages are in the queue at `now_ns` (monotonic). True: the library pauses for no reason
 * any more and should be woken. True at most once in 5 ms, 8 times for one pause, and not later than
 * a second and a half after the queue was full. */
bool fetch_pause_look(struct fetch_pause *pause, size_t queued, int64_t now_ns);

#endif
