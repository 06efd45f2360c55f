/* kafka_lanes.h - the partitions of a Kafka tap: where each one starts, goes on, and is done.
 *
 * A lane that cannot be read yet (no leader, no answer, offset out of range) waits; each look tries
 * again. Part of the Kafka source: one thread.
 *
 * When the log behind a topic is another one (deleted and made again, or cut), offsets would mean two
 * things. What follows is recorded as a stream of its own, "orders#2", and the old stream gets a hole of unknown size.
 * It is noticed by an end that lies before what the tape has, by fewer partitions, and by another event
 * at an offset that the tape has.
 *
 * A topic that an expression found may go away: when it is taken for gone (kafka_absence.h) nobody waits for its
 * lanes, and when it is there again they wait, and are proven.
 */
#ifndef COLLECTORS_KAFKA_LANES_H
#define COLLECTORS_KAFKA_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "collectors/kafka_absence.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_generation.h"
#include "collectors/kafka_patterns.h"
#include "collectors/kafka_proof.h"

struct outlet;
struct source_config;
struct tap_lane;

enum kafka_lane_state {
    KAFKA_LANE_WAITING, /* must be placed */
    KAFKA_LANE_READING,
    KAFKA_LANE_REACHED, /* its end; must be stopped */
    KAFKA_LANE_DONE,
    KAFKA_LANE_GONE, /* put aside until its topic is there again */
};

struct kafka_lane {
    struct tap_lane *lane;
    int64_t position; /* behind the last offset that was seen, event or not */
    int64_t end;      /* UNTIL_END: where to stop; -1: nowhere */
    enum kafka_lane_state state;
    struct kafka_proof proof;
    int behind;      /* how often the log's end was found before our place, in a row */
    bool was_placed; /* `from` was applied */
    bool is_whole;   /* wanted from its beginning, whatever `from` says */
    bool is_late;    /* the partition appeared while we recorded */
    int32_t leader;  /* the broker; -1: there is none */
    bool is_refused; /* the broker does not let us read it */
};

/* The opaque of its rd_kafka_topic_t. */
struct kafka_topic {
    char *name;
    struct kafka_generation log; /* the stream that it is recorded as */
    bool is_matched;             /* by a pattern: it may go away again, see `absence` */
    bool is_there;               /* in the newest answer */
    struct kafka_absence absence;
    bool is_whole; /* its lanes are wanted from their beginning */
    bool is_anew;  /* another log than the one we began with: `from` does not speak of it */
    rd_kafka_topic_t *rkt;
    struct kafka_lane *lanes; /* by partition */
    int32_t lane_count;
};

struct kafka_lanes {
    const struct source_config *config;
    struct outlet *outlet;
    struct kafka_client *client;
    rd_kafka_queue_t *queue;     /* where messages of all partitions come out */
    struct kafka_topic **topics; /* each stays where it is: librdkafka points to it */
    size_t topic_count;
    size_t topic_capacity;
    struct kafka_topic **by_name; /* the same, sorted */
    size_t by_name_capacity;
    size_t lane_count;              /* of all topics */
    struct kafka_patterns patterns; /* the topics of the URL that are none, but expressions */
    size_t waiting;
    size_t reading;
    struct kafka_prover prover;
    bool is_answered;    /* the last look had an answer */
    bool is_expecting;   /* a topic is missing, which is no trouble: look again soon */
    size_t reached;      /* to be stopped by kafka_lanes_stop_reached() */
    struct error notice; /* for the operator, once all lanes are read; ERROR_NONE: nothing */
    bool ends_known;     /* UNTIL_TIME: the moment came, and each lane has its end */
};

/* Make the topics and see whether they exist. *is_final: trying again cannot mend it. Waits about 4 s
 * at most for the broker, less when the outlet is stopping. */
bool kafka_lanes_open(struct kafka_lanes *lanes, bool *is_final, struct error *err);
void kafka_lanes_close(struct kafka_lanes *lanes);

/* Ask for metadata: new partitions, leaders, topics that are gone, topics that a pattern fits now. Those
 * are read from their beginning. False with the reason. */
bool kafka_lanes_look(struct kafka_lanes *lanes, struct error *err);

/* How many partitions the tap has. */
static inline size_t
kafka_lanes_count(const struct kafka_lanes *lanes)
{
    return lanes->lane_count;
}

/* Events up to `position` were seen. */
void kafka_lane_advance(struct kafka_lanes *lanes, struct kafka_lane *lane, int64_t position);

/* The broker does not have the offset we asked for. */
void kafka_lanes_reset(
    struct kafka_lanes *lanes, struct kafka_topic *topic, struct kafka_lane *lane);

/* The topic was away, or is: before more of it is recorded, its log must be seen to be the one that the
 * tape has (kafka_proof.h). What is under way of it is dropped, and read again. */
void kafka_lanes_doubt(struct kafka_lanes *lanes, struct kafka_topic *topic);

void kafka_lanes_stop_reached(struct kafka_lanes *lanes);

/* A topic with a lane that the broker does not let us read, or NULL. */
const char *kafka_lanes_refused(const struct kafka_lanes *lanes);

#endif
