#include "collectors/fetch_pause.h"

#include "base/clock.h"

/* The last fetch before the pause may be small, and the estimate is one: full begins below the limit. */
#define FULL_SHARE 0.6
#define ROOM_SHARE 0.4

#define WAKES    8 /* a question goes to any broker: with several, not always to the one that sleeps */
#define AGAIN_NS (5 * NS_PER_MS)
#define PAUSE_NS (1500 * NS_PER_MS)

#define NEWEST_WEIGHT 0.25

void
fetch_pause_set(struct fetch_pause *pause, struct fetch_limits limits)
{
    *pause = (struct fetch_pause){.limits = limits};
}

void
fetch_pause_took(struct fetch_pause *pause, size_t count, size_t bytes)
{
    double mean = (double)bytes / (double)count;
    if (pause->message_bytes <= 0)
        pause->message_bytes = mean;
    pause->message_bytes += (mean - pause->message_bytes) * NEWEST_WEIGHT;
}

/* Of the limit that is nearer: how much of it is used. */
static double
share_used(const struct fetch_pause *pause, size_t queued)
{
    double of_bytes = (double)queued * pause->message_bytes / (double)pause->limits.bytes;
    double of_messages = (double)queued / (double)pause->limits.messages;
    return of_bytes > of_messages ? of_bytes : of_messages;
}

bool
fetch_pause_look(struct fetch_pause *pause, size_t queued, int64_t now_ns)
{
    double share = share_used(pause, queued);
    if (share >= FULL_SHARE) {
        pause->full_ns = now_ns;
        pause->wakes_left = WAKES;
        return false;
    }
    if (now_ns - pause->full_ns > PAUSE_NS)
        pause->wakes_left = 0;
    if (pause->wakes_left == 0 || share > ROOM_SHARE || now_ns - pause->asked_ns < AGAIN_NS)
        return false;
    pause->wakes_left--;
    pause->asked_ns = now_ns;
    return true;
}
