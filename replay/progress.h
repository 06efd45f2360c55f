/* progress.h - how far a replay is: plain data, for the command, the receipt and the screen. */
#ifndef REPLAY_PROGRESS_H
#define REPLAY_PROGRESS_H

#include <stdint.h>

enum replay_state {
    REPLAY_CHECKING, /* plan, tape and target are being checked, the target's tail is read */
    REPLAY_RUNNING,
    REPLAY_DRAINING, /* nothing more is sent; waiting for what is in flight */
    REPLAY_DONE,     /* everything was acknowledged */
    REPLAY_STOPPED,  /* by the operator; can be resumed */
    REPLAY_FAILED,   /* can be resumed once the reason is gone */
};

struct replay_progress {
    enum replay_state state;
    uint64_t planned;
    uint64_t already;      /* acknowledged by an earlier run of the same plan */
    uint64_t in_doubt;     /* of these: found in the target, their acknowledgement was lost */
    uint64_t acknowledged; /* by this run */
    uint64_t acknowledged_bytes;
    uint64_t in_flight;
    int64_t started_ns;  /* of this run, wall clock */
    int64_t elapsed_ns;  /* sending, until now or the end */
    int64_t late_p50_ns; /* sent later than due; meaningless without pacing */
    int64_t late_p99_ns;
    int64_t late_max_ns;
};

const char *replay_state_text(enum replay_state state);

#endif
