#include "console/lag_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/json_event.h"

/* --- writing ------------------------------------------------------------------------------------ */

static void
append_name(struct buffer *to, const char *key, const char *text)
{
    buffer_printf(to, ",\"%s\":", key);
    if (text == NULL || text[0] == '\0')
        buffer_append_text(to, "null");
    else
        json_append_string(to, bytes_of(text));
}

static void
append_count(struct buffer *to, const char *key, int64_t value)
{
    buffer_printf(to, ",\"%s\":", key);
    if (value < 0)
        buffer_append_text(to, "null");
    else
        json_append_i64(to, value);
}

static void
append_number(struct buffer *to, const char *key, double value)
{
    if (value < 0)
        buffer_printf(to, ",\"%s\":null", key);
    else
        buffer_printf(to, ",\"%s\":%.3f", key, value);
}

static void
append_moment(struct buffer *to, const char *key, int64_t when_ns)
{
    char text[CLOCK_TEXT_MAX];
    if (when_ns == CLOCK_NONE || when_ns <= 0)
        buffer_printf(to, ",\"%s\":null", key);
    else
        buffer_printf(to, ",\"%s\":\"%s\"", key, clock_format(when_ns, text));
}

static void
append_lane(struct buffer *to, const struct group_lane *lane, const struct lag_verdict *verdict)
{
    buffer_printf(to, "{\"partition\":%" PRId32, lane->partition);
    append_name(to, "member", lane->member);
    append_name(to, "member_id", lane->member_id);
    append_count(to, "committed", lane->committed);
    append_count(to, "end", lane->end);
    append_count(to, "log_start", lane->log_start);
    append_count(to, "lag", verdict->lag);
    append_number(to, "seconds", verdict->seconds);
    append_name(to, "state", lag_state_text(verdict->state));
    append_name(to, "reason", verdict->reason);
    append_count(to, "again_from", verdict->again_from);
    append_count(to, "again_to", verdict->again_to < 0 ? -1 : verdict->again_to - 1);
    buffer_append_byte(to, '}');
}

void
lag_json_append(struct buffer *to, const struct lag_flow *flow)
{
    const struct lag_verdict *verdict = &flow->verdict;
    buffer_append_text(to, "{\"v\":1");
    append_name(to, "tap", flow->tap);
    append_name(to, "group", flow->group->name);
    append_name(to, "stream", flow->lanes[0].topic);
    append_name(to, "state", lag_state_text(verdict->state));
    append_name(to, "reason", verdict->reason);
    append_name(to, "next", verdict->next);
    append_count(to, "lag", verdict->lag);
    append_number(to, "seconds", verdict->seconds);
    append_number(to, "in_rate", verdict->in_rate);
    append_number(to, "out_rate", verdict->out_rate);
    append_number(to, "drain_seconds", verdict->drain_seconds);
    append_number(to, "retention_seconds", verdict->retention_seconds);
    buffer_append_text(to, ",\"members\":");
    if (flow->group->member_count < 0)
        buffer_append_text(to, "null");
    else
        buffer_printf(to, "%" PRId32, flow->group->member_count);
    buffer_append_text(to, ",\"partitions\":[");
    for (size_t i = 0; i < flow->count; i++) {
        if (i > 0)
            buffer_append_byte(to, ',');
        append_lane(to, &flow->lanes[i], &flow->lane_verdicts[i]);
    }
    buffer_printf(to, "],\"rebalances\":%" PRId32, verdict->rebalances);
    append_moment(to, "rebalanced", verdict->rebalanced_ns);
    append_moment(to, "sampled", flow->sampled_ns);
    buffer_append_byte(to, '}');
}

/* --- reading ------------------------------------------------------------------------------------ */

/* The text of a member; NULL: null, or not there. */
static const char *
text_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static char *
text_copy(json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    return text == NULL ? NULL : alloc_text(text);
}

static int64_t
count_of(json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    if (text == NULL)
        return -1;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno != 0 || *end != '\0' || value < 0 ? -1 : (int64_t)value;
}

static double
number_of(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_number(value) && json_number_value(value) >= 0 ? json_number_value(value) : -1.0;
}

static int32_t
integer_of(json_t *object, const char *key, int32_t missing)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    bool is_there = json_is_integer(json_object_get(object, key));
    return is_there && value >= 0 && value <= INT32_MAX ? (int32_t)value : missing;
}

static int64_t
moment_of(json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    struct error ignored;
    int64_t when_ns;
    if (text == NULL || !clock_parse(text, strlen(text), 0, &when_ns, &ignored))
        return CLOCK_NONE;
    return when_ns;
}

static void
copy_text(char *to, size_t size, const char *text)
{
    (void)snprintf(to, size, "%s", text == NULL ? "" : text);
}

/* What a flow and a partition have in common. */
static bool
read_verdict(json_t *object, struct lag_verdict *verdict)
{
    const char *state = text_of(object, "state");
    *verdict = (struct lag_verdict){.lag = count_of(object, "lag"),
        .seconds = number_of(object, "seconds"),
        .in_rate = number_of(object, "in_rate"),
        .out_rate = number_of(object, "out_rate"),
        .drain_seconds = number_of(object, "drain_seconds"),
        .retention_seconds = number_of(object, "retention_seconds"),
        .again_from = count_of(object, "again_from"),
        .again_to = count_of(object, "again_to"),
        .rebalances = integer_of(object, "rebalances", 0),
        .rebalanced_ns = moment_of(object, "rebalanced"),
        .partition = -1};
    if (verdict->again_to >= 0)
        verdict->again_to++;
    copy_text(verdict->reason, sizeof(verdict->reason), text_of(object, "reason"));
    copy_text(verdict->next, sizeof(verdict->next), text_of(object, "next"));
    return state != NULL && lag_state_parse(state, strlen(state), &verdict->state);
}

static bool
read_lane(json_t *object, const char *topic, struct group_lane *lane, struct lag_verdict *verdict)
{
    *lane = (struct group_lane){.topic = alloc_text(topic),
        .partition = integer_of(object, "partition", -1),
        .committed = count_of(object, "committed"),
        .log_start = count_of(object, "log_start"),
        .end = count_of(object, "end"),
        .stable = -1,
        .oldest_ns = CLOCK_NONE,
        .oldest_offset = -1,
        .member = text_copy(object, "member"),
        .member_id = text_copy(object, "member_id")};
    return read_verdict(object, verdict) && lane->partition >= 0;
}

/* The partition whose verdict is that of the whole: what runs again or was passed over is its. */
static void
find_worst(struct lag_saved *saved)
{
    struct lag_verdict *all = &saved->flow.verdict;
    size_t worst = 0;
    for (size_t i = 1; i < saved->flow.count; i++)
        if (saved->verdicts[i].state > saved->verdicts[worst].state ||
            (saved->verdicts[i].state == saved->verdicts[worst].state &&
                saved->verdicts[i].lag > saved->verdicts[worst].lag))
            worst = i;
    all->partition = saved->flow.lanes[worst].partition;
    all->again_from = saved->verdicts[worst].again_from;
    all->again_to = saved->verdicts[worst].again_to;
}

static bool
read_flow(json_t *object, struct lag_saved *saved)
{
    const char *topic = text_of(object, "stream");
    json_t *partitions = json_object_get(object, "partitions");
    size_t count = json_array_size(partitions);
    saved->group.name = text_copy(object, "group");
    saved->group.member_count = integer_of(object, "members", -1);
    saved->tap = text_copy(object, "tap");
    if (topic == NULL || saved->group.name == NULL || count == 0 ||
        !read_verdict(object, &saved->flow.verdict))
        return false;

    saved->group.lanes = alloc_zeroed(count * sizeof(*saved->group.lanes));
    saved->verdicts = alloc_zeroed(count * sizeof(*saved->verdicts));
    for (size_t i = 0; i < count; i++) {
        saved->group.lane_count = i + 1;
        if (!read_lane(
                json_array_get(partitions, i), topic, &saved->group.lanes[i], &saved->verdicts[i]))
            return false;
    }
    saved->flow.tap = saved->tap;
    saved->flow.lanes = saved->group.lanes;
    saved->flow.group = &saved->group;
    saved->flow.count = count;
    saved->flow.lane_verdicts = saved->verdicts;
    saved->flow.sampled_ns = moment_of(object, "sampled");
    find_worst(saved);
    return true;
}

bool
lag_json_read(struct bytes text, struct lag_saved *saved)
{
    *saved = (struct lag_saved){0};
    if (text.data == NULL)
        return false;
    json_t *object = json_loadb((const char *)text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    bool is_well = json_is_object(object) && read_flow(object, saved);
    json_decref(object);
    if (!is_well)
        lag_saved_done(saved);
    return is_well;
}

void
lag_saved_done(struct lag_saved *saved)
{
    for (size_t i = 0; i < saved->group.lane_count; i++) {
        free(saved->group.lanes[i].topic);
        free(saved->group.lanes[i].member);
        free(saved->group.lanes[i].member_id);
    }
    free(saved->group.lanes);
    free(saved->group.name);
    free(saved->verdicts);
    free(saved->tap);
    *saved = (struct lag_saved){0};
}
