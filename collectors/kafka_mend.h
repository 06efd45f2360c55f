/* kafka_mend.h - lanes of a member of a group that cannot go on where they are.
 *
 * A lane is misplaced when the broker does not have its offset, and when its log may be another one than
 * the tape has: the topic was away for a moment. Nothing of it is recorded then. Mending asks where its log begins and ends,
 * and puts it where it goes on, or, when the log is seen to be another one, begins a stream of its own for all of the
 * topic, "orders#2" (kafka_proof.h).
 *
 * Part of the Kafka source that is a member of a group: the collector's thread only.
 */
#ifndef COLLECTORS_KAFKA_MEND_H
#define COLLECTORS_KAFKA_MEND_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

struct error;
struct event;
struct kafka_member;
struct member_lane;

/* The topic `name` was away, or any topic (""): what is ours of it must be proven again, and is not committed before. */
void kafka_mend_doubt(struct kafka_member *member, const char *name);

/* The first event of a lane that is proving. False when it is of another log; the lane is misplaced then. It may
 * also be misplaced after true: its place is far behind this event. */
bool kafka_mend_prove(
    struct kafka_member *member, struct member_lane *lane, const struct event *event);

/* Put lanes that are misplaced where they go on, as far as `metadata` says that they can be read. False with the
 * reason when one stays as it is. */
bool kafka_mend_lanes(
    struct kafka_member *member, const rd_kafka_metadata_t *metadata, struct error *err);

#endif
