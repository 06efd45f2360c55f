#include "demo/faults.h"

#include <stddef.h>

#include "base/clock.h"

/* The stall comes last, because its service must have committed for a while to be missed. */
static const struct {
    const char *name;
    const char *text;
    int64_t after_ms;
} faults[FAULT_COUNT] = {
    [FAULT_DUPLICATE] = {"duplicate", "an order was sent twice, the second time by a retry", 0},
    [FAULT_KEY_MOVE] = {"key-move", "a key went to another partition than before", 700},
    [FAULT_GAP] = {"gap", "messages of the price publisher were dropped", 1200},
    [FAULT_POISON] = {"poison", "an order's payload holds control bytes", 1700},
    [FAULT_STALL] = {"stall", "a consumer stayed in its group and stopped reading", 2500},
};

const char *
fault_name(enum fault fault)
{
    return faults[fault].name;
}

const char *
fault_text(enum fault fault)
{
    return faults[fault].text;
}

int64_t
fault_time_ns(const struct fault_plan *plan, enum fault fault, int64_t round)
{
    return plan->first_ns + faults[fault].after_ms * NS_PER_MS + round * plan->cycle_ns;
}

bool
fault_is_due(struct fault_clock *clock, int64_t open_for_ns)
{
    if (open_for_ns < fault_time_ns(clock->plan, clock->fault, clock->round))
        return false;
    while (open_for_ns >= fault_time_ns(clock->plan, clock->fault, clock->round))
        clock->round++;
    return true;
}
