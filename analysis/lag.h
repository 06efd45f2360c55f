/* lag.h - what a consumer group's progress means: states with a reason and the next step.
 *
 * Pure data: points in time of one partition go in, a verdict comes out. Rules count time, not
 * commits, so that a group that commits once a minute is judged like one that commits always; lag
 * is always that of the moment of the sample; a quiet topic makes no points of its own; and a
 * rewind is never hidden by a lag of 0.
 *
 * What cannot be known yet is LAG_UNKNOWN with a reason, never a guess.  Threads: any; no state.
 */
#ifndef ANALYSIS_LAG_H
#define ANALYSIS_LAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of how much they ask for attention. */
enum lag_state {
    LAG_IDLE, /* nothing waits and nothing comes */
    LAG_OK,
    LAG_UNKNOWN,
    LAG_WARN, /* it moves, and yet: lag never fell, or events are lost or soon will be */
    LAG_SLOW, /* it moves, and lag grows clearly */
    LAG_REBALANCING,
    LAG_STALL,  /* events wait, members are there, the commit does not move */
    LAG_STOP,   /* events wait and nobody is there */
    LAG_JUMP,   /* the commit went past events that nobody read, or past the end */
    LAG_REWIND, /* the commit went back: events run again */
};
#define LAG_STATE_COUNT 10

/* "STALL"; as in JSON, on screens and behind --fail-on. */
const char *lag_state_text(enum lag_state state);

/* False when no state is called so; case matters not. */
bool lag_state_parse(const char *text, size_t length, enum lag_state *state);

/* What the group's coordinator said at the moment of a point. */
enum lag_phase {
    LAG_PHASE_UNKNOWN,
    LAG_PHASE_REBALANCING,
    LAG_PHASE_STABLE,
    LAG_PHASE_EMPTY,  /* it has commits and no member */
    LAG_PHASE_SIMPLE, /* the same, and those who commit never join: nothing follows from it */
};

/* One partition of one group at one moment. -1 or CLOCK_NONE: unknown. */
struct lag_point {
    int64_t at_ns;
    int64_t committed;
    int64_t end;
    int64_t log_start;
    int64_t not_events; /* offsets from committed to end that never were an event; 0 or more */
    int64_t oldest_ns;  /* time of the oldest event not yet committed */
    int32_t members;
    enum lag_phase phase;
    bool nothing_waits; /* from committed to end there is no event, only marks of transactions */
};

struct lag_rules {
    int64_t stall_ns;     /* standing still with events waiting for this long is a stall */
    int64_t idle_ns;      /* no new event for this long is idle */
    int64_t shown_ns;     /* a rewind or a jump that is over is told for this long */
    int64_t warn_ns;      /* lag that did not fall once in this time */
    int64_t slow_ns;      /* lag that grew clearly over this time */
    int64_t retention_ns; /* events that will be deleted unread within this time */
    int64_t rate_ns;      /* rates are those of the newest points over this time; 0: of all */
};
extern const struct lag_rules lag_rules_default;

struct lag_verdict {
    enum lag_state state;
    char reason[256];
    char next[256];           /* what to do; "" when there is nothing to do */
    int64_t lag;              /* events; -1: unknown */
    double seconds;           /* age of the oldest event not yet committed; negative: unknown */
    double in_rate;           /* events per second; negative: unknown */
    double out_rate;          /* the same; a rewind counts as nothing */
    double drain_seconds;     /* negative: never, or unknown */
    double retention_seconds; /* until unread events are deleted; negative: unknown or far */
    int64_t stood_ns;         /* the commit has not moved for this long, with events waiting */
    int64_t again_from;       /* REWIND: offsets again_from .. again_to - 1 run again; */
    int64_t again_to;         /* JUMP: were passed over; else, and past the end, both -1 */
    int32_t rebalances;       /* seen in the points: changes of the members, or told by the phase */
    int64_t rebalanced_ns;    /* the newest of them; CLOCK_NONE: none was seen */
    int32_t partition; /* of a stream: the one that asks for most attention; -1 of a partition */
};

/* Judge one partition by its points, oldest first (`count` may be 0). */
void lag_judge(const struct lag_point *points, size_t count, const struct lag_rules *rules,
    struct lag_verdict *verdict);

/* Consumers read a bit of one partition after the other, so that behind a backlog each of them stands for a
 * while. A STALL whose member moves on in another partition, where it is that far behind too, is a WARN until
 * it has stood for eight times rules->stall_ns. members[i] reads partition i; NULL: nobody is known to. */
void lag_judge_members(struct lag_verdict *verdicts, const char *const *members, size_t count,
    const struct lag_rules *rules);

/* The verdict on a group's stream out of those on its partitions: the state that asks for most
 * attention with the partition that is in it, sums of events and rates (unknown when one is), the
 * greatest age, and the drain of the partition that drains last: one hot partition is not hidden by
 * many idle ones. */
void lag_judge_stream(const struct lag_verdict *verdicts, const int32_t *partitions, size_t count,
    struct lag_verdict *verdict);

#endif
