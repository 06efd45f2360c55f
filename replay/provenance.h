/* provenance.h - the four headers that mark a replayed event.
 *
 * They are UTF-8 text behind the event's own headers, always these four in this order:
 *
 *     x-tapedeck-replay  the id of the replay
 *     x-tapedeck-seq     the event's place in the plan: 0, 1, 2 ...
 *     x-tapedeck-orig    where it was recorded: kafka/TAP/TOPIC/PARTITION/OFFSET, or
 *                        tape/TAP/STREAM/PARTITION/OFFSET where the transport has no offsets
 *     x-tapedeck-hops    how often it was replayed, this time included
 *
 * An event that was replayed before keeps its older ones in front of the new ones.  Threads: any.
 */
#ifndef REPLAY_PROVENANCE_H
#define REPLAY_PROVENANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct buffer;
struct event;

#define PROVENANCE_REPLAY  "x-tapedeck-replay"
#define PROVENANCE_SEQ     "x-tapedeck-seq"
#define PROVENANCE_ORIG    "x-tapedeck-orig"
#define PROVENANCE_HOPS    "x-tapedeck-hops"
#define PROVENANCE_HEADERS 4u

/* How often the event was replayed: the last x-tapedeck-hops, 0 without one. A value that is not a
 * number counts as 1: somebody replayed it. */
uint64_t provenance_hops(const struct event *event);

/* `number` as decimal digits; returns how many. Three headers of every event need it, printf would
 * be a tenth of the cost of sending. */
#define PROVENANCE_DIGITS 20u
size_t provenance_number(uint64_t number, char digits[PROVENANCE_DIGITS]);

/* Write the value of x-tapedeck-orig of a recorded event. */
void provenance_origin(const struct event *event, struct buffer *value);

/* What the last four headers of a landed event say. */
struct provenance {
    struct bytes replay; /* view into the event */
    uint64_t index;
    struct bytes origin;    /* view into the event */
    size_t own_headers;     /* headers in front of the four */
    size_t own_headers_end; /* ... end at this byte of event->headers */
};

/* False when the event's last four headers are not those of a replay. */
bool provenance_parse(const struct event *event, struct provenance *provenance);

#endif
