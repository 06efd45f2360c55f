#include "tests/support/collectors_tape.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/recorder.h"
#include "index/cursor.h"
#include "index/tape.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (20 * NS_PER_S)
#define LOOK_NS     (5 * NS_PER_MS)

static struct bytes
copy(struct bytes from)
{
    if (from.data == NULL)
        return BYTES_NULL;
    unsigned char *data = alloc_array(from.length + 1, 1);
    memcpy(data, from.data, from.length);
    return bytes_make(data, from.length);
}

static void
keep(struct taped *taped, const struct event *event)
{
    taped->events = alloc_grow(taped->events, taped->count, &taped->capacity, sizeof(struct event));
    taped->labels = alloc_grow(taped->labels, taped->count, &taped->label_capacity, sizeof(char *));
    struct event *kept = &taped->events[taped->count];
    *kept = *event;
    kept->stream = NULL; /* ends with the tape that was read */
    kept->key = copy(event->key);
    kept->headers = copy(event->headers);
    kept->payload = copy(event->payload);
    taped->labels[taped->count++] = alloc_text(event->stream->label);
}

void
taped_read(struct taped *taped, const char *directory)
{
    struct error err;
    struct event event;
    *taped = (struct taped){0};
    struct tape *tape = tape_open(directory, &err);
    assert_ok(tape != NULL);
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT)
        keep(taped, &event);
    if (step != CURSOR_END)
        fail_msg("reading %s: %s", directory, err.text);
    cursor_free(cursor);
    tape_close(tape);
}

static void
free_bytes(struct bytes bytes)
{
    union {
        const unsigned char *view;
        unsigned char *owned;
    } data = {.view = bytes.data};
    free(data.owned);
}

void
taped_done(struct taped *taped)
{
    for (size_t i = 0; i < taped->count; i++) {
        free_bytes(taped->events[i].key);
        free_bytes(taped->events[i].headers);
        free_bytes(taped->events[i].payload);
        free(taped->labels[i]);
    }
    free(taped->events);
    free(taped->labels);
    *taped = (struct taped){0};
}

size_t
taped_count(const struct taped *taped, const char *label, int32_t partition)
{
    size_t count = 0;
    for (size_t i = 0; i < taped->count; i++)
        count += taped->events[i].partition == partition && strcmp(taped->labels[i], label) == 0;
    return count;
}

const struct event *
taped_at(const struct taped *taped, const char *label, int32_t partition, int64_t offset)
{
    const struct event *found = NULL;
    for (size_t i = 0; i < taped->count; i++) {
        const struct event *event = &taped->events[i];
        if (event->partition != partition || event->offset != offset ||
            strcmp(taped->labels[i], label) != 0)
            continue;
        if (found != NULL)
            fail_msg("%s[%d]@%lld is on the tape twice", label, partition, (long long)offset);
        found = event;
    }
    if (found == NULL)
        fail_msg("%s[%d]@%lld is not on the tape", label, partition, (long long)offset);
    return found;
}

size_t
taped_holes(
    const char *directory, const char *label, int32_t partition, struct hole *holes, size_t limit)
{
    struct error err;
    size_t count = 0;
    size_t found = 0;
    struct tape *tape = tape_open(directory, &err);
    assert_ok(tape != NULL);
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    assert_ok(lanes != NULL);
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].partition != partition || strcmp(lanes[i].stream->label, label) != 0)
            continue;
        found = lanes[i].hole_count;
        for (size_t k = 0; k < found && k < limit; k++)
            holes[k] = lanes[i].holes[k];
    }
    tape_close(tape);
    return found;
}

/* A copy of the page, on the heap because it is large. */
static struct live_status *
status_now(struct recorder *recorder)
{
    struct live_status *status = alloc_zeroed(sizeof(*status));
    recorder_status(recorder, status);
    return status;
}

static void
nap(void)
{
    clock_sleep_until_ns(clock_monotonic_ns() + LOOK_NS);
}

void
wait_for_events(struct recorder *recorder, uint64_t events)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    for (;;) {
        struct live_status *status = status_now(recorder);
        uint64_t now = status->events;
        free(status);
        if (now >= events)
            return;
        if (clock_monotonic_ns() > deadline)
            fail_msg("waited for %llu events, saw %llu", (unsigned long long)events,
                (unsigned long long)now);
        nap();
    }
}

struct live_tap
tap_now(struct recorder *recorder, uint32_t tap)
{
    struct live_status *status = status_now(recorder);
    assert_true(tap < status->tap_count);
    struct live_tap row = status->taps[tap];
    free(status);
    return row;
}

void
wait_for_tap(struct recorder *recorder, uint32_t tap, enum tap_state state)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    for (;;) {
        struct live_tap row = tap_now(recorder, tap);
        if (row.state == state)
            return;
        if (clock_monotonic_ns() > deadline)
            fail_msg("waited for tap %s to be %s; it is %s (%s)", row.name, tap_state_text(state),
                tap_state_text(row.state), row.error);
        nap();
    }
}

void
wait_for_text(struct recorder *recorder, uint32_t tap, const char *part)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    for (;;) {
        struct live_tap row = tap_now(recorder, tap);
        if (strstr(row.error, part) != NULL)
            return;
        if (clock_monotonic_ns() > deadline)
            fail_msg("waited for '%s'; tap %s is %s and says '%s'", part, row.name,
                tap_state_text(row.state), row.error);
        nap();
    }
}

void
wait_for_finish(struct recorder *recorder)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    while (!recorder_is_finished(recorder)) {
        if (clock_monotonic_ns() > deadline) {
            struct live_tap row = tap_now(recorder, 0);
            fail_msg("not finished: tap %s is %s (%s) with %llu events", row.name,
                tap_state_text(row.state), row.error, (unsigned long long)row.events);
        }
        recorder_wait(recorder, -1, PATIENCE_NS / NS_PER_MS);
    }
}

void
stop_recorder(struct recorder *recorder)
{
    struct error err;
    assert_ok(recorder_stop(recorder, &err));
}
