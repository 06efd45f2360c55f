/* A plan out of its JSON. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "replay/plan.h"
#include "replay/plan_json.h"

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
    plan_json_hash(object, sha256);
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
