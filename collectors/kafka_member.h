/* kafka_member.h - the partitions that a consumer group gives to one recorder, and what is committed.
 *
 * Several recorders share topics as members of one group. A lane begins at the group's committed offset,
 * or behind what this tape has of it if that is later: never twice on one tape. What another recorder had
 * meanwhile is a hole NOT_RECORDED. Only what the tape has acknowledged is committed, so that a lane that
 * changes hands loses nothing; where its last owner was killed, events may be on both tapes, under the
 * same offset.
 *
 *     assigned --place--> reading --mark--> acknowledged --commit--> known to the group
 *
 * Threads: the collector's only. kafka_member_rebalance() is called by librdkafka on that thread, from
 * within a poll of the consumer's queue or kafka_member_leave().
 */
#ifndef COLLECTORS_KAFKA_MEMBER_H
#define COLLECTORS_KAFKA_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_generation.h"
#include "collectors/kafka_proof.h"

struct outlet;
struct source_config;
struct tap_lane;

struct member_topic;

struct member_lane {
    struct member_topic *topic;
    struct tap_lane *lane; /* NULL: was never ours */
    bool is_ours;
    bool is_misplaced; /* must be mended before more of it is recorded: kafka_mend.h */
    bool is_refused;   /* the broker does not let us read it */
    int64_t position;  /* behind the last offset that was seen, event or not */
    int64_t end;       /* where to stop; -1: nowhere */
    int64_t marked;    /* where it was at the mark */
    int64_t safe;      /* the tape has everything before it; -1: nothing to commit */
    int64_t committed; /* what the group has; -1: nothing that we know */
    struct kafka_proof proof;
    int behind;     /* how often the log's end was found before our place, in a row */
    int32_t leader; /* while it is misplaced; -1: there is none */
};

struct member_topic {
    char *name;
    struct kafka_generation log; /* the stream that it is recorded as */
    rd_kafka_topic_t *rkt;       /* held, so that the pointer in messages stays this topic's */
    int32_t known_count; /* partitions when we joined; those beyond are younger than the tape */
    struct member_lane *lanes; /* by partition */
    int32_t lane_count;
};

/* `mark` is the outlet's ticket of the lanes' `marked`, or 0 when there is no mark. */
struct kafka_member {
    const struct source_config *config;
    struct outlet *outlet;
    struct kafka_client *client;
    struct member_topic **topics;
    size_t topic_count;
    size_t topic_capacity;
    struct member_topic *last; /* the one of the last message */
    size_t lane_count;         /* that are ours */
    struct kafka_prover prover;
    bool must_mend;  /* a lane has been misplaced since the last look */
    bool was_dealt;  /* the group has given us our share at least once */
    bool ends_known; /* UNTIL_TIME: the moment came, and each lane has its end */
    uint64_t mark;
    int64_t mark_ns; /* monotonic: when to mark again */
    bool is_committing;
    rd_kafka_queue_t *commits; /* where answers come */
    struct error failure;      /* a place could not be found: the source must be opened again */
};

void kafka_member_open(struct kafka_member *member);
void kafka_member_close(struct kafka_member *member);

/* Make the topics that exist now known as such: a topic or partition that is dealt to us later, without
 * an offset of the group, is younger, and is wanted from its beginning. */
void kafka_member_know(struct kafka_member *member, const rd_kafka_metadata_topic_t *topic);

/* Partitions come or go. Waits for the tape (5 s at most) and the broker (a few seconds). */
void kafka_member_rebalance(struct kafka_member *member, rd_kafka_resp_err_t why,
    rd_kafka_topic_partition_list_t *partitions);

/* The lane a message is of; NULL when it is not ours. */
struct member_lane *kafka_member_lane(
    struct kafka_member *member, const rd_kafka_message_t *message);

/* Read a lane of ours from `offset` on. */
void kafka_member_fetch(
    struct kafka_member *member, const struct member_lane *lane, int64_t offset);

/* Each second, commit what the tape has acknowledged meanwhile; never waits. */
void kafka_member_tick(struct kafka_member *member);

/* Commit what is acknowledged and leave the group: others take over at once. */
void kafka_member_leave(struct kafka_member *member);

/* UNTIL_TIME: stop each lane where its log ends now. */
bool kafka_member_take_ends(struct kafka_member *member, struct error *err);

/* Every lane of ours is read to its end, and our share was dealt. */
bool kafka_member_is_at_end(const struct kafka_member *member);

/* A topic with a lane that the broker does not let us read, or NULL. */
const char *kafka_member_refused(const struct kafka_member *member);

#endif
