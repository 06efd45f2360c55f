/* A plan as JSON. */
#include "replay/plan_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "replay/plan.h"

static void
put(json_t *object, const char *name, json_t *value)
{
    int failed = json_object_set_new(object, name, value);
    assert(!failed); /* memory, or text that is not UTF-8: put_text() has taken care of that */
    (void)failed;
}

/* Names and paths need not be UTF-8; those that are not are kept as base64. */
static void
put_text(json_t *object, const char *name, const char *text)
{
    if (text == NULL) {
        put(object, name, json_null());
    } else if (bytes_is_utf8(bytes_of(text))) {
        put(object, name, json_string(text));
    } else {
        struct buffer encoded = {0};
        base64_append(&encoded, bytes_of(text));
        put(object, name, json_pack("{ss}", "base64", buffer_text(&encoded)));
        buffer_done(&encoded);
    }
}

static void
put_u64(json_t *object, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    put(object, name, json_string(text));
}

static void
put_i64(json_t *object, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, value);
    put(object, name, json_string(text));
}

static void
put_time(json_t *object, const char *name, int64_t when_ns)
{
    char text[CLOCK_TEXT_MAX];
    if (when_ns == CLOCK_NONE)
        put(object, name, json_null());
    else
        put(object, name, json_string(clock_format(when_ns, text)));
}

static json_t *
lanes_to_json(const struct plan *plan)
{
    json_t *lanes = json_array();
    for (size_t i = 0; i < plan->lane_count; i++) {
        const struct plan_lane *lane = &plan->lanes[i];
        json_t *row = json_object();
        put_text(row, "tap", lane->tap);
        put_text(row, "stream", lane->stream);
        put(row, "partition", json_integer(lane->partition));
        put(row, "target_partition",
            lane->target_partition < 0 ? json_null() : json_integer(lane->target_partition));
        put_i64(row, "from", lane->first_offset);
        put_i64(row, "to", lane->last_offset);
        put_u64(row, "events", lane->events);
        put_u64(row, "bytes", lane->bytes);
        put_time(row, "first", lane->first_ns);
        put_time(row, "last", lane->last_ns);
        put_u64(row, "missing", lane->missing);
        json_array_append_new(lanes, row);
    }
    return lanes;
}

/* As COVERAGE of tapedeck-json(7) has them. */
static json_t *
holes_to_json(const struct plan *plan)
{
    json_t *holes = json_array();
    for (size_t i = 0; i < plan->hole_count; i++) {
        const struct plan_hole *of = &plan->holes[i];
        const struct hole *hole = &of->hole;
        json_t *row = json_object();
        put_text(row, "tap", of->tap);
        put_text(row, "stream", of->stream);
        put(row, "partition", json_integer(of->partition));
        put_i64(row, "from", hole->from);
        if (hole->to < 0)
            put(row, "to", json_null());
        else
            put_i64(row, "to", hole->to);
        put(row, "reason", json_string(hole_reason_text(hole->reason)));
        put_time(row, "noticed", hole->noticed_ns);
        put_time(row, "after", of->times.after_ns);
        put_time(row, "before", of->times.before_ns);
        json_t *deleted = hole->was_here ? json_object() : json_null();
        if (hole->was_here) {
            put_time(deleted, "first", hole->first_ns);
            put_time(deleted, "last", hole->last_ns);
        }
        put(row, "deleted", deleted);
        json_array_append_new(holes, row);
    }
    return holes;
}

static void
put_place(json_t *object, const char *name, const struct plan_place *place)
{
    json_t *row = json_object();
    put_text(row, "tap", place->tap);
    put_text(row, "stream", place->stream);
    put(row, "partition", json_integer(place->partition));
    put_i64(row, "offset", place->offset);
    put(object, name, row);
}

/* As TAPE VERIFY of tapedeck-json(7). */
static json_t *
damage_to_json(const struct plan *plan)
{
    json_t *damaged = json_array();
    for (size_t i = 0; i < plan->damage_count; i++) {
        const struct plan_damage *damage = &plan->damage[i];
        json_t *row = json_object();
        put_text(row, "damage", damage->text);
        put_u64(row, "first_seq", damage->first_seq);
        put_u64(row, "end_seq", damage->end_seq);
        if (damage->events == 0)
            put(row, "events", json_null());
        else
            put_u64(row, "events", damage->events);
        if (damage->first.tap != NULL) {
            put_place(row, "first", &damage->first);
            put_place(row, "last", &damage->last);
        }
        json_array_append_new(damaged, row);
    }
    return damaged;
}

static json_t *
landing_to_json(const struct plan *plan)
{
    json_t *landing = json_array();
    for (int32_t i = 0; i < plan->preflight.partitions; i++) {
        if (plan->landing[i] == 0)
            continue;
        json_t *row = json_object();
        put(row, "partition", json_integer(i));
        put_u64(row, "events", plan->landing[i]);
        json_array_append_new(landing, row);
    }
    return landing;
}

static json_t *
pacing_to_json(const struct pacing_settings *pacing)
{
    static const char *const modes[] = {
        [PACING_FAST] = "fast", [PACING_SPEED] = "speed", [PACING_RATE] = "rate"};
    json_t *object = json_object();
    put(object, "mode", json_string(modes[pacing->pacing]));
    put_u64(object, "millionths", pacing->value);
    put_i64(object, "max_gap_ns", pacing->max_gap_ns);
    return object;
}

static json_t *
preflight_to_json(const struct plan_preflight *preflight)
{
    json_t *object = json_object();
    put(object, "partitions", json_integer(preflight->partitions));
    put_text(object, "cluster", preflight->cluster);
    put(object, "configured", json_boolean(preflight->configured));
    if (preflight->configured) {
        put_i64(object, "max_message_bytes", preflight->max_message_bytes);
        put_i64(object, "retention_ms", preflight->retention_ms);
        put_i64(object, "retention_bytes", preflight->retention_bytes);
        put(object, "stamps_messages", json_boolean(preflight->stamps_messages));
        put_text(object, "cleanup", preflight->cleanup);
    }
    return object;
}

static json_t *
target_to_json(const struct plan *plan)
{
    json_t *object = json_object();
    put_text(object, "url", plan->target.url);
    put_text(object, "name", plan->target_name);
    put_text(object, "topic", plan->target.name);
    put(object, "partition_map", json_string(partition_map_text(plan->partitions)));
    put(object, "timestamps", json_string(plan_timestamps_text(plan->timestamps)));
    put(object, "headers", json_string("original + x-tapedeck-replay, -seq, -orig, -hops"));
    put(object, "preflight", preflight_to_json(&plan->preflight));
    return object;
}

static json_t *
findings_to_json(const struct plan *plan)
{
    json_t *object = json_object();
    json_t *fidelity = json_object();
    put_u64(fidelity, "timeless", plan->fidelity.timeless);
    put_u64(fidelity, "sub_millisecond", plan->fidelity.sub_millisecond);
    put_u64(fidelity, "stamped_by_target", plan->fidelity.stamped_by_target);
    put_u64(fidelity, "past_retention", plan->fidelity.past_retention);
    if (plan->fidelity.left_out > 0)
        put_u64(fidelity, "left_out", plan->fidelity.left_out);
    put(object, "fidelity", fidelity);

    json_t *order = json_object();
    put_u64(order, "null_keys", plan->order.null_keys);
    put_u64(order, "keys", plan->order.keys);
    put_u64(order, "moved_events", plan->order.moved_events);
    put_u64(order, "moved_keys", plan->order.moved_keys);
    put_u64(order, "split_keys", plan->order.split_keys);
    put(order, "keys_complete", json_boolean(plan->order.keys_complete));
    put(object, "order", order);
    return object;
}

static json_t *
plan_object(const struct plan *plan)
{
    json_t *object = json_object();
    put(object, "v", json_integer(PLAN_VERSION));
    put(object, "kind", json_string("replay-plan"));
    put(object, "id", json_string(plan->id));
    put_time(object, "made", plan->made_ns);
    put_text(object, "tape", plan->tape);
    put_text(object, "query", plan->query);
    put_u64(object, "first_seq", plan->first_seq);
    put_u64(object, "end_seq", plan->end_seq);
    put_u64(object, "events", plan->events);
    put_u64(object, "bytes", plan->bytes);
    put_time(object, "first", plan->first_ns);
    put_time(object, "last", plan->last_ns);
    put(object, "content_sha256", json_string(plan->content));
    put(object, "target", target_to_json(plan));
    put(object, "pacing", pacing_to_json(&plan->pacing));
    put_u64(object, "max_hops", plan->max_hops);
    put(object, "lanes", lanes_to_json(plan));
    put(object, "holes", holes_to_json(plan));
    put_u64(object, "holes_not_named", plan->holes_not_named);
    put(object, "damaged", damage_to_json(plan));
    put(object, "landing", landing_to_json(plan));
    put(object, "checks", findings_to_json(plan));
    return object;
}

void
plan_json_hash(const json_t *object, char text[CONTENT_HASH_TEXT])
{
    char *canonical = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT);
    assert(canonical != NULL);
    sha256_text(bytes_of(canonical), text);
    free(canonical);
}

char *
plan_to_json(struct plan *plan, bool compact)
{
    json_t *object = plan_object(plan);
    plan_json_hash(object, plan->sha256);
    put(object, "sha256", json_string(plan->sha256));
    char *text = json_dumps(object, compact ? JSON_COMPACT : JSON_INDENT(2));
    assert(text != NULL);
    json_decref(object);
    return text;
}
