#include "index/tape_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/hole_record.h"
#include "index/journal.h"
#include "index/journal_spare.h"
#include "index/journal_sync.h"
#include "index/lanes.h"
#include "index/places.h"
#include "index/sealer.h"
#include "index/stream_table.h"
#include "index/tape_lock.h"
#include "index/tape_recovery.h"

#define JOURNAL_BYTES    (UINT64_C(64) * 1024 * 1024)
#define JOURNAL_AGE_NS   (INT64_C(900) * NS_PER_S)
#define SYNC_INTERVAL_NS (200 * NS_PER_MS)
#define FREE_CHECK_NS    NS_PER_S
#define PLACE_CHECK_NS   NS_PER_S
#define MIN_FREE         0.02

/* The journal that is written is journal (path NULL: none yet; the next append makes one). Streams
 * below `defined` have their definition in it. The stream table belongs to whoever holds stream_lock; what was
 * `found` nobody changes; everything else belongs to the thread that appends. */
struct tape_writer {
    char *directory;
    int lock_fd;
    struct tape_writer_options options;
    struct tape_recovery found; /* when it was opened; without the streams */
    struct journal_file journal;
    uint64_t next_id;
    uint64_t end_seq;
    size_t defined;
    bool dirty;
    int64_t synced_ns; /* monotonic, like the three below */
    int64_t journal_made_ns;
    int64_t free_checked_ns;
    int64_t place_checked_ns;
    bool is_full;
    pthread_mutex_t stream_lock;
    struct stream_table streams; /* those of `found`, and new ones */
    struct journal_sync *sync;
    struct journal_spare *spare;
    struct sealer *sealer; /* NULL: finished journals stay journals */
    struct buffer control; /* for building control frames */
};

/* ---- opening ---- */

static bool
take_lock(struct tape_writer *writer, struct error *err)
{
    pid_t holder;
    writer->lock_fd = tape_lock_take(writer->directory, &holder, err);
    if (writer->lock_fd >= 0)
        return tape_lock_sign(writer->lock_fd, writer->directory, err);
    if (err->code != ERROR_REFUSED)
        return false;
    char process[32] = "";
    if (holder > 0)
        (void)snprintf(process, sizeof(process), ", process %d,", (int)holder);
    return error_set(err, ERROR_REFUSED,
        "another recorder%s writes the tape %s; stop it first, or record to another --tape",
        process, writer->directory);
}

/* Start sealing, first what earlier recorders left. */
static bool
start_sealer(struct tape_writer *writer, struct error *err)
{
    if (writer->options.keep_journals)
        return true;
    struct sealer_options options = {
        .directory = writer->directory,
        .codec = writer->options.codec == BLOCK_RAW ? BLOCK_ZSTD : writer->options.codec,
        .retention = writer->options.retention,
        .spare = writer->spare,
    };
    writer->sealer = sealer_start(&options, err);
    if (writer->sealer == NULL)
        return false;
    for (size_t i = 0; i < writer->found.journals.count; i++)
        sealer_add(writer->sealer, writer->found.journals.ids[i]);
    return true;
}

static bool
open_writer(struct tape_writer *writer, struct error *err)
{
    struct tape_recovery *found = &writer->found;
    if (!file_make_directory(writer->directory, err) || !take_lock(writer, err) ||
        !tape_recover(writer->directory, writer->options.places, found, err))
        return false;
    writer->options.places = NULL; /* the caller's */
    writer->next_id = found->next_id;
    writer->end_seq = found->end_seq;
    writer->streams = found->streams;
    found->streams = (struct stream_table){0};
    writer->sync = journal_sync_start(err);
    return writer->sync != NULL && start_sealer(writer, err);
}

struct tape_writer *
tape_writer_open(
    const char *directory, const struct tape_writer_options *options, struct error *err)
{
    struct tape_writer *writer = alloc_zeroed(sizeof(*writer));
    writer->directory = alloc_text(directory);
    writer->lock_fd = -1;
    writer->journal.fd = -1;
    writer->spare = journal_spare_new(directory);
    (void)pthread_mutex_init(&writer->stream_lock, NULL);
    if (options != NULL)
        writer->options = *options;
    else
        writer->options.durability = DURABILITY_INTERVAL;
    if (writer->options.journal_bytes == 0)
        writer->options.journal_bytes = JOURNAL_BYTES;
    if (writer->options.min_free == 0)
        writer->options.min_free = MIN_FREE;
    if (!open_writer(writer, err)) {
        tape_writer_close(writer);
        return NULL;
    }
    return writer;
}

/* Finish the journal; the next append begins a new one. It may be sealed before it is on the disk: it is removed
 * when the segment is there. */
static void
roll(struct tape_writer *writer)
{
    if (writer->journal.path == NULL)
        return;
    uint64_t id = writer->journal.header.id;
    journal_sync_finish(writer->sync, &writer->journal);
    writer->dirty = false;
    if (writer->sealer != NULL)
        sealer_add(writer->sealer, id);
}

void
tape_writer_close(struct tape_writer *writer)
{
    if (writer == NULL)
        return;
    roll(writer);
    journal_spare_close(writer->spare);
    sealer_stop(writer->sealer, true);
    journal_spare_free(writer->spare);
    journal_sync_stop(writer->sync);
    if (writer->lock_fd >= 0)
        (void)close(writer->lock_fd);
    stream_table_done(&writer->streams);
    tape_recovery_done(&writer->found);
    (void)pthread_mutex_destroy(&writer->stream_lock);
    buffer_done(&writer->control);
    free(writer->directory);
    free(writer);
}

/* ---- streams and checkpoints ---- */

const struct stream *
tape_writer_stream(struct tape_writer *writer, const char *tap, const char *name)
{
    (void)pthread_mutex_lock(&writer->stream_lock);
    struct stream *stream = stream_table_find(&writer->streams, tap, name);
    if (stream == NULL) {
        stream = stream_table_add(
            &writer->streams, (uint32_t)writer->streams.count, bytes_of(tap), bytes_of(name));
        stream->places = places_of(&writer->found.places, stream);
    }
    (void)pthread_mutex_unlock(&writer->stream_lock);
    return stream;
}

const struct stream *
tape_writer_find_stream(struct tape_writer *writer, const char *tap, const char *name)
{
    (void)pthread_mutex_lock(&writer->stream_lock);
    const struct stream *stream = stream_table_find(&writer->streams, tap, name);
    (void)pthread_mutex_unlock(&writer->stream_lock);
    return stream;
}

int64_t
tape_writer_checkpoint(struct tape_writer *writer, const struct stream *stream, int32_t partition)
{
    const struct lane *lane = lanes_find(writer->found.checkpoints, stream->id, partition);
    return lane == NULL || lane->events == 0 ? -1 : lane->last_offset;
}

int32_t
tape_writer_last_partition(struct tape_writer *writer, const struct stream *stream)
{
    const struct tape_recovery *found = &writer->found;
    return stream->id < found->last_count ? found->last_partitions[stream->id] : -1;
}

/* ---- appending ---- */

/* False with ERROR_DISK_FULL while less than min_free of the file system is free. */
static bool
check_free(struct tape_writer *writer, struct error *err)
{
    int64_t now_ns = clock_monotonic_ns();
    if (writer->options.min_free < 0)
        return true;
    if (writer->free_checked_ns == 0 || now_ns - writer->free_checked_ns > FREE_CHECK_NS) {
        struct statvfs status;
        writer->free_checked_ns = now_ns;
        if (statvfs(writer->directory, &status) == 0 && status.f_blocks > 0)
            writer->is_full =
                (double)status.f_bavail < writer->options.min_free * (double)status.f_blocks;
    }
    if (!writer->is_full)
        return true;
    journal_spare_drop(writer->spare);
    return error_set(err, ERROR_DISK_FULL,
        "less than %.1f %% of the disk of %s is free: nothing more is recorded until there is room",
        writer->options.min_free * 100, writer->directory);
}

static bool
need_journal(struct tape_writer *writer, struct error *err)
{
    if (writer->journal.path != NULL)
        return true;
    struct journal_header header = {
        .id = writer->next_id,
        .base_seq = writer->end_seq,
        .created_ns = clock_now_ns(),
    };
    memcpy(header.uuid, writer->found.uuid, sizeof(header.uuid));
    if (!journal_create(&writer->journal, writer->directory, &header, writer->spare, err))
        return false;
    writer->next_id++;
    writer->defined = 0;
    writer->journal_made_ns = clock_monotonic_ns();
    return true;
}

/* Streams that this journal has not defined yet: one control frame. */
static bool
define_streams(struct tape_writer *writer, struct error *err)
{
    (void)pthread_mutex_lock(&writer->stream_lock);
    size_t count = writer->streams.count;
    writer->control.length = 0;
    for (size_t id = writer->defined; id < count; id++) {
        const struct stream *stream = stream_table_at(&writer->streams, (uint32_t)id);
        if (stream != NULL)
            stream_record_append(&writer->control, stream);
    }
    (void)pthread_mutex_unlock(&writer->stream_lock);

    if (writer->control.length > 0 &&
        !journal_append(&writer->journal, 0, writer->end_seq,
            bytes_make(writer->control.data, writer->control.length), err))
        return false;
    writer->defined = count;
    return true;
}

/* On this thread, at once. */
static bool
sync_here(struct tape_writer *writer, struct error *err)
{
    struct journal_file *journal = &writer->journal;
    if (!journal->is_named && !file_sync_parent(journal->path, err))
        return false;
    journal->is_named = true;
    return fdatasync(journal->fd) == 0 ||
           error_set_system(err, "cannot sync journal %s", journal->path);
}

/* Did all syncs so far go well? Waits where they are late. */
static bool
check_sync(struct tape_writer *writer, int64_t now_monotonic_ns, struct error *err)
{
    if (journal_sync_check(writer->sync, now_monotonic_ns, err))
        return true;
    writer->dirty = true; /* the next tick tries again */
    writer->journal.is_named = false;
    return false;
}

/* The events of a batch as one frame; with DURABILITY_EACH on the disk, or not there at all. */
static bool
append_events(
    struct tape_writer *writer, const struct batch *batch, struct bytes records, struct error *err)
{
    uint32_t count = batch_event_count(batch);
    uint64_t size = writer->journal.size;
    if (!journal_append(&writer->journal, count, writer->end_seq, records, err))
        return false;
    if (writer->options.durability == DURABILITY_EACH && !sync_here(writer, err)) {
        /* It is not acknowledged and will be tried again: once must be enough. */
        journal_take_back(&writer->journal, size);
        return false;
    }
    writer->end_seq += count;
    return true;
}

bool
tape_writer_append(struct tape_writer *writer, struct batch *batch, struct error *err)
{
    struct bytes records = batch_records(batch);
    struct bytes holes = batch_holes(batch);
    if (!check_sync(writer, clock_monotonic_ns(), err))
        return false;
    if (writer->journal.path != NULL && writer->journal.size >= writer->options.journal_bytes)
        roll(writer);
    if (!check_free(writer, err) || !need_journal(writer, err) || !define_streams(writer, err))
        return false;

    /* Holes first: an append that fails and is tried again may repeat them, but no event. */
    writer->dirty = true;
    if (holes.length > 0 && !journal_append(&writer->journal, 0, writer->end_seq, holes, err))
        return false;
    if (records.length > 0)
        return append_events(writer, batch, records, err);
    return writer->options.durability != DURABILITY_EACH || sync_here(writer, err);
}

/* Begin to sync what was appended since the last time. */
static void
begin_sync(struct tape_writer *writer)
{
    writer->synced_ns = clock_monotonic_ns();
    if (writer->dirty && writer->journal.path != NULL)
        journal_sync_ask(writer->sync, &writer->journal);
    writer->dirty = false;
}

bool
tape_writer_sync(struct tape_writer *writer, struct error *err)
{
    begin_sync(writer);
    return journal_sync_wait(writer->sync, err);
}

/* What is written into a file that has no name any more is lost when it is closed. */
static bool
check_place(struct tape_writer *writer, int64_t now_ns, struct error *err)
{
    struct stat open_one;
    struct stat named_one;
    const struct journal_file *journal = &writer->journal;
    if (journal->path == NULL || now_ns - writer->place_checked_ns < PLACE_CHECK_NS)
        return true;
    writer->place_checked_ns = now_ns;
    if (fstat(journal->fd, &open_one) != 0)
        return error_set_system(err, "cannot look at journal %s", journal->path);
    if (stat(journal->path, &named_one) == 0
            ? named_one.st_ino == open_one.st_ino && named_one.st_dev == open_one.st_dev
            : errno != ENOENT && errno != ENOTDIR)
        return true;
    return error_set(err, ERROR_SYSTEM,
        "journal %s is not there any more: it or its directory was removed or renamed beneath the "
        "recorder; put it back, or start again",
        journal->path);
}

bool
tape_writer_tick(struct tape_writer *writer, int64_t now_monotonic_ns, struct error *err)
{
    if (!check_place(writer, now_monotonic_ns, err))
        return false;
    if (writer->journal.path != NULL && now_monotonic_ns - writer->journal_made_ns > JOURNAL_AGE_NS)
        roll(writer);
    if (writer->options.durability == DURABILITY_INTERVAL &&
        now_monotonic_ns - writer->synced_ns >= SYNC_INTERVAL_NS)
        begin_sync(writer);
    return check_sync(writer, now_monotonic_ns, err);
}

uint64_t
tape_writer_end_seq(const struct tape_writer *writer)
{
    return writer->end_seq;
}

bool
tape_writer_trouble(const struct tape_writer *writer, char *text, size_t size)
{
    return writer->sealer != NULL && sealer_trouble(writer->sealer, text, size);
}

const char *
tape_writer_repairs(const struct tape_writer *writer)
{
    return writer->found.repairs;
}
