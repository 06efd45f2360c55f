/* scan_pool.h - threads that search pieces of a tape, and their finds in order.
 *
 * A job is a piece of one file: a range of seqs, and of a file whose blocks can be shared out every so many
 * blocks. The threads take jobs in the order in which they were added; each opens the tape for itself.
 * What a job finds comes out by seq; the jobs that share a file are to be merged by who takes.
 *
 * Finds that nobody has taken yet are bounded in bytes. A job whose finds are all taken may always give
 * more, so nobody waits for ever as long as no more jobs share a file than there are threads, and all of
 * those are emptied before a later one.
 *
 * Threads: its own; everything here is called by the one that made it.
 */
#ifndef INDEX_SCAN_POOL_H
#define INDEX_SCAN_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/cursor.h"

struct error;
struct query;
struct scan_batch;
struct scan_pool;
struct tape;

/* Finds that wait to be taken, besides one batch per job: some 64 thousand events of the usual size. */
#define SCAN_BUFFER_BYTES ((size_t)16 * 1024 * 1024)

struct scan_pool_options {
    const char *directory;     /* of the tape */
    const struct query *query; /* NULL: every event; both must outlive the pool */
    bool newest_first;
    unsigned unwanted;   /* as in struct cursor_options */
    bool is_polite;      /* at nice 10 */
    size_t buffer_bytes; /* 0: SCAN_BUFFER_BYTES */
};

struct scan_job_range {
    uint64_t first_seq; /* within one file */
    uint64_t end_seq;
    uint32_t first_block; /* these three as in struct part_walk_options */
    uint32_t share;
    uint32_t shares;
};

/* Start `workers` threads, which open the tape and wait for scan_pool_go(). NULL: not one could be had. */
struct scan_pool *scan_pool_new(const struct scan_pool_options *options, unsigned workers);

/* Stop the threads, each when it is through with its block, and wait for them. */
void scan_pool_free(struct scan_pool *pool);

/* How many there are. */
unsigned scan_pool_workers(const struct scan_pool *pool);

/* Add jobs, then go. */
void scan_pool_add(struct scan_pool *pool, const struct scan_job_range *range);
void scan_pool_go(struct scan_pool *pool);

size_t scan_pool_job_count(const struct scan_pool *pool);
const struct scan_job_range *scan_pool_job(const struct scan_pool *pool, size_t number);

/* The next finds of the job, freed by the caller; damage that it met so far is told to `tape`, and that its file was
 * gone (tape_leave_missed()). Waits up to timeout_ms (-1: as long as it takes). CURSOR_PAUSED: nothing yet. */
enum cursor_step scan_pool_take(struct scan_pool *pool, size_t number, int timeout_ms,
    struct tape *tape, struct scan_batch **batch, struct error *err);

/* Add what the threads have looked at so far. */
void scan_pool_progress(const struct scan_pool *pool, struct cursor_progress *progress);

#endif
