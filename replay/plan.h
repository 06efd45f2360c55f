/* plan.h - exactly what a replay will do, frozen, as plain data.
 *
 * Made by planner.h, written as JSON with a SHA-256 over the rest (plan_json.c, plan_json_read.c), executed by
 * runner.h, checked by verify.h. A plan is never changed: another wish is another plan.
 * Threads: any number may read one.
 */
#ifndef REPLAY_PLAN_H
#define REPLAY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/hole.h"
#include "index/hole_times.h"
#include "replay/content_hash.h"
#include "replay/pacer.h"
#include "replay/partition_map.h"
#include "replay/target.h"

struct error;

#define PLAN_VERSION   1
#define PLAN_ID_TEXT   27 /* 26 characters and the terminator */
#define PLAN_MAX_LANES 1000000
#define PLAN_MAX_BYTES ((size_t)256 * 1024 * 1024) /* of a plan's file */
#define PLAN_HOLES_MAX 1000                        /* that a plan names */

/* The ways in which time can be given to the events that are sent. */
enum plan_timestamps {
    TIMESTAMPS_ORIGINAL,
    TIMESTAMPS_NOW,
};
const char *plan_timestamps_text(enum plan_timestamps timestamps);

/* One lane of the tape as far as it is selected. */
struct plan_lane {
    char *tap;
    char *stream;
    int32_t partition;
    int32_t target_partition; /* -1: several, it goes by key */
    int64_t first_offset;
    int64_t last_offset;
    uint64_t events;
    uint64_t bytes;
    int64_t first_ns; /* least and greatest event_time() */
    int64_t last_ns;
    uint64_t missing; /* offsets between first and last that should be on the tape and are not */
};

/* Offsets that the query is about, by lane, offset and time, and that are not on the tape. Those at which no event ever
 * was are not among them. */
struct plan_hole {
    char *tap;
    char *stream;
    int32_t partition;
    struct hole hole; /* without a stream_id */
    struct hole_times times;
};

/* A place of the tape that could not be read, as struct tape_damage has it. */
struct plan_place {
    char *tap; /* NULL: not known */
    char *stream;
    int32_t partition;
    int64_t offset;
};
struct plan_damage {
    char *text;
    uint64_t first_seq;
    uint64_t end_seq;
    uint64_t events;
    struct plan_place first;
    struct plan_place last;
};

/* What will not survive, counted in events. */
struct plan_fidelity {
    uint64_t timeless; /* no time, or one that Kafka reads as "now": the target stamps them */
    uint64_t sub_millisecond;   /* the time loses what is finer than a millisecond */
    uint64_t stamped_by_target; /* the target's topic stamps every message itself */
    uint64_t left_out; /* ZeroMQ: they have a time, headers that are no frames, or a null payload */
    uint64_t past_retention; /* older than the target keeps: it may delete them at once */
};

/* What is known about the order of events of the same key. */
struct plan_order {
    uint64_t null_keys;
    uint64_t keys;         /* distinct ones */
    uint64_t moved_events; /* go to a partition of another number */
    uint64_t moved_keys;
    uint64_t split_keys; /* their events come to more than one target partition */
    bool keys_complete;  /* false: too many keys, the three counts are "at least" */
};

/* The target as it was when the plan was made. */
struct plan_preflight {
    int32_t partitions;
    char *cluster;   /* NULL: unknown */
    bool configured; /* the rest is known */
    int64_t max_message_bytes;
    int64_t retention_ms;
    int64_t retention_bytes;
    bool stamps_messages;
    char *cleanup; /* NULL: unknown */
};

struct plan {
    char id[PLAN_ID_TEXT]; /* a ULID: sorts by the time it was made */
    int64_t made_ns;       /* also the "now" of relative times in the query */
    char *tape;            /* directory */
    char *query;           /* "" is every event */
    uint64_t first_seq;    /* of the first and behind the last selected event */
    uint64_t end_seq;
    uint64_t events;
    uint64_t bytes; /* keys, headers, payloads */
    int64_t first_ns;
    int64_t last_ns;
    char content[CONTENT_HASH_TEXT]; /* see content_hash.h */

    struct target target;
    char *target_name; /* of [target.NAME] in the configuration; NULL: the URL was given */
    enum partition_map partitions;
    enum plan_timestamps timestamps;
    struct pacing_settings pacing;
    uint64_t max_hops;

    struct plan_lane *lanes; /* by tap, stream, partition */
    size_t lane_count;
    /* For who reads the plan; plan_from_json() leaves these out, since nothing depends on them. */
    struct plan_hole *holes; /* by stream, partition and offset; PLAN_HOLES_MAX at most */
    size_t hole_count;
    uint64_t holes_not_named;
    struct plan_damage *damage;
    size_t damage_count;
    uint64_t *landing; /* events per target partition, preflight.partitions of them */
    struct plan_fidelity fidelity;
    struct plan_order order;
    struct plan_preflight preflight;

    char sha256[CONTENT_HASH_TEXT]; /* set when written or read; "" before */
};

struct plan *plan_new(void);
void plan_free(struct plan *plan); /* NULL is allowed */

/* A new id for the moment `now_ns`. */
void plan_make_id(int64_t now_ns, char id[PLAN_ID_TEXT]);

/* True for 26 characters of an id's alphabet; nothing that could be a path. */
bool plan_is_id(const char *text);

/* The time in ms with which an event of this time is sent; 0: the target stamps it. */
int64_t plan_time_ms(const struct plan *plan, int64_t time_ns);

/* The plan as JSON with its hash, which is stored in plan->sha256 too. One line when `compact`.
 * Freed by the caller. */
char *plan_to_json(struct plan *plan, bool compact);

/* Read a plan; everything in it is checked, first of all its hash. Freed with plan_free(). NULL
 * with ERROR_FORMAT when it is no plan, ERROR_REFUSED when it was changed after it was made. */
struct plan *plan_from_json(const char *text, size_t length, struct error *err);

#endif
