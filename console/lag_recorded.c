#include "console/lag_recorded.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/sorted.h"
#include "console/lag_json.h"
#include "index/cursor.h"
#include "index/live.h"
#include "index/query.h"
#include "index/tape.h"

/* Pointers, since a struct lag_saved must stay where it is. Sorted by their keys. NULL until all is read: the
 * flow is gone. */
struct lag_recorded {
    struct lag_saved **flows;
    size_t count;
    size_t capacity;
    size_t key_capacity;
    char **keys; /* tap, a line's end, and the event's key */
    int64_t sampled_ns;
    uint32_t unseen;
};

void
lag_recorded_free(struct lag_recorded *recorded)
{
    if (recorded == NULL)
        return;
    for (size_t i = 0; i < recorded->count; i++) {
        lag_saved_done(recorded->flows[i]);
        free(recorded->flows[i]);
        free(recorded->keys[i]);
    }
    free(recorded->flows);
    free(recorded->keys);
    free(recorded);
}

static int
compare(const void *key, const void *item)
{
    return strcmp(key, *(char *const *)item);
}

/* Where the key is, or where it would be put. */
static bool
find(const struct lag_recorded *recorded, const char *key, size_t *at)
{
    return sorted_find(key, recorded->keys, recorded->count, sizeof(char *), compare, at);
}

static void
insert(struct lag_recorded *recorded, size_t at, char *key, struct lag_saved *flow)
{
    size_t behind = recorded->count - at;
    recorded->flows = alloc_grow(
        recorded->flows, recorded->count, &recorded->capacity, sizeof(struct lag_saved *));
    recorded->keys =
        alloc_grow(recorded->keys, recorded->count, &recorded->key_capacity, sizeof(char *));
    memmove(&recorded->flows[at + 1], &recorded->flows[at], behind * sizeof(struct lag_saved *));
    memmove(&recorded->keys[at + 1], &recorded->keys[at], behind * sizeof(char *));
    recorded->flows[at] = flow;
    recorded->keys[at] = key;
    recorded->count++;
}

/* Events come newest first: of each flow the first one counts. */
static void
take(struct lag_recorded *recorded, const struct event *event, const char *group)
{
    if (event->key.data == NULL)
        return;
    char *key = alloc_format(
        "%s\n%.*s", event->stream->tap, (int)event->key.length, (const char *)event->key.data);
    size_t at;
    struct lag_saved *flow = NULL;
    if (!find(recorded, key, &at)) {
        if (event->payload.data == NULL) {
            insert(recorded, at, key, NULL);
            return;
        }
        flow = alloc_zeroed(sizeof(*flow));
        if (lag_json_read(event->payload, flow) &&
            (group == NULL || strcmp(flow->group.name, group) == 0)) {
            insert(recorded, at, key, flow);
            return;
        }
        lag_saved_done(flow);
    }
    free(flow);
    free(key);
}

static void
drop_gone(struct lag_recorded *recorded)
{
    size_t kept = 0;
    for (size_t i = 0; i < recorded->count; i++) {
        if (recorded->flows[i] == NULL) {
            free(recorded->keys[i]);
            continue;
        }
        recorded->flows[kept] = recorded->flows[i];
        recorded->keys[kept++] = recorded->keys[i];
    }
    recorded->count = kept;
}

static bool
read_events(struct lag_recorded *recorded, struct tape *tape, const char *group)
{
    struct error ignored; /* the broker is asked instead */
    struct query *query = query_compile("stream=@lag", 0, NULL, &ignored);
    struct cursor *cursor =
        cursor_new(tape, &(struct cursor_options){.query = query, .newest_first = true});
    int64_t oldest_ns = clock_now_ns() - LAG_RECORDED_BACK_NS;
    struct event event;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, &ignored)) == CURSOR_EVENT &&
           event.time_ns >= oldest_ns)
        take(recorded, &event, group);
    drop_gone(recorded);
    cursor_free(cursor);
    query_free(query);
    return step != CURSOR_FAILED;
}

/* Figures that did not change are not written again; the live page says when they were last seen. */
static void
read_live(struct lag_recorded *recorded, const char *directory)
{
    int64_t newest_ns = 0;
    for (size_t i = 0; i < recorded->count; i++)
        if (recorded->flows[i]->flow.sampled_ns > newest_ns)
            newest_ns = recorded->flows[i]->flow.sampled_ns;
    struct error ignored;
    struct live_status *status = alloc_zeroed(sizeof(*status));
    struct live *live = live_open(directory, &ignored);
    bool is_recording;
    if (live != NULL && live_read(live, status, &is_recording)) {
        for (uint32_t i = 0; i < status->group_count; i++)
            if (status->groups[i].sampled_ns > newest_ns)
                newest_ns = status->groups[i].sampled_ns;
        recorded->unseen = status->groups_unseen;
    }
    live_close(live);
    free(status);
    recorded->sampled_ns = newest_ns;
}

struct lag_recorded *
lag_recorded_read(const char *directory, const char *group)
{
    if (!live_is_recording(directory))
        return NULL;
    struct error ignored;
    struct tape *tape = tape_open(directory, &ignored);
    struct lag_recorded *recorded = alloc_zeroed(sizeof(*recorded));
    bool is_well = tape != NULL && read_events(recorded, tape, group) && recorded->count > 0;
    tape_close(tape);
    if (is_well) {
        read_live(recorded, directory);
        return recorded;
    }
    lag_recorded_free(recorded);
    return NULL;
}

size_t
lag_recorded_count(const struct lag_recorded *recorded)
{
    return recorded->count;
}

const struct lag_saved *
lag_recorded_at(const struct lag_recorded *recorded, size_t index)
{
    return recorded->flows[index];
}

uint32_t
lag_recorded_unseen(const struct lag_recorded *recorded)
{
    return recorded->unseen;
}

int64_t
lag_recorded_sampled_ns(const struct lag_recorded *recorded)
{
    return recorded->sampled_ns;
}
