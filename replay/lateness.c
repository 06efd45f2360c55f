#include "replay/lateness.h"

#include "base/clock.h"

/* Below 8 us each microsecond has a step; above, each power of two has eight. */
static size_t
step_of(uint64_t us)
{
    if (us < 8)
        return (size_t)us;
    unsigned power = 63u - (unsigned)__builtin_clzll(us);
    size_t step = ((size_t)power - 2) * 8 + (size_t)((us >> (power - 3)) & 7);
    return step < LATENESS_STEPS ? step : LATENESS_STEPS - 1;
}

/* The greatest value of a step, in microseconds. */
static uint64_t
end_of(size_t step)
{
    if (step < 8)
        return step;
    unsigned power = (unsigned)(step / 8) + 2;
    return ((UINT64_C(8) + step % 8 + 1) << (power - 3)) - 1;
}

void
lateness_add(struct lateness *lateness, int64_t late_ns)
{
    if (late_ns < 0)
        late_ns = 0;
    lateness->counts[step_of((uint64_t)(late_ns / NS_PER_US))]++;
    lateness->total++;
    if (late_ns > lateness->max_ns)
        lateness->max_ns = late_ns;
}

int64_t
lateness_quantile_ns(const struct lateness *lateness, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)lateness->total);
    uint64_t passed = 0;
    for (size_t i = 0; i < LATENESS_STEPS; i++) {
        passed += lateness->counts[i];
        if (passed > 0 && passed >= wanted) {
            int64_t end_ns = (int64_t)end_of(i) * NS_PER_US;
            return end_ns < lateness->max_ns ? end_ns : lateness->max_ns;
        }
    }
    return 0;
}
