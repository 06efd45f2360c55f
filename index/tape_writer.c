#include "index/tape_writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
#include "index/record.h"
#include "index/sealer.h"
#include "index/segment.h"
#include "index/stream_table.h"
#include "index/tape_lock.h"
#include "index/tape_recovery.h"
#include "index/tape_room.h"

#define JOURNAL_BYTES    (UINT64_C(64) * 1024 * 1024)
#define JOURNAL_AGE_NS   (INT64_C(900) * NS_PER_S)
#define SYNC_INTERVAL_NS (200 * NS_PER_MS)
#define PLACE_CHECK_NS   NS_PER_S
#define MIN_FREE         0.02
#define ROOM_POLL_NS     (10 * NS_PER_MS)

/* Journals of a tape that may have no more than keep_bytes are this part of it at most, but a MiB at least: what is
 * kept goes and comes in pieces of that size. */
#define KEPT_PART     16u
#define SMALL_JOURNAL (UINT64_C(1024) * 1024)

static_assert(
    TAPE_JOURNAL_MAX + FRAME_HEADER_BYTES + FRAME_MAX_BODY < SEGMENT_SPAN_MAX * RECORD_HEADER_BYTES,
    "each journal can become a segment");

/* On a full disk a smaller journal than this is not worth a segment. */
#define WORTH_SEALING (UINT64_C(256) * 1024)

/* The journal that is written is journal (path NULL: none yet; the next append makes one). Streams
 * below `defined` have their definition in it. The stream table and `shortage` belong to whoever holds stream_lock; what
 * was `found` nobody changes; everything else belongs to the thread that appends. */
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
    int64_t synced_ns; /* monotonic, like the two below */
    int64_t journal_made_ns;
    int64_t place_checked_ns;
    struct tape_room room;
    char shortage[sizeof(((struct error *)0)->text)]; /* why nothing more is taken; empty: it is */
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
    assert(writer->options.journal_bytes <= TAPE_JOURNAL_MAX);
    uint64_t kept_part = writer->options.retention.keep_bytes / KEPT_PART;
    if (kept_part > 0 && kept_part < writer->options.journal_bytes &&
        writer->options.journal_bytes > SMALL_JOURNAL)
        writer->options.journal_bytes = kept_part > SMALL_JOURNAL ? kept_part : SMALL_JOURNAL;
    if (writer->options.min_free == 0)
        writer->options.min_free = MIN_FREE;
    writer->room =
        (struct tape_room){.directory = writer->directory, .min_free = writer->options.min_free};
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

/* What is not sealed, with `bytes` more in the journal that is written. */
static struct tape_room_load
load_with(const struct tape_writer *writer, uint64_t bytes)
{
    struct tape_room_load load = {0};
    if (writer->sealer == NULL)
        return load; /* nothing will be sealed */
    sealer_load(writer->sealer, &load.largest, &load.all);
    uint64_t journal = (writer->journal.path == NULL ? 0 : writer->journal.size) + bytes;
    load.all += journal;
    if (journal > load.largest)
        load.largest = journal;
    return load;
}

static void
note_shortage(struct tape_writer *writer, const char *text)
{
    if (text[0] == '\0' && writer->shortage[0] == '\0')
        return; /* only this thread changes it */
    (void)pthread_mutex_lock(&writer->stream_lock);
    (void)snprintf(writer->shortage, sizeof(writer->shortage), "%s", text);
    (void)pthread_mutex_unlock(&writer->stream_lock);
}

/* Little is free: nothing is kept for later, and what is recorded takes less once it is sealed. */
static void
save_room(struct tape_writer *writer)
{
    struct journal_file *journal = &writer->journal;
    journal_spare_drop(writer->spare);
    if (writer->sealer == NULL || journal->path == NULL || journal->size < WORTH_SEALING ||
        tape_room_to_seal(journal->size) > writer->room.free_bytes)
        return;
    journal_trim(journal);
    roll(writer);
}

/* Begin a new journal where it is time, and see that the disk has room for `bytes` more. */
static bool
check_room(struct tape_writer *writer, uint64_t bytes, struct error *err)
{
    int64_t now_ns = clock_monotonic_ns();
    struct journal_file *journal = &writer->journal;
    uint64_t limit = writer->options.journal_bytes;
    tape_room_look(&writer->room, now_ns);
    if (writer->sealer != NULL)
        limit = tape_room_journal_bytes(&writer->room, limit);
    if (limit < writer->options.journal_bytes) {
        journal_spare_drop(writer->spare);
        if (journal->path != NULL && journal->size >= limit)
            journal_trim(journal);
    }
    if (journal->path != NULL && journal->size >= limit)
        roll(writer);
    struct tape_room_load load = load_with(writer, bytes);
    if (tape_room_takes(&writer->room, bytes, &load, now_ns, err)) {
        note_shortage(writer, "");
        return true;
    }
    save_room(writer);
    if (!tape_writer_makes_room(writer))
        note_shortage(writer, err->text);
    return false;
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

static bool
append_frames(struct tape_writer *writer, struct batch *batch, struct error *err)
{
    struct bytes records = batch_records(batch);
    struct bytes holes = batch_holes(batch);
    if (!need_journal(writer, err) || !define_streams(writer, err))
        return false;

    /* Holes first: an append that fails and is tried again may repeat them, but no event. */
    writer->dirty = true;
    if (holes.length > 0 && !journal_append(&writer->journal, 0, writer->end_seq, holes, err))
        return false;
    if (records.length > 0)
        return append_events(writer, batch, records, err);
    return writer->options.durability != DURABILITY_EACH || sync_here(writer, err);
}

bool
tape_writer_try_append(struct tape_writer *writer, struct batch *batch, struct error *err)
{
    uint64_t bytes =
        batch_records(batch).length + batch_holes(batch).length + UINT64_C(2) * FRAME_HEADER_BYTES;
    if (!check_sync(writer, clock_monotonic_ns(), err) || !check_room(writer, bytes, err))
        return false;
    if (append_frames(writer, batch, err)) {
        tape_room_took(&writer->room, bytes);
        return true;
    }
    writer->room.looked_ns = 0; /* it was not as we believed */
    if (err->code == ERROR_DISK_FULL)
        save_room(writer);
    return false;
}

bool
tape_writer_makes_room(const struct tape_writer *writer)
{
    return writer->sealer != NULL && sealer_is_busy(writer->sealer);
}

bool
tape_writer_append(struct tape_writer *writer, struct batch *batch, struct error *err)
{
    for (;;) {
        bool makes_room = tape_writer_makes_room(writer);
        if (tape_writer_try_append(writer, batch, err))
            return true;
        if (err->code != ERROR_DISK_FULL || (!makes_room && !tape_writer_makes_room(writer)))
            return false;
        clock_sleep_until_ns(clock_monotonic_ns() + ROOM_POLL_NS);
    }
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
tape_writer_trouble(struct tape_writer *writer, char *text, size_t size)
{
    if (writer->sealer != NULL && sealer_trouble(writer->sealer, text, size))
        return true;
    (void)pthread_mutex_lock(&writer->stream_lock);
    bool is_short = writer->shortage[0] != '\0';
    if (is_short)
        (void)snprintf(text, size, "%s", writer->shortage);
    (void)pthread_mutex_unlock(&writer->stream_lock);
    return is_short;
}

const char *
tape_writer_repairs(const struct tape_writer *writer)
{
    return writer->found.repairs;
}
