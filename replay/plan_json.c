#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "replay/plan.h"

/* The hash is taken over the object without "sha256", dumped compact and with sorted keys: layout
 * and key order of the file do not matter, every value does. There are no floating-point numbers in
 * a plan. */

/* ---- writing --------------------------------------------------------------------------------- */

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
    put(object, "landing", landing_to_json(plan));
    put(object, "checks", findings_to_json(plan));
    return object;
}

static void
hash_object(const json_t *object, char text[CONTENT_HASH_TEXT])
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
    hash_object(object, plan->sha256);
    put(object, "sha256", json_string(plan->sha256));
    char *text = json_dumps(object, compact ? JSON_COMPACT : JSON_INDENT(2));
    assert(text != NULL);
    json_decref(object);
    return text;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Collects the first thing that is wrong, so that each value is read in one line. */
struct reader {
    struct error *err;
    bool failed;
};

static void
wrong(struct reader *reader, const char *name)
{
    if (!reader->failed)
        error_set(
            reader->err, ERROR_FORMAT, "not a plan: '%s' is missing or not as expected", name);
    reader->failed = true;
}

static const char *
get_string(struct reader *reader, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL)
        wrong(reader, name);
    return text != NULL ? text : "";
}

static int64_t
get_i64(struct reader *reader, const json_t *object, const char *name, int64_t least)
{
    const char *text = get_string(reader, object, name);
    json_error_t ignored;
    json_t *number = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &ignored);
    if (!json_is_integer(number) || json_integer_value(number) < least)
        wrong(reader, name);
    int64_t value = json_integer_value(number);
    json_decref(number);
    return value;
}

static uint64_t
get_u64(struct reader *reader, const json_t *object, const char *name)
{
    return (uint64_t)get_i64(reader, object, name, 0);
}

static int32_t
get_small(struct reader *reader, const json_t *object, const char *name, int32_t least)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < least ||
        json_integer_value(value) > PLAN_MAX_LANES) {
        wrong(reader, name);
        return least;
    }
    return (int32_t)json_integer_value(value);
}

static bool
get_bool(struct reader *reader, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_boolean(value))
        wrong(reader, name);
    return json_is_true(value);
}

static int64_t
get_time(struct reader *reader, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    int64_t when_ns = CLOCK_NONE;
    struct error ignored;
    if (json_is_null(value))
        return CLOCK_NONE;
    const char *text = get_string(reader, object, name);
    if (!clock_parse(text, strlen(text), 0, &when_ns, &ignored))
        wrong(reader, name);
    return when_ns;
}

/* A text as put_text() wrote it; NULL when it is null. */
static char *
get_text(struct reader *reader, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    const char *encoded = json_string_value(json_object_get(value, "base64"));
    struct buffer decoded = {0};
    char *text = NULL;

    if (json_is_string(value))
        text = alloc_text(json_string_value(value));
    else if (encoded != NULL && base64_decode(&decoded, bytes_of(encoded)) &&
             memchr(decoded.data, 0, decoded.length) == NULL)
        text = alloc_text(buffer_text(&decoded));
    else if (!json_is_null(value))
        wrong(reader, name);
    buffer_done(&decoded);
    return text;
}

static char *
get_needed_text(struct reader *reader, const json_t *object, const char *name)
{
    char *text = get_text(reader, object, name);
    if (text == NULL)
        wrong(reader, name);
    return text != NULL ? text : alloc_text("");
}

static void
get_hash(
    struct reader *reader, const json_t *object, const char *name, char text[CONTENT_HASH_TEXT])
{
    const char *value = get_string(reader, object, name);
    if (strlen(value) != CONTENT_HASH_TEXT - 1)
        wrong(reader, name);
    else
        memcpy(text, value, CONTENT_HASH_TEXT);
}

static void
read_lanes(struct reader *reader, const json_t *object, struct plan *plan)
{
    const json_t *lanes = json_object_get(object, "lanes");
    if (!json_is_array(lanes) || json_array_size(lanes) > PLAN_MAX_LANES) {
        wrong(reader, "lanes");
        return;
    }
    size_t count = json_array_size(lanes);
    plan->lanes = alloc_zeroed((count + 1) * sizeof(plan->lanes[0]));
    plan->lane_count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(lanes, i);
        struct plan_lane *lane = &plan->lanes[i];
        lane->tap = get_needed_text(reader, row, "tap");
        lane->stream = get_needed_text(reader, row, "stream");
        lane->partition = get_small(reader, row, "partition", 0);
        lane->target_partition = json_is_null(json_object_get(row, "target_partition"))
                                     ? -1
                                     : get_small(reader, row, "target_partition", 0);
        lane->first_offset = get_i64(reader, row, "from", 0);
        lane->last_offset = get_i64(reader, row, "to", lane->first_offset);
        lane->events = get_u64(reader, row, "events");
        lane->bytes = get_u64(reader, row, "bytes");
        lane->first_ns = get_time(reader, row, "first");
        lane->last_ns = get_time(reader, row, "last");
        lane->missing = get_u64(reader, row, "missing");
    }
}

static void
read_landing(struct reader *reader, const json_t *object, struct plan *plan)
{
    const json_t *landing = json_object_get(object, "landing");
    size_t partitions = (size_t)plan->preflight.partitions;
    uint64_t events = 0;

    plan->landing = alloc_zeroed((partitions + 1) * sizeof(plan->landing[0]));
    for (size_t i = 0; i < json_array_size(landing); i++) {
        const json_t *row = json_array_get(landing, i);
        int32_t partition = get_small(reader, row, "partition", 0);
        if ((size_t)partition >= partitions || plan->landing[partition] != 0) {
            wrong(reader, "landing");
            return;
        }
        plan->landing[partition] = get_u64(reader, row, "events");
        events += plan->landing[partition];
    }
    if (events != plan->events)
        wrong(reader, "landing");
}

static void
read_preflight(struct reader *reader, const json_t *object, struct plan_preflight *preflight)
{
    preflight->partitions = get_small(reader, object, "partitions", 1);
    preflight->cluster = get_text(reader, object, "cluster");
    preflight->configured = get_bool(reader, object, "configured");
    if (!preflight->configured)
        return;
    preflight->max_message_bytes = get_i64(reader, object, "max_message_bytes", 0);
    preflight->retention_ms = get_i64(reader, object, "retention_ms", -1);
    preflight->retention_bytes = get_i64(reader, object, "retention_bytes", -1);
    preflight->stamps_messages = get_bool(reader, object, "stamps_messages");
    preflight->cleanup = get_text(reader, object, "cleanup");
}

static void
read_target(struct reader *reader, const json_t *object, struct plan *plan)
{
    struct error reason;
    char *url = get_needed_text(reader, object, "url");
    if (!target_parse(url, &plan->target, &reason))
        wrong(reader, "url");
    else if (strcmp(plan->target.name, get_string(reader, object, "topic")) != 0)
        wrong(reader, "topic");
    free(url);
    plan->target_name = get_text(reader, object, "name");

    if (!partition_map_parse(get_string(reader, object, "partition_map"), &plan->partitions))
        wrong(reader, "partition_map");
    const char *timestamps = get_string(reader, object, "timestamps");
    if (strcmp(timestamps, "now") == 0)
        plan->timestamps = TIMESTAMPS_NOW;
    else if (strcmp(timestamps, "original") != 0)
        wrong(reader, "timestamps");
    read_preflight(reader, json_object_get(object, "preflight"), &plan->preflight);
}

static void
read_pacing(struct reader *reader, const json_t *object, struct pacing_settings *pacing)
{
    const char *mode = get_string(reader, object, "mode");
    if (strcmp(mode, "speed") == 0)
        pacing->pacing = PACING_SPEED;
    else if (strcmp(mode, "rate") == 0)
        pacing->pacing = PACING_RATE;
    else if (strcmp(mode, "fast") != 0)
        wrong(reader, "mode");
    pacing->value = get_u64(reader, object, "millionths");
    pacing->max_gap_ns = get_i64(reader, object, "max_gap_ns", 0);
    if ((pacing->pacing != PACING_FAST && pacing->value == 0) ||
        pacing->value > PACER_MAX_VALUE * 1000000)
        wrong(reader, "millionths");
}

static void
read_checks(struct reader *reader, const json_t *object, struct plan *plan)
{
    const json_t *fidelity = json_object_get(object, "fidelity");
    plan->fidelity.timeless = get_u64(reader, fidelity, "timeless");
    plan->fidelity.sub_millisecond = get_u64(reader, fidelity, "sub_millisecond");
    plan->fidelity.stamped_by_target = get_u64(reader, fidelity, "stamped_by_target");
    plan->fidelity.past_retention = get_u64(reader, fidelity, "past_retention");
    if (json_object_get(fidelity, "left_out") != NULL)
        plan->fidelity.left_out = get_u64(reader, fidelity, "left_out");

    const json_t *order = json_object_get(object, "order");
    plan->order.null_keys = get_u64(reader, order, "null_keys");
    plan->order.keys = get_u64(reader, order, "keys");
    plan->order.moved_events = get_u64(reader, order, "moved_events");
    plan->order.moved_keys = get_u64(reader, order, "moved_keys");
    plan->order.split_keys = get_u64(reader, order, "split_keys");
    plan->order.keys_complete = get_bool(reader, order, "keys_complete");
}

static void
read_plan(struct reader *reader, const json_t *object, struct plan *plan)
{
    const char *id = get_string(reader, object, "id");
    if (plan_is_id(id))
        memcpy(plan->id, id, PLAN_ID_TEXT);
    else
        wrong(reader, "id");
    plan->made_ns = get_time(reader, object, "made");
    plan->tape = get_needed_text(reader, object, "tape");
    plan->query = get_needed_text(reader, object, "query");
    plan->first_seq = get_u64(reader, object, "first_seq");
    plan->end_seq = get_u64(reader, object, "end_seq");
    plan->events = get_u64(reader, object, "events");
    plan->bytes = get_u64(reader, object, "bytes");
    plan->first_ns = get_time(reader, object, "first");
    plan->last_ns = get_time(reader, object, "last");
    get_hash(reader, object, "content_sha256", plan->content);
    read_target(reader, json_object_get(object, "target"), plan);
    read_pacing(reader, json_object_get(object, "pacing"), &plan->pacing);
    plan->max_hops = get_u64(reader, object, "max_hops");
    read_lanes(reader, object, plan);
    read_landing(reader, object, plan);
    read_checks(reader, json_object_get(object, "checks"), plan);
    if (plan->end_seq <= plan->first_seq || plan->events > plan->end_seq - plan->first_seq)
        wrong(reader, "end_seq");
}

/* True when the object, which loses its "sha256", is a plan of this version and hashes to that. */
static bool
check_hash(json_t *object, char sha256[CONTENT_HASH_TEXT], struct error *err)
{
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *claimed = json_string_value(json_object_get(object, "sha256"));
    if (kind == NULL || strcmp(kind, "replay-plan") != 0 || claimed == NULL)
        return error_set(err, ERROR_FORMAT, "not a replay plan");
    if (json_integer_value(json_object_get(object, "v")) != PLAN_VERSION)
        return error_set(err, ERROR_FORMAT, "a plan of another version; make a new one");

    char *expected = alloc_text(claimed);
    json_object_del(object, "sha256");
    hash_object(object, sha256);
    bool same = strcmp(expected, sha256) == 0;
    free(expected);
    return same ||
           error_set(err, ERROR_REFUSED,
               "the plan was changed after it was made (its SHA-256 differs); make a new one");
}

struct plan *
plan_from_json(const char *text, size_t length, struct error *err)
{
    json_error_t where;
    char sha256[CONTENT_HASH_TEXT];
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (object == NULL) {
        error_set(err, ERROR_FORMAT, "not JSON: line %d: %s", where.line, where.text);
        return NULL;
    }
    if (!check_hash(object, sha256, err)) {
        json_decref(object);
        return NULL;
    }

    struct reader reader = {.err = err};
    struct plan *plan = plan_new();
    read_plan(&reader, object, plan);
    memcpy(plan->sha256, sha256, sizeof(sha256));
    json_decref(object);
    if (!reader.failed)
        return plan;
    plan_free(plan);
    return NULL;
}
