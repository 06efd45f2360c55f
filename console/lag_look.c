#include "console/lag_look.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/lag_judge.h"
#include "analysis/lag_stream.h"
#include "analysis/lag_table.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_broker.h"
#include "collectors/groups_sample.h"
#include "collectors/recorder.h"
#include "index/cursor.h"
#include "index/tape.h"

/* A partition that no group has a commit on any more is forgotten after this. */
#define FORGET_NS (3600 * NS_PER_S)

/* An event is on the tape this long after it was written to the broker, or it takes longer than usual. */
#define TAPE_GONE_NS (200 * NS_PER_MS)

struct lag_look {
    struct lag_look_options options;
    struct groups_broker *broker;
    struct groups_sample sample;
    bool has_sample;
    struct lag_table *table;
    struct tape *tape; /* NULL: none */
    struct cursor *cursor;
    const struct lane_summary *lanes; /* of the tape, as of the present sample */
    size_t lane_count;
};

/* --- what the tape knows ------------------------------------------------------------------------ */

/* The lane on the tape, or NULL; also when two taps have recorded topics of that name and none is
 * the one that is meant. */
static const struct lane_summary *
find_lane(const struct lag_look *look, const char *topic, int32_t partition)
{
    const struct lane_summary *found = NULL;
    const char *tap = look->options.tap->name;
    for (size_t i = 0; i < look->lane_count; i++) {
        const struct lane_summary *lane = &look->lanes[i];
        if (lane->partition != partition || strcmp(lane->stream->name, topic) != 0 ||
            lane->offsets_are_synthetic || (tap != NULL && strcmp(lane->stream->tap, tap) != 0))
            continue;
        if (found != NULL)
            return NULL;
        found = lane;
    }
    return found;
}

/* How many offsets in [from, to) are known never to have been an event. */
static int64_t
count_not_events(const struct lane_summary *lane, int64_t from, int64_t to)
{
    int64_t sum = 0;
    for (size_t i = 0; i < lane->hole_count; i++) {
        const struct hole *hole = &lane->holes[i];
        if (hole->reason != HOLE_COMPACTED_OR_ABORTED)
            continue;
        int64_t first = hole->from > from ? hole->from : from;
        int64_t last = hole->to < to - 1 ? hole->to : to - 1;
        if (last >= first)
            sum += last - first + 1;
    }
    return sum;
}

/* The tape says which event is the oldest that waits only when it has it, or when it knows that
 * there is none between the commit and the next one that it has. */
static bool
known_time(void *self, const char *topic, int32_t partition, int64_t from, int64_t *time_ns,
    int64_t *offset)
{
    struct lag_look *look = self;
    const struct lane_summary *lane = find_lane(look, topic, partition);
    if (lane == NULL || lane->events == 0 || from > lane->last_offset)
        return false;
    struct event event;
    struct error ignored; /* the broker is asked instead */
    if (cursor_fetch_offset(look->cursor, lane->stream, partition, from, &event, &ignored) !=
            CURSOR_EVENT ||
        count_not_events(lane, from, event.offset) != event.offset - from)
        return false;
    *time_ns = event.time_ns;
    *offset = event.offset;
    return true;
}

static bool
refresh_tape(struct lag_look *look, struct error *err)
{
    look->lane_count = 0;
    if (look->tape == NULL)
        return true;
    if (!tape_refresh(look->tape, err))
        return false;
    look->lanes = tape_lanes(look->tape, &look->lane_count, err);
    return look->lanes != NULL;
}

/* --- samples ------------------------------------------------------------------------------------ */

struct lag_look *
lag_look_open(const struct lag_look_options *options, struct error *err)
{
    struct lag_look *look = alloc_zeroed(sizeof(*look));
    look->options = *options;
    look->table = lag_table_new();
    if (options->directory != NULL) {
        struct error why;
        look->tape = tape_open(options->directory, &why);
        /* A tap that has not recorded yet has no tape; one that was named must be there. */
        if (look->tape == NULL && (options->tap->name == NULL || why.code != ERROR_ARGUMENT)) {
            *err = why;
            lag_look_close(look);
            return NULL;
        }
        if (look->tape != NULL)
            look->cursor = cursor_new(look->tape, &(struct cursor_options){0});
    }
    if (options->sample != NULL)
        return look;
    look->broker = groups_broker_open(&(struct groups_broker_options){.url = options->tap->url,
                                          .properties = options->tap->properties,
                                          .property_count = options->tap->property_count,
                                          .group = options->group,
                                          .pattern = options->pattern,
                                          .groups_at_a_time = options->groups_at_a_time,
                                          .wait_ms = options->wait_ms,
                                          .is_cancelled = options->is_cancelled,
                                          .want_times = true,
                                          .known_time = look->tape == NULL ? NULL : known_time,
                                          .known_self = look},
        err);
    if (look->broker != NULL)
        return look;
    lag_look_close(look);
    return NULL;
}

void
lag_look_close(struct lag_look *look)
{
    if (look == NULL)
        return;
    groups_broker_close(look->broker);
    groups_sample_done(&look->sample);
    cursor_free(look->cursor);
    tape_close(look->tape);
    lag_table_free(look->table);
    free(look);
}

static enum lag_phase
phase_of(const struct group_state *group)
{
    switch (group->phase) {
    case GROUP_PHASE_REBALANCING:
        return LAG_PHASE_REBALANCING;
    case GROUP_PHASE_STABLE:
        return LAG_PHASE_STABLE;
    case GROUP_PHASE_EMPTY:
        return group->is_simple ? LAG_PHASE_SIMPLE : LAG_PHASE_EMPTY;
    case GROUP_PHASE_UNKNOWN:
    case GROUP_PHASE_DEAD:
        break;
    }
    return LAG_PHASE_UNKNOWN;
}

static void
add_points(struct lag_look *look)
{
    for (size_t g = 0; g < look->sample.group_count; g++) {
        const struct group_state *group = &look->sample.groups[g];
        for (size_t i = 0; i < group->lane_count; i++) {
            const struct group_lane *lane = &group->lanes[i];
            struct lag_point point = {.at_ns = look->sample.sampled_ns,
                .committed = lane->committed,
                .end = lane->end,
                .log_start = lane->log_start,
                .stable = lane->stable,
                .oldest_ns = lane->oldest_ns,
                .members = group->member_count,
                .phase = phase_of(group),
                .commit_unknown = lane->committed < 0 && group->commits_unknown,
                .nothing_waits = lane->nothing_waits};
            const struct lane_summary *on_tape =
                lane->committed < 0 || look->lane_count == 0
                    ? NULL
                    : find_lane(look, lane->topic, lane->partition);
            if (on_tape != NULL)
                point.not_events = count_not_events(on_tape, lane->committed, lane->end);
            lag_table_add(look->table, group->name, lane->topic, lane->partition, &point);
        }
    }
}

/* What a sample that comes from elsewhere does not know, the tape may. */
static void
add_times(struct lag_look *look, struct groups_sample *sample)
{
    for (size_t g = 0; look->tape != NULL && g < sample->group_count; g++) {
        for (size_t i = 0; i < sample->groups[g].lane_count; i++) {
            struct group_lane *lane = &sample->groups[g].lanes[i];
            if (lane->committed >= 0 && lane->end > lane->committed)
                (void)known_time(look, lane->topic, lane->partition, lane->committed,
                    &lane->oldest_ns, &lane->oldest_offset);
        }
    }
}

/* A sample from elsewhere; the tape is looked at when it can have what was there then. */
static bool
take_given(struct lag_look *look, struct groups_sample *sample, struct error *err)
{
    if (!look->options.sample(look->options.sample_self, sample, err))
        return false;
    int64_t age_ns = clock_now_ns() - sample->sampled_ns;
    if (look->tape != NULL && age_ns >= 0 && age_ns < TAPE_GONE_NS)
        clock_sleep_until_ns(clock_monotonic_ns() + TAPE_GONE_NS - age_ns);
    if (!refresh_tape(look, err)) {
        groups_sample_done(sample);
        return false;
    }
    add_times(look, sample);
    return true;
}

bool
lag_look_again(struct lag_look *look, struct error *err)
{
    struct groups_sample sample;
    bool is_well =
        look->options.sample != NULL
            ? take_given(look, &sample, err)
            : refresh_tape(look, err) && groups_broker_sample(look->broker, &sample, err);
    if (!is_well)
        return false;
    groups_sample_done(&look->sample);
    look->sample = sample;
    look->has_sample = true;
    add_points(look);
    lag_table_forget(look->table, sample.sampled_ns - FORGET_NS);
    return true;
}

void
lag_look_renew(struct lag_look *look)
{
    const struct recorder_tap *tap = look->options.tap;
    if (look->broker != NULL)
        groups_broker_renew(look->broker, tap->properties, tap->property_count);
}

bool
lag_look_has_topics(const struct lag_look *look, struct error *err)
{
    const char *absent = look->broker == NULL ? NULL : groups_broker_absent_topic(look->broker);
    return absent == NULL ||
           error_set(err, ERROR_LIMIT,
               "topic '%.120s' does not exist at %s, or this login may not see it; check its "
               "spelling",
               absent, look->options.tap->url);
}

const struct stream *
lag_look_stream(const struct lag_look *look, const char *topic)
{
    const char *tap = look->options.tap->name;
    for (size_t i = 0; look->tape != NULL && i < tape_stream_count(look->tape); i++) {
        const struct stream *stream = tape_stream(look->tape, i);
        if (strcmp(stream->name, topic) == 0 && (tap == NULL || strcmp(stream->tap, tap) == 0))
            return stream;
    }
    return NULL;
}

const struct groups_sample *
lag_look_sample(const struct lag_look *look)
{
    return look->has_sample ? &look->sample : NULL;
}

struct groups_broker *
lag_look_broker(struct lag_look *look)
{
    return look->broker;
}

/* --- verdicts ----------------------------------------------------------------------------------- */

static void
judge_flow(struct lag_look *look, const struct group_state *group, struct lag_flow *flow,
    void (*take)(void *self, const struct lag_flow *flow), void *self)
{
    struct lag_verdict *verdicts = alloc_array(flow->count, sizeof(*verdicts));
    int32_t *partitions = alloc_array(flow->count, sizeof(*partitions));
    const char **members = alloc_array(flow->count, sizeof(const char *));
    for (size_t i = 0; i < flow->count; i++) {
        size_t count;
        const struct lag_point *points = lag_table_points(
            look->table, group->name, flow->lanes[i].topic, flow->lanes[i].partition, &count);
        lag_judge(points, count, &look->options.rules, &verdicts[i]);
        partitions[i] = flow->lanes[i].partition;
        members[i] = flow->lanes[i].member_id;
    }
    lag_stream_judge_members(verdicts, partitions, members, flow->count, &look->options.rules);
    lag_stream_judge(verdicts, partitions, flow->count, &flow->verdict);
    lag_stream_tell_idle(&flow->verdict, group->idle_count, group->member_count);
    flow->lane_verdicts = verdicts;
    take(self, flow);
    free(verdicts);
    free(partitions);
    free(members);
}

void
lag_look_flows(
    struct lag_look *look, void (*take)(void *self, const struct lag_flow *flow), void *self)
{
    for (size_t g = 0; g < look->sample.group_count; g++) {
        const struct group_state *group = &look->sample.groups[g];
        for (size_t at = 0; at < group->lane_count;) {
            struct lag_flow flow = {.tap = look->options.tap->name,
                .group = group,
                .lanes = &group->lanes[at],
                .sampled_ns = look->sample.sampled_ns};
            while (at + flow.count < group->lane_count &&
                   strcmp(group->lanes[at].topic, flow.lanes[flow.count].topic) == 0)
                flow.count++;
            judge_flow(look, group, &flow, take, self);
            at += flow.count;
        }
    }
}
