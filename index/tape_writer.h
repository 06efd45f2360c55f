/* tape_writer.h - the writing end of a tape: one per directory, held by the recorder.
 *
 * Opening takes the lock (LOCK, flock), repairs what a crash left (a torn tail is cut, damage in the
 * middle is kept around and becomes a hole), and knows afterwards the last offset of each lane.
 * Acknowledged means: tape_writer_append() returned true, that is writev() handed everything to the
 * kernel. What was acknowledged survives the death of this process.
 *
 * Threads: tape_writer_stream(), _find_stream(), _checkpoint(), _last_partition() and _trouble() may be called from
 * any thread, all else from the one thread that owns the writer (the indexer). Finished journals are
 * sealed on a thread of the writer's own.
 */
#ifndef INDEX_TAPE_WRITER_H
#define INDEX_TAPE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/block.h"
#include "index/retention.h"

struct batch;
struct error;
struct places;
struct stream;
struct tape_writer;

enum durability {
    DURABILITY_KERNEL,   /* the kernel writes when it likes */
    DURABILITY_INTERVAL, /* fdatasync every 200 ms (default) */
    DURABILITY_EACH,     /* fdatasync before an append is acknowledged */
};

/* A segment cannot stand for more events than SEGMENT_SPAN_MAX, and the smallest ones could be more in a larger journal. */
#define TAPE_JOURNAL_MAX (UINT64_C(32) << 30)

struct tape_writer_options {
    enum durability durability;
    /* A new journal begins behind this size, or behind less where the disk, or what is kept, is small; 0: 64 MiB; at
     * most TAPE_JOURNAL_MAX. */
    uint64_t journal_bytes;
    double
        min_free; /* stop taking below this share of free disk; 0: 0.02; < 0: what sealing needs */
    bool keep_journals;          /* do not seal finished journals into segments */
    enum block_codec codec;      /* of segments; 0: BLOCK_ZSTD */
    struct retention retention;  /* zeros: everything is kept */
    const struct places *places; /* written beside the tape; NULL: those that are there stay */
};

/* Open or make the tape in `directory` (0700, files 0600) for writing.
 *
 * NULL with ERROR_REFUSED when another recorder holds it (the text names its pid), ERROR_ARGUMENT
 * when `directory` is a file, ERROR_SYSTEM when it cannot be made or written, ERROR_DISK_FULL,
 * ERROR_DAMAGED when a file has an unknown newer format version. `options` may be NULL. */
struct tape_writer *tape_writer_open(
    const char *directory, const struct tape_writer_options *options, struct error *err);

/* Sync, seal what is not yet sealed, and close; the lock is given back. NULL is allowed. */
void tape_writer_close(struct tape_writer *writer);

/* The stream `tap`/`name`, made when it is new. Never NULL; lives until the writer is closed. */
const struct stream *tape_writer_stream(
    struct tape_writer *writer, const char *tap, const char *name);

/* The same when the tape has it already, else NULL. */
const struct stream *tape_writer_find_stream(
    struct tape_writer *writer, const char *tap, const char *name);

/* The offset of the newest event of a lane that was on the tape when it was opened, or -1. It is
 * where the tap goes on: at the next one. */
int64_t tape_writer_checkpoint(
    struct tape_writer *writer, const struct stream *stream, int32_t partition);

/* The highest partition with a checkpoint in `stream`, or -1. */
int32_t tape_writer_last_partition(struct tape_writer *writer, const struct stream *stream);

/* Write the batch as one frame (and one for its holes). True: acknowledged. False: nothing of it is
 * on the tape for any reader, ERROR_DISK_FULL or ERROR_SYSTEM; the caller may try the same batch
 * again. On a full disk it waits as long as tape_writer_makes_room(). */
bool tape_writer_append(struct tape_writer *writer, struct batch *batch, struct error *err);

/* The same, but does not wait. */
bool tape_writer_try_append(struct tape_writer *writer, struct batch *batch, struct error *err);

/* True while journals are being sealed, which gives room back: whoever has none need not report it yet. */
bool tape_writer_makes_room(const struct tape_writer *writer);

/* Do what is due: fdatasync by the clock, start a new journal by age, see once a second that the journal is
 * still where it was. Call at least every 100 ms. False when the disk reports an error, or somebody
 * removed or renamed the journal or the directory. */
bool tape_writer_tick(struct tape_writer *writer, int64_t now_monotonic_ns, struct error *err);

/* Everything so far to the disk. */
bool tape_writer_sync(struct tape_writer *writer, struct error *err);

/* The seq that the next event will get: events acknowledged so far on this tape. */
uint64_t tape_writer_end_seq(const struct tape_writer *writer);

/* What goes wrong with sealing and retention now (a full disk, a damaged journal), or how much room is missing, as one
 * sentence of up to `size` bytes. False: nothing. What was acknowledged is safe in journals meanwhile. */
bool tape_writer_trouble(struct tape_writer *writer, char *text, size_t size);

/* What opening repaired, as one sentence for the log, or NULL when all was well. */
const char *tape_writer_repairs(const struct tape_writer *writer);

#endif
