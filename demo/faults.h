/* faults.h - what goes wrong in the shop, and when.
 *
 * The plan is for the shop's services only. What is seen of it afterwards is found by faults_seen.h
 * on the tape alone.  Threads: a fault_clock belongs to one thread.
 */
#ifndef DEMO_FAULTS_H
#define DEMO_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum fault {
    FAULT_DUPLICATE, /* the web shop sends an order again though the first try had arrived */
    FAULT_KEY_MOVE,  /* one writer puts a key into another partition than all before */
    FAULT_GAP,       /* the price publisher's peer misses some of its messages */
    FAULT_POISON,    /* an order whose payload holds control bytes and broken UTF-8 */
    FAULT_STALL,     /* the shipping service stays in its group and stops reading */
};
#define FAULT_COUNT 5

/* "duplicate", "key-move", "gap", "poison", "stall". */
const char *fault_name(enum fault fault);

/* One sentence for people: what it is. */
const char *fault_text(enum fault fault);

struct fault_plan {
    int64_t first_ns; /* after the shop opened */
    int64_t cycle_ns; /* all of them again after this long */
    int64_t stall_ns; /* how long the stall lasts */
};

/* How long a stall must have lasted before it counts as one that happened. */
#define FAULT_STALL_MIN_NS (INT64_C(3500) * 1000000)

/* When `fault` happens in round 0, 1, ...; nanoseconds after the shop opened. */
int64_t fault_time_ns(const struct fault_plan *plan, enum fault fault, int64_t round);

/* Tells one service when its fault is due. Start with round 0. */
struct fault_clock {
    const struct fault_plan *plan;
    enum fault fault;
    int64_t round;
};

/* True once per round, when its time has come. Rounds that were slept through are left out. */
bool fault_is_due(struct fault_clock *clock, int64_t open_for_ns);

#endif
