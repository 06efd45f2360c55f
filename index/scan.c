#include "index/scan.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/cursor_internal.h"
#include "index/event.h"
#include "index/live.h"
#include "index/part.h"
#include "index/query.h"
#include "index/scan_batch.h"
#include "index/scan_pool.h"
#include "index/tape.h"
#include "index/tape_internal.h"

/* Events that a scan looks at alone before it asks itself whether to go on like that. */
#define ALONE_BUDGET 5000u

/* Where the finds of one job, or of the cursor, come in: `event` is the next of them while it `has_event`. */
struct source {
    struct scan_batch *batch;
    uint32_t row;
    struct event event;
    bool has_event;
    bool has_ended;
};

/* Alone, the cursor does everything and `pool` is NULL. Else it does what it had begun, and the pool's jobs the
 * rest. A group is the jobs that share a file: jobs first_job .. first_job + group_size - 1. Each has a
 * source, sources[0 ..]; `own` is the cursor's, which belongs to the first group. */
struct scan {
    struct tape *tape;
    struct scan_options options;
    struct cursor *cursor;
    struct scan_pool *pool;
    bool has_decided; /* to stay alone, or not to */
    uint64_t matched;
    uint64_t total_blocks; /* with a pool: as the cursor saw it */
    size_t first_job;
    size_t group_size;
    struct source own;
    struct source sources[SCAN_WORKERS_MAX];
    struct source *given; /* its event was given to the caller, who still looks at it */
};

static uint64_t
alone_bytes_for(const struct scan_options *options)
{
    const struct query *query = options->cursor.query;
    struct query_token token;
    if (query != NULL && query_required_tokens(query, &token, 1) > 0)
        return SCAN_INDEXED_BYTES;
    return options->limit > 0 ? SCAN_LIMITED_BYTES : SCAN_ALONE_BYTES;
}

struct scan *
scan_new(struct tape *tape, const struct scan_options *options)
{
    struct scan *scan = alloc_zeroed(sizeof(*scan));
    scan->tape = tape;
    scan->options = *options;
    if (scan->options.alone_bytes == 0)
        scan->options.alone_bytes = alone_bytes_for(options);
    if (scan->options.workers > SCAN_WORKERS_MAX)
        scan->options.workers = SCAN_WORKERS_MAX;
    scan->has_decided = options->stays_alone || options->cursor.order != CURSOR_BY_SEQ;
    scan->cursor = cursor_new(tape, &scan->options.cursor);
    return scan;
}

void
scan_free(struct scan *scan)
{
    if (scan == NULL)
        return;
    scan_pool_free(scan->pool);
    for (size_t i = 0; i < SCAN_WORKERS_MAX; i++)
        scan_batch_free(scan->sources[i].batch);
    cursor_free(scan->cursor);
    free(scan);
}

/* ---- from alone to together ---- */

static unsigned
cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

/* 0: there is nothing to be won. */
static unsigned
workers_by_cores(const struct scan *scan, bool is_recording)
{
    unsigned count = cores();
    if (scan->options.workers > 0)
        return scan->options.workers;
    if (is_recording)
        return count <= 2 ? 1 : count - 1 < SCAN_WORKERS_MAX ? count - 1 : SCAN_WORKERS_MAX;
    if (count == 1)
        return 0;
    return count < SCAN_WORKERS_MAX ? count : SCAN_WORKERS_MAX;
}

/* The same, less those for whose blocks there is no memory. */
static unsigned
workers_for(const struct scan *scan, bool is_recording)
{
    unsigned most = workers_by_cores(scan, is_recording);
    for (size_t i = 0; i < tape_part_count(scan->tape) && most > 0; i++) {
        struct part *part = tape_part(scan->tape, i);
        uint64_t each = SCAN_LARGE_BYTES / SCAN_COPIES / most; /* with which they all may go on */
        uint64_t block = part->ops->largest(part, each);
        if (block > each)
            most = (unsigned)(SCAN_LARGE_BYTES / SCAN_COPIES / block);
    }
    return most;
}

static uint64_t
higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t
lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Bytes that the cursor may still have to look at, or more. */
static uint64_t
bytes_left(const struct scan *scan)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < tape_part_count(scan->tape); i++) {
        struct part_extent extent;
        struct part *part = tape_part(scan->tape, i);
        part->ops->extent(part, &extent);
        bytes += extent.bytes;
    }
    uint64_t done = cursor_scanned_bytes(scan->cursor);
    return bytes > done ? bytes - done : 0;
}

/* The jobs of one file, from block `first_block` on. */
static void
add_jobs(struct scan *scan, const struct part *part, const struct cursor_rest *rest,
    uint32_t first_block)
{
    struct part_extent extent;
    part->ops->extent(part, &extent);
    uint64_t blocks = extent.blocks > first_block ? extent.blocks - first_block : 0;
    uint64_t shares = part->ops->cut == NULL ? 1 : lower(scan_pool_workers(scan->pool), blocks);
    struct scan_job_range range = {
        .first_seq = higher(part->first_seq, rest->first_seq),
        .end_seq = lower(part->end_seq, rest->end_seq),
        .first_block = first_block,
        .shares = (uint32_t)shares,
    };
    if (range.first_seq >= range.end_seq)
        return;
    for (; range.share < range.shares; range.share++)
        scan_pool_add(scan->pool, &range);
}

/* Can the rest hold anything of this part? The parts lie in the order of their seqs. */
static bool
is_still_to_come(const struct scan *scan, const struct part *part, const struct cursor_rest *rest)
{
    if (part->first_seq >= rest->end_seq || part->end_seq <= rest->first_seq)
        return false;
    return scan->options.cursor.newest_first ? part->end_seq <= rest->part->first_seq
                                             : part->first_seq >= rest->part->end_seq;
}

static void
add_rest(struct scan *scan, const struct cursor_rest *rest)
{
    size_t count = tape_part_count(scan->tape);
    if (rest->shares_part)
        add_jobs(scan, rest->part, rest, rest->first_block);
    for (size_t i = 0; i < count; i++) {
        const struct part *part =
            tape_part(scan->tape, scan->options.cursor.newest_first ? count - 1 - i : i);
        if (is_still_to_come(scan, part, rest))
            add_jobs(scan, part, rest, 0);
    }
}

static void
begin_group(struct scan *scan, size_t first_job)
{
    scan->first_job = first_job;
    scan->group_size = 0;
    if (first_job >= scan_pool_job_count(scan->pool))
        return;
    scan->group_size = scan_pool_job(scan->pool, first_job)->shares;
    assert(scan->group_size >= 1 && scan->group_size <= SCAN_WORKERS_MAX);
    for (size_t i = 0; i < scan->group_size; i++)
        scan->sources[i] = (struct source){0};
}

/* The cursor's part cannot be shared out: nothing but the cursor's own is in the first group. */
static bool
is_apart(const struct scan *scan, const struct cursor_rest *rest)
{
    if (scan_pool_job_count(scan->pool) == 0)
        return true;
    const struct scan_job_range *first = scan_pool_job(scan->pool, 0);
    return first->first_seq >= rest->part->end_seq || first->end_seq <= rest->part->first_seq;
}

/* Hand over what the cursor has not begun. */
static void
call_for_help(struct scan *scan)
{
    bool is_recording = live_is_recording(tape_directory(scan->tape));
    struct scan_pool_options options = {
        .directory = tape_directory(scan->tape),
        .query = scan->options.cursor.query,
        .newest_first = scan->options.cursor.newest_first,
        .unwanted = scan->options.cursor.unwanted,
        .is_polite = is_recording,
        .buffer_bytes = scan->options.buffer_bytes,
    };
    struct cursor_progress progress;
    struct cursor_rest rest;
    unsigned workers = workers_for(scan, is_recording);
    cursor_progress(scan->cursor, &progress);
    scan->pool = workers == 0 ? NULL : scan_pool_new(&options, workers);
    if (scan->pool == NULL)
        return;
    if (!cursor_hand_over(scan->cursor, &rest)) {
        scan_pool_free(scan->pool);
        scan->pool = NULL;
        return;
    }
    scan->total_blocks = progress.total_blocks;
    rest.end_seq = lower(rest.end_seq, tape_end_seq(scan->tape));
    add_rest(scan, &rest);
    if (!is_apart(scan, &rest))
        begin_group(scan, 0);
    scan_pool_go(scan->pool);
}

/* If matches go on to come as they did, will the caller have all that it wants without help? */
static bool
has_enough_soon(const struct scan *scan)
{
    uint64_t limit = scan->options.limit;
    if (limit == 0 || scan->matched == 0)
        return false;
    uint64_t wanted = limit > scan->matched ? limit - scan->matched : 0;
    double for_each = (double)cursor_scanned_bytes(scan->cursor) / (double)scan->matched;
    return for_each * (double)wanted < (double)scan->options.alone_bytes;
}

static void
decide(struct scan *scan)
{
    if (scan->has_decided || cursor_scanned_bytes(scan->cursor) < scan->options.alone_bytes ||
        has_enough_soon(scan))
        return;
    scan->has_decided = true;
    if (bytes_left(scan) >= scan->options.alone_bytes)
        call_for_help(scan);
}

static enum cursor_step
next_alone(struct scan *scan, uint64_t budget, struct event *event, struct error *err)
{
    uint64_t portion = budget;
    if (!scan->has_decided && (budget == 0 || budget > ALONE_BUDGET))
        portion = ALONE_BUDGET;
    enum cursor_step step = cursor_next(scan->cursor, portion, event, err);
    if (step == CURSOR_PAUSED || step == CURSOR_EVENT)
        decide(scan);
    return step;
}

/* ---- together ---- */

/* What the caller has seen may go now. */
static void
take_back(struct scan *scan)
{
    struct source *source = scan->given;
    scan->given = NULL;
    if (source == NULL)
        return;
    source->has_event = false;
    if (source->batch != NULL && source->row == source->batch->count) {
        scan_batch_free(source->batch);
        source->batch = NULL;
    }
}

/* Have the cursor's next. CURSOR_EVENT: it is there, or there are no more. */
static enum cursor_step
fill_own(struct scan *scan, struct error *err)
{
    struct source *own = &scan->own;
    if (own->has_event || own->has_ended)
        return CURSOR_EVENT;
    enum cursor_step step = cursor_next(scan->cursor, ALONE_BUDGET, &own->event, err);
    if (step == CURSOR_PAUSED || step == CURSOR_FAILED)
        return step;
    own->has_event = step == CURSOR_EVENT;
    own->has_ended = step == CURSOR_END;
    return CURSOR_EVENT;
}

/* The same with a job of the group. */
static enum cursor_step
fill(struct scan *scan, size_t number, int timeout_ms, struct error *err)
{
    struct source *source = &scan->sources[number];
    if (source->has_event || source->has_ended)
        return CURSOR_EVENT;
    if (source->batch == NULL) {
        enum cursor_step step = scan_pool_take(
            scan->pool, scan->first_job + number, timeout_ms, scan->tape, &source->batch, err);
        source->has_ended = step == CURSOR_END;
        if (step != CURSOR_EVENT)
            return source->has_ended ? CURSOR_EVENT : step;
        source->row = 0;
    }
    const struct scan_row *row = &source->batch->rows[source->row++];
    source->event = row->event;
    source->event.stream = tape_stream_by_id(scan->tape, row->stream_id);
    source->has_event = true;
    return CURSOR_EVENT;
}

static bool
comes_before(const struct scan *scan, const struct source *source, const struct source *other)
{
    if (other == NULL || !source->has_event)
        return source->has_event;
    return scan->options.cursor.newest_first ? source->event.seq > other->event.seq
                                             : source->event.seq < other->event.seq;
}

/* The one whose event is next; NULL: the group has no more. All are filled. */
static struct source *
choose(struct scan *scan)
{
    struct source *best = NULL;
    if (comes_before(scan, &scan->own, best))
        best = &scan->own;
    for (size_t i = 0; i < scan->group_size; i++) {
        if (comes_before(scan, &scan->sources[i], best))
            best = &scan->sources[i];
    }
    return best;
}

static enum cursor_step
next_together(struct scan *scan, bool may_pause, struct event *event, struct error *err)
{
    take_back(scan);
    for (;;) {
        enum cursor_step step = fill_own(scan, err);
        for (size_t i = 0; i < scan->group_size && step == CURSOR_EVENT; i++)
            step = fill(scan, i, may_pause ? SCAN_PATIENCE_MS : -1, err);
        if (step != CURSOR_EVENT)
            return step;
        scan->given = choose(scan);
        if (scan->given != NULL) {
            *event = scan->given->event;
            return CURSOR_EVENT;
        }
        if (scan->first_job + scan->group_size >= scan_pool_job_count(scan->pool))
            return CURSOR_END;
        begin_group(scan, scan->first_job + scan->group_size);
    }
}

enum cursor_step
scan_next(struct scan *scan, uint64_t budget, struct event *event, struct error *err)
{
    enum cursor_step step;
    do {
        step = scan->pool == NULL ? next_alone(scan, budget, event, err)
                                  : next_together(scan, budget != 0, event, err);
    } while (step == CURSOR_PAUSED && budget == 0);
    if (step == CURSOR_EVENT)
        scan->matched++;
    return step;
}

void
scan_progress(const struct scan *scan, struct cursor_progress *progress)
{
    cursor_progress(scan->cursor, progress);
    progress->matched = scan->matched;
    if (scan->pool == NULL)
        return;
    scan_pool_progress(scan->pool, progress);
    progress->total_blocks =
        higher(scan->total_blocks, progress->scanned_blocks + progress->pruned_blocks);
}

unsigned
scan_workers(const struct scan *scan)
{
    return scan->pool == NULL ? 0 : scan_pool_workers(scan->pool);
}
