/* groups_ends.h - where the partitions of a sample begin and end, in few requests.
 *
 * Threads: the client's one owner.
 */
#ifndef COLLECTORS_GROUPS_ENDS_H
#define COLLECTORS_GROUPS_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct groups_sample;

/* Fill log_start and end of every lane of the sample that `metadata` knows a leader of: one request
 * for begins and one for ends per leader and 2000 partitions, however many groups share them. What
 * is not answered until the monotonic deadline stays -1 and is named as a problem.
 *
 * False when something was not answered: the metadata may be out of date. */
bool groups_ends_ask(rd_kafka_t *client, const rd_kafka_metadata_t *metadata,
    struct groups_sample *sample, int64_t deadline_ns);

/* Fill `stable` of the lanes whose oldest event has waited for longer than consumers take between two commits:
 * `client` must read committed events. What is not answered stays -1, and is no problem. */
void groups_ends_ask_stable(rd_kafka_t *client, const rd_kafka_metadata_t *metadata,
    struct groups_sample *sample, int64_t deadline_ns);

/* Whether there is such a lane. */
bool groups_ends_want_stable(const struct groups_sample *sample);

#endif
