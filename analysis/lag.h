/* lag.h - what is said of a consumer group's progress: points in time, and verdicts in one language.
 *
 * A point is what a broker told of one partition at one moment; a verdict is a state with its reason, the
 * next step and the numbers behind it. lag_judge.h makes verdicts of points, lag_stream.h puts those of
 * partitions together, and the console shows them.
 *
 * What is not known is -1 or CLOCK_NONE, never a guess; nothing here can fail.  Threads: any; no state.
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
    int64_t stable;     /* where the oldest open transaction begins, else the end */
    int64_t not_events; /* offsets from committed to end that never were an event; 0 or more */
    int64_t oldest_ns;  /* time of the oldest event not yet committed */
    int32_t members;
    enum lag_phase phase;
    bool commit_unknown; /* nobody said whether there is one; else -1 is that there is none */
    bool nothing_waits;  /* from committed to end there is no event, only marks of transactions */
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

/* Events that wait behind the commit, as other tools count them; -1 when the commit or the end is unknown. */
int64_t lag_point_events(const struct lag_point *point);

/* True when one of them can be read: marks of transactions are counted, and yet nobody can read them. */
bool lag_point_waits(const struct lag_point *point);

/* Set the state and its reason; a text that is too long is cut. */
void lag_verdict_say(struct lag_verdict *verdict, enum lag_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Set what to do next; a text that is too long is cut. */
void lag_verdict_advise(struct lag_verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
