#include "replay/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const char *
plan_timestamps_text(enum plan_timestamps timestamps)
{
    return timestamps == TIMESTAMPS_ORIGINAL ? "original" : "now";
}

struct plan *
plan_new(void)
{
    return alloc_zeroed(sizeof(struct plan));
}

static void
free_missing(struct plan *plan)
{
    for (size_t i = 0; i < plan->hole_count; i++) {
        free(plan->holes[i].tap);
        free(plan->holes[i].stream);
    }
    for (size_t i = 0; i < plan->damage_count; i++) {
        struct plan_damage *damage = &plan->damage[i];
        free(damage->text);
        free(damage->first.tap);
        free(damage->first.stream);
        free(damage->last.tap);
        free(damage->last.stream);
    }
    free(plan->holes);
    free(plan->damage);
}

void
plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->lane_count; i++) {
        free(plan->lanes[i].tap);
        free(plan->lanes[i].stream);
    }
    free(plan->lanes);
    free_missing(plan);
    free(plan->landing);
    free(plan->target_name);
    free(plan->tape);
    free(plan->query);
    free(plan->preflight.cluster);
    free(plan->preflight.cleanup);
    target_done(&plan->target);
    free(plan);
}

void
plan_make_id(int64_t now_ns, char id[PLAN_ID_TEXT])
{
    unsigned char random[16];
    ssize_t got = getrandom(random, sizeof(random), 0);
    assert(got == (ssize_t)sizeof(random)); /* cannot be short below 256 bytes */

    uint64_t milliseconds = (uint64_t)(now_ns / NS_PER_MS);
    for (int i = 9; i >= 0; i--, milliseconds >>= 5)
        id[i] = alphabet[milliseconds & 31];
    for (int i = 0; i < 16; i++)
        id[10 + i] = alphabet[random[i] & 31];
    id[PLAN_ID_TEXT - 1] = '\0';
}

bool
plan_is_id(const char *text)
{
    size_t length = strlen(text);
    return length == PLAN_ID_TEXT - 1 && strspn(text, alphabet) == length;
}

int64_t
plan_time_ms(const struct plan *plan, int64_t time_ns)
{
    if (plan->timestamps == TIMESTAMPS_NOW || time_ns == CLOCK_NONE || time_ns < NS_PER_MS)
        return 0;
    return time_ns / NS_PER_MS;
}
