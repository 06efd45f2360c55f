#include "ui/lag_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"

static const struct lag_face faces[] = {
    [LAG_IDLE] = {"IDLE", 0x25cc, ROLE_IDLE},
    [LAG_OK] = {"OK", 0x25cf, ROLE_OK},
    [LAG_UNKNOWN] = {"UNKNOWN", '?', ROLE_IDLE},
    [LAG_WARN] = {"WARN", 0x25b2, ROLE_ATTENTION},
    [LAG_SLOW] = {"SLOW", 0x25b2, ROLE_ATTENTION},
    [LAG_REBALANCING] = {"REBALANCING", 0x25b2, ROLE_ATTENTION},
    [LAG_STALL] = {"STALL", 0x25a0, ROLE_CRITICAL},
    [LAG_STOP] = {"STOP", 0x25a0, ROLE_CRITICAL},
    [LAG_JUMP] = {"JUMP", 0x25a0, ROLE_CRITICAL},
    [LAG_REWIND] = {"REWIND", 0x25a0, ROLE_CRITICAL},
};

_Static_assert(sizeof(faces) / sizeof(faces[0]) == LAG_STATE_COUNT, "one face each");

const struct lag_face *
lag_face_of(enum lag_state state)
{
    return &faces[state];
}

bool
lag_is_problem(enum lag_state state)
{
    return state >= LAG_WARN;
}

static const char *
read_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static enum lag_state
read_state(const json_t *object)
{
    const char *text = read_text(object, "state");
    for (int i = 0; i < LAG_STATE_COUNT; i++)
        if (strcmp(faces[i].word, text) == 0)
            return (enum lag_state)i;
    return LAG_UNKNOWN;
}

/* A count of 64 bits is a string of digits; -1 for everything else. */
static int64_t
read_count(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value))
        return json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
    const char *text = json_string_value(value);
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return -1;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0 ? number : -1;
}

static double
read_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    double number = json_is_number(value) ? json_number_value(value) : -1.0;
    return number >= 0.0 ? number : -1.0;
}

static void
read_lanes(struct lag_sample *sample, const json_t *array)
{
    size_t count = json_array_size(array);
    if (count > LAG_SAMPLE_MAX_LANES)
        count = LAG_SAMPLE_MAX_LANES;
    for (size_t i = 0; i < count; i++) {
        const json_t *object = json_array_get(array, i);
        int64_t partition = read_count(object, "partition");
        if (partition < 0 || partition > INT32_MAX)
            continue;
        sample->lanes = alloc_grow(
            sample->lanes, sample->lane_count, &sample->lane_capacity, sizeof(sample->lanes[0]));
        sample->lanes[sample->lane_count++] = (struct lag_lane){
            .partition = (int32_t)partition,
            .state = read_state(object),
            .committed = read_count(object, "committed"),
            .lag = read_count(object, "lag"),
            .seconds = read_number(object, "seconds"),
            .member = read_text(object, "member"),
            .reason = read_text(object, "reason"),
        };
    }
}

/* Keep the memory for lanes, forget the rest. */
static void
forget(struct lag_sample *sample)
{
    json_decref(sample->root);
    *sample = (struct lag_sample){.group = "",
        .stream = "",
        .state = LAG_UNKNOWN,
        .reason = "",
        .next = "",
        .lanes = sample->lanes,
        .lane_capacity = sample->lane_capacity};
}

bool
lag_sample_decode(struct lag_sample *sample, struct bytes payload)
{
    forget(sample);
    if (payload.data == NULL || payload.length > LAG_SAMPLE_MAX_BYTES)
        return false;
    sample->root = json_loadb((const char *)payload.data, payload.length, 0, NULL);
    sample->group = read_text(sample->root, "group");
    sample->stream = read_text(sample->root, "stream");
    if (sample->group[0] == '\0' || sample->stream[0] == '\0') {
        forget(sample);
        return false;
    }
    sample->state = read_state(sample->root);
    sample->reason = read_text(sample->root, "reason");
    sample->next = read_text(sample->root, "next");
    sample->lag = read_count(sample->root, "lag");
    sample->seconds = read_number(sample->root, "seconds");
    sample->in_rate = read_number(sample->root, "in_rate");
    sample->out_rate = read_number(sample->root, "out_rate");
    sample->drain_seconds = read_number(sample->root, "drain_seconds");
    sample->retention_seconds = read_number(sample->root, "retention_seconds");
    sample->members = read_count(sample->root, "members");
    read_lanes(sample, json_object_get(sample->root, "partitions"));
    return true;
}

void
lag_sample_done(struct lag_sample *sample)
{
    json_decref(sample->root);
    free(sample->lanes);
    *sample = (struct lag_sample){0};
}
