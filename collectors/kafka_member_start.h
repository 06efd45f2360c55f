/* kafka_member_start.h - where a lane begins that a consumer group gave us: what is asked, and what follows.
 *
 * Threads: the collector's only.
 */
#ifndef COLLECTORS_KAFKA_MEMBER_START_H
#define COLLECTORS_KAFKA_MEMBER_START_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

struct error;
struct kafka_member;
struct member_lane;

/* What the broker says about lanes that we were given; parallel to the list of them. */
struct member_bounds {
    rd_kafka_topic_partition_list_t *committed;
    rd_kafka_topic_partition_list_t *begin; /* offsets below 0: not known */
    rd_kafka_topic_partition_list_t *end;
    rd_kafka_topic_partition_list_t *at_time; /* NULL: nobody asked for a time */
};

/* Ask for them, for some seconds at most. The committed offsets must be known: false with ERROR_REMOTE else, and when a
 * moment is wanted that the broker does not tell. A partition without a leader has no bounds, and they can wait.
 * *bounds needs member_bounds_done() either way. */
bool member_bounds_ask(struct kafka_member *member, const rd_kafka_topic_partition_list_t *list,
    struct member_bounds *bounds, struct error *err);

void member_bounds_done(struct member_bounds *bounds);

/* Put the lane, which is number `i` of the list, where it begins or goes on, and say in to->offset where librdkafka is to
 * read it from. */
void member_lane_place(struct kafka_member *member, struct member_lane *lane,
    const struct member_bounds *bounds, int i, rd_kafka_topic_partition_t *to);

#endif
