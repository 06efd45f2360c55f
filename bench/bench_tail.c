/* bench_tail - how long after its reception an event is seen by another process that follows the tape.
 *
 * A recording process, paced at 50,000 events a second and at full speed, with batches of at most 20 ms as a
 * collector makes them; this process refreshes, reads to the end and waits. BENCH_SECONDS (10) paced,
 * BENCH_TAIL_EVENTS (3000000) at full speed.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/data.h"
#include "bench/figures.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/indexer.h"
#include "index/tape.h"
#include "index/tape_writer.h"

#define PACE         50000
#define BATCH_AGE_NS (20 * NS_PER_MS)
#define PATIENCE_NS  (60 * NS_PER_S)

/* The clock is read once for so many events, which are taken as seen when the last of them was: reading it for each took
 * a good part of what reading the event took. */
#define SEEN_AT_ONCE 16

struct shared {
    _Atomic bool is_ready;
    _Atomic int64_t ended_ns; /* 0: still recording */
    int64_t started_ns;
};

struct job {
    const char *data;
    const char *tape;
    uint64_t events;
    uint64_t pace;  /* events a second; 0: as fast as it goes */
    bool is_queued; /* through the indexer's queue, as collectors do; else appended by one thread */
    double budget_ms; /* 0: none */
    struct shared *shared;
};

/* ---- the recorder ---- */

struct filling {
    struct tape_writer *writer;
    struct indexer *indexer; /* NULL: appended here */
    struct batch *batch;
    int64_t begun_ns;
};

static void
hand_over(struct filling *filling)
{
    struct error err;
    if (filling->indexer != NULL) {
        if (!indexer_push(filling->indexer, &filling->batch, -1))
            _exit(3);
    } else {
        if (!tape_writer_append(filling->writer, filling->batch, &err) ||
            !tape_writer_tick(filling->writer, clock_monotonic_ns(), &err))
            figures_fail(&err);
        batch_release(filling->batch);
    }
    filling->batch = batch_new();
}

/* Wait until event number `n` is due, handing over what gets old meanwhile. */
static void
keep_pace(const struct job *job, struct filling *filling, uint64_t n)
{
    int64_t due_ns = job->shared->started_ns +
                     (int64_t)(n * (uint64_t)NS_PER_S / job->pace) / NS_PER_MS * NS_PER_MS;
    if (clock_monotonic_ns() < due_ns)
        clock_sleep_until_ns(due_ns);
    if (batch_event_count(filling->batch) > 0 &&
        clock_monotonic_ns() - filling->begun_ns >= BATCH_AGE_NS)
        hand_over(filling);
}

static _Noreturn void
record(const struct job *job)
{
    struct error err;
    struct tape_writer *writer = tape_writer_open(job->tape, NULL, &err);
    if (writer == NULL)
        figures_fail(&err);
    const struct stream *streams[DATA_STREAMS];
    data_streams(writer, streams);
    struct filling filling = {.writer = writer, .batch = batch_new()};
    if (job->is_queued) {
        filling.indexer = indexer_start(writer, job->tape, &(struct indexer_options){0}, &err);
        if (filling.indexer == NULL)
            figures_fail(&err);
    }
    struct data_file *file = data_file_open(job->data);
    struct event event;
    job->shared->started_ns = clock_monotonic_ns();
    atomic_store(&job->shared->is_ready, true);
    for (uint64_t n = 0; n < job->events && data_file_next(file, streams, &event); n++) {
        if (job->pace > 0)
            keep_pace(job, &filling, n);
        if (batch_event_count(filling.batch) == 0)
            filling.begun_ns = clock_monotonic_ns();
        event.received_ns = clock_now_ns();
        if (!batch_add(filling.batch, &event, &err))
            figures_fail(&err);
        if (batch_is_full(filling.batch))
            hand_over(&filling);
    }
    hand_over(&filling);
    if (job->is_queued && !indexer_stop(filling.indexer, &err))
        figures_fail(&err);
    atomic_store(&job->shared->ended_ns, clock_monotonic_ns());
    tape_writer_close(writer);
    _exit(0);
}

/* ---- the follower ---- */

/* Read to the end of what is there; how many events. `lags` gets how late each was, in milliseconds. */
static uint64_t
read_on(struct cursor *cursor, double *lags)
{
    struct error err;
    struct event event;
    uint64_t count = 0;
    int64_t received_ns[SEEN_AT_ONCE];
    enum cursor_step step;
    do {
        size_t seen = 0;
        while (seen < SEEN_AT_ONCE && (step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT)
            received_ns[seen++] = event.received_ns;
        int64_t now_ns = clock_now_ns();
        for (size_t i = 0; i < seen; i++)
            lags[count++] = (double)(now_ns - received_ns[i]) / 1e6;
    } while (step == CURSOR_EVENT);
    if (step == CURSOR_FAILED)
        figures_fail(&err);
    return count;
}

static uint64_t
follow(const struct job *job, double *lags)
{
    struct error err;
    uint64_t seen = 0;
    struct tape *tape = tape_open(job->tape, &err);
    if (tape == NULL)
        figures_fail(&err);
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
    int64_t heard_ns = clock_monotonic_ns();
    while (seen < job->events && clock_monotonic_ns() - heard_ns < PATIENCE_NS) {
        if (!tape_refresh(tape, &err))
            figures_fail(&err);
        uint64_t count = read_on(cursor, lags + seen);
        seen += count;
        if (count > 0)
            heard_ns = clock_monotonic_ns();
        if (seen < job->events)
            tape_wait(tape, 100);
    }
    cursor_free(cursor);
    tape_close(tape);
    return seen;
}

static void
run(struct job *job, const char *name)
{
    char text[64];
    double *lags = alloc_array(job->events, sizeof(*lags));
    *job->shared = (struct shared){0};
    file_remove_tree(job->tape);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        record(job);
    while (!atomic_load(&job->shared->is_ready))
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    uint64_t seen = follow(job, lags);
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) {
        (void)fprintf(stderr, "bench_tail: the recorder failed\n");
        exit(2); /* NOLINT(concurrency-mt-unsafe): there is one thread */
    }
    double took = (double)(atomic_load(&job->shared->ended_ns) - job->shared->started_ns) / 1e9;
    (void)snprintf(text, sizeof(text), "%s: recorded", name);
    figure_plain(text, (double)job->events / took, "ev/s");
    figure_at_least("  events seen", (double)seen, (double)job->events, "");
    (void)snprintf(text, sizeof(text), "%s: lag p99", name);
    figure_plain("  lag p50", percentile(lags, (size_t)seen, 0.5), "ms");
    double p99 = lags[(size_t)((double)seen * 0.99)];
    if (job->budget_ms > 0)
        figure_at_most(text, p99, job->budget_ms, "ms");
    else
        figure_plain(text, p99, "ms");
    figure_plain("  lag, the longest", lags[seen - 1], "ms");
    free(lags);
}

int
main(void)
{
    char *directory = figures_directory("bench-tail");
    char *data = alloc_format("%s/data", directory);
    char *tape = alloc_format("%s/tape", directory);
    uint64_t paced = PACE * figures_setting("BENCH_SECONDS", 10);
    uint64_t fast = figures_setting("BENCH_TAIL_EVENTS", 3000000);
    void *shared = mmap(
        NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || paced == 0 || fast == 0)
        return 2;
    data_write_file(data, paced > fast ? paced : fast);
    struct job job = {
        .data = data, .tape = tape, .shared = shared, .is_queued = true, .budget_ms = 25};
    job.events = paced;
    job.pace = PACE;
    run(&job, "50 000 events/s");
    job.events = fast;
    job.pace = 0;
    job.is_queued = false;
    run(&job, "full speed");
    /* The source outruns the indexer: what waits in 32 MiB of queue is part of the lag. */
    job.is_queued = true;
    job.budget_ms = 0;
    run(&job, "full speed, behind a full queue");
    file_remove_tree(directory);
    free(data);
    free(tape);
    free(directory);
    return figures_end();
}
