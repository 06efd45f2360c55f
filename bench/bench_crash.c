/* bench_crash - a hundred recorders killed at random moments, and what their tapes lost: nothing, it should.
 *
 * BENCH_KILLS (100) says how many, BENCH_SEED repeats a run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/figures.h"
#include "tests/support/index_crash.h"

#define DELAY_MAX_US   400000u
#define KILLS_PER_TAPE 10
#define KILLS_MAX      100000u

struct sum {
    uint64_t failed;
    uint64_t events;
    uint64_t unacknowledged; /* the most that a tape had beyond what was acknowledged */
    unsigned sealing;
    unsigned between;
    unsigned torn;
    unsigned early;
    double *reopen_s;
};

/* xorshift64* */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717) >> 16;
}

static void
take(struct sum *sum, const struct crash_result *result)
{
    sum->sealing += result->was_sealing;
    sum->between += result->was_between;
    sum->torn += result->had_torn_end;
    sum->early += result->acknowledged == 0;
    if (result->acknowledged > 0 && result->found - result->acknowledged > sum->unacknowledged)
        sum->unacknowledged = result->found - result->acknowledged;
}

static void
kill_often(const char *directory, uint64_t kills, uint64_t random, struct sum *sum)
{
    uint64_t checked = 0;
    for (uint64_t i = 0; i < kills; i++) {
        struct crash_result result;
        struct error err = {0};
        unsigned delay_us = (unsigned)(next_random(&random) % DELAY_MAX_US);
        if (i % KILLS_PER_TAPE == 0) {
            file_remove_tree(directory);
            checked = 0;
        }
        if (!crash_trial(directory, delay_us, checked, &result, &err)) {
            printf("kill %" PRIu64 " after %u us: %s\n", i, delay_us, err.text);
            sum->failed++;
        }
        sum->events += result.found > checked ? result.found - checked : 0;
        checked = result.found > checked ? result.found : checked;
        sum->reopen_s[i] = result.reopen_s;
        take(sum, &result);
    }
    file_remove_tree(directory);
}

int
main(void)
{
    uint64_t kills = figures_setting("BENCH_KILLS", 100);
    uint64_t seed = figures_setting("BENCH_SEED", (uint64_t)clock_now_ns() | 1);
    if (kills == 0 || kills > KILLS_MAX) {
        (void)fprintf(stderr, "bench_crash: BENCH_KILLS is 1 to %u\n", KILLS_MAX);
        return 2;
    }
    char *directory = figures_directory("bench-crash");
    struct sum sum = {.reopen_s = alloc_array((size_t)kills, sizeof(double))};
    kill_often(directory, kills, seed, &sum);
    printf("seed %" PRIu64 "\n", seed);
    figure_plain("kills -9 at random moments", (double)kills, "");
    figure_plain("  before anything was acknowledged", sum.early, "");
    figure_plain("  while a segment was half written", sum.sealing, "");
    figure_plain("  with a segment beside its journal", sum.between, "");
    figure_plain("  that left a torn end", sum.torn, "");
    figure_plain("events recorded and checked", (double)sum.events, "");
    figure_plain("  most that were there and not acknowledged", (double)sum.unacknowledged, "");
    figure_at_most("kills after which something was wrong", (double)sum.failed, 0, "");
    figure_at_most("reopen, worst", percentile(sum.reopen_s, (size_t)kills, 1), 0.5, "s");
    free(sum.reopen_s);
    free(directory);
    return figures_end();
}
