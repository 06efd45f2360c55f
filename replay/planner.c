#include "replay/planner.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/event.h"
#include "index/tape.h"
#include "replay/content_hash.h"
#include "replay/key_survey.h"
#include "replay/plan_missing.h"
#include "replay/provenance.h"
#include "replay/selection.h"
#include "replay/target_reader.h"
#include "replay/target_zmq.h"

#define CANCEL_EVERY 4096u

/* What the headers of provenance add at the least: their names and the id. */
#define PROVENANCE_BYTES 90u

struct planning {
    const struct planner_options *options;
    struct plan *plan;
    struct selection *selection;
    struct content_hash *content;
    struct key_survey *keys;
    size_t lane_capacity;
    size_t last_lane;     /* events come in runs of one lane */
    uint32_t *stream_ids; /* of each lane in plan->lanes */
    size_t stream_capacity;
};

static bool
ask_target(struct planning *planning, struct error *err)
{
    struct plan *plan = planning->plan;
    struct target_facts facts;
    if (!target_ask(&plan->target, planning->options->settings, &facts, err))
        return false;
    if (facts.partitions > PLAN_MAX_LANES)
        return error_set(err, ERROR_LIMIT, "topic '%s' has %d partitions; at most %d are possible",
            plan->target.name, (int)facts.partitions, PLAN_MAX_LANES);

    plan->preflight = (struct plan_preflight){
        .partitions = facts.partitions,
        .cluster = facts.cluster[0] != '\0' ? alloc_text(facts.cluster) : NULL,
        .configured = facts.configured,
        .max_message_bytes = facts.max_message_bytes,
        .retention_ms = facts.retention_ms,
        .retention_bytes = facts.retention_bytes,
        .stamps_messages = facts.stamps_messages,
        .cleanup = facts.configured ? alloc_text(facts.cleanup) : NULL,
    };
    plan->landing = alloc_zeroed((size_t)facts.partitions * sizeof(plan->landing[0]));
    return true;
}

static struct plan_lane *
find_lane(struct planning *planning, const struct event *event)
{
    struct plan *plan = planning->plan;
    size_t at = planning->last_lane;
    if (planning->stream_ids == NULL)
        return NULL;
    for (size_t i = 0; i < plan->lane_count; i++, at = at + 1 < plan->lane_count ? at + 1 : 0) {
        if (planning->stream_ids[at] == event->stream->id &&
            plan->lanes[at].partition == event->partition) {
            planning->last_lane = at;
            return &plan->lanes[at];
        }
    }
    return NULL;
}

static struct plan_lane *
add_lane(struct planning *planning, const struct event *event)
{
    struct plan *plan = planning->plan;
    size_t at = plan->lane_count;
    plan->lanes = alloc_grow(plan->lanes, at, &planning->lane_capacity, sizeof(plan->lanes[0]));
    planning->stream_ids = alloc_grow(
        planning->stream_ids, at, &planning->stream_capacity, sizeof(planning->stream_ids[0]));
    planning->stream_ids[at] = event->stream->id;
    plan->lanes[at] = (struct plan_lane){
        .tap = alloc_text(event->stream->tap),
        .stream = alloc_text(event->stream->name),
        .partition = event->partition,
        .target_partition = INT32_MIN,
        .first_offset = event->offset,
        .last_offset = event->offset,
        .first_ns = event_time(event),
        .last_ns = event_time(event),
    };
    plan->lane_count++;
    planning->last_lane = at;
    return &plan->lanes[at];
}

static void
widen(int64_t *first, int64_t *last, int64_t value)
{
    if (value < *first)
        *first = value;
    if (value > *last)
        *last = value;
}

static void
count_fidelity(struct planning *planning, const struct event *event)
{
    struct plan *plan = planning->plan;
    struct plan_fidelity *fidelity = &plan->fidelity;
    if (strcmp(plan->target.transport, "zmq") == 0)
        fidelity->left_out += target_zmq_loses(event);
    if (plan->timestamps == TIMESTAMPS_NOW || strcmp(plan->target.transport, "kafka") != 0)
        return;

    int64_t time_ms = plan_time_ms(plan, event->time_ns);
    if (plan->preflight.stamps_messages)
        fidelity->stamped_by_target++;
    else if (time_ms == 0)
        fidelity->timeless++;
    else if (event->time_ns % NS_PER_MS != 0)
        fidelity->sub_millisecond++;
    if (plan->preflight.configured && plan->preflight.retention_ms >= 0 && time_ms > 0 &&
        !plan->preflight.stamps_messages &&
        time_ms < plan->made_ns / NS_PER_MS - plan->preflight.retention_ms)
        fidelity->past_retention++;
}

/* The rules that a single event can break. */
static bool
check_event(const struct planning *planning, const struct event *event, struct error *err)
{
    const struct plan *plan = planning->plan;
    uint64_t hops = provenance_hops(event);
    if (hops >= plan->max_hops)
        return error_set(err, ERROR_REFUSED,
            "%s[%d]@%" PRId64 " has been replayed %" PRIu64
            " time(s) already; leave such events out, or allow it with --max-hops %" PRIu64,
            event->stream->label, (int)event->partition, event->offset, hops, hops + 1);

    uint64_t least = (uint64_t)event_size(event) + PROVENANCE_BYTES;
    if (plan->preflight.configured && least > (uint64_t)plan->preflight.max_message_bytes)
        return error_set(err, ERROR_REFUSED,
            "%s[%d]@%" PRId64 " is %zu bytes, topic '%s' takes at most %" PRId64
            " with headers; raise its max.message.bytes or leave the event out",
            event->stream->label, (int)event->partition, event->offset, event_size(event),
            plan->target.name, plan->preflight.max_message_bytes);

    if (strcmp(event->stream->name, plan->target.name) == 0 && !planning->options->allow_source)
        return error_set(err, ERROR_REFUSED,
            "the target '%s' has the name of a selected stream: its readers would get the events "
            "twice, and a tap on it would record the replay; replay into another topic, or give "
            "--allow-source if this is meant",
            plan->target.name);
    return true;
}

static bool
add_event(struct planning *planning, const struct event *event, struct error *err)
{
    struct plan *plan = planning->plan;
    if (!check_event(planning, event, err))
        return false;

    int32_t target = partition_map_apply(
        plan->partitions, event->key, event->partition, plan->preflight.partitions);
    if (target < 0)
        return error_set(err, ERROR_REFUSED,
            "%s has events in partition %d, the topic '%s' has only %d partitions; give it more, "
            "or "
            "choose --partitions modulo or --partitions murmur2",
            event->stream->label, (int)event->partition, plan->target.name,
            (int)plan->preflight.partitions);

    struct plan_lane *lane = find_lane(planning, event);
    if (lane == NULL)
        lane = add_lane(planning, event);
    lane->events++;
    lane->bytes += event_size(event);
    widen(&lane->first_offset, &lane->last_offset, event->offset);
    widen(&lane->first_ns, &lane->last_ns, event_time(event));
    if (lane->target_partition == INT32_MIN)
        lane->target_partition = target;
    else if (lane->target_partition != target)
        lane->target_partition = -1;

    if (plan->events == 0) {
        plan->first_seq = event->seq;
        plan->first_ns = plan->last_ns = event_time(event);
    }
    plan->end_seq = event->seq + 1;
    plan->events++;
    plan->bytes += event_size(event);
    plan->landing[target]++;
    widen(&plan->first_ns, &plan->last_ns, event_time(event));
    count_fidelity(planning, event);
    key_survey_add(planning->keys, event->key, event->partition, target);
    content_hash_event(planning->content, event);
    return true;
}

static bool
is_cancelled(const struct planner_options *options)
{
    return options->is_cancelled != NULL && options->is_cancelled(options->self);
}

/* Nothing matches; what cannot be read may. */
static bool
fail_empty(const struct planning *planning, struct error *err)
{
    const struct plan *plan = planning->plan;
    const struct tape_damage *damage = NULL;
    bool is_damaged = tape_damage(selection_tape(planning->selection), &damage) > 0;
    (void)error_set(err, is_damaged ? ERROR_DAMAGED : ERROR_SYSTEM,
        "nothing to replay: no event on tape '%s' matches%s%.200s", plan->tape,
        plan->query[0] != '\0' ? " " : "", plan->query);
    return is_damaged ? error_wrap(err, "tape damaged: %.100s", damage[0].text) : false;
}

/* What may be meant and is left out, or not meant and sent, is no plan. */
static bool
check_decided(const struct planning *planning, struct error *err)
{
    uint64_t gave_up = selection_gave_up(planning->selection);
    return gave_up == 0 ||
           error_set(err, ERROR_REFUSED,
               "the query gave up on %" PRIu64 " value%s, whose events may be meant or not; put a "
               "term in front that decides it, like size<100000",
               gave_up, gave_up == 1 ? "" : "s");
}

static bool
read_selection(struct planning *planning, struct error *err)
{
    struct plan *plan = planning->plan;
    while (true) {
        struct event event;
        switch (selection_next(planning->selection, &event, err)) {
        case CURSOR_EVENT:
            if (!add_event(planning, &event, err))
                return false;
            if (plan->events % CANCEL_EVERY != 0)
                continue;
            break;
        case CURSOR_PAUSED:
            break;
        case CURSOR_END:
            return check_decided(planning, err) && (plan->events > 0 || fail_empty(planning, err));
        case CURSOR_FAILED:
            return false;
        }
        if (is_cancelled(planning->options))
            return error_set(err, ERROR_SYSTEM, "planning was interrupted");
    }
}

/* Offsets of the lane's range that a broker had and the tape has not. */
static uint64_t
count_missing(const struct plan_lane *lane, const struct lane_summary *summary)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < summary->hole_count; i++) {
        const struct hole *hole = &summary->holes[i];
        int64_t from = hole->from > lane->first_offset ? hole->from : lane->first_offset;
        int64_t to = hole->to < lane->last_offset ? hole->to : lane->last_offset;
        if (hole->reason != HOLE_COMPACTED_OR_ABORTED && from <= to)
            missing += (uint64_t)(to - from) + 1;
    }
    return missing;
}

static bool
look_for_holes(struct planning *planning, struct error *err)
{
    struct plan *plan = planning->plan;
    struct tape *tape = selection_tape(planning->selection);
    size_t count;
    tape_leave_missed(tape); /* what retention deleted while it was read is missing too */
    const struct lane_summary *summaries = tape_lanes(tape, &count, err);
    if (summaries == NULL)
        return false;
    assert(planning->stream_ids != NULL); /* nothing selected is an error before this */
    for (size_t i = 0; i < plan->lane_count; i++)
        for (size_t j = 0; j < count; j++)
            if (summaries[j].stream->id == planning->stream_ids[i] &&
                summaries[j].partition == plan->lanes[i].partition)
                plan->lanes[i].missing = count_missing(&plan->lanes[i], &summaries[j]);
    return plan_missing_find(plan, tape, selection_query(planning->selection), err);
}

static int
compare_lanes(const void *left, const void *right)
{
    const struct plan_lane *a = left;
    const struct plan_lane *b = right;
    int order = strcmp(a->tap, b->tap);
    if (order == 0)
        order = strcmp(a->stream, b->stream);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static bool
fill_plan(struct planning *planning, struct error *err)
{
    const struct planner_options *options = planning->options;
    struct plan *plan = planning->plan;
    char *directory = realpath(options->tape, NULL);

    plan->made_ns = clock_now_ns();
    plan_make_id(plan->made_ns, plan->id);
    plan->tape = alloc_text(directory != NULL ? directory : options->tape);
    free(directory);
    plan->query = alloc_text(options->query != NULL ? options->query : "");
    if (options->target_name != NULL)
        plan->target_name = alloc_text(options->target_name);
    plan->timestamps = options->timestamps;
    plan->pacing = options->pacing;
    plan->max_hops = options->max_hops;
    if (!target_parse(options->target, &plan->target, err))
        return false;
    /* What has no partitions takes all lanes into its one. */
    bool has_partitions = strcmp(plan->target.transport, "kafka") == 0;
    plan->partitions = has_partitions ? options->partitions : PARTITION_MODULO;
    planning->selection = selection_open(options->tape, plan->query, plan->made_ns, 0, 0, err);
    if (planning->selection == NULL || !ask_target(planning, err) ||
        !read_selection(planning, err) || !look_for_holes(planning, err))
        return false;

    content_hash_end(planning->content, plan->content);
    key_survey_result(planning->keys, &plan->order);
    qsort(plan->lanes, plan->lane_count, sizeof(plan->lanes[0]), compare_lanes);
    return true;
}

struct plan *
planner_make(const struct planner_options *options, struct error *err)
{
    struct planning planning = {
        .options = options,
        .plan = plan_new(),
        .content = content_hash_new(),
        .keys = key_survey_new(),
    };
    if (!fill_plan(&planning, err)) {
        plan_free(planning.plan);
        planning.plan = NULL;
    }
    selection_close(planning.selection);
    content_hash_free(planning.content);
    key_survey_free(planning.keys);
    free(planning.stream_ids);
    return planning.plan;
}
