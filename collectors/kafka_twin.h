/* kafka_twin.h - reads ranges of a log twice, to see what a tap of committed events was not given.
 *
 * First as such a tap does, then as a reader that is given the events of aborted and open transactions
 * too. In this order what only the second one has was kept from the first one, and had not merely gone
 * from the log in between. It joins no group, commits nothing and creates nothing, and is bounded in
 * bytes and in time.
 *
 * Threads: any; nothing is shared, and the caller waits.
 */
#ifndef COLLECTORS_KAFKA_TWIN_H
#define COLLECTORS_KAFKA_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/offset_ranges.h"

struct recorder_tap;

/* Offsets of a lane, and what is there. */
struct kafka_twin_range {
    int64_t from;
    int64_t to; /* inclusive */

    struct offset_ranges committed; /* what the first reader was given */
    int64_t committed_to;           /* it came so far; -1: it did not come here */
    struct offset_ranges all;       /* what the second one was, where the first one was not */
    int64_t all_to;
};

/* A partition. Its ranges are ascending, and apart. */
struct kafka_twin_lane {
    const char *topic;
    int32_t partition;
    int64_t witness; /* an offset whose event is to be looked at besides; -1: none */
    struct kafka_twin_range *ranges;
    size_t range_count;

    int64_t log_start; /* after reading; these three are -1 where they are not known */
    int64_t end;
    int64_t stable_end; /* before reading: transactions in front of it are decided */
    bool has_witness;   /* there is an event at that offset */
    uint64_t witness_fingerprint;
    struct error problem; /* why it could not be looked at; ERROR_NONE: it could */
};

/* Bounds for a call. The time begins when the broker has answered, and all that is asked and read then
 * is within it. */
struct kafka_twin_limits {
    uint64_t bytes;
    int64_t duration_ns;
};

struct kafka_twin_cost {
    uint64_t events;
    uint64_t bytes;
    bool bytes_ended; /* it stopped because of the limit */
    bool time_ended;
};

/* Fill in the answers of the lanes, which are put into another order. False with ERROR_REMOTE,
 * ERROR_REFUSED or ERROR_CONFIG when the broker of the tap could not be asked at all; that is known
 * after about 5 s. */
bool kafka_twin_ask(const struct recorder_tap *tap, struct kafka_twin_lane *lanes, size_t count,
    const struct kafka_twin_limits *limits, struct kafka_twin_cost *cost, struct error *err);

/* Free what the answers of a lane hold, but not its array of ranges. */
void kafka_twin_lane_done(struct kafka_twin_lane *lane);

#endif
