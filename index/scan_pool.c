#include "index/scan_pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "index/block_pool.h"
#include "index/event.h"
#include "index/part.h"
#include "index/query.h"
#include "index/scan_batch.h"
#include "index/tape.h"
#include "index/tape_internal.h"

/* Batches begin small, because most jobs find little, and double. */
#define BATCH_FIRST_BYTES ((size_t)16 * 1024)
#define BATCH_MOST_BYTES  ((size_t)256 * 1024)

#define POLITE_NICE 10

/* Guarded by the pool's lock, but for `range`, which does not change after scan_pool_go(), and
 * `is_awaited`: the taker waits for this one, so what there is should be given. */
struct job {
    struct scan_job_range range;
    struct scan_batch *first;
    struct scan_batch *last;
    struct tape_damage *damage; /* met and not yet told */
    size_t damage_count;
    bool is_over;
    bool is_missed; /* the file was gone */
    bool has_failed;
    struct error failure;
    atomic_bool is_awaited;
};

/* `progress` belongs to the thread, which shows the other six to everyone. */
struct worker {
    struct scan_pool *pool;
    pthread_t thread;
    struct tape *tape; /* NULL: `failure` says why */
    struct error failure;
    struct query_matcher *matcher;
    unsigned unwanted;        /* as in struct part_walk_options */
    size_t damage_told;       /* of the tape's */
    struct scan_batch *batch; /* what was found and not yet given */
    size_t batch_bytes;       /* how large the next one will be */
    struct cursor_progress progress;
    _Atomic uint64_t scanned_events;
    _Atomic uint64_t scanned_bytes;
    _Atomic uint64_t scanned_blocks;
    _Atomic uint64_t pruned_blocks;
    _Atomic uint64_t gave_up;
};

/* jobs[0 .. next_job - 1] were claimed. `bytes` is the sum over all batches in jobs[]. */
struct scan_pool {
    struct scan_pool_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed_room; /* workers wait for jobs, and for room */
    pthread_cond_t changed_finds;
    struct job *jobs;
    size_t job_count;
    size_t job_capacity;
    size_t next_job;
    size_t bytes;
    bool has_begun;
    atomic_bool must_stop;
    unsigned worker_count;
    struct worker *workers;
};

/* ---- the threads ---- */

/* The next job that nobody has; NULL: no more. */
static struct job *
claim(struct scan_pool *pool)
{
    struct job *job = NULL;
    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->has_begun && !atomic_load(&pool->must_stop))
        (void)pthread_cond_wait(&pool->changed_room, &pool->lock);
    if (pool->next_job < pool->job_count && !atomic_load(&pool->must_stop))
        job = &pool->jobs[pool->next_job++];
    (void)pthread_mutex_unlock(&pool->lock);
    return job;
}

/* Have the job say what damage its thread's tape has that was not told. Under the lock. */
static void
tell_damage(struct worker *worker, struct job *job)
{
    const struct tape_damage *damage = NULL;
    size_t count = worker->tape == NULL ? 0 : tape_damage(worker->tape, &damage);
    if (damage == NULL || count == worker->damage_told)
        return;
    size_t more = count - worker->damage_told;
    job->damage = alloc_resize(job->damage, (job->damage_count + more) * sizeof(*job->damage));
    for (size_t i = 0; i < more; i++)
        job->damage[job->damage_count++] = damage[worker->damage_told++];
}

static void
show_progress(struct worker *worker)
{
    const struct cursor_progress *progress = &worker->progress;
    atomic_store_explicit(&worker->scanned_events, progress->scanned_events, memory_order_relaxed);
    atomic_store_explicit(&worker->scanned_bytes, progress->scanned_bytes, memory_order_relaxed);
    atomic_store_explicit(&worker->scanned_blocks, progress->scanned_blocks, memory_order_relaxed);
    atomic_store_explicit(&worker->pruned_blocks, progress->pruned_blocks, memory_order_relaxed);
    if (worker->matcher != NULL)
        atomic_store_explicit(
            &worker->gave_up, query_gave_up(worker->matcher), memory_order_relaxed);
}

/* Under the lock. */
static void
append_batch(struct scan_pool *pool, struct job *job, struct scan_batch **batch)
{
    if (job->first == NULL)
        job->first = *batch;
    else
        job->last->next = *batch;
    job->last = *batch;
    pool->bytes += (*batch)->bytes;
    *batch = NULL;
}

/* Give what was found so far, when there is room for it. */
static void
give(struct worker *worker, struct job *job)
{
    struct scan_pool *pool = worker->pool;
    size_t limit = pool->options.buffer_bytes == 0 ? SCAN_BUFFER_BYTES : pool->options.buffer_bytes;
    if (worker->batch == NULL)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    while (job->first != NULL && pool->bytes + worker->batch->bytes > limit &&
           !atomic_load(&pool->must_stop))
        (void)pthread_cond_wait(&pool->changed_room, &pool->lock);
    tell_damage(worker, job);
    append_batch(pool, job, &worker->batch);
    (void)pthread_cond_signal(&pool->changed_finds);
    (void)pthread_mutex_unlock(&pool->lock);
}

static void
keep(struct worker *worker, struct job *job, const struct event *event)
{
    bool without_payload = (worker->pool->options.unwanted & EVENT_PAYLOAD) != 0;
    if (worker->batch != NULL && scan_batch_add(worker->batch, event, without_payload))
        return;
    give(worker, job);
    size_t bytes = scan_batch_bytes_for(event, without_payload);
    worker->batch = scan_batch_new(bytes > worker->batch_bytes ? bytes : worker->batch_bytes);
    bool has_room = scan_batch_add(worker->batch, event, without_payload);
    assert(has_room);
    (void)has_room;
    if (worker->batch_bytes < BATCH_MOST_BYTES)
        worker->batch_bytes *= 2;
}

static enum cursor_step
search(struct worker *worker, struct job *job, struct part_walk *walk, struct error *err)
{
    while (!atomic_load_explicit(&worker->pool->must_stop, memory_order_relaxed)) {
        uint64_t one_block = 1;
        struct event event;
        enum cursor_step step = walk->part->ops->next(walk, &one_block, &event, err);
        if (step == CURSOR_EVENT) {
            if (worker->matcher == NULL || query_matches(worker->matcher, &event))
                keep(worker, job, &event);
            continue;
        }
        show_progress(worker);
        if (step != CURSOR_PAUSED)
            return step;
        if (atomic_load_explicit(&job->is_awaited, memory_order_relaxed))
            give(worker, job);
    }
    return CURSOR_PAUSED;
}

/* Retention may have deleted the file meanwhile, and sealing may have made another one of it, with the
 * same events. */
static enum cursor_step
work_on(struct worker *worker, struct job *job, bool *is_missed, struct error *err)
{
    const struct scan_job_range *range = &job->range;
    struct part *part = tape_part_at(worker->tape, range->first_seq);
    *is_missed = part == NULL || part->first_seq >= range->end_seq;
    if (*is_missed)
        return CURSOR_END;
    if (range->share > 0 && part->ops->cut == NULL)
        return CURSOR_END; /* it cannot be shared out: all of it is the first one's */
    struct part_walk_options options = {
        .query = worker->pool->options.query,
        .first_seq = range->first_seq,
        .end_seq = range->end_seq,
        .newest_first = worker->pool->options.newest_first,
        .unwanted = worker->unwanted,
        .progress = &worker->progress,
        .first_block = range->first_block,
        .share = range->share,
        .shares = range->shares,
    };
    struct part_walk *walk = part->ops->walk(part, worker->tape, &options);
    enum cursor_step step = search(worker, job, walk, err);
    *is_missed = part->is_missed;
    part->ops->walk_free(walk);
    return step;
}

static void
run_job(struct worker *worker, struct job *job)
{
    struct error err;
    enum cursor_step step = CURSOR_FAILED;
    bool is_missed = false;
    worker->batch_bytes = BATCH_FIRST_BYTES;
    if (worker->tape != NULL)
        step = work_on(worker, job, &is_missed, &err);
    else
        err = worker->failure;
    give(worker, job);

    (void)pthread_mutex_lock(&worker->pool->lock);
    tell_damage(worker, job);
    job->is_over = true;
    job->is_missed = is_missed;
    job->has_failed = step == CURSOR_FAILED;
    if (job->has_failed)
        job->failure = err;
    (void)pthread_cond_signal(&worker->pool->changed_finds);
    (void)pthread_mutex_unlock(&worker->pool->lock);
}

static bool
must_stop(void *self)
{
    const struct scan_pool *pool = self;
    return atomic_load_explicit(&pool->must_stop, memory_order_relaxed);
}

static void *
run_worker(void *self)
{
    struct worker *worker = self;
    struct scan_pool *pool = worker->pool;
    if (pool->options.is_polite)
        thread_let_others_first(POLITE_NICE);
    if (!must_stop(pool))
        worker->tape = tape_open(pool->options.directory, &worker->failure);
    if (worker->tape != NULL)
        block_pool_enter(tape_block_pool(worker->tape)); /* until it is closed */
    worker->unwanted = pool->options.unwanted;
    if (pool->options.query != NULL) {
        worker->matcher = query_matcher_new(pool->options.query);
        query_matcher_stop_when(worker->matcher, must_stop, pool);
        worker->unwanted &= ~query_bytes(pool->options.query);
    }
    struct job *job;
    while ((job = claim(pool)) != NULL)
        run_job(worker, job);
    query_matcher_free(worker->matcher);
    tape_close(worker->tape);
    return NULL;
}

/* ---- for the one that takes ---- */

static void
initialise(struct scan_pool *pool)
{
    (void)pthread_mutex_init(&pool->lock, NULL);
    thread_condition_init(&pool->changed_room);
    thread_condition_init(&pool->changed_finds);
}

struct scan_pool *
scan_pool_new(const struct scan_pool_options *options, unsigned workers)
{
    struct scan_pool *pool = alloc_zeroed(sizeof(*pool));
    pool->options = *options;
    pool->workers = alloc_array(workers, sizeof(*pool->workers));
    initialise(pool);
    for (unsigned i = 0; i < workers; i++) {
        struct worker *worker = &pool->workers[pool->worker_count];
        worker->pool = pool;
        if (thread_start(&worker->thread, "scan", run_worker, worker))
            pool->worker_count++;
    }
    if (pool->worker_count > 0)
        return pool;
    scan_pool_free(pool);
    return NULL;
}

static void
drop_batches(struct job *job)
{
    while (job->first != NULL) {
        struct scan_batch *batch = job->first;
        job->first = batch->next;
        scan_batch_free(batch);
    }
}

void
scan_pool_free(struct scan_pool *pool)
{
    if (pool == NULL)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->must_stop, true);
    (void)pthread_cond_broadcast(&pool->changed_room);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->worker_count; i++)
        (void)pthread_join(pool->workers[i].thread, NULL);
    for (size_t i = 0; i < pool->job_count; i++) {
        drop_batches(&pool->jobs[i]);
        free(pool->jobs[i].damage);
    }
    (void)pthread_cond_destroy(&pool->changed_room);
    (void)pthread_cond_destroy(&pool->changed_finds);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->jobs);
    free(pool->workers);
    free(pool);
}

unsigned
scan_pool_workers(const struct scan_pool *pool)
{
    return pool->worker_count;
}

void
scan_pool_add(struct scan_pool *pool, const struct scan_job_range *range)
{
    pool->jobs = alloc_grow(pool->jobs, pool->job_count, &pool->job_capacity, sizeof(*pool->jobs));
    struct job *job = &pool->jobs[pool->job_count++];
    *job = (struct job){.range = *range};
}

void
scan_pool_go(struct scan_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->has_begun = true;
    (void)pthread_cond_broadcast(&pool->changed_room);
    (void)pthread_mutex_unlock(&pool->lock);
}

size_t
scan_pool_job_count(const struct scan_pool *pool)
{
    return pool->job_count;
}

const struct scan_job_range *
scan_pool_job(const struct scan_pool *pool, size_t number)
{
    assert(number < pool->job_count);
    return &pool->jobs[number].range;
}

/* Until the job has something to give or is over, or the time is. Under the lock. */
static void
await(struct scan_pool *pool, struct job *job, int timeout_ms)
{
    int64_t at_ns = clock_monotonic_ns() + (timeout_ms < 0 ? 0 : timeout_ms) * NS_PER_MS;
    atomic_store(&job->is_awaited, true);
    while (job->first == NULL && !job->is_over) {
        if (timeout_ms < 0)
            (void)pthread_cond_wait(&pool->changed_finds, &pool->lock);
        else if (!thread_condition_wait(&pool->changed_finds, &pool->lock, at_ns))
            break;
    }
    atomic_store(&job->is_awaited, false);
}

/* Take the first batch out. Under the lock. */
static enum cursor_step
take_batch(struct scan_pool *pool, struct job *job, struct scan_batch **batch, struct error *err)
{
    if (job->first != NULL) {
        *batch = job->first;
        job->first = (*batch)->next;
        (*batch)->next = NULL;
        pool->bytes -= (*batch)->bytes;
        (void)pthread_cond_broadcast(&pool->changed_room);
        return CURSOR_EVENT;
    }
    if (!job->is_over)
        return CURSOR_PAUSED;
    if (!job->has_failed)
        return CURSOR_END;
    *err = job->failure;
    return CURSOR_FAILED;
}

enum cursor_step
scan_pool_take(struct scan_pool *pool, size_t number, int timeout_ms, struct tape *tape,
    struct scan_batch **batch, struct error *err)
{
    assert(number < pool->job_count);
    struct job *job = &pool->jobs[number];
    (void)pthread_mutex_lock(&pool->lock);
    await(pool, job, timeout_ms);
    enum cursor_step step = take_batch(pool, job, batch, err);
    struct tape_damage *damage = job->damage;
    size_t damage_count = job->damage_count;
    bool is_missed = step == CURSOR_END && job->is_missed;
    job->damage = NULL;
    job->damage_count = 0;
    (void)pthread_mutex_unlock(&pool->lock);

    for (size_t i = 0; i < damage_count; i++)
        tape_take_damage(tape, &damage[i]);
    free(damage);
    struct part *part = is_missed ? tape_part_at(tape, job->range.first_seq) : NULL;
    if (part != NULL && part->first_seq < job->range.end_seq)
        tape_note_missed(tape, part);
    return step;
}

void
scan_pool_progress(const struct scan_pool *pool, struct cursor_progress *progress)
{
    for (unsigned i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        progress->scanned_events +=
            atomic_load_explicit(&worker->scanned_events, memory_order_relaxed);
        progress->scanned_bytes +=
            atomic_load_explicit(&worker->scanned_bytes, memory_order_relaxed);
        progress->scanned_blocks +=
            atomic_load_explicit(&worker->scanned_blocks, memory_order_relaxed);
        progress->pruned_blocks +=
            atomic_load_explicit(&worker->pruned_blocks, memory_order_relaxed);
        progress->gave_up += atomic_load_explicit(&worker->gave_up, memory_order_relaxed);
    }
}
