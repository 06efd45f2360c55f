#include "replay/verify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/event.h"
#include "replay/content_hash.h"
#include "replay/plan.h"
#include "replay/plan_store.h"
#include "replay/provenance.h"
#include "replay/receipt.h"
#include "replay/run_journal.h"
#include "replay/selection.h"
#include "replay/target_reader.h"

#define STEP_MS      200
#define CANCEL_EVERY 4096u

/* What an event of the plan must look like in the target. The parts are kept apart, so that a
 * difference can be named. */
struct expected {
    uint64_t key;
    uint64_t headers;
    uint64_t payload;
    int64_t time_ms; /* 0: not ours to say */
    int32_t partition;
    uint32_t seen;
};

struct verification {
    const struct verify_options *options;
    const struct plan *plan;
    struct verify_result *result;
    struct expected *expected; /* by plan index */
    uint64_t *next;            /* per partition: the least index that may come next */
};

/* Null and empty are two things: a null has a length that no value has. */
static uint64_t
hash_bytes(struct bytes bytes)
{
    if (bytes.data == NULL)
        return UINT64_MAX;
    return XXH3_64bits_withSeed(bytes.data, bytes.length, bytes.length);
}

/* The first `count` headers, whatever their encoding looks like. */
static uint64_t
hash_headers(const struct event *event, size_t count)
{
    uint64_t hash = count;
    struct event_header header;
    size_t at = 0;
    for (size_t i = 0; i < count && event_next_header(event, &at, &header); i++) {
        uint64_t parts[3] = {hash, hash_bytes(header.name), hash_bytes(header.value)};
        hash = XXH3_64bits(parts, sizeof(parts));
    }
    return hash;
}

static size_t
count_headers(const struct event *event)
{
    size_t count = 0;
    struct event_header header;
    for (size_t at = 0; event_next_header(event, &at, &header);)
        count++;
    return count;
}

static void differ(struct verification *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
differ(struct verification *run, const char *format, ...)
{
    struct verify_result *result = run->result;
    if (result->difference_count == VERIFY_MAX_DIFFERENCES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->differences[result->difference_count++], sizeof(result->differences[0]),
        format, arguments);
    va_end(arguments);
}

static bool
cancelled(const struct verification *run, struct error *err)
{
    const struct verify_options *options = run->options;
    if (options->is_cancelled == NULL || !options->is_cancelled(options->self))
        return false;
    error_set(err, ERROR_SYSTEM, "verifying was interrupted");
    return true;
}

/* ---- what should be there -------------------------------------------------------------------- */

static bool
expect(struct verification *run, uint64_t index, const struct event *event, struct error *err)
{
    const struct plan *plan = run->plan;
    int32_t partition = partition_map_apply(
        plan->partitions, event->key, event->partition, plan->preflight.partitions);
    if (index >= plan->events || partition < 0)
        return error_set(err, ERROR_REFUSED,
            "the tape has other events than when the plan was made; nothing can be compared");

    bool times_are_ours = plan->timestamps == TIMESTAMPS_ORIGINAL;
    run->expected[index] = (struct expected){
        .key = hash_bytes(event->key),
        .headers = hash_headers(event, count_headers(event)),
        .payload = hash_bytes(event->payload),
        .time_ms = times_are_ours ? plan_time_ms(plan, event->time_ns) : 0,
        .partition = partition,
    };
    return true;
}

static bool
read_tape(struct verification *run, struct error *err)
{
    struct selection *selection = selection_of_plan(run->plan, run->options->tape, err);
    if (selection == NULL)
        return false;
    struct content_hash *content = content_hash_new();
    enum cursor_step step;
    struct event event;
    uint64_t index = 0;
    bool good = true;

    while (good && (step = selection_next(selection, &event, err)) != CURSOR_END) {
        if (step == CURSOR_EVENT) {
            content_hash_event(content, &event);
            good = expect(run, index++, &event, err);
        }
        if (step == CURSOR_FAILED || (index % CANCEL_EVERY == 0 && cancelled(run, err)))
            good = false;
    }
    char text[CONTENT_HASH_TEXT];
    content_hash_end(content, text);
    run->result->tape_matches = index == run->plan->events && strcmp(text, run->plan->content) == 0;
    if (good && !run->result->tape_matches)
        differ(run, "the tape has other content than when the plan was made");
    content_hash_free(content);
    selection_close(selection);
    return good;
}

/* ---- what is there --------------------------------------------------------------------------- */

static void
compare_event(struct verification *run, const struct provenance *provenance,
    const struct event *event, const struct expected *expected)
{
    struct verify_result *result = run->result;
    bool same_time = true;
    if (expected->time_ms == 0 || event->time_type != TIME_CREATE)
        result->times_not_compared++;
    else
        same_time = event->time_ns / NS_PER_MS == expected->time_ms;

    bool same_key = hash_bytes(event->key) == expected->key;
    bool same_headers = hash_headers(event, provenance->own_headers) == expected->headers;
    bool same_payload = hash_bytes(event->payload) == expected->payload;
    bool same_place = event->partition == expected->partition;
    result->misplaced += !same_place;
    if (same_key && same_headers && same_payload && same_time && same_place)
        return;
    result->different++;
    differ(run, "event %" PRIu64 " at %s[%d]@%" PRId64 ": other%s%s%s%s%s than planned",
        provenance->index, run->plan->target.name, (int)event->partition, event->offset,
        same_key ? "" : " key", same_headers ? "" : " headers", same_payload ? "" : " payload",
        same_time ? "" : " time", same_place ? "" : " partition");
}

static void
look_at(struct verification *run, const struct event *event)
{
    struct verify_result *result = run->result;
    struct provenance provenance;
    if (!provenance_parse(event, &provenance) ||
        !bytes_equal_text(provenance.replay, run->plan->id)) {
        result->others++;
        return;
    }
    result->landed++;
    if (provenance.index >= run->plan->events) {
        result->unknown++;
        differ(run, "%s[%d]@%" PRId64 " says it is event %" PRIu64 ", the plan has none",
            run->plan->target.name, (int)event->partition, event->offset, provenance.index);
        return;
    }

    struct expected *expected = &run->expected[provenance.index];
    if (expected->seen++ > 0) {
        result->duplicates++;
        differ(run, "event %" PRIu64 " is there again at %s[%d]@%" PRId64, provenance.index,
            run->plan->target.name, (int)event->partition, event->offset);
        return;
    }
    compare_event(run, &provenance, event, expected);
    uint64_t *next = &run->next[event->partition];
    if (provenance.index < *next) {
        result->disordered++;
        differ(run, "event %" PRIu64 " at %s[%d]@%" PRId64 " is behind event %" PRIu64,
            provenance.index, run->plan->target.name, (int)event->partition, event->offset,
            *next - 1);
    } else {
        *next = provenance.index + 1;
    }
}

static bool
read_target(struct verification *run, struct target_reader *reader, struct error *err)
{
    for (uint64_t count = 1;; count++) {
        struct event event;
        switch (target_reader_next(reader, STEP_MS, &event, err)) {
        case TARGET_EVENT:
            look_at(run, &event);
            if (count % CANCEL_EVERY != 0)
                continue;
            break;
        case TARGET_IDLE:
            break;
        case TARGET_END:
            return true;
        case TARGET_FAILED:
            return false;
        }
        if (cancelled(run, err))
            return false;
    }
}

/* Read each partition from where it ended before the first run to where it ends now. */
static bool
add_ranges(const struct plan *plan, struct target_reader *reader, const struct run_lane *lanes,
    struct error *err)
{
    for (int32_t i = 0; i < plan->preflight.partitions; i++) {
        int64_t first;
        int64_t end;
        if (!lanes[i].started)
            continue;
        if (!target_reader_offsets(reader, i, &first, &end, err))
            return false;
        if (first > lanes[i].start_offset)
            return error_set(err, ERROR_REFUSED,
                "'%s' partition %d begins at offset %" PRId64 " now, the replay began at %" PRId64
                ": what landed there was deleted by the target and cannot be verified",
                plan->target.name, (int)i, first, lanes[i].start_offset);
        if (!target_reader_add(reader, i, lanes[i].start_offset, end, err))
            return false;
    }
    return true;
}

static bool
read_back(struct verification *run, struct error *err)
{
    const struct plan *plan = run->plan;
    char *path = plan_store_path(run->options->tape, plan->id, "journal");
    struct run_journal *journal = run_journal_read(path, plan->preflight.partitions, err);
    struct target_reader *reader = NULL;
    bool good = false;

    if (journal == NULL) {
        struct error reason = *err;
        error_set(err, ERROR_ARGUMENT, "replay %s was never run (%.200s)", plan->id, reason.text);
    } else {
        reader = target_reader_open(&plan->target, run->options->settings, err);
        if (reader != NULL)
            good = add_ranges(plan, reader, run_journal_lanes(journal), err) &&
                   read_target(run, reader, err);
    }
    target_reader_close(reader);
    run_journal_close(journal);
    free(path);
    return good;
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static void
count_missing(struct verification *run)
{
    for (uint64_t i = 0; i < run->plan->events; i++) {
        if (run->expected[i].seen > 0)
            continue;
        if (run->result->missing++ == 0)
            differ(run, "event %" PRIu64 " is not in '%s' partition %d", i, run->plan->target.name,
                (int)run->expected[i].partition);
    }
}

static json_t *
result_to_json(const struct verify_result *result)
{
    char when[CLOCK_TEXT_MAX];
    json_t *differences = json_array();
    for (size_t i = 0; i < result->difference_count; i++)
        json_array_append_new(differences, json_string(result->differences[i]));
    return json_pack("{sb ss sb sI sI sI sI sI sI sI sI sI so}", "matches", result->matches, "when",
        clock_format(clock_now_ns(), when), "tape_matches", result->tape_matches, "planned",
        (json_int_t)result->planned, "landed", (json_int_t)result->landed, "missing",
        (json_int_t)result->missing, "duplicates", (json_int_t)result->duplicates, "different",
        (json_int_t)result->different, "misplaced", (json_int_t)result->misplaced, "disordered",
        (json_int_t)result->disordered, "unknown", (json_int_t)result->unknown,
        "times_not_compared", (json_int_t)result->times_not_compared, "differences", differences);
}

bool
verify_replay(const struct verify_options *options, struct verify_result *result, struct error *err)
{
    const struct plan *plan = options->plan;
    if (!target_can_be_read(&plan->target))
        return error_set(err, ERROR_REFUSED,
            "replay %s cannot be verified: a ZeroMQ socket tells nobody what arrived; record what "
            "arrives there with a tap, and compare that",
            plan->id);
    if (plan->events > VERIFY_MAX_EVENTS)
        return error_set(err, ERROR_LIMIT,
            "%" PRIu64 " events are more than can be verified (%" PRIu64 ")", plan->events,
            VERIFY_MAX_EVENTS);

    struct verification run = {
        .options = options,
        .plan = plan,
        .result = result,
        .expected = alloc_array((size_t)plan->events, sizeof(struct expected)),
        .next = alloc_zeroed((size_t)plan->preflight.partitions * sizeof(uint64_t)),
    };
    *result = (struct verify_result){.planned = plan->events};
    bool done = read_tape(&run, err) && read_back(&run, err);
    if (done) {
        count_missing(&run);
        result->matches = result->tape_matches && result->missing == 0 && result->duplicates == 0 &&
                          result->different == 0 && result->disordered == 0 && result->unknown == 0;
        json_t *part = result_to_json(result);
        assert(part != NULL);
        done = receipt_write(options->tape, plan, "verify", part, err);
    }
    free(run.expected);
    free(run.next);
    return done;
}
