/* groups_sample.h - what a broker says about its consumer groups at one moment.
 *
 * Plain data, made by groups_broker.h. Unknown is -1, CLOCK_NONE or NULL, never 0.
 */
#ifndef COLLECTORS_GROUPS_SAMPLE_H
#define COLLECTORS_GROUPS_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* What the coordinator says a group is doing. */
enum group_phase {
    GROUP_PHASE_UNKNOWN, /* not said, or a state that the client library has no name for */
    GROUP_PHASE_REBALANCING,
    GROUP_PHASE_STABLE,
    GROUP_PHASE_EMPTY, /* it has commits and no member */
    GROUP_PHASE_DEAD,
};

/* A partition that the group committed on, or that a member has been given, or had when nobody has any now. */
struct group_lane {
    char *topic;
    int32_t partition;
    int64_t committed; /* the next offset it will read; -1: never committed, or unknown */
    int64_t log_start;
    int64_t end;       /* the high watermark: also counts events of open transactions */
    int64_t stable;    /* where the oldest open transaction begins, else the end; -1: unknown */
    int64_t oldest_ns; /* time of the first event at or behind `committed`; CLOCK_NONE: unknown */
    int64_t oldest_offset; /* that event's; -1: unknown */
    bool nothing_waits;    /* behind `committed` there are only marks of transactions */
    char *member;          /* who has it, as group_member_text(); NULL: nobody or unknown */
    char *member_id;       /* what the coordinator calls it; NULL as above */
};

struct group_state {
    char *name;
    enum group_phase phase;
    bool is_simple;       /* who commits never joined: its consumers assign partitions themselves */
    bool commits_unknown; /* nobody said what it committed */
    bool has_commits;     /* on whatever topic, also one that is not looked at */
    bool
        hides_members; /* it speaks the new protocol (KIP-848): the client library cannot see them */
    int32_t member_count; /* -1: unknown, as of every group that hides them */
    int32_t idle_count;   /* members without any partition while the group is stable; 0: unknown */
    struct group_lane *lanes; /* sorted by topic and partition */
    size_t lane_count;
    char problem[160]; /* why something is unknown, or "" */
};

struct groups_sample {
    int64_t sampled_ns;
    struct group_state *groups; /* sorted by name */
    size_t group_count;
    size_t passed;   /* groups that were not asked this time */
    char **problems; /* of brokers and topics, one sentence each */
    size_t problem_count;
};

/* Free what the sample holds. A zeroed one is allowed. */
void groups_sample_done(struct groups_sample *sample);

/* Note a problem, cut if it is long; the same one only once. */
void groups_sample_problem(struct groups_sample *sample, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The group, or NULL. */
struct group_state *groups_sample_find(const struct groups_sample *sample, const char *name);

/* Append a lane of which nothing is known yet. The pointer lives until the next one. */
struct group_lane *group_state_add(
    struct group_state *group, const char *topic, int32_t partition, size_t *capacity);

/* The lane among the first `count`, which are sorted, or NULL. */
struct group_lane *group_state_find(
    const struct group_state *group, size_t count, const char *topic, int32_t partition);

/* Put the lanes into their order, one per partition. */
void group_state_sort(struct group_state *group);

/* Add what is left of the topics that a group with hidden members has a commit on: its members have all partitions of
 * a topic, and where nothing was committed yet, something may wait. Nothing is done for other groups, and for one without a
 * member. `count_of` says how many partitions a topic has; 0: unknown. The lanes are sorted, before and afterwards. */
void group_state_complete(struct group_state *group,
    int32_t (*count_of)(const void *self, const char *topic), const void *self);

/* Put the groups into their order. */
void groups_sample_sort(struct groups_sample *sample);

/* How a member is shown: "billing/10.0.0.7". `member_id` is NULL, or, of one of several with that client.id on
 * that host, what the coordinator calls it; the first digits of its UUID tell it apart then:
 * "billing-bd5edc82/10.0.0.7". `host` begins with a slash, as brokers say it. The caller frees. */
char *group_member_text(const char *client_id, const char *host, const char *member_id);

/* Walk the partitions that a member of a classic group was given (ConsumerProtocolAssignment: a
 * version, then topics with their partitions, big-endian). Calls `take` for each; false when the
 * bytes are not what they claim to be, which a client can bring about at will. */
bool group_assignment_read(struct bytes assignment,
    void (*take)(void *self, struct bytes topic, int32_t partition), void *self);

#endif
