#include "collectors/groups_times.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/groups_reader.h"
#include "collectors/groups_sample.h"

/* Events that are looked up for their times in one sample. Groups that stand at the same place share
 * one; what is beyond is unknown. */
#define TIMES_MAX 200000

void
groups_times_done(struct groups_times *times)
{
    for (size_t i = 0; i < times->learnt_count; i++)
        free(times->topics[i]);
    free(times->topics);
    free(times->learnt);
    times->topics = NULL;
    times->learnt = NULL;
    times->learnt_count = 0;
}

static bool
has_waiting(const struct group_lane *lane)
{
    return lane->committed >= 0 && lane->end > lane->committed;
}

/* Fill the lane from the last sample or from the caller's knowledge. */
static bool
is_known(struct groups_times *times, struct group_lane *lane)
{
    struct groups_want key = {
        .topic = lane->topic, .partition = lane->partition, .from = lane->committed};
    const struct groups_want *known = times->learnt_count == 0
                                          ? NULL
                                          : bsearch(&key, times->learnt, times->learnt_count,
                                                sizeof(*times->learnt), groups_want_compare);
    if (known == NULL)
        return times->known_time != NULL &&
               times->known_time(times->known_self, lane->topic, lane->partition, lane->committed,
                   &lane->oldest_ns, &lane->oldest_offset);
    lane->oldest_ns = known->time_ns;
    lane->oldest_offset = known->offset;
    return true;
}

static void
use_answers(const struct groups_want *wants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct group_lane *lane = wants[i].context;
        lane->nothing_waits = wants[i].state == GROUPS_WANT_END;
        if (wants[i].state == GROUPS_WANT_FOUND) {
            lane->oldest_ns = wants[i].time_ns;
            lane->oldest_offset = wants[i].offset;
        }
    }
}

/* Remember what was learnt for the next sample: most groups that stand still stand where they stood. */
static void
remember(struct groups_times *times, const struct groups_sample *sample)
{
    size_t limit = 0;
    for (size_t g = 0; g < sample->group_count; g++)
        limit += sample->groups[g].lane_count;
    struct groups_want *learnt = alloc_array(limit + 1, sizeof(*learnt));
    char **topics = alloc_array(limit + 1, sizeof(*topics));
    size_t count = 0;
    for (size_t g = 0; g < sample->group_count; g++) {
        for (size_t i = 0; i < sample->groups[g].lane_count; i++) {
            const struct group_lane *lane = &sample->groups[g].lanes[i];
            if (lane->oldest_offset < 0)
                continue;
            topics[count] = alloc_text(lane->topic);
            learnt[count] = (struct groups_want){.topic = topics[count],
                .partition = lane->partition,
                .from = lane->committed,
                .time_ns = lane->oldest_ns,
                .offset = lane->oldest_offset};
            count++;
        }
    }
    groups_times_done(times);
    qsort(learnt, count, sizeof(*learnt), groups_want_compare);
    times->learnt = learnt;
    times->topics = topics;
    times->learnt_count = count;
}

void
groups_times_read(struct groups_times *times, rd_kafka_t *client, struct groups_sample *sample,
    int64_t deadline_ns, const atomic_bool *is_cancelled)
{
    struct groups_want *wants = alloc_array(TIMES_MAX, sizeof(*wants));
    size_t count = 0;
    for (size_t g = 0; g < sample->group_count; g++) {
        for (size_t i = 0; i < sample->groups[g].lane_count; i++) {
            struct group_lane *lane = &sample->groups[g].lanes[i];
            if (!has_waiting(lane) || is_known(times, lane) || count == TIMES_MAX)
                continue;
            /* What retention deleted cannot be read: the oldest there is stands at the log start. */
            int64_t from = lane->committed < lane->log_start ? lane->log_start : lane->committed;
            wants[count++] = (struct groups_want){.topic = lane->topic,
                .partition = lane->partition,
                .from = from,
                .until = from,
                .context = lane,
                .time_ns = CLOCK_NONE,
                .offset = -1};
        }
    }
    qsort(wants, count, sizeof(*wants), groups_want_compare);
    groups_reader_run(client, wants, count, deadline_ns, is_cancelled, NULL, NULL);
    use_answers(wants, count);
    free(wants);
    remember(times, sample);
}
