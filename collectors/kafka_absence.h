/* kafka_absence.h - when a topic that an expression found is taken for gone.
 *
 * A topic that the URL names is waited for; one that an expression found may be deleted, and the others go on.
 * One answer that lacks it proves nothing: the metadata of a broker may be behind, and a topic that was made a
 * moment ago is not on all of them yet. So it must be missing in several looks in a row, over some seconds. Nor
 * is it trouble when its leader does not know it any more and the metadata still have it.
 *
 * Threads: one owns a struct kafka_absence. Zero-initialise.
 */
#ifndef COLLECTORS_KAFKA_ABSENCE_H
#define COLLECTORS_KAFKA_ABSENCE_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/clock.h"

/* So often in a row, over so long, and it is gone. */
#define KAFKA_ABSENCE_LOOKS 5
#define KAFKA_ABSENCE_NS    (5 * NS_PER_S)

struct kafka_absence {
    int missed;       /* looks in a row without it */
    int unknown;      /* questions in a row that its leader answered by not knowing it */
    int64_t since_ns; /* monotonic: the first of the looks */
    bool is_gone;
};

/* True when a broker says by this code that there is no such topic, or no such partition. */
bool kafka_absence_is(rd_kafka_resp_err_t code);

/* It was missing in a look, now. True: from this one on it is gone. */
bool kafka_absence_miss(struct kafka_absence *absence, int64_t now_ns);

/* It was in a look. True: until this one it was gone. */
bool kafka_absence_see(struct kafka_absence *absence);

/* Its leader does not know it. True: that is to be expected, since the metadata may be behind. */
bool kafka_absence_forgive(struct kafka_absence *absence);

#endif
