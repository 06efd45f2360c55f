#include "replay/runner.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/event.h"
#include "replay/content_hash.h"
#include "replay/landed.h"
#include "replay/lateness.h"
#include "replay/pacer.h"
#include "replay/plan.h"
#include "replay/plan_store.h"
#include "replay/provenance.h"
#include "replay/receipt.h"
#include "replay/run_journal.h"
#include "replay/selection.h"
#include "replay/sink.h"
#include "replay/target_reader.h"

/* Enough to keep a broker busy, little enough that the end of a run is near when it is stopped. */
#define IN_FLIGHT_MESSAGES 50000u
#define IN_FLIGHT_BYTES    ((size_t)64 * 1024 * 1024)

#define POLL_EVERY 64u
#define WAIT_MS    20

/* Below this distance a due moment is slept for exactly; the library's poll has steps of
 * milliseconds. */
#define PRECISE_NS (2 * NS_PER_MS)

/* A message in flight: what is needed when its outcome comes. */
struct slot {
    uint64_t index;
    uint64_t position; /* among the events planned for its target partition */
    size_t bytes;
    const struct stream *stream;
    int64_t offset;
    int32_t source_partition;
    int32_t partition;
    uint32_t next_free;
};

struct run {
    const struct runner_options *options;
    const struct plan *plan;
    struct selection *selection;
    struct target_reader *reader;
    struct run_journal *journal;
    struct landed *landed;
    const struct sink_ops *ops;
    struct sink *sink;
    struct content_hash *content;
    struct pacer pacer;
    bool pacing_started;
    struct lateness lateness;

    struct slot *slots;
    uint32_t free_slot; /* IN_FLIGHT_MESSAGES: none */
    size_t in_flight_bytes;

    uint64_t next_index; /* of the next event out of the selection */
    uint64_t *positions; /* per target partition: events seen in the selection */
    uint64_t *resumed;   /* ... of which an earlier run had acknowledged or landed this many */
    bool exhausted;      /* the selection has no more */
    bool draining;
    bool given_up;

    struct event event; /* the next one, when have_event; its views are the cursor's */
    bool have_event;
    int64_t due_ns;

    struct replay_progress *progress;
    int64_t run_started_ns; /* monotonic, when sending began */
    int64_t last_sync_ns;
    int64_t last_report_ns;
    int64_t last_acknowledged_ns;

    bool failed;
    struct error failure; /* the first one */
};

static void
fail(struct run *run, const struct error *err)
{
    if (!run->failed)
        run->failure = *err;
    run->failed = true;
}

static enum runner_stop
asked_to_stop(struct run *run)
{
    const struct runner_options *options = run->options;
    return options->stop != NULL ? options->stop(options->self) : RUNNER_GO_ON;
}

static bool
is_stopped(void *self)
{
    return asked_to_stop(self) != RUNNER_GO_ON;
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static void
acknowledged(struct run *run, const struct slot *slot, int64_t offset)
{
    const struct run_lane *lane = &run_journal_lanes(run->journal)[slot->partition];
    if (slot->position != lane->acknowledged) {
        /* Never journalled as a prefix that has a gap. After a failure in its lane, it stays in
         * doubt. */
        struct error err;
        error_set(&err, ERROR_REMOTE,
            "'%s' partition %d acknowledged event %" PRIu64 " before an earlier one",
            run->plan->target.name, (int)slot->partition, slot->index);
        fail(run, &err);
        return;
    }
    run_journal_acknowledge(run->journal, slot->partition, slot->index, offset);
    run->progress->acknowledged++;
    run->progress->acknowledged_bytes += slot->bytes;
    run->last_acknowledged_ns = clock_monotonic_ns();
}

static void
finished(void *self, void *tag, int64_t offset, const struct error *failure)
{
    struct run *run = self;
    struct slot *slot = tag;

    if (failure == NULL) {
        acknowledged(run, slot, offset);
    } else if (!run->given_up) {
        struct error named = *failure;
        error_wrap(&named, "%s[%d]@%" PRId64 " was not taken by '%s'", slot->stream->label,
            (int)slot->source_partition, slot->offset, run->plan->target.name);
        fail(run, &named);
    }
    run->in_flight_bytes -= slot->bytes;
    run->progress->in_flight--;
    slot->next_free = run->free_slot;
    run->free_slot = (uint32_t)(slot - run->slots);
}

/* ---- before the first send ------------------------------------------------------------------- */

static bool
check_target(struct run *run, struct error *err)
{
    const struct target_facts *facts = target_reader_facts(run->reader);
    const struct plan_preflight *planned = &run->plan->preflight;
    if (facts->partitions != planned->partitions)
        return error_set(err, ERROR_REFUSED,
            "topic '%s' has %d partitions now, the plan was made for %d; make a new plan",
            run->plan->target.name, (int)facts->partitions, (int)planned->partitions);
    if (planned->cluster != NULL && facts->cluster[0] != '\0' &&
        strcmp(planned->cluster, facts->cluster) != 0)
        return error_set(err, ERROR_REFUSED,
            "%s is cluster '%s' now, the plan was made for '%s'; make a new plan",
            run->plan->target.servers, facts->cluster, planned->cluster);
    return true;
}

static bool
is_complete(const struct run *run)
{
    for (int32_t i = 0; i < run->plan->preflight.partitions; i++)
        if (run_journal_lanes(run->journal)[i].acknowledged < run->plan->landing[i])
            return false;
    return true;
}

static bool
open_journal(struct run *run, struct error *err)
{
    char *path = plan_store_path(run->options->tape, run->plan->id, "journal");
    run->journal = run_journal_open(path, run->plan->preflight.partitions, err);
    free(path);
    if (run->journal == NULL)
        return false;
    return !is_complete(run) || error_set(err, ERROR_REFUSED,
                                    "replay %s is finished: all %" PRIu64
                                    " events were acknowledged; to send them again make a new plan",
                                    run->plan->id, run->plan->events);
}

/* What earlier runs did: acknowledged, or found in the target. */
static bool
take_over(struct run *run, struct error *err)
{
    int32_t count = run->plan->preflight.partitions;
    run->positions = alloc_zeroed((size_t)count * sizeof(run->positions[0]));
    run->resumed = alloc_zeroed((size_t)count * sizeof(run->resumed[0]));
    for (int32_t i = 0; i < count; i++) {
        run->resumed[i] = run_journal_lanes(run->journal)[i].acknowledged;
        if (run->resumed[i] > run->plan->landing[i])
            return error_set(err, ERROR_FORMAT, "the run journal does not fit the plan");
        run->resumed[i] += landed_count(run->landed, i);
        run->progress->already += run->resumed[i];
    }
    run->progress->in_doubt = landed_total(run->landed);
    return true;
}

static void
make_slots(struct run *run)
{
    run->slots = alloc_zeroed(IN_FLIGHT_MESSAGES * sizeof(run->slots[0]));
    for (uint32_t i = 0; i < IN_FLIGHT_MESSAGES; i++)
        run->slots[i].next_free = i + 1;
}

static bool
prepare(struct run *run, struct error *err)
{
    const struct plan *plan = run->plan;
    run->ops = sink_find(plan->target.transport);
    if (run->ops == NULL)
        return error_set(err, ERROR_ARGUMENT, "there is no sink for %s", plan->target.transport);
    if (!plan_store_write(run->options->tape, run->options->plan, err) || !open_journal(run, err))
        return false;
    run->selection = selection_of_plan(plan, run->options->tape, err);
    if (run->selection == NULL)
        return false;
    run->reader = target_reader_open(&plan->target, run->options->settings, err);
    if (run->reader == NULL || !check_target(run, err))
        return false;
    run->landed = landed_scan(plan, run->journal, run->reader, is_stopped, run, err);
    if (run->landed == NULL || !take_over(run, err))
        return false;

    struct sink_options options = {
        .plan = plan,
        .settings = run->options->settings,
        .max_message_bytes = target_reader_facts(run->reader)->max_message_bytes,
        .finished = finished,
        .self = run,
    };
    run->sink = run->ops->open(&options, err);
    run->content = content_hash_new();
    make_slots(run);
    return run->sink != NULL;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* The event was dealt with by an earlier run. Found in the target only: from now on it counts as
 * acknowledged. *known false: it has to be sent. */
static bool
skip_known(struct run *run, int32_t partition, bool *known, struct error *err)
{
    uint64_t position = run->positions[partition];
    *known = position < run->resumed[partition];
    if (!*known || position < run_journal_lanes(run->journal)[partition].acknowledged)
        return true;

    int64_t offset = landed_find(run->landed, run->next_index);
    if (offset < 0)
        return error_set(err, ERROR_REFUSED,
            "'%s' partition %d holds later events of this replay but not event %" PRIu64
            ": their order cannot be kept; make a new plan",
            run->plan->target.name, (int)partition, run->next_index);
    run_journal_acknowledge(run->journal, partition, run->next_index, offset);
    return true;
}

static int32_t
target_of(const struct run *run)
{
    return partition_map_apply(run->plan->partitions, run->event.key, run->event.partition,
        run->plan->preflight.partitions);
}

/* Bring the next event that has to be sent into run->event. False on failure; nothing is there
 * after CURSOR_PAUSED or at the end. */
static bool
load_event(struct run *run, struct error *err)
{
    enum cursor_step step = selection_next(run->selection, &run->event, err);
    if (step == CURSOR_FAILED)
        return false;
    run->exhausted = step == CURSOR_END;
    if (step != CURSOR_EVENT)
        return true;

    int32_t partition = target_of(run);
    if (partition < 0 || run->positions[partition] >= run->plan->landing[partition])
        return error_set(err, ERROR_REFUSED,
            "the tape has other events than when the plan was made (at %s[%d]@%" PRId64
            "); make a new plan",
            run->event.stream->label, (int)run->event.partition, run->event.offset);
    content_hash_event(run->content, &run->event);

    bool known;
    if (!skip_known(run, partition, &known, err))
        return false;
    if (known) {
        run->positions[partition]++;
        run->next_index++;
        return true;
    }
    if (!run->pacing_started)
        pacer_start(&run->pacer, &run->plan->pacing, clock_monotonic_ns());
    run->pacing_started = true;
    run->due_ns = pacer_due(&run->pacer, event_time(&run->event));
    run->have_event = true;
    return true;
}

static bool
send_event(struct run *run, int64_t now_ns, struct error *err)
{
    const struct event *event = &run->event;
    int32_t partition = target_of(run);
    uint32_t at = run->free_slot;
    struct slot *slot = &run->slots[at];
    uint32_t next_free = slot->next_free;

    *slot = (struct slot){
        .index = run->next_index,
        .position = run->positions[partition],
        .bytes = event_size(event),
        .stream = event->stream,
        .offset = event->offset,
        .source_partition = event->partition,
        .partition = partition,
        .next_free = next_free,
    };
    struct sink_message message = {
        .event = event,
        .index = run->next_index,
        .partition = partition,
        .time_ms = plan_time_ms(run->plan, event->time_ns),
        .hops = provenance_hops(event) + 1,
        .tag = slot,
    };
    if (!run->ops->send(run->sink, &message, err))
        return error_wrap(err, "%s[%d]@%" PRId64 " was not taken by '%s'", event->stream->label,
            (int)event->partition, event->offset, run->plan->target.name);
    run->free_slot = next_free;
    run->in_flight_bytes += slot->bytes;
    run->progress->in_flight++;
    run->positions[partition]++;
    run->next_index++;
    run->have_event = false;
    if (run->plan->pacing.pacing != PACING_FAST)
        lateness_add(&run->lateness, now_ns - run->due_ns);
    return true;
}

static bool
has_room(const struct run *run)
{
    return run->free_slot < IN_FLIGHT_MESSAGES && run->in_flight_bytes < IN_FLIGHT_BYTES;
}

/* Wait for the next event's moment, but come back now and then. */
static void
wait_until_due(struct run *run, int64_t now_ns)
{
    int64_t left_ns = run->due_ns - now_ns;
    if (left_ns <= PRECISE_NS) {
        clock_sleep_until_ns(run->due_ns);
        return;
    }
    int64_t wait_ms = (left_ns - PRECISE_NS) / NS_PER_MS + 1;
    run->ops->poll(run->sink, wait_ms < WAIT_MS ? (int)wait_ms : WAIT_MS);
}

/* Send what is due, a few dozen events at most. False on failure. */
static bool
feed(struct run *run, struct error *err)
{
    for (unsigned i = 0; i < POLL_EVERY; i++) {
        if (!run->have_event && !run->exhausted && !load_event(run, err))
            return false;
        if (!run->have_event)
            break;
        if (!has_room(run)) {
            run->ops->poll(run->sink, WAIT_MS);
            return true;
        }
        /* A deadline in the past needs no look at the clock to be met; lateness does. */
        int64_t now_ns = run->plan->pacing.pacing == PACING_FAST ? 0 : clock_monotonic_ns();
        if (run->plan->pacing.pacing != PACING_FAST && run->due_ns > now_ns) {
            wait_until_due(run, now_ns);
            return true;
        }
        if (!send_event(run, now_ns, err))
            return false;
    }
    run->ops->poll(run->sink, 0);
    return true;
}

static void
update_progress(struct run *run, int64_t now_ns)
{
    struct replay_progress *progress = run->progress;
    progress->elapsed_ns = now_ns - run->run_started_ns;
    progress->late_p50_ns = lateness_quantile_ns(&run->lateness, 0.50);
    progress->late_p99_ns = lateness_quantile_ns(&run->lateness, 0.99);
    progress->late_max_ns = run->lateness.max_ns;
}

/* Journal, report, and give up on a target that answers nothing. */
static bool
tick(struct run *run, struct error *err)
{
    int64_t now_ns = clock_monotonic_ns();
    const struct runner_options *options = run->options;
    if (now_ns - run->last_sync_ns >= RUNNER_SYNC_MS * NS_PER_MS) {
        run->last_sync_ns = now_ns;
        if (!run_journal_sync(run->journal, err))
            return false;
    }
    if (now_ns - run->last_report_ns >= RUNNER_REPORT_MS * NS_PER_MS) {
        run->last_report_ns = now_ns;
        update_progress(run, now_ns);
        if (options->report != NULL)
            options->report(options->self, run->progress, run->ops->trouble(run->sink));
    }
    if (run->progress->in_flight == 0)
        run->last_acknowledged_ns = now_ns;
    int64_t stall_ms = options->stall_ms > 0 ? options->stall_ms : RUNNER_STALL_MS;
    if (now_ns - run->last_acknowledged_ns < stall_ms * NS_PER_MS)
        return true;
    const char *trouble = run->ops->trouble(run->sink);
    return error_set(err, ERROR_REMOTE, "'%s' acknowledged nothing for %" PRId64 " s%s%.200s",
        run->plan->target.name, stall_ms / 1000, trouble[0] != '\0' ? ": " : "", trouble);
}

static void
send_all(struct run *run)
{
    struct error err;
    run->run_started_ns = run->last_acknowledged_ns = clock_monotonic_ns();
    run->progress->state = REPLAY_RUNNING;

    while (
        !run->failed && (run->have_event || !run->exhausted) && asked_to_stop(run) == RUNNER_GO_ON)
        if (!feed(run, &err) || !tick(run, &err))
            fail(run, &err);

    run->progress->state = REPLAY_DRAINING;
    while (!run->failed && run->progress->in_flight > 0 && asked_to_stop(run) != RUNNER_AT_ONCE) {
        run->ops->poll(run->sink, WAIT_MS);
        if (!tick(run, &err))
            fail(run, &err);
    }
    /* What is still in flight now stays in doubt; the next run looks for it. */
    run->given_up = true;
    run->ops->abandon(run->sink);
    update_progress(run, clock_monotonic_ns());
    if (!run_journal_sync(run->journal, &err))
        fail(run, &err);
}

/* ---- after the last one ---------------------------------------------------------------------- */

static void
check_content(struct run *run)
{
    char content[CONTENT_HASH_TEXT];
    struct error err;
    content_hash_end(run->content, content);
    if (strcmp(content, run->plan->content) == 0)
        return;
    error_set(&err, ERROR_REFUSED,
        "what was sent is not what was planned: the tape gave other content for the same range "
        "(SHA-256 %.16s... instead of %.16s...)",
        content, run->plan->content);
    fail(run, &err);
}

/* Where the target ends now; a run whose target does not answer any more has no end. */
static void
note_ends(struct run *run)
{
    struct error err;
    for (int32_t i = 0; i < run->plan->preflight.partitions; i++) {
        int64_t first;
        int64_t end;
        if (run->plan->landing[i] == 0)
            continue;
        if (!target_reader_offsets(run->reader, i, &first, &end, &err))
            return;
        run_journal_end(run->journal, i, end);
    }
    if (!run_journal_sync(run->journal, &err))
        fail(run, &err);
}

static bool
finish(struct run *run, struct error *err)
{
    if (!run->failed && run->exhausted && !run->have_event)
        check_content(run);
    if (!run->failed)
        note_ends(run);
    if (run->failed)
        run->progress->state = REPLAY_FAILED;
    else
        run->progress->state = is_complete(run) ? REPLAY_DONE : REPLAY_STOPPED;

    const struct run_lane *lanes = run_journal_lanes(run->journal);
    bool written = receipt_write_run(run->options->tape, run->plan, lanes, run->progress,
        run->failed ? run->failure.text : NULL, err);
    if (run->failed)
        *err = run->failure;
    return written && !run->failed;
}

static void
close_run(struct run *run)
{
    if (run->sink != NULL)
        run->ops->close(run->sink);
    target_reader_close(run->reader);
    run_journal_close(run->journal);
    selection_close(run->selection);
    landed_free(run->landed);
    content_hash_free(run->content);
    free(run->slots);
    free(run->positions);
    free(run->resumed);
}

bool
runner_run(
    const struct runner_options *options, struct replay_progress *progress, struct error *err)
{
    struct run run = {.options = options, .plan = options->plan, .progress = progress};
    *progress = (struct replay_progress){
        .state = REPLAY_CHECKING, .planned = options->plan->events, .started_ns = clock_now_ns()};

    bool good = prepare(&run, err);
    if (good) {
        send_all(&run);
        good = finish(&run, err);
    } else {
        progress->state = REPLAY_FAILED;
    }
    close_run(&run);
    return good;
}
